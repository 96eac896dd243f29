//! Scoring models without a node: right scores, nothing asked twice, files that other programs read, and clear refusals.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::binary::{AOBENCH, repository};

fn model(level: u32) -> String {
    repository().join(format!("demo/models/social-{level}.gguf")).display().to_string()
}

fn aobench(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(AOBENCH).arg("--json").args(arguments).current_dir(folder).env("HOME", folder).output().unwrap()
}

fn json(folder: &Path, arguments: &[&str]) -> Value {
    let output = aobench(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn refusal(folder: &Path, arguments: &[&str]) -> String {
    let output = aobench(folder, arguments);
    assert!(!output.status.success(), "{arguments:?} should have been refused");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The only file in a folder whose name begins so.
fn file(folder: &Path, beginning: &str) -> PathBuf {
    let entries = std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with(beginning)).collect();
    assert_eq!(found.len(), 1, "{beginning} in {}", folder.display());
    found.remove(0)
}

fn samples(folder: &Path) -> BTreeMap<u64, Value> {
    let text = std::fs::read_to_string(file(folder, "samples_")).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["filter"] == "strict").map(|line| (line["doc_id"].as_u64().unwrap(), line)).collect()
}

#[test]
fn two_models_score_as_their_card_says_and_compare_by_their_documents() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (good, bad) = (model(4), model(2));
    let arguments = ["eval", "--model", &good, "--model", &bad, "--task", "demo", "--log-samples", "--limit", "200"];
    let results = json(folder, &arguments);
    let score = |place: usize| results[place]["results"]["demo"]["exact_match,strict"].as_f64().unwrap();
    assert!((0.84..0.96).contains(&score(0)) && (0.45..0.65).contains(&score(1)), "{} {}", score(0), score(1));
    assert_eq!(results[0]["n-samples"]["demo"]["effective"], 200);
    assert_eq!(results[0]["n-samples"]["demo"]["original"], 558);

    let names = [&good, &bad].map(|path| folder.join("aobench-eval").join(path.replace('/', "__")));
    let first = samples(&names[0]);
    let right = first.values().filter(|line| line["exact_match"] == 1.0).count();
    assert!((right as f64 / 200.0 - score(0)).abs() < 1e-9, "the samples are the score");
    let comparison = json(folder, &["eval", "compare", names[0].to_str().unwrap(), names[1].to_str().unwrap()]);
    let difference = comparison["difference"].as_f64().unwrap();
    assert!((difference - (score(0) - score(1))).abs() < 1e-6, "{comparison}");
    assert!(comparison["p"].as_f64().unwrap() < 1e-6 && comparison["documents"] == 200, "{comparison}");
}

#[test]
fn an_answer_depends_on_its_own_document_alone() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let model = model(3);
    let run = |name: &str, more: &[&str]| {
        let common = ["eval", "--model", &model, "--task", "demo", "--log-samples", "--limit", "60", "--output", name];
        json(folder, &[&common, more].concat());
        samples(&folder.join(name).join(model.replace('/', "__")))
    };
    let whole = run("whole", &["--workers", "2"]);
    assert_eq!(whole.len(), 60);
    assert_eq!(whole, run("one-by-one", &["--workers", "1", "--batch", "1"]));
    assert_eq!(whole, run("sevens", &["--workers", "3", "--batch", "7"]));
}

#[test]
fn a_killed_evaluation_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let model = model(4);
    let arguments = ["eval", "--model", &model, "--task", "demo", "--workers", "1", "--batch", "4", "--log-samples"];
    let mut child = Command::new(AOBENCH)
        .args(arguments)
        .current_dir(folder)
        .env("HOME", folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let place = folder.join("aobench-eval").join(model.replace('/', "__"));
    let lines = || -> usize {
        let entries = std::fs::read_dir(&place).into_iter().flatten().flatten();
        let journal = entries.map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("answers_"));
        journal.and_then(|path| std::fs::read_to_string(path).ok()).map_or(0, |text| text.lines().count())
    };
    while lines() < 20 {
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let before = lines();
    assert!(before < 558, "it was killed too late for the test to mean anything");
    let results = json(folder, &arguments);
    assert!(results[0]["results"]["demo"]["exact_match,strict"].as_f64().unwrap() > 0.85);
    let mut text = String::new();
    std::fs::File::open(file(&place, "answers_")).unwrap().read_to_string(&mut text).unwrap();
    let whole: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
    assert_eq!(whole.len(), 558, "each document was asked once");
    // A third time nothing is left to ask, and the results are the same.
    let again = json(folder, &arguments);
    assert_eq!(again[0]["results"], results[0]["results"]);
    assert_eq!(again[0]["task_hashes"], results[0]["task_hashes"]);
}

#[test]
fn a_task_is_made_looked_at_and_scored_in_four_commands() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    json(folder, &["task", "new", "colours"]);
    let task = ["colours.yaml", "--data", "colours.jsonl"];
    assert_eq!(json(folder, &[&["task", "lint"][..], &task[..]].concat()), serde_json::json!([]));
    let shown = json(folder, &[&["task", "show", "--render", "2"][..], &task[..]].concat());
    assert_eq!(shown[1]["requests"][2]["continuation"], " letters");
    assert_eq!(shown[0]["requests"][0]["context"], "Question: Which of these is a colour?\nAnswer:");
    let model = model(1);
    let results = json(folder, &["eval", "--model", &model, "--task", task[0], task[1], task[2]]);
    assert!(results[0]["results"]["colours"]["acc,none"].is_number(), "{results}");
    assert!(refusal(folder, &["task", "new", "colours"]).contains("there already"));

    let text = std::fs::read_to_string(folder.join("colours.yaml")).unwrap();
    std::fs::write(folder.join("other.yaml"), text.replace("target_delimiter: \" \"", "target_delimiter: ''")).unwrap();
    let differences = json(folder, &["task", "diff", "colours.yaml", "other.yaml"]);
    assert_eq!(differences["same"], false);
    assert!(differences["differences"].to_string().contains("target_delimiter"), "{differences}");
}

#[test]
fn what_would_score_like_chance_is_refused_before_a_model_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    json(folder, &["task", "new", "colours"]);
    let text = std::fs::read_to_string(folder.join("colours.yaml")).unwrap();
    let write = |name: &str, from: &str, to: &str| std::fs::write(folder.join(name), text.replace(from, to)).unwrap();
    write("field.yaml", "doc_to_target: answer", "doc_to_target: no_such_field");
    write("literal.yaml", "{{question}}", "{{'{{'}}question}}");
    write("unknown.yaml", "metric: acc\n", "metric: vibes\n");
    let model = model(1);
    let cases = [
        ("field.yaml", "no_such_field"),
        ("literal.yaml", "{{"),
        ("unknown.yaml", "vibes"),
        ("nowhere.yaml", "no task file"),
    ];
    for (task, part) in cases {
        let error = refusal(folder, &["eval", "--model", &model, "--task", task, "--data", "colours.jsonl"]);
        assert!(error.contains(part), "{task}: {error}");
    }
    let error = refusal(folder, &["eval", "--model", &model, "--task", "colours.yaml"]);
    assert!(error.contains("--data test=FILE"), "{error}");
    let error = refusal(folder, &["eval", "--model", "colours.yaml", "--task", "demo"]);
    assert!(error.contains("colours.yaml") && error.contains("GGUF"), "{error}");
}

/// A model of the demo whose own chat template has another name, so that nobody finds it.
fn without_chat_template(level: u32) -> Vec<u8> {
    let mut bytes = std::fs::read(model(level)).unwrap();
    let key = b"tokenizer.chat_template";
    let place = bytes.windows(key.len()).position(|window| window == key).unwrap();
    bytes[place..place + key.len()].copy_from_slice(b"tokenizer.talk_template");
    bytes
}

/// The same with another chat template. What is added is a multiple of 32 bytes, so that the tensors stay where their
/// alignment wants them.
fn with_chat_template(level: u32, template: &str) -> Vec<u8> {
    let mut bytes = without_chat_template(level);
    let key = b"tokenizer.chat_template";
    let mut template = template.to_owned();
    template.push_str("{#");
    while !(8 + key.len() + 4 + 8 + template.len() + 2).is_multiple_of(32) {
        template.push(' ');
    }
    template.push_str("#}");
    let mut added = Vec::new();
    added.extend((key.len() as u64).to_le_bytes());
    added.extend(key);
    added.extend(8_u32.to_le_bytes());
    added.extend((template.len() as u64).to_le_bytes());
    added.extend(template.as_bytes());
    let keys = u64::from_le_bytes(bytes[16..24].try_into().unwrap());
    bytes[16..24].copy_from_slice(&(keys + 1).to_le_bytes());
    bytes.splice(24..24, added);
    bytes
}

#[test]
fn contexts_are_written_by_the_chat_template_of_the_model() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let write =
        |name: &str, template: &str| std::fs::write(folder.join(name), with_chat_template(3, template)).unwrap();
    write("same.gguf", "{% for message in messages %}{{ message.content }}{% endfor %}");
    write("turns.gguf", "{% for message in messages %}[{{ message.role }}] {{ message.content }}\n{% endfor %}");
    write("loud.gguf", "{% for message in messages %}{{ message.content | upper }}{% endfor %}");
    let run = |model: &str, more: &[&str]| {
        let common = ["eval", "--model", model, "--task", "demo", "--log-samples", "--limit", "40"];
        let results = json(folder, &[&common, more].concat());
        (results[0].clone(), samples(&folder.join("aobench-eval").join(model.replace('/', "__"))))
    };
    let chat = &["--apply-chat-template"];
    // A template that adds nothing changes nothing: the marks around its parts are no text.
    let (plain, answers) = run(&model(3), &[]);
    let (same, same_answers) = run("same.gguf", chat);
    for (document, line) in &answers {
        assert_eq!(line["resps"], same_answers[document]["resps"], "document {document}");
        assert_eq!(line["prompt_hash"], same_answers[document]["prompt_hash"], "document {document}");
    }
    assert_eq!(plain["results"], same["results"]);
    assert_ne!(
        plain["aobench"]["protocols"], same["aobench"]["protocols"],
        "another way of asking is another protocol"
    );
    assert!(plain["chat_template"].is_null() && same["chat_template_sha"].is_string());

    let (_, turns) = run("turns.gguf", chat);
    let context = turns[&0]["arguments"]["gen_args_0"]["arg_0"].as_str().unwrap();
    assert!(context.starts_with("[user] Context: ") && context.ends_with("Answer:\n"), "{context:?}");

    let refused = |model: &str| refusal(folder, &["eval", "--model", model, "--task", "demo", "--apply-chat-template"]);
    std::fs::write(folder.join("none.gguf"), without_chat_template(3)).unwrap();
    assert!(refused("none.gguf").contains("has no chat template"), "{}", refused("none.gguf"));
    assert!(refused("loud.gguf").contains("changes the messages"), "{}", refused("loud.gguf"));
}

#[test]
fn several_results_have_rank_ranges_and_shared_texts_are_taken_together() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Sixty documents about thirty texts; the first model is right on all, the second on half, the third on all but one.
    let write = |name: &str, right: &dyn Fn(usize) -> bool| {
        let place = folder.join(name);
        std::fs::create_dir(&place).unwrap();
        let line = |number: usize| {
            serde_json::json!({
                "doc_id": number, "doc_hash": format!("hash {number}"), "filter": "none",
                "doc": {"context": format!("text {}", number / 2)}, "acc": f64::from(u8::from(right(number))),
            })
        };
        for task in ["one", "other"] {
            let lines: Vec<String> = (0..60).map(|number| line(number).to_string()).collect();
            std::fs::write(place.join(format!("samples_{task}_2026-01-01T00-00-00.000000.jsonl")), lines.join("\n"))
                .unwrap();
        }
    };
    write("all", &|_| true);
    write("half", &|number| number % 4 < 2);
    write("most", &|number| number != 7);
    let several = refusal(folder, &["eval", "compare", "all", "half"]);
    assert!(several.contains("--task") && several.contains("one, other"), "{several}");
    let comparison = json(folder, &["eval", "compare", "all", "half", "--task", "one"]);
    assert_eq!(comparison["clusters"]["field"], "context");
    assert_eq!(comparison["clusters"]["count"], 30);
    let width = |interval: &Value| interval[1].as_f64().unwrap() - interval[0].as_f64().unwrap();
    // The second is right or wrong on both documents of a text, so they say less than sixty would.
    assert!(width(&comparison["clusters"]["interval"]) > width(&comparison["interval"]), "{comparison}");
    let standings = json(folder, &["eval", "compare", "half", "most", "all", "--task", "one"]);
    let ranks: Vec<(&str, &Value)> = standings
        .as_array()
        .unwrap()
        .iter()
        .map(|standing| (standing["name"].as_str().unwrap(), &standing["ranks"]))
        .collect();
    let told =
        [("all", serde_json::json!([1, 2])), ("most", serde_json::json!([1, 2])), ("half", serde_json::json!([3, 3]))];
    assert_eq!(ranks, told.iter().map(|(name, ranks)| (*name, ranks)).collect::<Vec<_>>());
}

#[cfg(feature = "parquet")]
#[test]
fn documents_from_parquet_are_those_from_json_lines() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    // The first 24 questions of the demo, written by pyarrow with snappy and in three row groups.
    let parquet = repository().join("crates/aobench/tests/data/questions.parquet");
    let lines = std::fs::read_to_string(repository().join("demo/questions.jsonl")).unwrap();
    let first: Vec<&str> = lines.lines().take(24).collect();
    std::fs::write(home.join("questions.jsonl"), first.join("\n")).unwrap();
    let model = model(4);
    let score = |data: &str, output: &str| {
        let results = json(home, &["eval", "--model", &model, "--task", "siqa", "--data", data, "--output", output]);
        (results[0]["results"].clone(), results[0]["n-samples"].clone())
    };
    assert_eq!(score(parquet.to_str().unwrap(), "one"), score("questions.jsonl", "two"));
}
