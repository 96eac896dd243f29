//! What can be looked up beside the pools and their boards: sums over all pools, one entry in full, what belongs to one
//! model or one address, and the boards of past days. Money is a text of digits, times are milliseconds since 1970.

use std::collections::BTreeMap;

use ao::{Id, Outgoing, Quantity};
use rusqlite::Row;
use serde::Deserialize;
use serde_json::{Value, json};
use tasks::statistics::{mcnemar_exact, paired_difference, share, wilson_of_points};

use super::competitor::Competitor;
use super::entry::{self, Entry};
use super::pool::{self, Pool, Status};
use super::ranking::{self, Ranked};
use super::significance::discordant;
use super::turn::Turn;
use super::views::{self, answer, asked_for, limit};
use crate::limits::{LOOKUP_DAYS_MAX, LOOKUP_ROWS_PAGE};
use crate::payload::{json as json_of, optional, required};
use crate::{Fault, Store, column};

/// `Get-Overview`: how many pools of each status, and the money in all of them.
pub(super) fn overview(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let sql = "SELECT status, count(*) FROM pools GROUP BY status ORDER BY status";
    let counts: Vec<(String, u32)> = turn.store.all(sql, (), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let entries: u32 = turn.store.value("SELECT count(*) FROM entries WHERE status <> 'Refused'", ())?;
    let funded = sum(turn.store, "SELECT funds FROM pools")?;
    let paid = sum(turn.store, "SELECT quantity FROM payouts WHERE kind = 'payout' AND status = 'paid'")?;
    let sql = "SELECT quantity FROM payouts WHERE kind = 'refund' AND status = 'paid' AND pool IS NOT NULL";
    let refunded = sum(turn.store, sql)?;
    let left = funded.checked_sub(paid).and_then(|left| left.checked_sub(refunded)).unwrap_or_default();
    let data = json!({
        "pools": counts.into_iter().collect::<BTreeMap<_, _>>(),
        "entries": entries,
        "funded": funded,
        "in_escrow": left,
        "paid": paid,
        "refunded": refunded,
        "token": turn.settings.token,
    });
    answer(turn, Outgoing::new(turn.message.from, "Get-Overview-Response"), data);
    Ok(())
}

fn sum(store: &Store<'_>, sql: &'static str) -> Result<Quantity, Fault> {
    let quantities: Vec<Quantity> = store.all(sql, (), |row| column::parsed(row, 0))?;
    // The parts of a supply, which fits: a sum that does not cannot be shown, and nothing is decided by it.
    Ok(Quantity::checked_sum(quantities).unwrap_or_default())
}

/// Whose entry is asked for.
#[derive(Debug, Deserialize)]
struct Asked {
    pool: Id,
    model: Competitor,
}

/// `Get-Entry` with `{"pool": id, "model": id}`: an entry, what it was paid, and how it compares with the one above it.
pub(super) fn one_entry(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let asked: Asked = json_of(turn.message)?;
    let found = pool::get(turn.store, &asked.pool)?;
    let entry = entry::find(turn.store, &found.id, &asked.model)?;
    let entry = entry.ok_or_else(|| Fault::NotFound { what: "entry", name: asked.model.to_string() })?;
    let is_frozen = matches!(found.status, Status::Settling | Status::Settled);
    let ranked = if is_frozen { ranking::frozen(turn.store, &found) } else { ranking::ranking(turn.store, &found) }?;
    let place = ranked.iter().position(|ranked| ranked.entry.id == entry.id);
    let above = place.and_then(|place| place.checked_sub(1)).and_then(|place| ranked.get(place));
    let mut row = views::row(&found, &entry, place.and_then(|place| ranked.get(place)));
    if let Value::Object(fields) = &mut row {
        fields.extend(file_facts(turn.store, entry.id)?);
    }
    let sql = "SELECT kind, rank, participant, model, quantity, status, message, error, paid_ms FROM payouts
               WHERE pool = ?1 AND model = ?2 ORDER BY rowid LIMIT 10";
    let payouts = turn.store.all(sql, (found.id.to_string(), entry.model.to_string()), views::payout)?;
    let data = json!({
        "pool": views::pool(turn.store, &found)?,
        "entry": row,
        "above": above.map(|above| compared(turn.store, &found, above, &entry)).transpose()?,
        "payouts": payouts,
    });
    answer(turn, Outgoing::new(turn.message.from, "Get-Entry-Response").tag("Pool", found.id), data);
    Ok(())
}

/// What the node found in the file of an entry, and when it joined.
fn file_facts(store: &Store<'_>, entry: i64) -> Result<serde_json::Map<String, Value>, Fault> {
    let sql = "SELECT architecture, parameters, bytes, coalesce(file_hash, ''), joined_ms, joined_slot, updated_ms
               FROM entries WHERE id = ?";
    let found = store.first(sql, [entry], |row| {
        let number = |index| row.get::<_, u64>(index).map(Value::from);
        Ok([
            ("architecture", row.get::<_, String>(0)?.into()),
            ("parameters", number(1)?),
            ("bytes", number(2)?),
            ("file_hash", row.get::<_, String>(3)?.into()),
            ("joined_ms", number(4)?),
            ("joined_slot", number(5)?),
            ("updated_ms", number(6)?),
        ])
    })?;
    let fields = found.into_iter().flatten();
    Ok(fields.map(|(name, value)| (name.to_owned(), value)).collect())
}

/// An entry and the one above it on the questions that both answered.
fn compared(store: &Store<'_>, pool: &Pool, above: &Ranked, entry: &Entry) -> Result<Value, Fault> {
    let mut compared = json!({
        "rank": above.rank, "model": above.entry.model, "name": above.entry.name,
        "score": share(above.entry.correct(pool).into(), above.entry.points_possible(pool)),
    });
    let Some(answers) = ranking::answers(store, pool, &[above.entry.clone(), entry.clone()])? else {
        return Ok(compared);
    };
    if let [upper, lower] = answers.as_slice() {
        let (upper_only, lower_only) = discordant(&upper.bits, &lower.bits);
        let both = u64::from(upper.correct).saturating_sub(upper_only);
        let difference = paired_difference(both, upper_only, lower_only, pool.questions.into());
        compared["above_only"] = upper_only.into();
        compared["below_only"] = lower_only.into();
        compared["difference"] = difference.difference.into();
        compared["interval"] = json!([difference.low, difference.high]);
        compared["p_value"] = mcnemar_exact(upper_only, lower_only).into();
    }
    Ok(compared)
}

/// The columns of an entry beside its pool, in the order in which [`placed`] takes them.
macro_rules! select_placed {
    ($rest:literal) => {
        concat!(
            "SELECT entries.id, entries.pool, entries.model, entries.participant, entries.name, entries.status,
                    entries.reason, iif(pools.metric = 'lenient', lenient_correct, correct), answered, total,
                    entries.rank, joined_ms, entries.content_hash, bytes, parameters, architecture, pools.status, dataset,
                    iif(pools.title = '', dataset_title, pools.title), pools.points
             FROM entries JOIN pools ON pools.id = entries.pool
             WHERE entries.id < ?2 AND ",
            $rest,
            " ORDER BY entries.id DESC LIMIT ?3"
        )
    };
}

/// `Get-Entries` with the tag `Participant`, `Model` (the same weights under another name are found as well) or
/// `Dataset`: entries in whatever pool, the newest first. If there are more, the tag `Cursor` is where the next page
/// begins.
pub(super) fn entries(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let message = turn.message;
    let most = limit(message, LOOKUP_ROWS_PAGE)?;
    let before = optional::<u32>(message, "Cursor")?.map_or(i64::MAX, i64::from);
    let of_participant = select_placed!("entries.participant = ?1");
    let of_model = select_placed!(
        "(entries.model = ?1 OR entries.content_hash IN (SELECT content_hash FROM entries WHERE model = ?1))"
    );
    let of_dataset = select_placed!("pools.dataset = ?1");
    let (sql, named) = match (message.tag("Participant"), message.tag("Model")) {
        (Some(participant), _) => (of_participant, participant),
        (None, Some(model)) => (of_model, model),
        (None, None) => (of_dataset, required(message, "Dataset")?),
    };
    let mut rows = turn.store.all(sql, (named, before, most + 1), placed)?;
    let more = rows.len() > most as usize;
    rows.truncate(most as usize);
    let mut outgoing = Outgoing::new(message.from, "Get-Entries-Response");
    if let (true, Some(last)) = (more, rows.last()) {
        outgoing.tags.push("Cursor", last["id"].to_string());
    }
    answer(turn, outgoing, Value::Array(rows));
    Ok(())
}

fn placed(row: &Row<'_>) -> rusqlite::Result<Value> {
    let text = |index| row.get::<_, Option<String>>(index);
    let number = |index| row.get::<_, u64>(index);
    let (correct, answered, points) = (number(7)?, number(8)?, number(19)?.max(1));
    let interval = wilson_of_points(correct, points, answered);
    Ok(json!({
        "id": number(0)?,
        "pool": text(1)?,
        "model": text(2)?,
        "participant": text(3)?,
        "name": text(4)?,
        "status": text(5)?,
        "reason": text(6)?,
        "correct": correct,
        "answered": answered,
        "total": number(9)?,
        "points": points,
        "score": share(correct, answered * points),
        "interval": [interval.0, interval.1],
        "rank": row.get::<_, Option<u32>>(10)?,
        "joined_ms": number(11)?,
        "content_hash": text(12)?.unwrap_or_default(),
        "bytes": number(13)?,
        "parameters": number(14)?,
        "architecture": text(15)?,
        "pool_status": text(16)?,
        "dataset": text(17)?,
        "pool_title": text(18)?,
    }))
}

/// `Get-Payouts` with the tag `Participant`: what an address was paid or is owed, the newest first.
pub(super) fn payouts(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let participant = required(turn.message, "Participant")?;
    let most = limit(turn.message, LOOKUP_ROWS_PAGE)?;
    let sql = "SELECT kind, rank, participant, model, quantity, status, message, error, paid_ms, pool, decided_ms
               FROM payouts WHERE participant = ?1 ORDER BY decided_ms DESC, rowid DESC LIMIT ?2";
    let rows = turn.store.all(sql, (participant, most), |row| {
        let mut payout = views::payout(row)?;
        payout["pool"] = row.get::<_, Option<String>>(9)?.into();
        payout["decided_ms"] = row.get::<_, u64>(10)?.into();
        Ok(payout)
    })?;
    answer(turn, Outgoing::new(turn.message.from, "Get-Payouts-Response"), Value::Array(rows));
    Ok(())
}

/// `Get-Fundings` of a pool: who put in how much, in the order in which it came. Each is named by its Credit-Notice.
pub(super) fn fundings(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let found = asked_for(turn)?;
    let most = limit(turn.message, LOOKUP_ROWS_PAGE)?;
    let sql = "SELECT notice, funder, quantity, funded_ms FROM pool_funding WHERE pool = ? ORDER BY rowid LIMIT ?";
    let rows = turn.store.all(sql, (found.id.to_string(), most), |row| {
        Ok(json!({
            "message": row.get::<_, String>(0)?,
            "funder": row.get::<_, String>(1)?,
            "quantity": row.get::<_, String>(2)?,
            "funded_ms": row.get::<_, u64>(3)?,
        }))
    })?;
    answer(turn, Outgoing::new(turn.message.from, "Get-Fundings-Response").tag("Pool", found.id), Value::Array(rows));
    Ok(())
}

/// `Get-Days` of a pool: for each model that stood on its daily boards, `[day, correct, answered, total]` for each of the
/// last days, the oldest first. A day is counted from 1970.
pub(super) fn days(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let found = asked_for(turn)?;
    let first = (turn.now_ms() / super::DAILY_MS).saturating_sub(LOOKUP_DAYS_MAX);
    let sql = "SELECT model, day, correct, answered, total FROM leaderboards WHERE pool = ? AND day >= ?
               ORDER BY day, place";
    let points = turn.store.all(sql, (found.id.to_string(), first), |row| {
        let number = |index| row.get::<_, u64>(index);
        Ok((row.get::<_, String>(0)?, [number(1)?, number(2)?, number(3)?, number(4)?]))
    })?;
    let mut models: BTreeMap<String, Vec<[u64; 4]>> = BTreeMap::new();
    for (model, point) in points {
        models.entry(model).or_default().push(point);
    }
    answer(turn, Outgoing::new(turn.message.from, "Get-Days-Response").tag("Pool", found.id), json!(models));
    Ok(())
}
