//! What a dataset lets people read: its questions, its task file, answers of one kind, and how far models are.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;
mod study;

use harness::upload;
use serde_json::{Value, json};
use study::{Study, right, text};

fn read(study: &mut Study, tags: &[(&str, &str)]) -> Value {
    study.world.read(study.dataset, tags, "")
}

#[test]
fn questions_are_read_as_they_are_asked_a_page_at_a_time() {
    let mut study = Study::of(12);
    let page = read(&mut study, &[("Action", "Get-Questions"), ("Limit", "5"), ("From-Id", "5")]);
    let ids: Vec<u64> = page.as_array().unwrap().iter().map(|row| row["id"].as_u64().unwrap()).collect();
    assert_eq!(ids, [6, 7, 8, 9, 10]);
    assert!(page[0]["prompt"].as_str().unwrap().contains("number 5"));
    assert_eq!((&page[0]["correct_answer"], page[0]["choices"].as_array().unwrap().len()), (&json!("C"), 3));
    let all = read(&mut study, &[("Action", "Get-Questions"), ("Limit", "100000")]);
    assert_eq!(all.as_array().unwrap().len(), 12);
    let task = read(&mut study, &[("Action", "Get-Task")]);
    assert!(task["task"].as_str().unwrap().contains("doc_to_text"));
}

#[test]
fn answers_of_one_kind_come_alone_and_with_their_receipts() {
    let mut study = Study::of(6);
    study.enter(upload("pool"), "gpt").unwrap();
    study.wake();
    let said = |id: u64| match id {
        1 => text("I cannot tell"),
        2 | 3 => text(" A"),
        id => text(right(id)),
    };
    for batch in study.batches() {
        study.answer(&batch, |prompt| said(prompt.id)).unwrap();
    }
    let model = upload("gpt").to_string();
    let mut ids = |kind: &str| -> Vec<u64> {
        let page = read(&mut study, &[("Action", "Results"), ("Model", &model), ("Show", kind)]);
        let results = page["results"].as_array().unwrap();
        assert_eq!(page["receipts"].as_object().unwrap().is_empty(), results.is_empty(), "{page}");
        results.iter().map(|row| row["id"].as_u64().unwrap()).collect()
    };
    assert_eq!(ids("right"), [4, 5, 6]);
    assert_eq!(ids("wrong"), [1, 2, 3]);
    assert_eq!(ids("unparsed"), [1]);
    assert!(ids("waiting").is_empty());
    assert_eq!(ids("").len(), 6);
}

#[test]
fn progress_is_of_the_models_that_are_being_asked() {
    let mut study = Study::of(100);
    let pool = upload("pool");
    study.enter(pool, "gpt").unwrap();
    study.wake();
    let batches = study.batches();
    assert!(batches.len() > 1, "a hundred questions are more than one batch");
    study.answer(&batches[0], |prompt| text(right(prompt.id))).unwrap();
    let tags = [("Action", "Progress"), ("Pool", &*pool.to_string())];
    let answered = batches[0].request.prompts.len();
    let progress = read(&mut study, &tags);
    assert_eq!(progress.as_array().unwrap().len(), 1);
    assert_eq!((&progress[0]["model"], &progress[0]["answered"]), (&json!(upload("gpt")), &json!(answered)));
    assert_eq!((&progress[0]["correct"], &progress[0]["total"]), (&json!(answered), &json!(100)));
    for batch in &batches[1..] {
        study.answer(batch, |prompt| text(right(prompt.id))).unwrap();
    }
    assert_eq!(read(&mut study, &tags), json!([]), "it is complete");
}
