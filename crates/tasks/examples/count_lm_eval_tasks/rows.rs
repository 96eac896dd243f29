//! Rows for a task whose dataset is not here: which fields it reads is seen from its own templates, and each gets a value of
//! a kind that may suit it. What a ported function reads is not seen there, so the rows that its port is tested with are
//! tried, too.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use fancy_regex::Regex;
use minijinja::Environment;
use serde_json::{Map, Value, json};
use tasks::Question;
use tasks::harness::{Config, FieldSource, Options, ProcessDocs, Request, Splits, Task};

/// Rows of a split: enough to draw examples from.
const ROWS: usize = 40;
/// Documents that are rendered.
const RENDERED: usize = 3;
/// The kinds that what a task is to answer may have.
const KINDS: [&str; 4] = ["number", "digits", "letter", "text"];

/// The rows of the ports' tests, by their files.
pub(crate) fn of_ports(folder: &Path) -> Vec<Vec<Map<String, Value>>> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<_> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<Map<String, Value>>>()
    };
    paths.iter().map(read).filter(|rows| !rows.is_empty()).collect()
}

/// Renders the first documents of a task with made-up rows; the last reason why that did not go.
pub(crate) fn render(task: &Task, of_ports: &[Vec<Map<String, Value>>]) -> Result<(), String> {
    let config = task.config();
    let used = used(config);
    let mut last = "it has no split".to_owned();
    let none = [Vec::new()];
    let needs_port = matches!(config.process_docs, Some(ProcessDocs::Fields(_) | ProcessDocs::Keeps(_)))
        || [Some(&config.doc_to_text), Some(&config.doc_to_target), config.doc_to_choice.as_ref()]
            .into_iter()
            .flatten()
            .any(|source| matches!(source, FieldSource::Port(_)));
    let bases = none.iter().chain(if needs_port { of_ports } else { &[] });
    for base in bases {
        for kind in KINDS {
            let row = |number: usize| {
                let mut row = made(&used, kind, number);
                row.extend(base.get(number % base.len().max(1)).cloned().unwrap_or_default());
                keep(config, &mut row);
                Question::from_json(&Value::Object(row).to_string())
            };
            let rows: Result<Vec<Question>, _> = (0..ROWS).map(row).collect();
            match rows.map_err(|error| error.to_string()).and_then(|rows| try_rows(task, &rows)) {
                Ok(()) => return Ok(()),
                Err(reason) => last = reason,
            }
        }
    }
    Err(last)
}

fn try_rows(task: &Task, rows: &[Question]) -> Result<(), String> {
    let config = task.config();
    let few_shot = config.fewshot.split.as_ref();
    let named = [&config.training_split, &config.validation_split, &config.test_split].into_iter().flatten();
    let splits: Splits = named.chain(few_shot).map(|split| (split.clone(), rows.to_vec())).collect();
    let options = Options { limit: Some(RENDERED), ..Options::default() };
    let evaluation = task.evaluation(&splits, &options).map_err(|error| error.to_string())?;
    if evaluation.is_empty() {
        return Err("none of the made-up rows is kept".to_owned());
    }
    for number in 0..evaluation.len() {
        let requests = evaluation.requests(number).map_err(|error| error.to_string())?;
        evaluation.target(number).map_err(|error| error.to_string())?;
        let is_empty = |request: &Request| match request {
            Request::Loglikelihood { context, continuation } => context.is_empty() && continuation.is_empty(),
            Request::LoglikelihoodRolling { text } => text.is_empty(),
            Request::Generate { context, .. } => context.is_empty(),
        };
        if requests.is_empty() || requests.iter().all(is_empty) {
            return Err("nothing is asked".to_owned());
        }
    }
    Ok(())
}

/// Gives a row the values without which it is filtered out.
fn keep(config: &Config, row: &mut Map<String, Value>) {
    match &config.process_docs {
        Some(ProcessDocs::Filter { field, equals }) => drop(row.insert(field.clone(), equals.clone())),
        Some(ProcessDocs::Declared { filter, .. }) => row.extend(filter.clone()),
        _ => {}
    }
}

/// The fields that the templates read, each with the templates.
fn used(config: &Config) -> BTreeMap<String, BTreeSet<String>> {
    let few_shot = &config.fewshot;
    let sources = [
        Some(&config.doc_to_text),
        Some(&config.doc_to_target),
        config.doc_to_choice.as_ref(),
        Some(&few_shot.doc_to_text),
        Some(&few_shot.doc_to_target),
        few_shot.doc_to_choice.as_ref(),
    ];
    let mut texts: Vec<&str> = vec![&config.description];
    texts.extend(config.gen_prefix.as_deref());
    texts.extend(few_shot.gen_prefix.as_deref());
    for source in sources.into_iter().flatten() {
        match source {
            FieldSource::Template(text) => texts.push(text),
            FieldSource::Constant(Value::Array(items)) => texts.extend(items.iter().filter_map(Value::as_str)),
            _ => {}
        }
    }
    if let Some(ProcessDocs::Declared { map, .. }) = &config.process_docs {
        texts.extend(map.values().filter_map(Value::as_str));
    }
    let environment = Environment::new();
    let mut names: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for text in &texts {
        if !text.is_empty() && text.chars().all(|character| character.is_alphanumeric() || character == '_') {
            names.entry((*text).to_owned()).or_default();
        }
        let template = environment.template_from_str(text);
        for name in template.map(|template| template.undeclared_variables(false)).unwrap_or_default() {
            names.entry(name).or_default();
        }
    }
    let whole = texts.join("\n");
    names.into_keys().map(|name| (name.clone(), BTreeSet::from([whole.clone()]))).collect()
}

fn found(pattern: &str, text: &str) -> Vec<String> {
    let Ok(pattern) = Regex::new(pattern) else { return Vec::new() };
    pattern
        .captures_iter(text)
        .flatten()
        .filter_map(|captures| captures.get(1).or_else(|| captures.get(0)).map(|found| found.as_str().to_owned()))
        .collect()
}

/// A row with a value for each field.
fn made(used: &BTreeMap<String, BTreeSet<String>>, kind: &str, number: usize) -> Map<String, Value> {
    let word = |name: &str, kind: &str| match kind {
        "number" => json!(number % 2),
        "digits" => json!((number % 2).to_string()),
        "letter" => json!(["A", "B"][number % 2]),
        _ => json!(format!("It's {name} {number}.")),
    };
    let list = |name: &str| (0..4).map(|place| word(&format!("{name}{place}"), "text")).collect::<Vec<_>>();
    let value = |name: &String, texts: &BTreeSet<String>| {
        let text: String = texts.iter().map(String::as_str).collect();
        let mut fields = found(&format!(r"\b{name}\.(\w+)\b(?!\()"), &text);
        fields.extend(found(&format!(r#"\b{name}\[['"](\w+)['"]\]"#), &text));
        let is_list = !found(
            &format!(r"\b{name}\[\s*-?\d|\bin {name}\b|{name}\s*\|\s*(?:join|length|list)|\b{name}\.index"),
            &text,
        )
        .is_empty();
        let is_choice = !found("choices|options|endings|candidates|distractors", name).is_empty();
        let is_answer = !found("label|answer|gold|target|idx|correct|result|class", name).is_empty();
        if !fields.is_empty() {
            let lists = kind != "letter";
            let of = |field: &String| if lists { json!(list(field)) } else { word(field, "text") };
            return Value::Object(fields.iter().map(|field| (field.clone(), of(field))).collect());
        }
        if is_list || is_choice {
            json!(list(name))
        } else if is_answer {
            word(name, kind)
        } else {
            word(name, "text")
        }
    };
    used.iter().map(|(name, texts)| (name.clone(), value(name, texts))).collect()
}
