//! What a retrieval process shows: itself, and the points of each question. The questions themselves it shows to nobody
//! before their owner has shown them to everybody.

use rusqlite::Row;
use serde_json::{Value, json};

use super::limits::{POINTS, RESULTS_PAGE_MAX};
use super::turn::Turn;
use super::{loading, score, showing};
use crate::Fault;
use crate::limits::RESULTS_BYTES_MAX;
use crate::payload::optional;
use crate::turn::fitting;

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
        "shown": showing::are_shown(turn)?,
        "content_hash": content_hash,
        "protocol": settings.protocol(),
        "judge_protocol": tasks::judge::protocol(),
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

/// `Results`: the points of each question for an entry, by number, a page at a time (`From`, `Limit`): what each judge said,
/// which documents were found and how like the question they are, and the ranks of the evidence. Questions, expected
/// responses and evidence once they are shown.
pub(super) fn results(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let entry = score::asked_id(turn)?;
    let from: u64 = optional(turn.message, "From")?.unwrap_or_default();
    let limit: u64 = optional(turn.message, "Limit")?.unwrap_or(RESULTS_PAGE_MAX);
    let sql = "SELECT judgements.question, status, attempts, score, spread, scores, found, ranks,
                      iif(?4, questions.question, NULL), iif(?4, expected_response, NULL), iif(?4, evidence, NULL)
               FROM judgements JOIN questions ON questions.id = judgements.question
               WHERE entry = ?1 AND judgements.question > ?2 ORDER BY judgements.question LIMIT ?3";
    let values = (entry, from, limit.clamp(1, RESULTS_PAGE_MAX), showing::are_shown(turn)?);
    let rows = turn.store.all(sql, values, result)?;
    let fitting = fitting(rows.into_iter().map(Ok), RESULTS_BYTES_MAX)?;
    turn.answer("Results-Response", &Value::Array(fitting));
    Ok(())
}

fn result(row: &Row<'_>) -> rusqlite::Result<Value> {
    let text = |index| row.get::<_, Option<String>>(index);
    // What this process wrote as JSON.
    let list = |index| text(index).map(|text| text.and_then(|text| serde_json::from_str::<Value>(&text).ok()));
    Ok(json!({
        "question": row.get::<_, u64>(0)?,
        "status": text(1)?,
        "attempts": row.get::<_, u64>(2)?,
        "score": row.get::<_, Option<u8>>(3)?,
        "spread": row.get::<_, Option<u8>>(4)?,
        "scores": list(5)?,
        "found": list(6)?,
        "ranks": list(7)?,
        "asked": text(8)?,
        "expected_response": text(9)?,
        "evidence": list(10)?,
    }))
}
