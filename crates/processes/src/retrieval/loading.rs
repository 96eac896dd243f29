//! Loading questions. All rows of a message are loaded or none, and the error names the row.

use serde::Deserialize;
use serde_json::json;

use super::limits::{EVIDENCE_BYTES_MAX, EVIDENCE_MAX, QUESTIONS_MAX, TEXT_BYTES_MAX};
use super::turn::Turn;
use crate::Fault;

/// A question as it is written.
#[derive(Debug, Deserialize)]
struct Row {
    question: String,
    expected_response: String,
    /// Texts that a right document holds; without any, the question has no part in the metrics of retrieval.
    #[serde(default)]
    evidence: Vec<String>,
}

/// `Load-Data`: the owner appends questions, as a JSON list or as JSON lines, until the first pool is created.
pub(super) fn load_data(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    turn.only_its_owner("Load-Data")?;
    let frozen: Option<u64> = turn.store.value("SELECT frozen_ms FROM dataset", [])?;
    if frozen.is_some() {
        let reason = "the questions are frozen, because a pool was created on them; new questions need a new process";
        return Err(Fault::Refused(reason.to_owned()));
    }
    let rows = rows(crate::payload::text(turn.message)?)?;
    let before = count(turn)?;
    if before + rows.len() as u64 > QUESTIONS_MAX {
        return Err(Fault::Refused(format!("there can be {QUESTIONS_MAX} questions, and {before} are there already")));
    }
    for (row, number) in rows.iter().zip(1_u64..) {
        check(row).map_err(|reason| Fault::BadData(format!("row {number}: {reason}")))?;
        turn.store.execute(
            "INSERT INTO questions (id, question, expected_response, evidence) VALUES (?, ?, ?, ?)",
            (before + number, &row.question, &row.expected_response, json!(row.evidence).to_string()),
        )?;
    }
    turn.answer("Load-Data-Response", &json!({ "loaded": rows.len(), "questions": before + rows.len() as u64 }));
    Ok(())
}

/// How many questions there are.
pub(super) fn count(turn: &Turn<'_, '_>) -> Result<u64, Fault> {
    turn.store.value("SELECT count(*) FROM questions", [])
}

fn rows(text: &str) -> Result<Vec<Row>, Fault> {
    let expected = "a question is {\"question\", \"expected_response\", \"evidence\": [texts]}";
    let rows: Vec<Row> = if text.trim_start().starts_with('[') {
        serde_json::from_str(text).map_err(|error| Fault::BadData(format!("{expected} ({error})")))?
    } else {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let read = |(number, line): (usize, &str)| {
            let bad = |error: serde_json::Error| Fault::BadData(format!("line {}: {expected} ({error})", number + 1));
            serde_json::from_str(line).map_err(bad)
        };
        lines.map(read).collect::<Result<_, _>>()?
    };
    if rows.is_empty() {
        return Err(Fault::BadData(format!("it has no rows; {expected}")));
    }
    Ok(rows)
}

fn check(row: &Row) -> Result<(), String> {
    for (what, text) in [("question", &row.question), ("expected response", &row.expected_response)] {
        if text.trim().is_empty() {
            return Err(format!("the {what} is empty"));
        }
        if text.len() > TEXT_BYTES_MAX {
            return Err(format!("the {what} has {} bytes, and {TEXT_BYTES_MAX} are allowed", text.len()));
        }
    }
    if row.evidence.len() > EVIDENCE_MAX {
        return Err(format!("there are {} pieces of evidence, and {EVIDENCE_MAX} are allowed", row.evidence.len()));
    }
    match row.evidence.iter().find(|text| text.trim().is_empty() || text.len() > EVIDENCE_BYTES_MAX) {
        Some(_) => Err(format!("a piece of evidence has 1 to {EVIDENCE_BYTES_MAX} bytes")),
        None => Ok(()),
    }
}
