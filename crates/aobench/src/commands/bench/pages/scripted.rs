//! A herder whose workers answer at once, and know which share of the questions each model has right. What is measured are
//! pages and the processes behind them, and not the making of answers. Every twentieth model is slow: its batches wait until
//! they are let go.

use ao::{Effects, Id, Message, Outgoing, hash_parts};
use processes::herder::wire::{Answer, InferenceRequest, InferenceResponse, PromptResult, Receipt, results_hash};
use processes::{Env, Fault, Module, Store};
use rusqlite::Row;
use serde_json::json;

/// Choices of a question; the right one of question `n` is number `n % CHOICES`.
pub(super) const CHOICES: u64 = 3;

/// Of so many models one is slow.
pub(super) const SLOW_OF: u64 = 20;

/// Batches that are let go at a time, each of another model.
const LET_GO: u64 = 10;

/// The module.
#[derive(Debug, Clone, Copy)]
pub(super) struct ScriptedHerder;

/// A batch that waits.
struct Held {
    id: i64,
    dataset: Id,
    reference: String,
    model: String,
    file_hash: String,
    request: Vec<u8>,
}

impl Module for ScriptedHerder {
    fn name(&self) -> &'static str {
        "scripted-herder"
    }

    fn spawn(&self, store: &mut Store<'_>, _message: &Message, _env: &Env) -> Result<Effects, Fault> {
        store.execute_batch(
            "CREATE TABLE models (id INTEGER PRIMARY KEY, model TEXT NOT NULL UNIQUE);
             CREATE TABLE held (id INTEGER PRIMARY KEY, dataset TEXT NOT NULL, reference TEXT NOT NULL, model TEXT NOT NULL,
                                file_hash TEXT NOT NULL, request BLOB NOT NULL);
             CREATE INDEX held_of_model ON held (model, id);
             CREATE TABLE answered (prompts INTEGER NOT NULL);
             INSERT INTO answered VALUES (0);",
        )?;
        Ok(Effects::none())
    }

    fn handle(&self, store: &mut Store<'_>, message: &Message, _env: &Env) -> Result<Effects, Fault> {
        match message.action() {
            "Inference" => asked(store, message),
            "Let-Go" => let_go(store),
            "Answered" => {
                let prompts: u64 = store.value("SELECT prompts FROM answered", ())?;
                Ok(Effects::output(json!(prompts).to_string()))
            }
            _ => Ok(Effects::output("null")),
        }
    }
}

fn asked(store: &mut Store<'_>, message: &Message) -> Result<Effects, Fault> {
    let tag = |name| message.tag(name).unwrap_or_default().to_owned();
    let model = tag("Model");
    store.execute("INSERT INTO models (model) VALUES (?) ON CONFLICT DO NOTHING", [&model])?;
    let number: u64 = store.value("SELECT id FROM models WHERE model = ?", [&model])?;
    let held = Held {
        id: 0,
        dataset: message.from,
        reference: tag("Reference"),
        model,
        file_hash: tag("File-Hash"),
        request: message.data.clone(),
    };
    if number.is_multiple_of(SLOW_OF) {
        store.execute(
            "INSERT INTO held (dataset, reference, model, file_hash, request) VALUES (?, ?, ?, ?, ?)",
            (held.dataset.to_string(), &held.reference, &held.model, &held.file_hash, &held.request),
        )?;
        return Ok(Effects::none());
    }
    Ok(Effects::message(answer(store, &held)?))
}

/// Answers the oldest batch of each of the models that have most of theirs waiting.
fn let_go(store: &mut Store<'_>) -> Result<Effects, Fault> {
    let sql = "SELECT min(id), dataset, reference, model, file_hash, request FROM held GROUP BY model
               ORDER BY count(*) DESC, model LIMIT ?";
    let read = |row: &Row<'_>| {
        let dataset: String = row.get(1)?;
        Ok(Held {
            id: row.get(0)?,
            dataset: dataset.parse().unwrap_or_default(),
            reference: row.get(2)?,
            model: row.get(3)?,
            file_hash: row.get(4)?,
            request: row.get(5)?,
        })
    };
    let mut effects = Effects::none();
    for held in store.all(sql, [LET_GO], read)? {
        effects.messages.push(answer(store, &held)?);
        store.execute("DELETE FROM held WHERE id = ?", [held.id])?;
    }
    Ok(effects)
}

/// What the worker says: the right choice for a share of the questions that depends on the model.
fn answer(store: &mut Store<'_>, held: &Held) -> Result<Outgoing, Fault> {
    let bad = |error: String| Fault::BadData(error);
    let request = InferenceRequest::read(&held.request).map_err(|error| bad(error.to_string()))?;
    let skill = held.model.bytes().map(u64::from).sum::<u64>() % 60 + 30;
    let results: Vec<PromptResult> =
        request.prompts.iter().map(|prompt| choice(&held.model, skill, prompt.id)).collect();
    store.execute("UPDATE answered SET prompts = prompts + ?", [results.len()])?;
    let receipt = Receipt {
        model_file_hash: held.file_hash.clone(),
        engine: "scripted".to_owned(),
        build: "bench".to_owned(),
        profile: "exact".to_owned(),
        instruction_set: "none".to_owned(),
        prompts_hash: request.prompts_hash(),
        output_hash: results_hash(&results),
    };
    let response =
        serde_json::to_vec(&InferenceResponse { results, receipt }).map_err(|error| bad(error.to_string()))?;
    Ok(Outgoing::new(held.dataset, "Inference-Response").tag("Reference", &held.reference).data(response))
}

fn choice(model: &str, skill: u64, question: u64) -> PromptResult {
    let draw = hash_parts(&[model.as_bytes(), &question.to_le_bytes()]);
    let is_right = draw.as_bytes().first().is_some_and(|byte| u64::from(*byte) * 100 / 256 < skill);
    let chosen = (question + u64::from(!is_right)) % CHOICES;
    let loglikelihoods = (0..CHOICES).map(|choice| (if choice == chosen { -1.0 } else { -2.0 }, choice == chosen));
    PromptResult { id: question, answer: Answer::Scored { loglikelihoods: loglikelihoods.collect() } }
}
