//! One process in the memory of the node: how far it is, and its open file.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use ao::Id;
use processes::{Env, Module};
use rusqlite::Connection;
use tokio::sync::watch;

use super::file::ProcessFile;

/// What a process is from its spawn on.
pub(crate) struct Spawned {
    /// What it runs.
    pub module: &'static dyn Module,
    /// What it knows about itself.
    pub env: Env,
}

/// One process of the node. Progress is counted in slots, so that 0 means that nothing has been done.
pub(crate) struct Cell {
    /// Its id.
    pub id: Id,
    /// Slots of its log.
    head: AtomicU64,
    /// Slots applied.
    applied: watch::Sender<u64>,
    /// Slots whose messages are delivered.
    delivered: AtomicU64,
    /// Slots that its log had when the node started; until they are applied no tick is planned, for those may hold it.
    pub(super) head_at_start: u64,
    pub(super) spawned: OnceLock<Spawned>,
    /// Whether it waits for a thread or has one.
    pub(super) scheduled: AtomicBool,
    stopped: OnceLock<String>,
    pub(super) path: PathBuf,
    pub(super) file: Mutex<Option<ProcessFile>>,
    reader: Mutex<Option<Connection>>,
}

impl Cell {
    pub(super) fn new(id: Id, directory: &Path, head: u64, head_at_start: u64) -> Self {
        Self {
            id,
            head: AtomicU64::new(head),
            applied: watch::Sender::new(0),
            delivered: AtomicU64::new(0),
            head_at_start,
            spawned: OnceLock::new(),
            scheduled: AtomicBool::new(false),
            stopped: OnceLock::new(),
            path: directory.join(format!("{}.sqlite", id.to_hex())),
            file: Mutex::new(None),
            reader: Mutex::new(None),
        }
    }

    /// Slots of its log.
    pub(crate) fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    pub(super) fn raise_head(&self, slots: u64) {
        self.head.fetch_max(slots, Ordering::AcqRel);
    }

    /// Slots applied.
    pub(crate) fn applied(&self) -> u64 {
        *self.applied.borrow()
    }

    pub(super) fn set_applied(&self, slots: u64) {
        self.applied.send_replace(slots);
    }

    /// Tells of each change of what is applied.
    pub(crate) fn watch_applied(&self) -> watch::Receiver<u64> {
        self.applied.subscribe()
    }

    /// Slots whose messages are delivered.
    pub(crate) fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Acquire)
    }

    pub(crate) fn set_delivered(&self, slots: u64) {
        self.delivered.store(slots, Ordering::Release);
    }

    /// Why it stopped, if it did.
    pub(crate) fn stopped(&self) -> Option<&str> {
        self.stopped.get().map(String::as_str)
    }

    /// It takes no more messages until the node is started again.
    pub(crate) fn stop(&self, reason: String) {
        tracing::error!(process = %self.id, reason, "a process stopped");
        let _ = self.stopped.set(reason);
        // Those who wait for a result look again and find the reason.
        self.applied.send_modify(|_| {});
    }

    /// Whether everything is applied and delivered, as far as it ever will be.
    pub(crate) fn is_idle(&self) -> bool {
        self.stopped().is_some() || (self.applied() >= self.head() && self.delivered() >= self.head())
    }

    pub(super) fn file(&self) -> MutexGuard<'_, Option<ProcessFile>> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Works with a connection that only reads, beside the writer.
    pub(super) fn with_reader<T>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> rusqlite::Result<T> {
        let mut reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner);
        let connection = match reader.take() {
            Some(connection) => connection,
            None => ProcessFile::open_reader(&self.path)?,
        };
        let outcome = work(&connection);
        if outcome.is_ok() {
            *reader = Some(connection);
        }
        outcome
    }
}
