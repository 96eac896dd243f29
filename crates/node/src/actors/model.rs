//! `Inspect-Model`: what an uploaded model file is.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use ao::{Id, Message, Tags};
use serde::{Deserialize, Serialize};

use super::Answer;
use crate::gateway::Gateway;
use crate::limits;

/// What a model file is, read without trusting it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFacts {
    /// SHA-256 over the tensors (names, shapes, types, bytes), in hexadecimal: the same weights have the same hash, whatever
    /// the rest of the file says.
    pub content_hash: String,
    /// SHA-256 of the whole file, in hexadecimal.
    pub file_hash: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Its architecture, as the file names it.
    pub architecture: String,
    /// Its name, as the file gives it.
    pub name: String,
    /// How many weights it has.
    pub parameters: u64,
}

/// Looks into model files. The node itself knows no format of models; the binary brings one.
pub trait ModelInspector: Send + Sync {
    /// What the model is that lies in a file at `offset` and has `length` bytes, or why it is none, in words for its
    /// uploader.
    fn inspect(&self, file: std::fs::File, offset: u64, length: u64) -> Result<ModelFacts, String>;
}

/// Looks into models, and remembers: an upload never changes.
pub(super) struct Models {
    inspector: Option<Arc<dyn ModelInspector>>,
    known: Mutex<BTreeMap<Id, Result<ModelFacts, String>>>,
}

impl Models {
    pub(super) fn new(inspector: Option<Arc<dyn ModelInspector>>) -> Self {
        Self { inspector, known: Mutex::default() }
    }

    pub(super) fn facts(&self, message: &Message, gateway: &Gateway) -> Answer {
        let text =
            message.tag("Model").ok_or("the tag 'Model' is missing: it names the data transaction of the model")?;
        let id: Id = text.parse().map_err(|error| format!("the model '{text:.64}' is no id: {error}"))?;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        let facts = match known {
            Some(facts) => facts?,
            None => self.inspect(id, gateway)?,
        };
        let data = serde_json::to_vec(&facts).map_err(|error| error.to_string())?;
        Ok((Tags::new(), data))
    }

    fn inspect(&self, id: Id, gateway: &Gateway) -> Result<ModelFacts, String> {
        let inspector = self.inspector.as_ref().ok_or("this node cannot look into models")?;
        // An upload that is not here yet may come: that is no fact to remember.
        let stored = gateway.find(&id).map_err(|error| error.to_string())?;
        let stored = stored.ok_or_else(|| format!("there is no data {id} on this node: upload the model first"))?;
        let file = stored.open().map_err(|error| error.to_string())?;
        let facts = inspector.inspect(file, stored.data_offset, stored.data_length);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        while known.len() >= limits::MODEL_FACTS_MAX {
            known.pop_first();
        }
        known.insert(id, facts.clone());
        facts
    }
}
