//! What a retrieval process shows: itself, and the points of each question. The questions themselves it shows to nobody.

use serde_json::{Value, json};

use super::limits::{POINTS, RESULTS_PAGE_MAX};
use super::turn::Turn;
use super::{loading, score};
use crate::Fault;
use crate::payload::optional;

/// `Info`: what this process is.
pub(super) fn info(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let sql = "SELECT content_hash, frozen_ms FROM dataset";
    let frozen = turn.store.first(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (content_hash, frozen_ms): (Option<String>, Option<u64>) = frozen.unwrap_or_default();
    let entries: u64 = turn.store.value("SELECT count(*) FROM entries", [])?;
    let settings = &turn.settings;
    let info = json!({
        "name": settings.title,
        "title": settings.title,
        "license": settings.license,
        "synthetic": settings.synthetic,
        "questions": loading::count(turn)?,
        "points": POINTS,
        "entries": entries,
        "competitors": "documents",
        "frozen": frozen_ms.is_some(),
        "content_hash": content_hash,
        "protocol": settings.protocol(),
        "judges": settings.judges,
        "documents": settings.documents,
        "herder": settings.herder,
        "knowledge": settings.knowledge,
        "benchmark": settings.benchmark,
        "owner": turn.env.owner,
    });
    turn.answer("Info-Response", &info);
    Ok(())
}

/// `Results`: the points of each question for an entry, by number, a page at a time (`From`, `Limit`).
pub(super) fn results(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let entry = score::asked_id(turn)?;
    let from: u64 = optional(turn.message, "From")?.unwrap_or_default();
    let limit: u64 = optional(turn.message, "Limit")?.unwrap_or(RESULTS_PAGE_MAX);
    let sql = "SELECT question, status, attempts, score, spread, ranks FROM judgements
               WHERE entry = ? AND question > ? ORDER BY question LIMIT ?";
    let rows = turn.store.all(sql, (entry, from, limit.clamp(1, RESULTS_PAGE_MAX)), |row| {
        let ranks: Option<String> = row.get(5)?;
        Ok(json!({
            "question": row.get::<_, u64>(0)?,
            "status": row.get::<_, String>(1)?,
            "attempts": row.get::<_, u64>(2)?,
            "score": row.get::<_, Option<u8>>(3)?,
            "spread": row.get::<_, Option<u8>>(4)?,
            "ranks": ranks.and_then(|ranks| serde_json::from_str::<Value>(&ranks).ok()),
        }))
    })?;
    turn.answer("Results-Response", &Value::Array(rows));
    Ok(())
}
