//! Task files: those of lm-evaluation-harness that are understood, and the errors of those that are not.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use tasks::{Extraction, Question, Task};

const MULTIPLE_CHOICE: &str = r#"
task: openbook
output_type: multiple_choice
doc_to_text: "{{question_stem}} "
doc_to_target: "{{choices.label.index}}"
doc_to_choice: "{{choices.text}}"
metric_list:
  - metric: acc
    aggregation: mean
    higher_is_better: true
metadata:
  version: 1.0
"#;

const GENERATE: &str = r#####"
task: sums
output_type: generate_until
description: "Add.\n"
doc_to_text: "Q: {{question}}\nA:"
doc_to_target: answer
generation_kwargs: {until: ["\n"], max_gen_toks: 16, do_sample: false, temperature: 0.0}
filter_list:
  - name: "strict-match"
    filter:
      - {function: "regex", regex_pattern: "#### (\\-?[0-9\\.\\,]+)"}
      - {function: "take_first"}
  - name: "flexible-extract"
    filter:
      - {function: "regex", group_select: -1, regex_pattern: "(-?[$0-9.,]{2,})|(-?[0-9]+)"}
      - {function: "take_first"}
metric_list: [{metric: exact_match, ignore_case: true, ignore_punctuation: true}]
"#####;

fn question(row: &str) -> Question {
    Question::from_json(row).unwrap()
}

#[test]
fn a_multiple_choice_asks_for_the_likelihood_of_each_choice() {
    let task = Task::from_yaml(&MULTIPLE_CHOICE.replace("{{choices.label.index}}", "label")).unwrap();
    let row = question(r#"{"question_stem": "Frogs", "choices": {"text": ["eat", "fly", "fly high"]}, "label": 2}"#);
    let prepared = task.prepare(&row).unwrap();
    // The space at the end of the prompt goes to the continuations, as lm-evaluation-harness does it.
    assert_eq!(prepared.prompt, "Frogs");
    assert_eq!(prepared.continuations, ["  eat", "  fly", "  fly high"]);
    assert_eq!(prepared.target, "fly high");
    assert_eq!((prepared.longest(), prepared.shortest()), (Some("fly high"), Some("eat")));
    for (loglikelihoods, answer) in [
        ([-3.0, -2.0, -1.0], "fly high"),
        ([-1.0, -1.0, -2.0], "eat"), // A tie is the first one's.
        ([-9.0, -2.0, -2.0], "fly"),
    ] {
        let chosen = task.choose(&loglikelihoods, &prepared.choices);
        assert_eq!(chosen.answer(), Some(answer));
        assert_eq!(task.is_correct(&chosen, &prepared.target), answer == "fly high");
    }
    assert_eq!(task.choose(&[], &prepared.choices).answer(), None);
}

#[test]
fn a_generated_number_is_found_strictly_and_leniently() {
    let task = Task::from_yaml(GENERATE).unwrap();
    let prepared = task.prepare(&question(r#"{"question": "1+1?", "answer": "1,234"}"#)).unwrap();
    assert_eq!(prepared.prompt, "Add.\nQ: 1+1?\nA:");
    for (output, strict, lenient) in [
        ("so #### 1234", "1234", "1234"),
        ("first 12, then 1,234", "", "1,234"),
        ("no idea", "", ""),
        ("it is 7", "", "7"),
    ] {
        let found = |extraction| task.extract(extraction, output, &prepared.choices);
        assert_eq!(found(Extraction::Strict).answer().unwrap_or_default(), strict, "{output}");
        assert_eq!(found(Extraction::Lenient).answer().unwrap_or_default(), lenient, "{output}");
        let right = task.is_correct(&found(Extraction::Lenient), &prepared.target);
        assert_eq!(right, lenient.replace(',', "") == "1234", "{output}");
    }
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    let refused = |text: &str| Task::from_yaml(text).unwrap_err().to_string();
    let with = |line: &str| refused(&format!("{GENERATE}\n{line}\n"));
    let instead = |from: &str, to: &str| refused(&GENERATE.replace(from, to));
    for (error, word) in [
        (with("num_fewshot: 5"), "num_fewshot"),
        (with("process_docs: !function utils.process"), "!function"),
        (with("include: other.yaml"), "include"),
        (with("task: again"), "task"),
        (with("<<: {description: merged}"), "merge"),
        (instead("generate_until", "loglikelihood_rolling"), "loglikelihood_rolling"),
        (instead("exact_match", "bleu"), "bleu"),
        (instead("exact_match", "acc"), "exact_match"),
        (instead("take_first", "majority_vote"), "majority_vote"),
        (instead("until: [\"\\n\"], ", ""), "until"),
        (instead("max_gen_toks: 16", "max_gen_toks: 0"), "max_gen_toks"),
        (instead("temperature: 0.0", "temperature: 0.7"), "without chance"),
        (instead("{{question}}", "{% set x = 1 %}"), "doc_to_text"),
        (instead("{{question}}", "{{ question | no_such_filter }}"), "no_such_filter"),
        (instead("####", "(####"), "regex_pattern"),
        (instead("strict-match", "third"), "filter_list.name"),
        (refused(&MULTIPLE_CHOICE.replace("doc_to_choice: \"{{choices.text}}\"", "")), "doc_to_choice"),
        (refused(&MULTIPLE_CHOICE.replace("metric: acc", "metric: exact_match")), "acc"),
        (refused("task: x"), "output_type"),
        (refused("- a\n- b"), "cannot be read"),
        (refused(""), "cannot be read"),
        (refused(&"x".repeat(70_000)), "65536"),
    ] {
        assert!(error.contains(word), "{word}: {error}");
    }
    assert!(Task::built_in("nothing").unwrap_err().to_string().contains("siqa"));
}

#[test]
fn bombs_in_yaml_are_refused() {
    let mut laughs = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for pair in ["ab", "bc", "cd", "de", "ef", "fg", "gh", "hi"] {
        let (from, to) = pair.split_at(1);
        laughs = format!("{laughs}{to}: &{to} [{}]\n", vec![format!("*{from}"); 9].join(","));
    }
    for bomb in [laughs, format!("task: {}", "[".repeat(30_000)), format!("task: {}x", "- ".repeat(30_000))] {
        assert!(Task::from_yaml(&bomb).is_err());
    }
}

#[test]
fn a_slow_regular_expression_is_stopped() {
    let slow = GENERATE.replace("#### (\\\\-?[0-9\\\\.\\\\,]+)", "^(?:(?=a)a+)+$");
    assert_ne!(slow, GENERATE);
    let task = Task::from_yaml(&slow).unwrap();
    assert_eq!(task.extract(Extraction::Strict, &format!("{}b", "a".repeat(4000)), &[]).answer(), None);
}

#[test]
fn a_template_that_was_never_filled_in_is_refused() {
    let task = Task::from_yaml(&GENERATE.replace("{{question}}", "{% raw %}{{question}}{% endraw %}")).unwrap();
    let error = task.prepare(&question(r#"{"question": "1+1?", "answer": "2"}"#)).unwrap_err().to_string();
    assert!(error.contains("still holds '{{'"), "{error}");
    let own_braces = question(r#"{"question": "What is {{x}}?", "answer": "2"}"#);
    assert!(Task::from_yaml(GENERATE).unwrap().prepare(&own_braces).is_ok());
}

#[test]
fn too_few_choices_are_refused() {
    let task = Task::from_yaml(&MULTIPLE_CHOICE.replace("{{choices.label.index}}", "label")).unwrap();
    for (row, word) in [
        (r#"{"question_stem": "?", "choices": {"text": ["one"]}, "label": 0}"#, "at least two"),
        (r#"{"question_stem": "?", "choices": {"text": "one"}, "label": 0}"#, "not a list"),
        (r#"{"question_stem": "?", "choices": {}, "label": 0}"#, "doc_to_choice"),
        (r#"{"question_stem": "?", "choices": {"text": ["one", "two"]}, "label": 2}"#, "none of the 2 choices"),
        (r#"{"question_stem": "?", "choices": {"text": ["one", "two"]}, "label": -1}"#, "none of the 2 choices"),
    ] {
        let error = task.prepare(&question(row)).unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
}
