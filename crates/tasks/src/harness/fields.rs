//! Reading the keys of a mapping one by one, so that a key that nobody read can be named.

use serde_json::{Map, Value};

use super::yaml;
use crate::TaskError;

/// The keys of a mapping that were not read yet.
#[derive(Debug)]
pub(super) struct Fields {
    /// What stands before a key when it is named.
    prefix: &'static str,
    fields: Map<String, Value>,
}

impl Fields {
    pub(super) fn new(prefix: &'static str, fields: Map<String, Value>) -> Self {
        Self { prefix, fields }
    }

    pub(super) fn of(prefix: &'static str, value: Value) -> Result<Self, TaskError> {
        match value {
            Value::Object(fields) => Ok(Self::new(prefix, fields)),
            other => {
                Err(Self::new("", Map::new()).unsupported(prefix.trim_end_matches('.'), &other, "it is a mapping"))
            }
        }
    }

    pub(super) fn named(&self, key: &str) -> String {
        format!("{}{key}", self.prefix)
    }

    /// The value of a key; nothing if it is null.
    pub(super) fn take(&mut self, key: &str) -> Option<Value> {
        self.fields.shift_remove(key).filter(|value| !value.is_null())
    }

    /// A text; numbers and booleans are written as Python writes them.
    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, TaskError> {
        match self.take(key) {
            None => Ok(None),
            Some(value @ (Value::Array(_) | Value::Object(_))) => Err(self.refused(key, &value, "it is a text")),
            Some(value) => Ok(Some(crate::python::literal::text(&value))),
        }
    }

    /// A text or a list of them.
    pub(super) fn texts(&mut self, key: &str) -> Result<Option<Vec<String>>, TaskError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Array(items)) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
                Ok(Some(items.iter().map(crate::python::literal::text).collect()))
            }
            Some(value @ (Value::Array(_) | Value::Object(_))) => {
                Err(self.refused(key, &value, "it is a text or a list of texts"))
            }
            Some(value) => Ok(Some(vec![crate::python::literal::text(&value)])),
        }
    }

    pub(super) fn flag(&mut self, key: &str) -> Result<Option<bool>, TaskError> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(flag)),
            Some(Value::String(text)) if matches!(text.as_str(), "yes" | "Yes" | "YES" | "on" | "On") => Ok(Some(true)),
            Some(Value::String(text)) if matches!(text.as_str(), "no" | "No" | "NO" | "off" | "Off") => Ok(Some(false)),
            Some(value) => Err(self.refused(key, &value, "it is true or false")),
        }
    }

    pub(super) fn integer(&mut self, key: &str) -> Result<Option<i64>, TaskError> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => value.as_i64().map(Some).ok_or_else(|| self.refused(key, &value, "it is a whole number")),
        }
    }

    pub(super) fn count(&mut self, key: &str) -> Result<Option<usize>, TaskError> {
        match self.integer(key)? {
            None => Ok(None),
            Some(number) => usize::try_from(number)
                .map(Some)
                .map_err(|_| self.unsupported(key, &Value::from(number), "it is not below 0")),
        }
    }

    pub(super) fn number(&mut self, key: &str) -> Result<Option<f64>, TaskError> {
        match self.take(key) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or_else(|| self.refused(key, &value, "it is a number")),
        }
    }

    /// A mapping; empty if it is absent.
    pub(super) fn object(&mut self, key: &str) -> Result<Map<String, Value>, TaskError> {
        match self.take(key) {
            None => Ok(Map::new()),
            Some(value) if yaml::function(&value).is_some() => Err(self.refused(key, &value, "it is a mapping")),
            Some(Value::Object(fields)) => Ok(fields),
            Some(value) => Err(self.refused(key, &value, "it is a mapping")),
        }
    }

    /// Fails if a key is left: it would change what the task means.
    pub(super) fn finish(self) -> Result<(), TaskError> {
        match self.fields.iter().find(|(_, value)| !value.is_null()) {
            None => Ok(()),
            Some((key, value)) => Err(self.refused(key, value, "this key is not known")),
        }
    }

    /// A value that is not what it should be; a function is named as one.
    pub(super) fn refused(&self, key: &str, value: &Value, reason: &str) -> TaskError {
        match yaml::function(value) {
            Some(function) => TaskError::Function {
                key: self.named(key),
                function: function.to_owned(),
                reason: format!("a function of Python cannot stand here; {reason}"),
            },
            None => self.unsupported(key, value, reason),
        }
    }

    pub(super) fn unsupported(&self, key: &str, value: &Value, reason: &str) -> TaskError {
        let value = crate::python::literal::repr(value).chars().take(80).collect();
        TaskError::Unsupported { key: self.named(key), value, reason: reason.to_owned() }
    }
}
