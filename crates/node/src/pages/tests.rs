//! The pages with what strangers may put on them.

use ao::Id;
use askama::Template as _;
use serde_json::{Value, json};

use super::board::{Bar, Leaderboard, Line};
use super::{HomePage, PoolPage};

const HOSTILE: &str = "</td><script>alert(1)</script><img src=x onerror='alert(1)'>";

fn pool(title: &str) -> Value {
    json!({
        "id": Id::new([1; 32]), "title": title, "dataset": Id::new([2; 32]), "funder": Id::new([3; 32]),
        "funds": "1000000000000000", "allocation": "ArithmeticDecrease", "weights": null, "ties": "split",
        "metric": "strict", "start": 1_767_225_600_000_u64, "end": 1_769_817_600_000_u64, "grace_end": 0,
        "status": "Open", "reason": "", "questions": 512, "content_hash": "ab", "protocol": "cd", "entries": 2,
        "synthetic": true,
    })
}

fn line(rank: Option<u64>, name: &str) -> Value {
    json!({
        "rank": rank, "group": rank, "model": Id::new([4; 32]), "participant": Id::new([5; 32]), "name": name,
        "content_hash": "ab", "correct": 283, "answered": 512, "unparsed": 12, "total": 512, "score": 0.552_734,
        "interval": [0.509_445, 0.595_263], "progress": 1, "status": "complete", "reason": null,
        "payout_if_ended": "666666666666667",
    })
}

fn board(title: &str, lines: &[Value], payouts: &[Value]) -> String {
    let board = json!({ "pool": pool(title), "updated_ms": 0, "leaderboard": lines, "payouts": payouts });
    PoolPage { board: serde_json::from_value::<Leaderboard>(board).unwrap() }.render().unwrap()
}

/// What would run or load something.
fn assert_harmless(html: &str) {
    for forbidden in ["<script", "<img", " style=", "javascript:", "http://", "https://", "onerror='"] {
        assert!(!html.contains(forbidden), "{forbidden} in {html}");
    }
}

#[test]
fn what_strangers_write_is_text_and_nothing_else() {
    let html = board(HOSTILE, &[line(Some(1), HOSTILE)], &[]);
    assert_harmless(&html);
    assert!(html.contains("script"), "the text itself is shown");
    let pools = serde_json::from_value(json!([pool(HOSTILE)])).unwrap();
    assert_harmless(&HomePage { node: Id::default(), pools, benchmark: None }.render().unwrap());
}

#[test]
fn a_leaderboard_shows_score_interval_answers_and_money() {
    let html = board("Social questions", &[line(Some(1), "large")], &[]);
    for expected in [
        "Social questions",
        "synthetic",
        "1000 wAR",
        "283 of 512",
        "55.3 %",
        "50.9 % to 59.5 %",
        "666.6666 wAR",
        "2026-01-31 00:00 UTC",
    ] {
        assert!(html.contains(expected), "no '{expected}' in {html}");
    }
}

#[test]
fn an_entry_without_answers_has_no_score() {
    let mut silent = line(None, "silent");
    silent["answered"] = json!(0);
    silent["correct"] = json!(0);
    silent["status"] = json!("failed");
    silent["reason"] = json!("it stood still");
    let html = board("Pool", &[silent], &[]);
    assert!(!html.contains("0.0 %") && html.contains("failed") && html.contains("it stood still"), "{html}");
}

#[test]
fn a_refund_has_no_rank_and_is_shown() {
    let refund = json!({
        "kind": "refund", "rank": null, "participant": Id::new([3; 32]), "model": null, "quantity": "1000000000000000",
        "status": "paid", "message": null, "error": null,
    });
    let html = board("Pool", &[], &[refund]);
    assert!(html.contains("refund") && html.contains("1000 wAR"), "{html}");
}

#[test]
fn an_interval_lies_on_its_bar() {
    let line: Line = serde_json::from_value(line(Some(1), "")).unwrap();
    assert_eq!(line.bar(), Bar { low: 51, width: 9, score: 55 });
}
