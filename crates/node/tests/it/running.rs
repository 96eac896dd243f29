//! A started node with a token, and someone who owns it: where the tests of the HTTP face begin.

use ao::wallet::WalletKind;
use ao::{DataItem, Id, Tags, Wallet};
use node::{Config, GenesisProcess, Node, NodeHandle};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

/// A node, and the wallet that owns its token.
pub(crate) struct Running {
    pub(crate) node: NodeHandle,
    pub(crate) wallet: Wallet,
    pub(crate) token: Id,
    http: reqwest::Client,
}

/// An answer: its status, its body as JSON (null if it is none), and its header.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) json: Value,
    pub(crate) body: Vec<u8>,
    pub(crate) headers: reqwest::header::HeaderMap,
}

impl Running {
    /// A node in which the wallet has 1000 of the token.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// The same with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let wallet = Wallet::generate(WalletKind::Ed25519).unwrap();
        let mut config = Config::test();
        config.genesis.processes.push(GenesisProcess {
            name: "token".to_owned(),
            module: "token".to_owned(),
            owner: Some(wallet.address()),
            tags: Tags::new().with("Name", "Wrapped AR").with("Ticker", "wAR").with("Denomination", "12"),
            data: format!(r#"{{"{}":"1000"}}"#, wallet.address()).into_bytes(),
            ..GenesisProcess::default()
        });
        change(&mut config);
        let node = Node::start(config).await.unwrap();
        let token = node.process("token").unwrap();
        Self { node, wallet, token, http: reqwest::Client::new() }
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.node.url()))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path).send().await.unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        Answer::of(self.request(Method::POST, path).body(body).send().await.unwrap()).await
    }

    pub(crate) async fn send(&self, request: RequestBuilder) -> Answer {
        Answer::of(request.send().await.unwrap()).await
    }

    /// An item of the wallet to the token, with another anchor for each `number`.
    pub(crate) fn item(&self, number: u8, tags: &[(&str, &str)]) -> DataItem {
        let standard = [("Data-Protocol", "ao"), ("Type", "Message"), ("Variant", "ao.TN.1")];
        let tags = standard.iter().chain(tags).map(|(name, value)| ao::Tag::new(*name, *value)).collect();
        DataItem::sign(&self.wallet, Some(self.token), Some([number; 32]), tags, Vec::new()).unwrap()
    }

    /// A transfer of one unit to somebody, as an item.
    pub(crate) fn transfer(&self, number: u8, recipient: &Id) -> DataItem {
        self.item(number, &[("Action", "Transfer"), ("Recipient", &recipient.to_string()), ("Quantity", "1")])
    }

    /// The last slot of the token.
    pub(crate) async fn head(&self) -> u64 {
        let processes = self.get("/processes").await.json;
        let token =
            processes["processes"].as_array().unwrap().iter().find(|process| process["name"] == "token").unwrap();
        token["head"].as_u64().unwrap()
    }

    /// The path of a result of the token.
    pub(crate) fn result_path(&self, message: &Id) -> String {
        format!("/result/{message}?process-id={}", self.token)
    }
}

impl Answer {
    async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await.unwrap().to_vec();
        let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
        Self { status, json, body, headers }
    }

    /// The status, and the code of the error.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        assert!(!self.json["error"].as_str().unwrap_or_default().is_empty(), "no error text in {}", self.json);
        (self.status, self.json["code"].as_str().unwrap_or_default())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}
