//! How many dry-runs are worked on at one time. Anybody may ask for one, of any process and in anybody's name, and it costs
//! them nothing; so they have places of their own, and take neither all threads nor all processors from messages.

use std::time::Duration;

use ao::Id;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::ReadError;
use crate::limits;

/// How long a dry-run waits for its place.
const WAIT: Duration = Duration::from_secs(10);

/// The places of dry-runs.
pub(crate) struct DryRuns {
    /// Of native processes, which take about as long as reading their tables.
    native: Semaphore,
    /// Of modules of AO, which anybody can let compute for seconds. They do not stand before the others.
    modules: Semaphore,
}

impl DryRuns {
    pub(crate) fn new() -> Self {
        Self {
            native: Semaphore::new(limits::DRY_RUNS_NATIVE_MAX),
            modules: Semaphore::new(limits::DRY_RUNS_MODULE_MAX),
        }
    }

    /// A place for a dry-run of a process, waited for if there is none.
    pub(crate) async fn place(&self, process: Id, is_native: bool) -> Result<SemaphorePermit<'_>, ReadError> {
        let places = if is_native { &self.native } else { &self.modules };
        match tokio::time::timeout(WAIT, places.acquire()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(ReadError::Busy(process)),
        }
    }
}
