//! The worker's inbox: each message of the herder once, in order.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use ao::Id;
use client::{Client, InboxMessage};
use tokio::sync::mpsc;

use super::desk::Desk;
use super::job::{Instruction, Job, Work};
use super::memory::Memory;
use super::patiently;

/// How long one look into the inbox waits for something to come.
const INBOX_WAIT: Duration = Duration::from_secs(20);
/// How long a lease is if the herder does not say.
const LEASE_DEFAULT: Duration = Duration::from_mins(2);

/// The inbox, and how far it is read.
pub(super) struct Inbox {
    client: Client,
    herder: Id,
    address: Id,
    desk: Arc<Desk>,
    memory: Arc<Mutex<Memory>>,
    jobs: mpsc::Sender<Work>,
    next: u64,
}

impl Inbox {
    /// The inbox from where it was read to.
    pub(super) fn new(
        client: Client,
        herder: Id,
        address: Id,
        desk: Arc<Desk>,
        memory: Arc<Mutex<Memory>>,
        jobs: mpsc::Sender<Work>,
    ) -> Self {
        let next = memory.lock().unwrap_or_else(PoisonError::into_inner).next();
        Self { client, herder, address, desk, memory, jobs, next }
    }

    /// Reads past everything that came before this registration, because those leases were given back by it. Instructions
    /// are followed all the same. The length of a lease is what the herder says.
    pub(super) async fn skip_to(&mut self, registration: &Id) -> anyhow::Result<Duration> {
        loop {
            let page =
                patiently("reading the inbox", || self.client.inbox(&self.address, self.next, INBOX_WAIT)).await?;
            if page.messages.is_empty() {
                // The answer to a registration that is carried out comes at once, unless this inbox is shorter than the
                // one that was read before: then it is another one, and is read from its beginning.
                tracing::warn!(next = self.next, "the inbox does not go on; it is read from its beginning");
                self.next = 0;
            }
            for message in &page.messages {
                self.next = message.slot + 1;
                if message.pushed_for == *registration && message.action() == "Worker-Registered" {
                    self.remember();
                    let seconds = message.tags.get("Lease-Seconds").and_then(|value| value.parse().ok());
                    return Ok(seconds.map_or(LEASE_DEFAULT, Duration::from_secs));
                }
                if message.from == self.herder && message.action() != "Inference" {
                    self.hand_on(message).await?;
                }
            }
        }
    }

    /// Hands on what comes, for ever.
    pub(super) async fn read_for_ever(&mut self) -> anyhow::Result<()> {
        loop {
            let page =
                patiently("reading the inbox", || self.client.inbox(&self.address, self.next, INBOX_WAIT)).await?;
            for message in &page.messages {
                if message.from == self.herder {
                    self.hand_on(message).await?;
                } else {
                    tracing::debug!(from = %message.from, "a message that is not from the herder");
                }
                self.next = message.slot + 1;
            }
            if !page.messages.is_empty() {
                self.remember();
            }
        }
    }

    async fn hand_on(&self, message: &InboxMessage) -> anyhow::Result<()> {
        let work = match message.action() {
            "Inference" => Job::read(message).map(|job| Some(Work::Job(job))),
            "loadModel" | "setMaxTokens" | "setSystemPrompt" => {
                Instruction::read(message).map(|instruction| Some(Work::Instruction(instruction)))
            }
            _ => Ok(None),
        };
        match work {
            Ok(None) => {}
            Ok(Some(work)) => {
                if let Work::Job(job) = &work {
                    // From now on the signs of life name it, so that its lease goes on while it waits for its turn.
                    self.desk.begin(job);
                }
                self.jobs.send(work).await.context("the thread of the engine has ended")?;
            }
            Err(reason) => tracing::warn!(message = %message.id, reason, "a message of the herder that cannot be read"),
        }
        Ok(())
    }

    fn remember(&self) {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner).read_up_to(self.next);
    }
}
