//! `kill -9` at random under load: nothing acknowledged is lost, nothing is done twice, no money is made.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ao::wallet::WalletKind;
use ao::{DataItem, Id, Quantity, Tags, Wallet};
use client::{Client, Retry};

use crate::binary::{RunningNode, free_port, repository};

/// Kills in the short form and in the long one.
const KILLS: usize = 6;
const KILLS_LONG: usize = 60;
/// Senders at one time.
const SENDERS: usize = 8;

/// What a sender knows: everything it posted, and which of it was acknowledged.
#[derive(Default)]
struct Sent {
    acknowledged: Vec<Id>,
    posted: Vec<(Id, u128)>,
}

/// Posts transfers one after the other until told to stop; a node that is away is waited for by posting the next one.
async fn send_until_stopped(client: Client, token: Id, recipient: Id, stop: Arc<AtomicBool>) -> Sent {
    let mut sent = Sent::default();
    let mut number = 0_u128;
    while !stop.load(Ordering::Relaxed) {
        number += 1;
        let quantity = 1 + number % 7;
        let tags = Tags::new()
            .with("Data-Protocol", "ao")
            .with("Type", "Message")
            .with("Variant", "ao.TN.1")
            .with("Action", "Transfer")
            .with("Recipient", recipient.to_string())
            .with("Quantity", quantity.to_string());
        let item: DataItem = client.sign(Some(token), tags, Vec::new()).unwrap();
        sent.posted.push((item.id(), quantity));
        if client.post(&item).await.is_ok() {
            sent.acknowledged.push(item.id());
            // The same item again is the same message.
            if number.is_multiple_of(10) {
                let _ = client.post(&item).await;
            }
        } else {
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
    }
    sent
}

/// Pseudo-random pauses from a printed seed, so that a failure can be repeated.
fn pause_ms(seed: u64, cycle: usize) -> u64 {
    let mut state = seed ^ (cycle as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    150 + (state ^ (state >> 31)) % 700
}

#[test]
fn kill_at_random_loses_nothing_and_doubles_nothing() {
    let long = std::env::var_os("AOBENCH_LONG_TESTS").is_some();
    let seed = std::env::var("AOBENCH_CRASH_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(20_260_101);
    let kills = if long { KILLS_LONG } else { KILLS };
    println!("seed {seed}, {kills} kills");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(kill_and_check(seed, kills));
}

async fn kill_and_check(seed: u64, kills: usize) {
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut node = RunningNode::start(folder.path(), port, 0);
    let token = *node.client("funder").genesis().await.unwrap().get("token").unwrap();
    let supply = read(&node, &token, "Total-Supply").await;

    let recipient = Wallet::generate(WalletKind::Ed25519).unwrap().address();
    let stop = Arc::new(AtomicBool::new(false));
    let once = Retry { attempts: 1, ..Retry::default() };
    let senders: Vec<_> = (0..SENDERS)
        .map(|_| {
            let client = node.client("funder").with_retry(once);
            tokio::spawn(send_until_stopped(client, token, recipient, Arc::clone(&stop)))
        })
        .collect();
    for cycle in 0..kills {
        tokio::time::sleep(Duration::from_millis(pause_ms(seed, cycle))).await;
        node.kill();
        node = RunningNode::start(folder.path(), port, 0);
    }
    stop.store(true, Ordering::Relaxed);
    let mut sent = Sent::default();
    for sender in senders {
        let part = sender.await.unwrap();
        sent.acknowledged.extend(part.acknowledged);
        sent.posted.extend(part.posted);
    }
    println!("{} posted, {} acknowledged", sent.posted.len(), sent.acknowledged.len());
    assert!(sent.acknowledged.len() > 10 * kills, "too few messages for the test to mean anything");

    // Every acknowledged message has its result, and the recipient has exactly what the messages with a result sent.
    let client = node.client("funder");
    for message in &sent.acknowledged {
        let result = client.result(&token, message).await.unwrap_or_else(|error| panic!("{message} was lost: {error}"));
        assert!(result.error.is_none(), "{message}: {:?}", result.error);
    }
    let mut expected = 0;
    for (message, quantity) in &sent.posted {
        if client.with_known(&token, message).await {
            expected += quantity;
        }
    }
    assert_eq!(balance(&node, &token, &recipient).await, Quantity::new(expected));
    assert_eq!(read(&node, &token, "Total-Supply").await, supply);
    wait_until_delivered(&node, &token, sent.acknowledged.len() as u64).await;
    node.kill();
    let report = node::audit(folder.path()).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

/// The status of a pool and how many of its entries are completely evaluated.
fn progress(node: &RunningNode, pool: &str) -> (String, usize) {
    let board = node.json("funder", &["pool", "leaderboard", pool]);
    let complete = board["leaderboard"].as_array().unwrap().iter().filter(|line| line["status"] == "Complete").count();
    (board["pool"]["status"].as_str().unwrap().to_owned(), complete)
}

fn wait_for(node: &RunningNode, pool: &str, what: &str, is_so: impl Fn(&(String, usize)) -> bool) {
    for _ in 0..1_200 {
        if is_so(&progress(node, pool)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    panic!("{what}: {:?}", progress(node, pool));
}

#[test]
fn a_contest_survives_kills_and_pays_each_rank_once() {
    let long = std::env::var_os("AOBENCH_LONG_TESTS").is_some();
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let mut node = RunningNode::start(folder.path(), port, 1);
    let created = ["pool", "create", "--dataset", "dataset", "--amount", "10", "--allocation", "WinnerTakesAll"];
    let pool = node.json("funder", &created)["id"].as_str().unwrap().to_owned();
    let model = |level: u32| repository().join(format!("demo/models/social-{level}.gguf"));
    for (trainer, level) in [("trainer-1", 1), ("trainer-2", 4)] {
        node.json(trainer, &["pool", "join", &pool, model(level).to_str().unwrap()]);
    }
    for cycle in 0..if long { 20 } else { 4 } {
        std::thread::sleep(Duration::from_millis(pause_ms(7, cycle) / 2));
        node.kill();
        node = RunningNode::start(folder.path(), port, 1);
    }
    wait_for(&node, &pool, "both entries are evaluated", |(_, complete)| *complete == 2);
    let winner = node.wallet("trainer-2").address();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let token = runtime.block_on(node.client("funder").genesis()).unwrap()["token"];
    let before = runtime.block_on(balance(&node, &token, &winner));
    let operator = node.wallet_file("operator");
    node.json("operator", &["warp", "32d", "--operator", operator.to_str().unwrap()]);
    // In the middle of settling, or right before or after it.
    node.kill();
    node = RunningNode::start(folder.path(), port, 1);
    wait_for(&node, &pool, "the pool is settled", |(status, _)| status == "Settled");
    let after = runtime.block_on(balance(&node, &token, &winner));
    assert_eq!(after.units() - before.units(), 10_000_000_000_000, "the winner takes all, once");
    node.kill();
    let report = node::audit(folder.path()).unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert!(report.pools == 1 && report.tokens >= 1 && report.backings >= 1, "{report:?}");
}

/// Whether the node has a message, which it may have taken without the sender hearing of it.
trait Known {
    async fn with_known(&self, process: &Id, message: &Id) -> bool;
}

impl Known for Client {
    async fn with_known(&self, process: &Id, message: &Id) -> bool {
        match self.result(process, message).await {
            Ok(_) => true,
            Err(error) if error.code().is_some_and(|code| code.starts_with("unknown")) => false,
            Err(error) => panic!("{message}: {error}"),
        }
    }
}

async fn read(node: &RunningNode, process: &Id, action: &str) -> String {
    node.client("funder").read(process, action, "").await.unwrap()
}

async fn balance(node: &RunningNode, token: &Id, address: &Id) -> Quantity {
    let tags = Tags::new().with("Action", "Balance").with("Recipient", address.to_string());
    node.client("funder").dry_run(token, tags, "").await.unwrap().output.data.parse().unwrap()
}

/// Waits until the process has applied everything and the funder's inbox holds the notices of everything acknowledged.
async fn wait_until_delivered(node: &RunningNode, token: &Id, notices: u64) {
    let client = node.client("funder");
    let address = client.address().unwrap();
    for _ in 0..600 {
        let processes = client.processes().await.unwrap();
        let token = processes.iter().find(|process| process.id == *token).unwrap();
        let page = client.inbox(&address, notices.saturating_sub(1), Duration::ZERO).await.unwrap();
        if token.applied == token.head && !page.messages.is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the node did not come to rest");
}
