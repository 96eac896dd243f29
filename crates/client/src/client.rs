//! The client: a node's address, a wallet, and the sending of signed items.

use std::sync::Arc;

use ao::{DataItem, Id, Tags, Wallet};
use reqwest::{Method, RequestBuilder, Url};
use serde::Deserialize;
use tokio::sync::OnceCell;

use crate::limits::{ANSWER_WAIT, CONNECT_WAIT};
use crate::transport::{self, Retry};
use crate::{ClientError, MessageResult};

/// A node as seen from outside, and the wallet with which things are signed. Cheap to clone.
#[derive(Clone)]
pub struct Client {
    pub(crate) node: Url,
    pub(crate) http: reqwest::Client,
    pub(crate) retry: Retry,
    wallet: Option<Arc<Wallet>>,
    node_address: Arc<OnceCell<Id>>,
}

impl std::fmt::Debug for Client {
    /// The address of the wallet, never the wallet.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let address = self.address();
        formatter
            .debug_struct("Client")
            .field("node", &self.node.as_str())
            .field("address", &address)
            .finish_non_exhaustive()
    }
}

/// The answer to a posted item.
#[derive(Deserialize)]
struct Posted {
    id: Id,
}

impl Client {
    /// A client of the node at `url` (`http://localhost:4000`), which signs with `wallet`. Nothing is sent yet. Without
    /// a wallet it can only read.
    pub fn new(url: &str, wallet: Option<Wallet>) -> Result<Self, ClientError> {
        let node = parse_url(url)?;
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_WAIT)
            .user_agent(concat!("aobench/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| ClientError::Url { url: url.to_owned(), reason: error.to_string() })?;
        let wallet = wallet.map(Arc::new);
        Ok(Self { node, http, retry: Retry::default(), wallet, node_address: Arc::default() })
    }

    /// The same client, trying as often as `retry` says.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// The same connection with another wallet.
    #[must_use]
    pub fn with_wallet(mut self, wallet: Wallet) -> Self {
        self.wallet = Some(Arc::new(wallet));
        self
    }

    /// The address of the node, without a slash at its end.
    pub fn url(&self) -> &str {
        self.node.as_str().trim_end_matches('/')
    }

    /// The address of the wallet, if there is one.
    pub fn address(&self) -> Option<Id> {
        self.wallet.as_deref().map(Wallet::address)
    }

    pub(crate) fn wallet(&self) -> Result<&Arc<Wallet>, ClientError> {
        self.wallet.as_ref().ok_or(ClientError::NoWallet)
    }

    /// Sends a message to a process (or to the node itself), signed by the wallet; its id. The node has it on disk when
    /// this returns. Two equal calls are two messages.
    pub async fn send(&self, target: Id, tags: Tags, data: impl Into<Vec<u8>>) -> Result<Id, ClientError> {
        self.post(&self.sign(Some(target), tags, data.into())?).await
    }

    /// Spawns a process of a module; its id, which is the id of the item. `Scheduler` is this node if the tags do not
    /// name another.
    pub async fn spawn(&self, module: Id, mut tags: Tags, data: impl Into<Vec<u8>>) -> Result<Id, ClientError> {
        if tags.get("Module").is_none() {
            tags.push("Module", module.to_string());
        }
        if tags.get("Scheduler").is_none() {
            tags.push("Scheduler", self.node_address().await?.to_string());
        }
        self.post(&self.sign(None, with_standard_tags(tags, "Process"), data.into())?).await
    }

    /// Sends a message and waits for its result. A fault of the process is [`ClientError::Fault`].
    pub async fn request(
        &self,
        process: Id,
        tags: Tags,
        data: impl Into<Vec<u8>>,
    ) -> Result<(Id, MessageResult), ClientError> {
        let message = self.send(process, tags, data).await?;
        let result = self.result(&process, &message).await?.or_fault(message)?;
        Ok((message, result))
    }

    /// Signs an item, a message unless its tags say otherwise, with a random anchor, which makes it another item than
    /// every equal one before it.
    pub fn sign(&self, target: Option<Id>, tags: Tags, data: Vec<u8>) -> Result<DataItem, ClientError> {
        let tags = with_standard_tags(tags, "Message");
        Ok(DataItem::sign(self.wallet()?, target, Some(random_anchor()?), tags, data)?)
    }

    /// Hands a signed item to the node; its id. Posting it again is the same item.
    pub async fn post(&self, item: &DataItem) -> Result<Id, ClientError> {
        let url = self.path(&[]);
        let request = self
            .http
            .post(url.clone())
            .header("content-type", "application/octet-stream")
            .header("accept", "application/json")
            .timeout(ANSWER_WAIT)
            .body(item.to_bytes());
        let response = transport::send(&request, self.url(), self.retry).await?;
        let posted: Posted = transport::json(response, url.as_str()).await?;
        if posted.id == item.id() {
            return Ok(posted.id);
        }
        let reason = format!("it names {} and not the item sent, {}", posted.id, item.id());
        Err(ClientError::BadAnswer { url: url.to_string(), reason })
    }

    /// The address of the node's own key: the scheduler of its processes, and the sender of facts. Asked once.
    pub async fn node_address(&self) -> Result<Id, ClientError> {
        self.node_address.get_or_try_init(|| self.ask_node_address()).await.copied()
    }

    async fn ask_node_address(&self) -> Result<Id, ClientError> {
        let url = self.path(&["~meta@1.0", "info", "address"]);
        let request = self.get(url.clone());
        let response = transport::send(&request, self.url(), self.retry).await?;
        let text = transport::text(response, url.as_str()).await?;
        text.trim()
            .parse()
            .map_err(|error: ao::IdError| ClientError::BadAnswer { url: url.to_string(), reason: error.to_string() })
    }

    /// An address at the node, each part escaped.
    pub(crate) fn path(&self, parts: &[&str]) -> Url {
        let mut url = self.node.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(parts);
        }
        url
    }

    pub(crate) fn get(&self, url: Url) -> RequestBuilder {
        self.http.request(Method::GET, url).header("accept", "application/json").timeout(ANSWER_WAIT)
    }
}

/// The tags that every AO item has, before the sender's own.
pub(crate) fn with_standard_tags(tags: Tags, kind: &str) -> Tags {
    let standard = [("Data-Protocol", "ao"), ("Type", kind), ("Variant", "ao.TN.1"), ("SDK", "aobench")];
    let mut all = Tags::new();
    for (name, value) in standard {
        if tags.get(name).is_none() {
            all.push(name, value);
        }
    }
    all.extend(tags.iter().cloned());
    all
}

pub(crate) fn random_anchor() -> Result<[u8; 32], ClientError> {
    let mut anchor = [0; 32];
    getrandom::fill(&mut anchor).map_err(|error| ClientError::Random(error.to_string()))?;
    Ok(anchor)
}

fn parse_url(text: &str) -> Result<Url, ClientError> {
    let bad = |reason: String| ClientError::Url { url: text.to_owned(), reason };
    let url = Url::parse(text.trim()).map_err(|error| bad(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(bad(format!("'{}' is neither http nor https", url.scheme())));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_address_says_what_a_good_one_looks_like() {
        for text in ["", "localhost:4000", "ftp://host", "http://", "http://host:99999"] {
            let error = Client::new(text, None).unwrap_err().to_string();
            assert!(error.contains("http://localhost:4000"), "{text:?}: {error}");
        }
    }

    #[test]
    fn parts_of_a_path_are_escaped() {
        let client = Client::new("http://localhost:4000/ao/", None).unwrap();
        assert_eq!(client.path(&["result", "a/../b c"]).as_str(), "http://localhost:4000/ao/result/a%2F..%2Fb%20c");
        assert_eq!(client.path(&[]).as_str(), "http://localhost:4000/ao");
        assert_eq!(client.url(), "http://localhost:4000/ao");
    }

    #[test]
    fn standard_tags_come_first_and_do_not_replace_given_ones() {
        let tags = with_standard_tags(Tags::new().with("Variant", "ao.N.1").with("Action", "Info"), "Message");
        let text: Vec<String> = tags.iter().map(|tag| format!("{}={}", tag.name, tag.value)).collect();
        assert_eq!(text, ["Data-Protocol=ao", "Type=Message", "SDK=aobench", "Variant=ao.N.1", "Action=Info"]);
    }

    #[test]
    fn clients_are_shared_between_tasks() {
        fn shared<T: Clone + Send + Sync + 'static>() {}
        shared::<Client>();
    }
}
