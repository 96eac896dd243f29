//! Vectors as they come back. Only such of the named model are kept; what a worker did wrong is asked for again.

use rusqlite::Row;

use super::asking::{self, SEARCH_PROMPT, Subject};
use super::limits::{DOCUMENT_ATTEMPTS_MAX, DOCUMENT_RETRY_MS, DOCUMENT_RETRY_MS_MAX};
use super::turn::Turn;
use super::{searching, vectors};
use crate::herder::embedding::Embedding;
use crate::herder::wire::{Answer, InferenceResponse, PromptResult};
use crate::payload::parsed;
use crate::{Fault, readable};

/// The profile under which a vector depends on its text alone.
const PROFILE: &str = "exact";

/// Why a text has no vector, and never will.
const TOO_LONG: &str = "it is longer than the model takes";

/// A batch whose answer is awaited.
#[derive(Debug, Clone, Copy)]
struct Batch {
    id: i64,
    subject: Subject,
}

/// Why a batch brought no vectors.
pub(super) struct Failure {
    /// Whether it was the model: no other worker will do better.
    pub(super) by_model: bool,
    pub(super) reason: String,
}

/// `Inference-Response`: the herder has the vectors of a batch, or says why it has not.
pub(super) fn inference_response(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    if turn.message.from != turn.settings.herder {
        let (action, allowed) = ("Inference-Response", "the herder of this process");
        return Err(Fault::NotAllowed { action, allowed, from: turn.message.from });
    }
    let Some(batch) = awaited(turn)? else { return Ok(()) };
    match read(turn, batch)? {
        Ok(results) => keep(turn, batch, &results)?,
        Err(failure) => give_back(turn, batch, &failure)?,
    }
    end(turn, batch)
}

/// `Undeliverable`: the herder is no process of this node, or refused.
pub(super) fn undeliverable(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    crate::payload::only(turn.message, &turn.env.node, "the node of this process", "Undeliverable")?;
    let Some(batch) = awaited(turn)? else { return Ok(()) };
    let reason = match turn.message.tag("Error") {
        Some(error) => format!("the herder refused: {}", readable::sentence(error)),
        None => "there is no process on this node that could be the herder".to_owned(),
    };
    give_back(turn, batch, &Failure { by_model: false, reason })?;
    end(turn, batch)
}

/// The batch of the message, if its answer is still awaited: the first answer is final.
fn awaited(turn: &mut Turn<'_, '_>) -> Result<Option<Batch>, Fault> {
    let id: i64 = parsed(turn.message, "Reference")?;
    let subject = |row: &Row<'_>| {
        let dataset: Option<i64> = row.get(0)?;
        Ok(match dataset {
            Some(dataset) => Subject::Documents(dataset),
            None => Subject::Search(row.get(1)?),
        })
    };
    let found = turn.store.first("SELECT dataset, search FROM batches WHERE id = ?", [id], subject)?;
    if found.is_none() {
        turn.say(format!("no answer to batch {id} is awaited (any more)"));
    }
    Ok(found.map(|subject| Batch { id, subject }))
}

fn end(turn: &mut Turn<'_, '_>, batch: Batch) -> Result<(), Fault> {
    turn.store.execute("DELETE FROM batches WHERE id = ?", [batch.id])?;
    Ok(())
}

/// The results of the message, if they are those that were asked for.
fn read(turn: &Turn<'_, '_>, batch: Batch) -> Result<Result<Vec<PromptResult>, Failure>, Fault> {
    if let Some(error) = turn.message.tag("Error") {
        let by_model = turn.message.tag("Fault") == Some("model");
        return Ok(Err(Failure { by_model, reason: readable::sentence(error) }));
    }
    let request = asking::sent(turn, batch.id, batch.subject)?;
    let response = InferenceResponse::read(&turn.message.data)
        .and_then(|response| response.validate(&request).map(|()| response))
        .map_err(|error| readable::sentence(&error.to_string()));
    let dimensions = dimensions(turn)?;
    let results = response.and_then(|response| {
        let receipt = &response.receipt;
        if turn.settings.model.as_ref().is_none_or(|model| model.file_hash != receipt.model_file_hash) {
            Err(format!("the worker ran another model file, {}", receipt.model_file_hash))
        } else if receipt.profile != PROFILE {
            Err(format!("the worker ran the profile '{}' and not '{PROFILE}'", readable::title(&receipt.profile)))
        } else {
            same_dimensions(dimensions, &response.results).map(|()| response.results)
        }
    });
    Ok(results.map_err(|reason| Failure { by_model: false, reason }))
}

/// How many numbers a vector has, as soon as that is known.
pub(super) fn dimensions(turn: &Turn<'_, '_>) -> Result<Option<usize>, Fault> {
    match turn.settings.model.as_ref().and_then(|model| model.dimensions) {
        Some(dimensions) => Ok(Some(dimensions)),
        None => turn.store.first("SELECT dimensions FROM model", [], |row| row.get(0)),
    }
}

fn same_dimensions(mut expected: Option<usize>, results: &[PromptResult]) -> Result<(), String> {
    for result in results {
        if let Answer::Embedded { embedding } = &result.answer {
            let found = embedding.numbers().len();
            let expected = *expected.get_or_insert(found);
            if found != expected {
                return Err(format!("a vector has {found} numbers, and those of this model have {expected}"));
            }
        }
    }
    Ok(())
}

/// Keeps the vectors of a batch.
fn keep(turn: &mut Turn<'_, '_>, batch: Batch, results: &[PromptResult]) -> Result<(), Fault> {
    let vectors: Vec<(u64, &Embedding)> = results.iter().filter_map(vector).collect();
    if let Some((_, embedding)) = vectors.first() {
        let dimensions = embedding.numbers().len();
        turn.store.execute("INSERT INTO model VALUES (1, ?) ON CONFLICT (only) DO NOTHING", [dimensions])?;
    }
    match batch.subject {
        Subject::Documents(dataset) => {
            vectors::keep(turn.store, dataset, &vectors)?;
            results.iter().try_for_each(|result| mark(turn, dataset, result))
        }
        Subject::Search(search) => match vectors.iter().find(|(number, _)| *number == SEARCH_PROMPT) {
            Some((_, embedding)) => searching::found(turn, search, embedding),
            None => searching::failed(turn, search, &Failure { by_model: true, reason: TOO_LONG.to_owned() }),
        },
    }
}

/// The vector among the results of a batch.
fn vector(result: &PromptResult) -> Option<(u64, &Embedding)> {
    match &result.answer {
        Answer::Embedded { embedding } => Some((result.id, embedding)),
        _ => None,
    }
}

/// Writes down whether a document has its vector now.
fn mark(turn: &mut Turn<'_, '_>, dataset: i64, result: &PromptResult) -> Result<(), Fault> {
    let (status, reason) = if vector(result).is_some() { ("embedded", "") } else { ("failed", TOO_LONG) };
    turn.store.execute(
        "UPDATE documents SET status = ?, reason = ?, batch = NULL WHERE dataset = ? AND number = ?",
        (status, reason, dataset, result.id),
    )?;
    Ok(())
}

/// Ends a batch without vectors: what it asked for waits to be asked for again, or has failed.
fn give_back(turn: &mut Turn<'_, '_>, batch: Batch, failure: &Failure) -> Result<(), Fault> {
    turn.say_error(failure.reason.clone());
    if let Subject::Search(search) = batch.subject {
        return searching::failed(turn, search, failure);
    }
    let sql = "SELECT count(*), coalesce(max(attempts), 0) FROM documents WHERE batch = ?";
    let counts = turn.store.first(sql, [batch.id], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?)))?;
    let (documents, attempts) = counts.unwrap_or_default();
    // A model that fails on many texts may fail on one of them only.
    let is_final = attempts >= DOCUMENT_ATTEMPTS_MAX || (failure.by_model && documents == 1);
    let status = if is_final { "failed" } else { "waiting" };
    turn.store.execute(
        "UPDATE documents SET status = ?, due_ms = ?, reason = ?, batch = NULL WHERE batch = ?",
        (status, turn.now_ms() + retry_ms(attempts), &failure.reason, batch.id),
    )?;
    Ok(())
}

/// How long a document waits after so many attempts.
fn retry_ms(attempts: u64) -> u64 {
    let doublings = attempts.saturating_sub(1).min(u64::from(u32::BITS - 1));
    DOCUMENT_RETRY_MS.saturating_mul(1 << doublings).min(DOCUMENT_RETRY_MS_MAX)
}
