//! Paid inference: every fee goes to the worker that answered or back to who paid it, and nowhere else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;
mod herd;

use ao::Id;
use harness::{DAY_MS, HOUR_MS, wallet};
use herd::{Herd, LEASE_MS, batch};
use proptest::prelude::*;

const PROMPT: (&str, &str) = ("X-Prompt", "What is AO?");

fn fees(fee: &str, workers: &[&str]) -> Herd {
    let mut herd = Herd::new(&[("Fee-Per-Token", fee)]);
    for name in workers {
        herd.hire(name, &[]);
    }
    herd
}

#[test]
fn a_paid_prompt_is_answered_to_its_payer_and_the_fee_goes_to_the_worker() {
    let mut herd = fees("2", &["w"]);
    herd.pay("alice", "100", &[PROMPT, ("X-Tokens", "40"), ("X-Reference", "mine")]).unwrap();
    let job = herd.last_job("w");
    assert_eq!((job.text(), job.tag("Tokens")), ("What is AO?", Some("40")));
    assert_eq!((herd.balance("alice"), herd.herder_balance()), (900, 100));
    assert_eq!(herd.info()["fees_held"], "100");
    herd.work("w").unwrap();
    let answer = herd.last_answer("alice");
    assert_eq!((answer.tag("Reference"), answer.text()), (Some("mine"), "a plain answer"));
    assert_eq!((herd.balance("w"), herd.balance("alice"), herd.herder_balance()), (100, 900, 0));
    assert_eq!(herd.record("w")["earned"], "100");
    assert_eq!(states(&herd), ["settled"]);
}

#[test]
fn an_underpayment_is_refunded_to_its_payer_and_not_to_the_token_process() {
    let mut herd = fees("2", &["w"]);
    herd.pay("alice", "79", &[PROMPT, ("X-Tokens", "40"), ("X-Reference", "mine")]).unwrap();
    assert_eq!((herd.balance("alice"), herd.herder_balance()), (1000, 0));
    assert_eq!(harness::money::balance(&herd.world, herd.token, herd.token), 0, "not to the token process");
    let refund = herd.world.newest(wallet("alice"), "Credit-Notice").unwrap();
    assert!(refund.tag("X-Refund").is_some());
    assert!(refund.tag("X-Error").unwrap().contains("79 is too little"));
    assert_eq!(herd.last_answer("alice").tag("Reference"), Some("mine"));
    assert!(herd.jobs("w").is_empty());
}

#[test]
fn a_payment_without_x_tokens_or_with_nonsense_is_refunded_and_crashes_nothing() {
    let prompt_too_long = "x".repeat(40_000);
    for pairs in [
        vec![],
        vec![PROMPT],
        vec![("X-Tokens", "40")],
        vec![PROMPT, ("X-Tokens", "0")],
        vec![PROMPT, ("X-Tokens", "-1")],
        vec![PROMPT, ("X-Tokens", "NaN")],
        vec![PROMPT, ("X-Tokens", "Infinity")],
        vec![PROMPT, ("X-Tokens", "1e3")],
        vec![PROMPT, ("X-Tokens", "1025")],
        vec![PROMPT, ("X-Tokens", "99999999999999999999999")],
        vec![("X-Prompt", ""), ("X-Tokens", "1")],
        vec![("X-Prompt", prompt_too_long.as_str()), ("X-Tokens", "1")],
        vec![
            ("X-Prompt", r#"{"kind":"generate","max_tokens":1024,"prompts":[{"id":1,"prompt":"p"}]}"#),
            ("X-Tokens", "1"),
        ],
        vec![PROMPT, ("X-Tokens", "1"), ("X-WorkerType", "Miner")],
        vec![PROMPT, ("X-Tokens", "1"), ("X-Model", "phi")],
    ] {
        let mut herd = fees("0", &["w"]);
        herd.pay("alice", "100", &pairs).unwrap();
        assert_eq!((herd.balance("alice"), herd.herder_balance()), (1000, 0), "{pairs:?}");
        assert_eq!(herd.last_answer("alice").tag("Fault"), Some("request"), "{pairs:?}");
        assert!(herd.jobs("w").is_empty());
        herd.pay("alice", "100", &[PROMPT, ("X-Tokens", "1")]).unwrap();
        assert_eq!(herd.jobs("w").len(), 1, "it goes on");
    }
}

#[test]
fn a_prompt_that_nobody_answers_is_refunded() {
    let mut herd = fees("1", &["w"]);
    herd.pay("alice", "100", &[PROMPT, ("X-Tokens", "100")]).unwrap();
    for _ in 0..7 {
        herd.world.advance(LEASE_MS);
        herd.beat("w", &[]).unwrap();
    }
    assert_eq!((herd.balance("alice"), herd.balance("w"), herd.herder_balance()), (1000, 0, 0));
    assert_eq!(herd.last_answer("alice").tag("Fault"), Some("worker"));

    let mut nobody = fees("1", &[]);
    nobody.pay("alice", "100", &[PROMPT, ("X-Tokens", "100")]).unwrap();
    nobody.world.advance(DAY_MS + HOUR_MS);
    assert_eq!(nobody.balance("alice"), 1000);
}

#[test]
fn a_full_queue_returns_the_money() {
    let mut herd = fees("0", &[]);
    for reference in 0..2_048 {
        herd.ask("alice", &reference.to_string(), &batch(&[1])).unwrap();
    }
    herd.pay("alice", "100", &[PROMPT, ("X-Tokens", "1")]).unwrap();
    assert_eq!(herd.balance("alice"), 1000);
    assert_eq!(herd.last_answer("alice").tag("Fault"), Some("busy"));
}

#[test]
fn a_forged_credit_notice_from_a_wallet_buys_nothing() {
    let mut herd = fees("1", &["w"]);
    let (token, alice) = (herd.token.to_string(), wallet("alice").to_string());
    let pairs = [
        ("Action", "Credit-Notice"),
        ("From-Process", token.as_str()),
        ("Sender", alice.as_str()),
        ("Quantity", "1000000"),
        PROMPT,
        ("X-Tokens", "1"),
    ];
    let fault = herd.say("mallory", &pairs, "").unwrap_err();
    assert!(fault.contains("configured token"), "{fault}");
    assert!(herd.jobs("w").is_empty());
    for action in ["Debit-Notice", "Transfer-Error"] {
        let named = [("Action", action), ("X-Payment", token.as_str()), ("Message-Id", token.as_str())];
        assert!(herd.say("mallory", &named, "").is_err());
    }
}

#[test]
fn another_token_is_sent_back_to_its_payer() {
    let mut herd = fees("1", &["w"]);
    let supply = format!(r#"{{"{}":"50"}}"#, wallet("alice"));
    let other = herd.world.spawn("token", wallet("mint"), &[("Name", "Other")], &supply);
    let recipient = herd.herder.to_string();
    let pairs =
        [("Action", "Transfer"), ("Recipient", recipient.as_str()), ("Quantity", "50"), PROMPT, ("X-Tokens", "1")];
    herd.world.send(wallet("alice"), other, &pairs, "").unwrap();
    assert_eq!(harness::money::balance(&herd.world, other, wallet("alice")), 50);
    assert!(herd.jobs("w").is_empty());
}

#[test]
fn free_requests_are_refused_where_there_is_a_fee() {
    let mut herd = fees("1", &["w"]);
    let refused = herd.ask("alice", "1", &batch(&[1])).unwrap();
    assert!(refused.output.error.unwrap().contains("X-Tokens"));
    assert!(herd.jobs("w").is_empty());
}

#[test]
fn the_higher_fee_per_token_is_served_first() {
    let mut herd = fees("1", &[]);
    for (reference, quantity, tokens) in [("cheap", "100", "100"), ("dear", "100", "10"), ("dearest", "100", "1")] {
        herd.pay("alice", quantity, &[PROMPT, ("X-Tokens", tokens), ("X-Reference", reference)]).unwrap();
    }
    herd.hire("w", &[("Capacity", "1")]);
    for _ in 0..3 {
        herd.work("w").unwrap();
    }
    let served: Vec<_> =
        herd.answers("alice").iter().map(|answer| answer.tag("Reference").unwrap().to_owned()).collect();
    assert_eq!(served, ["dearest", "dear", "cheap"]);
}

#[test]
fn a_duplicate_notice_pays_once() {
    let mut herd = fees("1", &["w"]);
    herd.world.deduplicate = false;
    let recipient = herd.herder.to_string();
    let pairs =
        [("Action", "Transfer"), ("Recipient", recipient.as_str()), ("Quantity", "9"), PROMPT, ("X-Tokens", "1")];
    herd.world.post(wallet("alice"), herd.token, &pairs, "");
    herd.world.deliver_at(0);
    let notice = herd.world.queue().iter().position(|letter| letter.target == herd.herder).unwrap();
    herd.world.duplicate_at(notice);
    herd.world.run();
    assert_eq!(herd.jobs("w").len(), 1);
}

#[test]
fn a_payment_that_the_token_refuses_is_tried_again() {
    let mut herd = fees("1", &["w"]);
    herd.pay("alice", "100", &[PROMPT, ("X-Tokens", "1")]).unwrap();
    // The token loses the herder's money and finds it again.
    let set = |herd: &Herd, quantity: &str| {
        let sql = "UPDATE balances SET quantity = ?1 WHERE account = ?2";
        herd.world.connection(herd.token).execute(sql, [quantity, &herd.herder.to_string()]).unwrap();
    };
    herd.world.check_money = false;
    set(&herd, "0");
    herd.work("w").unwrap();
    assert_eq!((states(&herd), herd.balance("w")), (vec!["failed".to_owned()], 0));
    set(&herd, "100");
    herd.world.advance(HOUR_MS + LEASE_MS);
    assert_eq!((states(&herd), herd.balance("w")), (vec!["settled".to_owned()], 100));
}

#[test]
fn a_payment_that_the_token_could_not_handle_or_refused_for_long_is_not_lost() {
    let mut herd = fees("1", &["w"]);
    herd.pay("alice", "100", &[PROMPT, ("X-Tokens", "1")]).unwrap();
    // The books of the token are damaged for a day: it can handle no payment of the herder.
    let set = |herd: &Herd, quantity: &str| {
        let sql = "UPDATE balances SET quantity = ?1 WHERE account = ?2";
        herd.world.connection(herd.token).execute(sql, [quantity, &herd.herder.to_string()]).unwrap();
    };
    (herd.world.check_money, herd.world.tells_faults) = (false, true);
    set(&herd, "damaged");
    herd.work("w").unwrap();
    assert_eq!(states(&herd), ["failed"]);
    herd.world.advance(24 * HOUR_MS);
    assert_eq!(states(&herd), ["failed"], "five times the clock tries");
    set(&herd, "100");
    herd.world.advance(24 * HOUR_MS);
    assert_eq!(states(&herd), ["failed"]);
    let retry = [("Action", "Retry-Payments")];
    assert!(herd.world.send(wallet("w"), herd.herder, &retry, "").unwrap_err().contains("owner"));
    herd.world.send(wallet("owner"), herd.herder, &retry, "").unwrap();
    assert_eq!((states(&herd), herd.balance("w")), (vec!["settled".to_owned()], 100));
    // Once more there is nothing to send.
    herd.world.send(wallet("owner"), herd.herder, &retry, "").unwrap();
    assert_eq!((states(&herd), herd.balance("w")), (vec!["settled".to_owned()], 100));
}

fn states(herd: &Herd) -> Vec<String> {
    let connection = herd.world.connection(herd.herder);
    let mut statement = connection.prepare("SELECT state FROM payments").unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// What the herder says it holds is what it has.
fn check_books(herd: &mut Herd) {
    let held = herd.info()["fees_held"].as_str().unwrap().to_owned();
    assert_eq!(held, herd.herder_balance().to_string());
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48),
        ..ProptestConfig::default()
    })]

    /// Whatever payers, workers and the clock do, no winston is lost: when all is over the herder has nothing, and every
    /// answer was paid for once.
    #[test]
    fn every_fee_leaves_once(steps in prop::collection::vec((0..6_u8, 1..40_u128, 0..30_u32), 1..60)) {
        let mut herd = fees("1", &["a", "b"]);
        for (step, quantity, tokens) in steps {
            let worker = if quantity % 2 == 0 { "a" } else { "b" };
            let open: Vec<_> = herd.jobs(worker);
            match step {
                0 | 1 => {
                    let tokens = tokens.to_string();
                    let _ = herd.pay("alice", &quantity.to_string(), &[PROMPT, ("X-Tokens", &tokens)]);
                }
                2 | 3 if !open.is_empty() => {
                    let job = open[tokens as usize % open.len()].clone();
                    let _ = herd.reply(worker, &job, &[], if step == 2 { "fine".to_owned() } else { "x".repeat(5_000) });
                }
                4 => herd.world.advance(LEASE_MS / 2),
                _ => drop(herd.beat(worker, &[])),
            }
            check_books(&mut herd);
        }
        herd.world.advance(2 * DAY_MS);
        prop_assert_eq!(herd.herder_balance(), 0);
        let total: u128 = ["alice", "a", "b"].iter().map(|name| herd.balance(name)).sum();
        prop_assert_eq!(total, 1000);
        let answered = herd.answers("alice").iter().filter(|answer| answer.tag("Error").is_none()).count();
        let paid = herd.world.inbox(wallet("a")).iter().chain(herd.world.inbox(wallet("b")));
        let token: Id = herd.token;
        prop_assert_eq!(paid.filter(|letter| letter.from == token).count(), answered);
    }
}
