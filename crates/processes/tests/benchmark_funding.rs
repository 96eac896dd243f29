//! Money that arrives: what becomes a pool, what goes back, and what is no money at all.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;

use harness::contest::{Contest, FUNDS, QUESTIONS};
use harness::{BEGINNING_MS, DAY_MS, HOUR_MS, MINUTE_MS, wallet};
use serde_json::json;

/// The funder has all her money again, the benchmark none, and she was told why.
fn is_returned(contest: &Contest, notice: ao::Id, reason: &str) {
    assert_eq!((contest.balance("fiona"), contest.escrow()), (FUNDS, 0), "{reason}");
    let error = contest.world.newest(wallet("fiona"), "Pool-Error").expect("a Pool-Error");
    assert_eq!(error.tag("Pool"), Some(&*notice.to_string()));
    assert!(error.tag("Error").unwrap().contains(reason), "'{}' does not say '{reason}'", error.text());
    let refund = contest.world.newest(wallet("fiona"), "Credit-Notice").expect("a refund");
    assert_eq!(refund.tag("X-Refund"), Some(&*notice.to_string()));
    assert!(refund.tag("X-Error").unwrap().contains(reason));
}

#[test]
fn a_pool_that_cannot_be_is_money_returned_at_once() {
    let far = (BEGINNING_MS + 400 * DAY_MS).to_string();
    let past = (BEGINNING_MS - 2 * HOUR_MS).to_string();
    let long = "t".repeat(65);
    let many = vec!["1"; 101].join(",");
    let good = harness::hash("some dataset");
    let good = good.as_str();
    for (pairs, reason) in [
        (vec![("X-Allocation", "ArithmeticDecrease")], "'X-Dataset' is missing"),
        (vec![("X-Dataset", "siqa"), ("X-Allocation", "ArithmeticDecrease")], "43 characters"),
        (vec![("X-Dataset", "'; DROP TABLE pools; --"), ("X-Allocation", "EqualTop10")], "43 characters"),
        (vec![("X-Dataset", good)], "'X-Allocation' is missing"),
        (vec![("X-Dataset", good), ("X-Allocation", "MineAlone")], "the allocations are ArithmeticDecrease"),
        (vec![("X-Dataset", good), ("X-Allocation", "arithmeticdecrease")], "the allocations are"),
        (vec![("X-Dataset", good), ("X-Allocation", "FixedTable")], "'X-Table' is missing"),
        (vec![("X-Dataset", good), ("X-Allocation", "FixedTable"), ("X-Table", "1,2")], "larger weight"),
        (vec![("X-Dataset", good), ("X-Allocation", "FixedTable"), ("X-Table", "0,0")], "more than 0"),
        (vec![("X-Dataset", good), ("X-Allocation", "FixedTable"), ("X-Table", "1.5,1")], "whole numbers"),
        (vec![("X-Dataset", good), ("X-Allocation", "FixedTable"), ("X-Table", "-1")], "whole numbers"),
        (vec![("X-Dataset", good), ("X-Allocation", "FixedTable"), ("X-Table", "9999999")], "whole numbers"),
        (vec![("X-Dataset", good), ("X-Allocation", "FixedTable"), ("X-Table", &many)], "more than 100"),
        (vec![("X-Dataset", good), ("X-Allocation", "EqualTop10"), ("X-Table", "3,2")], "FixedTable only"),
        (vec![("X-Dataset", good), ("X-Allocation", "EqualTop10"), ("X-Ties", "coin")], "split, earliest"),
        (vec![("X-Dataset", good), ("X-Allocation", "Proportional"), ("X-Ties", "significance")], "no place to be"),
        (vec![("X-Dataset", good), ("X-Allocation", "EqualTop10"), ("X-Metric", "kind")], "strict and lenient"),
        (vec![("X-Dataset", good), ("X-Allocation", "EqualTop10"), ("X-Start", "tomorrow")], "milliseconds since"),
        (vec![("X-Dataset", good), ("X-Allocation", "EqualTop10"), ("X-Start", "-1")], "milliseconds since"),
        (vec![("X-Dataset", good), ("X-Allocation", "EqualTop10"), ("X-Start", &past)], "in the past"),
        (vec![("X-Dataset", good), ("X-Allocation", "EqualTop10"), ("X-Start", &far)], "366 days ahead"),
        (vec![("X-Dataset", good), ("X-Allocation", "EqualTop10"), ("X-Duration", "0-days")], "from 1 minutes to"),
        (vec![("X-Dataset", good), ("X-Allocation", "EqualTop10"), ("X-Duration", "367-days")], "366 days"),
        (vec![("X-Dataset", good), ("X-Allocation", "EqualTop10"), ("X-Duration", "for ever")], "30-days, 12-hours"),
        (vec![("X-Dataset", good), ("X-Allocation", "EqualTop10"), ("X-Duration", "999999999-days")], "366 days"),
        (vec![("X-Dataset", good), ("X-Allocation", "EqualTop10"), ("X-Title", &long)], "at most 64"),
        (vec![("X-Pool", good)], "there is no pool"),
        (vec![("X-Pool", "my pool")], "43 characters"),
        (vec![], "'X-Dataset' is missing"),
    ] {
        let mut contest = Contest::new();
        let notice = contest.pay("fiona", "500", &pairs);
        is_returned(&contest, notice, reason);
        let outcome = contest.world.outcome(contest.benchmark, notice).unwrap().unwrap();
        assert!(outcome.output.error.unwrap().contains(reason));
        assert_eq!(contest.world.read(contest.benchmark, &[("Action", "Get-Pools")], ""), json!([]));
    }
}

#[test]
fn an_unknown_dataset_is_money_returned() {
    let mut contest = Contest::new();
    let nobody = wallet("nobody").to_string();
    let pool = contest.pay("fiona", "500", &[("X-Dataset", &nobody), ("X-Allocation", "WinnerTakesAll")]);
    is_returned(&contest, pool, "there is no process");
    assert_eq!(contest.status(pool), "Refunded");
}

#[test]
fn a_dataset_that_never_answers_is_money_returned_after_ten_minutes() {
    let mut contest = Contest::new();
    let pool = contest.fund("fiona", 500, &[]);
    contest.world.advance(9 * MINUTE_MS);
    assert_eq!((contest.status(pool).as_str(), contest.escrow()), ("Opening", 500));
    contest.world.advance(2 * MINUTE_MS);
    is_returned(&contest, pool, "did not answer within 10 minutes");
    // Its answer comes too late and changes nothing.
    let before = contest.tables();
    contest.frozen(pool, QUESTIONS).unwrap();
    assert_eq!(contest.tables(), before);
}

#[test]
fn a_dataset_that_cannot_be_scored_on_is_money_returned() {
    for (data, reason) in [
        (r#"{"questions":0,"content_hash":"c","protocol":"p"}"#, "no questions"),
        (r#"{"questions":-5,"content_hash":"c","protocol":"p"}"#, "not the JSON expected"),
        (r#"{"questions":99999999999,"content_hash":"c","protocol":"p"}"#, "at most 10000000"),
        (r#"{"questions":5}"#, "not the JSON expected"),
        ("{", "not the JSON expected"),
        ("", "not the JSON expected"),
    ] {
        let mut contest = Contest::new();
        let pool = contest.fund("fiona", 500, &[]);
        let pairs = [("Action", "Dataset-Frozen"), ("Pool", &*pool.to_string())];
        contest.world.send_from_process(contest.dataset, contest.benchmark, &pairs, data).unwrap();
        is_returned(&contest, pool, reason);
    }
    let mut contest = Contest::new();
    let pool = contest.fund("fiona", 500, &[]);
    let pairs = [("Action", "Dataset-Error"), ("Pool", &*pool.to_string()), ("Error", "it was never loaded")];
    contest.world.send_from_process(contest.dataset, contest.benchmark, &pairs, "").unwrap();
    is_returned(&contest, pool, "the dataset refused: it was never loaded");
    let mut contest = Contest::new();
    let pool = contest.fund("fiona", 500, &[("X-Ties", "significance")]);
    contest.frozen(pool, 5_001).unwrap();
    is_returned(&contest, pool, "with X-Ties=significance has at most 5000");
}

#[test]
fn zero_and_absurd_quantities_move_nothing() {
    let mut contest = Contest::new();
    let (recipient, dataset) = (contest.benchmark.to_string(), contest.dataset.to_string());
    let before = contest.tables();
    for quantity in ["0", "-5", "1e3", "0x10", "٣", " 7", "1.5", "", &"9".repeat(78), &u128::MAX.to_string()] {
        let pairs = [
            ("Action", "Transfer"),
            ("Recipient", recipient.as_str()),
            ("Quantity", quantity),
            ("X-Dataset", dataset.as_str()),
            ("X-Allocation", "ArithmeticDecrease"),
        ];
        let outcome = contest.world.send(wallet("fiona"), contest.token, &pairs, "");
        assert!(outcome.is_err() || outcome.unwrap().output.error.is_some(), "{quantity}");
        assert_eq!((contest.balance("fiona"), contest.escrow()), (FUNDS, 0));
    }
    assert_eq!(contest.tables(), before);
}

#[test]
fn less_than_the_minimum_fund_is_returned() {
    let mut contest = Contest::with(&[("Minimum-Fund", "100")]);
    let notice = contest.fund("fiona", 99, &[]);
    is_returned(&contest, notice, "at least 100");
    let pool = contest.open(100, &[]);
    contest.pay("felix", "99", &[("X-Pool", &pool.to_string())]);
    assert_eq!((contest.balance("felix"), contest.pool(pool)["funds"].clone()), (FUNDS, json!("100")));
}

#[test]
fn a_funder_has_a_limited_number_of_open_pools() {
    let mut contest = Contest::new();
    for _ in 0..100 {
        contest.open(10, &[]);
    }
    contest.fund("fiona", 10, &[]);
    let error = contest.world.newest(wallet("fiona"), "Pool-Error").unwrap();
    assert!(error.tag("Error").unwrap().contains("100 open pools"));
    assert_eq!(contest.balance("fiona"), FUNDS - 1000);
    let pools = contest.world.read(contest.benchmark, &[("Action", "Get-Pools"), ("Limit", "30")], "");
    assert_eq!(pools.as_array().unwrap().len(), 30);
}

#[test]
fn top_ups_add_up_and_each_goes_back_to_its_payer() {
    let mut contest = Contest::new();
    let pool = contest.open(1000, &[]);
    let text = pool.to_string();
    contest.pay("felix", "250", &[("X-Pool", &text)]);
    contest.pay("fiona", "50", &[("X-Pool", &text), ("X-Dataset", &contest.dataset.to_string())]);
    assert_eq!(contest.pool(pool)["funds"], json!("1300"));
    assert_eq!(contest.world.newest(wallet("felix"), "Pool-Topped-Up").unwrap().tag("Funds"), Some("1250"));
    for (pairs, reason) in [
        (vec![("X-Pool", text.as_str()), ("X-Allocation", "WinnerTakesAll")], "is ArithmeticDecrease for good"),
        (vec![("X-Pool", text.as_str()), ("X-Dataset", text.as_str())], "is on the dataset"),
    ] {
        contest.pay("felix", "10", &pairs);
        assert!(contest.world.newest(wallet("felix"), "Pool-Error").unwrap().text().contains(reason));
        assert_eq!(contest.balance("felix"), FUNDS - 250);
    }
    contest.world.advance(32 * DAY_MS);
    assert_eq!(contest.status(pool), "Refunded");
    assert_eq!((contest.balance("fiona"), contest.balance("felix"), contest.escrow()), (FUNDS, FUNDS, 0));
    // After the end there is nothing to add to.
    contest.pay("felix", "10", &[("X-Pool", &text)]);
    assert!(contest.world.newest(wallet("felix"), "Pool-Error").unwrap().text().contains("has ended"));
    assert_eq!((contest.balance("felix"), contest.escrow()), (FUNDS, 0));
}

#[test]
fn a_notice_that_comes_twice_is_booked_once() {
    let mut contest = Contest::new();
    contest.world.repeats.insert(contest.benchmark);
    let (dataset, recipient) = (contest.dataset.to_string(), contest.benchmark.to_string());
    let open = [("X-Dataset", dataset.as_str()), ("X-Allocation", "EqualTop10")];
    let pool = contest.open(500, &[]).to_string();
    for pairs in [&open[..], &[("X-Pool", pool.as_str())], &[("X-Dataset", "nonsense")], &[("X-Refund", "mine")]] {
        let mut tags = vec![("Action", "Transfer"), ("Recipient", recipient.as_str()), ("Quantity", "70")];
        tags.extend_from_slice(pairs);
        contest.world.post(wallet("felix"), contest.token, &tags, "");
        contest.world.deliver_at(0);
        let notice = contest.world.queue().iter().position(|letter| letter.action() == "Credit-Notice").unwrap();
        contest.world.duplicate_at(notice);
        let copy = contest.world.queue().back().unwrap().id;
        contest.world.run();
        let outcome = contest.world.outcome(contest.benchmark, copy).unwrap().unwrap();
        let again = contest.world.history(contest.benchmark).filter(|(message, _)| message.id == copy).last().unwrap();
        assert_eq!(again.1.as_ref().unwrap().output.data, format!("the notice {copy} is already booked"));
        assert_ne!(outcome, *again.1.as_ref().unwrap());
    }
    // One pool and one top-up more, one refund made, one refund held.
    assert_eq!((contest.balance("felix"), contest.escrow()), (FUNDS - 210, 710));
}

#[test]
fn a_title_shows_what_it_is() {
    let mut contest = Contest::new();
    let pool = contest.open(10, &[("X-Title", " <b>Gold\u{202E}dlog\u{0}\u{200B}</b> ")]);
    assert_eq!(contest.pool(pool)["title"], json!("<b>Golddlog</b>"));
    let pool = contest.open(10, &[]);
    assert_eq!(contest.pool(pool)["title"], json!("Feelings"));
}

#[test]
fn another_token_is_sent_back_to_its_payer_by_that_token() {
    let mut contest = Contest::new();
    let balances = json!({ wallet("fiona").to_string(): "77" }).to_string();
    let other = contest.world.spawn("token", wallet("owner"), &[("Ticker", "FAKE")], &balances);
    let (recipient, dataset) = (contest.benchmark.to_string(), contest.dataset.to_string());
    let pairs = [
        ("Action", "Transfer"),
        ("Recipient", recipient.as_str()),
        ("Quantity", "77"),
        ("X-Dataset", dataset.as_str()),
        ("X-Allocation", "ArithmeticDecrease"),
    ];
    contest.world.send(wallet("fiona"), other, &pairs, "").unwrap();
    assert_eq!(harness::money::balance(&contest.world, other, wallet("fiona")), 77);
    assert_eq!(contest.world.read(contest.benchmark, &[("Action", "Get-Pools")], ""), json!([]));
    let refund = contest.world.newest(wallet("fiona"), "Credit-Notice").unwrap();
    assert!(refund.tag("X-Error").unwrap().contains("is paid in the token"));
}

#[test]
fn original_accepted_forged_credit_notice() {
    let mut contest = Contest::new();
    let (token, dataset) = (contest.token.to_string(), contest.dataset.to_string());
    let mallory = wallet("mallory").to_string();
    let before = contest.tables();
    for extra in [("From-Process", token.as_str()), ("From", token.as_str()), ("Owner", token.as_str())] {
        let pairs = [
            ("Action", "Credit-Notice"),
            extra,
            ("Sender", mallory.as_str()),
            ("Quantity", "1000000"),
            ("X-Dataset", dataset.as_str()),
            ("X-Allocation", "ArithmeticDecrease"),
        ];
        let fault = contest.world.send(wallet("mallory"), contest.benchmark, &pairs, "").unwrap_err();
        assert!(fault.contains("for the token of this benchmark only"), "{fault}");
    }
    // The same from a process that is no token: nothing is booked, and what it is asked to pay back is its own affair.
    let pairs = [("Action", "Credit-Notice"), ("Sender", mallory.as_str()), ("Quantity", "1000000")];
    let fake = contest.world.stand_in("no token");
    contest.world.send_from_process(fake, contest.benchmark, &pairs, "").unwrap();
    assert_eq!(contest.world.inbox(fake).len(), 1);
    assert_eq!((contest.escrow(), contest.balance("mallory")), (0, 0));
    let pools = |text: &str| text.lines().filter(|line| !line.starts_with("payouts")).count();
    assert_eq!(pools(&contest.tables()), pools(&before));
}

#[test]
fn original_swallowed_the_second_funders_money() {
    let mut contest = Contest::new();
    let first = contest.open(1000, &[]);
    let second = contest.fund("felix", 400, &[("X-Allocation", "WinnerTakesAll")]);
    contest.frozen(second, QUESTIONS).unwrap();
    assert_ne!(first, second);
    for (pool, funder, funds, allocation) in
        [(first, "fiona", "1000", "ArithmeticDecrease"), (second, "felix", "400", "WinnerTakesAll")]
    {
        let view = contest.pool(pool);
        assert_eq!((&view["funder"], &view["funds"]), (&json!(wallet(funder)), &json!(funds)));
        assert_eq!((&view["allocation"], &view["status"]), (&json!(allocation), &json!("Open")));
    }
    assert_eq!(contest.escrow(), 1400);
}

#[test]
fn a_dataset_names_a_pool_only_where_it_has_one() {
    let mut contest = Contest::new();
    let first = contest.open(10, &[("X-Duration", "1-hour")]);
    let dataset = contest.dataset;
    assert_eq!(contest.pool(dataset)["id"], json!(first));
    let second = contest.open(10, &[]);
    let pairs = [("Action", "Get-Pool")];
    let fault = contest.world.dry_run(wallet("tom"), contest.benchmark, &pairs, dataset.to_string()).unwrap_err();
    assert!(fault.contains("has 2 pools") && fault.contains(&first.to_string()) && fault.contains(&second.to_string()));
    contest.world.advance(2 * HOUR_MS);
    assert_eq!(contest.pool(dataset)["id"], json!(second));
}

#[test]
fn a_refund_of_somebody_else_is_held_and_not_sent_round_and_round() {
    let mut contest = Contest::new();
    let before = contest.balance("fiona");
    let notice = contest.pay("fiona", "60", &[("X-Refund", "something")]);
    let outcome = contest.world.outcome(contest.benchmark, notice).unwrap().unwrap();
    assert!(outcome.messages.is_empty() && outcome.output.error.is_some());
    assert_eq!((contest.escrow(), contest.balance("fiona")), (60, before - 60));

    // It is seen by everybody, with what the owner needs to let it go.
    let shown = contest.world.read(contest.benchmark, &[("Action", "Info")], "")["held"].clone();
    assert_eq!(shown["count"], 1);
    let shown = &shown["notices"][0];
    assert_eq!((&shown["notice"], &shown["sender"]), (&json!(notice), &json!(wallet("fiona"))));
    assert_eq!((&shown["quantity"], &shown["token"]), (&json!("60"), &json!(contest.token)));
    assert!(shown["reason"].as_str().is_some_and(|reason| !reason.is_empty()) && shown["held_ms"].is_u64());

    // Only the owner lets it go, and once.
    let notice = notice.to_string();
    let pairs = [("Action", "Return-Held"), ("Notice", notice.as_str())];
    let stranger = contest.world.send(wallet("fiona"), contest.benchmark, &pairs, "");
    assert!(stranger.unwrap_err().contains("owner"));
    contest.world.send(wallet("owner"), contest.benchmark, &pairs, "").unwrap();
    contest.moment();
    assert_eq!((contest.escrow(), contest.balance("fiona")), (0, before));
    let info = contest.world.read(contest.benchmark, &[("Action", "Info")], "");
    assert_eq!(info["held"], json!({ "count": 0, "notices": [] }));
    assert!(contest.world.send(wallet("owner"), contest.benchmark, &pairs, "").is_err());
}

#[test]
fn silent_transfers_are_seen_as_more_than_the_books_say() {
    let mut contest = Contest::new();
    contest.open(1000, &[]);
    let recipient = contest.benchmark.to_string();
    contest.world.cast.insert((contest.token, contest.benchmark), 5);
    contest.world.check_money = false;
    let pairs = [("Action", "Transfer"), ("Recipient", recipient.as_str()), ("Quantity", "5"), ("Cast", "true")];
    contest.world.send(wallet("felix"), contest.token, &pairs, "").unwrap();
    contest.world.check_money = true;
    contest.moment();
    let books = contest.world.tables(contest.benchmark, |store| processes::benchmark::audit(store, &contest.token));
    assert_eq!(books.unwrap().backing().unwrap().units() + 5, contest.escrow());
}

#[test]
fn a_benchmark_that_cannot_work_is_not_spawned() {
    let mut contest = Contest::new();
    let token = contest.token.to_string();
    for (pairs, reason) in [
        (vec![], "'Token' is missing"),
        (vec![("Token", "wAR")], "43 characters"),
        (vec![("Token", token.as_str()), ("Minimum-Fund", "-1")], "Minimum-Fund"),
        (vec![("Token", token.as_str()), ("Grace-Hours", "9999")], "Grace-Hours"),
    ] {
        let fault = contest.world.try_spawn("benchmark", wallet("owner"), &pairs, "").unwrap_err();
        assert!(fault.contains(reason), "{fault}");
    }
}
