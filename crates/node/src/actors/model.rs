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

/// An upload that says in its tag `Participant` who enters it is entered by nobody else: uploads are public, and whoever
/// sees one could be quicker than its owner.
fn check_participant(message: &Message, id: &Id, gateway: &Gateway) -> Result<(), String> {
    let Some(entrant) = message.tag("Participant") else { return Ok(()) };
    let stored = gateway.find(id).map_err(|error| error.to_string())?;
    let named = stored.and_then(|stored| stored.tags.get("Participant")?.parse::<Id>().ok());
    match named {
        Some(named) if named.to_string() != entrant => {
            Err(format!("its upload says that {named} enters it, and nobody else"))
        }
        _ => Ok(()),
    }
}

/// Looks into models, and remembers: an upload never changes.
pub(super) struct Models {
    inspector: Option<Arc<dyn ModelInspector>>,
    known: Mutex<BTreeMap<Id, ModelFacts>>,
}

impl Models {
    pub(super) fn new(inspector: Option<Arc<dyn ModelInspector>>) -> Self {
        Self { inspector, known: Mutex::default() }
    }

    pub(super) fn facts(&self, message: &Message, gateway: &Gateway) -> Answer {
        let text =
            message.tag("Model").ok_or("the tag 'Model' is missing: it names the data transaction of the model")?;
        let id: Id = text.parse().map_err(|error| format!("the model '{text:.64}' is no id: {error}"))?;
        check_participant(message, &id, gateway)?;
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        let facts = match known {
            Some(facts) => facts,
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
        // Why a file could not be read may have gone by the next time; that one is no model is found out at its beginning.
        let facts = inspector.inspect(file, stored.data_offset, stored.data_length)?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        while known.len() >= limits::MODEL_FACTS_MAX {
            known.pop_first();
        }
        known.insert(id, facts.clone());
        Ok(facts)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use ao::{DataItem, MessageKind, Wallet, WalletKind};

    use super::*;
    use crate::gateway::GatewayLimits;

    struct Anything;

    impl ModelInspector for Anything {
        fn inspect(&self, _file: std::fs::File, _offset: u64, length: u64) -> Result<ModelFacts, String> {
            let hash = "0".repeat(64);
            let (content_hash, file_hash) = (hash.clone(), hash);
            let (architecture, name) = ("llama".to_owned(), "x".to_owned());
            Ok(ModelFacts { content_hash, file_hash, bytes: length, architecture, name, parameters: 1 })
        }
    }

    #[tokio::test]
    async fn an_upload_that_says_who_enters_it_is_entered_by_nobody_who_was_quicker() {
        let folder = tempfile::tempdir().unwrap();
        let gateway = Arc::new(Gateway::open(folder.path(), GatewayLimits::new(1 << 20)).unwrap());
        let [tina, mallory] = [(); 2].map(|()| Wallet::generate(WalletKind::Ed25519).unwrap());
        let mut uploads = Vec::new();
        for tags in [Tags::new().with("Participant", tina.address().to_string()), Tags::new()] {
            let item = DataItem::sign(&tina, None, None, tags, b"weights".to_vec()).unwrap();
            let bytes = item.to_bytes();
            let pieces = futures_util::stream::iter([Ok::<_, Infallible>(bytes.clone())]);
            gateway.receive(pieces, bytes.len() as u64, 7).await.unwrap();
            uploads.push(item.id());
        }
        let models = Models::new(Some(Arc::new(Anything)));
        let facts = |upload: &Id, participant: Option<&Wallet>| {
            let mut tags = Tags::new().with("Action", "Inspect-Model").with("Model", upload.to_string());
            if let Some(wallet) = participant {
                tags.push("Participant", wallet.address().to_string());
            }
            let (id, kind) = (Id::default(), MessageKind::Pushed);
            let message = Message { kind, ..Message::dry_run(id, id, tags, "") };
            models.facts(&message, &gateway).map(|_| ())
        };
        let [named, free] = [uploads[0], uploads[1]];
        for asked_first in [false, true] {
            let refused = facts(&named, Some(&mallory)).unwrap_err();
            assert!(refused.contains(&tina.address().to_string()), "{refused}");
            assert_eq!(facts(&named, Some(&tina)), Ok(()), "{asked_first}");
            assert_eq!(facts(&named, None), Ok(()), "who evaluates a model enters it nowhere");
            assert_eq!(facts(&free, Some(&mallory)), Ok(()), "whose uploader says nothing");
        }
    }
}
