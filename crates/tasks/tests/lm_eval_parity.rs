//! The task files of `compat/lm_eval/tasks` give the prompts, the values of each document and the results that
//! lm-evaluation-harness gives, as `compat/lm_eval/vectors.py` wrote them down.
#![allow(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tasks::harness::{
    Aggregate, Chat, Evaluation, File, MemberResult, Message, Options, Request, Response, Sample, Splits, Task, load,
    pooled, results_entry,
};
use tasks::{Question, TaskError};

/// How far a result may be off: the order in which numbers are added up differs.
const TOLERANCE: f64 = 1e-9;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../compat/lm_eval")
}

fn source(path: &str) -> Option<String> {
    std::fs::read_to_string(folder().join("tasks").join(path)).ok()
}

fn vectors() -> Value {
    serde_json::from_slice(&std::fs::read(folder().join("vectors.json")).unwrap()).unwrap()
}

fn splits(vector: &Value) -> Splits {
    let read = |path: &Value| std::fs::read(folder().join(path.as_str().unwrap())).unwrap();
    let splits = vector["splits"].as_object().unwrap();
    splits.iter().map(|(name, path)| (name.clone(), Question::all_from(&read(path)).unwrap())).collect()
}

/// The request as lm-evaluation-harness logs it.
fn logged(request: &Request) -> Value {
    match request {
        Request::Loglikelihood { context, continuation } => json!([context, continuation]),
        Request::LoglikelihoodRolling { text } => json!([text]),
        Request::Generate { context, generation } => json!([context, generation.until]),
    }
}

fn expected_request(arguments: &Value) -> Value {
    match arguments[1].get("until") {
        Some(until) => json!([arguments[0], until]),
        None => arguments.clone(),
    }
}

fn response(value: &Value) -> Response {
    match value {
        Value::String(text) => Response::Text(text.clone()),
        Value::Array(pair) => {
            Response::Loglikelihood { loglikelihood: pair[0].as_f64().unwrap(), greedy: pair[1].as_bool().unwrap() }
        }
        number => Response::Rolling(number.as_f64().unwrap()),
    }
}

/// Every value within lists as Python writes it.
fn as_texts(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(as_texts).collect(),
        Value::String(text) => json!(text),
        Value::Bool(flag) => json!(if *flag { "True" } else { "False" }),
        other => json!(other.to_string()),
    }
}

/// Whether two values are equal, numbers up to the tolerance.
fn close(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(ones), Value::Array(others)) => {
            ones.len() == others.len() && ones.iter().zip(others).all(|(one, other)| close(one, other))
        }
        _ => match (one.as_f64(), other.as_f64()) {
            (Some(one), Some(other)) => (one - other).abs() <= TOLERANCE * other.abs().max(1.0),
            _ => one == other,
        },
    }
}

fn check_sample(name: &str, sample: &Sample, expected: &Value) {
    let what = format!("{name}, {}, document {}", sample.filter, sample.document);
    assert_eq!(json!(sample.document), expected["document"], "{what}");
    assert_eq!(json!(sample.filter), expected["filter"], "{what}");
    assert_eq!(sample.target, expected["target"], "{what}");
    let filtered = &expected["filtered"];
    let single = if sample.filtered.is_array() && filtered[0].is_array() && !filtered[0][0].is_string() {
        close(&sample.filtered, filtered)
    } else {
        close(&json!([sample.filtered]), filtered) || close(&sample.filtered, filtered)
    };
    assert!(single, "{what}: {} and {filtered}", sample.filtered);
    let metrics = expected["metrics"].as_object().unwrap();
    assert_eq!(sample.metrics.len(), metrics.len(), "{what}: {:?} and {metrics:?}", sample.metrics);
    for (metric, score) in &sample.metrics {
        let value = score.to_json();
        assert!(close(&value, &metrics[metric.name()]), "{what}: {metric} is {value} and {}", metrics[metric.name()]);
    }
}

fn check_results(name: &str, aggregates: &[Aggregate], results: &Value) {
    let metrics = results.as_object().unwrap().keys().filter(|key| key.contains(',') && !key.contains("_stderr"));
    assert_eq!(aggregates.len(), metrics.count(), "{name}");
    for aggregate in aggregates {
        let value = &results[&aggregate.key()];
        assert!(
            close(&json!(aggregate.value), value),
            "{name}: {} is {} and {value}",
            aggregate.key(),
            aggregate.value
        );
        let error = &results[format!("{}_stderr,{}", aggregate.metric, aggregate.filter)];
        let own = aggregate.standard_error.map_or_else(|| json!("N/A"), |error| json!(error));
        assert!(close(&own, error), "{name}: the standard error of {} is {own} and {error}", aggregate.key());
        assert_eq!(json!(aggregate.documents), results["sample_len"], "{name}");
    }
}

fn check_requests(name: &str, evaluation: &Evaluation<'_>, samples: &[Value]) {
    for (number, sample) in samples.iter().take(evaluation.len()).enumerate() {
        let requests: Vec<Value> = evaluation.requests(number).unwrap().iter().map(logged).collect();
        let expected: Vec<Value> = sample["requests"].as_array().unwrap().iter().map(expected_request).collect();
        assert_eq!(requests, expected, "{name}, document {number}");
    }
}

#[test]
fn prompts_values_and_results_are_those_of_lm_evaluation_harness() {
    let vectors = vectors();
    let resamples = vectors["resamples"].as_u64().unwrap() as usize;
    let tasks = vectors["tasks"].as_object().unwrap();
    assert!(tasks.len() >= 46, "{} tasks", tasks.len());
    for (name, vector) in tasks {
        let task =
            Task::load(vector["file"].as_str().unwrap(), &source).unwrap_or_else(|error| panic!("{name}: {error}"));
        let evaluation = task.evaluation(&splits(vector), &Options::default());
        let evaluation = evaluation.unwrap_or_else(|error| panic!("{name}: {error}"));
        let samples = vector["samples"].as_array().unwrap();
        check_requests(name, &evaluation, samples);
        let responses: Vec<Vec<Vec<Response>>> = samples[..evaluation.len()]
            .iter()
            .map(|sample| {
                let requests = sample["responses"].as_array().unwrap().iter();
                requests.map(|repeats| repeats.as_array().unwrap().iter().map(response).collect()).collect()
            })
            .collect();
        let judged = evaluation.judge(&responses).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(judged.len(), samples.len(), "{name}");
        judged.iter().zip(samples).for_each(|(sample, expected)| check_sample(name, sample, expected));
        for (sample, expected) in judged.iter().zip(samples).filter(|(_, expected)| expected.get("hashes").is_some()) {
            let line = evaluation.sample_line(sample, &responses[sample.document], None).unwrap();
            let hashes = [&line["doc_hash"], &line["prompt_hash"], &line["target_hash"]];
            assert_eq!(json!(hashes), expected["hashes"], "{name}, document {}", sample.document);
            assert_eq!(line["resps"], as_texts(&expected["responses"]), "{name}");
            assert_eq!(line["filtered_resps"], as_texts(&expected["filtered"]), "{name}");
        }
        let aggregates = evaluation.aggregate(&judged, resamples).unwrap();
        let entry = results_entry(task.config(), &aggregates);
        let keys = |entry: &Value| entry.as_object().unwrap().keys().cloned().collect::<BTreeSet<String>>();
        assert_eq!(keys(&entry), keys(&vector["results"]), "{name}");
        check_results(name, &aggregates, &vector["results"]);
        for aggregate in &aggregates {
            let higher = &vector["higher_is_better"][aggregate.metric.name()];
            assert_eq!(json!(aggregate.higher_is_better), *higher, "{name}: {}", aggregate.key());
        }
    }
}

/// A chat template that hides nothing.
#[expect(clippy::unnecessary_wraps, reason = "others may fail")]
fn written(messages: &[Message], begin_answer: bool) -> Result<String, TaskError> {
    let turn = |message: &Message| format!("<{}>{}</>", message.role.name(), message.content);
    Ok(messages.iter().map(turn).chain(begin_answer.then(|| "<assistant>".to_owned())).collect())
}

#[test]
fn prompts_under_a_chat_template_are_those_of_lm_evaluation_harness() {
    let vectors = vectors();
    let with_chat = vectors["tasks"].as_object().unwrap().iter().filter(|(_, vector)| vector.get("chat").is_some());
    let mut checked = 0;
    for (name, vector) in with_chat {
        let task = Task::load(vector["file"].as_str().unwrap(), &source).unwrap();
        let options = Options { system_instruction: "Be brief.".to_owned(), ..Options::default() };
        let evaluation = task.evaluation(&splits(vector), &options).unwrap();
        for (mode, multiturn) in [("multiturn", true), ("one question", false)] {
            for (number, expected) in vector["chat"][mode].as_array().unwrap().iter().enumerate() {
                let requests = evaluation.chat_requests(number, Chat { multiturn, template: &written }).unwrap();
                let requests: Vec<Value> = requests.iter().map(logged).collect();
                let expected: Vec<Value> = expected.as_array().unwrap().iter().map(expected_request).collect();
                assert_eq!(requests, expected, "{name}, {mode}, document {number}");
                checked += 1;
            }
        }
    }
    assert!(checked >= 28, "{checked} prompts");
}

#[test]
fn groups_are_pooled_as_lm_evaluation_harness_pools_them() {
    for (name, vector) in vectors()["groups"].as_object().unwrap() {
        let File::Group(group) = load(vector["file"].as_str().unwrap(), &source).unwrap() else { panic!("{name}") };
        assert_eq!(group.name, *name);
        for metric in &group.metrics {
            let members: Vec<MemberResult> = vector["members"]
                .as_object()
                .unwrap()
                .values()
                .filter_map(|member| {
                    let value = member.get(format!("{},none", metric.metric))?.as_f64()?;
                    let standard_error = member[format!("{}_stderr,none", metric.metric)].as_f64();
                    Some(MemberResult { value, standard_error, documents: member["sample_len"].as_u64()? as usize })
                })
                .collect();
            let result = pooled(&members, metric.weight_by_size).unwrap();
            let expected = &vector["results"];
            assert!(close(&json!(result.value), &expected[format!("{},none", metric.metric)]), "{name} {result:?}");
            let error = &expected[format!("{}_stderr,none", metric.metric)];
            assert!(close(&json!(result.standard_error), error), "{name} {result:?} {error}");
        }
    }
}
