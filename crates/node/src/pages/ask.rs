//! Questions of pages to processes. An answer holds until its process has come further, and never less than a moment, so
//! that a hundred readers of one page cost its process one question. A page that may be a second behind is not made to wait
//! for a process that is at work: it is given the last answer while the next one is asked for.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;

use ao::{Id, Message, Tags};

use crate::http::error::HttpError;
use crate::http::state::Shared;

/// How long an answer holds at least: while evaluations run, processes come further many times a second.
const HOLDS_AT_LEAST: Duration = Duration::from_millis(500);

/// How long an answer holds at most: some depend on the time.
const HOLDS_AT_MOST: Duration = Duration::from_mins(1);

/// How long an answer that holds no more is still given, by [`ask_or_last`], while it is asked for anew. Pages say to the minute
/// of when they are.
const GIVEN_MEANWHILE: Duration = Duration::from_secs(1);

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

/// Where the answer to one question is kept.
#[derive(Default)]
struct Place {
    held: Mutex<Option<Held>>,
    /// Held by whoever asks, so that those who ask the same at the same time wait for one answer.
    asking: tokio::sync::Mutex<()>,
}

struct Held {
    applied: Option<u64>,
    since: Instant,
    answer: Answer,
}

/// How good an answer is that is kept.
enum Kept {
    Holds(Answer),
    /// Its process has come further, a moment ago.
    Last(Answer),
    Nothing,
}

impl Place {
    fn held(&self) -> MutexGuard<'_, Option<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is kept, for a process that has come so far.
    fn kept(&self, applied: Option<u64>) -> Kept {
        let held = self.held();
        let Some(held) = held.as_ref() else { return Kept::Nothing };
        let age = held.since.elapsed();
        if age < HOLDS_AT_LEAST || (held.applied == applied && age < HOLDS_AT_MOST) {
            Kept::Holds(held.answer.clone())
        } else if age < GIVEN_MEANWHILE {
            Kept::Last(held.answer.clone())
        } else {
            Kept::Nothing
        }
    }
}

/// The answers that are kept.
#[derive(Default)]
pub(crate) struct Answers {
    places: Mutex<BTreeMap<String, Arc<Place>>>,
    /// Bytes of all answers since they were last forgotten.
    bytes: AtomicUsize,
}

impl Answers {
    fn place(&self, (process, tags, data): &Question) -> Arc<Place> {
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
    if let Kept::Holds(answer) = place.kept(shared.core.applied_slot(&process)) {
        return Ok(answer);
    }
    let _asking = place.asking.lock().await;
    // Whoever was before may have asked the same.
    match place.kept(shared.core.applied_slot(&process)) {
        Kept::Holds(answer) => Ok(answer),
        Kept::Last(_) | Kept::Nothing => renew(shared, &place, question).await,
    }
}

/// The same, where a second does not matter: who reads does not wait for a process that has come further.
pub(super) async fn ask_or_last(shared: &Shared, process: Id, tags: Tags, data: String) -> Result<Answer, HttpError> {
    let question = (process, tags, data);
    let place = shared.answers.place(&question);
    let Kept::Last(answer) = place.kept(shared.core.applied_slot(&process)) else {
        let (process, tags, data) = question;
        return ask(shared, process, tags, data).await;
    };
    let shared = shared.clone();
    tokio::spawn(async move {
        // Whoever asks already brings the answer for all.
        let Ok(_asking) = place.asking.try_lock() else { return };
        if let Err(error) = renew(&shared, &place, question).await {
            tracing::debug!(error = error.text(), "an answer could not be asked for anew");
        }
    });
    Ok(answer)
}

/// Asks, and keeps the answer.
async fn renew(shared: &Shared, place: &Place, (process, tags, data): Question) -> Result<Answer, HttpError> {
    let (applied, since) = (shared.core.applied_slot(&process), Instant::now());
    let answer = ask_afresh(shared, process, tags, data).await?;
    shared.answers.bytes.fetch_add(answer.bytes, Ordering::Relaxed);
    *place.held() = Some(Held { applied, since, answer: answer.clone() });
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
    let asked = tags.get("Action").unwrap_or_default().to_owned();
    or_null(process, &asked, ask(shared, process, tags, data).await)
}

/// The same of [`ask_or_last`].
pub(super) async fn ask_or_last_if_it_can(shared: &Shared, process: Id, tags: Tags, data: String) -> Value {
    let asked = tags.get("Action").unwrap_or_default().to_owned();
    or_null(process, &asked, ask_or_last(shared, process, tags, data).await)
}

fn or_null(process: Id, asked: &str, answer: Result<Answer, HttpError>) -> Value {
    match answer {
        Ok(answer) => Value::clone(&answer.data),
        Err(error) => {
            tracing::warn!(%process, asked, error = error.text(), "a page lacks a part");
            Value::Null
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_holds_for_a_moment_then_is_the_last_one_and_then_too_old() {
        let place = Place::default();
        assert!(matches!(place.kept(Some(7)), Kept::Nothing));
        let kept = |milliseconds: u64, applied: u64| {
            let answer = Answer { data: Arc::new(Value::Null), cursor: None, bytes: 0 };
            let since = Instant::now().checked_sub(Duration::from_millis(milliseconds)).unwrap();
            *place.held() = Some(Held { applied: Some(7), since, answer });
            match place.kept(Some(applied)) {
                Kept::Holds(_) => "holds",
                Kept::Last(_) => "last",
                Kept::Nothing => "nothing",
            }
        };
        assert_eq!(
            [kept(0, 8), kept(700, 8), kept(1_500, 8)],
            ["holds", "last", "nothing"],
            "its process came further"
        );
        assert_eq!(
            [kept(700, 7), kept(30_000, 7), kept(61_000, 7)],
            ["holds", "holds", "nothing"],
            "and if it did not"
        );
    }
}
