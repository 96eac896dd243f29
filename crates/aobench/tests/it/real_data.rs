//! Real questions and a model that never answers, from funding to payout.

use std::time::{Duration, Instant};

use crate::binary::{RunningNode, free_port, repository, shared_data};

#[test]
fn siqa_loads_whole_and_a_pool_on_it_runs_to_payout() {
    let Some(data) = shared_data("siqa_loads_whole_and_a_pool_on_it_runs_to_payout") else { return };
    let folder = tempfile::tempdir().unwrap();
    let node = RunningNode::start(folder.path(), free_port(), 2);

    let siqa = data.join("siqa");
    let created = node.json("funder", &["dataset", "create", siqa.to_str().unwrap(), "--title", "SIQA"]);
    assert_eq!(created["rows"], 200, "the original lost every row with an apostrophe");
    let dataset = created["dataset"].as_str().unwrap();
    let info = node.json("funder", &["dataset", "info", dataset]);
    assert_eq!(info["questions"], 200, "{info}");

    let pool = node.json("funder", &["pool", "create", "--dataset", dataset, "--amount", "1000"]);
    let pool = pool["id"].as_str().unwrap();
    for number in 1..=4 {
        let model = repository().join(format!("demo/models/social-{number}.gguf"));
        node.json(&format!("trainer-{number}"), &["pool", "join", pool, model.to_str().unwrap()]);
    }
    let silent = data.join("models/tinystories-281k-f32.gguf");
    let silent = node.json("trainer-1", &["pool", "join", pool, silent.to_str().unwrap()]);

    let end = Instant::now() + Duration::from_mins(3);
    let board = loop {
        let board = node.json("funder", &["pool", "leaderboard", pool]);
        let lines = board["leaderboard"].as_array().unwrap().clone();
        if lines.len() == 5 && lines.iter().all(|line| line["answered"] == line["total"] && line["total"] == 200) {
            break lines;
        }
        assert!(Instant::now() < end, "the evaluation did not end: {board}");
        std::thread::sleep(Duration::from_millis(250));
    };
    let line = board.iter().find(|line| line["model"] == silent["model"]).unwrap();
    assert_eq!(line["total"], 200);
    assert_eq!(line["unparsed"], 200, "a model that never answers has no answers, not a third of them right: {line}");
    assert_eq!(line["correct"], 0);

    node.json("operator", &["warp", "30d", "--operator", node.wallet_file("operator").to_str().unwrap()]);
    let end = Instant::now() + Duration::from_mins(1);
    let settled = loop {
        let board = node.json("funder", &["pool", "settle", pool]);
        if board["pool"]["status"] == "Settled" {
            break board;
        }
        assert!(Instant::now() < end, "the pool was not settled: {board}");
        std::thread::sleep(Duration::from_millis(250));
    };
    let paid: u128 = settled["payouts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|payout| payout["quantity"].as_str().unwrap().parse::<u128>().unwrap())
        .sum();
    assert_eq!(paid, 1_000_000_000_000_000);
}
