//! The log in one SQLite file: the store of a node that stands alone.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;

use ao::Id;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use super::identities::Identities;
use super::reader::{self, Readers};
use super::writer::{Shared, Submission, Writer};
use super::{Append, Log, Logged, Pending, Stream, StreamKind, schema};
use crate::clock::Clock;
use crate::error::{LogError, NodeError};
use crate::limits;

pub(crate) use super::writer::Committed;

/// What the log is opened with.
pub(crate) struct LogSettings {
    /// Its file.
    pub path: PathBuf,
    /// Where records take their time from.
    pub clock: Arc<Clock>,
    /// Told of each commit.
    pub committed: Committed,
}

/// The log in one SQLite file. Dropping it writes what is waiting and ends its thread.
pub(crate) struct SqliteLog {
    submissions: Option<mpsc::Sender<Submission>>,
    shared: Arc<Shared>,
    identities: Arc<Identities>,
    readers: Readers,
    thread: Option<JoinHandle<()>>,
}

impl SqliteLog {
    /// Opens the log and starts its writer.
    pub(crate) fn open(settings: LogSettings) -> Result<Self, NodeError> {
        let LogSettings { path, clock, committed } = settings;
        let shared = Arc::new(Shared::default());
        let connection = schema::open_writer(&path)?;
        let identities = Arc::new(Identities::load(&connection)?);
        let writer = Writer::new(connection, Arc::clone(&shared), Arc::clone(&identities), clock, committed)?;
        let (sender, receiver) = mpsc::channel(limits::LOG_QUEUE_MAX);
        let thread = std::thread::Builder::new().name("log-writer".to_owned()).spawn(move || writer.run(receiver));
        let thread = Some(thread.map_err(NodeError::Thread)?);
        let readers = Readers::new(&path);
        Ok(Self { submissions: Some(sender), shared, identities, readers, thread })
    }

    fn sender(&self) -> Result<&mpsc::Sender<Submission>, LogError> {
        if let Some(reason) = self.shared.stopped() {
            return Err(LogError::Stopped(reason));
        }
        self.submissions.as_ref().ok_or_else(|| LogError::Stopped("the node is shutting down".to_owned()))
    }

    /// Makes the next commit fail as a full disk would.
    #[cfg(test)]
    pub(crate) fn fail_next_commit(&self) {
        self.shared.fail_next_commit.store(true, Ordering::Release);
    }
}

impl Log for SqliteLog {
    fn append(&self, appends: Vec<Append>) -> Result<Pending, LogError> {
        let sender = self.sender()?;
        let count = appends.len();
        let (reply, pending) = oneshot::channel();
        self.shared.pending.fetch_add(count, Ordering::AcqRel);
        sender.blocking_send(Submission { appends, reply }).map_err(|_| {
            self.shared.pending.fetch_sub(count, Ordering::AcqRel);
            LogError::Stopped("its writer has ended".to_owned())
        })?;
        Ok(pending)
    }

    fn try_append(&self, appends: Vec<Append>) -> Result<Pending, LogError> {
        let sender = self.sender()?;
        let count = appends.len();
        let (reply, pending) = oneshot::channel();
        self.shared.pending.fetch_add(count, Ordering::AcqRel);
        sender.try_send(Submission { appends, reply }).map_err(|error| {
            self.shared.pending.fetch_sub(count, Ordering::AcqRel);
            match error {
                TrySendError::Full(_) => LogError::Busy { queued: limits::LOG_QUEUE_MAX },
                TrySendError::Closed(_) => LogError::Stopped("its writer has ended".to_owned()),
            }
        })?;
        Ok(pending)
    }

    fn read(&self, stream: &Stream, from_slot: u64, limit: usize) -> Result<Vec<Logged>, LogError> {
        self.readers.with(|connection| reader::read(connection, stream, from_slot, limit))
    }

    fn head(&self, stream: &Stream) -> Result<Option<u64>, LogError> {
        self.readers.with(|connection| reader::head(connection, stream))
    }

    fn slot_of(&self, stream: &Stream, identity: &Id) -> Result<Option<u64>, LogError> {
        self.readers.with(|connection| match reader::number(connection, stream)? {
            Some(number) => self.identities.slot_of(connection, &(number, *identity)),
            None => Ok(None),
        })
    }

    fn streams(&self, kind: StreamKind) -> Result<Vec<(Id, u64)>, LogError> {
        self.readers.with(|connection| reader::streams(connection, kind))
    }

    fn stopped(&self) -> Option<String> {
        self.shared.stopped()
    }

    fn pending(&self) -> usize {
        self.shared.pending.load(Ordering::Acquire)
    }
}

impl Drop for SqliteLog {
    fn drop(&mut self) {
        self.submissions = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the writer of the log panicked");
        }
    }
}
