//! Failures of other harnesses and of the first benchmark on AO, each of which let models score like chance, or better
//! than they are, until somebody looked. Here each is refused, found, or counted for what it is.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use tasks::harness::{Options, Problem, Request, Response, Splits, Task, no_files};
use tasks::{Extraction, PoolTask, Question};

const ROW: &str = r#"{"context": "Ana didn't go.", "question": "What's next?", "answerA": "go home",
    "answerB": "see Bo's brother", "answerC": "rest", "result": "2"}"#;

const CHOICES: &str = r#"
task: places
output_type: multiple_choice
test_split: test
doc_to_text: "Q: {{context}} {{question}}\nA:"
doc_to_choice: "{{[answerA, answerB, answerC]}}"
doc_to_target: "{{ (result | int) - 1 }}"
metric_list: [{metric: acc}]
"#;

fn row() -> Question {
    Question::from_json(ROW).unwrap()
}

fn splits() -> Splits {
    Splits::from([("test".to_owned(), vec![row()])])
}

fn problems(task: &str) -> Vec<Problem> {
    let task = Task::from_yaml(task, "places.yaml", &no_files).unwrap();
    let findings = task.evaluation(&splits(), &Options::default()).unwrap().lint();
    findings.iter().map(|finding| finding.problem).collect()
}

fn found(extraction: Extraction, output: &str) -> Option<String> {
    let choices = ["A", "B", "C"].map(str::to_owned);
    let task = PoolTask::built_in("siqa").unwrap();
    task.extract(extraction, output, &row(), &choices).answer().map(str::to_owned)
}

/// lm-evaluation-harness, `siqa.yaml`: choices written as a list of templates are sent as they are, so every model was
/// asked for the likelihood of the text `{{answerA}}`.
#[test]
fn historic_a_literal_answer_a_in_braces() {
    let literal =
        CHOICES.replace("\"{{[answerA, answerB, answerC]}}\"", "[\"{{answerA}}\", \"{{answerB}}\", \"{{answerC}}\"]");
    assert_ne!(literal, CHOICES);
    assert!(problems(&literal).contains(&Problem::Unrendered));
    let refused = PoolTask::from_yaml(&literal).unwrap().prepare(&row()).unwrap_err().to_string();
    assert!(refused.contains("doc_to_choice") && refused.contains("{{"), "{refused}");
    assert_eq!(problems(CHOICES), []);
}

/// A prompt that writes the start token itself, which the engine then adds again.
#[test]
fn historic_a_double_start_token() {
    for beginning in ["<s>", "<|begin_of_text|>", "<bos>"] {
        let doubled = CHOICES.replace("\"Q: ", &format!("\"{beginning}Q: "));
        assert!(problems(&doubled).contains(&Problem::DoubleBos), "{beginning}");
    }
}

/// The first benchmark looked for an "A" anywhere in the output first.
#[test]
fn historic_find_a_made_every_answer_an_a() {
    for output in ["Answer: B", "AnswerB", "I Am sure: B", "All say (B)"] {
        assert_ne!(found(Extraction::Strict, output).as_deref(), Some("A"), "{output}");
        assert_ne!(found(Extraction::Lenient, output).as_deref(), Some("A"), "{output}");
    }
}

/// A space at the end of the prompt and another before the answer: the tokens are none that a model has seen.
#[test]
fn historic_a_trailing_space() {
    let spaced = CHOICES.replace("\\nA:\"", "\\nA: \"");
    assert!(problems(&spaced).contains(&Problem::TrailingWhiteSpace));
    // For a pool the space belongs to the continuation before anything is made into tokens, as it does there.
    let prepared = PoolTask::from_yaml(&spaced.replace("test_split: test", "target_delimiter: ''\ntest_split: test"));
    let prepared = prepared.unwrap().prepare(&row()).unwrap();
    assert!(prepared.prompt.ends_with("A:") && prepared.continuations[0] == " go home", "{prepared:?}");
}

/// "The answer is B because ..." counted as wrong where a single letter was wanted, and nobody saw how many there were.
#[test]
fn historic_verbose_answers_were_wrong_without_a_trace() {
    for output in ["The answer is B.", "Answer: B", "(B)", "B. see Bo's brother"] {
        assert_eq!(found(Extraction::Lenient, output).as_deref(), Some("B"), "{output}");
    }
    // The strict extraction does not guess: it says that there is no answer, which is counted and shown.
    assert_eq!(found(Extraction::Strict, "The answer is B because Ana likes Bo."), None);
}

/// A server without log-probabilities of the prompt answers the same for every choice, and the model "chose" A each time.
#[test]
fn historic_all_log_probabilities_were_equal() {
    let task = Task::from_yaml(CHOICES, "places.yaml", &no_files).unwrap();
    let evaluation = task.evaluation(&splits(), &Options::default()).unwrap();
    let answers = |values: [f64; 3]| {
        let answer = |value| vec![Response::Loglikelihood { loglikelihood: value, greedy: false }];
        values.map(answer).to_vec()
    };
    let ties = |values| evaluation.ties(&[answers(values)]);
    assert_eq!(ties([-5.0, -5.0, -5.0]), 1);
    assert_eq!(ties([-5.0, -1.0, -1.0]), 1);
    assert_eq!(ties([-5.0, -5.0, -1.0]), 0, "only the likeliest ones make the answer a guess");
    assert_eq!(ties([-3.0, -2.0, -1.0]), 0);
}

/// An empty output became the first choice, or a wrong answer that nobody could tell from a real one.
#[test]
fn historic_an_empty_output_became_an_answer() {
    for output in ["", " ", "\n"] {
        assert_eq!(found(Extraction::Strict, output), None, "{output:?}");
        assert_eq!(found(Extraction::Lenient, output), None, "{output:?}");
    }
}

/// The first benchmark wrote rows into SQL text: 31 % of SIQA's have an apostrophe and were lost.
#[test]
fn historic_apostrophes_were_lost() {
    let prepared = PoolTask::built_in("siqa").unwrap().prepare(&row()).unwrap();
    for part in ["Ana didn't go.", "What's next?", "see Bo's brother"] {
        assert!(prepared.prompt.contains(part), "{part}");
    }
    // A list of choices is written as Python writes it and read back: neither quote ends it.
    let quoted = Question::from_json(&ROW.replace("go home", "say \\\"it's\\\" and \\\\ go")).unwrap();
    let prepared = PoolTask::from_yaml(CHOICES).unwrap().prepare(&quoted).unwrap();
    assert_eq!(prepared.continuations[0], " say \"it's\" and \\ go");
}

/// A template with the wrong field name rendered an empty text, so that every question was the same.
#[test]
fn historic_a_wrong_field_was_an_empty_text() {
    let task = Task::from_yaml(&CHOICES.replace("{{context}}", "{{contxt}}"), "places.yaml", &no_files).unwrap();
    let error = task.evaluation(&splits(), &Options::default()).unwrap_err().to_string();
    assert!(error.contains("doc_to_text") && error.contains("undefined"), "{error}");
}

/// A delimiter that was left out glued the answer to the prompt.
#[test]
fn historic_a_missing_delimiter_made_one_word() {
    let glued = CHOICES.replace("\\nA:\"", "\\nA\"\ntarget_delimiter: ''");
    assert!(problems(&glued).contains(&Problem::NoDelimiter));
    let task = Task::from_yaml(CHOICES, "places.yaml", &no_files).unwrap();
    let evaluation = task.evaluation(&splits(), &Options::default()).unwrap();
    let Request::Loglikelihood { continuation, .. } = &evaluation.requests(0).unwrap()[0] else { panic!("a choice") };
    assert_eq!(continuation, " go home");
}
