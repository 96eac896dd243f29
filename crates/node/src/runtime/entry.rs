//! A process as the runtime knows it: how far it is, what it runs, and its open file.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use ao::{Id, Tags};
use processes::{Env, Publication};
use tokio::sync::watch;

use super::apply::Identity;
use super::process_file::{ProcessFile, ProcessFiles, Progress};
use super::program::Programs;
use super::recent::Recent;
use crate::core::StoredResult;
use crate::error::ReadError;
use crate::log::{Body, Log, Stream};

/// A process.
pub(crate) struct Entry {
    process: Id,
    status: Mutex<Status>,
    information: OnceLock<Arc<Information>>,
    file: Mutex<Option<ProcessFile>>,
    recent: Mutex<Recent>,
    /// Counts up whenever it has come further, or stopped.
    news: watch::Sender<u64>,
}

/// How far a process is.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    /// The last slot of its log.
    pub head: u64,
    /// What it has made of it.
    pub progress: Progress,
    /// Why it stopped, if it did.
    pub stopped: Option<String>,
}

#[derive(Debug, Default)]
struct Status {
    view: View,
    /// Waiting for a thread, or on one.
    claimed: bool,
}

/// What is fixed about a process from its spawn on.
pub(crate) struct Information {
    /// For its handlers.
    pub identity: Identity,
}

impl Information {
    /// The name of its module.
    pub(crate) fn module(&self) -> &str {
        self.identity.program.name()
    }

    /// What it publishes, if its module is a native one.
    pub(crate) fn publications(&self) -> Option<&'static [Publication]> {
        self.identity.program.publications()
    }

    /// Its owner.
    pub(crate) const fn owner(&self) -> Id {
        self.identity.env.owner
    }

    /// Its tags.
    pub(crate) const fn tags(&self) -> &Tags {
        &self.identity.env.tags
    }
}

impl Entry {
    /// A process of which nothing but the id is known yet.
    pub(crate) fn new(process: Id) -> Self {
        Self {
            process,
            status: Mutex::default(),
            information: OnceLock::new(),
            file: Mutex::default(),
            recent: Mutex::default(),
            news: watch::channel(0).0,
        }
    }

    /// Its id.
    pub(crate) const fn process(&self) -> Id {
        self.process
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far it is now.
    pub(crate) fn view(&self) -> View {
        self.status().view.clone()
    }

    /// Whether it has handled and delivered everything in its log.
    pub(crate) fn is_idle(&self) -> bool {
        let status = self.status();
        let View { head, progress, stopped } = &status.view;
        stopped.is_some() || (!status.claimed && progress.applied == Some(*head) && progress.delivered == Some(*head))
    }

    /// Its log has come to this slot. Whether it now has to be queued.
    pub(super) fn advance(&self, head: u64) -> bool {
        let mut status = self.status();
        status.view.head = status.view.head.max(head);
        if status.view.stopped.is_some() {
            return false;
        }
        !std::mem::replace(&mut status.claimed, true)
    }

    /// A thread is done with what was waiting. Whether it has to be queued again, for more came meanwhile.
    pub(super) fn release(&self) -> bool {
        let mut status = self.status();
        let behind = status.view.progress.applied.is_none_or(|applied| applied < status.view.head);
        status.claimed = behind && status.view.stopped.is_none();
        status.claimed
    }

    /// It is as far as its file says. Whether a clock of it may be due at another time than before.
    pub(super) fn set_progress(&self, progress: Progress) -> bool {
        let before = std::mem::replace(&mut self.status().view.progress, progress.clone());
        if before.applied != progress.applied {
            self.news.send_modify(|count| *count += 1);
        }
        let clocks = |progress: &Progress| (progress.applied.is_some(), progress.wake_at_ms);
        clocks(&before) != clocks(&progress) || before.ticked_ms != progress.ticked_ms
    }

    /// It does nothing more until the node is started anew.
    pub(super) fn stop(&self, reason: &str) {
        self.status().view.stopped = Some(reason.to_owned());
        self.news.send_modify(|count| *count += 1);
    }

    /// Changes whenever it has come further, or stopped.
    pub(crate) fn news(&self) -> watch::Receiver<u64> {
        self.news.subscribe()
    }

    /// Keeps results that are committed for those who ask for them soon.
    pub(super) fn remember(&self, results: Vec<(StoredResult, usize)>) {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).add(results);
    }

    /// The result of a slot, if it is one of the newest.
    pub(super) fn recent(&self, slot: u64) -> Option<StoredResult> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).of(slot)
    }

    /// Works with its file, opened if need be, alone.
    pub(super) fn with_file<T>(
        &self,
        files: &ProcessFiles,
        head: u64,
        work: impl FnOnce(&ProcessFile) -> T,
    ) -> rusqlite::Result<T> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        if file.is_none() {
            *file = Some(ProcessFile::open(files, &self.process, head)?);
        }
        file.as_ref().map(work).ok_or(rusqlite::Error::InvalidQuery)
    }

    /// The same unless a thread is at work with it.
    pub(super) fn with_free_file<T>(
        &self,
        files: &ProcessFiles,
        work: impl FnOnce(&ProcessFile) -> T,
    ) -> rusqlite::Result<Option<T>> {
        let head = self.view().head;
        let Ok(mut file) = self.file.try_lock() else { return Ok(None) };
        if file.is_none() {
            *file = Some(ProcessFile::open(files, &self.process, head)?);
        }
        Ok(file.as_ref().map(work))
    }

    /// Closes its file unless a thread is at work with it, which will use it again.
    pub(super) fn close_file(&self) {
        if let Ok(mut file) = self.file.try_lock() {
            *file = None;
            self.recent.lock().unwrap_or_else(PoisonError::into_inner).clear();
        }
    }

    /// Closes its file, whatever it is in the middle of: that is undone. For after a defect.
    pub(super) fn discard_file(&self) {
        *self.file.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.file.clear_poison();
        self.recent.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// What is fixed about it, if it was read already.
    pub(super) fn known(&self) -> Option<Arc<Information>> {
        self.information.get().cloned()
    }

    /// What is fixed about it, read from its spawn once.
    pub(super) fn information(
        &self,
        log: &dyn Log,
        programs: &Programs,
        node: Id,
    ) -> Result<Arc<Information>, ReadError> {
        if let Some(information) = self.information.get() {
            return Ok(Arc::clone(information));
        }
        let process = self.process;
        let spawn = log.read(&Stream::process(process), 0, 1)?.pop().ok_or(ReadError::UnknownProcess(process))?;
        let unreadable = |reason: String| ReadError::Store { process, reason };
        let message = Body::decode(&spawn.body).and_then(|body| body.into_message(&spawn)).map_err(unreadable)?;
        let name = message.tag("Module").unwrap_or_default();
        let env = Env { process, owner: message.from, tags: message.tags.clone(), node };
        let program = programs
            .find(name, &env)
            .map_err(|reason| unreadable(format!("its module '{name}' cannot run: {reason}")))?;
        let information =
            Arc::new(Information { identity: Identity { program, env, spawned_ms: message.timestamp_ms } });
        Ok(Arc::clone(self.information.get_or_init(|| information)))
    }
}
