//! The built-in SIQA task: the prompt byte for byte, and the answers found in what models say. The tests whose names
//! begin with `original_` show that a defect of the first implementation is gone.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use tasks::harness::{Options, Output, Splits, Task};
use tasks::{Balance, Extracted, Extraction, PoolTask, Profile, Question, builtin};

const ROW: &str = r#"{"context": "Ana didn't go to Bo's \"party\".", "question": "What's next?", "answerA": "go home",
    "answerB": "see Bo; DROP TABLE datasets", "answerC": "rest", "result": "3"}"#;

fn siqa() -> PoolTask {
    PoolTask::built_in("siqa").unwrap()
}

fn extracted(extraction: Extraction, output: &str) -> Option<String> {
    let choices: Vec<String> = ["A", "B", "C"].map(str::to_owned).to_vec();
    match siqa().extract(extraction, output, &Question::from_json(ROW).unwrap(), &choices) {
        Extracted::Answer(answer) => Some(answer),
        Extracted::Unparsed => None,
    }
}

#[test]
fn the_prompt_is_that_of_the_original_byte_for_byte() {
    let prepared = siqa().prepare(&Question::from_json(ROW).unwrap()).unwrap();
    assert_eq!(
        prepared.prompt,
        "Context: Ana didn't go to Bo's \"party\".\nQuestion: What's next?\nAnswerA: go home\n\
         AnswerB: see Bo; DROP TABLE datasets\nAnswerC: rest\nAnswer:"
    );
    assert_eq!(prepared.target, "C");
    assert_eq!(prepared.choices, ["A", "B", "C"]);
    assert_eq!(prepared.continuations, Vec::<String>::new());
    assert_eq!((prepared.longest(), prepared.shortest()), (Some("B"), Some("C")));
    let task = siqa();
    assert_eq!(task.output(), Output::GenerateUntil);
    let generation = task.generation().unwrap();
    assert_eq!((generation.until.as_slice(), generation.max_gen_toks), (["\n".to_owned()].as_slice(), 4));
}

#[test]
fn the_strict_extraction_takes_the_letter_and_nothing_else() {
    for (output, answer) in [
        (" A", "A"),
        ("B", "B"),
        (" C\n", "C"),
        ("B.", "B"),
        ("B)", "B"),
        ("B. go home", "B"),
        ("C) ", "C"),
        ("", ""),
        (" ", ""),
        ("D", ""),
        ("AB", ""),
        ("A B", ""),
        ("A or B", ""),
        ("A. or B", ""),
        ("A man", ""),
        ("Answer: B", ""),
        ("AnswerC", ""),
        ("(B)", ""),
        ("1", ""),
        ("Once upon a", ""),
    ] {
        assert_eq!(extracted(Extraction::Strict, output).unwrap_or_default(), answer, "{output:?}");
    }
}

#[test]
fn the_lenient_extraction_finds_the_first_letter_that_stands_alone() {
    for (output, answer) in [
        (" A", "A"),
        ("Answer: B", "B"),
        ("AnswerC", "C"),
        ("answerB.", "B"),
        ("The answer is C, not A", "C"),
        ("(B)", "B"),
        ("**B**", "B"),
        ("I Am not sure", ""),
        ("CAB", ""),
        ("", ""),
        ("Once upon a", ""),
        ("because", ""),
        ("D", ""),
    ] {
        assert_eq!(extracted(Extraction::Lenient, output).unwrap_or_default(), answer, "{output:?}");
    }
}

#[test]
fn original_find_a_first_made_every_answer_an_a() {
    for output in ["Answer: B", "AnswerC", "I Am not sure", "Bob Asked", "Maybe C. Ask him"] {
        for extraction in [Extraction::Strict, Extraction::Lenient] {
            assert_ne!(extracted(extraction, output).as_deref(), Some("A"), "{output:?}");
        }
    }
}

#[test]
fn original_lowercase_b_became_zero() {
    for output in ["b", " b", "b.", "b)"] {
        for extraction in [Extraction::Strict, Extraction::Lenient] {
            assert_eq!(extracted(extraction, output).as_deref(), Some("B"), "{output:?}");
        }
    }
}

#[test]
fn a_row_that_is_no_siqa_question_is_refused() {
    for (row, reason) in [
        (ROW.replace("\"3\"", "\"4\""), "doc_to_target"),
        (ROW.replace("\"3\"", "\"0\""), "doc_to_target"),
        (ROW.replace("\"3\"", "\"C\""), "doc_to_target"),
        (ROW.replace("\"3\"", "null"), "doc_to_target"),
        (ROW.replace("result", "label"), "doc_to_target"),
        (ROW.replace("answerB", "answerb"), "doc_to_text"),
        (ROW.replace("context", "contxt"), "doc_to_text"),
    ] {
        let error = siqa().prepare(&Question::from_json(&row).unwrap()).unwrap_err().to_string();
        assert!(error.starts_with(&format!("'{reason}' cannot be made from this question")), "{error}");
    }
    let number = ROW.replace("\"3\"", "3");
    assert_eq!(siqa().prepare(&Question::from_json(&number).unwrap()).unwrap().target, "C");
}

#[test]
fn the_protocol_id_changes_with_what_changes_a_score_and_with_nothing_else() {
    let file = include_str!("../src/builtin/siqa.yaml");
    let id = |text: &str| PoolTask::from_yaml(text).unwrap().protocol(Profile::Exact);
    let original = id(file);
    assert_eq!(original.len(), 64);
    assert_eq!(original, id(&file.replace("Social IQa, answered by letter", "Another title")));
    assert_eq!(original, id(&format!("# A remark.\n{file}")));
    for (from, to) in [("max_gen_toks: 4", "max_gen_toks: 5"), ("Answer:\"", "Answer: \""), ("[A-C]", "[A-D]")] {
        assert_ne!(original, id(&file.replace(from, to)), "{from} -> {to}");
    }
    assert_ne!(original, siqa().protocol(Profile::Fast));
}

#[test]
fn the_balance_shows_how_far_one_comes_without_reading() {
    let mut balance = Balance::default();
    for (target, longest) in [("A", "A"), ("B", "A"), ("A", "C"), ("C", "C")] {
        balance.add(target, Some(longest), None);
    }
    assert_eq!((balance.total, balance.longest, balance.shortest, balance.always_one()), (4, 2, 0, 2));
    assert_eq!(serde_json::to_string(&balance.labels).unwrap(), r#"{"A":2,"B":1,"C":1}"#);
}

#[test]
fn an_evaluation_of_the_same_file_has_the_same_protocol_id() {
    for name in builtin::names() {
        let text = builtin::built_in(name).unwrap();
        let task = Task::from_yaml(text, "task.yaml", &builtin::file).unwrap();
        let rows = vec![Question::from_json(ROW).unwrap()];
        let splits: Splits = ["test", "validation"].map(|split| (split.to_owned(), rows.clone())).into();
        let evaluation = task.evaluation(&splits, &Options::default()).unwrap();
        assert_eq!(evaluation.lint(), [], "{name}");
        let pool = PoolTask::built_in(name).unwrap();
        assert_eq!(evaluation.protocol(Profile::Exact, None), pool.protocol(Profile::Exact), "{name}");
    }
}

#[test]
fn social_iqa_is_asked_as_lm_evaluation_harness_asks_it() {
    let task = PoolTask::built_in("social_iqa").unwrap();
    let labelled = ROW.replace("\"result\": \"3\"", "\"label\": \"3\"");
    for row in [ROW, &labelled] {
        let prepared = task.prepare(&Question::from_json(row).unwrap()).unwrap();
        assert_eq!(prepared.prompt, "Q: Ana didn't go to Bo's \"party\". What's next?\nA:");
        assert_eq!(prepared.continuations, [" go home", " see Bo; DROP TABLE datasets", " rest"]);
        assert_eq!(prepared.target, "rest");
    }
    assert_ne!(task.protocol(Profile::Exact), siqa().protocol(Profile::Exact));
}

#[test]
fn the_demo_is_asked_as_siqa_is_and_says_that_it_is_synthetic() {
    let demo = PoolTask::built_in("demo").unwrap();
    assert!(demo.is_synthetic() && !siqa().is_synthetic());
    assert_eq!(demo.license(), Some("CC0-1.0"));
    let question = Question::from_json(ROW).unwrap();
    assert_eq!(demo.prepare(&question).unwrap(), siqa().prepare(&question).unwrap());
}
