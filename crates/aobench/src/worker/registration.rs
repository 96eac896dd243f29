//! Being known to the herder: registering, signs of life, and leaving.

use std::time::Duration;

use ao::{Id, Tags};
use client::{Client, ClientError};
use tokio::time::Instant;

use super::desk::Desk;
use super::{WorkerConfig, patiently};
use crate::session::action;

/// How long a worker that the owner of the herder has not allowed waits before it asks again.
const REFUSED_PAUSE: Duration = Duration::from_secs(5);

/// The worker as the herder knows it.
pub(super) struct Registration {
    client: Client,
    herder: Id,
    address: Id,
    capacity: u32,
    /// The kinds of work it does, as the herder reads them.
    services: String,
}

impl Registration {
    /// Nothing is sent yet.
    pub(super) fn new(config: &WorkerConfig, client: Client) -> Self {
        let services = config.services.iter().map(|service| service.name()).collect::<Vec<_>>().join(",");
        let (herder, address, capacity) = (config.herder, config.wallet.address(), config.capacity);
        Self { client, herder, address, capacity, services }
    }

    /// Registers; the message that did it. A worker that is not allowed waits until its owner is.
    pub(super) async fn begin(&self) -> Result<Id, ClientError> {
        // A worker that starts remembers no lease: what it held must go to others, or come back to it, at once.
        let tags = self.tags("Register-Worker").with("Fresh", "true");
        loop {
            match patiently("registering", || self.client.request(self.herder, tags.clone(), "")).await {
                Ok((message, _)) => return Ok(message),
                Err(ClientError::Fault { text, .. }) => {
                    let address = self.address;
                    tracing::warn!(
                        "{text}; the owner lets it in with Action=Allow-Worker Worker={address}; asking again"
                    );
                    tokio::time::sleep(REFUSED_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A sign of life three times in each lease, for ever. It says everything anew, so that a herder that dropped the
    /// worker while the node or the network was away takes it back.
    pub(super) async fn give_signs_of_life(&self, desk: &Desk, lease: Duration) -> anyhow::Result<()> {
        let every = lease / 3;
        let mut next = Instant::now() + every;
        loop {
            tokio::time::sleep_until(next).await;
            next = Instant::now() + every;
            let mut tags = self.tags("Heartbeat");
            tags.extend(desk.load().iter().cloned());
            match self.client.request(self.herder, tags, "").await {
                Ok(_) => {}
                Err(error @ ClientError::Fault { .. }) => {
                    tracing::warn!(%error, "the herder wants nothing of this worker");
                }
                Err(error) if error.is_passing() => tracing::warn!(%error, "no sign of life could be given"),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Gives all leases back.
    pub(super) async fn end(&self) -> Result<(), ClientError> {
        self.client.send(self.herder, action("Unregister-Worker"), "").await.map(|_| ())
    }

    fn tags(&self, name: &str) -> Tags {
        action(name)
            .with("WorkerType", &self.services)
            .with("Capacity", self.capacity.to_string())
            .with("Models", "any")
    }
}
