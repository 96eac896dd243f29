//! What pages look up in a benchmark process: sums, one entry in full, everything of one model or address, past days.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;

use ao::Id;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use harness::contest::{Contest, QUESTIONS, report};
use harness::{DAY_MS, upload, wallet};
use serde_json::{Value, json};

fn look(contest: &mut Contest, action: &str, tags: &[(&str, &str)], data: &str) -> Value {
    let mut all = vec![("Action", action)];
    all.extend_from_slice(tags);
    contest.world.read(contest.benchmark, &all, data)
}

/// The outcomes of a model that answers so many questions correctly, the first ones.
fn first(correct: u32) -> String {
    let mut bits = vec![0_u8; QUESTIONS.div_ceil(8) as usize];
    (0..correct as usize).for_each(|question| bits[question / 8] |= 1 << (question % 8));
    STANDARD.encode(bits)
}

/// A pool with three complete entries.
fn contested() -> (Contest, Id) {
    let mut contest = Contest::new();
    let pool = contest.open(1000, &[("X-Title", "Feelings first")]);
    for (participant, model, correct) in [("tom", "small", 35), ("tina", "large", 90), ("ted", "medium", 55)] {
        contest.join(pool, participant, model).unwrap();
        let mut score = report(correct, QUESTIONS);
        score["outcomes"] = json!(first(correct));
        contest.report(pool, model, &score).unwrap();
    }
    (contest, pool)
}

#[test]
fn the_overview_counts_pools_and_money_from_escrow_to_payout() {
    let (mut contest, pool) = contested();
    let overview = look(&mut contest, "Get-Overview", &[], "");
    assert_eq!((&overview["pools"], &overview["entries"]), (&json!({ "Open": 1 }), &json!(3)));
    assert_eq!((&overview["in_escrow"], &overview["paid"]), (&json!("1000"), &json!("0")));
    contest.world.advance(31 * DAY_MS);
    assert_eq!(contest.status(pool), "Settled");
    let overview = look(&mut contest, "Get-Overview", &[], "");
    assert_eq!((&overview["in_escrow"], &overview["paid"]), (&json!("0"), &json!("1000")));
    assert_eq!((&overview["funded"], &overview["refunded"]), (&json!("1000"), &json!("0")));
}

#[test]
fn pools_are_found_by_a_part_of_the_title_by_several_statuses_and_show_their_leader() {
    let (mut contest, pool) = contested();
    let found = |contest: &mut Contest, name: &str, value: &str| {
        look(contest, "Get-Pools", &[(name, value)], "").as_array().unwrap().len()
    };
    for (name, value, pools) in [
        ("Search", "FEELINGS", 1),
        ("Search", "' OR 1=1 --", 0),
        ("Search", &pool.to_string(), 1),
        ("Status", "Opening,Open", 1),
        ("Status", "Settled,Refunded", 0),
        ("Status", "Ope", 0),
    ] {
        assert_eq!(found(&mut contest, name, value), pools, "{name}={value}");
    }
    let leader = look(&mut contest, "Get-Pools", &[], "")[0]["leader"].clone();
    assert_eq!((&leader["model"], &leader["score"]), (&json!(upload("large")), &json!(0.9)));
}

#[test]
fn an_entry_is_compared_with_the_one_above_it_on_the_questions_of_both() {
    let (mut contest, pool) = contested();
    let ask = |contest: &mut Contest, model: &str| {
        look(contest, "Get-Entry", &[], &json!({ "pool": pool, "model": upload(model) }).to_string())
    };
    let entry = ask(&mut contest, "medium");
    assert_eq!((&entry["entry"]["rank"], &entry["entry"]["correct"]), (&json!(2), &json!(55)));
    assert_eq!(entry["above"]["model"], json!(upload("large")));
    assert_eq!((&entry["above"]["above_only"], &entry["above"]["below_only"]), (&json!(35), &json!(0)));
    assert_eq!(entry["above"]["difference"], json!(0.35));
    assert!(entry["above"]["p_value"].as_f64().unwrap() < 0.001);
    assert!(entry["entry"]["joined_ms"].as_u64().unwrap() > 0);
    assert_eq!(ask(&mut contest, "large")["above"], json!(null), "nobody is above the first");

    contest.world.advance(31 * DAY_MS);
    let paid = ask(&mut contest, "medium");
    assert_eq!((&paid["entry"]["rank"], &paid["payouts"][0]["quantity"]), (&json!(2), &json!("333")));
    let asked = json!({ "pool": pool, "model": upload("nobody's") }).to_string();
    let refused = contest.world.dry_run(wallet("a reader"), contest.benchmark, &[("Action", "Get-Entry")], asked);
    assert!(refused.unwrap_err().contains("entry"));
}

#[test]
fn everything_of_an_address_and_of_a_model_is_found_in_whatever_pool() {
    let (mut contest, pool) = contested();
    let second = contest.open(500, &[]);
    contest.join(second, "ted", "large").unwrap();
    contest.score(second, "large", 70).unwrap();
    let pools = |rows: Value| rows.as_array().unwrap().iter().map(|row| row["pool"].clone()).collect::<Vec<_>>();
    let of_ted = look(&mut contest, "Get-Entries", &[("Participant", &wallet("ted").to_string())], "");
    assert_eq!(pools(of_ted), [json!(second), json!(pool)], "the newest first");
    let of_large = look(&mut contest, "Get-Entries", &[("Model", &upload("large").to_string())], "");
    assert_eq!(of_large[0]["score"], json!(0.7));
    assert_eq!(pools(of_large), [json!(second), json!(pool)]);
    let of_dataset = contest.dataset.to_string();
    assert_eq!(look(&mut contest, "Get-Entries", &[("Dataset", &of_dataset)], "").as_array().unwrap().len(), 4);
    let one = look(&mut contest, "Get-Entries", &[("Dataset", &of_dataset), ("Limit", "1")], "");
    assert_eq!(one.as_array().unwrap().len(), 1);

    contest.world.advance(31 * DAY_MS);
    let payouts = look(&mut contest, "Get-Payouts", &[("Participant", &wallet("ted").to_string())], "");
    let mut paid: Vec<&str> = payouts.as_array().unwrap().iter().map(|row| row["quantity"].as_str().unwrap()).collect();
    paid.sort_unstable();
    assert_eq!(paid, ["333", "500"]);
    assert!(payouts[0]["paid_ms"].as_u64().is_some());
}

#[test]
fn past_days_and_fundings_are_kept_apart_by_pool() {
    let (mut contest, pool) = contested();
    contest.open(500, &[]);
    contest.world.advance(3 * DAY_MS);
    let days = look(&mut contest, "Get-Days", &[], &pool.to_string());
    assert_eq!(days.as_object().unwrap().len(), 3, "one line for each model");
    let large = days[upload("large").to_string()].as_array().unwrap();
    assert!(large.len() >= 3, "{large:?}");
    assert_eq!(large[0].as_array().unwrap()[1..], [json!(90), json!(QUESTIONS), json!(QUESTIONS)]);
    let fundings = look(&mut contest, "Get-Fundings", &[], &pool.to_string());
    assert_eq!(fundings.as_array().unwrap().len(), 1);
    assert_eq!((&fundings[0]["message"], &fundings[0]["quantity"]), (&json!(pool), &json!("1000")));
}

#[test]
fn looking_changes_nothing() {
    let (mut contest, pool) = contested();
    let before = contest.tables();
    for (action, tags, data) in [
        ("Get-Overview", vec![], String::new()),
        ("Get-Days", vec![], pool.to_string()),
        ("Get-Fundings", vec![], pool.to_string()),
        ("Get-Entry", vec![], json!({ "pool": pool, "model": upload("large") }).to_string()),
        ("Get-Entries", vec![("Model", "nothing")], String::new()),
        ("Get-Payouts", vec![("Participant", "nobody")], String::new()),
    ] {
        let mut all = vec![("Action", action)];
        all.extend(tags);
        contest.world.send(wallet("a reader"), contest.benchmark, &all, data).unwrap();
        assert_eq!(contest.tables(), before, "{action}");
    }
}

#[test]
fn what_a_client_fills_in_as_data_names_no_pool() {
    let (mut contest, pool) = contested();
    let id = pool.to_string();
    let tags = [("Pool", id.as_str())];
    // aoconnect in a dry-run, in mainnet mode and in legacy mode, where no data is given.
    for data in ["1234", "1984", " "] {
        assert_eq!(look(&mut contest, "Leaderboard", &tags, data)["pool"]["id"], json!(pool), "{data:?}");
    }
}
