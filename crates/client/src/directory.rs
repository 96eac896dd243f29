//! What a node offers: its processes, and the names of those it began with.

use std::collections::BTreeMap;

use ao::Id;
use serde::{Deserialize, Serialize};

use crate::{Client, ClientError, transport};

/// A process of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessInfo {
    /// Its id.
    pub id: Id,
    /// Its `Name` tag; empty if it has none.
    #[serde(default)]
    pub name: String,
    /// Name of its module, or its id where the node knows no name.
    pub module: String,
    /// Who spawned it.
    pub owner: Id,
    /// Its last slot in the log.
    pub head: u64,
    /// The last slot that was carried out; behind `head` while it works.
    pub applied: u64,
}

#[derive(Deserialize)]
struct Processes {
    processes: Vec<ProcessInfo>,
}

/// An uploaded model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelInfo {
    /// Its data transaction id.
    pub id: Id,
    /// Who uploaded it.
    pub owner: Id,
    /// The name that its uploader gave it; empty if none.
    #[serde(default)]
    pub name: String,
    /// Bytes of the file.
    pub bytes: u64,
}

#[derive(Deserialize)]
struct Models {
    models: Vec<ModelInfo>,
}

impl Client {
    /// The newest models that were uploaded to the node.
    pub async fn models(&self) -> Result<Vec<ModelInfo>, ClientError> {
        let url = self.path(&["models"]);
        let response = transport::send(&self.get(url.clone()), self.url(), self.retry).await?;
        transport::json::<Models>(response, url.as_str()).await.map(|list| list.models)
    }

    /// The processes with which the node began, by name: token, benchmark, herder, …
    pub async fn genesis(&self) -> Result<BTreeMap<String, Id>, ClientError> {
        let url = self.path(&["genesis"]);
        let response = transport::send(&self.get(url.clone()), self.url(), self.retry).await?;
        transport::json(response, url.as_str()).await
    }

    /// All processes of the node.
    pub async fn processes(&self) -> Result<Vec<ProcessInfo>, ClientError> {
        let url = self.path(&["processes"]);
        let response = transport::send(&self.get(url.clone()), self.url(), self.retry).await?;
        transport::json::<Processes>(response, url.as_str()).await.map(|list| list.processes)
    }
}
