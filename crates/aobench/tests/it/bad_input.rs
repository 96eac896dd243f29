//! What cannot be used: each case gets an error that says why, changes nothing, and gives the money back.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ao::{DataItem, Id, Quantity, Tags};
use client::Client;

use crate::binary::{RunningNode, free_port, repository};

/// A node for the cases of one test.
struct Place {
    node: RunningNode,
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    names: std::collections::BTreeMap<String, Id>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node = RunningNode::start(&folder.path().join("node"), free_port(), 0);
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let names = runtime.block_on(node.client("funder").genesis()).unwrap();
        Self { node, folder, runtime, names }
    }

    fn balance(&self, wallet: &str) -> Quantity {
        let client = self.node.client(wallet);
        let tags = Tags::new().with("Action", "Balance").with("Recipient", client.address().unwrap().to_string());
        let result = self.runtime.block_on(client.dry_run(&self.names["token"], tags, "")).unwrap();
        result.output.data.parse().unwrap()
    }

    /// Waits until the balance is what it was: money on its way back needs a moment.
    fn money_is_back(&self, wallet: &str, before: Quantity) {
        for _ in 0..200 {
            if self.balance(wallet) == before {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{wallet} had {before} and has {}", self.balance(wallet));
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn pool(&self, arguments: &[&str]) -> String {
        let all = [&["pool", "create", "--dataset", "dataset", "--amount", "1"], arguments].concat();
        self.node.json("funder", &all)["id"].as_str().unwrap().to_owned()
    }

    /// Uploads past the check of the command line, as a hostile client would.
    fn upload(&self, wallet: &str, path: &Path) -> String {
        let client = self.node.client(wallet);
        self.runtime.block_on(client.upload(path, Tags::new(), |_| {})).unwrap().to_string()
    }
}

fn model(number: usize) -> PathBuf {
    repository().join(format!("demo/models/social-{number}.gguf"))
}

#[test]
fn money_that_makes_no_pool_goes_back_to_its_payer() {
    let place = Place::new();
    let empty = place.file("empty.jsonl", b"");
    let no_questions = place.node.json("funder", &["dataset", "create", empty.to_str().unwrap()]);
    let no_questions = no_questions["dataset"].as_str().unwrap();
    let nobody = Id::new([7; 32]).to_string();
    let before = place.balance("funder");
    let token = place.names["token"].to_string();
    let cases: [(&str, &[&str], &str); 9] = [
        ("a dataset that does not exist", &["--dataset", &nobody, "--amount", "5"], "dataset"),
        ("a process that is no dataset", &["--dataset", &token, "--amount", "5"], "no dataset"),
        ("a dataset without questions", &["--dataset", no_questions, "--amount", "5"], "question"),
        (
            "an allocation nobody knows",
            &["--dataset", "dataset", "--amount", "5", "--allocation", "Everything"],
            "ArithmeticDecrease",
        ),
        ("ties nobody knows", &["--dataset", "dataset", "--amount", "5", "--ties", "coin"], "split"),
        ("a duration that is none", &["--dataset", "dataset", "--amount", "5", "--duration", "a-while"], "30-days"),
        ("no money", &["--dataset", "dataset", "--amount", "0"], "Quantity"),
        ("more money than there is", &["--dataset", "dataset", "--amount", "99999999"], "nsufficient"),
        (
            "more money than can be",
            &["--dataset", "dataset", "--amount", "99999999999999999999999999999999999999"],
            "amount",
        ),
    ];
    for (case, arguments, part) in cases {
        let error = place.node.error("funder", &[&["pool", "create"], arguments].concat());
        assert!(error.contains(part), "{case}: {error}");
        place.money_is_back("funder", before);
    }
    let pools = place.node.json("funder", &["pool", "list"]);
    let open = pools.as_array().unwrap().iter().filter(|pool| pool["status"] == "Open").count();
    assert_eq!(open, 0, "{pools}");
}

#[test]
fn an_entry_that_cannot_be_is_refused_with_its_reason() {
    let place = Place::new();
    let good = std::fs::read(model(3)).unwrap();
    let pool = place.pool(&[]);
    let far = (std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap() + Duration::from_hours(24))
        .as_millis();
    let later = place.pool(&["--tag", &format!("X-Start={far}")]);
    let entered = place.node.json("trainer-1", &["pool", "join", &pool, model(3).to_str().unwrap()]);
    let entered = entered["model"].as_str().unwrap().to_owned();

    let no_gguf =
        place.upload("trainer-2", &place.file("story.gguf", b"Once upon a time there was no model in this file."));
    let truncated = place.upload("trainer-2", &place.file("half.gguf", &good[..good.len() / 2]));
    let copy = place.upload("trainer-2", &place.file("copy.gguf", &good));
    let nowhere = Id::new([9; 32]).to_string();
    let cases = [
        ("a file that is no GGUF", "trainer-2", &pool, &no_gguf, "GGUF"),
        ("a truncated GGUF", "trainer-2", &pool, &truncated, ""),
        ("the same model again", "trainer-1", &pool, &entered, "by you"),
        ("another's model", "trainer-2", &pool, &entered, "was entered"),
        ("a copy of another's model", "trainer-2", &pool, &copy, "first"),
        ("a model that is not there", "trainer-2", &pool, &nowhere, ""),
        ("a pool that has not started", "trainer-2", &later, &entered, "start"),
        ("a pool that is not there", "trainer-2", &nowhere, &entered, "pool"),
    ];
    for (case, wallet, pool, model, part) in cases {
        let error = place.node.error(wallet, &["pool", "join", pool, model]);
        assert!(error.contains("error") && error.contains(part), "{case}: {error}");
    }
    let error =
        place.node.error("trainer-2", &["pool", "join", &pool, place.file("x.gguf", b"GGUF").to_str().unwrap()]);
    assert!(error.contains("is no model that can be entered"), "{error}");

    let message = ["send", "benchmark", "--action", "Join-Pool", "--data", "{\"dataset\": 1,"];
    let result = place.node.json("trainer-2", &message);
    assert!(result["result"].to_string().contains("JSON"), "{result}");

    let board = place.node.json("trainer-2", &["pool", "leaderboard", &pool]);
    let live: Vec<_> =
        board["leaderboard"].as_array().unwrap().iter().filter(|line| line["status"] != "Refused").collect();
    assert_eq!(live.len(), 1, "{board}");
    assert_eq!(live[0]["participant"], place.node.wallet("trainer-1").address().to_string());

    place.node.json("operator", &["warp", "31d", "--operator", place.node.wallet_file("operator").to_str().unwrap()]);
    let error = place.node.error("trainer-2", &["pool", "join", &pool, model(2).to_str().unwrap()]);
    assert!(error.contains("ended") || error.contains("over") || error.contains("closed"), "{error}");
}

#[test]
fn a_node_refuses_what_is_no_message_to_it() {
    let place = Place::new();
    let client: Client = place.node.client("funder");
    let tags = || Tags::new().with("Data-Protocol", "ao").with("Type", "Message").with("Action", "Info");
    let token = place.names["token"];
    let sign = |target: Id, data: Vec<u8>| -> DataItem { client.sign(Some(target), tags(), data).unwrap() };

    let mut tampered = sign(token, b"hello".to_vec()).to_bytes();
    *tampered.last_mut().unwrap() ^= 1;
    let mut large = sign(token, Vec::new()).to_bytes();
    large.resize(10 * 1024 * 1024 + 1, 0);
    let cases = [
        ("no item", b"hello".to_vec(), 400, "bad-item"),
        ("a bad signature", tampered, 400, "bad-signature"),
        ("an item of 10 MB and one byte", large, 413, "item-too-large"),
        ("a process that does not exist", sign(Id::new([5; 32]), Vec::new()).to_bytes(), 404, "unknown-process"),
    ];
    let heads = |place: &Place| {
        place.runtime.block_on(client.processes()).unwrap().iter().map(|process| process.head).collect::<Vec<_>>()
    };
    let before = heads(&place);
    for (case, body, status, code) in cases {
        let request = reqwest::Client::new().post(format!("{}/", place.node.url)).body(body).send();
        let response = place.runtime.block_on(request).unwrap();
        assert_eq!(response.status().as_u16(), status, "{case}");
        let answer: serde_json::Value = place.runtime.block_on(response.json()).expect("every answer is JSON");
        assert_eq!(answer["code"], code, "{case}: {answer}");
        assert!(answer["error"].as_str().unwrap().len() > 20, "{case}: {answer}");
    }
    assert_eq!(heads(&place), before, "nothing of it reached a log");
}
