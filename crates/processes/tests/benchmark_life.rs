//! The life of a pool from its money to its payouts, as its funder and its trainers see it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;

use harness::contest::{Contest, FUNDS, QUESTIONS, partial};
use harness::{DAY_MS, HOUR_MS, upload, wallet};
use serde_json::json;

#[test]
fn from_escrow_to_payout() {
    let mut contest = Contest::new();
    let pool = contest.fund("fiona", 1000, &[("X-Title", "Which model understands feelings?")]);
    assert_eq!((contest.status(pool).as_str(), contest.escrow()), ("Opening", 1000));
    assert_eq!(contest.asked("Freeze-Dataset"), 1);

    contest.frozen(pool, QUESTIONS).unwrap();
    let created = contest.world.newest(wallet("fiona"), "Pool-Created").unwrap();
    assert_eq!(created.tag("Pool"), Some(pool.to_string().as_str()));
    assert_eq!(created.tag("Dataset"), Some(contest.dataset.to_string().as_str()));
    assert_eq!(contest.status(pool), "Open");

    for (participant, model, correct) in [("tom", "small", 35), ("tina", "large", 90), ("ted", "medium", 55)] {
        contest.join(pool, participant, model).unwrap();
        assert_eq!(
            contest.world.newest(wallet(participant), "Join-Response").unwrap().tag("Pool"),
            Some(&*pool.to_string())
        );
        contest.score(pool, model, correct).unwrap();
    }
    assert_eq!(contest.asked("Benchmark"), 3);
    let board = [("large".to_owned(), 1, 90), ("medium".to_owned(), 2, 55), ("small".to_owned(), 3, 35)];
    assert_eq!(contest.board(pool), board);

    contest.world.advance(30 * DAY_MS - HOUR_MS);
    assert_eq!((contest.status(pool).as_str(), contest.balance("tina")), ("Open", 0));
    contest.world.advance(2 * HOUR_MS);
    assert_eq!(contest.status(pool), "Settled");
    assert_eq!((contest.balance("tina"), contest.balance("ted"), contest.balance("tom")), (500, 333, 167));
    assert_eq!((contest.escrow(), contest.balance("fiona")), (0, FUNDS - 1000));
    assert_eq!(contest.board(pool), board);
    let notice = contest.world.newest(wallet("tina"), "Credit-Notice").unwrap();
    assert_eq!(notice.tag("X-Payout"), Some(format!("{pool}:1").as_str()));
    assert!(contest.world.newest(wallet("fiona"), "Pool-Settled").is_some());
}

#[test]
fn the_views_are_the_json_that_clients_read() {
    let mut contest = Contest::new();
    let pool = contest.open(1000, &[("X-Title", "Feelings, fast"), ("X-Duration", "12-hours"), ("X-Ties", "earliest")]);
    contest.join(pool, "tom", "small").unwrap();
    contest.report(pool, "small", &partial(30, 40, QUESTIONS)).unwrap();
    contest.join(pool, "tina", "large").unwrap();
    contest.score(pool, "large", 90).unwrap();
    let start = harness::BEGINNING_MS;
    let view = contest.pool(pool);
    for (name, value) in [
        ("id", json!(pool)),
        ("title", json!("Feelings, fast")),
        ("dataset", json!(contest.dataset)),
        ("funder", json!(wallet("fiona"))),
        ("funds", json!("1000")),
        ("allocation", json!("ArithmeticDecrease")),
        ("ties", json!("earliest")),
        ("metric", json!("strict")),
        ("status", json!("Open")),
        ("questions", json!(QUESTIONS)),
        ("protocol", json!("p1")),
        ("entries", json!(2)),
        ("synthetic", json!(true)),
    ] {
        assert_eq!(view[name], value, "{name}");
    }
    let (from, to) = (view["start"].as_u64().unwrap(), view["end"].as_u64().unwrap());
    assert!(from >= start && from < start + 1000 && to == from + 12 * HOUR_MS);

    let board = contest.leaderboard(pool);
    assert_eq!(board["pool"], view);
    let best = &board["leaderboard"][0];
    assert_eq!(best["score"], json!(0.9));
    assert_eq!(best["interval"], json!([0.825_633, 0.944_771]));
    assert_eq!(
        (&best["payout_if_ended"], &best["progress"], &best["status"]),
        (&json!("1000"), &json!(1.0), &json!("Complete"))
    );
    let other = &board["leaderboard"][1];
    assert_eq!((&other["rank"], &other["score"], &other["progress"]), (&json!(null), &json!(0.75), &json!(0.4)));
    assert_eq!((&other["status"], &other["payout_if_ended"]), (&json!("Evaluating"), &json!("0")));
    let pools = contest.world.read(contest.benchmark, &[("Action", "Get-Pools")], "");
    assert_eq!(pools, json!([view]));
    contest.world.advance(DAY_MS);
    contest.world.advance(2 * DAY_MS);
    let settled = contest.leaderboard(pool);
    let payout = &settled["payouts"][0];
    assert_eq!((&payout["rank"], &payout["quantity"], &payout["status"]), (&json!(1), &json!("1000"), &json!("paid")));
    assert_eq!(payout["participant"], json!(wallet("tina")));
    assert_eq!(payout["model"], json!(upload("large")));
}
