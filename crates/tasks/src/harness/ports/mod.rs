//! Functions of Python that task files name with `!function`, ported one by one. A function is known by its path in
//! lm-evaluation-harness, and, where its Python file can be read, by the hash of that file: another file of the same
//! name may do something else.

mod filters;
mod functions;

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::load::{Source, python_file};
use super::template::Templates;
use crate::TaskError;
use crate::python::literal;
use crate::question::hex;

pub(super) type Document = Map<String, Value>;

/// A file of lm-evaluation-harness whose functions were ported.
struct PortedFile {
    /// Its path behind the folder of the tasks, without `.py`.
    path: &'static str,
    /// The SHA-256 of the file.
    sha256: &'static str,
    functions: &'static [(&'static str, Function)],
}

/// Named values of a document, or why there are none.
type Results = Result<Vec<(&'static str, f64)>, String>;

#[derive(Clone, Copy)]
enum Function {
    /// New fields of a document.
    Fields(fn(&Document) -> Result<Document, String>),
    /// A text, a target or a list of choices.
    Value(fn(&Document) -> Result<Value, String>),
    /// Named values of a document from the log-likelihoods of its choices.
    Results(fn(&Document, &[f64]) -> Results),
}

/// A ported function that makes a text, a target or a list of choices.
#[derive(Clone, Copy)]
pub struct ValuePort {
    name: &'static str,
    function: fn(&Document) -> Result<Value, String>,
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

impl std::fmt::Debug for FieldsPort {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("FieldsPort").field(&self.name).finish()
    }
}

impl ValuePort {
    pub(super) fn value(&self, document: &Document) -> Result<Value, TaskError> {
        (self.function)(document).map_err(|reason| TaskError::Render { key: self.name.to_owned(), reason })
    }
}

impl ResultsPort {
    pub(super) fn results(&self, document: &Document, values: &[f64]) -> Result<Vec<(&'static str, f64)>, TaskError> {
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
            Self::Filter { field, equals } => {
                Ok(documents.into_iter().filter(|document| document.get(field) == Some(equals)).collect())
            }
            Self::Declared { filter, map } => {
                let kept = |document: &Document| filter.iter().all(|(field, value)| document.get(field) == Some(value));
                let mut templates = Templates::new();
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

/// The port of a function, if its file is the one that was ported.
fn find(key: &str, function: &str, source: &dyn Source) -> Result<(&'static str, Function), TaskError> {
    let refused = |reason: String| TaskError::Function { key: key.to_owned(), function: function.to_owned(), reason };
    let (python, name) = python_file(function).unwrap_or_default();
    let is_at = |file: &&PortedFile| python.strip_suffix(".py").is_some_and(|path| is_behind(path, file.path));
    let ported = functions::FILES.iter().find(is_at);
    let ported =
        ported.and_then(|file| file.functions.iter().find(|(known, _)| *known == name).map(|port| (file, port)));
    let Some((file, (known, port))) = ported else {
        let files: Vec<&str> = functions::FILES.iter().map(|file| file.path).collect();
        return Err(refused(format!("it is Python; ported are functions of {}", files.join(", "))));
    };
    if let Some(text) = source.read(&python)
        && hex(&Sha256::digest(text.as_bytes())) != file.sha256
    {
        return Err(refused(format!("'{python}' is not the file that was ported, so it may do something else")));
    }
    Ok((known, *port))
}

/// Whether a path is another one, or that one in some folder.
fn is_behind(path: &str, end: &str) -> bool {
    path.strip_suffix(end).is_some_and(|folder| folder.is_empty() || folder.ends_with('/'))
}

fn wrong_kind(key: &str, function: &str) -> TaskError {
    let reason = "this function was ported for another key".to_owned();
    TaskError::Function { key: key.to_owned(), function: function.to_owned(), reason }
}

pub(super) fn value(key: &str, function: &str, source: &dyn Source) -> Result<ValuePort, TaskError> {
    match find(key, function, source)? {
        (name, Function::Value(function)) => Ok(ValuePort { name, function }),
        _ => Err(wrong_kind(key, function)),
    }
}

pub(super) fn results(key: &str, function: &str, source: &dyn Source) -> Result<ResultsPort, TaskError> {
    match find(key, function, source)? {
        (name, Function::Results(function)) => Ok(ResultsPort { name, function }),
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
    match find(key, function, source)? {
        (name, Function::Fields(function)) => Ok(ProcessDocs::Fields(FieldsPort { name, function })),
        _ => Err(wrong_kind(key, function)),
    }
}
