//! Trainers enter models: whose an entry is, when it can be made, and what cannot be entered.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;

use ao::Id;
use harness::contest::{Contest, QUESTIONS};
use harness::{BEGINNING_MS, HOUR_MS, Outcome, facts, upload, wallet};
use serde_json::json;

/// The participant was told why, and no entry was made.
fn is_refused(contest: &mut Contest, outcome: Outcome, participant: &str, reason: &str) {
    let error = outcome.unwrap().output.error.expect("an error");
    assert!(error.contains(reason), "'{error}' does not say '{reason}'");
    let told = contest.world.newest(wallet(participant), "Join-Error").expect("a Join-Error");
    assert_eq!(told.tag("Error"), Some(error.as_str()));
}

fn entries(contest: &mut Contest, pool: Id) -> usize {
    contest.board(pool).len()
}

#[test]
fn what_is_no_join_is_refused_with_the_reason() {
    let mut contest = Contest::new();
    let pool = contest.open(1000, &[]);
    let before = contest.tables();
    let (pool_text, model) = (pool.to_string(), upload("m").to_string());
    let stranger = wallet("stranger").to_string();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for (data, reason) in [
        (String::new(), "not the JSON expected"),
        ("join me".to_owned(), "not the JSON expected"),
        ("{}".to_owned(), "missing field `dataset`"),
        (format!(r#"{{"dataset":"{pool_text}"}}"#), "missing field `model`"),
        (format!(r#"{{"dataset":"{pool_text}","model":7}}"#), "expected a string"),
        (format!(r#"{{"dataset":"{pool_text}","model":"gpt"}}"#), "'gpt' is no id of an upload"),
        (format!(r#"{{"dataset":"{pool_text}","model":"' OR 1=1 --"}}"#), "no id of an upload"),
        (format!(r#"{{"dataset":"siqa","model":"{model}"}}"#), "'siqa' names no pool"),
        (format!(r#"{{"dataset":"{stranger}","model":"{model}"}}"#), "there is no pool"),
        (deep, "not the JSON expected"),
    ] {
        let outcome = contest.world.send(wallet("tom"), contest.benchmark, &[("Action", "Join-Pool")], data);
        is_refused(&mut contest, outcome, "tom", reason);
        assert_eq!(contest.tables(), before);
    }
    let bytes = vec![0xFF, 0xFE, 0x00];
    let outcome = contest.world.send(wallet("tom"), contest.benchmark, &[("Action", "Join-Pool")], bytes);
    is_refused(&mut contest, outcome, "tom", "not the JSON expected");
}

#[test]
fn a_file_that_is_no_model_is_refused_and_can_be_put_right() {
    for reason in
        ["it is no GGUF file", "the file ends in the middle of tensor 3 (truncated)", "there is no such upload"]
    {
        let mut contest = Contest::new();
        let pool = contest.open(1000, &[]);
        if reason != "there is no such upload" {
            contest.world.put_model(upload("m"), Err(reason.to_owned()));
        }
        contest.join_as_is(pool, "tom", "m").unwrap();
        let told = contest.world.newest(wallet("tom"), "Join-Error").unwrap();
        assert!(told.tag("Error").unwrap().contains(reason));
        assert_eq!((entries(&mut contest, pool), contest.asked("Benchmark")), (0, 0));
        contest.join(pool, "tom", "m").unwrap();
        assert_eq!((entries(&mut contest, pool), contest.asked("Benchmark")), (1, 1));
    }
}

#[test]
fn facts_that_are_no_facts_refuse_the_entry() {
    let mut contest = Contest::new();
    let pool = contest.open(1000, &[]);
    contest.world.put_model(upload("m"), Ok("{}".to_owned()));
    contest.join_as_is(pool, "tom", "m").unwrap();
    assert!(contest.world.newest(wallet("tom"), "Join-Error").unwrap().text().contains("not the JSON expected"));
}

#[test]
fn facts_are_the_nodes_and_nobody_elses() {
    let mut contest = Contest::new();
    let pool = contest.open(1000, &[]);
    contest.world.put_model(upload("m"), Ok(facts("m", "m")));
    let data = json!({ "dataset": pool, "model": upload("m") }).to_string();
    contest.world.post(wallet("tom"), contest.benchmark, &[("Action", "Join-Pool")], data);
    contest.world.deliver_at(0);
    let model = upload("m").to_string();
    let pairs = [("Action", "Model-Facts"), ("Model", model.as_str()), ("Reference", "1"), ("Error", "I say so")];
    for sender in [wallet("mallory"), contest.dataset] {
        let id = contest.world.post_from_process(sender, contest.benchmark, &pairs, "");
        let last = contest.world.queue().len() - 1;
        contest.world.deliver_at(last);
        assert!(contest.world.outcome(contest.benchmark, id).unwrap().unwrap_err().contains("for the node"));
    }
    contest.world.run();
    assert_eq!(entries(&mut contest, pool), 1);
    // The facts again, and facts about nothing.
    let before = contest.tables();
    for reference in ["1", "99", "-1"] {
        let pairs = [("Action", "Model-Facts"), ("Model", model.as_str()), ("Reference", reference), ("Error", "no")];
        contest.world.send_from_process(contest.world.node, contest.benchmark, &pairs, "").unwrap();
        assert_eq!(contest.tables(), before);
    }
}

#[test]
fn original_late_join_still_joined() {
    let start = BEGINNING_MS + HOUR_MS;
    for (at, allowed) in [(start - 1, false), (start, true), (start + HOUR_MS - 1, true), (start + HOUR_MS, false)] {
        let mut contest = Contest::new();
        let pool = contest.open(1000, &[("X-Start", &start.to_string()), ("X-Duration", "1-hour")]);
        // The clock of the world without its ticks: the message itself is the first to come at that moment.
        contest.world.now_ms = at;
        let outcome = contest.join(pool, "tom", "m");
        if allowed {
            outcome.unwrap();
            assert_eq!(entries(&mut contest, pool), 1, "{at}");
        } else {
            let reason = if at < start { "has not started" } else { "has ended" };
            is_refused(&mut contest, outcome, "tom", reason);
            assert_eq!(entries(&mut contest, pool), 0, "{at}");
        }
    }
}

#[test]
fn joining_before_the_dataset_has_answered_is_refused() {
    let mut contest = Contest::new();
    let pool = contest.fund("fiona", 1000, &[]);
    let outcome = contest.join(pool, "tom", "m");
    is_refused(&mut contest, outcome, "tom", "still waits for its dataset");
}

#[test]
fn original_rejoin_took_over_the_owner() {
    let mut contest = Contest::new();
    let pool = contest.open(1000, &[]);
    contest.join(pool, "tom", "m").unwrap();
    contest.score(pool, "m", 90).unwrap();
    let before = contest.tables();
    for (thief, whose) in [("mallory", "another participant"), ("tom", "you")] {
        let outcome = contest.join(pool, thief, "m");
        is_refused(&mut contest, outcome, thief, whose);
        assert_eq!(contest.tables(), before, "{thief}");
    }
    let board = contest.leaderboard(pool);
    assert_eq!(board["leaderboard"][0]["participant"], json!(wallet("tom")));
    assert_eq!(board["leaderboard"][0]["correct"], json!(90));
    // Whatever the code does, the tables refuse it as well.
    let taken = contest.world.connection(contest.benchmark).execute("UPDATE entries SET participant = 'mallory'", []);
    assert!(taken.unwrap_err().to_string().contains("first joiner for ever"));
}

#[test]
fn the_same_tensors_under_another_id_are_the_same_model() {
    let mut contest = Contest::new();
    let pool = contest.open(1000, &[]);
    contest.join(pool, "tom", "m").unwrap();
    contest.world.put_model(upload("copy"), Ok(facts("m", "my very own model")));
    contest.join_as_is(pool, "mallory", "copy").unwrap();
    let told = contest.world.newest(wallet("mallory"), "Join-Error").unwrap();
    assert!(told.text().contains("entered before") && told.text().contains(&wallet("tom").to_string()));
    assert_eq!(entries(&mut contest, pool), 1);
    // In another pool it is another entry.
    let other = contest.open(1000, &[]);
    contest.join_as_is(other, "mallory", "copy").unwrap();
    assert_eq!(entries(&mut contest, other), 1);
}

#[test]
fn of_two_claims_to_a_model_the_earlier_in_the_log_holds_whatever_is_looked_at_first() {
    let mut contest = Contest::new();
    let pool = contest.open(1000, &[]);
    contest.world.put_model(upload("m"), Ok(facts("m", "m")));
    contest.world.put_model(upload("copy"), Ok(facts("m", "copy")));
    for (participant, model) in [("tom", "m"), ("mallory", "copy")] {
        let data = json!({ "dataset": pool, "model": upload(model) }).to_string();
        contest.world.post(wallet(participant), contest.benchmark, &[("Action", "Join-Pool")], data);
    }
    contest.world.deliver_at(0); // Tom's claim
    contest.world.deliver_at(0); // Mallory's claim
    contest.world.delay_at(0); // the question about Tom's model
    contest.world.run();
    assert_eq!(contest.world.inbox(wallet("mallory")).last().unwrap().action(), "Join-Response");
    contest.score(pool, "copy", 90).unwrap();
    contest.world.release();
    contest.world.run();
    assert!(contest.world.inbox(wallet("mallory")).last().unwrap().text().contains("first joiner"));
    assert_eq!(contest.board(pool), [("m".to_owned(), 0, 0)]);
    assert_eq!(contest.leaderboard(pool)["leaderboard"][0]["participant"], json!(wallet("tom")));
}

#[test]
fn a_participant_has_a_limited_number_of_entries() {
    let mut contest = Contest::new();
    contest.world.check_money = false;
    let pool = contest.open(1000, &[]);
    for number in 0..100 {
        contest.join(pool, "mallory", &format!("m{number}")).unwrap();
    }
    let outcome = contest.join(pool, "mallory", "one more");
    is_refused(&mut contest, outcome, "mallory", "100 entries");
    contest.join(pool, "tom", "m").unwrap();
    assert_eq!(entries(&mut contest, pool), 101);
}

#[test]
fn only_the_dataset_of_the_pool_reports_scores() {
    let mut contest = Contest::new();
    let pool = contest.open(1000, &[]);
    contest.join(pool, "tom", "m").unwrap();
    let before = contest.tables();
    let (pool_text, model) = (pool.to_string(), upload("m").to_string());
    let pairs = [("Action", "Score-Response"), ("Pool", pool_text.as_str()), ("Model", model.as_str())];
    let data = harness::contest::report(100, QUESTIONS).to_string();
    let other = contest.world.stand_in("another dataset");
    for sender in [wallet("tom"), contest.world.node, other, contest.benchmark] {
        let fault = contest.world.send_from_process(sender, contest.benchmark, &pairs, data.clone()).unwrap_err();
        assert!(fault.contains("for the dataset of the pool only"), "{fault}");
    }
    assert_eq!(contest.tables(), before);
}

#[test]
fn scores_that_do_not_add_up_are_refused() {
    let mut contest = Contest::new();
    let pool = contest.open(1000, &[]);
    contest.join(pool, "tom", "m").unwrap();
    let before = contest.tables();
    for (field, value) in [
        ("correct", json!(101)),
        ("lenient_correct", json!(101)),
        ("unparsed", json!(99)),
        ("answered", json!(101)),
        ("answered", json!(99)),
        ("unevaluated", json!(1)),
        ("total", json!(99)),
        ("correct", json!(-1)),
        ("correct", json!(1.5)),
        ("correct", json!("90")),
        ("correct", json!(null)),
        ("outcomes", json!("////")),
        ("outcomes", json!("not base64!")),
    ] {
        let mut report = harness::contest::report(90, QUESTIONS);
        report[field] = value.clone();
        let fault = contest.report(pool, "m", &report).unwrap_err();
        assert!(fault.starts_with("the data of the message cannot be used"), "{field} = {value}: {fault}");
        assert_eq!(contest.tables(), before);
    }
    contest.score(pool, "m", 90).unwrap();
    // A complete score is final.
    assert!(contest.score(pool, "m", 91).unwrap_err().contains("stays as it is"));
    contest.report(pool, "m", &harness::contest::partial(3, 5, QUESTIONS)).unwrap();
    assert_eq!(contest.board(pool), [("m".to_owned(), 1, 90)]);
}

#[test]
fn an_older_report_that_comes_later_changes_nothing() {
    let mut contest = Contest::new();
    let pool = contest.open(1000, &[]);
    contest.join(pool, "tom", "m").unwrap();
    contest.report(pool, "m", &harness::contest::partial(30, 50, QUESTIONS)).unwrap();
    contest.report(pool, "m", &harness::contest::partial(6, 10, QUESTIONS)).unwrap();
    assert_eq!(contest.board(pool), [("m".to_owned(), 0, 30)]);
}
