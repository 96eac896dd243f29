//! Jinja templates as lm-evaluation-harness renders them: `StrictUndefined`, `keep_trailing_newline`, the filter
//! `regex_replace`, methods of Python's texts and lists, and values written as Python writes them.
//!
//! Steps, output and length are limited, and what makes much out of little is left out. Memory within a template is not
//! limited otherwise where the person who runs the evaluation chose the file; where a stranger wrote it, see `stranger`.

use std::io::{self, Write};
use std::sync::Arc;

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Enumerator, Object, ObjectRepr, Serde, Value as Any, ValueKind};
use minijinja::{Environment, Error, ErrorKind, Output, State, UndefinedBehavior};
use serde_json::{Map, Value};

use super::stranger;
use crate::TaskError;
use crate::error::within;
use crate::limits::{
    HARNESS_RENDERED_BYTES_MAX, HARNESS_TEMPLATE_STEPS_MAX, RENDERED_BYTES_MAX, TEMPLATE_DEPTH_MAX, TEMPLATE_STEPS_MAX,
    TEMPLATE_TAG_TOKENS_MAX, TEMPLATE_TAGS_MAX,
};
use crate::python::literal;
use crate::python::regex::{compiled, substituted};

/// Who wrote a task file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    /// Whoever runs the evaluation, or somebody whom they chose.
    Chosen,
    /// Anybody; the file runs in a process that keeps money.
    Stranger,
}

/// The templates of one task, by the key of the task file they stand at.
#[derive(Debug, Clone)]
pub(super) struct Templates {
    environment: Environment<'static>,
    author: Author,
}

impl Templates {
    pub(super) fn new(author: Author) -> Self {
        let (mut environment, steps) = match author {
            Author::Chosen => (chosen(), HARNESS_TEMPLATE_STEPS_MAX),
            Author::Stranger => (stranger::environment(), TEMPLATE_STEPS_MAX),
        };
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_syntax(syntax());
        environment.set_fuel(Some(steps));
        environment.set_recursion_limit(TEMPLATE_DEPTH_MAX);
        environment.set_debug(false);
        environment.set_formatter(write_as_python);
        environment.set_unknown_method_callback(method);
        environment.add_filter("string", |value: Any| python_text(&value));
        Self { environment, author }
    }

    /// Adds a template under a key.
    pub(super) fn add(&mut self, key: &str, source: &str) -> Result<(), TaskError> {
        let refused = |reason| TaskError::Template { key: key.to_owned(), reason };
        check_tokens(source).map_err(refused)?;
        if self.author == Author::Stranger {
            stranger::check(source).map_err(refused)?;
        }
        let added = self.environment.add_template_owned(key.to_owned(), source.to_owned());
        added.map_err(|error| TaskError::Template { key: key.to_owned(), reason: told(&error) })
    }

    /// Fills a template in with a document.
    pub(super) fn render(&self, key: &str, document: &Map<String, Value>) -> Result<String, TaskError> {
        let refused = |reason: String| TaskError::Render { key: key.to_owned(), reason };
        let template = self.environment.get_template(key).map_err(|error| refused(told(&error)))?;
        let mut rendered = Capped::new(match self.author {
            Author::Chosen => HARNESS_RENDERED_BYTES_MAX,
            Author::Stranger => RENDERED_BYTES_MAX,
        });
        template.render_captured_to(context(document), &mut rendered).map_err(|error| refused(told(&error)))?;
        rendered.flush().map_err(|error| refused(error.to_string()))?;
        String::from_utf8(rendered.into_bytes()).map_err(|_| refused("it is not UTF-8 text".to_owned()))
    }

    /// The value of a template that is one `{{ expression }}`; else its text.
    pub(super) fn evaluate(&self, key: &str, document: &Map<String, Value>) -> Result<Value, TaskError> {
        let refused = |reason: String| TaskError::Render { key: key.to_owned(), reason };
        let template = self.environment.get_template(key).map_err(|error| refused(told(&error)))?;
        let Some(expression) = expression_of(template.source()) else {
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

/// What templates may use that the person who runs the evaluation chose.
fn chosen() -> Environment<'static> {
    let mut environment = Environment::new();
    // What makes much out of a number, or doubles in a loop; no task file uses them.
    environment.remove_filter("indent");
    environment.remove_filter("format");
    environment.remove_global("namespace");
    environment.add_filter("regex_replace", regex_replace);
    environment.add_filter("join", join);
    environment
}

pub(super) fn syntax() -> SyntaxConfig {
    // The delimiters are the usual ones, so building cannot fail; if it did, the usual ones would be returned anyway.
    SyntaxConfig::builder().keep_trailing_newline(true).build().unwrap_or_default()
}

/// The expression of a template that is nothing else.
fn expression_of(source: &str) -> Option<&str> {
    let inner = source.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    (!inner.contains("{{") && !inner.contains("}}")).then_some(inner)
}

/// Whether a template is short enough to be parsed: the parser calls itself for some operators, so a long row of them
/// would overflow the stack.
fn check_tokens(source: &str) -> Result<(), String> {
    let (mut tags, mut tokens) = (0, 0);
    for token in tokenize(source, false, syntax()) {
        match token.map_err(|error| told(&error))?.0 {
            Token::VariableStart | Token::BlockStart => {
                tags += 1;
                tokens = 0;
            }
            _ => tokens += 1,
        }
        if tags > TEMPLATE_TAGS_MAX || tokens > TEMPLATE_TAG_TOKENS_MAX {
            return Err(format!(
                "it has more than {TEMPLATE_TAGS_MAX} tags, or {TEMPLATE_TAG_TOKENS_MAX} words in one"
            ));
        }
    }
    Ok(())
}

/// What went wrong, in one line.
pub(super) fn told(error: &Error) -> String {
    let text = error.to_string();
    let mut cause = std::error::Error::source(error);
    let mut line = text.lines().next().unwrap_or_default().to_owned();
    while let Some(inner) = cause {
        line.push_str(": ");
        line.push_str(&inner.to_string());
        cause = inner.source();
    }
    line
}

/// A buffer that takes no more than it was made for.
struct Capped {
    bytes: Vec<u8>,
    most: usize,
}

impl Capped {
    fn new(most: usize) -> Self {
        Self { bytes: Vec::new(), most }
    }

    fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

impl Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most {
            return Err(io::Error::other(format!("the text is longer than {} bytes", self.most)));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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

pub(super) fn python_text(value: &Any) -> String {
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
