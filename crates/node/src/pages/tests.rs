//! The pages with what strangers may put on them.

use ao::Id;
use askama::Template as _;
use serde_json::{Value, json};

use super::home::HomePage;
use super::picture::{Plot, Spark};
use super::pool::{Badge, PoolPage};

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
    let board = json!({
        "pool": pool(title), "updated_ms": 0, "leaderboard": lines, "payouts": payouts, "days": {},
        "fundings": [{ "message": Id::new([6; 32]), "funder": Id::new([3; 32]), "quantity": "1", "funded_ms": 0 }],
    });
    serde_json::from_value::<PoolPage>(board).unwrap().render().unwrap()
}

/// What would run or load something.
fn assert_harmless(html: &str) {
    let html = html.replace("<script type=\"module\" src=\"/script/page.js\"></script>", "");
    let html = html.replace("xmlns=\"http://www.w3.org/2000/svg\"", "");
    for forbidden in ["<script", "<img", " style=", "javascript:", "http://", "https://", "onerror='"] {
        assert!(!html.contains(forbidden), "{forbidden} in {html}");
    }
}

#[test]
fn what_strangers_write_is_text_and_nothing_else() {
    let html = board(HOSTILE, &[line(Some(1), HOSTILE)], &[]);
    assert_harmless(&html);
    assert!(html.contains("script"), "the text itself is shown");
    let home = json!({
        "node": Id::default(), "benchmark": null, "now_ms": 0, "search": HOSTILE, "overview": null,
        "sections": [{ "name": "open", "title": "Open", "pools": [pool(HOSTILE)], "next": "7" }],
    });
    assert_harmless(&serde_json::from_value::<HomePage>(home).unwrap().render().unwrap());
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
        "50.9 to 59.5 %",
        "666.6666 wAR",
        "31 Jan 2026, 00:00 UTC",
    ] {
        assert!(html.contains(expected), "no '{expected}' in {html}");
    }
}

#[test]
fn ranks_that_the_questions_do_not_decide_are_said() {
    let ranked = |range: Value| {
        let mut line = line(Some(1), "large");
        line["rank_range"] = range;
        board("Pool", &[line], &[])
    };
    let html = ranked(json!([1, 3]));
    assert!(html.contains("(1–3)") && html.contains("exact McNemar tests of all pairs"), "{html}");
    for sure in [json!([1, 1]), Value::Null] {
        let html = ranked(sure);
        assert!(!html.contains("(1") && !html.contains("McNemar tests of all"), "{html}");
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

fn lines() -> Vec<super::board::Line> {
    let mut lines = [
        line(Some(1), "large"),
        line(Some(2), "a name that is far too long for the room beside its row"),
        line(Some(3), "<small>"),
    ];
    lines[1]["group"] = json!(1);
    lines[2]["interval"] = json!([0.301, 0.42]);
    lines[2]["score"] = json!(0.36);
    let mut running = line(None, "running");
    running["status"] = json!("Evaluating");
    let mut silent = line(None, "silent");
    silent["answered"] = json!(0);
    serde_json::from_value(json!([lines[0], lines[1], lines[2], running, silent])).unwrap()
}

#[test]
fn a_picture_has_a_dot_and_an_interval_for_each_score_and_brackets_ties() {
    insta::assert_snapshot!(Plot::of("Social & more", &lines(), true).unwrap().render().unwrap());
    assert!(Plot::of("nothing", &[], false).is_none());
}

#[test]
fn a_badge_names_a_pool_and_its_leader() {
    insta::assert_snapshot!(Badge::new("Social & more", "<large> 55.3 %").render().unwrap());
}

#[test]
fn a_line_of_days_goes_from_the_first_to_the_last() {
    let spark = Spark::of(&[[20_000, 5, 10, 20], [20_001, 9, 15, 20], [20_003, 16, 20, 20]], 1, 0.5, 0.8).unwrap();
    assert_eq!(spark.path, "2.0,15.0 24.0,11.0 68.0,3.0");
    assert_eq!(spark.summary, "50.0 % on 2024-10-04, 80.0 % on 2024-10-07");
    assert!(Spark::of(&[[20_000, 5, 10, 20]], 1, 0.0, 1.0).is_none(), "one day is no line");
    assert!(Spark::of(&[[20_000, 0, 0, 20], [20_001, 0, 0, 20]], 1, 0.0, 1.0).is_none(), "no answer is no score");
}
