//! A node for the tests of WebAssembly processes, and someone who owns them.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ao::{DataItem, Id, Tags, Wallet, WalletKind};
use node::wasm::add_module;
use node::{Config, Node, NodeHandle};
use serde_json::{Value, json};

/// A node and a wallet.
pub(crate) struct WasmPlace {
    pub(crate) config: Config,
    pub(crate) node: NodeHandle,
    pub(crate) wallet: Wallet,
    http: reqwest::Client,
}

static ANCHOR: AtomicU64 = AtomicU64::new(1);

/// How long a result is waited for: compiling a module takes seconds.
const WAIT: Duration = Duration::from_mins(2);

impl WasmPlace {
    /// A node with other settings, in whose directory modules compiled by earlier tests are kept.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::test();
        change(&mut config);
        let compiled = crate::wasm_modules::kept().join("modules/compiled");
        std::fs::create_dir_all(&compiled).unwrap();
        std::fs::create_dir_all(config.data.join("modules")).unwrap();
        std::os::unix::fs::symlink(compiled.canonicalize().unwrap(), config.data.join("modules/compiled")).unwrap();
        let node = Node::start(config.clone()).await.unwrap();
        let wallet = Wallet::generate(WalletKind::Ed25519).unwrap();
        Self { config, node, wallet, http: reqwest::Client::new() }
    }

    /// The same data directory under a new node.
    pub(crate) async fn restart(self) -> Self {
        self.node.shutdown().await;
        let node = Node::start(self.config.clone()).await.unwrap();
        Self { node, ..self }
    }

    /// The same without one of its files.
    pub(crate) async fn restart_without(self, path: &Path) -> Self {
        self.node.shutdown().await;
        std::fs::remove_file(path).unwrap();
        let node = Node::start(self.config.clone()).await.unwrap();
        Self { node, ..self }
    }

    /// Adds a module from a file; its id.
    pub(crate) fn add(&self, file: &Path) -> Id {
        let id = ao::hash_parts(&[b"module", file.as_os_str().as_encoded_bytes()]);
        add_module(&self.config.data, id, file, Tags::new()).unwrap();
        id
    }

    /// Adds a module that is written here as text.
    pub(crate) fn add_text(&self, name: &str, text: &str) -> Id {
        let file = self.config.data.join(format!("{name}.wasm"));
        std::fs::write(&file, wat::parse_str(text).unwrap()).unwrap();
        self.add(&file)
    }

    /// An item of the wallet.
    pub(crate) fn item(&self, target: Option<Id>, kind: &str, tags: Tags, data: &str) -> DataItem {
        let mut anchor = [b'a'; 32];
        anchor[..20].copy_from_slice(format!("{:020}", ANCHOR.fetch_add(1, Ordering::Relaxed)).as_bytes());
        let mut all = Tags::new().with("Data-Protocol", "ao").with("Type", kind).with("Variant", "ao.TN.1");
        all.extend(tags.iter().cloned());
        DataItem::sign(&self.wallet, target, Some(anchor), all, data.as_bytes().to_vec()).unwrap()
    }

    /// What a posted item is answered with.
    pub(crate) async fn post(&self, item: &DataItem) -> Value {
        let response = self.http.post(self.node.url()).body(item.to_bytes()).send().await.unwrap();
        response.json().await.unwrap()
    }

    /// What an upload is answered with.
    pub(crate) async fn upload(&self, item: &DataItem) -> Value {
        let url = format!("{}/tx", self.node.url());
        self.http.post(url).body(item.to_bytes()).send().await.unwrap().json().await.unwrap()
    }

    /// Asks for a process; the answer.
    pub(crate) async fn try_spawn(&self, module: &str, tags: Tags) -> Value {
        let mut all = Tags::new().with("Module", module).with("Scheduler", self.node.address().to_string());
        all.extend(tags.iter().cloned());
        self.post(&self.item(None, "Process", all, "")).await
    }

    /// A process of the module.
    pub(crate) async fn spawn(&self, module: Id, tags: Tags) -> Id {
        let answer = self.try_spawn(&module.to_string(), tags).await;
        answer["processId"].as_str().unwrap_or_else(|| panic!("{answer}")).parse().unwrap()
    }

    /// Sends a message and gives its result.
    pub(crate) async fn send(&self, process: Id, tags: Tags, data: &str) -> Value {
        let item = self.item(Some(process), "Message", tags, data);
        self.post(&item).await;
        self.result(process, &item.id()).await
    }

    /// Sends a message; its id.
    pub(crate) async fn send_item(&self, process: Id, tags: Tags, data: &str) -> Id {
        let item = self.item(Some(process), "Message", tags, data);
        self.post(&item).await;
        item.id()
    }

    /// Gives a process a message that was sent to another, as aoconnect's `assign` does; the answer.
    pub(crate) async fn assign(&self, process: Id, message: Id, exclude: &str) -> Value {
        let url = format!("{}?process-id={process}&assign={message}&exclude={exclude}", self.node.url());
        self.http.post(url).send().await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn result(&self, process: Id, message: &Id) -> Value {
        let end = std::time::Instant::now() + WAIT;
        loop {
            let value = self.get(&format!("/result/{message}?process-id={process}")).await;
            if value["code"] != "not-yet" || std::time::Instant::now() > end {
                return value;
            }
        }
    }

    /// The result of a piece of Lua.
    pub(crate) async fn eval(&self, process: Id, code: &str) -> Value {
        self.send(process, Tags::new().with("Action", "Eval"), code).await
    }

    /// What a piece of Lua shows.
    pub(crate) async fn shows(&self, process: Id, code: &str) -> String {
        let result = self.eval(process, code).await;
        let data = &result["Output"]["data"];
        let shown = data.as_str().or_else(|| data["output"].as_str());
        shown.unwrap_or_else(|| panic!("{code}: {result}")).to_owned()
    }

    pub(crate) async fn get(&self, path: &str) -> Value {
        self.http.get(format!("{}{path}", self.node.url())).send().await.unwrap().json().await.unwrap()
    }

    pub(crate) async fn dry_run(&self, process: Id, tags: Tags, data: &str) -> Value {
        let owner = self.wallet.address();
        let body = json!({ "Id": "1234", "Target": process, "Owner": owner, "From": owner, "Anchor": "0", "Data": data, "Tags": tags });
        let url = format!("{}/dry-run?process-id={process}", self.node.url());
        self.http.post(url).json(&body).send().await.unwrap().json().await.unwrap()
    }

    /// A row of the file of a process.
    pub(crate) fn stored<T: rusqlite::types::FromSql>(&self, process: Id, sql: &str) -> T {
        let path = self.config.data.join("processes").join(format!("{}.sqlite", process.to_hex()));
        rusqlite::Connection::open(path).unwrap().query_row(sql, (), |row| row.get(0)).unwrap()
    }
}
