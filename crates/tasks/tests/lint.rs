//! What is wrong with a task is found before a model is asked.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use tasks::Question;
use tasks::harness::{Finding, Options, Problem, Splits, Task, no_files};

const TASK: &str = r#"
task: capitals
output_type: multiple_choice
test_split: test
doc_to_text: "Q: What is the capital of {{country}}?\nA:"
doc_to_choice: choices
doc_to_target: answer
"#;

const ROWS: &str = r#"
{"country": "France", "choices": ["Paris", "Lyon"], "answer": 0, "label": "B"}
{"country": "Peru", "choices": ["Cusco", "Lima"], "answer": 1, "label": "B"}
{"country": "Mali {{", "choices": ["Gao", "Bamako"], "answer": 1, "label": "B"}
"#;

fn findings(task: &str, rows: &str) -> Vec<Finding> {
    let task = Task::from_yaml(task, "capitals.yaml", &no_files).unwrap();
    let splits = Splits::from([("test".to_owned(), Question::all_from(rows.as_bytes()).unwrap())]);
    task.evaluation(&splits, &Options::default()).unwrap().lint()
}

fn found(from: &str, to: &str) -> Vec<(Problem, usize, bool)> {
    assert!(TASK.contains(from) || ROWS.contains(from), "{from}");
    let findings = findings(&TASK.replace(from, to), &ROWS.replace(from, to));
    findings.iter().map(|finding| (finding.problem, finding.documents, finding.fatal)).collect()
}

#[test]
fn a_good_task_has_no_findings() {
    assert_eq!(findings(TASK, ROWS), []);
}

#[test]
fn what_makes_scores_meaningless_is_found() {
    for (from, to, problem, documents) in [
        ("{{country}}", "{% raw %}{{country}}{% endraw %}", Problem::Unrendered, 2),
        ("doc_to_choice: choices", "doc_to_choice: \"{{[label, label]}}\"", Problem::EqualChoices, 3),
        ("\"answer\": 1", "\"answer\": 2", Problem::TargetIsNoChoice, 2),
        ("doc_to_target: answer", "doc_to_target: answers", Problem::NoSuchField, 0),
        ("doc_to_choice: choices", "doc_to_choice: [\"{{choices[0]}}\", b]", Problem::Unrendered, 2),
    ] {
        let found = found(from, to);
        assert!(found.contains(&(problem, documents, true)), "{to}: {found:?}");
    }
}

#[test]
fn what_only_looks_wrong_is_found_too() {
    for (from, to, problem, documents) in [
        ("[\"Cusco\", \"Lima\"]", "[\"Lima\", \"Lima\"]", Problem::EqualChoices, 1),
        ("\"Q: What", "\"<s>Q: What", Problem::DoubleBos, 3),
        ("\\nA:\"", "\\nA: \"", Problem::TrailingWhiteSpace, 3),
        ("\\nA:\"", "\\nA\"\ntarget_delimiter: \"\"", Problem::NoDelimiter, 3),
        ("doc_to_target: answer", "doc_to_target: \"{{ 1 }}\"", Problem::ConstantTarget, 0),
        ("test_split: test", "test_split: test\nvalidation_split: test\nnum_fewshot: 3", Problem::SeesItsOwnAnswer, 3),
    ] {
        let found = found(from, to);
        assert!(found.contains(&(problem, documents, false)), "{to}: {found:?}");
    }
}

#[test]
fn a_wrong_field_name_is_told_with_the_document() {
    let rows = ROWS.replace("\"choices\": [\"Cusco\", \"Lima\"]", "\"choices\": \"Cusco\"");
    let findings = findings(TASK, &rows);
    assert_eq!(findings[0].problem, Problem::CannotBeMade);
    assert_eq!((findings[0].documents, findings[0].first), (1, Some(1)));
    assert!(findings[0].message.contains("doc_to_choice"), "{}", findings[0].message);
}
