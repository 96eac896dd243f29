//! The worker's desk: what it is working on, what it has loaded, and the sending of answers.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use ao::{Id, Tags};
use client::Client;
use processes::herder::limits::PAYLOAD_BYTES_MAX;

use super::job::Job;
use super::patiently;
use crate::session::action;

/// Characters of an error that are sent: a tag has a limit, and a reader too.
const ERROR_CHARS_MAX: usize = 500;
/// Leases that a sign of life names: as many as fit into a tag.
const WORKING_NAMED_MAX: usize = 150;

/// Who is to blame that there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blame {
    /// The model or the request: another worker would do no better.
    Model,
    /// This machine: another worker may do better.
    Worker,
}

/// A result, or why there is none.
pub(super) type Outcome = Result<Vec<u8>, (Blame, String)>;

/// What the worker is working on, and its way to the herder.
pub(super) struct Desk {
    client: Client,
    herder: Id,
    working: Mutex<BTreeSet<(u64, u64)>>,
    loaded: Mutex<BTreeSet<Id>>,
    closed: AtomicBool,
}

impl Desk {
    /// An empty desk.
    pub(super) fn new(client: Client, herder: Id) -> Self {
        let (working, loaded) = (Mutex::default(), Mutex::default());
        Self { client, herder, working, loaded, closed: AtomicBool::new(false) }
    }

    /// The worker stops: no more answers.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Whether the worker stops.
    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// A job has come.
    pub(super) fn begin(&self, job: &Job) {
        self.working.lock().unwrap_or_else(PoisonError::into_inner).insert((job.number, job.attempt));
    }

    /// These models are in memory.
    pub(super) fn set_loaded(&self, models: impl IntoIterator<Item = Id>) {
        *self.loaded.lock().unwrap_or_else(PoisonError::into_inner) = models.into_iter().collect();
    }

    /// What a sign of life says: which models are loaded, which leases are still worked on or wait for their turn.
    pub(super) fn load(&self) -> Tags {
        let working = self.working.lock().unwrap_or_else(PoisonError::into_inner);
        let working = working.iter().take(WORKING_NAMED_MAX).map(|(job, attempt)| format!("{job}/{attempt}"));
        let working = working.collect::<Vec<_>>().join(",");
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = loaded.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        Tags::new().with("Loaded", loaded).with("Working", working)
    }

    /// Sends what came of a job, as often as it takes: the signed item stays the same, so it counts once. A worker that
    /// stops has given its leases back, and says nothing more.
    pub(super) async fn answer(&self, job: &Job, outcome: Outcome) {
        if self.is_closed() {
            return;
        }
        let mut tags = action("Inference-Response")
            .with("Job", job.number.to_string())
            .with("Attempt", job.attempt.to_string())
            .with("Data-Protocol", "ao")
            .with("Type", "Message")
            .with("Variant", "ao.TN.1");
        let data = match outcome.and_then(fitting) {
            Ok(data) => data,
            Err((blame, reason)) => {
                tracing::warn!(job = job.number, ?blame, reason, "no result");
                tags.push("Fault", if blame == Blame::Model { "model" } else { "worker" });
                tags.push("Error", reason.chars().take(ERROR_CHARS_MAX).collect::<String>());
                Vec::new()
            }
        };
        let sent = match self.client.sign(Some(self.herder), tags, data) {
            Ok(item) => patiently("answering", || self.client.post(&item)).await.map(|_| ()),
            Err(error) => Err(error),
        };
        if let Err(error) = sent {
            tracing::error!(job = job.number, %error, "the answer was not taken; the lease will end by itself");
        }
        self.working.lock().unwrap_or_else(PoisonError::into_inner).remove(&(job.number, job.attempt));
    }
}

/// An answer that the herder will take. One that is too large cannot be shortened: it would be another answer.
fn fitting(data: Vec<u8>) -> Outcome {
    if data.len() <= PAYLOAD_BYTES_MAX {
        return Ok(data);
    }
    let bytes = data.len();
    Err((Blame::Model, format!("the answers have {bytes} bytes, and {PAYLOAD_BYTES_MAX} fit into a message")))
}
