//! Searches: the prompt goes to a worker for its vector, and when that comes, what is found goes to the asker. Every search
//! is answered, also one that comes to nothing.

use ao::{Id, Outgoing};
use serde::Deserialize;
use serde_json::Value;

use super::answers::Failure;
use super::limits::{
    PROMPT_BYTES_MAX, REFERENCE_BYTES_MAX, RESULTS_BYTES_MAX, RESULTS_DEFAULT, RESULTS_MAX, SEARCH_ATTEMPTS_MAX,
    SEARCH_RETRY_MS, SEARCHES_PENDING_MAX, SEARCHES_PENDING_PER_ASKER_MAX,
};
use super::similarity::Hit;
use super::turn::Turn;
use super::{creating, model, vectors, views};
use crate::herder::embedding::Embedding;
use crate::payload::{json as data, optional};
use crate::turn::fitting;
use crate::{Env, Fault, Store, column, readable};

/// The data of `Search-Prompt`.
#[derive(Debug, Deserialize)]
struct Asked {
    dataset_hash: String,
    prompt: String,
    /// Documents wanted; the tag `Limit` goes before it.
    limit: Option<u64>,
}

/// A search that is not answered yet.
struct Search {
    id: i64,
    asker: Id,
    reference: String,
    dataset_hash: String,
    prompt: String,
    most: u64,
    attempts: u64,
}

/// `Search-Prompt`: takes a search. One that cannot be taken is answered with the reason, because an asker that is a
/// process sees only messages.
pub(super) fn search_prompt(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    let named = turn.message.tag("Reference").or_else(|| turn.message.tag("X-Reference"));
    let reference = named.map_or_else(|| turn.message.id.to_string(), str::to_owned);
    match take(turn, &reference) {
        Ok(()) => {
            turn.say(format!("searching; the answer comes as Search-Prompt-Response with the Reference {reference}"));
            Ok(())
        }
        // A fault of the machine must stay one.
        Err(fault) if fault.is_of_the_machine() => Err(fault),
        Err(fault) => {
            let reason = fault.to_string();
            let end = reference.floor_char_boundary(REFERENCE_BYTES_MAX);
            turn.send(refusal(turn.message.from, &reference[..end], &reason));
            turn.say_error(reason);
            Ok(())
        }
    }
}

/// Writes the search down if it can be answered. A fault leaves everything as it was.
fn take(turn: &mut Turn<'_, '_>, reference: &str) -> Result<(), Fault> {
    let asked: Asked = data(turn.message)?;
    model::known(turn)?;
    let dataset = creating::named(turn.store, &asked.dataset_hash)?;
    if reference.len() > REFERENCE_BYTES_MAX {
        return Err(Fault::Refused(format!("a reference has at most {REFERENCE_BYTES_MAX} bytes")));
    }
    if asked.prompt.trim().is_empty() {
        return Err(Fault::BadData("the prompt is empty".to_owned()));
    }
    if asked.prompt.len() > PROMPT_BYTES_MAX {
        let bytes = asked.prompt.len();
        return Err(Fault::BadData(format!("the prompt has {bytes} bytes, and {PROMPT_BYTES_MAX} are allowed")));
    }
    let most = optional(turn.message, "Limit")?.or(asked.limit).unwrap_or(RESULTS_DEFAULT);
    if !(1..=RESULTS_MAX).contains(&most) {
        return Err(Fault::BadData(format!("the limit is {most}, and 1 to {RESULTS_MAX} documents can be found")));
    }
    let asker = turn.message.from.to_string();
    let all: u64 = turn.store.value("SELECT count(*) FROM searches", [])?;
    let own: u64 = turn.store.value("SELECT count(*) FROM searches WHERE asker = ?", [&asker])?;
    if all >= SEARCHES_PENDING_MAX || own >= SEARCHES_PENDING_PER_ASKER_MAX {
        let reason =
            format!("{all} searches wait already, {own} of them of this asker; try again when some are answered");
        return Err(Fault::Refused(reason));
    }
    turn.store.insert(
        "INSERT INTO searches (asker, reference, dataset_hash, prompt, most, attempts, due_ms, asked_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6, ?6)",
        (asker, reference, dataset.hash, asked.prompt, most, turn.now_ms()),
    )?;
    Ok(())
}

/// The vector of a prompt is there: the asker gets what is found among the documents that have theirs.
pub(super) fn found(turn: &mut Turn<'_, '_>, search: i64, embedding: &Embedding) -> Result<(), Fault> {
    let Some(search) = ended(turn, search)? else { return Ok(()) };
    let dataset = match creating::named(turn.store, &search.dataset_hash) {
        Ok(dataset) => dataset,
        Err(Fault::NotFound { .. }) => {
            turn.send(refusal(search.asker, &search.reference, "the dataset was deleted during the search"));
            return Ok(());
        }
        Err(fault) => return Err(fault),
    };
    let hits = vectors::nearest(turn.store, turn.env.process, dataset.id, embedding, search.most as usize)?;
    let (documents, omitted) = documents(turn, dataset.id, &hits)?;
    let mut answer = views::progress(turn.store, &dataset)?;
    answer["total"] = answer["documents"].take();
    answer["prompt"] = search.prompt.into();
    answer["documents"] = documents.into();
    answer["omitted"] = omitted.into();
    let response = Outgoing::new(search.asker, "Search-Prompt-Response").tag("Reference", &search.reference);
    // Whether these are the documents that somebody means, their name does not prove.
    let response = response.tag("Digest", &dataset.digest);
    turn.send(response.data(answer.to_string()));
    turn.say("the asker was answered");
    Ok(())
}

/// The documents of the dataset with this hash that are most like a vector, the best one first, of equal ones the one that
/// stands first in the list; at most so many, among those that have their vector. What a search finds, without the messages
/// around it.
pub fn nearest(
    store: &Store<'_>,
    env: &Env,
    hash: &str,
    embedding: &Embedding,
    most: usize,
) -> Result<Vec<Hit>, Fault> {
    vectors::nearest(store, env.process, creating::named(store, hash)?.id, embedding, most)
}

/// The documents of hits, and how many of them did not fit into the answer.
fn documents(turn: &Turn<'_, '_>, dataset: i64, hits: &[Hit]) -> Result<(Vec<Value>, usize), Fault> {
    let document = |hit: &Hit| {
        let document = views::document(turn.store, dataset, hit.number).transpose()?;
        Some(document.map(|mut document| {
            document["score"] = hit.score.into();
            document
        }))
    };
    let documents = fitting(hits.iter().filter_map(document), RESULTS_BYTES_MAX)?;
    let omitted = hits.len() - documents.len();
    Ok((documents, omitted))
}

/// There is no vector: the prompt is asked for again, or the asker hears why not.
pub(super) fn failed(turn: &mut Turn<'_, '_>, search: i64, failure: &Failure) -> Result<(), Fault> {
    let Some(known) = read(turn, search)? else { return Ok(()) };
    if known.attempts < SEARCH_ATTEMPTS_MAX && !failure.by_model {
        let due_ms = turn.now_ms() + SEARCH_RETRY_MS;
        turn.store.execute("UPDATE searches SET due_ms = ? WHERE id = ?", (due_ms, search))?;
        return Ok(());
    }
    ended(turn, search)?;
    let reason = format!("the prompt has no vector: {}", failure.reason);
    turn.say_error(reason.clone());
    turn.send(refusal(known.asker, &known.reference, &reason));
    Ok(())
}

/// Takes a search out of the tables.
fn ended(turn: &mut Turn<'_, '_>, search: i64) -> Result<Option<Search>, Fault> {
    let found = read(turn, search)?;
    if let Some(found) = &found {
        turn.store.execute("DELETE FROM searches WHERE id = ?", [found.id])?;
    }
    Ok(found)
}

fn read(turn: &Turn<'_, '_>, search: i64) -> Result<Option<Search>, Fault> {
    let sql = "SELECT id, asker, reference, dataset_hash, prompt, most, attempts FROM searches WHERE id = ?";
    turn.store.first(sql, [search], |row| {
        Ok(Search {
            id: row.get(0)?,
            asker: column::parsed(row, 1)?,
            reference: row.get(2)?,
            dataset_hash: row.get(3)?,
            prompt: row.get(4)?,
            most: row.get(5)?,
            attempts: row.get(6)?,
        })
    })
}

fn refusal(asker: Id, reference: &str, reason: &str) -> Outgoing {
    let response = Outgoing::new(asker, "Search-Prompt-Response").tag("Reference", reference);
    response.tag("Error", readable::sentence(reason))
}
