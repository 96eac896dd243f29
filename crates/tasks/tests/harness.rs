//! Task files of lm-evaluation-harness: what is refused and how, includes, declared processing, protocol ids.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by a panic")]

use std::collections::BTreeMap;

use tasks::harness::{File, Member, Options, Request, Response, Splits, Task, load, no_files, parse};
use tasks::{Profile, Question};

const TASK: &str = r#"
task: sums
output_type: generate_until
test_split: test
training_split: train
doc_to_text: "Q: {{question}}\nA:"
doc_to_target: answer
generation_kwargs: {until: ["\n"], max_gen_toks: 16}
filter_list:
  - name: strict
    filter:
      - {function: regex, regex_pattern: "(\\d+)"}
      - {function: take_first}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
"#;

fn refused(text: &str) -> String {
    match parse(text, "folder/sums.yaml", &no_files) {
        Err(error) => error.to_string(),
        Ok(File::Task(config)) => Task::new(config).unwrap_err().to_string(),
        Ok(File::Group(group)) => panic!("{group:?}"),
    }
}

fn splits(rows: &str) -> Splits {
    let rows = Question::all_from(rows.as_bytes()).unwrap();
    BTreeMap::from(["test", "train", "validation"].map(|split| (split.to_owned(), rows.clone())))
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let with = |line: &str| refused(&format!("{TASK}\n{line}\n"));
    let instead = |from: &str, to: &str| {
        assert!(TASK.contains(from), "{from}");
        refused(&TASK.replace(from, to))
    };
    for (error, words) in [
        (with("process_docs: !function utils.clean"), ["process_docs", "folder/utils.clean"]),
        (with("doc_to_choice: !function other.choices"), ["doc_to_choice", "folder/other.choices"]),
        (with("class: !function task.Mine"), ["class", "folder/task.Mine"]),
        (with("custom_dataset: !function utils.load"), ["custom_dataset", "made by Python"]),
        (with("doc_to_image: image"), ["doc_to_image", "only texts"]),
        (with("unsafe_code: true"), ["unsafe_code", "not run"]),
        (with("use_prompt: promptsource:x"), ["use_prompt", "promptsource"]),
        (with("num_fewshots: 5"), ["num_fewshots", "not known"]),
        (with("num_fewshot: -1"), ["num_fewshot", "-1"]),
        (with("num_fewshot: 1000"), ["num_fewshot", "256"]),
        (with("repeats: 0"), ["repeats", "answer"]),
        (with("fewshot_config: {sampler: balanced}"), ["fewshot_config.sampler", "balanced"]),
        (with("fewshot_config: {samples: !function utils.s}"), ["fewshot_config.samples", "utils.s"]),
        (with("fewshot_config: {shots: 1}"), ["fewshot_config.shots", "not known"]),
        (with("include: other.yaml"), ["folder/other.yaml", "cannot be read"]),
        (with("process_docs: {rename: {a: b}}"), ["process_docs", "'filter' and 'map'"]),
        (instead("generate_until", "generate"), ["output_type", "'generate'"]),
        (instead("exact_match", "rouge"), ["metric_list.metric", "'rouge'"]),
        (instead("exact_match", "acc"), ["metric_list.metric", "GenerateUntil"]),
        (instead("aggregation: mean", "aggregation: bleu"), ["metric_list.aggregation", "exact_match"]),
        (instead("aggregation: mean", "aggregation: !function a.b"), ["metric_list.aggregation", "folder/a.b"]),
        (instead("higher_is_better", "high_is_better"), ["metric_list.high_is_better", "not known"]),
        (instead("{function: take_first}", "{function: custom, filter_fn: !function a.b}"), ["function", "custom"]),
        (instead("{function: take_first}", "{function: !function a.F}"), ["function", "folder/a.F"]),
        (instead("{function: take_first}", "{function: decontaminate, path: x}"), ["function", "decontaminate"]),
        (
            instead("{function: take_first}", "{function: take_first}\n      - {function: lowercase}"),
            ["take_first", "last"],
        ),
        (instead("(\\\\d+)", "(\\\\d+"), ["regex_pattern", "d+"]),
        (instead("max_gen_toks", "max_tokenz"), ["generation_kwargs.max_tokenz", "not known"]),
        (instead("max_gen_toks: 16", "num_beams: 4"), ["generation_kwargs.num_beams", "4"]),
        (instead("{{question}}", "{{question"), ["doc_to_text", "cannot be used"]),
        (instead("task: sums", "task: ''"), ["task", "needs a name"]),
        (refused("- a"), ["cannot be read", "mapping"]),
        (refused(&"x".repeat(2_000_000)), ["bytes", "1048576"]),
    ] {
        assert!(words.iter().all(|word| error.contains(word)), "{words:?}: {error}");
    }
}

#[test]
fn bombs_in_templates_are_refused_or_stopped() {
    let rows = r#"[{"question": "abc", "answer": "x"}]"#;
    for bomb in [
        "{{ 'x' * 1000000000000000000 }}".to_owned(),
        "{{ [1] * 1000000000000 }}".to_owned(),
        "{{ 9 ** 999999 }}".to_owned(),
        "{{ 'x' | indent(99999999999) }}".to_owned(),
        "{{ '%99999999999d' | format(1) }}".to_owned(),
        "{{ '{:>99999999999}'.format(1) }}".to_owned(),
        "{% set n = namespace(y=question) %}{% for i in range(60) %}{% set n.y = n.y ~ n.y %}{% endfor %}".to_owned(),
        "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}".to_owned(),
        format!("{{{{ {}1{} }}}}", "(".repeat(30_000), ")".repeat(30_000)),
        format!("{{{{ {}question }}}}", "not ".repeat(30_000)),
    ] {
        let text = TASK.replace("\"Q: {{question}}\\nA:\"", &serde_json::to_string(&bomb).unwrap());
        assert_ne!(text, TASK);
        let asked = Task::from_yaml(&text, "sums.yaml", &no_files).and_then(|task| {
            let evaluation = task.evaluation(&splits(rows), &Options::default())?;
            evaluation.requests(0).map(|_| ())
        });
        let shown: String = bomb.chars().take(60).collect();
        assert!(asked.is_err(), "{shown}");
    }
}

#[test]
fn a_file_may_include_others_and_not_itself() {
    let files = BTreeMap::from([
        ("a/base.yaml", "doc_to_text: base\ndescription: from base\ninclude: ../b/deep.yaml\n"),
        ("b/deep.yaml", "doc_to_target: answer\ndescription: from deep\ntest_split: test\n"),
        ("a/task.yaml", "include: [base.yaml]\ntask: t\ndoc_to_text: own\n"),
        ("a/circle.yaml", "include: circle.yaml\ntask: t\n"),
    ]);
    let source = |path: &str| files.get(path).map(|text| (*text).to_owned());
    let task = Task::load("a/task.yaml", &source).unwrap();
    assert_eq!(task.config().description, "from base");
    assert_eq!(task.config().test_split.as_deref(), Some("test"));
    assert_eq!(task.needed_splits(), ["test"]);
    let error = load("a/circle.yaml", &source).unwrap_err().to_string();
    assert!(error.contains("a/circle.yaml") && error.contains("includes itself"), "{error}");
}

#[test]
fn documents_are_filtered_and_get_new_fields_without_python() {
    let lines = r#"
process_docs:
  filter: {subject: law}
  map:
    asked: "{{question | upper}}"
    options: ["{{question}}!", "{{ number + 1 }}"]
"#;
    let text = format!("{}{lines}", TASK.replace("{{question}}", "{{asked}} {{options[1] - 1}} {{options}}"));
    let task = Task::from_yaml(&text, "sums.yaml", &no_files).unwrap();
    let rows = r#"[{"question": "a", "number": 1, "subject": "art", "answer": "x"},
                   {"question": "b", "number": 2, "subject": "law", "answer": "y"}]"#;
    let evaluation = task.evaluation(&splits(rows), &Options::default()).unwrap();
    assert_eq!(evaluation.len(), 1);
    let Request::Generate { context, .. } = &evaluation.requests(0).unwrap()[0] else { panic!("a text is asked for") };
    assert_eq!(context, "Q: B 2 ['b!', 3]\nA:");
}

#[test]
fn the_protocol_id_changes_with_what_changes_a_score_and_with_nothing_else() {
    let rows = r#"[{"question": "1+1", "answer": "2"}, {"question": "1+2", "answer": "3"}]"#;
    let id = |text: &str, rows: &str, options: &Options, chat| {
        let task = Task::from_yaml(text, "folder/sums.yaml", &no_files).unwrap();
        task.evaluation(&splits(rows), options).unwrap().protocol(Profile::Exact, chat)
    };
    let usual = Options::default();
    let original = id(TASK, rows, &usual, None);
    assert_eq!(original.len(), 64);
    assert_eq!(original, id(&format!("# A remark.\n{TASK}tag: [maths]\nmetadata: {{version: 2}}"), rows, &usual, None));
    assert_eq!(original, id(TASK, &rows.replace("1+2", "2+1"), &usual, None), "documents have a hash of their own");
    let one_shot = Options { num_fewshot: Some(1), ..Options::default() };
    let mut ids = vec![
        original,
        id(TASK, rows, &one_shot, None),
        id(TASK, &rows.replace("1+2", "2+1"), &one_shot, None),
        id(TASK, rows, &Options { seed: 1, ..one_shot.clone() }, None),
        id(TASK, rows, &Options { system_instruction: "Add.".to_owned(), ..Options::default() }, None),
        id(TASK, rows, &usual, Some(("{{messages}}", true))),
        id(TASK, rows, &usual, Some(("{{messages}}", false))),
        id(&TASK.replace("Q: ", "Question: "), rows, &usual, None),
        id(&TASK.replace("d+", "d"), rows, &usual, None),
    ];
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 9);
}

#[test]
fn responses_that_do_not_belong_are_refused() {
    let task = Task::from_yaml(TASK, "sums.yaml", &no_files).unwrap();
    let rows = r#"[{"question": "1+1", "answer": "2"}]"#;
    let evaluation = task.evaluation(&splits(rows), &Options::default()).unwrap();
    let judged = |responses: Vec<Vec<Vec<Response>>>| evaluation.judge(&responses);
    assert!(judged(vec![]).unwrap_err().to_string().contains("1 documents"));
    assert!(judged(vec![vec![vec![Response::Rolling(-1.0)]]]).is_err());
    assert!(judged(vec![vec![vec![]]]).is_err());
    let samples = judged(vec![vec![vec![Response::Text("it is 2".to_owned())]]]).unwrap();
    let results = evaluation.aggregate(&samples, 1000).unwrap();
    assert_eq!((results[0].key().as_str(), results[0].documents), ("exact_match,strict", 1));
    assert!(results[0].value > 0.999 && results[0].standard_error.is_none());
    let missing = task.evaluation(&Splits::new(), &Options::default()).unwrap_err().to_string();
    assert!(missing.contains("the split 'test'"), "{missing}");
}

#[test]
fn groups_name_their_members() {
    let text = "group: all\ngroup_alias: All of them\ntask:\n  - one\n  - {task: two, num_fewshot: 3}\n  - group: inner\n    task: [three]\naggregate_metric_list:\n  - {metric: acc, weight_by_size: false, filter_list: [none]}\n";
    let Ok(File::Group(group)) = parse(text, "all.yaml", &no_files) else { panic!("it is a group") };
    assert_eq!((group.name.as_str(), group.alias.as_deref(), group.members.len()), ("all", Some("All of them"), 3));
    assert!(matches!(&group.members[0], Member::Named(name, keys) if name == "one" && keys.is_empty()));
    assert!(matches!(&group.members[1], Member::Named(name, keys) if name == "two" && keys["num_fewshot"] == 3));
    assert!(matches!(&group.members[2], Member::Group(inner) if inner.name == "inner"));
    assert!(!group.metrics[0].weight_by_size);
    assert!(Task::from_yaml(text, "all.yaml", &no_files).unwrap_err().to_string().contains("group"));
}
