//! Loading questions, and freezing them. The tests whose names begin with `original_` show that a defect of the first
//! implementation is gone.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;
mod study;

use std::path::{Path, PathBuf};

use harness::{upload, wallet};
use serde_json::{Value, json};
use study::{Study, data, row, rows};

/// Texts that broke, or would break, a process that builds SQL out of them.
const RED_TEXTS: &[&str] = &[
    "Tracy didn't go",
    "'); DROP TABLE questions; --",
    "\"double\" `back` \\ backslash",
    "%s %d {} {{ braces }} {% if %}",
    "NUL-free, Zoë, 日本語, \u{1F600}",
    "line\nbreak\ttab\r\n",
];

fn info(study: &mut Study) -> Value {
    study.world.read(study.dataset, &[("Action", "Info")], "")
}

#[test]
fn original_apostrophes_lost_rows() {
    let mut study = Study::new(&[], "");
    let mut loaded = Vec::new();
    for text in RED_TEXTS {
        for field in ["context", "question", "answerA", "answerB", "answerC"] {
            let mut row = row(loaded.len(), "2");
            row[field] = json!(text);
            loaded.push(row);
        }
    }
    let effects = study.load(json!(loaded).to_string()).unwrap();
    assert_eq!(effects.output.data, json!({"loaded": loaded.len(), "questions": loaded.len()}).to_string());
    let connection = study.world.connection(study.dataset);
    let sql = "SELECT context, question, answerA, answerB, answerC, result FROM datasets ORDER BY id";
    let mut statement = connection.prepare(sql).unwrap();
    let fields = ["context", "question", "answerA", "answerB", "answerC", "result"];
    let rows = statement.query_map([], |row| {
        Ok(fields
            .iter()
            .enumerate()
            .map(|(place, field)| ((*field).to_owned(), json!(row.get::<_, String>(place).unwrap())))
            .collect())
    });
    let kept: Vec<Value> = rows.unwrap().map(|row| Value::Object(row.unwrap())).collect();
    assert_eq!(kept, loaded);
}

#[test]
fn a_message_is_loaded_wholly_or_not_at_all_and_the_error_names_the_row() {
    let mut study = Study::of(3);
    let bad = [
        (format!("{}{}", rows(2), row(9, "4")), "row 3: 'doc_to_target'"),
        (format!("[{}, {}]", row(0, "1"), r#"{"context": "?"}"#), "row 2: 'doc_to_text'"),
        (format!("{}{{\"context\": ", rows(1)), "row 2: EOF"),
        (r#"{"context": 1, "context": 2}"#.to_owned(), "row 1: the field 'context' comes twice"),
        ("not json".to_owned(), "row 1:"),
        ("[]".to_owned(), "no rows"),
        (String::new(), "no rows"),
        (rows(1).replace("number 0", &"x".repeat(40_000)), "row 1: "),
    ];
    for (rows, error) in bad {
        let fault = study.load(rows.clone()).unwrap_err();
        assert!(fault.contains(error), "{error}: {fault}");
    }
    assert_eq!(info(&mut study)["questions"], 3);
}

#[test]
fn only_the_owner_loads_and_init_may_come_any_number_of_times() {
    let mut study = Study::new(&[], "");
    for _ in 0..2 {
        study.say("owner", &[("Action", "Init")], "").unwrap();
    }
    for action in ["Init", "Load-Data"] {
        let fault = study.say("stranger", &[("Action", action)], rows(1)).unwrap_err();
        assert!(fault.contains("the owner of the dataset only"), "{fault}");
    }
    study.load(rows(2)).unwrap();
    study.load(rows(3)).unwrap();
    assert_eq!(info(&mut study)["questions"], 5);
    let fault = study.say("owner", &[("Action", "Dance")], "").unwrap_err();
    assert!(fault.contains("'Dance'") && fault.contains("Load-Data"), "{fault}");
}

#[test]
fn an_upload_is_read_by_the_node() {
    let mut study = Study::new(&[], "");
    study.world.put_data(upload("questions"), Ok(rows(7).into_bytes()));
    study.world.put_data(upload("rubbish"), Ok(b"{".to_vec()));
    for (name, error) in [("questions", ""), ("rubbish", "row 1"), ("nothing", "there is no such upload")] {
        let id = upload(name).to_string();
        study.say("owner", &[("Action", "Load-Data"), ("Data-Tx", &id)], "").unwrap();
        let answer = study.world.newest(wallet("owner"), "Load-Data-Response").unwrap();
        assert_eq!(answer.tag("Data-Tx"), Some(id.as_str()));
        assert_eq!(answer.tag("Error").is_some(), !error.is_empty(), "{name}");
        assert!(answer.tag("Error").unwrap_or_default().contains(error), "{answer:?}");
    }
    assert_eq!(info(&mut study)["questions"], 7);
    assert_eq!(study.value::<u64>("SELECT count(*) FROM loads"), 0);
    let forged = [("Action", "Data-Content"), ("Reference", "1")];
    assert!(study.say("owner", &forged, rows(1)).unwrap_err().contains("the node"));
    let bad = study.say("owner", &[("Action", "Load-Data"), ("Data-Tx", "../questions")], "");
    assert!(bad.unwrap_err().contains("Data-Tx"));
}

#[test]
fn the_first_pool_freezes_the_questions() {
    let mut study = Study::new(&[("Title", "Study"), ("Synthetic", "true")], "");
    study.load(rows(4)).unwrap();
    for pool in ["first", "second"] {
        let effects = study.freeze(upload(pool)).unwrap();
        assert_eq!(effects.messages[0].action(), "Dataset-Frozen");
    }
    let frozen = study.sent_to(study.benchmark, "Dataset-Frozen");
    assert_eq!(frozen[0].tag("Pool"), Some(upload("first").to_string().as_str()));
    let (first, second) = (data(&frozen[0]), data(&frozen[1]));
    assert_eq!(first, second);
    assert_eq!(first["questions"], 4);
    assert_eq!(first["title"], "Study");
    assert_eq!(first["synthetic"], true);
    assert_eq!(first["label_balance"], json!({"A": 2, "B": 1, "C": 1}));
    assert_eq!(first["content_hash"].as_str().unwrap().len(), 64);
    let fault = study.load(rows(1)).unwrap_err();
    assert!(fault.contains("frozen"), "{fault}");
    study.world.put_data(upload("late"), Ok(rows(1).into_bytes()));
    let late = upload("late").to_string();
    assert!(study.say("owner", &[("Action", "Load-Data"), ("Data-Tx", &late)], "").is_err());
    assert_eq!(info(&mut study)["content_hash"], first["content_hash"]);
}

#[test]
fn a_dataset_that_cannot_carry_a_pool_says_so_at_once() {
    let mut empty = Study::new(&[], "");
    let effects = empty.freeze(upload("pool")).unwrap();
    assert_eq!(effects.messages[0].action(), "Dataset-Error");
    assert!(effects.messages[0].tags.get("Error").unwrap().contains("no questions"));

    let mut study = Study::of(2);
    let pool = upload("pool").to_string();
    let effects = study.say("stranger", &[("Action", "Freeze-Dataset"), ("Pool", &pool)], "").unwrap();
    assert_eq!(effects.messages[0].target, wallet("stranger"));
    assert!(effects.messages[0].tags.get("Error").unwrap().contains("Benchmark"));
    assert_eq!(info(&mut study)["frozen"], false);
    study.load(rows(1)).unwrap();
}

#[test]
fn what_is_spawned_wrongly_is_no_dataset() {
    for (pairs, task, error) in [
        (("Herder", "the herder"), "", "Herder"),
        (("Benchmark", "x"), "", "Benchmark"),
        (("Task", "gsm9k"), "", "no built-in task 'gsm9k'"),
        (("Name", "x"), "task: x\ndoc_to_text: a\ndoc_to_target: b\nnum_fewshot: 5", "num_fewshot"),
        (("Name", "x"), "task: x\ndoc_to_text: !function utils.text\ndoc_to_target: b", "Python"),
        (("Name", "x"), "task: x\ndoc_to_text: '{% set a = b %}'\ndoc_to_target: b", "doc_to_text"),
        (("Name", "x"), "task: [", "cannot be read"),
    ] {
        let mut world = harness::World::new();
        let fault = world.try_spawn("dataset", wallet("owner"), &[pairs], task).unwrap_err();
        assert!(fault.contains(error), "{error}: {fault}");
    }
}

#[test]
fn info_says_what_the_dataset_is_and_what_guessing_is_worth() {
    let mut study = Study::of(10);
    let mut info = info(&mut study);
    for id in ["herder", "benchmark", "owner", "protocol"] {
        assert_eq!(info.as_object_mut().unwrap().shift_remove(id).map(|id| id.is_string()), Some(true));
    }
    insta::assert_json_snapshot!(info, @r#"
    {
      "name": "Study",
      "title": "Study",
      "task": "siqa",
      "output_type": "generate_until",
      "license": "",
      "synthetic": false,
      "questions": 10,
      "models": 0,
      "frozen": false,
      "content_hash": null,
      "label_balance": {
        "A": 4,
        "B": 3,
        "C": 3
      },
      "baselines": {
        "always_one_answer": {
          "correct": 4,
          "score": 0.4
        },
        "longest_option": {
          "correct": 3,
          "score": 0.3
        },
        "shortest_option": {
          "correct": 3,
          "score": 0.3
        }
      },
      "minimum_detectable_difference": {
        "10%": 0.28,
        "20%": 0.39598
      },
      "example_prompt": "Context: Ana didn't like number 0.\nQuestion: What's next?\nAnswerA: go home\nAnswerB: see Bo's brother\nAnswerC: rest\nAnswer:"
    }
    "#);
}

/// The real SIQA rows, where a folder with them is at hand.
fn shared_data() -> Option<PathBuf> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder =
        std::env::var_os("AOBENCH_SHARED_DATA").map_or_else(|| repository.join("../shared/data"), PathBuf::from);
    let file = folder.join("siqa/siqa-dev-first200.jsonl");
    file.exists().then_some(file)
}

#[test]
fn all_200_real_siqa_rows_are_loaded() {
    let Some(file) = shared_data() else {
        println!("skipped: there is no siqa/siqa-dev-first200.jsonl in $AOBENCH_SHARED_DATA or ../shared/data");
        return;
    };
    let text = std::fs::read_to_string(file).unwrap();
    let mut study = Study::new(&[("Title", "SIQA")], "");
    let effects = study.load(text.clone()).unwrap();
    assert_eq!(effects.output.data, r#"{"loaded":200,"questions":200}"#);
    let apostrophes = text.lines().filter(|line| line.contains('\'')).count() as u64;
    assert!(apostrophes > 0);
    assert_eq!(study.value::<u64>("SELECT count(*) FROM questions WHERE row LIKE '%''%'"), apostrophes);
    assert_eq!(study.value::<u64>("SELECT count(*) FROM datasets WHERE result IN ('1', '2', '3')"), 200);
}

#[test]
fn the_shipped_questions_are_loaded() {
    let text = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/questions.jsonl")).unwrap();
    let mut study = Study::new(&[("Synthetic", "true")], "");
    study.load(text).unwrap();
    let info = info(&mut study);
    assert!(info["questions"].as_u64().unwrap() >= 500);
    assert_eq!(info["synthetic"], true);
    for baseline in ["always_one_answer", "longest_option", "shortest_option"] {
        assert!(info["baselines"][baseline]["score"].as_f64().unwrap() < 0.38, "{}", info["baselines"]);
    }
}
