//! From a question to a model and back: what is asked, when, and what becomes of the answers. The tests whose names
//! begin with `original_` show that a defect of the first implementation is gone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;
mod study;

use std::collections::BTreeSet;

use harness::{HOUR_MS, facts, upload, wallet};
use processes::herder::wire::{Answer, Finish, InferenceResponse, results_hash};
use serde_json::json;
use study::{Study, file_hash, response, right, rows, text};

#[test]
fn a_thousand_questions_are_asked_at_once_and_the_rest_an_hour_later() {
    let mut study = Study::of(1_954);
    let effects = study.enter(upload("pool"), "gpt").unwrap();
    assert!(effects.messages.is_empty() && effects.wake_at_ms.is_some(), "the first tick follows at once");
    study.wake();
    let first = study.batches();
    let sizes: Vec<usize> = first.iter().map(|batch| batch.request.prompts.len()).collect();
    assert_eq!(sizes, [&[64; 15][..], &[40]].concat());
    assert_eq!(first[0].model, upload("gpt").to_string());
    assert_eq!(first[0].file_hash, file_hash("gpt"));
    assert_eq!((first[0].request.max_tokens, first[0].request.stop.as_slice()), (4, ["\n".to_owned()].as_slice()));
    assert!(first[0].request.prompts[0].prompt.ends_with("AnswerC: rest\nAnswer:"));

    // Nothing is answered: nothing more is asked.
    study.world.advance(3 * HOUR_MS);
    assert_eq!(study.batches().len(), 16);
    for batch in &first {
        study.answer(batch, |prompt| text(right(prompt.id))).unwrap();
    }
    assert_eq!(study.batches().len(), 16, "the rest waits for the tick");
    study.world.advance(HOUR_MS);
    let all = study.batches();
    let ids: BTreeSet<u64> =
        all.iter().flat_map(|batch| batch.request.prompts.iter().map(|prompt| prompt.id)).collect();
    assert_eq!(ids, (1..=1_954).collect());
    assert_eq!(all.iter().map(|batch| batch.request.prompts.len()).sum::<usize>(), 1_954, "none is asked twice");
}

#[test]
fn a_complete_model_is_reported_at_once_with_its_outcomes() {
    let mut study = Study::of(10);
    study.enter(upload("pool"), "gpt").unwrap();
    study.wake();
    let batch = study.batches().remove(0);
    let said = |id: u64| match id {
        1 => text(" A"),
        2 => text("Answer: B"),
        3 => text("I Am not sure"),
        4 => text(" C"),
        5 => Answer::Generated { output: String::new(), tokens: 0, finish: Finish::ContextExceeded },
        id => text(right(id)),
    };
    study.answer(&batch, |prompt| said(prompt.id)).unwrap();
    let (pool, model, score) = study.reports().pop().unwrap();
    assert_eq!((pool, model), (upload("pool").to_string(), upload("gpt").to_string()));
    // Strictly right: 1 and 6 to 10. Leniently also 2. Not parsed: 2, 3 and 5.
    assert_eq!(
        score,
        json!({
            "correct": 6, "lenient_correct": 7, "answered": 10, "unparsed": 3, "in_flight": 0, "unevaluated": 0,
            "total": 10, "complete": true, "score": 0.6, "interval": [0.312_67, 0.831_822], "progress": 1.0,
            "outcomes": "4QM=", "lenient_outcomes": "4wM=",
        })
    );
    assert_eq!(study.model("gpt")["status"], "complete");
    study.world.advance(5 * HOUR_MS);
    assert_eq!(study.reports().len(), 1, "what is complete is said once");
}

#[test]
fn original_in_flight_inferences_counted_as_wrong() {
    let mut study = Study::of(128);
    study.enter(upload("pool"), "gpt").unwrap();
    study.wake();
    let batches = study.batches();
    study.answer(&batches[0], |prompt| text(right(prompt.id))).unwrap();
    let score = study.score("gpt");
    assert_eq!((&score["correct"], &score["answered"], &score["in_flight"]), (&json!(64), &json!(64), &json!(64)));
    assert_eq!((&score["score"], &score["progress"], &score["complete"]), (&json!(1.0), &json!(0.5), &json!(false)));
    assert!(score.get("outcomes").is_none());
    study.world.advance(HOUR_MS);
    let (.., reported) = study.reports().pop().unwrap();
    assert_eq!((&reported["correct"], &reported["unevaluated"]), (&json!(64), &json!(64)));
}

#[test]
fn original_a_lost_inference_counted_as_wrong() {
    let mut study = Study::of(5);
    study.enter(upload("pool"), "gpt").unwrap();
    study.wake();
    for attempt in 1..=5 {
        let batches = study.batches();
        assert_eq!(batches.len(), attempt, "a failed batch is asked again at the next tick, not before");
        study.fail(&batches[attempt - 1], "worker", "the worker was silent").unwrap();
        let score = study.score("gpt");
        assert_eq!((&score["answered"], &score["unevaluated"]), (&json!(0), &json!(5)));
        study.world.advance(HOUR_MS);
    }
    let (.., score) = study.reports().pop().unwrap();
    assert_eq!(score["failed"], "asked 5 times without an answer; the last time: the worker was silent");
    assert_eq!((&score["complete"], &score["answered"]), (&json!(false), &json!(0)));
    study.world.advance(5 * HOUR_MS);
    assert_eq!(study.batches().len(), 5, "what has failed is left alone");

    // Its owner gives it another chance.
    assert!(study.say("stranger", &[("Action", "Evaluate")], "").is_err());
    study.say("owner", &[("Action", "Evaluate")], "").unwrap();
    let batch = study.batches().pop().unwrap();
    study.answer(&batch, |prompt| text(right(prompt.id))).unwrap();
    assert_eq!(study.score("gpt")["correct"], 5);
    assert_eq!(study.model("gpt")["status"], "complete");
}

#[test]
fn a_full_herder_is_asked_again_without_counting() {
    let mut study = Study::of(5);
    study.enter(upload("pool"), "gpt").unwrap();
    study.wake();
    for _ in 0..20 {
        let batch = study.batches().pop().unwrap();
        study.fail(&batch, "busy", "no room").unwrap();
        study.world.advance(HOUR_MS);
    }
    assert_eq!(study.model("gpt")["status"], "evaluating");
    let batch = study.batches().pop().unwrap();
    study.answer(&batch, |prompt| text(right(prompt.id))).unwrap();
    assert_eq!(study.score("gpt")["complete"], true);
}

#[test]
fn a_model_that_cannot_run_has_failed_at_once_and_another_upload_of_it_may_run() {
    let mut study = Study::of(100);
    study.enter(upload("pool"), "gpt").unwrap();
    study.wake();
    let batches = study.batches();
    study.answer(&batches[0], |prompt| text(right(prompt.id))).unwrap();
    study.fail(&batches[1], "model", "the file is truncated").unwrap();
    assert_eq!(study.model("gpt")["reason"], "the file is truncated");
    assert_eq!(study.reports().pop().unwrap().2["failed"], "the file is truncated");
    study.world.advance(HOUR_MS);
    assert_eq!(study.batches().len(), 2);

    study.enter_file(upload("another pool"), "gpt again", &file_hash("gpt")).unwrap();
    study.wake();
    let again = study.batches().pop().unwrap();
    assert_eq!(again.model, upload("gpt again").to_string());
    assert_eq!(again.request.prompts.len(), 36, "what is answered stays answered");
    study.answer(&again, |prompt| text(right(prompt.id))).unwrap();
    assert_eq!(study.score("gpt again")["complete"], true);
    assert_eq!(study.score("gpt")["complete"], true);
}

#[test]
fn a_herder_that_is_no_process_loses_nothing() {
    let herder = wallet("nobody").to_string();
    let mut study = Study::new(&[], "");
    let pairs =
        [("Herder", herder.as_str()), ("Benchmark", &study.benchmark.to_string())].map(|(a, b)| (a, b.to_owned()));
    let pairs: Vec<_> = pairs.iter().map(|(a, b)| (*a, b.as_str())).collect();
    study.dataset = study.world.spawn("dataset", wallet("owner"), &pairs, "");
    study.load(rows(5)).unwrap();
    study.enter(upload("pool"), "gpt").unwrap();
    study.world.advance(6 * HOUR_MS);
    let model = study.model("gpt");
    assert_eq!(model["status"], "failed");
    assert!(model["reason"].as_str().unwrap().contains("no process"), "{model}");
    assert_eq!((&model["answered"], &model["in_flight"]), (&json!(0), &json!(0)));
}

#[test]
fn only_the_herder_answers_and_only_once() {
    let mut study = Study::of(3);
    study.enter(upload("pool"), "gpt").unwrap();
    study.wake();
    let batch = study.batches().remove(0);
    let forged = serde_json::to_vec(&response(&batch, |prompt| text(right(prompt.id)))).unwrap();
    let pairs = [("Action", "Inference-Response"), ("Reference", batch.reference.as_str())];
    for from in ["owner", "worker", "stranger"] {
        assert!(study.say(from, &pairs, forged.clone()).unwrap_err().contains("the herder of the dataset"));
    }
    study.answer(&batch, |_| text(" A")).unwrap();
    let late = study.answer(&batch, |prompt| text(right(prompt.id))).unwrap();
    assert!(late.output.data.contains("already"), "{late:?}");
    assert_eq!(study.score("gpt")["correct"], 1);
    let unknown = study::Batch { reference: "77".to_owned(), ..batch };
    assert!(study.answer(&unknown, |_| text(" A")).unwrap_err().contains("no batch '77'"));
}

/// Makes a good response bad.
type Spoil = fn(&mut InferenceResponse);

#[test]
fn answers_that_are_not_those_asked_for_are_asked_again() {
    let mut study = Study::of(3);
    study.enter(upload("pool"), "gpt").unwrap();
    study.wake();
    let spoilers: [(&str, Spoil); 4] = [
        ("missing", |response| drop(response.results.pop())),
        ("another model file", |response| response.receipt.model_file_hash = file_hash("other")),
        ("profile 'fast'", |response| response.receipt.profile = "fast".to_owned()),
        ("prompts_hash", |response| response.receipt.prompts_hash = file_hash("other prompts")),
    ];
    for (error, spoil) in spoilers {
        let batch = study.batches().pop().unwrap();
        let mut bad = response(&batch, |prompt| text(right(prompt.id)));
        spoil(&mut bad);
        bad.receipt.output_hash = results_hash(&bad.results);
        let effects = study.reply(&batch, &[], serde_json::to_vec(&bad).unwrap()).unwrap();
        assert!(effects.output.error.as_deref().unwrap_or_default().contains(error), "{error}: {effects:?}");
        assert_eq!(study.score("gpt")["answered"], 0);
        study.world.advance(HOUR_MS);
    }
    let batch = study.batches().pop().unwrap();
    study.reply(&batch, &[], "\u{0}garbage").unwrap();
    assert_eq!(study.model("gpt")["status"], "failed");
    assert_eq!(study.score("gpt")["answered"], 0);
}

#[test]
fn two_pools_share_the_predictions_of_one_file() {
    let mut study = Study::of(6);
    study.enter(upload("one"), "gpt").unwrap();
    study.enter_file(upload("two"), "gpt copy", &file_hash("gpt")).unwrap();
    study.wake();
    assert_eq!(study.batches().len(), 1);
    let batch = study.batches().remove(0);
    study.answer(&batch, |prompt| text(right(prompt.id))).unwrap();
    let reports = study.reports();
    let complete: Vec<_> = reports.iter().filter(|(.., score)| score["complete"] == true).collect();
    assert_eq!(complete.len(), 2);
    assert_eq!(complete[0].2, complete[1].2);
    study.enter(upload("three"), "gpt").unwrap();
    study.wake();
    assert_eq!(study.batches().len(), 1);
    assert_eq!(study.reports().pop().unwrap().0, upload("three").to_string());
}

#[test]
fn pools_belong_to_the_benchmark_process_only() {
    let mut study = Study::of(3);
    let fault = study.enter_file(upload("pool"), "gpt", &file_hash("gpt")).unwrap_err();
    assert!(fault.contains("no pool was opened"), "{fault}");
    let (pool, model) = (upload("pool").to_string(), upload("gpt").to_string());
    let pairs = [("Action", "Benchmark"), ("Pool", pool.as_str()), ("Model", model.as_str()), ("File-Hash", "00")];
    assert!(study.say("stranger", &pairs, "").unwrap_err().contains("the owner of the dataset only"));
    study.freeze(upload("pool")).unwrap();
    assert!(study.enter_file(upload("pool"), "gpt", "00").unwrap_err().contains("64 lower-case"));
    assert!(study.model("gpt").is_null());
}

#[test]
fn the_owner_evaluates_a_model_alone() {
    let mut study = Study::of(3);
    study.world.put_model(upload("gpt"), Ok(facts("weights", "GPT")));
    study.world.put_model(upload("text"), Err("it is no GGUF file".to_owned()));
    study.say("owner", &[("Action", "Benchmark")], upload("gpt").to_string()).unwrap();
    study.wake();
    let batch = study.batches().remove(0);
    study.answer(&batch, |prompt| text(right(prompt.id))).unwrap();
    assert_eq!(study.score("gpt")["correct"], 3);
    assert_eq!(study.model("gpt")["name"], "GPT");
    assert!(study.reports().is_empty());

    study.say("owner", &[("Action", "Benchmark")], upload("text").to_string()).unwrap();
    let error = study.world.newest(wallet("owner"), "Benchmark-Error").unwrap();
    assert!(error.tag("Error").unwrap().ends_with("it is no GGUF file"));
    assert!(study.say("owner", &[("Action", "Benchmark")], "gpt").unwrap_err().contains("'gpt' is no model"));
    let id = upload("gpt").to_string();
    assert!(study.say("owner", &[("Action", "Model-Facts"), ("Model", &id)], "{}").unwrap_err().contains("the node"));

    // Questions that come later are asked at the next tick.
    study.load(rows(2)).unwrap();
    study.world.advance(HOUR_MS);
    assert_eq!(study.batches().pop().unwrap().request.prompts.len(), 2);
}

#[test]
fn many_models_are_asked_in_portions() {
    let mut study = Study::of(200);
    study.freeze(upload("pool")).unwrap();
    for model in 0..60 {
        study.enter_file(upload("pool"), &model.to_string(), &file_hash(&model.to_string())).unwrap();
    }
    study.wake();
    let batches = study.batches();
    assert_eq!(batches.len(), 240);
    let models: BTreeSet<_> = batches.iter().map(|batch| batch.file_hash.clone()).collect();
    assert_eq!(models.len(), 60);
    study.world.advance(HOUR_MS);
    assert_eq!(study.reports().len(), 60);
}
