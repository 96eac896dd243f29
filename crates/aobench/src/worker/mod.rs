//! The worker: an AO client with a wallet of its own that answers questions with models. It registers with a herder, reads
//! its inbox, and answers each lease with one signed message. The models run in child processes that hold no key.
//!
//! - `registration`: being known to the herder, and signs of life.
//! - `inbox`: what the herder sends, each message once; `memory` keeps how far it was read.
//! - `job`, `engines`, `answer`: from a message to a result, on one thread that runs one batch at a time.
//! - `service`: the kinds of work; `judging`, `chatting`: those that have prompts of their own.
//! - `serving`, `call`: the same models for people with a key, over HTTP.
//! - `cache`, `space`: model files by hash, and how much room they may take.
//! - `desk`: what is being worked on, and the sending of answers.
//!
//! It forgets nothing that matters when it dies: a worker that registers anew gives back what it held, and the herder
//! gives it out again. A node that is away is waited for.

mod answer;
mod cache;
mod call;
mod chatting;
mod desk;
mod engines;
mod inbox;
mod job;
pub(crate) mod judging;
mod memory;
mod registration;
mod service;
mod serving;
mod space;

use std::collections::BTreeSet;
use std::fs::{File, TryLockError};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context as _, bail};
use ao::{Id, Wallet};
use client::{Client, ClientError};
use inference::InstructionSet;
use tokio::sync::mpsc;

use self::desk::Desk;
use self::engines::EngineThread;
use self::inbox::Inbox;
use self::memory::Memory;
use self::registration::Registration;
pub(crate) use self::service::Service;
pub(crate) use self::serving::Serving;

/// The first pause after the node was away; it doubles up to the second.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// Jobs that wait between the inbox and the engine. The herder gives out no more than the capacity; if it does, the rest
/// stays in the inbox.
const JOBS_WAITING_MAX: usize = 1024;
/// How long the herder may take to hear that the worker stops.
const GOODBYE_WAIT: Duration = Duration::from_secs(2);

/// What a worker is told when it starts.
#[derive(Debug, Clone)]
pub(crate) struct WorkerConfig {
    /// The node.
    pub(crate) url: String,
    /// The worker's own wallet.
    pub(crate) wallet: Wallet,
    /// The herder.
    pub(crate) herder: Id,
    /// Where models are cached.
    pub(crate) data: PathBuf,
    /// Prompts in flight.
    pub(crate) capacity: u32,
    /// Threads of the engine.
    pub(crate) threads: u32,
    /// What the engine computes with.
    pub(crate) instructions: InstructionSet,
    /// Memory of a child that holds a model, bytes.
    pub(crate) memory_bytes_max: u64,
    /// The kinds of work that it does.
    pub(crate) services: BTreeSet<Service>,
    /// The model for work that names none; what the herder's owner chose if there is no such file.
    pub(crate) model: Option<PathBuf>,
    /// Bytes that fetched models may take.
    pub(crate) model_space_bytes_max: u64,
    /// Where and for whom it answers over HTTP, if it does.
    pub(crate) serving: Option<Serving>,
}

/// SHA-256 of a model file of this machine, which must be one.
pub(crate) fn file_hash(path: &Path) -> anyhow::Result<String> {
    cache::CachedModel::at(path).map(|model| model.file_hash)
}

/// Works until `shutdown` is done, then gives its leases back.
pub(crate) async fn run(config: WorkerConfig, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    tokio::pin!(shutdown);
    let _lock = lock(&config.data)?;
    let client = Client::new(&config.url, Some(config.wallet.clone()))?;
    let node = tokio::select! {
        () = &mut shutdown => return Ok(()),
        node = patiently("looking for the node", || client.node_address()) => node?,
    };
    let memory = Arc::new(Mutex::new(Memory::open(&config.data, node, config.herder)?));
    let (jobs, waiting) = mpsc::channel(JOBS_WAITING_MAX);
    let desk = Arc::new(Desk::new(client.clone(), config.herder));
    let engine = EngineThread::start(&config, client.clone(), Arc::clone(&desk), Arc::clone(&memory), waiting)?;
    if let Some(serving) = &config.serving {
        serving.start(jobs.clone(), config.model.as_deref()).await?;
    }
    let registration = Registration::new(&config, client.clone());
    let mut inbox = Inbox::new(client, config.herder, config.wallet.address(), Arc::clone(&desk), memory, jobs);
    let outcome = tokio::select! {
        () = &mut shutdown => Ok(()),
        outcome = work(&registration, &desk, &mut inbox) => outcome,
    };
    desk.close();
    drop(inbox);
    // Leases that were not answered go to others at once instead of after their deadline.
    if !matches!(tokio::time::timeout(GOODBYE_WAIT, registration.end()).await, Ok(Ok(()))) {
        tracing::warn!("the herder could not be told that this worker stops; its leases end by themselves");
    }
    engine.stop().await;
    outcome
}

/// Registers, and then reads the inbox and gives signs of life for ever.
async fn work(registration: &Registration, desk: &Desk, inbox: &mut Inbox) -> anyhow::Result<()> {
    let registered = registration.begin().await.context("the herder does not take this worker")?;
    let lease = inbox.skip_to(&registered).await?;
    tracing::info!(lease_seconds = lease.as_secs(), "registered");
    tokio::try_join!(registration.give_signs_of_life(desk, lease), inbox.read_for_ever())?;
    Ok(())
}

/// One worker works in a folder: two with the same wallet would take each other's jobs.
fn lock(folder: &Path) -> anyhow::Result<File> {
    let path = folder.join("worker.lock");
    let opened = std::fs::create_dir_all(folder).and_then(|()| File::create(&path));
    let file = opened.with_context(|| format!("the folder {} of the worker cannot be used", folder.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            bail!("another worker uses the folder {}; give each its own with --data", folder.display())
        }
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("{} cannot be locked", path.display())),
    }
}

/// Repeats a request while the node is away or busy.
pub(crate) async fn patiently<T, F>(what: &str, mut request: impl FnMut() -> F) -> Result<T, ClientError>
where
    F: Future<Output = Result<T, ClientError>>,
{
    let mut pause = PAUSE_FIRST;
    loop {
        match request().await {
            Err(error) if error.is_passing() => {
                tracing::warn!(%error, "{what}: trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_worker_in_the_same_folder_is_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path()).unwrap();
        assert!(lock(folder.path()).unwrap_err().to_string().contains("another worker"));
        drop(first);
        assert!(lock(folder.path()).is_ok());
    }
}
