//! The client against a real node, and against nodes that are away, busy or wrong.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ao::wallet::WalletKind;
use ao::{Id, Tags, Wallet};
use client::{Client, ClientError, Progress, Retry, Stage};
use node::{Config, GenesisProcess, Node, NodeHandle};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A node with a token, and a client whose wallet owns all of it.
struct Running {
    node: NodeHandle,
    client: Client,
    token: Id,
}

impl Running {
    async fn start() -> Self {
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
        let node = Node::start(config).await.unwrap();
        let client = Client::new(&node.url(), Some(wallet)).unwrap();
        let token = client.genesis().await.unwrap()["token"];
        Self { node, client, token }
    }

    fn transfer(recipient: Id, quantity: &str) -> Tags {
        let tags = Tags::new().with("Action", "Transfer");
        tags.with("Recipient", recipient.to_string()).with("Quantity", quantity)
    }

    async fn balance(&self, address: Id) -> String {
        let tags = Tags::new().with("Action", "Balance").with("Recipient", address.to_string());
        self.client.dry_run(&self.token, tags, "").await.unwrap().output.data
    }
}

fn another_wallet() -> Wallet {
    Wallet::generate(WalletKind::Ed25519).unwrap()
}

#[tokio::test]
async fn two_equal_sends_are_two_messages_and_a_posted_item_is_one() {
    let running = Running::start().await;
    let recipient = Id::new([5; 32]);
    let client = &running.client;
    let first = client.send(running.token, Running::transfer(recipient, "1"), "").await.unwrap();
    let second = client.send(running.token, Running::transfer(recipient, "1"), "").await.unwrap();
    assert_ne!(first, second);
    let item = client.sign(Some(running.token), Running::transfer(recipient, "1"), Vec::new()).unwrap();
    let posted = [client.post(&item).await.unwrap(), client.post(&item).await.unwrap()];
    assert_eq!(posted, [item.id(); 2]);
    client.result(&running.token, &item.id()).await.unwrap();
    assert_eq!(running.balance(recipient).await, "3");
}

#[tokio::test]
async fn a_request_gives_its_result_and_a_fault_its_reason() {
    let running = Running::start().await;
    let recipient = Id::new([5; 32]);
    let (message, result) = running.client.request(running.token, Running::transfer(recipient, "7"), "").await.unwrap();
    assert_eq!(result.message("Credit-Notice").unwrap().target, recipient);
    assert_eq!(running.client.result(&running.token, &message).await.unwrap(), result);
    let error = running.client.request(running.token, Tags::new().with("Action", "Dance"), "").await.unwrap_err();
    assert!(matches!(&error, ClientError::Fault { text, .. } if text.contains("Dance")), "{error}");
    let page = running.client.results(&running.token, None, false, 50).await.unwrap();
    assert!(page.edges.iter().any(|edge| edge.node == result) && !page.has_next_page());
    let newest = running.client.results(&running.token, None, true, 1).await.unwrap();
    let older = running.client.results(&running.token, Some(&newest.edges[0].cursor), true, 1).await.unwrap();
    assert!(newest.has_next_page() && newest.edges[0].cursor != older.edges[0].cursor);
}

#[tokio::test]
async fn a_notice_is_found_by_what_it_answers() {
    let running = Running::start().await;
    let trainer = another_wallet();
    let theirs = running.client.clone().with_wallet(trainer.clone());
    let first = running.client.send(running.token, Running::transfer(trainer.address(), "1"), "").await.unwrap();
    let second = running.client.send(running.token, Running::transfer(trainer.address(), "2"), "").await.unwrap();
    for (message, quantity) in [(second, "2"), (first, "1")] {
        let notice =
            theirs.await_notice(0, &message, &["Refund", "Credit-Notice"], Duration::from_secs(20)).await.unwrap();
        assert_eq!((notice.from, notice.tags.get("Quantity")), (running.token, Some(quantity)));
    }
    let error = theirs.await_notice(0, &first, &["Refund"], Duration::from_millis(100)).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }) && error.to_string().contains("Refund"), "{error}");
}

#[tokio::test]
async fn a_notice_is_awaited_from_where_the_inbox_ended_when_its_message_was_sent() {
    let running = Running::start().await;
    let trainer = another_wallet();
    let theirs = running.client.clone().with_wallet(trainer.clone());
    assert_eq!(theirs.inbox_end().await.unwrap(), 0);
    let transfer = || running.client.request(running.token, Running::transfer(trainer.address(), "1"), "");
    let credit = async |from: u64, message: Id| {
        theirs.await_notice(from, &message, &["Credit-Notice"], Duration::from_secs(20)).await.map(|notice| notice.slot)
    };
    for slot in 0..5 {
        let from = theirs.inbox_end().await.unwrap();
        let (message, _) = transfer().await.unwrap();
        assert_eq!((from, credit(from, message).await.unwrap()), (slot, slot));
    }

    // What lies before that is not read: there a notice is not found although it is there.
    let (message, _) = transfer().await.unwrap();
    let slot = credit(0, message).await.unwrap();
    let after = theirs.inbox_end().await.unwrap();
    assert_eq!((slot, after), (5, 6));
    let error = theirs.await_notice(after, &message, &["Credit-Notice"], Duration::from_millis(100)).await.unwrap_err();
    assert!(matches!(error, ClientError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn a_process_is_spawned_and_stands_in_the_list() {
    let running = Running::start().await;
    let module = processes::module_by_name("token").map(processes::module_id).unwrap();
    let tags = Tags::new().with("Name", "Points").with("Ticker", "PTS");
    let process = running.client.spawn(module, tags, "").await.unwrap();
    running.client.result(&process, &process).await.unwrap();
    let list = running.client.processes().await.unwrap();
    let spawned = list.iter().find(|entry| entry.id == process).unwrap();
    assert_eq!((spawned.name.as_str(), spawned.module.as_str()), ("Points", "token"));
    assert_eq!(running.client.node_address().await.unwrap(), running.node.address());
}

#[tokio::test]
async fn a_file_goes_up_and_comes_down_with_progress() {
    let running = Running::start().await;
    let directory = tempfile::tempdir().unwrap();
    let (source, copy) = (directory.path().join("model.gguf"), directory.path().join("copy.gguf"));
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|index| (index % 251) as u8).collect();
    std::fs::write(&source, &bytes).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let listener = Arc::clone(&seen);
    let tags = Tags::new().with("Content-Type", "application/x-gguf").with("Name", "model");
    let listen = move |progress: Progress| listener.lock().unwrap().push(progress);
    let id = running.client.upload(&source, tags.clone(), listen).await.unwrap();
    let last = |stage| *seen.lock().unwrap().iter().rfind(|progress: &&Progress| progress.stage == stage).unwrap();
    for stage in [Stage::Signing, Stage::Sending] {
        assert_eq!(last(stage), Progress { stage, bytes_done: 3_000_000, bytes_total: 3_000_000 });
    }
    assert!(running.client.has(&id).await.unwrap());
    assert!(!running.client.has(&Id::new([9; 32])).await.unwrap());
    let model = running.client.models().await.unwrap().remove(0);
    assert_eq!((model.id, model.name.as_str(), model.bytes), (id, "model", 3_000_000));

    // What an earlier download left is not fetched again.
    std::fs::write(directory.path().join(format!("copy.gguf.{id}.partial")), &bytes[..2_000_000]).unwrap();
    let fetched = Arc::new(AtomicU64::new(u64::MAX));
    let first = Arc::clone(&fetched);
    let listen = move |progress: Progress| {
        first.fetch_min(progress.bytes_done, Ordering::AcqRel);
    };
    assert_eq!(running.client.download(&id, &copy, 3_000_000, listen).await.unwrap(), 3_000_000);
    assert!(std::fs::read(&copy).unwrap() == bytes, "the copy differs");
    assert!(fetched.load(Ordering::Acquire) > 2_000_000, "it began anew");
    let error = running.client.download(&Id::new([9; 32]), &copy, u64::MAX, |_| {}).await.unwrap_err();
    assert_eq!(error.code(), Some("not-found"));
    let other = directory.path().join("other.gguf");
    let error = running.client.download(&id, &other, 2_999_999, |_| {}).await.unwrap_err();
    assert!(matches!(error, ClientError::TooLarge { bytes: 3_000_000, .. }), "{error}");
}

#[tokio::test]
async fn errors_say_what_happened_and_what_to_do() {
    let running = Running::start().await;
    let nobody = Id::new([9; 32]);
    let error = running.client.send(nobody, Tags::new().with("Action", "Info"), "").await.unwrap_err();
    assert_eq!(error.code(), Some("unknown-process"));
    assert!(error.to_string().contains(&nobody.to_string()) && !error.is_passing(), "{error}");
    let reader = Client::new(&running.node.url(), None).unwrap();
    assert!(matches!(reader.send(nobody, Tags::new(), "").await, Err(ClientError::NoWallet)));
    let missing = running.client.upload(std::path::Path::new("/no/such/file"), Tags::new(), |_| {}).await.unwrap_err();
    assert!(missing.to_string().starts_with("/no/such/file: "), "{missing}");
    let url = running.node.url();
    running.node.shutdown().await;
    let gone = Client::new(&url, None).unwrap().with_retry(Retry::NONE).genesis().await.unwrap_err();
    assert!(gone.is_passing() && gone.to_string().contains(&url) && gone.to_string().contains("aobench up"), "{gone}");
}

/// A server that gives these answers one after the other, each to its own connection, and counts the questions.
async fn scripted(answers: &'static [&'static str]) -> (Client, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    tokio::spawn(async move {
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut question = [0; 4096];
            let _ = stream.read(&mut question).await;
            counter.fetch_add(1, Ordering::AcqRel);
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    (Client::new(&url, None).unwrap(), asked)
}

#[tokio::test]
async fn a_node_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    const BUSY: &str = "HTTP/1.1 503 Busy\r\nretry-after: 0\r\ncontent-length: 33\r\nconnection: close\r\n\r\n{\"error\":\"later\",\"code\":\"busy\"}  ";
    const CUT: &str = "";
    const GOOD: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}";
    const NO: &str = "HTTP/1.1 403 No\r\ncontent-length: 15\r\nconnection: close\r\n\r\nnot whitelisted";
    let (client, asked) = scripted(&[BUSY, CUT, GOOD]).await;
    assert!(client.genesis().await.unwrap().is_empty());
    assert_eq!(asked.load(Ordering::Acquire), 3);
    let (client, asked) = scripted(&[NO, GOOD]).await;
    let error = client.genesis().await.unwrap_err();
    assert!(error.to_string().contains("not whitelisted"), "{error}");
    assert_eq!(asked.load(Ordering::Acquire), 1);
}

#[tokio::test]
async fn a_server_that_is_no_node_is_named_as_such() {
    const PAGE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 13\r\nconnection: close\r\n\r\n<html></html>";
    let (client, _) = scripted(&[PAGE]).await;
    let error = client.genesis().await.unwrap_err();
    assert!(matches!(&error, ClientError::BadAnswer { url, .. } if url.ends_with("/genesis")), "{error}");
}

#[tokio::test]
async fn a_node_that_never_stops_sending_fills_no_disk() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut question = [0; 4096];
                let _ = stream.read(&mut question).await;
                // Its length is not announced, and there is no end.
                let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").await;
                while sent.is_ok() {
                    sent = stream.write_all(&[b'x'; 8_192]).await;
                }
            });
        }
    });
    let directory = tempfile::tempdir().unwrap();
    let client = Client::new(&url, None).unwrap();
    let path = directory.path().join("model.gguf");
    let error = client.download(&Id::new([9; 32]), &path, 5_000_000, |_| {}).await.unwrap_err();
    assert!(matches!(error, ClientError::TooLarge { bytes_max: 5_000_000, .. }), "{error}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing of it is kept");
}
