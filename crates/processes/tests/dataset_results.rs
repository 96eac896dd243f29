//! What a dataset shows of its answers, other tasks than the built-in one, and what holds whatever happens.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;
mod study;

use harness::{HOUR_MS, upload};
use processes::herder::wire::{Answer, Prompt, RequestKind};
use proptest::prelude::*;
use serde_json::{Value, json};
use study::{Batch, Study, right, rows, text};

const OPEN_BOOK: &str = r#"
task: openbook
output_type: multiple_choice
doc_to_text: "{{question}}\nAnswer:"
doc_to_choice: choices
doc_to_target: label
metric_list: [{metric: acc}]
metadata: {title: Open book, license: CC0-1.0, synthetic: true}
"#;

fn evaluated(count: usize) -> Study {
    let mut study = Study::of(count);
    study.enter(upload("pool"), "gpt").unwrap();
    study.wake();
    for batch in study.batches() {
        study.answer(&batch, |prompt| text(right(prompt.id))).unwrap();
    }
    study
}

#[test]
fn the_tables_of_the_original_are_there() {
    let mut study = Study::of(3);
    study.enter(upload("pool"), "gpt").unwrap();
    study.wake();
    let connection = study.world.connection(study.dataset);
    let row = |table: &str| {
        let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY id")).unwrap();
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let row = statement.query_row([], |row| {
            let shown = |place: usize| match row.get_ref(place)? {
                rusqlite::types::ValueRef::Null => Ok("NULL".to_owned()),
                rusqlite::types::ValueRef::Integer(number) => Ok(number.to_string()),
                _ => row.get::<_, String>(place),
            };
            (0..names.len()).map(|place| Ok(format!("{}: {}", names[place], shown(place)?))).collect()
        });
        row.unwrap_or_else(|error| panic!("{table}: {error}"))
    };
    let datasets: Vec<String> = row("datasets");
    assert_eq!(datasets[0], "id: 1");
    assert_eq!(datasets[1..3], ["context: Ana didn't like number 0.", "question: What's next?"]);
    assert_eq!(datasets[3..], ["answerA: go home", "answerB: see Bo's brother", "answerC: rest", "result: 1"]);
    let models: Vec<String> = row("models");
    let (model, herder) = (upload("gpt"), study.herder);
    assert_eq!(
        models,
        [
            "id: 1".to_owned(),
            format!("name: {model}"),
            format!("inference_process: {herder}"),
            format!("data_tx: {model}")
        ]
    );
    let evaluations: Vec<String> = row("evaluations");
    assert_eq!(evaluations[1..3], ["dataset_id: 1", "model_id: 1"]);
    assert!(evaluations[3].starts_with("prompt: Context: Ana didn't"));
    assert_eq!(
        evaluations[4..],
        [
            "correct_answer: A",
            "prediction: NULL",
            "inference_start_time: 2026-01-01 00:00:00",
            "inference_end_time: NULL",
            "inference_reference: 1"
        ]
    );
    let batch = study.batches().remove(0);
    study.answer(&batch, |prompt| text(right(prompt.id))).unwrap();
    let sql = "SELECT prediction || ' ' || inference_end_time FROM evaluations WHERE dataset_id = 3";
    assert_eq!(study.value::<String>(sql), "C 2026-01-01 00:00:00");
}

#[test]
fn results_show_every_answer_a_page_at_a_time() {
    let mut study = evaluated(12);
    let model = upload("gpt").to_string();
    let page = |study: &mut Study, data: &Value| {
        study.world.read(study.dataset, &[("Action", "Results"), ("Model", &model)], data.to_string())
    };
    let first = page(&mut study, &json!({"limit": 5}));
    assert_eq!((first["results"].as_array().unwrap().len(), &first["next"]), (5, &json!(5)));
    let last = page(&mut study, &json!({"limit": 5, "from": 10}));
    assert_eq!((last["results"].as_array().unwrap().len(), &last["next"]), (2, &Value::Null));
    let result = &last["results"][0];
    for (field, value) in [
        ("id", json!(11)),
        ("correct_answer", json!("B")),
        ("output", json!(" B")),
        ("prediction", json!("B")),
        ("lenient_prediction", json!("B")),
        ("correct", json!(true)),
        ("status", json!("answered")),
        ("attempts", json!(1)),
    ] {
        assert_eq!(result[field], value, "{field}");
    }
    assert!(result["worker"].is_string());
    let unknown = study.world.dry_run(study.benchmark, study.dataset, &[("Action", "Results"), ("Model", "x")], "");
    assert!(unknown.unwrap_err().contains("no evaluation of the model 'x'"));
}

#[test]
fn a_score_is_asked_for_in_several_ways_and_by_anybody() {
    let mut study = evaluated(3);
    let (pool, model) = (upload("pool").to_string(), upload("gpt").to_string());
    let by_tags: &[(&str, &str)] = &[("Action", "Score"), ("Pool", &pool), ("Model", &model)];
    let plain: &[(&str, &str)] = &[("Action", "Score")];
    let as_json = json!({"model": model, "pool": pool}).to_string();
    for (pairs, data) in [(by_tags, String::new()), (plain, model.clone()), (plain, as_json)] {
        assert_eq!(study.world.read(study.dataset, pairs, data)["correct"], 3);
    }
    let sent = study.say("anybody", by_tags, "").unwrap();
    assert_eq!(sent.messages[0].action(), "Score-Response");
    assert_eq!(sent.messages[0].tags.get("Pool"), Some(pool.as_str()));
    assert!(study.say("anybody", plain, "").unwrap_err().contains("Model"));
    let other = json!({"model": model, "pool": "another"}).to_string();
    assert!(study.say("anybody", plain, other).is_err());
}

#[test]
fn a_multiple_choice_task_asks_for_likelihoods() {
    let mut study = Study::new(&[], OPEN_BOOK);
    let rows = json!([
        {"question": "Frogs", "choices": ["eat", "fly", "sing"], "label": 0},
        {"question": "Birds", "choices": ["swim", "fly"], "label": 1},
    ]);
    study.load(rows.to_string()).unwrap();
    study.enter(upload("pool"), "gpt").unwrap();
    study.wake();
    let batch = study.batches().remove(0);
    assert_eq!(batch.request.kind, RequestKind::Loglikelihood);
    assert_eq!(batch.request.prompts[1].continuations, [" swim", " fly"]);
    let said = |prompt: &Prompt| Answer::Scored {
        loglikelihoods: prompt.continuations.iter().map(|_| (-1.5, false)).collect(),
    };
    study.answer(&batch, said).unwrap();
    // Equal likelihoods are the first choice's: right for the frogs, wrong for the birds.
    let score = study.score("gpt");
    assert_eq!((&score["correct"], &score["unparsed"], &score["outcomes"]), (&json!(1), &json!(0), &json!("AQ==")));
    let info = study.world.read(study.dataset, &[("Action", "Info")], "");
    assert_eq!(
        (&info["title"], &info["license"], &info["synthetic"]),
        (&json!("Open book"), &json!("CC0-1.0"), &json!(true))
    );
}

/// Something that can happen to an evaluation.
#[derive(Debug, Clone)]
enum Event {
    Answer { place: usize, output: &'static str },
    Fail { place: usize, fault: &'static str },
    Enter { model: u8, pool: u8 },
    Forge { place: usize },
    Pass,
    Retry,
}

fn event() -> impl Strategy<Value = Event> {
    let place = 0_usize..40;
    prop_oneof![
        4 => (place.clone(), prop::sample::select(vec![" A", "B.", "c", "Answer: C", "who knows", ""]))
            .prop_map(|(place, output)| Event::Answer { place, output }),
        2 => (place.clone(), prop::sample::select(vec!["worker", "worker", "busy", "model"]))
            .prop_map(|(place, fault)| Event::Fail { place, fault }),
        1 => (0_u8..3, 0_u8..3).prop_map(|(model, pool)| Event::Enter { model, pool }),
        1 => place.prop_map(|place| Event::Forge { place }),
        2 => Just(Event::Pass),
        1 => Just(Event::Retry),
    ]
}

fn happen(study: &mut Study, event: &Event) {
    let batches = study.batches();
    let batch = |place: usize| -> Option<&Batch> { batches.get(place % batches.len().max(1)) };
    match event {
        Event::Answer { place, output } => {
            batch(*place).map(|batch| study.answer(batch, |_| text(output)).unwrap());
        }
        Event::Fail { place, fault } => {
            batch(*place).map(|batch| study.fail(batch, fault, "why").unwrap());
        }
        Event::Forge { place } => {
            let reference = batch(*place).map_or("1", |batch| batch.reference.as_str()).to_owned();
            let pairs = [("Action", "Inference-Response"), ("Reference", reference.as_str())];
            assert!(study.say("stranger", &pairs, "{}").is_err());
        }
        Event::Enter { model, pool } => {
            study.enter(upload(&format!("pool {pool}")), &format!("model {model}")).unwrap();
        }
        Event::Pass => study.world.advance(HOUR_MS),
        Event::Retry => drop(study.say("owner", &[("Action", "Evaluate")], "").unwrap()),
    }
}

/// I9: 0 <= correct <= answered <= total, each question counted once, the score a function of what is stored, and what
/// is absent is not wrong.
fn check(study: &mut Study, total: u64) {
    let models = study.world.read(study.dataset, &[("Action", "Get-Models")], "");
    for model in models.as_array().unwrap() {
        let count = |name: &str| model[name].as_u64().unwrap();
        assert!(count("correct") + count("unparsed") <= count("answered"), "{model}");
        assert!(count("correct") <= count("lenient_correct"), "{model}");
        assert!(count("lenient_correct") <= count("answered"), "{model}");
        assert!(count("answered") + count("in_flight") <= total, "{model}");
        assert_eq!(model["status"] == "complete", count("answered") == total, "{model}");
        let in_flight = format!(
            "SELECT coalesce(sum(questions), 0) FROM batches WHERE status = 'in-flight' AND model_file = {}",
            model["id"]
        );
        assert_eq!(count("in_flight"), study.value::<u64>(&in_flight), "{model}");
    }
    let unanswered = "SELECT count(*) FROM predictions WHERE (output IS NULL) <> (correct IS NULL)
                      OR (status = 'answered') <> (output IS NOT NULL)";
    assert_eq!(study.value::<u64>(unanswered), 0);
    for (.., score) in study.reports() {
        assert_eq!(score["complete"].as_bool().unwrap(), score["answered"] == score["total"]);
        assert_eq!(score["outcomes"].is_string(), score["complete"].as_bool().unwrap());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn scores_are_sound_whatever_happens(events in prop::collection::vec(event(), 1..25)) {
        let mut study = Study::new(&[], "");
        study.load(rows(70)).unwrap();
        study.enter(upload("pool 0"), "model 0").unwrap();
        study.wake();
        for event in &events {
            happen(&mut study, event);
            check(&mut study, 70);
        }
    }
}

#[test]
fn what_is_shown_of_many_models_is_what_is_counted_for_each() {
    let mut study = Study::of(200);
    for (model, correct) in [("weak", 40), ("strong", 150), ("running", 60)] {
        study.enter(upload("pool"), model).unwrap();
        study.wake();
        let batches: Vec<Batch> = study.batches().into_iter().rev().take(4).collect();
        // One batch of the last one stays with the herder.
        for batch in batches.iter().skip(usize::from(model == "running")) {
            let said = |prompt: &Prompt| text(if prompt.id <= correct { right(prompt.id) } else { "none" });
            study.answer(batch, said).unwrap();
        }
    }
    let dataset = study.dataset;
    let shown = study.world.read(dataset, &[("Action", "Get-Models"), ("By", "score")], "");
    let names: Vec<String> = ["strong", "weak", "running"].map(|name| upload(name).to_string()).into();
    for (row, name) in shown.as_array().unwrap().iter().zip(&names) {
        assert_eq!(row["data_tx"], **name, "the complete ones first, the best of them at the top: {shown}");
        let score = study.world.read(dataset, &[("Action", "Score"), ("Model", name)], "");
        for field in ["correct", "lenient_correct", "answered", "unparsed", "in_flight", "total"] {
            assert_eq!(row[field], score[field], "{field} of {row}");
        }
    }
    let second = [("Action", "Get-Models"), ("By", "score"), ("From-Id", "1"), ("Limit", "1")];
    assert_eq!(study.world.read(dataset, &second, "")[0], shown[1]);
    let pool = upload("pool").to_string();
    let progress = study.world.read(dataset, &[("Action", "Progress"), ("Pool", &pool)], "");
    assert_eq!((progress.as_array().unwrap().len(), &progress[0]["answered"]), (1, &shown[2]["answered"]));
}
