//! Rows for a task whose dataset is not here: which fields it reads is seen from its own templates and functions, and each
//! gets a value of a kind that may suit it. What a ported function reads is not seen there, so the rows that its port is
//! tested with are tried, too.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::rc::Rc;

use fancy_regex::Regex;
use minijinja::Environment;
use serde_json::{Map, Value, json};
use tasks::Question;
use tasks::harness::{Config, FieldSource, Options, ProcessDocs, Request, Splits, Task};

/// Rows of a split: enough to draw examples from.
const ROWS: usize = 12;
/// Documents that are rendered.
const RENDERED: usize = 3;
/// Made-up rows that are tried for one task.
const TRIES_MAX: usize = 150;
/// Fields that are added because a function names them.
const NAMED_MAX: usize = 40;
/// Texts of the task's own that are tried as what is to be answered.
const WORDS_MAX: usize = 100;
/// Those that are tried for all that is to be answered.
const WORDS_FOR_ALL_MAX: usize = 12;

/// What may be to answer.
#[derive(Clone)]
enum Kind {
    Text,
    /// A number from 0.
    Number,
    Digits,
    /// The same from 1.
    Place,
    Letter,
    /// One of the texts that stand in lists.
    Choice,
    Flag,
    /// A text that the task itself names.
    Named(String),
}

const KINDS: [Kind; 7] = [Kind::Text, Kind::Number, Kind::Digits, Kind::Place, Kind::Letter, Kind::Choice, Kind::Flag];

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

/// Renders the first documents of a task with made-up rows; the first reason why that did not go. `python` gives the text
/// of the functions that are beside it.
pub(crate) fn render(
    task: &Task,
    python: &dyn Fn() -> String,
    of_ports: &[Vec<Map<String, Value>>],
) -> Result<(), String> {
    let config = task.config();
    let uses_function =
        matches!(config.process_docs, Some(ProcessDocs::Fields(_) | ProcessDocs::Keeps(_) | ProcessDocs::Script(_)))
            || [Some(&config.doc_to_text), Some(&config.doc_to_target), config.doc_to_choice.as_ref()]
                .into_iter()
                .flatten()
                .any(|source| matches!(source, FieldSource::Port(_)));
    let source = Source::new(config, &if uses_function { python() } else { String::new() });
    let mut first = None;
    let mut tries = TRIES_MAX;
    let none = [Vec::new()];
    for base in none.iter().chain(if uses_function { of_ports } else { &[] }) {
        let named: Vec<Kind> = if base.is_empty() {
            source.words.iter().take(WORDS_FOR_ALL_MAX).cloned().map(Kind::Named).collect()
        } else {
            Vec::new()
        };
        for kind in KINDS.into_iter().chain(named) {
            let both: &[bool] = if base.is_empty() && source.has_inner() { &[true, false] } else { &[true] };
            for inner_lists in both.iter().copied() {
                match try_kind(task, &source, &kind, inner_lists, base, &mut tries) {
                    Ok(()) => return Ok(()),
                    Err(reason) => drop(first.get_or_insert(reason)),
                }
            }
        }
    }
    Err(first.unwrap_or_else(|| "it has no split".to_owned()))
}

/// Tries rows of one kind. A field that is missed by its name is added: functions tell so what they read.
fn try_kind(
    task: &Task,
    source: &Source,
    kind: &Kind,
    inner_lists: bool,
    base: &[Map<String, Value>],
    tries: &mut usize,
) -> Result<(), String> {
    let config = task.config();
    let mut missed: Vec<Rc<Used>> = Vec::new();
    // Fields that must have one of the task's own words, and which of them is tried.
    let mut worded: BTreeMap<String, usize> = BTreeMap::new();
    while *tries > 0 {
        *tries -= 1;
        let row = |number: usize| {
            let fields = source.used.iter().chain(&missed);
            let mut row: Map<String, Value> =
                fields.map(|field| (field.name.clone(), field.value(kind, inner_lists, number))).collect();
            row.extend(worded.iter().map(|(name, place)| (name.clone(), json!(source.words.get(*place)))));
            row.extend(base.get(number % base.len().max(1)).cloned().unwrap_or_default());
            keep(config, &mut row);
            Question::from_json(&Value::Object(row).to_string())
        };
        let rows: Result<Vec<Question>, _> = (0..ROWS).map(row).collect();
        let outcome = rows.map_err(|error| error.to_string()).and_then(|rows| try_rows(task, &rows));
        let Err(reason) = outcome else { return Ok(()) };
        if reason.contains("steps") {
            // Another row of the same shape takes as long.
            *tries = 0;
        }
        if base.is_empty() && source.turn(&reason, &mut worded) {
            continue;
        }
        let name =
            reason.split_once("has no field '").and_then(|(_, rest)| rest.split_once('\'')).map(|(name, _)| name);
        match name {
            Some(name) if missed.len() < NAMED_MAX && !missed.iter().any(|known| known.name == name) => {
                missed.push(source.told(name));
            }
            _ => return Err(reason),
        }
    }
    Err("too many made-up rows were tried".to_owned())
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
        Some(ProcessDocs::Keeps(port)) => drop(row.insert("Subject".to_owned(), json!(port.argument()))),
        _ => {}
    }
}

/// What the templates and functions of a task tell.
struct Source {
    /// All of them.
    whole: String,
    /// The fields that the templates read.
    used: Vec<Rc<Used>>,
    /// What is told of fields that they do not read.
    others: RefCell<BTreeMap<String, Rc<Used>>>,
    /// The texts that they name.
    words: Vec<String>,
}

impl Source {
    fn new(config: &Config, python: &str) -> Self {
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
        let mut words: Vec<String> = Vec::new();
        for source in sources.into_iter().flatten() {
            match source {
                FieldSource::Template(text) => texts.push(text),
                FieldSource::Constant(Value::Array(items)) => {
                    texts.extend(items.iter().filter_map(Value::as_str));
                    words.extend(items.iter().filter_map(Value::as_str).map(str::to_owned));
                }
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
        for pattern in [r#""([^"\n{}]{1,40})""#, r"'([^'\n{}]{1,40})'"] {
            words.extend(found(pattern, &whole));
        }
        let whole = format!("{whole}\n{python}");
        words.extend(found(r#"["']([^"'\n]{1,40})["']\s*[:,\]]"#, python));
        let mut known = BTreeSet::new();
        words.retain(|word| known.insert(word.clone()));
        words.truncate(WORDS_MAX);
        let used = names.into_iter().map(|name| Rc::new(Used::told(name, &whole))).collect();
        Self { whole, used, words, others: RefCell::default() }
    }
}

impl Source {
    /// Takes the next word for the field whose value was looked for in vain, by what a function says of it.
    fn turn(&self, reason: &str, worded: &mut BTreeMap<String, usize>) -> bool {
        if !reason.contains("is not in list") && !reason.contains("has no field") {
            return false;
        }
        if let Some(name) = found(r"It's (.+?) \d+\.", reason).pop() {
            return worded.insert(name, 0).is_none() && !self.words.is_empty();
        }
        let tried = |place: &usize| self.words.get(*place).is_some_and(|word| reason.contains(&format!("'{word}'")));
        match worded.values_mut().find(|place| tried(place)) {
            Some(place) if *place + 1 < self.words.len() => {
                *place += 1;
                true
            }
            _ => false,
        }
    }

    fn told(&self, name: &str) -> Rc<Used> {
        let told = || Rc::new(Used::told(name.to_owned(), &self.whole));
        Rc::clone(self.others.borrow_mut().entry(name.to_owned()).or_insert_with(told))
    }

    /// Whether fields may be read of a field.
    fn has_inner(&self) -> bool {
        self.used.iter().any(|field| !field.inner.is_empty() || field.is_answer && field.shape == Shape::List)
            || self.used.len() < 2
    }
}

/// A field that is read, and what is told of it.
struct Used {
    name: String,
    /// The fields that are read of it.
    inner: Vec<String>,
    shape: Shape,
    is_answer: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    List,
    /// The text of a list, as Python writes it.
    Literal,
    Digits,
}

impl Used {
    /// What templates and functions tell of a field.
    fn told(name: String, whole: &str) -> Self {
        let escaped = fancy_regex::escape(&name);
        // As templates and as functions name it.
        let field = format!(r#"(?:\b{escaped}\b|\w+\[["']{escaped}["']\])"#);
        let mut inner = found(&format!(r"\b{escaped}\.(\w+)\b(?!\()"), whole);
        inner.extend(found(&format!(r#"{field}\[['"](\w+)['"]\]"#), whole));
        let is = |pattern: String| !found(&pattern, whole).is_empty();
        let is_choice =
            ["choices", "options", "endings", "candidates", "distractors"].iter().any(|part| name.contains(part));
        let shape = if is(format!(r"literal_eval\({field}\)")) {
            Shape::Literal
        } else if is(format!(r"\bint\({field}\)")) {
            Shape::Digits
        } else if is_choice
            || is(format!(
                r"{field}\[\s*-?\d|\bin {field}(?:\s*[\]%:)-]|$)|(?:len|enumerate|zip)\({field}|{field}\s*\|\s*(?:join|length|list)|{field}\.index"
            ))
        {
            Shape::List
        } else {
            Shape::Text
        };
        Self { is_answer: is_answer(&name), inner, shape, name }
    }

    fn value(&self, kind: &Kind, inner_lists: bool, number: usize) -> Value {
        // The same in every list, so that what is looked for in one is found.
        let count = if matches!(kind, Kind::Number | Kind::Letter) { 5 } else { 4 };
        let list = || (0..count).map(|place| text(&format!("thing {place}"), number)).collect::<Vec<_>>();
        if !self.inner.is_empty() {
            let of = |inner: &String| match kind {
                _ if !inner_lists => text(inner, number),
                Kind::Letter if is_answer(inner) => json!(["A", "B", "C", "D"]),
                Kind::Number if is_answer(inner) => json!([1, 0, 0, 1]),
                _ => json!(list()),
            };
            return Value::Object(self.inner.iter().map(|inner| (inner.clone(), of(inner))).collect());
        }
        match self.shape {
            Shape::Literal => json!("['one', 'two', 'it\\'s three', 'four']"),
            Shape::Digits => json!((number % 2 + 1).to_string()),
            Shape::List if self.is_answer && inner_lists => json!([answer(&self.name, kind, number)]),
            Shape::List => json!(list()),
            Shape::Text if self.is_answer => answer(&self.name, kind, number),
            Shape::Text => text(&self.name, number),
        }
    }
}

fn is_answer(name: &str) -> bool {
    let name = name.to_lowercase();
    let answers = [
        "label",
        "answer",
        "gold",
        "target",
        "idx",
        "correct",
        "result",
        "class",
        "polarity",
        "impossible",
        "key",
        "solution",
        "index",
        "output",
        "is_",
    ];
    answers.iter().any(|part| name.contains(part))
}

fn text(name: &str, number: usize) -> Value {
    json!(format!("It's {name} {number}."))
}

/// What is to be answered.
fn answer(name: &str, kind: &Kind, number: usize) -> Value {
    match kind {
        Kind::Text => text(name, number),
        Kind::Number => json!(number % 2),
        Kind::Digits => json!((number % 2).to_string()),
        Kind::Place => json!((number % 2 + 1).to_string()),
        Kind::Letter => json!(["A", "B"][number % 2]),
        Kind::Choice => text("thing 1", number),
        Kind::Flag => json!(number.is_multiple_of(2)),
        Kind::Named(word) => json!(word),
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
