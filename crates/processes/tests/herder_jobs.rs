//! Requests of the herder: who is served, in which order, and what is refused.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;
mod herd;

use harness::{upload, wallet};
use herd::{Herd, batch, json};

#[test]
fn work_goes_to_the_worker_with_the_least_workload() {
    let mut herd = Herd::with_workers(&["a", "b"]);
    for (reference, ids) in [("1", vec![1, 2, 3]), ("2", vec![1]), ("3", vec![1]), ("4", vec![1])] {
        herd.ask("dataset", reference, &batch(&ids)).unwrap();
    }
    let mut given = [herd.jobs("a").len(), herd.jobs("b").len()];
    given.sort_unstable();
    assert_eq!(given, [1, 3]);
}

#[test]
fn no_worker_gets_more_prompts_than_it_has_room_for_and_the_rest_waits() {
    let mut herd = Herd::default();
    herd.hire("w", &[("Capacity", "5")]);
    for reference in ["1", "2", "3"] {
        herd.ask("dataset", reference, &batch(&[1, 2])).unwrap();
    }
    assert_eq!(herd.jobs("w").len(), 2);
    assert_eq!(herd.info()["jobs_waiting"], 1);
    herd.work("w").unwrap();
    assert_eq!(herd.jobs("w").len(), 3);
}

#[test]
fn a_batch_larger_than_every_capacity_is_given_to_an_idle_worker() {
    let mut herd = Herd::default();
    herd.hire("small", &[("Capacity", "1")]);
    herd.ask("dataset", "1", &batch(&[1, 2, 3, 4])).unwrap();
    assert_eq!(herd.jobs("small").len(), 1);
}

#[test]
fn a_model_goes_only_to_workers_that_can_load_it() {
    let mut herd = Herd::default();
    let (phi, llama) = (upload("phi").to_string(), upload("llama").to_string());
    herd.hire("phi only", &[("Models", &phi)]);
    let ask = |herd: &mut Herd, model: &str| {
        herd.say("dataset", &[("Action", "Inference"), ("Model", model)], json(&batch(&[1]))).unwrap();
    };
    ask(&mut herd, &llama);
    ask(&mut herd, &phi);
    assert_eq!(herd.jobs("phi only").len(), 1);
    herd.hire("any", &[]);
    assert_eq!(herd.last_job("any").tag("Model"), Some(llama.as_str()));
}

#[test]
fn of_equal_workers_the_one_with_the_model_in_memory_gets_the_job() {
    let mut herd = Herd::with_workers(&["a", "b", "c"]);
    let phi = upload("phi").to_string();
    herd.beat("b", &[("Loaded", &phi)]).unwrap();
    herd.say("dataset", &[("Action", "Inference"), ("Model", &phi)], json(&batch(&[1]))).unwrap();
    assert_eq!(herd.jobs("b").len(), 1);
}

#[test]
fn requesters_take_turns_however_many_jobs_one_has() {
    let mut herd = Herd::default();
    for reference in 0..10 {
        herd.ask("big dataset", &reference.to_string(), &batch(&[1, 2])).unwrap();
    }
    herd.ask("small dataset", "only", &batch(&[1, 2])).unwrap();
    herd.hire("w", &[("Capacity", "2")]);
    herd.work("w").unwrap();
    herd.work("w").unwrap();
    assert_eq!(herd.answers("small dataset").len(), 1);
    assert_eq!(herd.answers("big dataset").len(), 1);
}

#[test]
fn a_bad_request_is_answered_with_the_reason_because_a_process_sees_only_messages() {
    let mut herd = Herd::with_workers(&["w"]);
    let model = upload("phi").to_string();
    let right = json(&batch(&[1]));
    let (long, no_hash) = ("r".repeat(300), "abc");
    for (what, pairs, data) in [
        ("empty", vec![], Vec::new()),
        ("not text", vec![], vec![0xff]),
        ("a batch of nothing", vec![], br#"{"kind":"generate","max_tokens":4,"prompts":[]}"#.to_vec()),
        ("JSON cut off", vec![], br#"{"kind":"generate","max_tokens":"#.repeat(2000)),
        ("unknown work", vec![("WorkerType", "Miner")], right.clone()),
        ("no model id", vec![("Model", "../../etc/passwd")], right.clone()),
        ("no hash", vec![("Model", model.as_str()), ("File-Hash", no_hash)], right.clone()),
        ("a long reference", vec![("Reference", long.as_str())], right.clone()),
    ] {
        let before = herd.answers("dataset").len();
        let mut all = vec![("Action", "Inference")];
        all.extend(pairs);
        let effects = herd.say("dataset", &all, data).unwrap();
        assert!(effects.output.error.is_some(), "{what}");
        assert_eq!(herd.answers("dataset").len(), before + 1, "{what}");
        assert_eq!(herd.last_answer("dataset").tag("Fault"), Some("request"), "{what}");
        assert!(herd.last_answer("dataset").tag("Reference").unwrap().len() <= 256, "{what}");
    }
    assert!(herd.jobs("w").is_empty());
    let missing = herd.say("dataset", &[("Action", "Dance")], "").unwrap_err();
    assert!(missing.contains("Dance") && missing.contains("Register-Worker"), "{missing}");
}

#[test]
fn the_queue_has_an_end_and_says_so() {
    let mut herd = Herd::default();
    for reference in 0..2_048 {
        herd.ask("greedy", &reference.to_string(), &batch(&[1])).unwrap();
    }
    let over = herd.ask("greedy", "over", &batch(&[1])).unwrap();
    assert!(over.output.error.unwrap().contains("2048 jobs waiting"));
    let answer = herd.last_answer("greedy");
    assert_eq!((answer.tag("Reference"), answer.tag("Fault")), (Some("over"), Some("busy")));
    assert_eq!(herd.ask("modest", "1", &batch(&[1])).unwrap().output.error, None);
}

#[test]
fn many_jobs_are_given_out_in_portions() {
    let mut herd = Herd::default();
    for reference in 0..100 {
        herd.ask("dataset", &reference.to_string(), &batch(&[1])).unwrap();
    }
    herd.hire("w", &[("Capacity", "4096")]);
    assert_eq!(herd.jobs("w").len(), 40);
    herd.world.advance(1_000);
    assert_eq!(herd.jobs("w").len(), 100);
}

#[test]
fn a_node_sends_at_most_a_mebibyte_for_one_message() {
    let mut herd = Herd::default();
    let mut large = batch(&(0..14).collect::<Vec<_>>());
    large.prompts.iter_mut().for_each(|prompt| prompt.prompt = "x".repeat(32 * 1024));
    for reference in 0..9 {
        herd.ask("dataset", &reference.to_string(), &large).unwrap();
    }
    herd.hire("w", &[("Capacity", "4096")]);
    herd.world.advance(1_000);
    assert_eq!(herd.jobs("w").len(), 9);
    for (message, outcome) in herd.world.history(herd.herder) {
        let bytes: usize = outcome.iter().flat_map(|effects| &effects.messages).map(|sent| sent.data.len()).sum();
        assert!(bytes < 1_000_000, "{} sent {bytes} bytes", message.action());
    }
}

#[test]
fn a_plain_prompt_is_answered_in_plain_text_as_in_the_original() {
    let mut herd = Herd::default();
    herd.hire("w", &[("WorkerType", "Chat,Evaluate")]);
    let question = r#"{"question":"What is AO?","context":"AO is a computer."}"#;
    herd.say("user", &[("Action", "Inference"), ("WorkerType", "Chat"), ("Reference", "r1")], question).unwrap();
    let job = herd.last_job("w");
    assert_eq!(job.text(), question);
    herd.reply("w", &job, &[], "A computer.").unwrap();
    let answer = herd.last_answer("user");
    assert_eq!(
        (answer.tag("Reference"), answer.tag("WorkerType"), answer.text()),
        (Some("r1"), Some("Chat"), "A computer.")
    );

    // aos writes a number of its own before the Reference of its user, and knows the answer to it by X-Reference.
    let pairs = [("Action", "Inference"), ("WorkerType", "Chat"), ("Reference", "17"), ("Reference", "mine")];
    herd.say("user", &pairs, question).unwrap();
    herd.reply("w", &herd.last_job("w"), &[], "A computer.").unwrap();
    let answer = herd.last_answer("user");
    assert_eq!((answer.tag("Reference"), answer.tag("X-Reference")), (Some("mine"), Some("17")));

    let judge = r#"{"question":"q","expected_response":"r","context":"c"}"#;
    for (bad, good) in [("11", "10"), ("-1", "0"), ("NaN", "7"), ("score: 5", "5"), ("", "1"), ("1e1", "3")] {
        herd.say("user", &[("Action", "Inference"), ("WorkerType", "Evaluate")], judge).unwrap();
        let (job, answered) = (herd.last_job("w"), herd.answers("user").len());
        assert!(herd.reply("w", &job, &[], bad).unwrap().output.error.is_some(), "{bad}");
        assert_eq!(herd.answers("user").len(), answered, "{bad} is no score, and never 0");
        let job = herd.last_job("w");
        herd.reply("w", &job, &[], good).unwrap();
        assert_eq!(herd.last_answer("user").text(), good);
    }
}

#[test]
fn only_the_clock_of_the_herder_itself_wakes_it() {
    let mut herd = Herd::with_workers(&["w"]);
    assert!(herd.say("stranger", &[("Action", "Wake")], "").is_err());
    let node = herd.world.node;
    assert!(herd.forge(node, &[("Action", "Wake")]).is_err());
}

#[test]
fn reading_changes_nothing_and_shows_load_and_records() {
    let mut herd = Herd::with_workers(&["w"]);
    herd.ask("dataset", "1", &batch(&[1, 2])).unwrap();
    let info = herd.info();
    assert_eq!(
        (&info["workers"], &info["prompts_in_flight"], &info["jobs_waiting"]),
        (&1.into(), &2.into(), &0.into())
    );
    herd.work("w").unwrap();
    let record = herd.record("w");
    assert_eq!((&record["jobs_done"], &record["prompts_done"], &record["workload"]), (&1.into(), &2.into(), &0.into()));
    let by_message = herd.say("reader", &[("Action", "Worker-Statistic")], "").unwrap();
    assert_eq!(by_message.messages[0].target, wallet("reader"));
    assert_eq!(by_message.messages[0].data, by_message.output.data.as_bytes());
}

#[test]
fn a_job_leaves_nothing_behind() {
    let mut herd = Herd::with_workers(&["w"]);
    for requester in ["a", "b", "c"] {
        herd.ask(requester, "1", &batch(&[1])).unwrap();
        herd.work("w").unwrap();
    }
    let sql = "SELECT (SELECT count(*) FROM jobs) + (SELECT count(*) FROM leases) + (SELECT count(*) FROM shares)";
    let rows: i64 = herd.world.connection(herd.herder).query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 0);
}
