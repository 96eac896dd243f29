//! "Build your own dataset": from a new task file to a pool on it that is paid out, command by command as
//! docs/datasets.md has them.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::binary::{AOBENCH, RunningNode, free_port, repository};

/// Runs a command that needs no node, in a folder.
fn aobench(folder: &Path, arguments: &[&str]) -> Value {
    let output =
        Command::new(AOBENCH).arg("--json").args(arguments).current_dir(folder).env("HOME", folder).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn model(level: u32) -> String {
    repository().join(format!("demo/models/social-{level}.gguf")).display().to_string()
}

/// Funds a pool on a dataset and enters two models.
fn pool_on(node: &RunningNode, dataset: &str) -> String {
    let pool = node.json("funder", &["pool", "create", "--dataset", dataset, "--amount", "100"]);
    let pool = pool["id"].as_str().unwrap().to_owned();
    for level in [2, 4] {
        node.json(&format!("trainer-{level}"), &["pool", "join", &pool, &model(level)]);
    }
    pool
}

fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_mins(3);
    while !is_so() {
        assert!(Instant::now() < end, "{what}");
        std::thread::sleep(Duration::from_millis(200));
    }
}

/// The board of a pool once both models have answered everything.
fn board(node: &RunningNode, pool: &str) -> Value {
    let read = || node.json("funder", &["pool", "leaderboard", pool]);
    let is_complete = |row: &Value| row["total"].as_u64() > Some(0) && row["answered"] == row["total"];
    wait("the evaluation did not end", || {
        let rows = read()["leaderboard"].as_array().unwrap().clone();
        rows.len() == 2 && rows.iter().all(is_complete)
    });
    read()
}

fn paid(node: &RunningNode, pool: &str) -> u128 {
    wait("the pool was not settled", || node.json("funder", &["pool", "settle", pool])["pool"]["status"] != "Closed");
    let board = node.json("funder", &["pool", "leaderboard", pool]);
    let payouts = board["payouts"].as_array().unwrap();
    payouts.iter().map(|payout| payout["quantity"].as_str().unwrap().parse::<u128>().unwrap()).sum()
}

#[test]
fn own_questions_become_a_dataset_and_a_pool_on_it_is_paid_out() {
    let folder = tempfile::tempdir().unwrap();
    let (data, work) = (folder.path().join("node"), folder.path());
    let node = RunningNode::start(&data, free_port(), 2);
    let path = |name: &str| work.join(name).display().to_string();

    let mut pools = Vec::new();
    for (name, kind) in [("likeliest", "choices"), ("written", "text")] {
        aobench(work, &["task", "new", name, "--kind", kind]);
        let (task, questions) = (path(&format!("{name}.yaml")), path(&format!("{name}.jsonl")));
        assert_eq!(aobench(work, &["task", "lint", &task, "--data", &questions]), json!([]), "{name}");
        let shown = aobench(work, &["task", "show", &task, "--data", &questions, "--render", "3"]);
        assert_eq!(shown.as_array().unwrap().len(), 3);
        let created = node.json("funder", &["dataset", "create", "--task", &task, "--data", &questions]);
        assert_eq!(created["rows"], 3);
        pools.push((pool_on(&node, created["dataset"].as_str().unwrap()), created["protocol"].clone()));
    }

    // Social IQa by likelihood instead of by letter, on the first of the shipped questions.
    let text = std::fs::read_to_string(repository().join("demo/questions.jsonl")).unwrap();
    let some: Vec<&str> = text.lines().take(40).collect();
    std::fs::write(work.join("some.jsonl"), some.join("\n")).unwrap();
    let some = path("some.jsonl");
    let created = node.json("funder", &["dataset", "create", "--task", "social_iqa", "--data", &some]);
    let likelihoods = pool_on(&node, created["dataset"].as_str().unwrap());
    pools.push((likelihoods.clone(), created["protocol"].clone()));
    let by_letter = node.json("funder", &["dataset", "info", "dataset"]);
    assert_ne!(by_letter["protocol"], created["protocol"], "two protocols on like questions are two ids");

    let boards: Vec<Value> = pools.iter().map(|(pool, _)| board(&node, pool)).collect();
    for (board, (_, protocol)) in boards.iter().zip(&pools) {
        assert_eq!(board["pool"]["protocol"], *protocol, "the protocol id stands beside every score");
    }
    // The same file scores the same outside of any pool, under the same protocol id.
    let evaluated = aobench(work, &["eval", "--model", &model(4), "--task", "social_iqa", "--data", &some]);
    assert_eq!(evaluated[0]["aobench"]["protocols"]["social_iqa"], pools[2].1);
    let rows = boards[2]["leaderboard"].as_array().unwrap();
    let scores: Vec<f64> = rows.iter().map(|row| row["score"].as_f64().unwrap()).collect();
    let alone = evaluated[0]["results"]["social_iqa"]["acc,none"].as_f64().unwrap();
    assert!(scores.iter().any(|score| (score - alone).abs() < 1e-6), "{scores:?} and {alone}");

    node.json("operator", &["warp", "30d", "--operator", node.wallet_file("operator").to_str().unwrap()]);
    for (pool, _) in &pools {
        assert_eq!(paid(&node, pool), 100_000_000_000_000, "all of it is paid out, or back to its payer");
    }
}

#[test]
fn a_task_that_no_pool_can_pay_for_is_refused_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let work = folder.path();
    aobench(work, &["task", "new", "mine"]);
    let text = std::fs::read_to_string(work.join("mine.yaml")).unwrap();
    std::fs::write(work.join("base.yaml"), &text).unwrap();
    std::fs::write(work.join("two.yaml"), format!("{text}  - metric: acc_norm\n")).unwrap();
    std::fs::write(work.join("field.yaml"), text.replace("{{question}}", "{{no_such_field}}")).unwrap();
    std::fs::write(work.join("derived.yaml"), "include: base.yaml\ntask: derived\nrepeats: 2\n").unwrap();
    for (task, reason) in [
        ("two.yaml", "exactly one metric"),
        ("field.yaml", "row 1"),
        ("derived.yaml", "repeats"),
        ("no.yaml", "social_iqa"),
    ] {
        let output = Command::new(AOBENCH)
            .args(["--url", "http://127.0.0.1:9", "dataset", "create", "--task", task, "--data", "mine.jsonl"])
            .current_dir(work)
            .env("HOME", work)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(reason), "{task}: {error}");
    }
}
