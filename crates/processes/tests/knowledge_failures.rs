//! Workers that fail: what they say is not believed, what they did not do is asked for again, and there is an end to it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;
mod library;

use harness::{HOUR_MS, MINUTE_MS, SECOND_MS, wallet};
use library::{Batch, Library, by_words, name_of, response, too_long, unit, vector};
use processes::herder::wire::{Answer, InferenceResponse, results_hash};
use serde_json::{Value, json};

/// A process with one dataset of these contents, and the batch of its documents.
fn library(contents: &[&str]) -> (Library, String, Batch) {
    let mut library = Library::with_played_herder();
    library.create("alice", contents).unwrap();
    let batch = library.last_batch();
    (library, name_of(contents), batch)
}

fn right(batch: &Batch) -> InferenceResponse {
    response(&batch.request, |prompt| vector(by_words(&prompt.prompt)))
}

fn failures(library: &mut Library) -> Value {
    library.datasets()[0]["failures"].clone()
}

#[test]
fn only_the_herder_brings_vectors() {
    let (mut library, hash, batch) = library(&["rain", "sun"]);
    let data = serde_json::to_vec(&right(&batch)).unwrap();
    let pairs = [("Action", "Inference-Response"), ("Reference", batch.reference.as_str())];
    let error = library.world.send(wallet("mallory"), library.knowledge, &pairs, data.clone()).unwrap_err();
    assert!(error.contains("Inference-Response is for the herder of this process only"), "{error}");
    let pairs = [("Action", "Undeliverable"), ("Reference", batch.reference.as_str())];
    assert!(library.world.send(wallet("mallory"), library.knowledge, &pairs, "").is_err());
    assert_eq!(library.progress(&hash), [2, 0, 2, 0]);
    library.answer(&batch).unwrap();
    assert_eq!(library.progress(&hash), [2, 2, 0, 0]);
    let said = library.answer(&batch).unwrap().output.data;
    assert!(said.contains("is awaited (any more)"), "the first answer is final: {said}");
}

#[test]
fn vectors_that_cannot_be_right_are_not_kept() {
    type Change = fn(&mut InferenceResponse);
    let changes: [(&str, Change, &str); 6] = [
        ("another model", |answer| answer.receipt.model_file_hash = "0".repeat(64), "another model file"),
        ("another profile", |answer| answer.receipt.profile = "fast".to_owned(), "the profile 'fast'"),
        ("a missing one", |answer| drop(answer.results.pop()), "the id 2 is missing"),
        ("another text's", |answer| answer.results[1].id = 3, "the id 2 is missing"),
        ("a text", |answer| answer.results[0].answer = text(), "of another kind than was asked for"),
        ("other dimensions", |answer| answer.results[1].answer = vector(vec![1.0]), "a vector has 1 numbers"),
    ];
    for (case, change, expected) in changes {
        let (mut library, hash, batch) = library(&["rain", "sun"]);
        let mut answer = right(&batch);
        change(&mut answer);
        answer.receipt.output_hash = results_hash(&answer.results);
        let said = library.reply(&batch, &[], &answer).unwrap().output.error.unwrap();
        assert!(said.contains(expected), "{case}: {said}");
        assert_eq!(library.progress(&hash), [2, 0, 2, 0], "{case}");
        assert_eq!(library.count("SELECT count(*) FROM vectors") + library.count("SELECT count(*) FROM model"), 0);
    }
}

fn text() -> Answer {
    Answer::Generated { output: "rain".to_owned(), tokens: 0, finish: processes::herder::wire::Finish::Stop }
}

#[test]
fn bytes_that_are_no_vector_are_not_even_read() {
    let (mut library, hash, batch) = library(&["rain"]);
    let good = serde_json::to_string(&right(&batch)).unwrap();
    let embedding =
        serde_json::to_value(right(&batch)).unwrap()["results"][0]["embedding"].as_str().unwrap().to_owned();
    // Not base64; three bytes; none; twice as long as 1; not a number.
    for bad in ["%%%%", "AAAA", "", "AAAAQA==", "AADAfw=="] {
        let data = good.replace(&embedding, bad);
        let reference = library.last_batch().reference;
        let pairs = [("Action", "Inference-Response"), ("Reference", reference.as_str())];
        let outcome = library.world.send_from_process(library.herder, library.knowledge, &pairs, data).unwrap();
        assert!(outcome.output.error.is_some(), "{bad}");
        library.world.advance(HOUR_MS);
    }
    assert_eq!(library.progress(&hash), [1, 0, 1, 0]);
    library.answer(&library.last_batch()).unwrap();
    assert_eq!(library.progress(&hash), [1, 1, 0, 0]);
}

#[test]
fn what_failed_is_asked_for_again_later_and_alone() {
    let (mut library, hash, batch) = library(&["rain", "sun", "doc"]);
    assert_eq!(batch.request.prompts.len(), 3);
    library.fail(&batch, "worker", "out of memory").unwrap();
    assert_eq!(library.batches().len(), 1, "not at once: a herder without workers is not asked in a circle");
    library.world.advance(MINUTE_MS - SECOND_MS);
    assert_eq!(library.batches().len(), 1);
    library.world.advance(2 * SECOND_MS);
    let again = library.batches()[1..].to_vec();
    let asked: Vec<Vec<u64>> =
        again.iter().map(|batch| batch.request.prompts.iter().map(|prompt| prompt.id).collect()).collect();
    assert_eq!(asked, [[1], [2], [3]]);

    library.fail(&again[1], "model", "the model cannot be used").unwrap();
    library.answer(&again[0]).unwrap();
    library.answer(&again[2]).unwrap();
    assert_eq!(library.progress(&hash), [3, 2, 0, 1], "one text that breaks the model breaks no other");
    assert_eq!(failures(&mut library), json!([{"number": 2, "reason": "the model cannot be used"}]));
}

#[test]
fn there_is_an_end_to_asking_and_its_owner_can_begin_again() {
    let (mut library, hash, _) = library(&["rain"]);
    for attempt in 1..=8 {
        assert_eq!(library.batches().len(), attempt);
        library.fail(&library.last_batch(), "worker", "no worker answered").unwrap();
        library.world.advance(HOUR_MS + SECOND_MS);
    }
    assert_eq!(library.batches().len(), 8);
    assert_eq!(library.progress(&hash), [1, 0, 0, 1]);
    assert_eq!(failures(&mut library), json!([{"number": 1, "reason": "no worker answered"}]));
    assert!(library.world.alarm_ms(library.knowledge).is_none(), "nothing is left to do");

    library.create("bob", &["rain"]).unwrap();
    assert_eq!(library.batches().len(), 8, "that is for its owner");
    library.create("alice", &["rain"]).unwrap();
    library.answer(&library.last_batch()).unwrap();
    assert_eq!(library.progress(&hash), [1, 1, 0, 0]);
}

#[test]
fn a_text_that_the_model_cannot_take_has_failed_and_says_why() {
    let (mut library, hash, batch) = library(&["rain", "a long one"]);
    let answer = response(&batch.request, |prompt| match prompt.id {
        2 => too_long(),
        _ => vector(by_words(&prompt.prompt)),
    });
    library.reply(&batch, &[], &answer).unwrap();
    assert_eq!(library.progress(&hash), [2, 1, 0, 1]);
    assert_eq!(failures(&mut library), json!([{"number": 2, "reason": "it is longer than the model takes"}]));
}

#[test]
fn a_search_is_tried_three_times_and_then_its_asker_is_told() {
    let (mut library, hash, batch) = library(&["rain"]);
    library.answer(&batch).unwrap();
    library.ask("reader", "my search", &json!({"dataset_hash": hash, "prompt": "sun"})).unwrap();
    for attempt in 1..=3 {
        assert!(library.answers("reader").is_empty());
        assert_eq!(library.batches().len(), 1 + attempt);
        library.fail(&library.last_batch(), "busy", "the herder is full").unwrap();
        library.world.advance(6 * SECOND_MS);
    }
    let letter = &library.answers("reader")[0];
    assert_eq!(letter.tag("Reference"), Some("my search"));
    assert_eq!(letter.tag("Error"), Some("the prompt has no vector: the herder is full"));
    assert_eq!((library.batches().len(), library.count("SELECT count(*) FROM searches")), (4, 0));

    library.ask("reader", "long", &json!({"dataset_hash": hash, "prompt": "a long one"})).unwrap();
    let search = library.last_batch();
    library.reply(&search, &[], &response(&search.request, |_| too_long())).unwrap();
    let letter = &library.answers("reader")[1];
    assert_eq!(letter.tag("Error"), Some("the prompt has no vector: it is longer than the model takes"));
}

#[test]
fn a_search_that_is_answered_at_the_second_attempt_is_answered_once() {
    let (mut library, hash, batch) = library(&["rain"]);
    library.answer(&batch).unwrap();
    library.ask("reader", "1", &json!({"dataset_hash": hash, "prompt": "rain"})).unwrap();
    let first = library.last_batch();
    library.fail(&first, "worker", "broken").unwrap();
    library.world.advance(6 * SECOND_MS);
    library.answer(&first).unwrap();
    assert!(library.answers("reader").is_empty(), "that attempt is over");
    library.answer(&library.last_batch()).unwrap();
    let answers = library.answers("reader");
    assert_eq!((answers.len(), answers[0].tag("Error")), (1, None));
}

#[test]
fn a_herder_that_is_not_there_is_a_failure_that_is_told() {
    let mut library = Library::with_played_herder();
    let (nowhere, model) = (wallet("nowhere").to_string(), harness::upload("model").to_string());
    let hash = library::file_hash();
    let pairs = [("Herder", nowhere.as_str()), ("Model", &model), ("File-Hash", &hash)];
    library.knowledge = library.world.spawn("knowledge", wallet("operator"), &pairs, "");
    library.create("alice", &["rain"]).unwrap();
    library.ask("reader", "1", &json!({"dataset_hash": name_of(&["rain"]), "prompt": "sun"})).unwrap();
    library.world.advance(MINUTE_MS);
    let error = library.answers("reader")[0].tag("Error").unwrap().to_owned();
    assert_eq!(error, "the prompt has no vector: there is no process on this node that could be the herder");
    library.world.advance(24 * HOUR_MS);
    assert_eq!(library.progress(&name_of(&["rain"])), [1, 0, 0, 1]);
}

#[test]
fn no_more_is_in_flight_than_the_herder_should_hold() {
    let texts: Vec<String> = (0..1_000).map(|number| format!("text {number}")).collect();
    let contents: Vec<&str> = texts.iter().map(String::as_str).collect();
    let (mut library, hash, _) = library(&contents);
    assert_eq!(library.batches().len(), 32);
    let mut answered = 0;
    while let Some(batch) = library.batches().get(answered).cloned() {
        library.answer(&batch).unwrap();
        answered += 1;
        assert!(library.count("SELECT count(*) FROM batches") <= 32);
    }
    assert_eq!((answered, library.progress(&hash)), (63, [1_000, 1_000, 0, 0]));
}

#[test]
fn long_documents_go_in_smaller_batches_that_a_herder_takes() {
    // As JSON each takes six times its bytes.
    let texts: Vec<String> = (0..20).map(|number| format!("{number}{}", "\u{1}".repeat(30_000))).collect();
    let contents: Vec<&str> = texts.iter().map(String::as_str).collect();
    let (mut library, hash, _) = library(&contents);
    library.world.advance(SECOND_MS);
    assert!(library.batches().iter().all(|batch| batch.request.prompts.len() == 2));
    for batch in library.batches() {
        library.answer(&batch).unwrap();
    }
    library.world.advance(SECOND_MS);
    assert_eq!(library.progress(&hash), [20, 20, 0, 0]);
}

#[test]
fn the_first_vector_says_how_many_numbers_there_are() {
    let (mut library, hash, batch) = library(&["rain"]);
    library.answer(&batch).unwrap();
    library.ask("reader", "1", &json!({"dataset_hash": hash, "prompt": "sun"})).unwrap();
    let search = library.last_batch();
    let other = response(&search.request, |_| vector(unit(vec![1.0, 2.0])));
    let said = library.reply(&search, &[], &other).unwrap().output.error.unwrap();
    assert_eq!(said, "a vector has 2 numbers, and those of this model have 9");
}
