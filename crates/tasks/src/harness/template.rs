//! Jinja templates as lm-evaluation-harness renders them: `StrictUndefined`, `keep_trailing_newline`, the filter
//! `regex_replace`, methods of Python's texts and lists, and values written as Python writes them.
//!
//! Steps, output and length are limited, and what makes much out of little is left out. Memory within a template is not
//! limited otherwise: the person who runs the evaluation chose the file.

use std::io::Write as _;
use std::sync::Arc;

use minijinja::value::{Enumerator, Object, ObjectRepr, Serde, Value as Any, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior};
use serde_json::{Map, Value};

use crate::TaskError;
use crate::error::within;
use crate::limits::{HARNESS_RENDERED_BYTES_MAX, HARNESS_TEMPLATE_STEPS_MAX, TEMPLATE_DEPTH_MAX};
use crate::prompt::{Capped, told};
use crate::python::literal;
use crate::python::regex::{compiled, substituted};

/// The templates of one task, by the key of the task file they stand at.
#[derive(Debug, Clone)]
pub(super) struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    pub(super) fn new() -> Self {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(crate::prompt::syntax());
        environment.set_fuel(Some(HARNESS_TEMPLATE_STEPS_MAX));
        environment.set_recursion_limit(TEMPLATE_DEPTH_MAX);
        environment.set_debug(false);
        environment.set_formatter(write_as_python);
        environment.set_unknown_method_callback(method);
        // What makes much out of a number, or doubles in a loop; no task file uses them.
        environment.remove_filter("indent");
        environment.remove_filter("format");
        environment.remove_global("namespace");
        environment.add_filter("regex_replace", regex_replace);
        environment.add_filter("string", |value: Any| python_text(&value));
        environment.add_filter("join", join);
        Self { environment }
    }

    /// Adds a template under a key.
    pub(super) fn add(&mut self, key: &str, source: &str) -> Result<(), TaskError> {
        let refused = |reason| TaskError::Template { key: key.to_owned(), reason };
        crate::prompt::check_tokens(source).map_err(refused)?;
        let added = self.environment.add_template_owned(key.to_owned(), source.to_owned());
        added.map_err(|error| TaskError::Template { key: key.to_owned(), reason: told(&error) })
    }

    /// Fills a template in with a document.
    pub(super) fn render(&self, key: &str, document: &Map<String, Value>) -> Result<String, TaskError> {
        let refused = |reason: String| TaskError::Render { key: key.to_owned(), reason };
        let template = self.environment.get_template(key).map_err(|error| refused(told(&error)))?;
        let mut rendered = Capped::new(HARNESS_RENDERED_BYTES_MAX);
        template.render_captured_to(context(document), &mut rendered).map_err(|error| refused(told(&error)))?;
        rendered.flush().map_err(|error| refused(error.to_string()))?;
        String::from_utf8(rendered.into_bytes()).map_err(|_| refused("it is not UTF-8 text".to_owned()))
    }

    /// The value of a template that is one `{{ expression }}`; else its text.
    pub(super) fn evaluate(&self, key: &str, document: &Map<String, Value>) -> Result<Value, TaskError> {
        let refused = |reason: String| TaskError::Render { key: key.to_owned(), reason };
        let template = self.environment.get_template(key).map_err(|error| refused(told(&error)))?;
        let Some(expression) = crate::prompt::expression_of(template.source()) else {
            return self.render(key, document).map(Value::String);
        };
        let expression = self.environment.compile_expression(expression).map_err(|error| refused(told(&error)))?;
        let value = expression.eval(context(document)).map_err(|error| refused(told(&error)))?;
        if value.is_undefined() {
            return Err(refused("the document has no such field".to_owned()));
        }
        let value = serde_json::to_value(&value).map_err(|error| refused(error.to_string()))?;
        within("a template's value in bytes", value.to_string().len(), HARNESS_RENDERED_BYTES_MAX)?;
        Ok(value)
    }
}

/// A mapping that keeps the order of its fields.
#[derive(Debug)]
struct Ordered(Map<String, Value>);

impl Object for Ordered {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Any) -> Option<Any> {
        self.0.get(key.as_str()?).map(any)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(self.0.keys().map(|key| Any::from(key.as_str())).collect())
    }
}

fn any(value: &Value) -> Any {
    match value {
        Value::Object(fields) => Any::from_object(Ordered(fields.clone())),
        Value::Array(items) => items.iter().map(any).collect(),
        other => Any::from(Serde(other)),
    }
}

fn context(document: &Map<String, Value>) -> Any {
    Any::from_object(Ordered(document.clone()))
}

fn python_text(value: &Any) -> String {
    match value.as_str() {
        Some(text) => text.to_owned(),
        None => serde_json::to_value(value).map_or_else(|_| value.to_string(), |value| literal::text(&value)),
    }
}

fn write_as_python(output: &mut Output<'_>, state: &mut State<'_, '_>, value: &Any) -> Result<(), Error> {
    if value.is_undefined() {
        // An `if` without `else` gives nothing, and everything else that is not there is an error.
        return minijinja::escape_formatter(output, state, value);
    }
    output.write_str(&python_text(value)).map_err(Error::from)
}

fn join(values: Any, joiner: Option<String>) -> Result<String, Error> {
    let texts: Vec<String> = values.try_iter()?.map(|value| python_text(&value)).collect();
    Ok(texts.join(&joiner.unwrap_or_default()))
}

fn regex_replace(text: String, pattern: String, replacement: String, count: Option<usize>) -> Result<String, Error> {
    let regex = compiled("regex_replace", &pattern);
    let regex = regex.map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))?;
    let most = count.filter(|count| *count > 0).unwrap_or(usize::MAX);
    Ok(substituted(&regex, &text, &replacement, most))
}

/// Methods of Python's values: those of the library, and `index`, which many tasks use and it has not.
fn method(state: &mut State<'_, '_>, value: &Any, name: &str, arguments: &[Any]) -> Result<Any, Error> {
    match (name, arguments) {
        ("index", [wanted]) => index(value, wanted),
        ("format", _) => Err(Error::new(ErrorKind::UnknownMethod, "the method 'format' is not supported")),
        _ => minijinja_contrib::pycompat::unknown_method_callback(state, value, name, arguments),
    }
}

fn index(value: &Any, wanted: &Any) -> Result<Any, Error> {
    let found = match (value.kind(), value.as_str(), wanted.as_str()) {
        (ValueKind::String, Some(text), Some(part)) => text.find(part).map(|place| text[..place].chars().count()),
        _ => value.try_iter()?.position(|item| item == *wanted),
    };
    let missing = || Error::new(ErrorKind::InvalidOperation, format!("{} is not in the list", python_text(wanted)));
    found.map(Any::from).ok_or_else(missing)
}
