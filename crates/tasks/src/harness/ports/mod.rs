//! Functions of Python that task files name with `!function`. Some were ported one by one: where its Python file can be
//! read, such a function is known by the hash of that file, because another file of the same name may do something else;
//! else by its path in lm-evaluation-harness. Others are run from their file, if all that they use is understood.

mod familiar;
mod filters;
mod functions;
mod multilingual;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::load::{Source, python_file};
use super::score::Score;
use super::template::{Author, Templates};
use crate::TaskError;
use crate::python::literal;
use crate::python::script::Script;
use crate::question::hex;

pub(super) type Document = Map<String, Value>;

/// A file of lm-evaluation-harness whose functions were ported.
struct PortedFile {
    /// Its path behind the folder of the tasks, without `.py`.
    path: &'static str,
    /// The SHA-256 of the file.
    sha256: &'static str,
    /// Each function by its name; one that ends with `*` is a family of functions that differ in the rest of it.
    functions: &'static [(&'static str, Function)],
}

/// Named values of a document, or why there are none.
type Results = Result<Vec<(&'static str, Score)>, String>;

#[derive(Clone, Copy)]
enum Function {
    /// New fields of a document.
    Fields(fn(&Document) -> Result<Document, String>),
    /// A text, a target or a list of choices.
    Value(fn(&Document) -> Result<Value, String>),
    /// The same, with the words of a language, which stand in another Python file.
    Worded(fn(&Document, &[String]) -> Result<Value, String>),
    /// Whether a document is kept; with the rest of the function's name.
    Keeps(fn(&Document, &str) -> Result<bool, String>),
    /// Named values of a document from the log-likelihoods of its choices.
    Results(fn(&Document, &[f64]) -> Results),
}

/// A function that makes a text, a target or a list of choices.
#[derive(Clone)]
pub struct ValuePort {
    name: String,
    function: ValueFunction,
}

#[derive(Clone)]
enum ValueFunction {
    Plain(fn(&Document) -> Result<Value, String>),
    Worded(fn(&Document, &[String]) -> Result<Value, String>, Vec<String>),
    Script(Script),
}

/// A function that is run over the rows of a split.
#[derive(Debug, Clone)]
pub struct RowsScript {
    name: String,
    script: Script,
}

/// A ported function that keeps some documents.
#[derive(Clone)]
pub struct KeepsPort {
    name: &'static str,
    function: fn(&Document, &str) -> Result<bool, String>,
    argument: String,
}

/// A ported function that judges a document.
#[derive(Clone, Copy)]
pub struct ResultsPort {
    name: &'static str,
    function: fn(&Document, &[f64]) -> Results,
}

/// A ported function that gives a document new fields.
#[derive(Clone, Copy)]
pub struct FieldsPort {
    name: &'static str,
    function: fn(&Document) -> Result<Document, String>,
}

impl std::fmt::Debug for ValuePort {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("ValuePort").field(&self.name).finish()
    }
}

impl std::fmt::Debug for ResultsPort {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("ResultsPort").field(&self.name).finish()
    }
}

impl std::fmt::Debug for KeepsPort {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("KeepsPort").field(&self.name).field(&self.argument).finish()
    }
}

impl std::fmt::Debug for FieldsPort {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("FieldsPort").field(&self.name).finish()
    }
}

impl KeepsPort {
    /// The rest of the function's name, which says what is kept.
    pub fn argument(&self) -> &str {
        &self.argument
    }
}

impl ValuePort {
    pub(super) fn value(&self, document: &Document) -> Result<Value, TaskError> {
        let value = match &self.function {
            ValueFunction::Plain(function) => function(document),
            ValueFunction::Worded(function, words) => function(document, words),
            ValueFunction::Script(script) => script.value(document),
        };
        value.map_err(|reason| TaskError::Render { key: self.name.clone(), reason })
    }
}

impl ResultsPort {
    pub(super) fn results(&self, document: &Document, values: &[f64]) -> Result<Vec<(&'static str, Score)>, TaskError> {
        (self.function)(document, values).map_err(|reason| TaskError::Score { what: self.name.to_owned(), reason })
    }
}

/// What is done to the documents of a split before anything else.
#[derive(Debug, Clone)]
pub enum ProcessDocs {
    /// Each document gets new fields.
    Fields(FieldsPort),
    /// Only documents whose field has a value are kept.
    Filter {
        /// The field.
        field: String,
        /// Its value.
        equals: Value,
    },
    /// Some documents are kept.
    Keeps(KeepsPort),
    /// Whatever a function does to them.
    Script(RowsScript),
    /// The declarative form: `{filter: {field: value}, map: {field: template}}`. First the filter, then the map. A text
    /// in the map is a template, of which one `{{ expression }}` keeps its kind of value; a list is filled in item by
    /// item.
    Declared {
        /// The values that fields must have.
        filter: Map<String, Value>,
        /// The new fields.
        map: Map<String, Value>,
    },
}

impl ProcessDocs {
    pub(super) fn declared(key: &str, value: &Value) -> Result<Self, TaskError> {
        let refused = |reason: &str| TaskError::Unsupported {
            key: key.to_owned(),
            value: literal::repr(value).chars().take(80).collect(),
            reason: reason.to_owned(),
        };
        let Value::Object(fields) = value else { return Err(refused("it is a function, or {filter: ..., map: ...}")) };
        let part = |name: &str| match fields.get(name) {
            None => Ok(Map::new()),
            Some(Value::Object(part)) => Ok(part.clone()),
            Some(_) => Err(refused("'filter' and 'map' are mappings of fields to values")),
        };
        if fields.keys().any(|name| name != "filter" && name != "map") {
            return Err(refused("there is 'filter' and 'map'"));
        }
        Ok(Self::Declared { filter: part("filter")?, map: part("map")? })
    }

    /// The documents of a split as the task sees them.
    pub(super) fn apply(&self, documents: Vec<Document>) -> Result<Vec<Document>, TaskError> {
        match self {
            Self::Fields(port) => documents.into_iter().map(|document| port.extended(document)).collect(),
            Self::Keeps(port) => {
                let mut kept = Vec::new();
                for document in documents {
                    let keeps = (port.function)(&document, &port.argument);
                    if keeps.map_err(|reason| TaskError::Render { key: port.name.to_owned(), reason })? {
                        kept.push(document);
                    }
                }
                Ok(kept)
            }
            Self::Script(RowsScript { name, script }) => {
                let made = script.rows(documents);
                made.map_err(|reason| TaskError::Render { key: name.clone(), reason })
            }
            Self::Filter { field, equals } => {
                Ok(documents.into_iter().filter(|document| document.get(field) == Some(equals)).collect())
            }
            Self::Declared { filter, map } => {
                let kept = |document: &Document| filter.iter().all(|(field, value)| document.get(field) == Some(value));
                let mut templates = Templates::new(Author::Chosen);
                map.iter().try_for_each(|(field, value)| add(&mut templates, &map_key(field), value))?;
                documents.into_iter().filter(kept).map(|document| mapped(&templates, map, document)).collect()
            }
        }
    }
}

impl FieldsPort {
    fn extended(&self, mut document: Document) -> Result<Document, TaskError> {
        let new = (self.function)(&document);
        let new = new.map_err(|reason| TaskError::Render { key: self.name.to_owned(), reason })?;
        document.extend(new);
        Ok(document)
    }
}

fn map_key(field: &str) -> String {
    format!("process_docs.map.{field}")
}

fn add(templates: &mut Templates, key: &str, value: &Value) -> Result<(), TaskError> {
    match value {
        Value::String(source) => templates.add(key, source),
        Value::Array(items) => {
            items.iter().enumerate().try_for_each(|(place, item)| add(templates, &format!("{key}.{place}"), item))
        }
        _ => Ok(()),
    }
}

fn mapped(templates: &Templates, map: &Map<String, Value>, mut document: Document) -> Result<Document, TaskError> {
    for (field, value) in map {
        let new = filled(templates, &map_key(field), value, &document)?;
        document.insert(field.clone(), new);
    }
    Ok(document)
}

fn filled(templates: &Templates, key: &str, value: &Value, document: &Document) -> Result<Value, TaskError> {
    match value {
        Value::String(_) => templates.evaluate(key, document),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.map(|(place, item)| filled(templates, &format!("{key}.{place}"), item, document)).collect()
        }
        other => Ok(other.clone()),
    }
}

/// What was found for a function: its name here, what it does, and the rest of its name if it is one of a family.
type Found<'f> = (&'static str, Function, &'f str);

/// The port of a function, if its file is one that was ported.
fn find<'f>(key: &str, function: &'f str, source: &dyn Source) -> Result<Found<'f>, TaskError> {
    let refused = |reason: String| TaskError::Function { key: key.to_owned(), function: function.to_owned(), reason };
    let (python, name) = python_file(function).unwrap_or_default();
    let hash = source.read(&python).map(|text| hex(&Sha256::digest(text.as_bytes())));
    let at_path = |file: &&PortedFile| python.strip_suffix(".py").is_some_and(|path| is_behind(path, file.path));
    let all = || functions::FILES.iter().chain(familiar::FILES).chain(multilingual::FILES);
    let file = match &hash {
        Some(hash) => all().find(|file| file.sha256 == hash),
        None => all().find(at_path),
    };
    let named = |known: &str| match known.strip_suffix('*') {
        Some(family) => name.strip_prefix(family),
        None => (name == known).then_some(""),
    };
    let port = file.and_then(|file| {
        file.functions.iter().find_map(|(known, port)| named(known).map(|rest| (*known, *port, rest)))
    });
    port.ok_or_else(|| {
        if hash.is_some() && all().any(|file| at_path(&file)) {
            return refused(format!("'{python}' is not the file that was ported, so it may do something else"));
        }
        let files: Vec<&str> = all().map(|file| file.path).collect();
        refused(format!("it is Python; ported are functions of {}", files.join(", ")))
    })
}

/// Whether a path is another one, or that one in a folder of tasks.
fn is_behind(path: &str, end: &str) -> bool {
    path.strip_suffix(end).is_some_and(|folder| folder.is_empty() || folder == "tasks/" || folder.ends_with("/tasks/"))
}

/// The function out of its Python file; `unported` says why it is not one that was ported.
fn script(
    key: &str,
    function: &str,
    source: &dyn Source,
    unported: TaskError,
    for_rows: bool,
) -> Result<(String, Script), TaskError> {
    let file = python_file(function).and_then(|(python, name)| Some((source.read(&python)?, name)));
    let Some((text, name)) = file else { return Err(unported) };
    let script = Script::read(&text, name, for_rows).map_err(|reason| TaskError::Function {
        key: key.to_owned(),
        function: function.to_owned(),
        reason: format!("it is Python, of which a part is understood here: {reason}"),
    })?;
    Ok((name.to_owned(), script))
}

fn wrong_kind(key: &str, function: &str) -> TaskError {
    let reason = "this function was ported for another key".to_owned();
    TaskError::Function { key: key.to_owned(), function: function.to_owned(), reason }
}

pub(super) fn value(key: &str, function: &str, source: &dyn Source) -> Result<ValuePort, TaskError> {
    let found = match find(key, function, source) {
        Ok(found) => found,
        Err(unported) => {
            let (name, script) = script(key, function, source, unported, false)?;
            return Ok(ValuePort { name, function: ValueFunction::Script(script) });
        }
    };
    match found {
        (name, Function::Value(port), _) => {
            Ok(ValuePort { name: name.to_owned(), function: ValueFunction::Plain(port) })
        }
        (name, Function::Worded(port), _) => {
            let words = multilingual::words(function, source).ok_or_else(|| TaskError::Function {
                key: key.to_owned(),
                function: function.to_owned(),
                reason: "the words of the language, which stand in lang_libs.py, cannot be read".to_owned(),
            })?;
            Ok(ValuePort { name: name.to_owned(), function: ValueFunction::Worded(port, words) })
        }
        _ => Err(wrong_kind(key, function)),
    }
}

pub(super) fn results(key: &str, function: &str, source: &dyn Source) -> Result<ResultsPort, TaskError> {
    match find(key, function, source)? {
        (name, Function::Results(function), _) => Ok(ResultsPort { name, function }),
        _ => Err(wrong_kind(key, function)),
    }
}

pub(super) fn process_docs(key: &str, function: &str, source: &dyn Source) -> Result<ProcessDocs, TaskError> {
    if let Some((python, name)) = python_file(function)
        && let Some(text) = source.read(&python)
        && let Some((field, equals)) = filters::equality(&text, name)
    {
        return Ok(ProcessDocs::Filter { field, equals });
    }
    let found = match find(key, function, source) {
        Ok(found) => found,
        Err(unported) => {
            let (name, script) = script(key, function, source, unported, true)?;
            return Ok(ProcessDocs::Script(RowsScript { name, script }));
        }
    };
    match found {
        (name, Function::Fields(function), _) => Ok(ProcessDocs::Fields(FieldsPort { name, function })),
        (name, Function::Keeps(function), rest) => {
            Ok(ProcessDocs::Keeps(KeepsPort { name, function, argument: rest.to_owned() }))
        }
        _ => Err(wrong_kind(key, function)),
    }
}
