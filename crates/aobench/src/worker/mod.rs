//! The worker: an AO client with a wallet of its own that answers questions with models. It registers with a herder, reads
//! its inbox, and answers each lease with one signed message. The models run in child processes that hold no key.
//!
//! It forgets nothing that matters when it dies: its leases go back to the herder when it registers again, or when they
//! run out. A node that is away is waited for.

mod answer;
mod cache;
mod desk;
mod engines;
mod job;

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use ao::{Id, Tags, Wallet};
use client::{Client, ClientError, InboxMessage};
use tokio::sync::mpsc;
use tokio::time::Instant;

use self::desk::Desk;
use self::job::{Instruction, Job};
use crate::session::action;

/// How long one look into the inbox waits for something to come.
const INBOX_WAIT: Duration = Duration::from_secs(20);
/// The first pause after the node was away; it doubles up to the second.
const PAUSE_FIRST: Duration = Duration::from_millis(200);
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How long a lease is if the herder does not say.
const LEASE_DEFAULT: Duration = Duration::from_mins(2);
/// Jobs that wait between the inbox and the engine. The herder sends no more than the capacity, one lease at least each.
const JOBS_WAITING_MAX: usize = 1024;

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
    /// Memory of a child that holds a model, bytes.
    pub(crate) memory_bytes_max: u64,
}

/// Works until `shutdown` is done, then gives its leases back.
pub(crate) async fn run(config: WorkerConfig, shutdown: impl Future<Output = ()>) -> anyhow::Result<()> {
    let client = Client::new(&config.url, Some(config.wallet.clone()))?;
    let address = config.wallet.address();
    let (jobs, waiting) = mpsc::channel(JOBS_WAITING_MAX);
    let desk = Arc::new(Desk::new(client.clone(), config.herder));
    let engine = engines::start(&config, client.clone(), Arc::clone(&desk), waiting)?;
    let mut inbox = Inbox { client: client.clone(), herder: config.herder, address, next: 0, jobs };
    tokio::pin!(shutdown);
    let outcome = tokio::select! {
        () = &mut shutdown => Ok(()),
        outcome = work(&config, &client, &desk, &mut inbox) => outcome,
    };
    drop(inbox);
    desk.close();
    // Leases that were not answered go to others at once instead of after their deadline.
    let goodbye = client.send(config.herder, action("Unregister-Worker"), "");
    if !matches!(tokio::time::timeout(Duration::from_secs(2), goodbye).await, Ok(Ok(_))) {
        tracing::warn!("the herder could not be told that this worker stops; its leases end by themselves");
    }
    engine.stop().await;
    outcome
}

/// Registers, and then reads the inbox and gives signs of life for ever.
async fn work(config: &WorkerConfig, client: &Client, desk: &Desk, inbox: &mut Inbox) -> anyhow::Result<()> {
    let tags = registration(config).with("Fresh", "true");
    let registered = patiently("registering", || client.request(config.herder, tags.clone(), "")).await;
    let (registration_id, _) = registered.context("the herder does not take this worker")?;
    let lease = inbox.skip_to_registration(&registration_id).await?;
    tracing::info!(worker = %inbox.address, herder = %config.herder, "registered");
    let beat_every = lease / 3;
    let mut next_beat = Instant::now() + beat_every;
    loop {
        if Instant::now() >= next_beat {
            let tags = desk.heartbeat(registration(config));
            match client.send(config.herder, tags, "").await {
                Ok(_) => {}
                Err(error) if error.is_passing() => tracing::warn!(%error, "no sign of life could be given"),
                Err(error) => return Err(error.into()),
            }
            next_beat = Instant::now() + beat_every;
        }
        inbox.read(next_beat.saturating_duration_since(Instant::now()).min(INBOX_WAIT)).await?;
    }
}

fn registration(config: &WorkerConfig) -> Tags {
    action("Register-Worker")
        .with("WorkerType", "Llama")
        .with("Capacity", config.capacity.to_string())
        .with("Models", "any")
}

/// Repeats a request while the node is away or busy.
async fn patiently<T, F>(what: &str, mut request: impl FnMut() -> F) -> Result<T, ClientError>
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

/// The worker's inbox, and how far it is read.
struct Inbox {
    client: Client,
    herder: Id,
    address: Id,
    next: u64,
    jobs: mpsc::Sender<job::Work>,
}

impl Inbox {
    /// Reads past everything that came before this registration: those leases were given back by it. The length of a
    /// lease is what the herder says.
    async fn skip_to_registration(&mut self, registration: &Id) -> anyhow::Result<Duration> {
        loop {
            let page =
                patiently("reading the inbox", || self.client.inbox(&self.address, self.next, INBOX_WAIT)).await?;
            for message in &page.messages {
                self.next = message.slot + 1;
                if message.pushed_for == *registration && message.action() == "Worker-Registered" {
                    let seconds = message.tags.get("Lease-Seconds").and_then(|value| value.parse().ok());
                    return Ok(seconds.map_or(LEASE_DEFAULT, Duration::from_secs));
                }
            }
        }
    }

    /// Reads what has come, waiting for the first message, and hands jobs on.
    async fn read(&mut self, wait: Duration) -> anyhow::Result<()> {
        let page = patiently("reading the inbox", || self.client.inbox(&self.address, self.next, wait)).await?;
        for message in page.messages {
            self.next = message.slot + 1;
            if message.from != self.herder {
                tracing::debug!(from = %message.from, "a message that is not from the herder");
                continue;
            }
            if let Some(work) = read_work(&message) {
                self.jobs.send(work).await.context("the engine has ended")?;
            }
        }
        Ok(())
    }
}

/// What the herder wants, if it wants something.
fn read_work(message: &InboxMessage) -> Option<job::Work> {
    match message.action() {
        "Inference" => match Job::read(message) {
            Ok(job) => Some(job::Work::Job(job)),
            Err(reason) => {
                tracing::warn!(message = %message.id, reason, "a job that cannot be read");
                None
            }
        },
        "loadModel" | "setMaxTokens" | "setSystemPrompt" => Instruction::read(message).map(job::Work::Instruction),
        _ => None,
    }
}
