//! Asking what is answered later: by a worker of the herd, by a knowledge process. The answer comes into the inbox of the
//! wallet that asked, under the reference that it gave.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::bail;
use ao::{Id, Tags};
use client::InboxMessage;
use tokio::time::Instant;

use crate::session::{Session, action};
use crate::worker::Service;

/// Questions and their answers.
pub(crate) struct Herd {
    session: Session,
    wait: Duration,
    /// The slot of the inbox that comes next.
    next: u64,
    /// Answers that came, by their action and reference.
    answers: BTreeMap<(String, String), InboxMessage>,
}

impl Herd {
    /// Answers are waited for `wait` each.
    pub(crate) fn new(session: Session, wait: Duration) -> Self {
        Self { session, wait, next: 0, answers: BTreeMap::new() }
    }

    /// Asks the herder for a kind of work; the reference of the answer.
    pub(crate) async fn ask(&mut self, herder: Id, service: Service, data: &str) -> anyhow::Result<String> {
        let tags = action("Inference").with("WorkerType", service.name());
        self.send(herder, tags, data).await
    }

    /// Sends a question with a new reference, and says which.
    pub(crate) async fn send(&mut self, process: Id, tags: Tags, data: &str) -> anyhow::Result<String> {
        let mut bytes = [0_u8; 12];
        getrandom::fill(&mut bytes)?;
        let reference = bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        let (_, result) = self.session.client.request(process, tags.with("Reference", &reference), data).await?;
        if let Some(error) = result.output.error {
            bail!("{error}");
        }
        Ok(reference)
    }

    /// Waits for the answer with a reference. An answer with an error is that error.
    pub(crate) async fn answer(&mut self, answered: &str, reference: &str) -> anyhow::Result<InboxMessage> {
        let address = self.session.address()?;
        let key = (answered.to_owned(), reference.to_owned());
        let end = Instant::now() + self.wait;
        loop {
            if let Some(message) = self.answers.remove(&key) {
                match message.tags.get("Error") {
                    Some(error) => bail!("{error}"),
                    None => return Ok(message),
                }
            }
            let left = end.saturating_duration_since(Instant::now());
            let page = self.session.client.inbox(&address, self.next, left).await?;
            if page.messages.is_empty() && Instant::now() >= end {
                let seconds = self.wait.as_secs();
                bail!(
                    "no answer within {seconds} s: is there a worker for it? (aobench worker --type …, --wait waits longer)"
                );
            }
            self.next = page.next;
            for message in page.messages {
                if let Some(reference) = message.tags.get("Reference") {
                    self.answers.insert((message.action().to_owned(), reference.to_owned()), message);
                }
            }
        }
    }
}
