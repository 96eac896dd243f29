//! What was found for a question in a set: it is measured against the evidence, and goes to the judges.

use serde::Deserialize;
use serde_json::json;

use super::asking::{self, Try};
use super::entering;
use super::judging;
use super::limits::PENDING_MS;
use super::metrics::ranks;
use super::turn::Turn;
use crate::Fault;
use crate::payload::{json as data, only, required};

/// The data of a Search-Prompt-Response.
#[derive(Debug, Deserialize)]
struct Found {
    pending: u64,
    documents: Vec<Document>,
}

#[derive(Debug, Deserialize)]
struct Document {
    /// Its place in the set, from 1.
    number: u64,
    /// How like the question it is, -1 to 1.
    score: f64,
    content: String,
}

/// `Search-Prompt-Response`: the documents that are most like a question.
pub(super) fn found(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    only(turn.message, &turn.settings.knowledge, "the knowledge process of this dataset", "Search-Prompt-Response")?;
    let reference = required(turn.message, "Reference")?;
    let Some(Ok(searched)) = reference.strip_prefix("s/").map(str::parse::<Try>) else {
        turn.say("nothing waits for that answer");
        return Ok(());
    };
    if !asking::awaited(turn, searched, "searching")? {
        return Ok(());
    }
    if let Some(error) = turn.message.tag("Error") {
        let reason = format!("it was not searched for: {error}");
        return asking::give_back(turn, searched, &reason);
    }
    let found: Found = match data(turn.message) {
        Ok(found) => found,
        Err(fault) => return asking::give_back(turn, searched, &fault.to_string()),
    };
    let sql = "SELECT digest FROM entries WHERE id = ?";
    let entered: String = turn.store.value(sql, [searched.entry])?;
    if turn.message.tag("Digest") != Some(&entered) {
        // Later tries would find the same.
        asking::put_off(turn, searched, turn.now_ms(), searched.attempt)?;
        return entering::fail(turn, searched.entry, "the documents are not those that were entered");
    }
    if found.pending > 0 {
        let reason = format!("{} documents have no vectors yet", found.pending);
        turn.say(reason);
        return asking::put_off(turn, searched, turn.now_ms() + PENDING_MS, searched.attempt - 1);
    }
    let places: Vec<(u64, f64)> = found.documents.iter().map(|document| (document.number, document.score)).collect();
    let contents: Vec<String> = found.documents.into_iter().map(|document| document.content).collect();
    keep_found(turn, searched, &places, &contents)?;
    judging::ask(turn, searched, &contents)
}

fn keep_found(turn: &mut Turn<'_, '_>, searched: Try, places: &[(u64, f64)], contents: &[String]) -> Result<(), Fault> {
    let evidence: String = turn.store.value("SELECT evidence FROM questions WHERE id = ?", [searched.question])?;
    // This process wrote it as JSON.
    let evidence: Vec<String> = serde_json::from_str(&evidence).unwrap_or_default();
    let ranks = json!(ranks(&evidence, contents)).to_string();
    let sql = "UPDATE judgements SET found = ?, ranks = ? WHERE entry = ? AND question = ?";
    turn.store.execute(sql, (json!(places).to_string(), ranks, searched.entry, searched.question))?;
    Ok(())
}
