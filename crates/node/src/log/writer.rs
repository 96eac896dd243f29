//! The second stage of the log's writer: takes everything that is prepared, writes it in one transaction, and answers all
//! its senders once it is on the disk. While it waits for the disk the next batch gathers (group commit).

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ao::Id;
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::{Logged, Placed, Stream, schema};
use crate::error::LogError;
use crate::limits;

/// A record that has its place and waits to be written.
pub(super) struct Prepared {
    pub logged: Logged,
    /// The number of its stream in the database.
    pub number: i64,
    /// Whether it begins its stream.
    pub begins: bool,
    pub crc32c: u32,
}

/// An answer that waits for the disk.
pub(super) struct Answer {
    pub placed: Placed,
    /// How many appends it answers.
    pub count: usize,
    pub reply: oneshot::Sender<Result<Placed, LogError>>,
}

/// What has gathered since the last commit.
#[derive(Default)]
struct Batch {
    records: Vec<Prepared>,
    bytes: usize,
    answers: Vec<Answer>,
}

#[derive(Default)]
struct State {
    batch: Batch,
    /// Identities that have a slot and are not yet in the database.
    in_flight: HashMap<(Stream, Id), u64>,
    /// Submissions that had come when the last one was prepared.
    waiting: usize,
    writing: bool,
    closed: bool,
    stopped: Option<String>,
    #[cfg(test)]
    fail_next_commit: bool,
}

/// What the two stages share.
#[derive(Default)]
pub(super) struct Shared {
    state: Mutex<State>,
    /// Something was prepared, or the end has come.
    prepared: Condvar,
    /// A batch was taken or written.
    room: Condvar,
    /// Appends that were submitted and not yet answered.
    pub pending: AtomicUsize,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // A thread that panicked while it held the lock leaves whole values behind: each change is one assignment.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The slot of an identity that is on its way to the disk.
    pub(super) fn in_flight(&self, stream: &Stream, identity: &Id) -> Option<u64> {
        self.state().in_flight.get(&(*stream, *identity)).copied()
    }

    pub(super) fn set_in_flight(&self, stream: &Stream, identity: &Id, slot: u64) {
        self.state().in_flight.insert((*stream, *identity), slot);
    }

    /// Adds to the batch that gathers, waiting for room if it is full.
    pub(super) fn push(&self, records: Vec<Prepared>, answer: Answer, waiting: usize) {
        let mut state = self.state();
        while state.stopped.is_none()
            && (state.batch.records.len() >= limits::LOG_BATCH_MAX || state.batch.bytes >= limits::LOG_BATCH_BYTES_MAX)
        {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if state.stopped.is_some() {
            drop(state);
            return self.refuse(answer);
        }
        state.batch.bytes += records.iter().map(|record| record.logged.body.len()).sum::<usize>();
        state.batch.records.extend(records);
        state.batch.answers.push(answer);
        state.waiting = waiting;
        drop(state);
        self.prepared.notify_one();
    }

    /// Waits until everything that was prepared is on the disk.
    pub(super) fn wait_until_written(&self) {
        let mut state = self.state();
        while state.stopped.is_none() && (state.writing || !state.batch.answers.is_empty()) {
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// The log accepts nothing more.
    pub(super) fn stop(&self, error: &LogError) {
        let answers = {
            let mut state = self.state();
            tracing::error!(%error, "the log stopped");
            state.stopped.get_or_insert_with(|| error.to_string());
            std::mem::take(&mut state.batch).answers
        };
        answers.into_iter().for_each(|answer| self.refuse(answer));
        self.room.notify_all();
        self.prepared.notify_all();
    }

    /// Why the log accepts nothing more.
    pub(super) fn stopped(&self) -> Option<String> {
        self.state().stopped.clone()
    }

    /// Answers that the log has stopped.
    pub(super) fn refuse(&self, answer: Answer) {
        let reason = self.stopped().unwrap_or_default();
        let _ = answer.reply.send(Err(LogError::Stopped(reason)));
        self.pending.fetch_sub(answer.count, Ordering::AcqRel);
    }

    /// No more will come.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.prepared.notify_all();
    }

    /// Makes the next commit fail as a full disk would.
    #[cfg(test)]
    pub(super) fn fail_next_commit(&self) {
        self.state().fail_next_commit = true;
    }

    /// Waits for a batch; nothing when the end has come.
    fn take(&self, last: &LastCommit) -> Option<Batch> {
        let mut state = self.state();
        while state.batch.answers.is_empty() && !state.closed {
            state = self.prepared.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        // Those who were answered last are likely to come again at once. When the disk is slow, a short wait for them
        // costs less than a commit that they have to wait out.
        let patience = last.patience();
        let began = Instant::now();
        while !state.closed && state.batch.answers.len() < last.answers {
            let Some(left) = patience.checked_sub(began.elapsed()) else { break };
            let waited = self.prepared.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
        }
        state.writing = true;
        let batch = std::mem::take(&mut state.batch);
        drop(state);
        self.room.notify_all();
        (!batch.answers.is_empty()).then_some(batch)
    }

    fn written(&self, batch: &Batch) {
        let mut state = self.state();
        for record in &batch.records {
            state.in_flight.remove(&(record.logged.stream, record.logged.identity));
        }
        state.writing = false;
        drop(state);
        self.room.notify_all();
    }
}

/// How the last commit went: what the next one may wait for.
#[derive(Default)]
struct LastCommit {
    took: Duration,
    answers: usize,
}

impl LastCommit {
    /// How long to wait for more: a quarter of what a commit takes, and not for a lone writer.
    fn patience(&self) -> Duration {
        if self.answers > 1 { self.took / 4 } else { Duration::ZERO }
    }
}

/// Told of the new last slots of streams after each commit, before the senders are answered.
pub(crate) type Committed = Box<dyn Fn(&BTreeMap<Stream, u64>, usize) + Send>;

/// The second stage of the writer: works until the first has ended or a commit failed.
pub(super) fn run(connection: &mut Connection, shared: &Arc<Shared>, committed: &Committed) {
    let mut last = LastCommit::default();
    while let Some(batch) = shared.take(&last) {
        let began = Instant::now();
        #[cfg(test)]
        let injected = std::mem::take(&mut shared.state().fail_next_commit);
        #[cfg(not(test))]
        let injected = false;
        let outcome = if injected { Err(injected_failure()) } else { write(connection, &batch.records) };
        if let Err(error) = outcome {
            // What is on the disk now is unknown: nobody is told that it is there, and nothing follows it.
            shared.stop(&error.into());
            shared.written(&Batch::default());
            batch.answers.into_iter().for_each(|answer| shared.refuse(answer));
            return;
        }
        last = LastCommit { took: began.elapsed(), answers: batch.answers.len() };
        shared.written(&batch);
        let heads: BTreeMap<Stream, u64> =
            batch.records.iter().map(|record| (record.logged.stream, record.logged.slot)).collect();
        committed(&heads, batch.records.len());
        for answer in batch.answers {
            let _ = answer.reply.send(Ok(answer.placed));
            shared.pending.fetch_sub(answer.count, Ordering::AcqRel);
        }
    }
}

fn injected_failure() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None)
}

/// Writes records in one transaction, which is on the disk when this returns.
fn write(connection: &mut Connection, records: &[Prepared]) -> rusqlite::Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    let transaction = connection.transaction()?;
    {
        let mut record = transaction.prepare_cached(
            "INSERT INTO records (position, stream, slot, timestamp, height, kind, crc32c, chain, message, body) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        let mut identity =
            transaction.prepare_cached("INSERT INTO identities (stream, message, slot) VALUES (?1, ?2, ?3)")?;
        for Prepared { logged, number, begins, crc32c } in records {
            if *begins {
                let mut stream =
                    transaction.prepare_cached("INSERT INTO streams (number, kind, id) VALUES (?1, ?2, ?3)")?;
                stream.execute((number, logged.stream.kind.number(), logged.stream.id.as_bytes()))?;
            }
            record.execute((
                logged.position,
                number,
                logged.slot as i64,
                logged.timestamp_ms as i64,
                logged.block_height as i64,
                schema::kind_number(logged.kind),
                crc32c,
                logged.chain.0.as_bytes(),
                logged.identity.as_bytes(),
                &logged.body,
            ))?;
            identity.execute((number, logged.identity.as_bytes(), logged.slot as i64))?;
        }
    }
    transaction.commit()
}
