//! What the original proof of concept did with money and entries, and this one does not. More of its defects stand with
//! the subjects they belong to, each in a test whose name begins with `original_`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;

use harness::contest::{Contest, FUNDS, QUESTIONS, partial};
use harness::{HOUR_MS, wallet};
use serde_json::json;

/// The shares were never multiplied by the funds of the pool, later they were constants.
#[test]
fn original_paid_amounts_unrelated_to_the_funds() {
    for funds in [1_u128, 7, 1_000, FUNDS] {
        let mut contest = Contest::new();
        let pool = contest.open(funds, &[("X-Duration", "1-hour")]);
        for (name, correct) in [("tom", 90), ("tina", 80), ("ted", 70)] {
            contest.join(pool, name, name).unwrap();
            contest.score(pool, name, correct).unwrap();
        }
        contest.world.advance(2 * HOUR_MS);
        let paid = ["tom", "tina", "ted"].map(|name| contest.balance(name));
        assert_eq!(paid.iter().sum::<u128>(), funds);
        assert_eq!((contest.escrow(), contest.status(pool).as_str()), (0, "Settled"));
    }
}

/// The token to pay in was commented out and stayed the target of the payouts.
#[test]
fn original_paid_in_no_token() {
    let mut contest = Contest::new();
    let fault = contest.world.try_spawn("benchmark", wallet("owner"), &[], "").unwrap_err();
    assert_eq!(fault, "the tag 'Token' is missing");
}

/// One global time stamp throttled joins: whoever joined kept all others out for a minute.
#[test]
fn original_one_join_kept_all_others_out_for_a_minute() {
    let mut contest = Contest::new();
    let pool = contest.open(1000, &[]);
    for name in ["tom", "tina", "ted"] {
        assert_eq!(contest.join(pool, name, name).unwrap().output.error, None);
    }
    assert_eq!(contest.board(pool).len(), 3);
}

/// Questions in flight were counted as wrong.
#[test]
fn original_counted_what_was_in_flight_as_wrong() {
    let mut contest = Contest::new();
    let pool = contest.open(1000, &[]);
    contest.join(pool, "tom", "m").unwrap();
    contest.report(pool, "m", &partial(9, 10, QUESTIONS)).unwrap();
    let row = contest.leaderboard(pool)["leaderboard"][0].clone();
    assert_eq!((&row["score"], &row["progress"], &row["rank"]), (&json!(0.9), &json!(0.1), &json!(null)));
}

/// Refunds were addressed to the sender of the notice, which is the token itself.
#[test]
fn original_refunded_the_token_process() {
    let mut contest = Contest::new();
    contest.pay("fiona", "500", &[("X-Dataset", "no id")]);
    let token = harness::money::balance(&contest.world, contest.token, contest.token);
    assert_eq!((token, contest.balance("fiona"), contest.escrow()), (0, FUNDS, 0));
}

/// Pools were looked up with text put into SQL.
#[test]
fn original_put_text_from_outside_into_sql() {
    let mut contest = Contest::new();
    let title = "Robert'); DROP TABLE pools;--";
    let pool = contest.open(1000, &[("X-Title", title)]);
    contest.world.put_model(harness::upload("m"), Ok(harness::facts("m", "it's \"best\"'); DELETE FROM entries;--")));
    contest.join_as_is(pool, "tom", "m").unwrap();
    assert_eq!(contest.pool(pool)["title"], json!(title));
    assert_eq!(contest.board(pool)[0].0, "it's \"best\"'); DELETE FROM entries;--");
    for (name, value) in [("Dataset", "' OR ''='"), ("Status", "Open' --"), ("Funder", "%")] {
        let pools = contest.world.read(contest.benchmark, &[("Action", "Get-Pools"), (name, value)], "");
        assert_eq!(pools, json!([]));
    }
}

#[test]
fn a_pool_without_money_is_explained() {
    let mut contest = Contest::new();
    let pairs = [("Action", "Create-Pool"), ("X-Dataset", "x")];
    let fault = contest.world.send(wallet("fiona"), contest.benchmark, &pairs, "").unwrap_err();
    assert!(fault.contains("created with money") && fault.contains(&contest.token.to_string()));
    let fault = contest.world.send(wallet("fiona"), contest.benchmark, &[("Action", "Nonsense\u{7}")], "").unwrap_err();
    assert!(fault.starts_with("this process has no action 'Nonsense\\u{7}'; it has Info"), "{fault}");
}

#[test]
fn questions_about_pools_are_answered_or_explained() {
    let mut contest = Contest::new();
    let pool = contest.open(1000, &[]);
    let id = pool.to_string();
    for data in [id.clone(), format!(" {id}\n"), json!(id).to_string(), json!({ "pool": id }).to_string()] {
        for action in ["Get-Pool", "Leaderboard"] {
            contest.world.dry_run(wallet("tom"), contest.benchmark, &[("Action", action)], data.clone()).unwrap();
        }
    }
    let by_tag = contest.world.read(contest.benchmark, &[("Action", "Get-Pool"), ("Pool", &id)], " ");
    assert_eq!(by_tag["id"], json!(id));
    for (data, reason) in [
        ("", "should be the id of a pool"),
        ("my pool", "'my pool' names no pool"),
        ("{", "neither the id of a pool nor"),
        (r#"{"model":"x"}"#, "neither the id of a pool nor"),
        (&wallet("nobody").to_string(), "there is no pool"),
    ] {
        let pairs = [("Action", "Leaderboard")];
        let fault = contest.world.dry_run(wallet("tom"), contest.benchmark, &pairs, data).unwrap_err();
        assert!(fault.contains(reason), "{data}: {fault}");
    }
    let effects = contest.world.send(wallet("tom"), contest.benchmark, &[("Action", "Info"), ("Reference", "4")], "");
    let answer = &effects.unwrap().messages[0];
    assert_eq!((answer.target, answer.tags.get("X-Reference")), (wallet("tom"), Some("4")));
}
