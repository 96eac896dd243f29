//! Workers of the herder: who may be one, what they get, and what becomes of those that are silent, wrong or gone. The
//! names of many tests are the defects of the original.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;
mod herd;

use harness::{DAY_MS, HOUR_MS, wallet};
use herd::{Herd, LEASE_MS, batch, honest, json};
use processes::herder::wire::{Answer, Finish};

/// The clock of a process runs a millisecond ahead with each message of the same moment.
const SLACK_MS: u64 = 100;

#[test]
fn nobody_registers_as_worker_uninvited() {
    let mut herd = Herd::default();
    let fault = herd.say("stranger", &[("Action", "Register-Worker")], "").unwrap_err();
    assert!(fault.contains("Allow-Worker"), "{fault}");
    assert!(herd.beat("stranger", &[]).is_err());
    let address = wallet("stranger").to_string();
    let by_itself = herd.say("stranger", &[("Action", "Allow-Worker"), ("Worker", &address)], "");
    assert!(by_itself.unwrap_err().contains("owner of the herder"));
    herd.ask("dataset", "1", &batch(&[1])).unwrap();
    assert!(herd.jobs("stranger").is_empty());

    herd.hire("stranger", &[]);
    assert_eq!(herd.jobs("stranger").len(), 1, "the job that waited is given out at once");
}

#[test]
fn the_owner_lists_workers_at_the_start_or_opens_the_herd() {
    let listed = format!("{}, {}", wallet("a"), wallet("b"));
    let mut herd = Herd::new(&[("Workers", &listed)]);
    assert!(herd.say("a", &[("Action", "Register-Worker")], "").is_ok());
    assert!(herd.say("c", &[("Action", "Register-Worker")], "").is_err());

    let mut open = Herd::new(&[("Workers", "open")]);
    assert!(open.say("anybody", &[("Action", "Register-Worker")], "").is_ok());
    let address = wallet("anybody").to_string();
    open.say("owner", &[("Action", "Forbid-Worker"), ("Worker", &address)], "").unwrap();
    assert!(open.say("anybody", &[("Action", "Register-Worker")], "").is_err());
    assert_eq!(open.record("anybody")["active"], false);
}

#[test]
fn settings_that_make_no_sense_spawn_no_herder() {
    let mut world = harness::World::new();
    for (name, value) in [
        ("Token", "the token"),
        ("Workers", "bob"),
        ("Fee-Per-Token", "1.5"),
        ("Fee-Per-Token", "-1"),
        ("Lease-Seconds", "0"),
        ("Lease-Seconds", "soon"),
    ] {
        let fault = world.try_spawn("herder", wallet("owner"), &[(name, value)], "").unwrap_err();
        assert!(fault.contains(name), "{name}: {fault}");
    }
}

#[test]
fn a_registration_that_makes_no_sense_is_refused() {
    let mut herd = Herd::new(&[("Workers", "open")]);
    for (name, value) in
        [("WorkerType", "Miner"), ("Capacity", "0"), ("Capacity", "-3"), ("Capacity", "99999"), ("Models", "phi")]
    {
        let fault = herd.say("w", &[("Action", "Register-Worker"), (name, value)], "").unwrap_err();
        assert!(fault.contains(name), "{fault}");
    }
    assert_eq!(herd.info()["workers"], 0);
}

#[test]
fn a_worker_is_told_its_lease_time_and_gets_the_request_as_it_was_asked() {
    let mut herd = Herd::with_workers(&["w"]);
    let told = herd.world.newest(wallet("w"), "Worker-Registered").unwrap();
    assert_eq!(told.tag("Lease-Seconds"), Some("10"));
    let (model, hash) = (harness::upload("phi").to_string(), herd::file_hash("model"));
    let pairs = [("Action", "Inference"), ("Reference", "r"), ("Model", model.as_str()), ("File-Hash", hash.as_str())];
    herd.say("dataset", &pairs, json(&batch(&[3, 4]))).unwrap();
    let job = herd.last_job("w");
    assert_eq!(job.from, herd.herder);
    assert_eq!(job.data, json(&batch(&[3, 4])));
    for (name, value) in [
        ("Job", "1"),
        ("Attempt", "1"),
        ("WorkerType", "Llama"),
        ("Model", model.as_str()),
        ("File-Hash", hash.as_str()),
    ] {
        assert_eq!(job.tag(name), Some(value), "{name}");
    }
    let deadline: u64 = job.tag("Deadline").unwrap().parse().unwrap();
    assert!((LEASE_MS..LEASE_MS + SLACK_MS).contains(&(deadline - herd.world.now_ms)));
    herd.work("w").unwrap();
    let answer = herd.last_answer("dataset");
    assert_eq!(answer.tag("Reference"), Some("r"));
    assert_eq!(answer.tag("Worker"), Some(wallet("w").to_string().as_str()));
    assert_eq!(answer.tag("Attempt"), Some("1"));
    assert_eq!(answer.data, json(&honest(&batch(&[3, 4]))));
}

#[test]
fn a_worker_that_never_answers_does_not_stay_busy_for_ever() {
    let mut herd = Herd::with_workers(&["silent"]);
    herd.ask("dataset", "1", &batch(&[1])).unwrap();
    assert_eq!(herd.record("silent")["workload"], 1);
    herd.hire("other", &[]);
    herd.world.advance(LEASE_MS + SLACK_MS);
    assert_eq!(herd.record("silent")["workload"], 0);
    assert_eq!(herd.record("silent")["leases_expired"], 1);
    assert_eq!(herd.last_job("other").tag("Attempt"), Some("2"));
    herd.work("other").unwrap();
    assert_eq!(herd.last_answer("dataset").tag("Error"), None);
}

#[test]
fn a_dead_worker_is_noticed_after_three_leases_and_not_after_41_days() {
    let mut herd = Herd::with_workers(&["dead", "alive"]);
    for _ in 0..3 {
        herd.world.advance(LEASE_MS - SLACK_MS);
        herd.beat("alive", &[]).unwrap();
    }
    herd.world.advance(4 * SLACK_MS);
    assert_eq!(herd.record("dead")["active"], false);
    assert_eq!(herd.record("alive")["active"], true);
    herd.ask("dataset", "1", &batch(&[1])).unwrap();
    herd.ask("dataset", "2", &batch(&[2])).unwrap();
    assert_eq!(herd.jobs("alive").len(), 2);
    assert!(herd.jobs("dead").is_empty());

    herd.beat("dead", &[]).unwrap();
    assert_eq!(herd.record("dead")["active"], true, "a heartbeat brings it back");
}

#[test]
fn a_timeout_is_no_answer_and_never_zero() {
    let mut herd = Herd::with_workers(&["w"]);
    herd.ask("dataset", "1", &batch(&[1])).unwrap();
    for _ in 0..6 {
        herd.world.advance(LEASE_MS + SLACK_MS);
        herd.beat("w", &[]).unwrap();
    }
    assert_eq!(herd.jobs("w").len(), 3, "three attempts, no more");
    let answers = herd.answers("dataset");
    assert_eq!(answers.len(), 1);
    assert!(answers[0].data.is_empty());
    assert_eq!(answers[0].tag("Fault"), Some("worker"));
    let error = answers[0].tag("Error").unwrap();
    assert_eq!(error, "given up after 3 attempts; the last one: the worker did not answer within its lease");
    assert_eq!(herd.info()["failed_jobs"][0]["reason"], error);
}

#[test]
fn every_dead_worker_is_dropped_in_one_pass() {
    // The original removed from a table while it went through it, and skipped every second worker.
    let names = ["a", "b", "c", "d", "e", "f", "g"];
    let mut herd = Herd::with_workers(&names);
    herd.world.advance(3 * LEASE_MS + SLACK_MS);
    for name in names {
        assert_eq!(herd.record(name)["active"], false, "{name}");
    }
    assert_eq!(herd.info()["workers"], 0);
}

#[test]
fn only_the_holder_of_the_lease_answers_and_only_its_attempt() {
    let mut herd = Herd::with_workers(&["holder"]);
    herd.ask("dataset", "1", &batch(&[1])).unwrap();
    herd.hire("rival", &[]);
    let job = herd.last_job("holder");
    let right = json(&honest(&batch(&[1])));

    let by_stranger = herd.reply("stranger", &job, &[], right.clone()).unwrap_err();
    assert!(by_stranger.contains("holds the lease"), "{by_stranger}");
    let by_rival = herd.reply("rival", &job, &[], right.clone()).unwrap();
    assert!(by_rival.output.error.is_some() && by_rival.messages.is_empty());
    assert_eq!(herd.record("rival")["answers_refused"], 1);

    let mut other_attempt = job.clone();
    other_attempt.tags.remove("Attempt");
    other_attempt.tags.push("Attempt", "2");
    assert!(herd.reply("holder", &other_attempt, &[], right.clone()).unwrap().output.error.is_some());
    assert!(herd.answers("dataset").is_empty());

    herd.reply("holder", &job, &[], right.clone()).unwrap();
    assert!(herd.reply("holder", &job, &[], right).unwrap().output.error.is_some(), "the first answer is final");
    assert_eq!(herd.answers("dataset").len(), 1);
}

#[test]
fn a_late_answer_does_not_overwrite_the_one_of_the_next_worker() {
    let mut herd = Herd::with_workers(&["slow"]);
    herd.ask("dataset", "1", &batch(&[1])).unwrap();
    let job = herd.last_job("slow");
    herd.hire("next", &[]);
    herd.world.advance(LEASE_MS + SLACK_MS);
    assert_eq!(herd.jobs("next").len(), 1);
    let late = herd.reply("slow", &job, &[], json(&honest(&batch(&[1])))).unwrap();
    assert!(late.output.error.unwrap().contains("not leased to this worker"));
    assert!(herd.answers("dataset").is_empty());
    herd.work("next").unwrap();
    assert_eq!(herd.last_answer("dataset").tag("Worker"), Some(wallet("next").to_string().as_str()));
}

#[test]
fn an_answer_that_is_not_what_was_asked_is_a_failed_attempt_and_never_a_score() {
    let request = batch(&[1, 2]);
    let right = honest(&request);
    let broken = |change: &dyn Fn(&mut processes::herder::wire::InferenceResponse)| {
        let mut response = right.clone();
        change(&mut response);
        response.receipt.output_hash = processes::herder::wire::results_hash(&response.results);
        json(&response)
    };
    let long = Answer::Generated { output: "x".repeat(4097), tokens: 4, finish: Finish::Length };
    let mut lied = right.clone();
    lied.receipt.output_hash = herd::file_hash("something else");
    for (what, data) in [
        ("nothing", Vec::new()),
        ("not UTF-8", vec![0xff, 0xfe]),
        ("a bare zero", b"0".to_vec()),
        ("one result missing", broken(&|response| drop(response.results.pop()))),
        ("one result twice", broken(&|response| response.results[1].id = 1)),
        ("a result not asked", broken(&|response| response.results[1].id = 3)),
        ("4097 bytes", broken(&|response| response.results[0].answer = long.clone())),
        (
            "another kind",
            broken(&|response| response.results[0].answer = Answer::Scored { loglikelihoods: Vec::new() }),
        ),
        ("a receipt of other results", json(&lied)),
        ("10 MB", vec![b' '; 10_000_000]),
    ] {
        let mut herd = Herd::with_workers(&["liar"]);
        herd.ask("dataset", "1", &request).unwrap();
        let job = herd.last_job("liar");
        let refused = herd.reply("liar", &job, &[], data).unwrap();
        assert!(refused.output.error.unwrap().contains("cannot be used"), "{what}");
        assert!(herd.answers("dataset").is_empty(), "{what}");
        assert_eq!(herd.record("liar")["jobs_failed"], 1, "{what}");
        assert_eq!(herd.last_job("liar").tag("Attempt"), Some("2"), "{what}: nobody else is there");
    }
}

#[test]
fn results_from_another_model_file_are_not_used() {
    let mut herd = Herd::with_workers(&["cheap"]);
    let hash = herd::file_hash("the model that was entered");
    let pairs = [("Action", "Inference"), ("Reference", "1"), ("File-Hash", hash.as_str())];
    herd.say("dataset", &pairs, json(&batch(&[1]))).unwrap();
    let refused = herd.work("cheap").unwrap();
    assert!(refused.output.error.unwrap().contains("comes from the model file"));
    assert!(herd.answers("dataset").is_empty());
}

#[test]
fn a_model_is_condemned_by_two_workers_where_there_are_two() {
    let mut herd = Herd::with_workers(&["a", "b"]);
    herd.ask("dataset", "1", &batch(&[1])).unwrap();
    let first = if herd.jobs("a").is_empty() { "b" } else { "a" };
    let second = if first == "a" { "b" } else { "a" };
    let fault = [("Error", "the file is no GGUF"), ("Fault", "model")];
    let job = herd.last_job(first);
    herd.reply(first, &job, &fault, "").unwrap();
    assert!(herd.answers("dataset").is_empty());
    let job = herd.last_job(second);
    herd.reply(second, &job, &fault, "").unwrap();
    let answer = herd.last_answer("dataset");
    assert_eq!((answer.tag("Fault"), answer.tag("Error")), (Some("model"), Some("the file is no GGUF")));
    assert_eq!(herd.record(first)["jobs_failed"], 0, "it is not held against the workers");

    let mut alone = Herd::with_workers(&["only"]);
    alone.ask("dataset", "1", &batch(&[1])).unwrap();
    let job = alone.last_job("only");
    alone.reply("only", &job, &fault, "").unwrap();
    assert_eq!(alone.last_answer("dataset").tag("Fault"), Some("model"));
}

#[test]
fn a_worker_that_fails_at_once_does_not_draw_all_work_to_itself() {
    let mut herd = Herd::with_workers(&["broken"]);
    herd.hire("busy", &[("Capacity", "1")]);
    for reference in ["1", "2", "3", "4", "5"] {
        herd.ask("dataset", reference, &batch(&[1])).unwrap();
    }
    for job in herd.jobs("broken") {
        herd.reply("broken", &job, &[("Error", "out of memory"), ("Fault", "worker")], "").unwrap();
    }
    let given = herd.jobs("broken").len();
    assert!(herd.record("broken")["resting_until_ms"].as_u64().unwrap() > herd.world.now_ms);
    herd.work("busy").unwrap();
    herd.ask("dataset", "6", &batch(&[1])).unwrap();
    assert_eq!(herd.jobs("broken").len(), given, "it rests");
    herd.world.advance(LEASE_MS + SLACK_MS);
    assert!(herd.jobs("broken").len() > given, "and is tried again");
}

#[test]
fn a_slow_worker_keeps_its_lease_by_heartbeats_but_not_for_ever() {
    let mut herd = Herd::with_workers(&["slow"]);
    herd.ask("dataset", "1", &batch(&[1])).unwrap();
    let mut leases = 0;
    while herd.jobs("slow").len() == 1 && leases < 100 {
        herd.world.advance(LEASE_MS / 2);
        herd.beat("slow", &[("Working", "1/1, nonsense, 7/x")]).unwrap();
        leases += 1;
    }
    assert!((38..=42).contains(&leases), "twenty lease times, not {leases} halves");
}

#[test]
fn what_a_worker_holds_goes_to_others_at_once_when_it_leaves() {
    for leave in ["Unregister-Worker", "Register-Worker"] {
        let mut herd = Herd::with_workers(&["leaving"]);
        for reference in 0..30 {
            herd.ask("dataset", &reference.to_string(), &batch(&[1, 2])).unwrap();
        }
        herd.hire("staying", &[]);
        assert!(herd.jobs("staying").is_empty());
        herd.say("leaving", &[("Action", leave), ("Fresh", "true"), ("Models", &harness::upload("x").to_string())], "")
            .unwrap();
        herd.world.advance(SLACK_MS);
        assert_eq!(herd.jobs("staying").len(), 30, "{leave}");
        assert_eq!(herd.info()["failed_jobs"].as_array().unwrap().len(), 0);
    }
}

#[test]
fn a_job_for_which_no_worker_comes_is_given_up_after_a_day() {
    let mut herd = Herd::default();
    herd.ask("dataset", "1", &batch(&[1])).unwrap();
    herd.world.advance(DAY_MS - HOUR_MS);
    assert!(herd.answers("dataset").is_empty());
    herd.world.advance(HOUR_MS + SLACK_MS);
    assert!(herd.last_answer("dataset").tag("Error").unwrap().contains("24 hours"));
}

#[test]
fn a_month_that_passes_in_a_moment_costs_a_running_job_one_attempt() {
    let mut herd = Herd::with_workers(&["w"]);
    herd.ask("dataset", "1", &batch(&[1])).unwrap();
    herd.world.warp(31 * DAY_MS);
    assert_eq!(herd.record("w")["active"], false);
    herd.beat("w", &[]).unwrap();
    assert_eq!(herd.last_job("w").tag("Attempt"), Some("2"));
    herd.work("w").unwrap();
    assert_eq!(herd.last_answer("dataset").tag("Error"), None);
}

#[test]
fn the_owner_sets_up_workers_through_the_herder() {
    let mut herd = Herd::with_workers(&["a", "b"]);
    let model = harness::upload("phi").to_string();
    let address = wallet("a").to_string();
    herd.say("owner", &[("Action", "loadModel"), ("Model", &model), ("Worker", &address)], "").unwrap();
    herd.say("owner", &[("Action", "setSystemPrompt")], "Be short.").unwrap();
    assert_eq!(herd.world.newest(wallet("a"), "loadModel").unwrap().tag("Model"), Some(model.as_str()));
    assert!(herd.world.newest(wallet("b"), "loadModel").is_none());
    assert_eq!(herd.world.newest(wallet("b"), "setSystemPrompt").unwrap().text(), "Be short.");
    assert!(herd.say("stranger", &[("Action", "setMaxTokens"), ("Max-Tokens", "5")], "").is_err());
}

#[test]
fn what_all_workers_are_told_is_told_to_those_that_come_later() {
    let mut herd = Herd::with_workers(&["a"]);
    let model = harness::upload("phi").to_string();
    herd.say("owner", &[("Action", "loadModel"), ("Model", &model)], "").unwrap();
    herd.say("owner", &[("Action", "Allow-Worker"), ("Worker", &wallet("b").to_string())], "").unwrap();
    herd.say("b", &[("Action", "Register-Worker")], "").unwrap();
    assert_eq!(herd.world.newest(wallet("b"), "loadModel").unwrap().tag("Model"), Some(model.as_str()));
    let nobody = wallet("nobody").to_string();
    assert!(herd.say("owner", &[("Action", "loadModel"), ("Model", &model), ("Worker", &nobody)], "").is_err());
}
