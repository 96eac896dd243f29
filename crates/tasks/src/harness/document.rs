//! From a document to its text, its target and its choices.

use std::collections::BTreeSet;

use serde_json::Value;

use super::config::{Config, FewShotConfig, FieldSource};
use super::ports::{Document, ValuePort};
use super::template::Templates;
use crate::TaskError;
use crate::error::within;
use crate::limits::HARNESS_CHOICES_MAX;
use crate::python::literal;

/// A field source, ready to be used.
#[derive(Debug, Clone)]
enum Made {
    Template { key: String, source: String },
    Constant(Value),
    Port(ValuePort),
}

/// How documents are written: once for the one that is evaluated, and once for few-shot examples.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    text: Made,
    target: Made,
    choice: Option<Made>,
    gen_prefix: Option<Made>,
    /// Whether the task has choices: then a text of digits is a number.
    has_choices: bool,
}

impl Writer {
    /// For the documents that are evaluated.
    pub(super) fn new(templates: &mut Templates, config: &Config) -> Result<Self, TaskError> {
        let prefix = config.gen_prefix.as_ref();
        Ok(Self {
            text: made(templates, "doc_to_text", &config.doc_to_text)?,
            target: made(templates, "doc_to_target", &config.doc_to_target)?,
            choice: config.doc_to_choice.as_ref().map(|source| made(templates, "doc_to_choice", source)).transpose()?,
            gen_prefix: prefix.map(|source| template(templates, "gen_prefix", source)).transpose()?,
            has_choices: config.doc_to_choice.is_some(),
        })
    }

    /// For few-shot examples.
    pub(super) fn few_shot(
        templates: &mut Templates,
        config: &FewShotConfig,
        has_choices: bool,
    ) -> Result<Self, TaskError> {
        let prefix = config.gen_prefix.as_ref();
        let choice = config.doc_to_choice.as_ref();
        Ok(Self {
            text: made(templates, "fewshot_config.doc_to_text", &config.doc_to_text)?,
            target: made(templates, "fewshot_config.doc_to_target", &config.doc_to_target)?,
            choice: choice.map(|source| made(templates, "fewshot_config.doc_to_choice", source)).transpose()?,
            gen_prefix: prefix.map(|source| template(templates, "fewshot_config.gen_prefix", source)).transpose()?,
            has_choices,
        })
    }

    /// The text: mostly a string. A number is that of the choice that is a context of its own.
    pub(super) fn text(&self, source: &Reading<'_>) -> Result<Value, TaskError> {
        self.text.value(source, |rendered| {
            if self.has_choices {
                number(&rendered).unwrap_or(Value::String(rendered))
            } else {
                Value::String(rendered)
            }
        })
    }

    /// The target: a string, the number of a choice, or a list of either.
    pub(super) fn target(&self, source: &Reading<'_>) -> Result<Value, TaskError> {
        self.target.value(source, |rendered| {
            let list = rendered.len() >= 2 && rendered.starts_with('[') && rendered.ends_with(']');
            let value = if self.has_choices { number(&rendered) } else { None };
            let value = value.or_else(|| if list { literal::evaluate(&rendered) } else { None });
            value.unwrap_or(Value::String(rendered))
        })
    }

    /// The choices; empty if the task has none.
    pub(super) fn choices(&self, source: &Reading<'_>) -> Result<Vec<String>, TaskError> {
        let Some(choice) = &self.choice else { return Ok(Vec::new()) };
        let refused = |reason: String| TaskError::Render { key: "doc_to_choice".to_owned(), reason };
        let value = choice.value(source, |rendered| literal::evaluate(&rendered).unwrap_or(Value::String(rendered)))?;
        match value {
            Value::Array(choices) => {
                within("doc_to_choice in choices", choices.len(), HARNESS_CHOICES_MAX)?;
                Ok(choices.iter().map(literal::text).collect())
            }
            other => {
                let shown: String = literal::repr(&other).chars().take(80).collect();
                Err(refused(format!("it is {shown} and not a list")))
            }
        }
    }

    /// What the answer begins with; empty if nothing.
    pub(super) fn gen_prefix(&self, source: &Reading<'_>) -> Result<String, TaskError> {
        match &self.gen_prefix {
            None => Ok(String::new()),
            Some(prefix) => Ok(literal::text(&prefix.value(source, Value::String)?)),
        }
    }
}

/// A document, with what is needed to read it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) templates: &'a Templates,
    pub(super) document: &'a Document,
    /// The names of the columns: a template that is one of them stands for the field.
    pub(super) columns: &'a BTreeSet<String>,
}

impl Made {
    fn value(&self, reading: &Reading<'_>, read: impl FnOnce(String) -> Value) -> Result<Value, TaskError> {
        match self {
            Self::Constant(value) => Ok(value.clone()),
            Self::Port(port) => port.value(reading.document),
            Self::Template { key, source } if reading.columns.contains(source) => {
                let field = reading.document.get(source).cloned();
                field.ok_or_else(|| TaskError::Render {
                    key: key.clone(),
                    reason: format!("the document has no field '{source}'"),
                })
            }
            Self::Template { key, .. } => reading.templates.render(key, reading.document).map(read),
        }
    }
}

fn made(templates: &mut Templates, key: &str, source: &FieldSource) -> Result<Made, TaskError> {
    match source {
        FieldSource::Template(source) => template(templates, key, source),
        FieldSource::Constant(value) => Ok(Made::Constant(value.clone())),
        FieldSource::Port(port) => Ok(Made::Port(port.clone())),
    }
}

fn template(templates: &mut Templates, key: &str, source: &str) -> Result<Made, TaskError> {
    templates.add(key, source)?;
    Ok(Made::Template { key: key.to_owned(), source: source.to_owned() })
}

/// The number that a text of digits is.
fn number(rendered: &str) -> Option<Value> {
    let digits = !rendered.is_empty() && rendered.bytes().all(|byte| byte.is_ascii_digit());
    if digits { literal::evaluate(rendered) } else { None }
}
