//! What all handlers share: the node, and the counts of what is going on at one time.

use std::future::Future;
use std::ops::Deref;
use std::sync::Arc;

use ao::{Effects, Id, Message};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::error::HttpError;
use super::limits::{
    BODIES_BYTES_MAX, DOWNLOADS_MAX, QUERIES_MAX, REQUESTS_MAX, RESULT_WAIT, UPLOADS_MAX, WAITING_MAX,
};
use crate::core::Core;
use crate::error::ReadError;
use crate::pages::Answers;

/// The state of the router. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Shared {
    inner: Arc<Inner>,
}

/// What is behind [`Shared`].
pub(crate) struct Inner {
    /// The node.
    pub core: Arc<Core>,
    /// Requests that are worked on.
    pub requests: Arc<Semaphore>,
    /// Requests that wait for something to come.
    pub waiting: Arc<Semaphore>,
    /// Uploads.
    pub uploads: Arc<Semaphore>,
    /// Downloads.
    pub downloads: Arc<Semaphore>,
    /// Queries for transactions.
    pub queries: Arc<Semaphore>,
    /// Bodies in memory, in KiB.
    pub bodies: Semaphore,
    /// What processes answered to pages.
    pub answers: Answers,
    /// Becomes true when the node shuts down.
    stopping: watch::Receiver<bool>,
}

impl Deref for Shared {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.inner
    }
}

impl Shared {
    /// The state of a new router; `stopping` becomes true when the node shuts down.
    pub(crate) fn new(core: Arc<Core>, stopping: watch::Receiver<bool>) -> Self {
        let semaphore = |permits| Arc::new(Semaphore::new(permits));
        Self {
            inner: Arc::new(Inner {
                core,
                requests: semaphore(REQUESTS_MAX),
                waiting: semaphore(WAITING_MAX),
                uploads: semaphore(UPLOADS_MAX),
                downloads: semaphore(DOWNLOADS_MAX),
                queries: semaphore(QUERIES_MAX),
                bodies: Semaphore::new(BODIES_BYTES_MAX / 1024),
                answers: Answers::default(),
                stopping,
            }),
        }
    }

    /// Runs a short read of local files on a thread for blocking work.
    pub(crate) async fn blocking<T, E>(
        &self,
        read: impl FnOnce(&Core) -> Result<T, E> + Send + 'static,
    ) -> Result<T, HttpError>
    where
        T: Send + 'static,
        E: Into<HttpError> + Send + 'static,
    {
        let core = Arc::clone(&self.core);
        match tokio::task::spawn_blocking(move || read(&core)).await {
            Ok(outcome) => outcome.map_err(Into::into),
            Err(_) => Err(HttpError::internal("reading failed in an unforeseen way; the node's log says more")),
        }
    }

    /// What a process would answer to a message now. One that is just being spawned is waited for.
    pub(crate) async fn dry_run(&self, process: &Id, message: Message) -> Result<Result<Effects, String>, HttpError> {
        let answer = async {
            match self.core.dry_run(process, message.clone()).await {
                Err(ReadError::NotYet { .. }) => {
                    self.core.result(process, process, RESULT_WAIT).await?;
                    self.core.dry_run(process, message).await
                }
                answered => answered,
            }
        };
        match tokio::time::timeout(RESULT_WAIT, answer).await {
            Ok(outcome) => Ok(outcome?),
            Err(_) => Err(HttpError::busy("dry-runs")),
        }
    }

    /// The same after everything that the process was sent before: who sends it something and then asks, as AO's clients do,
    /// sees what came of it.
    pub(crate) async fn dry_run_of_now(
        &self,
        process: &Id,
        message: Message,
    ) -> Result<Result<Effects, String>, HttpError> {
        self.caught_up(process).await?;
        let _request = one_more(&self.requests, "requests")?;
        self.dry_run(process, message).await
    }

    /// Waits until a process has handled everything that it was sent before. Who waits for a slow process takes no place of
    /// those who ask others.
    pub(crate) async fn caught_up(&self, process: &Id) -> Result<(), HttpError> {
        let _waiting = one_more(&self.waiting, "waiting requests")?;
        match self.unless_stopping(self.core.caught_up(process, RESULT_WAIT)).await {
            Some(outcome) => Ok(outcome?),
            None => Err(HttpError::busy("requests, because it stops,")),
        }
    }

    /// Waits for something to come, or for the node to shut down: nobody holds a shutdown up by waiting.
    pub(crate) async fn unless_stopping<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut stopping = self.stopping.clone();
        tokio::select! {
            outcome = work => Some(outcome),
            // An error means that the server is gone, which is the same.
            _ = stopping.wait_for(|stopping| *stopping) => None,
        }
    }
}

/// One more of what `what` names, if the node takes it.
pub(crate) fn one_more(semaphore: &Arc<Semaphore>, what: &str) -> Result<OwnedSemaphorePermit, HttpError> {
    Arc::clone(semaphore).try_acquire_owned().map_err(|_| HttpError::busy(what))
}
