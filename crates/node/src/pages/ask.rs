//! Questions of pages to processes. An answer holds until its process has come further, and never less than a moment, so
//! that a hundred readers of one page cost its process one question.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use ao::{Id, Message, Tags};

use crate::http::error::HttpError;
use crate::http::state::Shared;

/// How long an answer holds at least: while evaluations run, processes come further many times a second.
const HOLDS_AT_LEAST: Duration = Duration::from_millis(500);

/// How long an answer holds at most: some depend on the time.
const HOLDS_AT_MOST: Duration = Duration::from_mins(1);

/// Answers that are kept. When there are more, all are forgotten.
const ANSWERS_MAX: usize = 1024;

/// Bytes of answers after which all are forgotten.
const BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a process answered.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    /// Its data.
    pub(crate) data: Arc<Value>,
    /// Where the next page of it begins, if there is one.
    pub(crate) cursor: Option<String>,
    /// How many bytes its data has as text.
    bytes: usize,
}

/// The question: to whom, with which tags, about what.
type Question = (Id, Tags, String);

/// Behind a lock of its own, so that those who ask the same at the same time wait for one answer.
type Place = Arc<tokio::sync::Mutex<Option<Held>>>;

struct Held {
    applied: Option<u64>,
    since: Instant,
    answer: Answer,
}

/// The answers that are kept.
#[derive(Default)]
pub(crate) struct Answers {
    places: Mutex<BTreeMap<String, Place>>,
    /// Bytes of all answers since they were last forgotten.
    bytes: AtomicUsize,
}

impl Answers {
    fn place(&self, (process, tags, data): &Question) -> Place {
        let mut key = format!("{process} {data}");
        for tag in tags {
            key.extend(["\n", &tag.name, "=", &tag.value]);
        }
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        let is_full = places.len() >= ANSWERS_MAX && !places.contains_key(&key);
        if is_full || self.bytes.load(Ordering::Relaxed) > BYTES_MAX {
            places.clear();
            self.bytes.store(0, Ordering::Relaxed);
        }
        Arc::clone(places.entry(key).or_default())
    }
}

/// Tags with an action.
pub(super) fn action(name: &str) -> Tags {
    Tags::new().with("Action", name)
}

/// A process of the genesis by its name.
pub(super) fn named(shared: &Shared, name: &str) -> Result<Id, HttpError> {
    let found = shared.core.genesis().get(name).copied();
    found.ok_or_else(|| HttpError::not_found(format!("this node has no process with the name '{name}'")))
}

/// What a process answers to a reading action.
pub(super) async fn ask(shared: &Shared, process: Id, tags: Tags, data: String) -> Result<Answer, HttpError> {
    let question = (process, tags, data);
    let place = shared.answers.place(&question);
    let mut held = place.lock().await;
    let applied = shared.core.applied_slot(&process);
    if let Some(held) = held.as_ref() {
        let age = held.since.elapsed();
        if age < HOLDS_AT_LEAST || (held.applied == applied && age < HOLDS_AT_MOST) {
            return Ok(held.answer.clone());
        }
    }
    let (process, tags, data) = question;
    let answer = ask_afresh(shared, process, tags, data).await?;
    shared.answers.bytes.fetch_add(answer.bytes, Ordering::Relaxed);
    *held = Some(Held { applied, since: Instant::now(), answer: answer.clone() });
    Ok(answer)
}

/// The same, never one that was given before, and not kept.
pub(super) async fn ask_afresh(shared: &Shared, process: Id, tags: Tags, data: String) -> Result<Answer, HttpError> {
    let message = Message::dry_run(Id::default(), process, tags, data);
    let effects = shared.dry_run(&process, message).await?.map_err(HttpError::not_found)?;
    if let Some(error) = effects.output.error {
        return Err(HttpError::not_found(error));
    }
    let bytes = effects.output.data.len();
    let cursor = effects.messages.first().and_then(|answer| answer.tags.get("Cursor")).map(str::to_owned);
    // What is no JSON (a balance) is a text.
    let data = serde_json::from_str(&effects.output.data).unwrap_or(Value::String(effects.output.data));
    Ok(Answer { data: Arc::new(data), cursor, bytes })
}

/// The same, where a process that cannot answer leaves its part of the page empty.
pub(super) async fn ask_if_it_can(shared: &Shared, process: Id, tags: Tags, data: String) -> Value {
    ask(shared, process, tags, data).await.map_or(Value::Null, |answer| Value::clone(&answer.data))
}
