//! Task files that a pool can pay for, and the errors of those that it cannot.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use tasks::{Extraction, PoolTask, Profile, Question};

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
    let task = PoolTask::from_yaml(&MULTIPLE_CHOICE.replace("{{choices.label.index}}", "label")).unwrap();
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
    let task = PoolTask::from_yaml(GENERATE).unwrap();
    let row = question(r#"{"question": "1+1?", "answer": "1,234"}"#);
    let prepared = task.prepare(&row).unwrap();
    assert_eq!(prepared.prompt, "Add.\nQ: 1+1?\nA:");
    for (output, strict, lenient) in [
        ("so #### 1234", "1234", "1234"),
        ("first 12, then 1,234", "", "1,234"),
        ("no idea", "", ""),
        ("it is 7", "", "7"),
    ] {
        let found = |extraction| task.extract(extraction, output, &row, &prepared.choices);
        assert_eq!(found(Extraction::Strict).answer().unwrap_or_default(), strict, "{output}");
        assert_eq!(found(Extraction::Lenient).answer().unwrap_or_default(), lenient, "{output}");
        let right = task.is_correct(&found(Extraction::Lenient), &prepared.target);
        assert_eq!(right, lenient.replace(',', "") == "1234", "{output}");
    }
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    let refused = |text: &str| PoolTask::from_yaml(text).unwrap_err().to_string();
    let with = |line: &str| refused(&format!("{GENERATE}\n{line}\n"));
    let instead = |from: &str, to: &str| refused(&GENERATE.replace(from, to));
    for (error, word) in [
        (with("num_fewshot: 5"), "fewshot_config"),
        (with("num_fewshot: 1\nfewshot_config: {samples: [{question: 1+2?, answer: '3'}]}"), "first_n"),
        (
            with("num_fewshot: 2\nfewshot_config: {sampler: first_n, samples: [{question: 1+2?, answer: '3'}]}"),
            "1 examples",
        ),
        (with("process_docs: !function utils.process"), "!function"),
        (with("process_docs: {map: {a: b}}"), "process_docs"),
        (with("include: other.yaml"), "include"),
        (with("group: several"), "group"),
        (with("num_shots: 5"), "num_shots"),
        (with("repeats: 2"), "repeats"),
        (refused("task: x\noutput_type: loglikelihood\ndoc_to_text: a\ndoc_to_target: b"), "only right answers"),
        (instead("generate_until", "generate"), "'generate'"),
        (
            instead("{metric: exact_match, ignore_case: true, ignore_punctuation: true}", "{metric: bleu}"),
            "exact_match",
        ),
        (instead("exact_match", "acc"), "acc"),
        (instead("[{metric: exact_match", "[{metric: bleu}, {metric: exact_match"), "exactly one metric"),
        (instead("take_first", "no_such_step"), "no_such_step"),
        (instead("until: [\"\\n\"]", "until: ['']"), "until"),
        (instead("max_gen_toks: 16", "max_gen_toks: 0"), "max_gen_toks"),
        (instead("max_gen_toks: 16", "max_gen_toks: 9999"), "max_gen_toks"),
        (instead("temperature: 0.0", "temperature: 0.7"), "without chance"),
        (instead("{{question}}", "{% set x = 1 %}"), "doc_to_text"),
        (instead("{{question}}", "{{ question | no_such_filter }}"), "no_such_filter"),
        (instead("{{question}}", "{{ question.replace('a', question) }}"), "replace"),
        (instead("####", "(####"), "regex_pattern"),
        (instead("strict-match", "third"), "filter_list.name"),
        (instead("strict-match", "flexible-extract"), "filter_list.name"),
        (refused(&MULTIPLE_CHOICE.replace("doc_to_choice: \"{{choices.text}}\"", "")), "doc_to_choice"),
        (refused(&MULTIPLE_CHOICE.replace("metric: acc", "metric: exact_match")), "acc"),
        (refused(&MULTIPLE_CHOICE.replace("aggregation: mean", "aggregation: median")), "mean"),
        (refused(&MULTIPLE_CHOICE.replace("higher_is_better: true", "higher_is_better: false")), "higher_is_better"),
        (refused("task: x"), "doc_to_text"),
        (refused("- a\n- b"), "cannot be read"),
        (refused(""), "cannot be read"),
        (refused(&"x".repeat(70_000)), "65536"),
    ] {
        assert!(error.contains(word), "{word}: {error}");
    }
    assert!(PoolTask::built_in("nothing").unwrap_err().to_string().contains("siqa"));
}

#[test]
fn bombs_in_yaml_are_refused() {
    let mut laughs = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for pair in ["ab", "bc", "cd", "de", "ef", "fg", "gh", "hi"] {
        let (from, to) = pair.split_at(1);
        laughs = format!("{laughs}{to}: &{to} [{}]\n", vec![format!("*{from}"); 9].join(","));
    }
    for bomb in [laughs, format!("task: {}", "[".repeat(30_000)), format!("task: {}x", "- ".repeat(30_000))] {
        assert!(PoolTask::from_yaml(&bomb).is_err());
    }
}

#[test]
fn a_slow_regular_expression_is_stopped() {
    let slow = GENERATE.replace("#### (\\\\-?[0-9\\\\.\\\\,]+)", "^(?:(?=a)a+)+$");
    assert_ne!(slow, GENERATE);
    let task = PoolTask::from_yaml(&slow).unwrap();
    assert_eq!(
        task.extract(Extraction::Strict, &format!("{}b", "a".repeat(4000)), &question("{}"), &[]).answer(),
        None
    );
}

#[test]
fn a_template_that_was_never_filled_in_is_refused() {
    let task = PoolTask::from_yaml(&GENERATE.replace("{{question}}", "{% raw %}{{question}}{% endraw %}")).unwrap();
    let error = task.prepare(&question(r#"{"question": "1+1?", "answer": "2"}"#)).unwrap_err().to_string();
    assert!(error.contains("still holds '{{'"), "{error}");
    let own_braces = question(r#"{"question": "What is {{x}}?", "answer": "2"}"#);
    assert!(PoolTask::from_yaml(GENERATE).unwrap().prepare(&own_braces).is_ok());
}

#[test]
fn too_few_choices_are_refused() {
    let task = PoolTask::from_yaml(&MULTIPLE_CHOICE.replace("{{choices.label.index}}", "label")).unwrap();
    for (row, word) in [
        (r#"{"question_stem": "?", "choices": {"text": ["one"]}, "label": 0}"#, "at least two"),
        (r#"{"question_stem": "?", "choices": {"text": "one"}, "label": 0}"#, "not a list"),
        (r#"{"question_stem": "?", "choices": {}, "label": 0}"#, "doc_to_choice"),
        (r#"{"question_stem": "?", "choices": {"text": ["one", "two"]}, "label": [0, 1]}"#, "one right answer"),
        (r#"{"question_stem": "?", "choices": {"text": ["one", "two"]}, "label": 2}"#, "none of the 2 choices"),
        (r#"{"question_stem": "?", "choices": {"text": ["one", "two"]}, "label": -1}"#, "none of the 2 choices"),
    ] {
        let error = task.prepare(&question(row)).unwrap_err().to_string();
        assert!(error.contains(word), "{word}: {error}");
    }
}

#[test]
fn lengths_of_the_choices_count_where_the_metric_says_so() {
    let task = |metric: &str| {
        let text = MULTIPLE_CHOICE.replace("{{choices.label.index}}", "label");
        PoolTask::from_yaml(&text.replace("metric: acc", &format!("metric: {metric}"))).unwrap()
    };
    let choices = ["äääääää", "eeeeeeeee"].map(str::to_owned);
    // By the whole choice the first is the likeliest, by its 7 and 9 characters the second, by its 14 and 9 bytes the first.
    let values = [-8.0, -9.0];
    for (metric, chosen) in [("acc", &choices[0]), ("acc_norm", &choices[1]), ("acc_bytes", &choices[0])] {
        assert_eq!(task(metric).choose(&values, &choices).answer(), Some(chosen.as_str()), "{metric}");
    }
    assert_ne!(task("acc").protocol(Profile::Exact), task("acc_norm").protocol(Profile::Exact));
}

#[test]
fn examples_that_stand_in_the_file_are_before_every_question() {
    let examples = "num_fewshot: 2\nfewshot_config:\n  sampler: first_n\n  samples:\n    - {question: '2+2?', answer: '4'}\n    - {question: 'two and 3?', answer: '5'}\n    - {question: 'no?', answer: '1'}\n";
    let task = PoolTask::from_yaml(&format!("{GENERATE}{examples}")).unwrap();
    let prepared = task.prepare(&question(r#"{"question": "1+1?", "answer": "2"}"#)).unwrap();
    assert_eq!(prepared.prompt, "Add.\nQ: 2+2?\nA: 4\n\nQ: two and 3?\nA: 5\n\nQ: 1+1?\nA:");
    let plain = PoolTask::from_yaml(GENERATE).unwrap();
    assert_ne!(task.protocol(Profile::Exact), plain.protocol(Profile::Exact));
}

#[test]
fn a_file_may_include_a_built_in_one() {
    let task = PoolTask::from_yaml("task: mine\ninclude: siqa.yaml\nmetadata: {title: Mine}").unwrap();
    assert_eq!((task.name(), task.title()), ("mine", "Mine"));
    assert_eq!(
        task.config().doc_to_choice.is_some(),
        PoolTask::built_in("siqa").unwrap().config().doc_to_choice.is_some()
    );
}
