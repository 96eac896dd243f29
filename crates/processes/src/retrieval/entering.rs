//! What competes: sets of documents at the knowledge process. A set is entered by who created it; its digest is kept, so
//! that another list of documents under the same name is noticed.

use ao::{Id, Outgoing};
use serde::Deserialize;
use serde_json::json;

use super::limits::{ENTRIES_MAX, INSPECTIONS_MAX};
use super::turn::Turn;
use crate::payload::{json as data, only, parsed, quoted, required};
use crate::{Fault, column, readable};

/// What the knowledge process says of a set.
#[derive(Debug, Deserialize)]
struct Facts {
    digest: String,
    owner: String,
    documents: u64,
    /// The model that makes the vectors, if it is known.
    model_file_hash: Option<String>,
}

/// Somebody who wants to enter a set.
struct Inspection {
    asker: Id,
    reference: String,
    documents: String,
    participant: String,
}

/// `Inspect-Model`: the benchmark process asks about a set that a participant wants to enter.
pub(super) fn inspect(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let asker = turn.only_benchmark("Inspect-Model")?;
    let documents = required(turn.message, "Model")?.to_owned();
    let participant: Id = parsed(turn.message, "Participant")?;
    let reference = required(turn.message, "Reference")?.to_owned();
    let waiting: u64 = turn.store.value("SELECT count(*) FROM inspections", [])?;
    if waiting >= INSPECTIONS_MAX {
        let reason = "too many sets of documents are being looked at; try again later";
        turn.send(facts(asker, &documents, &reference).tag("Error", reason));
        return Ok(());
    }
    let id = turn.store.insert(
        "INSERT INTO inspections (asker, reference, documents, participant) VALUES (?, ?, ?, ?)",
        (asker.to_string(), reference, &documents, participant.to_string()),
    )?;
    let question = Outgoing::new(turn.settings.knowledge, "Inspect-Dataset").tag("Dataset-Hash", &documents);
    turn.send(question.tag("Reference", format!("i/{id}")).tag("Notify-Undeliverable", "true"));
    turn.say(format!("the documents {documents} are looked at"));
    Ok(())
}

fn facts(asker: Id, documents: &str, reference: &str) -> Outgoing {
    Outgoing::new(asker, "Model-Facts").tag("Model", documents).tag("Reference", reference)
}

/// `Dataset-Facts`: the knowledge process has looked at a set.
pub(super) fn dataset_facts(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    only(turn.message, &turn.settings.knowledge, "the knowledge process of this dataset", "Dataset-Facts")?;
    let found = match turn.message.tag("Error") {
        Some(error) => Err(readable::sentence(error)),
        None => data::<Facts>(turn.message).map_err(|fault| fault.to_string()),
    };
    let reference = required(turn.message, "Reference")?.to_owned();
    let Some(inspection) = end_inspection(turn, &reference)? else {
        turn.say("nothing waits for those facts");
        return Ok(());
    };
    let Inspection { asker, reference, documents, participant } = &inspection;
    let answer = facts(*asker, documents, reference);
    let answer = match found {
        Ok(found) if found.owner == *participant => {
            let (digest, count) = (&found.digest, found.documents);
            answer.data(
                json!({
                    "content_hash": digest, "file_hash": digest, "bytes": 0, "architecture": "documents",
                    "name": format!("{count} documents"), "parameters": count, "embedded_by": found.model_file_hash,
                })
                .to_string(),
            )
        }
        Ok(_) => answer.tag("Error", "these documents belong to another: who created a set can enter it"),
        Err(reason) => answer.tag("Error", reason),
    };
    turn.send(answer);
    Ok(())
}

/// The knowledge process is no process of this node, or refused.
pub(super) fn inspection_failed(turn: &mut Turn<'_, '_>, reference: &str, reason: &str) -> Result<(), Fault> {
    if let Some(inspection) = end_inspection(turn, reference)? {
        turn.send(facts(inspection.asker, &inspection.documents, &inspection.reference).tag("Error", reason));
    }
    Ok(())
}

fn end_inspection(turn: &mut Turn<'_, '_>, reference: &str) -> Result<Option<Inspection>, Fault> {
    let Some(id) = reference.strip_prefix("i/").and_then(|id| id.parse::<i64>().ok()) else { return Ok(None) };
    let sql = "SELECT asker, reference, documents, participant FROM inspections WHERE id = ?";
    let found = turn.store.first(sql, [id], |row| {
        let asker = column::parsed(row, 0)?;
        Ok(Inspection { asker, reference: row.get(1)?, documents: row.get(2)?, participant: row.get(3)? })
    })?;
    turn.store.execute("DELETE FROM inspections WHERE id = ?", [id])?;
    Ok(found)
}

/// `Benchmark`: a set is in a pool; all questions are asked for it.
pub(super) fn benchmark(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    turn.only_benchmark("Benchmark")?;
    let pool: Id = parsed(turn.message, "Pool")?;
    let documents = required(turn.message, "Model")?.to_owned();
    let digest = required(turn.message, "Content-Hash")?.to_owned();
    let frozen: Option<u64> = turn.store.value("SELECT frozen_ms FROM dataset", [])?;
    if frozen.is_none() {
        return Err(Fault::Refused("no pool was opened on this dataset yet, so no pool can have entries".to_owned()));
    }
    let entries: u64 = turn.store.value("SELECT count(*) FROM entries", [])?;
    if entries >= ENTRIES_MAX {
        return Err(Fault::Refused(format!("this process evaluates at most {ENTRIES_MAX} entries, and has as many")));
    }
    let sql = "SELECT id FROM entries WHERE pool = ? AND documents = ?";
    let known = turn.store.first(sql, (pool.to_string(), &documents), |row| row.get::<_, i64>(0))?;
    if let Some(entry) = known {
        turn.store.execute("UPDATE entries SET report_due = 1 WHERE id = ?", [entry])?;
        return Ok(());
    }
    let now_ms = turn.now_ms();
    let entry = turn.store.insert(
        "INSERT INTO entries (pool, documents, digest, status, reason, report_due, since_ms)
         VALUES (?, ?, ?, 'evaluating', '', 0, ?)",
        (pool.to_string(), &documents, digest, now_ms),
    )?;
    turn.store.execute(
        "INSERT INTO judgements (entry, question, status, attempts, due_ms)
         SELECT ?1, id, 'waiting', 0, ?2 FROM questions ORDER BY id",
        (entry, now_ms),
    )?;
    turn.say(format!("the documents {documents} are evaluated"));
    Ok(())
}

/// `Evaluate`: the owner gives failed evaluations another chance, where they stopped.
pub(super) fn evaluate(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    turn.only_its_owner("Evaluate")?;
    let now_ms = turn.now_ms();
    turn.store.execute(
        "UPDATE judgements SET attempts = 0, due_ms = ? WHERE status = 'waiting'
             AND entry IN (SELECT id FROM entries WHERE status = 'failed')",
        [now_ms],
    )?;
    let revived = turn
        .store
        .execute("UPDATE entries SET status = 'evaluating', reason = '', report_due = 1 WHERE status = 'failed'", [])?;
    turn.say(format!("{revived} evaluations go on"));
    Ok(())
}

/// Gives an evaluation up, and lets the pool know. What is answered stays.
pub(super) fn fail(turn: &mut Turn<'_, '_>, entry: i64, reason: &str) -> Result<(), Fault> {
    let reason = readable::sentence(reason);
    turn.say_error(reason.clone());
    let sql = "UPDATE entries SET status = 'failed', reason = ?, report_due = 1 WHERE id = ?";
    turn.store.execute(sql, (quoted(&reason), entry))?;
    Ok(())
}
