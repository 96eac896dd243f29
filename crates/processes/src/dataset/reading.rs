//! What a dataset lets people read before they trust it: its questions as they are asked, its task file, and how far the
//! models of a pool are.

use rusqlite::Row;
use serde_json::{Value, json};

use super::turn::Turn;
use super::views::page;
use super::{loading, models, score};
use crate::Fault;
use crate::limits::{PROGRESS_MODELS_MAX, QUESTIONS_PAGE_MAX, RESULTS_BYTES_MAX};
use crate::payload::required;
use crate::turn::fitting;

/// `Get-Task`: the task file, `{"task": YAML}`.
pub(super) fn task(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let yaml: String = turn.store.value("SELECT task FROM dataset", [])?;
    turn.answer("Get-Task-Response", &json!({ "task": yaml }));
    Ok(())
}

/// `Get-Questions`: rendered prompts with their right answers, a page at a time (`From-Id`, `Limit`).
pub(super) fn questions(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let page = page(turn);
    let limit = page.limit.unwrap_or(QUESTIONS_PAGE_MAX).clamp(1, QUESTIONS_PAGE_MAX);
    let sql = "SELECT id, prompt, target, choices FROM questions WHERE id > ? ORDER BY id LIMIT ?";
    let rows = turn.store.all(sql, (page.from, limit), question)?;
    let fitting = fitting(rows.into_iter().map(Ok), RESULTS_BYTES_MAX)?;
    turn.answer("Get-Questions-Response", &Value::Array(fitting));
    Ok(())
}

fn question(row: &Row<'_>) -> rusqlite::Result<Value> {
    let choices: String = row.get(3)?;
    Ok(json!({
        "id": row.get::<_, u64>(0)?,
        "prompt": row.get::<_, String>(1)?,
        "correct_answer": row.get::<_, String>(2)?,
        "choices": serde_json::from_str::<Value>(&choices).unwrap_or_default(),
    }))
}

/// `Progress` of the pool in the tag `Pool`: its models whose evaluation runs, each with what is answered so far.
pub(super) fn progress(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let pool = required(turn.message, "Pool")?;
    let sql = "SELECT requests.model, model_file FROM requests JOIN model_files ON model_files.id = model_file
               WHERE pool = ? AND status = ? ORDER BY model_file LIMIT ?";
    let running = (pool, models::EVALUATING, PROGRESS_MODELS_MAX);
    let running: Vec<(String, i64)> = turn.store.all(sql, running, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (mut rows, total) = (Vec::with_capacity(running.len()), loading::count(turn)?);
    for (model, file) in running {
        let counts = score::counts(turn.store, file, total)?;
        rows.push(json!({
            "model": model,
            "correct": counts.correct,
            "answered": counts.answered,
            "unparsed": counts.unparsed,
            "in_flight": counts.in_flight,
            "total": counts.total,
        }));
    }
    turn.answer("Progress-Response", &Value::Array(rows));
    Ok(())
}
