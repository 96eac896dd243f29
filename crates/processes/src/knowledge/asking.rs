//! Asking for vectors: prompts of searches first, then documents in batches, as many as one message can send and the
//! herder should hold. What fails is asked for again later; a document that failed once then goes alone, so that a text
//! which breaks its batch breaks no other.

use ao::Outgoing;
use rusqlite::Row;

use super::limits::{BATCH_BYTES_MAX, BATCHES_IN_FLIGHT_MAX, DOCUMENTS_PER_BATCH};
use super::model;
use super::turn::Turn;
use crate::Fault;
use crate::herder::wire::{InferenceRequest, Prompt, RequestKind};

/// The number of the one prompt in the batch of a search.
pub(super) const SEARCH_PROMPT: u64 = 1;

/// Whose vectors a batch brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    /// Documents of the dataset with this number.
    Documents(i64),
    /// The prompt of the search with this number.
    Search(i64),
}

/// A document that waits.
struct Waiting {
    dataset: i64,
    number: u64,
    due_ms: u64,
    attempts: u64,
}

/// Asks for everything that is due, and sets the alarm for what is not. Without a model everything waits.
pub(super) fn carry_on(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    if turn.settings.model.is_none() {
        return Ok(());
    }
    ask_searches(turn)?;
    ask_documents(turn)?;
    let searches = "SELECT min(due_ms) FROM searches WHERE due_ms IS NOT NULL";
    let mut due_ms: Option<u64> = turn.store.value(searches, [])?;
    if has_place(turn)? {
        let documents = "SELECT min(due_ms) FROM documents WHERE status = 'waiting'";
        let documents: Option<u64> = turn.store.value(documents, [])?;
        due_ms = due_ms.into_iter().chain(documents).min();
    }
    // What is due already did not fit into this message.
    turn.effects.wake_at_ms = due_ms.map(|due_ms| due_ms.max(turn.now_ms() + 1));
    Ok(())
}

/// Whether one more batch of documents may be in flight.
fn has_place(turn: &Turn<'_, '_>) -> Result<bool, Fault> {
    let in_flight: u64 = turn.store.value("SELECT count(*) FROM batches WHERE dataset IS NOT NULL", [])?;
    Ok(in_flight < BATCHES_IN_FLIGHT_MAX)
}

fn ask_searches(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let sql = "SELECT id, prompt FROM searches WHERE due_ms <= ? ORDER BY due_ms, id";
    let due = turn.store.all(sql, [turn.now_ms()], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
    for (search, prompt) in due {
        let prompts = vec![text(SEARCH_PROMPT, prompt)];
        if !turn.has_room(json_bytes(&prompts)) {
            break;
        }
        turn.store.execute("UPDATE searches SET due_ms = NULL, attempts = attempts + 1 WHERE id = ?", [search])?;
        send(turn, Subject::Search(search), prompts)?;
    }
    Ok(())
}

fn ask_documents(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    while turn.has_room(BATCH_BYTES_MAX) && has_place(turn)? {
        let sql = "SELECT dataset, number, due_ms, attempts FROM documents
                   WHERE status = 'waiting' AND due_ms <= ? ORDER BY due_ms, dataset, number LIMIT 1";
        let read = |row: &Row<'_>| {
            let (dataset, number, due_ms, attempts) = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok(Waiting { dataset, number, due_ms, attempts })
        };
        let Some(first) = turn.store.first(sql, [turn.now_ms()], read)? else { break };
        let prompts = together(turn, &first)?;
        let batch = send(turn, Subject::Documents(first.dataset), prompts.clone())?;
        for prompt in &prompts {
            turn.store.execute(
                "UPDATE documents SET status = 'in-flight', attempts = attempts + 1, batch = ?
                 WHERE dataset = ? AND number = ?",
                (batch, first.dataset, prompt.id),
            )?;
        }
    }
    Ok(())
}

/// The documents that go into one batch with the first.
fn together(turn: &Turn<'_, '_>, first: &Waiting) -> Result<Vec<Prompt>, Fault> {
    let most = if first.attempts == 0 { DOCUMENTS_PER_BATCH } else { 1 };
    let sql = "SELECT number, content FROM documents
               WHERE status = 'waiting' AND due_ms = ? AND dataset = ? AND number >= ? AND attempts = ?
               ORDER BY number LIMIT ?";
    let mut prompts =
        turn.store.all(sql, (first.due_ms, first.dataset, first.number, first.attempts, most), read_text)?;
    // One document always fits: its content is within the limit of a prompt.
    let mut bytes = 0;
    let fitting = prompts.iter().take_while(|prompt| {
        bytes += json_bytes(prompt);
        bytes <= BATCH_BYTES_MAX
    });
    let fitting = fitting.count().max(1);
    prompts.truncate(fitting);
    Ok(prompts)
}

/// Sends a batch to the herder; its number.
fn send(turn: &mut Turn<'_, '_>, subject: Subject, prompts: Vec<Prompt>) -> Result<i64, Fault> {
    let (dataset, search) = match subject {
        Subject::Documents(dataset) => (Some(dataset), None),
        Subject::Search(search) => (None, Some(search)),
    };
    let sql = "INSERT INTO batches (dataset, search, sent_ms) VALUES (?, ?, ?)";
    let batch = turn.store.insert(sql, (dataset, search, turn.now_ms()))?;
    let data = serde_json::to_vec(&request(prompts)).map_err(|error| Fault::BadData(error.to_string()))?;
    let model = model::known(turn)?;
    let inference = Outgoing::new(turn.settings.herder, "Inference")
        .tag("WorkerType", "Embed")
        .tag("Model", model.upload)
        .tag("File-Hash", &model.file_hash)
        .tag("Reference", batch)
        .tag("Notify-Undeliverable", "true");
    turn.send(inference.data(data));
    Ok(batch)
}

/// The batch that was sent under a number, as it was sent: what its answers are checked against.
pub(super) fn sent(turn: &Turn<'_, '_>, batch: i64, subject: Subject) -> Result<InferenceRequest, Fault> {
    let prompts = match subject {
        Subject::Documents(_) => turn.store.all(
            "SELECT number, content FROM documents WHERE batch = ? ORDER BY number",
            [batch],
            read_text,
        )?,
        Subject::Search(search) => {
            let prompt = "SELECT prompt FROM searches WHERE id = ?";
            turn.store.all(prompt, [search], |row| Ok(text(SEARCH_PROMPT, row.get(0)?)))?
        }
    };
    Ok(request(prompts))
}

fn request(prompts: Vec<Prompt>) -> InferenceRequest {
    InferenceRequest { kind: RequestKind::Embed, system_prompt: None, max_tokens: 0, stop: Vec::new(), prompts }
}

fn read_text(row: &Row<'_>) -> rusqlite::Result<Prompt> {
    Ok(text(row.get(0)?, row.get(1)?))
}

fn text(id: u64, prompt: String) -> Prompt {
    Prompt { id, prompt, continuations: Vec::new() }
}

fn json_bytes(value: &impl serde::Serialize) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |bytes| bytes.len())
}
