//! Compares prompts with those that `compat/lm_eval/real_tasks.py` wrote down.
//!
//!     cargo run -p tasks --example compare_prompts -- <folder of lm_eval/tasks> prompts.jsonl
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "this is a program")]

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::{Value, json};
use tasks::Question;
use tasks::TaskError;
use tasks::harness::{Options, Request, Splits, Task};

fn main() -> ExitCode {
    let arguments: Vec<PathBuf> = std::env::args().skip(1).map(PathBuf::from).collect();
    let [root, prompts] = arguments.as_slice() else {
        eprintln!("say where the folder lm_eval/tasks and the file of prompts are");
        return ExitCode::FAILURE;
    };
    let Ok(text) = std::fs::read_to_string(prompts) else {
        eprintln!("{} cannot be read", prompts.display());
        return ExitCode::FAILURE;
    };
    let source = |path: &str| std::fs::read_to_string(root.join(path)).ok();
    let (mut equal, mut all) = (0, 0);
    for line in text.lines() {
        let Ok(expected) = serde_json::from_str::<Value>(line) else { continue };
        all += 1;
        let path = expected["path"].as_str().unwrap_or_default();
        match asked(path, &expected, &source) {
            Ok(requests) if requests == expected["requests"] => equal += 1,
            Ok(requests) => println!("{path}:\n  {}", first_difference(&requests, &expected["requests"])),
            Err(error) => println!("{path}: {error}"),
        }
    }
    println!("{equal} of {all} tasks ask the same");
    if equal == all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn asked(path: &str, expected: &Value, source: &dyn tasks::harness::Source) -> Result<Value, TaskError> {
    let task = Task::load(path, source)?;
    let rows: Vec<Question> = Question::all_from(expected["rows"].to_string().as_bytes())?;
    let splits = expected["splits"].as_array().into_iter().flatten();
    let splits: Splits = splits.filter_map(Value::as_str).map(|split| (split.to_owned(), rows.clone())).collect();
    let shots = expected["shots"].as_u64().map(|shots| shots as usize);
    let evaluation = task.evaluation(&splits, &Options { num_fewshot: shots, limit: Some(3), ..Options::default() })?;
    let mut all = Vec::new();
    for number in 0..evaluation.len() {
        all.push(evaluation.requests(number)?.iter().map(logged).collect::<Vec<_>>());
    }
    Ok(json!(all))
}

fn logged(request: &Request) -> Value {
    match request {
        Request::Loglikelihood { context, continuation } => json!([context, continuation]),
        Request::LoglikelihoodRolling { text } => json!([text]),
        Request::Generate { context, generation } => json!([context, generation.until]),
    }
}

fn first_difference(own: &Value, other: &Value) -> String {
    let (own, other) = (own.to_string(), other.to_string());
    let place = own.chars().zip(other.chars()).position(|(one, two)| one != two).unwrap_or_default();
    let from = place.saturating_sub(60);
    let part = |text: &str| text.chars().skip(from).take(160).collect::<String>();
    format!("here:  {}\n  there: {}", part(&own), part(&other))
}
