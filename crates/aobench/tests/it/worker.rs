//! The worker daemon as its operator meets it: it waits to be let in, outlives its node and its own death, and changes
//! models without a restart.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use ao::wallet::WalletKind;
use ao::{Id, Tags, Wallet};
use client::{Client, InboxMessage};
use inference::gguf::Facts;

use crate::binary::{AOBENCH, RunningNode, free_port, keep_private, repository};

/// A worker daemon in a process of its own. Killed, without warning, when dropped.
struct RunningWorker(Child);

impl RunningWorker {
    fn start(url: &str, data: &Path) -> Self {
        let child = Command::new(AOBENCH)
            .args(["--url", url, "worker", "--capacity", "64", "--data"])
            .arg(data)
            .env_remove("AOBENCH_WALLET")
            .env("HOME", data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for RunningWorker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Somebody who asks the herder, free of charge.
struct Requester {
    client: Client,
    herder: Id,
    asked: u32,
}

impl Requester {
    async fn ask(&mut self, model: Option<(Id, String)>, data: String) -> String {
        self.asked += 1;
        let reference = format!("question-{}", self.asked);
        let mut tags = Tags::new().with("Action", "Inference").with("Reference", &reference);
        if let Some((model, file_hash)) = model {
            tags = tags.with("Model", model.to_string()).with("File-Hash", file_hash);
        }
        let (_, result) = self.client.request(self.herder, tags, data).await.unwrap();
        assert_eq!(result.output.error, None);
        reference
    }

    async fn answer(&self, reference: &str) -> InboxMessage {
        let (address, end) = (self.client.address().unwrap(), Instant::now() + Duration::from_secs(90));
        let mut next = 0;
        while Instant::now() < end {
            // The node may be away for a moment.
            let Ok(page) = self.client.inbox(&address, next, Duration::from_secs(1)).await else { continue };
            let is_it = |message: &InboxMessage| {
                message.action() == "Inference-Response" && message.tags.get("Reference") == Some(reference)
            };
            if let Some(message) = page.messages.into_iter().find(is_it) {
                assert_eq!(message.tags.get("Error"), None);
                return message;
            }
            next = page.next;
        }
        panic!("{reference} was not answered");
    }
}

fn demo_model(level: u32) -> PathBuf {
    repository().join(format!("demo/models/social-{level}.gguf"))
}

async fn upload(client: &Client, path: &Path) -> (Id, String) {
    let id = client.upload(path, Tags::new(), |_| ()).await.unwrap();
    let file = std::fs::File::open(path).unwrap();
    let length = file.metadata().unwrap().len();
    (id, Facts::read(&file, 0, length).unwrap().file_hash)
}

/// A batch that keeps a worker busy for a while.
fn long_batch() -> String {
    let prompt = |id: u32| serde_json::json!({ "id": id, "prompt": format!("{id} times {id} is ") });
    let prompts: Vec<_> = (0..64).map(prompt).collect();
    serde_json::json!({ "kind": "generate", "max_tokens": 200, "prompts": prompts }).to_string()
}

#[test]
fn a_worker_waits_to_be_let_in_and_outlives_its_node_and_itself() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(life_of_a_worker());
}

async fn life_of_a_worker() {
    let (node_data, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let port = free_port();
    let node = RunningNode::start(node_data.path(), port, 0);
    let operator = node.client("operator");
    let herder = operator.genesis().await.unwrap()["herder"];
    let mut requester = Requester { client: node.client("trainer-1"), herder, asked: 0 };
    let first_model = upload(&requester.client, &demo_model(1)).await;
    let second_model = upload(&requester.client, &demo_model(4)).await;
    let wallet = Wallet::generate(WalletKind::Ed25519).unwrap();
    std::fs::write(data.path().join("wallet.json"), wallet.to_jwk().as_bytes()).unwrap();
    keep_private(&data.path().join("wallet.json"));

    // It is there before its owner has let it in.
    let url = node.url.clone();
    let worker = RunningWorker::start(&url, data.path());
    let early = requester.ask(Some(first_model.clone()), "one plus one is".to_owned()).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let allow = Tags::new().with("Action", "Allow-Worker").with("Worker", wallet.address().to_string());
    operator.request(herder, allow, "").await.unwrap();
    requester.answer(&early).await;

    // Another model, without a restart: named by the request, and chosen by the owner of the herder.
    let other = requester.ask(Some(second_model.clone()), long_batch()).await;
    let response = requester.answer(&other).await;
    assert!(response.text().unwrap().contains(&second_model.1), "the receipt names the model's file");
    let load = Tags::new().with("Action", "loadModel").with("Model", second_model.0.to_string());
    operator.request(herder, load, "").await.unwrap();
    let unnamed = requester.ask(None, "one plus one is".to_owned()).await;
    requester.answer(&unnamed).await;

    // Killed in the middle of a batch; the next one has the models already, and takes the batch up at once.
    let interrupted = requester.ask(Some(first_model.clone()), long_batch()).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(worker);
    let worker = RunningWorker::start(&url, data.path());
    requester.answer(&interrupted).await;

    // The node is killed and comes back; the same worker goes on.
    node.kill();
    tokio::time::sleep(Duration::from_secs(2)).await;
    let node = RunningNode::start(node_data.path(), port, 0);
    let after = requester.ask(Some(second_model), long_batch()).await;
    requester.answer(&after).await;
    let chosen = requester.ask(None, "what was chosen before is remembered:".to_owned()).await;
    requester.answer(&chosen).await;

    // A worker that starts while the node is away waits for it.
    drop(worker);
    node.kill();
    let worker = RunningWorker::start(&url, data.path());
    tokio::time::sleep(Duration::from_secs(1)).await;
    let node = RunningNode::start(node_data.path(), port, 0);
    let late = requester.ask(None, "one plus one is".to_owned()).await;
    requester.answer(&late).await;
    drop((worker, node));
}

#[test]
fn two_workers_in_one_folder_are_told_apart() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (node_data, data) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let node = runtime.block_on(async { RunningNode::start(node_data.path(), free_port(), 0) });
    let _first = RunningWorker::start(&node.url, data.path());
    std::thread::sleep(Duration::from_secs(2));
    let second =
        Command::new(AOBENCH).args(["--url", &node.url, "worker", "--data"]).arg(data.path()).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && said.contains("another worker uses the folder"), "{said}");
}
