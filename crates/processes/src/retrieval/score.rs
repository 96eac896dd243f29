//! Scores: points of the questions that are answered, and nothing else. A question without a score counts neither for nor
//! against an entry.

use ao::{Id, Outgoing};
use rusqlite::Row;
use serde_json::{Value, json};
use tasks::statistics::share;

use super::limits::POINTS;
use super::metrics::{MILLION, Sums};
use super::turn::Turn;
use crate::limits::{PROGRESS_MODELS_MAX, REPORTS_PER_MESSAGE};
use crate::payload::{optional, quoted, required};
use crate::{Fault, Store};

/// An entry as it is reported.
pub(super) struct Entry {
    pub(super) id: i64,
    pool: String,
    documents: String,
    status: String,
    reason: String,
}

/// `Score`: how far an entry is, for anybody who asks: by the tags `Model` (the documents) and `Pool`.
pub(super) fn answer(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let entry = asked(turn)?;
    let response = response(turn, turn.message.from, &entry)?;
    turn.say(String::from_utf8_lossy(&response.data));
    turn.send(response);
    Ok(())
}

/// The number of the entry that a message asks about.
pub(super) fn asked_id(turn: &Turn<'_, '_>) -> Result<i64, Fault> {
    asked(turn).map(|entry| entry.id)
}

fn asked(turn: &Turn<'_, '_>) -> Result<Entry, Fault> {
    named(turn, "Model")
}

/// The entry of the documents that a tag names, in the pool of the message if it names one.
pub(super) fn named(turn: &Turn<'_, '_>, tag: &'static str) -> Result<Entry, Fault> {
    let documents = required(turn.message, tag)?.to_ascii_lowercase();
    let pool: Option<Id> = optional(turn.message, "Pool")?;
    let sql = "SELECT id, pool, documents, status, reason FROM entries
               WHERE documents = ?1 AND (?2 IS NULL OR pool = ?2) ORDER BY id LIMIT 1";
    let found = turn.store.first(sql, (&documents, pool.map(|pool| pool.to_string())), read)?;
    found.ok_or_else(|| Fault::NotFound { what: "entry of the documents", name: quoted(&documents) })
}

/// Tells pools the scores that are due, as many as fit. Whether some are left.
pub(super) fn report_due(turn: &mut Turn<'_, '_>) -> Result<bool, Fault> {
    let Some(benchmark) = turn.settings.benchmark else { return Ok(false) };
    let sql = "SELECT id, pool, documents, status, reason FROM entries WHERE report_due = 1 ORDER BY id LIMIT ?";
    let due = turn.store.all(sql, [REPORTS_PER_MESSAGE as u64 + 1], read)?;
    for (reported, entry) in due.iter().enumerate() {
        let response = response(turn, benchmark, entry)?;
        if reported == REPORTS_PER_MESSAGE || !turn.has_room_for(1, response.data.len()) {
            return Ok(true);
        }
        turn.send(response);
        turn.store.execute("UPDATE entries SET report_due = 0 WHERE id = ?", [entry.id])?;
    }
    Ok(false)
}

/// `Progress` of the pool in the tag `Pool`: its entries whose evaluation runs, each with what is answered so far.
pub(super) fn progress(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let pool = required(turn.message, "Pool")?;
    let sql = "SELECT documents, coalesce(sum(score), 0), sum(judgements.status = 'answered'),
                      sum(judgements.status IN ('searching', 'judging')), count(*)
               FROM entries JOIN judgements ON judgements.entry = entries.id
               WHERE pool = ? AND entries.status = 'evaluating' GROUP BY entries.id ORDER BY entries.id LIMIT ?";
    let rows = turn.store.all(sql, (pool, PROGRESS_MODELS_MAX), |row| {
        let number = |index| row.get::<_, u64>(index);
        Ok(json!({
            "model": row.get::<_, String>(0)?,
            "correct": number(1)?,
            "answered": number(2)?,
            "unparsed": 0,
            "in_flight": number(3)?,
            "total": number(4)?,
        }))
    })?;
    turn.answer("Progress-Response", &Value::Array(rows));
    Ok(())
}

fn read(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry { id: row.get(0)?, pool: row.get(1)?, documents: row.get(2)?, status: row.get(3)?, reason: row.get(4)? })
}

fn response(turn: &Turn<'_, '_>, target: Id, entry: &Entry) -> Result<Outgoing, Fault> {
    let data = json_of(turn, entry)?.to_string();
    let response = Outgoing::new(target, "Score-Response").tag("Pool", &entry.pool).tag("Model", &entry.documents);
    Ok(response.data(data))
}

fn json_of(turn: &Turn<'_, '_>, entry: &Entry) -> Result<Value, Fault> {
    let sql =
        "SELECT count(*), coalesce(sum(status = 'answered'), 0), coalesce(sum(score), 0), coalesce(sum(spread), 0)
               FROM judgements WHERE entry = ?";
    let counts = turn.store.first(sql, [entry.id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?;
    let (total, answered, points, spread): (u64, u64, u64, u64) = counts.unwrap_or_default();
    let mut score = json!({
        "correct": points,
        "lenient_correct": points,
        "answered": answered,
        "unparsed": 0,
        "unevaluated": total - answered,
        "total": total,
        "complete": total > 0 && answered == total,
        "points": POINTS,
        "score": share(points, answered * u64::from(POINTS)),
        "progress": share(answered, total),
        "mean_spread": share(spread, answered),
        "retrieval": retrieval(turn.store, entry.id, turn.settings.documents as u64)?,
    });
    if entry.status == "failed" {
        score["failed"] = entry.reason.clone().into();
    }
    Ok(score)
}

/// The metrics of retrieval over the questions that have evidence and are answered.
fn retrieval(store: &Store<'_>, entry: i64, first: u64) -> Result<Value, Fault> {
    let sql = "SELECT ranks FROM judgements WHERE entry = ? AND status = 'answered' ORDER BY question";
    let mut sums = Sums::default();
    for ranks in store.all(sql, [entry], |row| row.get::<_, Option<String>>(0))? {
        // This process wrote it as JSON.
        let ranks: Vec<Option<u64>> = ranks.and_then(|ranks| serde_json::from_str(&ranks).ok()).unwrap_or_default();
        sums.add(&ranks, first);
    }
    let mean = |sum: u64| share(sum, sums.questions * MILLION);
    Ok(json!({
        "questions": sums.questions,
        "recall_at": first,
        "recall": mean(sums.recall),
        "mrr": mean(sums.reciprocal_rank),
        "ndcg_at_10": mean(sums.gain),
    }))
}
