//! A node for one test, with a token and wallets.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

use ao::{DataItem, Id, Quantity, Tags, Wallet, WalletKind};
use node::{Config, Genesis, GenesisProcess, Node, NodeHandle};
use serde_json::{Value, json};

/// A node, a token whose owner is the operator, and two wallets.
pub(crate) struct Place {
    pub(crate) config: Config,
    pub(crate) node: NodeHandle,
    pub(crate) token: Id,
    pub(crate) alice: Wallet,
    pub(crate) bob: Id,
    http: reqwest::Client,
}

static ANCHOR: AtomicU64 = AtomicU64::new(1);

impl Place {
    /// Alice has 1000.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same with another token.
    pub(crate) async fn with(change: impl FnOnce(&mut GenesisProcess)) -> Self {
        let alice = Wallet::generate(WalletKind::Ed25519).unwrap();
        let balances = BTreeMap::from([(alice.address(), Quantity::new(1000))]);
        let mut config = Config::test();
        let mut process = GenesisProcess {
            name: "token".to_owned(),
            module: "token".to_owned(),
            tags: Tags::new().with("Name", "Test").with("Ticker", "TEST").with("Denomination", "0"),
            data: serde_json::to_vec(&balances).unwrap(),
            ..GenesisProcess::default()
        };
        change(&mut process);
        config.genesis = Genesis { processes: vec![process] };
        let node = Node::start(config.clone()).await.unwrap();
        let token = node.process("token").unwrap();
        node.idle().await;
        Self { config, node, token, alice, bob: Id::new([0xB0; 32]), http: reqwest::Client::new() }
    }

    /// A node that was started by the test itself.
    pub(crate) fn over(config: Config, node: NodeHandle, token: Id, alice: Wallet, bob: Id) -> Self {
        Self { config, node, token, alice, bob, http: reqwest::Client::new() }
    }

    /// The same data directory under a new node.
    pub(crate) async fn restart(self) -> Self {
        self.node.shutdown().await;
        let node = Node::start(self.config.clone()).await.unwrap();
        node.idle().await;
        Self { node, ..self }
    }

    pub(crate) fn item(&self, target: Id, tags: Tags, data: &[u8]) -> DataItem {
        let mut anchor = [0; 32];
        anchor[..8].copy_from_slice(&ANCHOR.fetch_add(1, Ordering::Relaxed).to_le_bytes());
        let mut all = Tags::new().with("Data-Protocol", "ao").with("Type", "Message");
        all.extend(tags.iter().cloned());
        DataItem::sign(&self.alice, Some(target), Some(anchor), all, data.to_vec()).unwrap()
    }

    pub(crate) fn transfer(&self, quantity: &str) -> DataItem {
        let tags =
            Tags::new().with("Action", "Transfer").with("Recipient", self.bob.to_string()).with("Quantity", quantity);
        self.item(self.token, tags, b"")
    }

    /// Status and JSON of a posted item.
    pub(crate) async fn post(&self, item: &DataItem) -> (u16, Value) {
        self.post_bytes(item.to_bytes()).await
    }

    pub(crate) async fn post_bytes(&self, bytes: Vec<u8>) -> (u16, Value) {
        let response = self.http.post(self.node.url()).body(bytes).send().await.unwrap();
        (response.status().as_u16(), response.json().await.expect("every answer is JSON"))
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let response = self.http.get(format!("{}{path}", self.node.url())).send().await.unwrap();
        (response.status().as_u16(), response.json().await.expect("every answer is JSON"))
    }

    pub(crate) async fn result(&self, item: &DataItem) -> Value {
        self.get(&format!("/result/{}?process-id={}", item.id(), self.token)).await.1
    }

    pub(crate) async fn dry_run(&self, process: Id, tags: Tags) -> Value {
        let body = json!({ "Id": "1234", "Target": process, "Owner": "1234", "Anchor": "0", "Data": "", "Tags": tags });
        let url = format!("{}/dry-run?process-id={process}", self.node.url());
        self.http.post(url).json(&body).send().await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn balance(&self, address: &Id) -> String {
        let tags = Tags::new().with("Action", "Balance").with("Recipient", address.to_string());
        self.dry_run(self.token, tags).await["Output"]["data"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn inbox(&self, address: &Id) -> Vec<Value> {
        self.get(&format!("/inbox/{address}")).await.1["messages"].as_array().unwrap().clone()
    }
}

/// The value of a tag in JSON.
pub(crate) fn tag<'a>(message: &'a Value, name: &str) -> &'a str {
    let tags = message["tags"].as_array().or_else(|| message["Tags"].as_array()).unwrap();
    tags.iter().find(|tag| tag["name"] == name).map_or("", |tag| tag["value"].as_str().unwrap())
}
