//! A command's view of a node: the client, and the names under which its processes are known.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use ao::{Id, Tags, Wallet};
use client::Client;
use serde::de::DeserializeOwned;

use crate::arguments::GlobalArguments;
use crate::config::Config;
use crate::worker;

/// A node, a wallet, and the names of the node's processes.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// The client.
    pub(crate) client: Client,
    names: BTreeMap<String, Id>,
}

impl Session {
    /// For commands that only read.
    pub(crate) async fn reading(global: &GlobalArguments) -> anyhow::Result<Self> {
        let config = Config::load(global)?;
        Self::open(&config.client.url, None).await
    }

    /// For commands that sign.
    pub(crate) async fn signing(global: &GlobalArguments) -> anyhow::Result<Self> {
        let config = Config::load(global)?;
        let wallet = read_wallet(&config.client.wallet)?;
        Self::open(&config.client.url, Some(wallet)).await
    }

    /// A node, and a wallet if there is something to sign.
    pub(crate) async fn open(url: &str, wallet: Option<Wallet>) -> anyhow::Result<Self> {
        let client = Client::new(url, wallet)?;
        let names = client.genesis().await?;
        Ok(Self { client, names })
    }

    /// As [`Session::open`] without a wallet, for a daemon: a node that is away is waited for.
    pub(crate) async fn await_node(url: &str) -> anyhow::Result<Self> {
        let client = Client::new(url, None)?;
        let names = worker::patiently("looking for the node", || client.genesis()).await?;
        Ok(Self { client, names })
    }

    /// The same node with another wallet.
    pub(crate) fn with_wallet(&self, wallet: Wallet) -> Self {
        Self { client: self.client.clone().with_wallet(wallet), names: self.names.clone() }
    }

    /// The address of the wallet.
    pub(crate) fn address(&self) -> anyhow::Result<Id> {
        self.client.address().ok_or_else(|| anyhow!("this needs a wallet; name one with --wallet"))
    }

    /// A process by its id or by its name at the node (`token`, `benchmark`, …).
    pub(crate) fn process(&self, text: &str) -> anyhow::Result<Id> {
        if let Some(id) = self.names.get(text) {
            return Ok(*id);
        }
        text.parse().map_err(|error| {
            let known: Vec<&str> = self.names.keys().map(String::as_str).collect();
            anyhow!("'{text}' is no process: {error}; the node knows these by name: {}", known.join(", "))
        })
    }

    /// Asks without sending: the output of a dry-run as JSON of a type.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        process: &Id,
        tags: Tags,
        data: impl AsRef<[u8]>,
    ) -> anyhow::Result<T> {
        let output = self.client.dry_run(process, tags, data).await?.output;
        if let Some(error) = output.error {
            bail!("{error}");
        }
        let start: String = output.data.chars().take(200).collect();
        serde_json::from_str(&output.data).with_context(|| format!("{process} answered what cannot be read: {start}"))
    }
}

/// A wallet from its file.
pub(crate) fn read_wallet(path: &Path) -> anyhow::Result<Wallet> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!("the wallet {} cannot be read; 'aobench wallet new' makes one, --wallet names another", path.display())
    })?;
    only_its_owners(path)?;
    Wallet::from_jwk(&text).with_context(|| format!("{} is no wallet", path.display()))
}

/// Refuses a file with a secret that others of this machine may read.
#[cfg(unix)]
pub(crate) fn only_its_owners(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode =
        std::fs::metadata(path).with_context(|| format!("{} cannot be read", path.display()))?.permissions().mode();
    if mode & 0o077 != 0 {
        let (path, mode) = (path.display(), mode & 0o777);
        bail!("others may read the secret in {path} (mode {mode:o}); 'chmod 600 {path}' keeps it to you");
    }
    Ok(())
}

/// Other systems guard files by other means.
#[cfg(not(unix))]
pub(crate) fn only_its_owners(_path: &Path) -> anyhow::Result<()> {
    Ok(())
}

/// Tags with an action.
pub(crate) fn action(name: &str) -> Tags {
    Tags::new().with("Action", name)
}
