//! The end of a pool: when it comes, who is paid what, and that nothing is paid twice, early, or to the wrong one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;

use ao::{Id, Message};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::contest::{Contest, FUNDS, QUESTIONS, partial, report};
use harness::{BEGINNING_MS, DAY_MS, HOUR_MS, Letter, MINUTE_MS, World, facts, upload, wallet};
use serde_json::{Value, json};

/// A pool of an hour with these entries, each with a complete score.
fn scored(contest: &mut Contest, funds: u128, pairs: &[(&str, &str)], entries: &[(&str, u32)]) -> Id {
    let mut tags = vec![("X-Duration", "1-hour")];
    tags.extend_from_slice(pairs);
    let pool = contest.open(funds, &tags);
    for (name, correct) in entries {
        contest.join(pool, name, &format!("model of {name}")).unwrap();
        contest.score(pool, &format!("model of {name}"), *correct).unwrap();
    }
    pool
}

fn payouts(contest: &mut Contest, pool: Id) -> Vec<(u64, String, String)> {
    let board = contest.leaderboard(pool);
    let rows = board["payouts"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    rows.map(|row| (row["rank"].as_u64().unwrap_or_default(), text(&row["quantity"]), text(&row["status"]))).collect()
}

#[test]
fn original_paid_the_worst_ten() {
    let mut contest = Contest::new();
    let names: Vec<String> = (0..12).map(|number| format!("p{number}")).collect();
    let entries: Vec<(&str, u32)> = names.iter().map(String::as_str).zip(1..).collect();
    let pool = scored(&mut contest, 5_500, &[], &entries);
    contest.world.advance(2 * HOUR_MS);
    assert_eq!(contest.status(pool), "Settled");
    assert_eq!((contest.balance("p11"), contest.balance("p2"), contest.balance("p1")), (1000, 100, 0));
}

#[test]
fn original_anyone_could_allocate_rewards_repeatedly() {
    let mut contest = Contest::new();
    let pool = scored(&mut contest, 1000, &[], &[("tom", 90), ("tina", 80)]);
    let before = contest.tables();
    for action in ["Allocate-Rewards", "Update-Leaderboard"] {
        for sender in ["mallory", "owner", "tom"] {
            let effects = contest.world.send(wallet(sender), contest.benchmark, &[("Action", action)], "").unwrap();
            assert!(effects.messages.is_empty());
            assert_eq!(contest.tables(), before);
        }
    }
    contest.world.advance(2 * HOUR_MS);
    assert_eq!((contest.balance("tom"), contest.balance("tina")), (667, 333));
    let settled = contest.tables();
    for _ in 0..5 {
        contest.world.send(wallet("mallory"), contest.benchmark, &[("Action", "Allocate-Rewards")], "").unwrap();
    }
    contest.world.advance(3 * DAY_MS);
    assert_eq!(contest.tables(), settled);
    assert_eq!((contest.status(pool).as_str(), contest.balance("tom"), contest.escrow()), ("Settled", 667, 0));
}

#[test]
fn a_wallet_cannot_ring_the_alarm() {
    let mut contest = Contest::new();
    let fault = contest.world.send(wallet("mallory"), contest.benchmark, &[("Action", "Wake")], "").unwrap_err();
    assert!(fault.contains("no action 'Wake'"));
}

#[test]
fn nothing_is_paid_before_the_end_to_the_millisecond() {
    let mut contest = Contest::new();
    let pool = scored(&mut contest, 1000, &[], &[("tom", 90)]);
    let end = contest.pool(pool)["end"].as_u64().unwrap();
    contest.world.advance(end - 1 - contest.world.now_ms);
    contest.world.send(wallet("tom"), contest.benchmark, &[("Action", "Allocate-Rewards")], "").unwrap();
    assert_eq!((contest.status(pool).as_str(), contest.balance("tom")), ("Open", 0));
    contest.world.advance(1);
    assert_eq!((contest.status(pool).as_str(), contest.balance("tom")), ("Settled", 1000));
}

#[test]
fn a_pool_waits_for_the_last_evaluation_but_not_for_ever() {
    let mut contest = Contest::new();
    let pool = scored(&mut contest, 1000, &[], &[("tom", 90)]);
    contest.join(pool, "tina", "slow").unwrap();
    contest.report(pool, "slow", &partial(60, 60, QUESTIONS)).unwrap();
    contest.world.advance(2 * HOUR_MS);
    assert_eq!(contest.status(pool), "Closed");
    // The last score comes in the grace: the pool is settled at once.
    contest.report(pool, "slow", &report(95, QUESTIONS)).unwrap();
    assert_eq!(contest.status(pool), "Settled");
    assert_eq!((contest.balance("tina"), contest.balance("tom")), (667, 333));

    let pool = scored(&mut contest, 1000, &[], &[("ted", 40)]);
    contest.join(pool, "tina", "never").unwrap();
    contest.report(pool, "never", &partial(99, 99, QUESTIONS)).unwrap();
    contest.world.advance(HOUR_MS + 24 * HOUR_MS - MINUTE_MS);
    assert_eq!(contest.status(pool), "Closed");
    contest.world.advance(2 * MINUTE_MS);
    assert_eq!((contest.status(pool).as_str(), contest.balance("ted")), ("Settled", 1000));
    // What is not complete has no rank: it is neither zero nor a part of its score.
    assert_eq!(contest.board(pool)[1], ("never".to_owned(), 0, 99));
    assert!(contest.report(pool, "never", &report(99, QUESTIONS)).unwrap_err().contains("its ranking is final"));
}

#[test]
fn a_model_that_the_dataset_gave_up_holds_nobody_up() {
    let mut contest = Contest::new();
    let pool = scored(&mut contest, 1000, &[], &[("tom", 90)]);
    contest.join(pool, "tina", "broken").unwrap();
    let mut given_up = partial(10, 20, QUESTIONS);
    given_up["failed"] = json!("the model crashes on question 21");
    contest.report(pool, "broken", &given_up).unwrap();
    contest.world.advance(2 * HOUR_MS);
    assert_eq!((contest.status(pool).as_str(), contest.balance("tom")), ("Settled", 1000));
    let row = &contest.leaderboard(pool)["leaderboard"][1];
    assert_eq!((&row["status"], &row["reason"]), (&json!("Failed"), &json!("the model crashes on question 21")));
}

#[test]
fn a_model_still_being_checked_at_the_end_is_waited_for() {
    let mut contest = Contest::new();
    let pool = scored(&mut contest, 1000, &[], &[("tom", 50)]);
    contest.world.put_model(upload("late"), Ok(facts("late", "late")));
    let data = json!({ "dataset": pool, "model": upload("late") }).to_string();
    contest.world.post(wallet("tina"), contest.benchmark, &[("Action", "Join-Pool")], data);
    contest.world.deliver_at(0);
    contest.world.delay_at(0);
    contest.world.advance(2 * HOUR_MS);
    assert_eq!(contest.status(pool), "Closed");
    contest.world.release();
    contest.world.run();
    contest.report(pool, "late", &report(60, QUESTIONS)).unwrap();
    assert_eq!((contest.status(pool).as_str(), contest.balance("tina")), ("Settled", 667));
}

#[test]
fn a_pool_that_shows_nothing_goes_back_to_its_funder() {
    for entries in [&[][..], &[("tom", 0), ("tina", 0)][..]] {
        let mut contest = Contest::new();
        let pool = scored(&mut contest, 1000, &[], entries);
        contest.world.advance(2 * HOUR_MS);
        assert_eq!((contest.status(pool).as_str(), contest.balance("fiona"), contest.escrow()), ("Refunded", FUNDS, 0));
        assert!(contest.pool(pool)["reason"].as_str().unwrap().contains("no entry was completely evaluated"));
        assert!(contest.world.newest(wallet("fiona"), "Pool-Error").is_some());
    }
}

#[test]
fn a_model_without_one_correct_answer_takes_no_place() {
    let mut contest = Contest::new();
    let pool = scored(&mut contest, 1000, &[], &[("tom", 90), ("tina", 0)]);
    contest.world.advance(2 * HOUR_MS);
    assert_eq!((contest.balance("tom"), contest.balance("tina")), (1000, 0));
    assert_eq!(payouts(&mut contest, pool), [(1, "1000".to_owned(), "paid".to_owned())]);
}

#[test]
fn ties_are_split_or_go_to_the_earliest() {
    for (ties, expected) in [("split", (500, 500)), ("earliest", (667, 333))] {
        let mut contest = Contest::new();
        scored(&mut contest, 1000, &[("X-Ties", ties)], &[("tom", 90), ("tina", 90)]);
        contest.world.advance(2 * HOUR_MS);
        assert_eq!((contest.balance("tom"), contest.balance("tina")), expected, "{ties}");
    }
}

#[test]
fn what_no_test_can_tell_apart_shares_alike() {
    // Correct answers to the first so many questions.
    let bitmap = |correct: u32| {
        let mut bits = vec![0_u8; 13];
        (0..correct).for_each(|question| bits[question as usize / 8] |= 1 << (question % 8));
        STANDARD.encode(bits)
    };
    for (with_outcomes, expected) in [(true, (417, 416, 167)), (false, (500, 333, 167))] {
        let mut contest = Contest::new();
        let pool = contest.open(1000, &[("X-Ties", "significance"), ("X-Duration", "1-hour")]);
        for (name, correct) in [("tina", 90), ("tom", 88), ("ted", 60)] {
            contest.join(pool, name, name).unwrap();
            let mut complete = report(correct, QUESTIONS);
            if with_outcomes {
                complete["outcomes"] = json!(bitmap(correct));
            }
            contest.report(pool, name, &complete).unwrap();
        }
        let board = contest.leaderboard(pool);
        let ranges: Vec<Value> =
            board["leaderboard"].as_array().unwrap().iter().map(|row| row["rank_range"].clone()).collect();
        let told = [json!([1, 2]), json!([1, 2]), json!([3, 3])];
        assert_eq!(ranges, if with_outcomes { told } else { [Value::Null, Value::Null, Value::Null] });
        contest.world.advance(2 * HOUR_MS);
        assert_eq!((contest.balance("tina"), contest.balance("tom"), contest.balance("ted")), expected);
    }
}

#[test]
fn the_lenient_metric_pays_by_the_lenient_count() {
    for (metric, winner) in [("strict", "tom"), ("lenient", "tina")] {
        let mut contest = Contest::new();
        let pairs = [("X-Metric", metric), ("X-Allocation", "WinnerTakesAll"), ("X-Duration", "1-hour")];
        let pool = contest.open(1000, &pairs);
        for (name, strict, lenient) in [("tom", 50, 60), ("tina", 40, 70)] {
            contest.join(pool, name, name).unwrap();
            let mut complete = report(strict, QUESTIONS);
            complete["lenient_correct"] = json!(lenient);
            contest.report(pool, name, &complete).unwrap();
        }
        contest.world.advance(2 * HOUR_MS);
        assert_eq!(contest.balance(winner), 1000, "{metric}");
    }
}

#[test]
fn each_allocation_pays_by_its_own_rule() {
    for (pairs, expected) in [
        (vec![("X-Allocation", "WinnerTakesAll")], [1000, 0, 0]),
        (vec![("X-Allocation", "EqualTop10")], [334, 333, 333]),
        (vec![("X-Allocation", "Proportional")], [600, 300, 100]),
        (vec![("X-Allocation", "GeometricDecrease")], [571, 286, 143]),
        (vec![("X-Allocation", "FixedTable"), ("X-Table", "70,30")], [700, 300, 0]),
    ] {
        let mut contest = Contest::new();
        let pool = scored(&mut contest, 1000, &pairs, &[("tom", 60), ("tina", 30), ("ted", 10)]);
        let foreseen: Vec<_> = contest.leaderboard(pool)["leaderboard"].as_array().unwrap().clone();
        contest.world.advance(2 * HOUR_MS);
        let paid = ["tom", "tina", "ted"].map(|name| contest.balance(name));
        assert_eq!(paid, expected, "{pairs:?}");
        for (row, paid) in foreseen.iter().zip(paid) {
            assert_eq!(row["payout_if_ended"], json!(paid.to_string()));
        }
    }
}

#[test]
fn many_payouts_go_out_in_portions() {
    let mut contest = Contest::new();
    contest.world.check_money = false;
    let pool = contest.open(100_000, &[("X-Allocation", "Proportional"), ("X-Duration", "1-hour")]);
    for number in 0..250_u32 {
        contest.join(pool, &format!("p{number}"), &format!("m{number}")).unwrap();
        contest.score(pool, &format!("m{number}"), 1 + number % 100).unwrap();
    }
    contest.world.check_money = true;
    contest.world.advance(2 * HOUR_MS);
    assert_eq!((contest.status(pool).as_str(), contest.escrow()), ("Settled", 0));
    let board = contest.leaderboard(pool);
    let paid: u128 = board["payouts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["quantity"].as_str().unwrap().parse::<u128>().unwrap())
        .sum();
    assert_eq!((board["payouts"].as_array().unwrap().len(), paid), (250, 100_000));
}

#[test]
fn leaderboards_are_kept_by_day_and_missing_scores_asked_for() {
    let mut contest = Contest::new();
    let pool = contest.open(1000, &[("X-Duration", "3-days")]);
    contest.join(pool, "tom", "m").unwrap();
    contest.report(pool, "m", &partial(5, 10, QUESTIONS)).unwrap();
    contest.world.advance(DAY_MS);
    assert_eq!(contest.asked("Score"), 1);
    contest.report(pool, "m", &report(50, QUESTIONS)).unwrap();
    contest.world.advance(DAY_MS);
    assert_eq!(contest.asked("Score"), 1);
    let sql = "SELECT day, rank, correct, answered FROM leaderboards ORDER BY day";
    let mut statement = contest.world.connection(contest.benchmark).prepare(sql).unwrap();
    let rows = statement.query_map([], |row| {
        Ok((row.get::<_, u64>(0)?, row.get::<_, Option<u32>>(1)?, row.get::<_, u32>(2)?, row.get::<_, u32>(3)?))
    });
    let rows: Vec<_> = rows.unwrap().map(Result::unwrap).collect();
    let day = BEGINNING_MS / DAY_MS;
    assert_eq!(rows, [(day + 1, None, 5, 10), (day + 2, Some(1), 50, 100)]);
}

#[test]
fn a_clock_that_stood_still_for_a_month_settles_each_pool_once() {
    let mut contest = Contest::new();
    let first = scored(&mut contest, 1000, &[], &[("tom", 90)]);
    let second = scored(&mut contest, 500, &[("X-Duration", "2-days")], &[("tina", 10)]);
    contest.world.warp(30 * DAY_MS);
    contest.moment();
    assert_eq!((contest.status(first).as_str(), contest.status(second).as_str()), ("Settled", "Settled"));
    assert_eq!((contest.balance("tom"), contest.balance("tina"), contest.escrow()), (1000, 500, 0));
}

// --- the answers of the token, played by the test -------------------------------------------------------------------

/// A benchmark whose token the test plays, with a pool of 1000 that has just been settled. The pool and the two transfers
/// that the token was asked for.
fn with_played_token() -> (World, Id, Id, Id, Vec<Letter>) {
    let mut world = World::new();
    let (token, dataset) = (world.stand_in("token"), world.stand_in("dataset"));
    let benchmark = world.spawn("benchmark", wallet("owner"), &[("Token", &token.to_string())], "");
    let pairs = [
        ("Action", "Credit-Notice"),
        ("Sender", &*wallet("fiona").to_string()),
        ("Quantity", "1000"),
        ("X-Dataset", &*dataset.to_string()),
        ("X-Allocation", "ArithmeticDecrease"),
        ("X-Duration", "1-hour"),
    ];
    let pool = world.post_from_process(token, benchmark, &pairs, "");
    world.run();
    let mut contest = Contest { world, token, benchmark, dataset };
    contest.frozen(pool, QUESTIONS).unwrap();
    for (name, correct) in [("tom", 90), ("tina", 80)] {
        contest.join(pool, name, name).unwrap();
        contest.score(pool, name, correct).unwrap();
    }
    contest.world.advance(2 * HOUR_MS);
    assert_eq!(contest.status(pool), "Settling");
    let transfers = contest.world.inbox(token).to_vec();
    assert_eq!(transfers.len(), 2);
    (contest.world, token, benchmark, pool, transfers)
}

fn debit(transfer: &Letter) -> Vec<(String, String)> {
    let mut pairs = vec![("Action".to_owned(), "Debit-Notice".to_owned())];
    for name in ["Recipient", "Quantity", "X-Payout"] {
        pairs.push((name.to_owned(), transfer.tag(name).unwrap().to_owned()));
    }
    pairs
}

fn answer(world: &mut World, from: Id, benchmark: Id, pairs: &[(String, String)]) -> harness::Outcome {
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    world.send_from_process(from, benchmark, &pairs, "")
}

fn status(world: &mut World, benchmark: Id, pool: Id) -> String {
    let view = world.read(benchmark, &[("Action", "Get-Pool")], pool.to_string());
    view["status"].as_str().unwrap().to_owned()
}

#[test]
fn only_the_token_says_that_a_payout_is_paid() {
    let (mut world, token, benchmark, pool, transfers) = with_played_token();
    for sender in [wallet("tom"), world.node, wallet("owner")] {
        for transfer in &transfers {
            assert!(answer(&mut world, sender, benchmark, &debit(transfer)).unwrap_err().contains("for the token"));
        }
    }
    let mut other = debit(&transfers[0]);
    other[2].1 = "1".to_owned();
    assert!(answer(&mut world, token, benchmark, &other).unwrap_err().contains("is not the payout"));
    assert_eq!(status(&mut world, benchmark, pool), "Settling");
    for transfer in &transfers {
        answer(&mut world, token, benchmark, &debit(transfer)).unwrap();
    }
    assert_eq!(status(&mut world, benchmark, pool), "Settled");
    // Again: nothing happens.
    for transfer in &transfers {
        assert!(answer(&mut world, token, benchmark, &debit(transfer)).unwrap().messages.is_empty());
    }
    assert_eq!(world.inbox(token).len(), 2);
}

#[test]
fn a_payout_that_the_token_refuses_is_tried_again_and_paid_once() {
    let (mut world, token, benchmark, pool, transfers) = with_played_token();
    answer(&mut world, token, benchmark, &debit(&transfers[1])).unwrap();
    let refused = |transfer: &Letter| {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let id = transfer.id.to_string();
        vec![pair("Action", "Transfer-Error"), pair("Message-Id", &id), pair("Error", "Insufficient Balance!")]
    };
    assert!(
        answer(&mut world, wallet("tom"), benchmark, &refused(&transfers[0])).unwrap_err().contains("for the token")
    );
    answer(&mut world, token, benchmark, &refused(&transfers[0])).unwrap();
    assert_eq!(world.inbox(token).len(), 2);
    // Anybody may ask, only the clock and the owner try again.
    world.send(wallet("tom"), benchmark, &[("Action", "Allocate-Rewards")], "").unwrap();
    assert_eq!(world.inbox(token).len(), 2);
    world.advance(DAY_MS);
    assert_eq!(world.inbox(token).len(), 3);
    let second = world.inbox(token)[2].clone();
    assert_eq!(
        (second.tag("X-Payout"), second.tag("Quantity")),
        (transfers[0].tag("X-Payout"), transfers[0].tag("Quantity"))
    );
    // The first refusal comes again: it is about a transfer that is no longer the newest, and nothing is sent.
    assert!(answer(&mut world, token, benchmark, &refused(&transfers[0])).is_err());
    world.advance(DAY_MS);
    assert_eq!(world.inbox(token).len(), 3);
    for attempt in 3..=40 {
        let newest = world.inbox(token).last().unwrap().clone();
        answer(&mut world, token, benchmark, &refused(&newest)).unwrap();
        world.advance(DAY_MS);
        assert!(world.inbox(token).len() <= attempt + 1);
        if world.inbox(token).len() == attempt {
            break;
        }
    }
    assert_eq!(world.inbox(token).len(), 31);
    world.send(wallet("owner"), benchmark, &[("Action", "Allocate-Rewards")], "").unwrap();
    assert_eq!(world.inbox(token).len(), 32);
    let newest = world.inbox(token).last().unwrap().clone();
    assert_eq!(newest.id, Message::pushed_id(&benchmark, world.history(benchmark).count() as u64 - 1, 0));
    answer(&mut world, token, benchmark, &debit(&newest)).unwrap();
    assert_eq!(status(&mut world, benchmark, pool), "Settled");
}

#[test]
fn what_is_decided_cannot_be_changed_in_the_tables() {
    let (world, _, benchmark, _, _) = with_played_token();
    for (sql, reason) in [
        ("UPDATE payouts SET quantity = '1000000'", "what is paid to whom is fixed"),
        ("UPDATE payouts SET participant = 'mallory'", "what is paid to whom is fixed"),
        ("UPDATE pools SET allocation = 'WinnerTakesAll'", "fixed when it is funded"),
        ("UPDATE pools SET end_ms = 0", "fixed when it is funded"),
    ] {
        let refused = world.connection(benchmark).execute(sql, []).unwrap_err().to_string();
        assert!(refused.contains(reason), "{refused}");
    }
}

#[test]
fn a_payout_that_the_token_cannot_handle_is_tried_again_and_paid_once() {
    let (mut world, token, benchmark, pool, transfers) = with_played_token();
    answer(&mut world, token, benchmark, &debit(&transfers[1])).unwrap();
    let lost = |transfer: &Letter| {
        assert_eq!(transfer.tag("Notify-Undeliverable"), Some("true"));
        assert_eq!(transfer.tag("Reference"), Some(transfer.id.to_string().as_str()));
        let pairs = [("Action", "Undeliverable"), ("Original-Action", "Transfer"), ("Error", "the chain is too long")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let reference = ("Reference".to_owned(), transfer.id.to_string());
        pairs.into_iter().chain([reference]).collect::<Vec<_>>()
    };
    for stranger in [wallet("tom"), token, wallet("owner")] {
        assert!(answer(&mut world, stranger, benchmark, &lost(&transfers[0])).unwrap_err().contains("for the node"));
    }
    let node = world.node;
    answer(&mut world, node, benchmark, &lost(&transfers[0])).unwrap();
    assert_eq!((world.inbox(token).len(), status(&mut world, benchmark, pool)), (2, "Settling".to_owned()));
    world.advance(DAY_MS);
    let second = world.inbox(token)[2].clone();
    assert_eq!(
        (second.tag("X-Payout"), second.tag("Quantity")),
        (transfers[0].tag("X-Payout"), transfers[0].tag("Quantity"))
    );
    // The same about the first transfer comes late: the second is on its way, and a third would pay twice.
    assert!(answer(&mut world, node, benchmark, &lost(&transfers[0])).is_err());
    world.advance(DAY_MS);
    assert_eq!(world.inbox(token).len(), 3);
    answer(&mut world, token, benchmark, &debit(&second)).unwrap();
    assert_eq!(status(&mut world, benchmark, pool), "Settled");
    // And about one that was paid: it stays so.
    answer(&mut world, node, benchmark, &lost(&second)).unwrap();
    world.advance(2 * DAY_MS);
    assert_eq!((world.inbox(token).len(), status(&mut world, benchmark, pool)), (3, "Settled".to_owned()));
}
