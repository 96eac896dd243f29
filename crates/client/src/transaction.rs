//! What a gateway tells of a transaction in GraphQL, the one question that all gateways of Arweave answer alike. Its signature
//! is told too, so that a file from whatever gateway can be checked by the id alone.

use std::path::Path;

use ao::{Id, ItemHeader, SignatureType, Tags};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::json;

use crate::limits::ANSWER_WAIT;
use crate::{Client, ClientError, transport, verify};

/// The question.
const QUERY: &str = "query ($id: ID!) { transaction(id: $id) { anchor signature recipient owner { key } data { size } \
                     tags { name value } } }";

/// The kinds of signatures. GraphQL does not tell which one it is: those are tried whose lengths fit.
const KINDS: [SignatureType; 4] =
    [SignatureType::Arweave, SignatureType::Ed25519, SignatureType::Ethereum, SignatureType::Solana];

#[derive(Deserialize)]
struct Answer {
    data: Option<Data>,
}

#[derive(Deserialize)]
struct Data {
    transaction: Option<Told>,
}

#[derive(Deserialize)]
struct Told {
    anchor: Option<String>,
    signature: Option<String>,
    recipient: Option<String>,
    owner: Owner,
    data: Size,
    tags: Tags,
}

#[derive(Deserialize)]
struct Size {
    size: String,
}

#[derive(Deserialize)]
struct Owner {
    key: Option<String>,
}

/// A transaction without its data.
#[derive(Debug, Clone)]
pub struct Transaction {
    id: Id,
    /// Its tags, as the gateway tells them; true if [`Transaction::verify`] holds.
    pub tags: Tags,
    /// Bytes of its data, as the gateway tells them.
    pub bytes: u64,
    headers: Vec<ItemHeader>,
}

impl Client {
    /// What the gateway knows of a transaction; nothing if it knows none of that id.
    pub async fn transaction(&self, id: &Id) -> Result<Option<Transaction>, ClientError> {
        let url = self.path(&["graphql"]);
        let body = json!({ "query": QUERY, "variables": { "id": id } });
        let request = self.http.post(url.clone()).timeout(ANSWER_WAIT).json(&body);
        let response = transport::send(&request, self.url(), self.retry).await?;
        let answer: Answer = transport::json(response, url.as_str()).await?;
        let told = answer.data.and_then(|data| data.transaction);
        let Some(told) = told else { return Ok(None) };
        let bytes = told.data.size.parse().map_err(|_| ClientError::BadAnswer {
            url: url.to_string(),
            reason: "it gives no size of the data".to_owned(),
        })?;
        Ok(Some(Transaction { id: *id, headers: told.headers(id), bytes, tags: told.tags }))
    }
}

impl Told {
    /// The headers with this id that it may be the content of; none of a layer-1 transaction, which is signed otherwise.
    fn headers(&self, id: &Id) -> Vec<ItemHeader> {
        let decoded = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_deref().unwrap_or_default()).ok();
        let (Some(signature), Some(owner), Some(anchor)) =
            (decoded(&self.signature), decoded(&self.owner.key), decoded(&self.anchor))
        else {
            return Vec::new();
        };
        let target = self.recipient.as_deref().and_then(|recipient| recipient.parse().ok());
        let anchor = <[u8; 32]>::try_from(anchor).ok();
        let of =
            |kind| ItemHeader::of_parts(kind, signature.clone(), owner.clone(), target, anchor, self.tags.clone()).ok();
        KINDS.into_iter().filter_map(of).filter(|header| header.id() == *id).collect()
    }
}

impl Transaction {
    /// Checks that a file is the data of this transaction, and that the tags are those that were signed with it.
    ///
    /// # Errors
    /// [`ClientError::NotTheData`] if it is not, or if the gateway does not tell what it takes to know.
    pub async fn verify(self, path: &Path) -> Result<(), ClientError> {
        let wrong =
            |reason: &str| ClientError::NotTheData { id: self.id, path: path.to_owned(), reason: reason.to_owned() };
        if self.headers.is_empty() {
            return Err(wrong("the gateway tells no signature of an item with this id"));
        }
        for header in self.headers.clone() {
            if verify::holds(header, path).await?.is_ok() {
                return Ok(());
            }
        }
        Err(wrong("the signature that the gateway tells does not hold over it"))
    }
}
