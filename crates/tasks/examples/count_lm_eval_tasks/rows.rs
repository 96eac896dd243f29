//! Rows for a task whose dataset is not here: which fields it reads is seen from its own templates, and each gets a value of
//! a kind that may suit it. What a ported function reads is not seen there, so the rows that its port is tested with are
//! tried, too.

use std::collections::BTreeSet;
use std::path::Path;

use fancy_regex::Regex;
use minijinja::Environment;
use serde_json::{Map, Value, json};
use tasks::Question;
use tasks::harness::{Config, FieldSource, Options, ProcessDocs, Request, Splits, Task};

/// Rows of a split: enough to draw examples from.
const ROWS: usize = 12;
/// Documents that are rendered.
const RENDERED: usize = 3;
/// The kinds that what a task is to answer may have.
const KINDS: [&str; 5] = ["text", "place", "number", "digits", "letter"];
/// Fields that are added because a port names them.
const NAMED_MAX: usize = 24;

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
            match try_kind(task, &used, kind, base) {
                Ok(()) => return Ok(()),
                Err(reason) => last = reason,
            }
        }
    }
    Err(last)
}

/// Tries rows of one kind. A field that is missed by its name is added: ports tell so what they read.
fn try_kind(task: &Task, used: &[Used], kind: &str, base: &[Map<String, Value>]) -> Result<(), String> {
    let config = task.config();
    let mut missed: Vec<String> = Vec::new();
    loop {
        let row = |number: usize| {
            let mut row = made(used, kind, number);
            for name in &missed {
                row.insert(name.clone(), word(name, if is_answer(name) { kind } else { "text" }, number));
            }
            row.extend(base.get(number % base.len().max(1)).cloned().unwrap_or_default());
            keep(config, &mut row);
            Question::from_json(&Value::Object(row).to_string())
        };
        let rows: Result<Vec<Question>, _> = (0..ROWS).map(row).collect();
        let outcome = rows.map_err(|error| error.to_string()).and_then(|rows| try_rows(task, &rows));
        let Err(reason) = outcome else { return Ok(()) };
        let name =
            reason.split_once("has no field '").and_then(|(_, rest)| rest.split_once('\'')).map(|(name, _)| name);
        match name {
            Some(name) if missed.len() < NAMED_MAX && !missed.iter().any(|known| known == name) => {
                missed.push(name.to_owned());
            }
            _ => return Err(reason),
        }
    }
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

/// A field that the templates read, and what they tell of it.
struct Used {
    name: String,
    /// The fields that are read of it.
    inner: Vec<String>,
    is_list: bool,
    is_answer: bool,
}

/// The fields that the templates read.
fn used(config: &Config) -> Vec<Used> {
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
    let mut names: BTreeSet<String> = BTreeSet::new();
    for text in &texts {
        if !text.is_empty() && text.chars().all(|character| character.is_alphanumeric() || character == '_') {
            names.insert((*text).to_owned());
        }
        let template = environment.template_from_str(text);
        names.extend(template.map(|template| template.undeclared_variables(false)).unwrap_or_default());
    }
    let whole = texts.join("\n");
    names.into_iter().map(|name| told(name, &whole)).collect()
}

/// What the templates tell of a field.
fn told(name: String, templates: &str) -> Used {
    let mut inner = found(&format!(r"\b{name}\.(\w+)\b(?!\()"), templates);
    inner.extend(found(&format!(r#"\b{name}\[['"](\w+)['"]\]"#), templates));
    let listed = format!(r"\b{name}\[\s*-?\d|\bin {name}\b|{name}\s*\|\s*(?:join|length|list)|\b{name}\.index");
    let is_choice =
        ["choices", "options", "endings", "candidates", "distractors"].iter().any(|part| name.contains(part));
    Used { is_list: is_choice || !found(&listed, templates).is_empty(), is_answer: is_answer(&name), inner, name }
}

fn is_answer(name: &str) -> bool {
    let name = name.to_lowercase();
    let answers = ["label", "answer", "gold", "target", "idx", "correct", "result", "class", "polarity", "impossible"];
    answers.iter().any(|part| name.contains(part))
}

/// A value of a kind.
fn word(name: &str, kind: &str, number: usize) -> Value {
    match kind {
        "number" => json!(number % 2),
        "digits" => json!((number % 2).to_string()),
        "place" => json!((number % 2 + 1).to_string()),
        "letter" => json!(["A", "B"][number % 2]),
        _ => json!(format!("It's {name} {number}.")),
    }
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
fn made(used: &[Used], kind: &str, number: usize) -> Map<String, Value> {
    // The same in every list, so that what is looked for in one is found.
    let list = || (0..4).map(|place| word(&format!("thing {place}"), "text", number)).collect::<Vec<_>>();
    let value = |field: &Used| {
        let Used { name, inner, is_list, is_answer } = field;
        if !inner.is_empty() {
            let of = |inner: &String| if kind == "letter" { word(inner, "text", number) } else { json!(list()) };
            Value::Object(inner.iter().map(|inner| (inner.clone(), of(inner))).collect())
        } else if *is_list {
            json!(list())
        } else {
            word(name, if *is_answer { kind } else { "text" }, number)
        }
    };
    used.iter().map(|field| (field.name.clone(), value(field))).collect()
}
