//! `exact_match`: whether an answer is the right text, after what is to be passed over was taken out of both.

use serde_json::Value;

use super::super::fields::Fields;
use crate::TaskError;
use crate::python::literal;
use crate::python::regex::{compiled, substituted};

/// What `exact_match` passes over.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ExactMatch {
    /// Capital and small letters are the same.
    pub ignore_case: bool,
    /// ASCII punctuation.
    pub ignore_punctuation: bool,
    /// ASCII digits.
    pub ignore_numbers: bool,
    /// Whatever one of these expressions matches.
    pub regexes_to_ignore: Vec<String>,
}

impl ExactMatch {
    pub(super) fn from_fields(fields: &mut Fields) -> Result<Self, TaskError> {
        let options = Self {
            ignore_case: fields.flag("ignore_case")?.unwrap_or_default(),
            ignore_punctuation: fields.flag("ignore_punctuation")?.unwrap_or_default(),
            ignore_numbers: fields.flag("ignore_numbers")?.unwrap_or_default(),
            regexes_to_ignore: fields.texts("regexes_to_ignore")?.unwrap_or_default(),
        };
        options.regexes_to_ignore.iter().try_for_each(|pattern| compiled("regexes_to_ignore", pattern).map(|_| ()))?;
        Ok(options)
    }

    fn compared(&self, text: &str) -> Result<String, TaskError> {
        let mut text = text.to_owned();
        for pattern in &self.regexes_to_ignore {
            text = substituted(&compiled("regexes_to_ignore", pattern)?, &text, "", usize::MAX);
        }
        if self.ignore_case {
            text = text.to_lowercase();
        }
        text.retain(|character| {
            !(self.ignore_punctuation && character.is_ascii_punctuation()
                || self.ignore_numbers && character.is_ascii_digit())
        });
        // NumPy, which compares them there, keeps no zeros at the end of a text.
        text.truncate(text.trim_end_matches('\0').len());
        Ok(text)
    }

    /// Whether a text is the right one.
    pub(in super::super) fn is_same(&self, answer: &str, target: &str) -> bool {
        // The expressions were compiled once when the file was read, so they compile again.
        matches!((self.compared(answer), self.compared(target)), (Ok(answer), Ok(target)) if answer == target)
    }

    /// The share of the answers that are the right one.
    pub(in super::super) fn share(&self, answers: &[&Value], target: &Value) -> Result<f64, TaskError> {
        let mut equal = 0;
        for answer in answers {
            equal += usize::from(self.equal(answer, target)?);
        }
        Ok(if answers.is_empty() { f64::NAN } else { equal as f64 / answers.len() as f64 })
    }

    fn equal(&self, answer: &Value, target: &Value) -> Result<bool, TaskError> {
        let text = match answer {
            Value::String(text) => text,
            // A number that a map made of the answer.
            Value::Number(number) => {
                let target = literal::text(target);
                return Ok(number.as_f64() == target.trim().parse().ok());
            }
            other => {
                let reason = format!("the answer is {} and not a text", literal::repr(other));
                return Err(TaskError::Score { what: "exact_match".to_owned(), reason });
            }
        };
        Ok(self.compared(text)? == self.compared(&literal::text(target))?)
    }
}
