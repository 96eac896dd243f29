//! What a benchmark can be asked. Each answer goes to the asker as a message, and its data stands in the output as well,
//! for dry-runs. Money is a text of digits; a share or an interval is a number with at most 6 decimals.

use ao::{Message, Outgoing};
use rusqlite::Row;
use serde::Deserialize;
use serde_json::{Value, json};
use tasks::statistics::{minimum_detectable_difference, share, wilson_of_points};

use super::allocation::Allocation;
use super::entry::{self, Entry};
use super::pool::{self, Pool, Status, select_pools};
use super::ranking::{self, Ranked};
use super::turn::Turn;
use crate::limits::{HELD_SHOWN, POOL_ROWS_PAGE, POOL_ROWS_PAGE_MAX, POOLS_PAGE};
use crate::payload::{optional, text};
use crate::{Fault, Store};

/// The share of questions (per mille) on which two entries are taken to differ, for the smallest difference that the
/// questions of a pool can show.
const DISCORDANT_PER_MILLE: u64 = 100;

/// What the process is, and what can be asked of a pool.
pub(super) fn info(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let pools: u32 = turn.store.value("SELECT count(*) FROM pools", ())?;
    let data = json!({
        "name": turn.env.tags.get("Name").unwrap_or("Benchmark"),
        "token": turn.settings.token,
        "minimum_fund": turn.settings.minimum_fund,
        "grace_ms": turn.settings.grace_ms,
        "allocations": Allocation::NAMES,
        "ties": "split, earliest and significance",
        "metrics": "strict and lenient",
        "pools": pools,
        "held": held(turn.store)?,
    });
    answer(turn, Outgoing::new(turn.message.from, "Info-Response").tag("Token", turn.settings.token), data);
    Ok(())
}

/// Money that waits for the owner's `Return-Held`: how many notices, and the oldest of them.
fn held(store: &Store<'_>) -> Result<Value, Fault> {
    let count: u64 = store.value("SELECT count(*) FROM held", ())?;
    let sql = "SELECT notice, token, sender, quantity, reason, held_ms FROM held ORDER BY held_ms, notice LIMIT ?";
    let read = |row: &Row<'_>| {
        let (notice, token, sender): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (quantity, reason, held_ms): (String, String, u64) = (row.get(3)?, row.get(4)?, row.get(5)?);
        Ok(json!({
            "notice": notice, "token": token, "sender": sender, "quantity": quantity, "reason": reason,
            "held_ms": held_ms,
        }))
    };
    Ok(json!({ "count": count, "notices": store.all(sql, [HELD_SHOWN], read)? }))
}

/// The pools, the newest first; with the tags `Dataset`, `Funder`, `Status` (one, or several with commas between) or
/// `Search` (a part of the title, or a whole id) only those that fit. At most `Limit`; if there are more, the answer's tag
/// `Cursor` is where the next page begins.
pub(super) fn pools(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let message = turn.message;
    let limit = limit(message, POOLS_PAGE)?;
    let before = optional::<u32>(message, "Cursor")?.map_or(i64::MAX, i64::from);
    let filter = |name| message.tag(name).unwrap_or_default();
    let sql = select_pools!(
        "WHERE created_slot < ?1 AND (?2 = '' OR dataset = ?2) AND (?3 = '' OR funder = ?3)
         AND (?4 = '' OR instr(',' || ?4 || ',', ',' || status || ',') > 0)
         AND (?6 = '' OR instr(lower(title || ' ' || dataset_title), lower(?6)) > 0 OR ?6 IN (id, dataset, funder))
         ORDER BY created_slot DESC LIMIT ?5"
    );
    let values = (before, filter("Dataset"), filter("Funder"), filter("Status"), limit + 1, filter("Search"));
    let mut pools = turn.store.all(sql, values, pool::read)?;
    let more = pools.len() > limit as usize;
    pools.truncate(limit as usize);
    let mut outgoing = Outgoing::new(message.from, "Get-Pools-Response");
    if let (true, Some(last)) = (more, pools.last()) {
        outgoing.tags.push("Cursor", last.created_slot.to_string());
    }
    let rows = pools.iter().map(|row| pool(turn.store, row)).collect::<Result<Vec<_>, _>>()?;
    answer(turn, outgoing, Value::Array(rows));
    Ok(())
}

/// One pool.
pub(super) fn one_pool(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let found = asked_for(turn)?;
    let data = pool(turn.store, &found)?;
    answer(turn, Outgoing::new(turn.message.from, "Get-Pool-Response").tag("Pool", found.id), data);
    Ok(())
}

/// The board of a pool, with what each would be paid if it ended now, and what was paid. At most `Limit` rows from the
/// `Cursor`-th on.
pub(super) fn leaderboard(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let message = turn.message;
    let limit = limit(message, POOL_ROWS_PAGE)? as usize;
    let from = optional::<u32>(message, "Cursor")?.unwrap_or_default();
    let found = asked_for(turn)?;
    let is_frozen = matches!(found.status, Status::Settling | Status::Settled);
    let ranked = if is_frozen { ranking::frozen(turn.store, &found) } else { ranking::ranking(turn.store, &found) }?;
    let mut others = entry::all(turn.store, &found.id)?;
    others.retain(|entry| !entry.is_eligible(&found));
    others.sort_by_key(|entry| std::cmp::Reverse((entry.score.answered, std::cmp::Reverse(entry.joined_slot))));
    let updated_ms = ranked.iter().map(|ranked| &ranked.entry).chain(&others).map(|entry| entry.updated_ms).max();
    let count = ranked.len() + others.len();
    let ranges = ranking::ranges(turn.store, &found, &ranked)?;
    let board = ranked.iter().enumerate().map(|(place, ranked)| {
        let range = ranges.as_ref().and_then(|ranges| ranges.get(place));
        let mut row = row(&found, &ranked.entry, Some(ranked));
        row["rank_range"] = range.map_or(Value::Null, |range| json!([range.best, range.worst]));
        row
    });
    let board = board.chain(others.iter().map(|entry| row(&found, entry, None)));
    let board: Vec<Value> = board.skip(from as usize).take(limit).collect();
    let data = json!({
        "pool": pool(turn.store, &found)?,
        "updated_ms": updated_ms.unwrap_or_default().max(found.created_ms),
        "leaderboard": board,
        "payouts": payouts(turn.store, &found, from, limit)?,
    });
    let mut outgoing = Outgoing::new(message.from, "Leaderboard-Response").tag("Pool", found.id);
    if from as usize + limit < count {
        outgoing.tags.push("Cursor", (from as usize + limit).to_string());
    }
    answer(turn, outgoing, data);
    Ok(())
}

/// A pool as JSON.
pub(super) fn pool(store: &Store<'_>, pool: &Pool) -> Result<Value, Fault> {
    let rules = &pool.rules;
    Ok(json!({
        "id": pool.id,
        "title": pool.title(),
        "dataset": rules.dataset,
        "funder": pool.funder,
        "funds": pool.funds,
        "allocation": rules.allocation.name(),
        "weights": rules.allocation.table(),
        "ties": rules.ties.to_string(),
        "metric": rules.metric.to_string(),
        "start": rules.start_ms,
        "end": rules.end_ms,
        "grace_end": pool.grace_end_ms,
        "status": pool.status.to_string(),
        "reason": pool.reason,
        "questions": pool.questions,
        "content_hash": pool.content_hash,
        "minimum_detectable_difference": minimum_detectable_difference(pool.questions.into(), DISCORDANT_PER_MILLE),
        "protocol": pool.protocol,
        "entries": entry::count(store, &pool.id)?,
        "synthetic": pool.synthetic,
        "created": pool.created_ms,
        "dataset_title": pool.dataset_title,
        "leader": leader(store, pool)?,
        "competitors": pool.competitors.to_string(),
        "points": pool.points,
    }))
}

/// The best complete entry of a pool, if there is one. Of equals it is the one that joined first.
fn leader(store: &Store<'_>, pool: &Pool) -> Result<Option<Value>, Fault> {
    Ok(entry::leader(store, pool)?.map(|leader| {
        let (correct, answered) = (leader.correct(pool), leader.score.answered);
        let interval = wilson_of_points(correct.into(), pool.points.into(), answered.into());
        json!({
            "model": leader.model,
            "name": leader.name,
            "score": share(correct.into(), leader.points_possible(pool)),
            "interval": [interval.0, interval.1],
        })
    }))
}

/// A row of a board. A score is of the questions answered so far: what is not answered is not wrong, and is shown as
/// progress.
pub(super) fn row(pool: &Pool, entry: &Entry, ranked: Option<&Ranked>) -> Value {
    let (correct, score) = (entry.correct(pool), entry.score);
    let interval = wilson_of_points(correct.into(), pool.points.into(), score.answered.into());
    json!({
        "rank": ranked.map(|ranked| ranked.rank),
        "group": ranked.map(|ranked| ranked.group + 1),
        "model": entry.model,
        "participant": entry.participant,
        "name": entry.name,
        "content_hash": entry.content_hash,
        "correct": correct,
        "correct_strict": score.correct,
        "correct_lenient": score.lenient_correct,
        "answered": score.answered,
        "unparsed": score.unparsed,
        "total": score.total,
        "points": pool.points,
        "score": share(correct.into(), entry.points_possible(pool)),
        "interval": [interval.0, interval.1],
        "progress": share(score.answered.into(), score.total.into()),
        "status": entry.standing.to_string(),
        "reason": entry.reason,
        "payout_if_ended": ranked.map(|ranked| ranked.payout).unwrap_or_default(),
    })
}

fn payouts(store: &Store<'_>, pool: &Pool, from: u32, limit: usize) -> Result<Vec<Value>, Fault> {
    let sql = "SELECT kind, rank, participant, model, quantity, status, message, error, paid_ms FROM payouts
               WHERE pool = ? ORDER BY rank, rowid LIMIT ? OFFSET ?";
    store.all(sql, (pool.id.to_string(), limit as u64, from), payout)
}

/// A payout from its columns, in the order of its fields.
pub(super) fn payout(row: &Row<'_>) -> rusqlite::Result<Value> {
    let text = |index| row.get::<_, Option<String>>(index);
    Ok(json!({
        "kind": text(0)?,
        "rank": row.get::<_, Option<u32>>(1)?,
        "participant": text(2)?,
        "model": text(3)?,
        "quantity": text(4)?,
        "status": text(5)?,
        "message": text(6)?,
        "error": text(7)?,
        "paid_ms": row.get::<_, Option<u64>>(8)?,
    }))
}

/// The data of a question about one pool, where it is JSON.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Asked {
    Named { pool: String },
    OfDataset { dataset: String },
    Text(String),
}

/// The pool that the data names: an id as text, a JSON text, `{"pool": id}` or `{"dataset": id}`; or the tag `Pool`.
pub(super) fn asked_for(turn: &Turn<'_, '_>) -> Result<Pool, Fault> {
    let data = text(turn.message)?.trim();
    let asked = match serde_json::from_str(data) {
        Ok(Asked::Named { pool }) => pool,
        Ok(Asked::OfDataset { dataset }) => dataset,
        Ok(Asked::Text(text)) => text,
        Err(_) if data.is_empty() => turn.message.tag("Pool").unwrap_or_default().to_owned(),
        Err(error) if data.starts_with(['{', '[', '"']) => {
            return Err(Fault::BadData(format!("it is neither the id of a pool nor {{\"pool\": id}} ({error})")));
        }
        Err(_) => data.to_owned(),
    };
    if asked.is_empty() {
        return Err(Fault::BadData("it is empty, and should be the id of a pool".to_owned()));
    }
    pool::named(turn.store, &asked)
}

pub(super) fn limit(message: &Message, default: u32) -> Result<u32, Fault> {
    let limit = optional(message, "Limit")?.unwrap_or(default);
    if (1..=POOL_ROWS_PAGE_MAX).contains(&limit) {
        return Ok(limit);
    }
    let reason = format!("an answer has 1 to {POOL_ROWS_PAGE_MAX} rows");
    Err(Fault::BadTag { name: "Limit", value: limit.to_string(), reason })
}

/// The answer as a message to the asker, with the reference by which it knows its question, and as output.
pub(super) fn answer(turn: &mut Turn<'_, '_>, mut outgoing: Outgoing, data: Value) {
    let data = data.to_string();
    if let Some(reference) = turn.message.tag("Reference") {
        outgoing.tags.push("X-Reference", reference);
    }
    turn.send(outgoing.data(data.clone()));
    turn.say(data);
}
