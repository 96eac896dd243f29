//! Filter pipelines: from the answers to a request to what is judged.

use std::sync::LazyLock;

use fancy_regex::Regex;
use serde_json::{Map, Value};

use super::config::{FilterStep, PipelineConfig};
use super::ports::Document;
use crate::TaskError;
use crate::extraction::NO_ANSWER;
use crate::python::literal;
use crate::python::regex::{compiled, escaped, selected, substituted};
use crate::python::text::strip;

/// A pipeline, ready to run.
#[derive(Debug, Clone)]
pub(super) struct Pipeline {
    pub(super) name: String,
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Step {
    Regex { regex: Regex, group_select: i64, fallback: String },
    MultiChoice(MultiChoice),
    Each(fn(&str) -> String),
    Map { mapping: Map<String, Value>, default: Value },
    TakeFirst,
    TakeFirstK(usize),
    MajorityVote,
}

#[derive(Debug, Clone)]
struct MultiChoice {
    regex: Regex,
    group_select: i64,
    fallback: String,
    ignore_case: bool,
    ignore_punctuation: bool,
    ignored: Vec<Regex>,
}

fn failed(reason: impl Into<String>) -> TaskError {
    TaskError::Score { what: "a filter".to_owned(), reason: reason.into() }
}

impl Pipeline {
    pub(super) fn new(config: &PipelineConfig) -> Result<Self, TaskError> {
        let steps = config.steps.iter().map(Step::new).collect::<Result<Vec<_>, _>>()?;
        let first = steps.iter().position(|step| matches!(step, Step::TakeFirst));
        if first.is_some_and(|place| place + 1 < steps.len()) {
            let reason =
                "but a step behind take_first would see single characters, so take_first comes last".to_owned();
            return Err(TaskError::Key { key: "filter_list.filter", value: format!("{:?}", config.name), reason });
        }
        Ok(Self { name: config.name.clone(), steps })
    }

    /// What the pipeline makes of the answers to one request: an answer, or a list of them if nothing took the first.
    pub(super) fn run(&self, answers: &[String], document: &Document) -> Result<Value, TaskError> {
        let mut values: Vec<Value> = answers.iter().map(|answer| Value::from(answer.as_str())).collect();
        for step in &self.steps {
            values = match step {
                Step::TakeFirst => {
                    let first = values.into_iter().next();
                    return first.ok_or_else(|| failed("there is no answer"));
                }
                Step::TakeFirstK(k) if values.len() < *k => {
                    return Err(failed(format!("{k} answers are needed, and there are {}", values.len())));
                }
                Step::TakeFirstK(k) => values.into_iter().take(*k).collect(),
                Step::MajorityVote => vec![commonest(&values).ok_or_else(|| failed("there is no answer"))?],
                step => values.iter().map(|value| step.apply(value, document)).collect::<Result<_, _>>()?,
            };
        }
        Ok(Value::Array(values))
    }

    /// The answer in one text, for who must know whether there is one: nothing if an expression does not match and the
    /// file does not say what stands for that.
    pub(super) fn found(&self, text: &str, document: &Document) -> Option<String> {
        let mut value = Value::from(text);
        for step in &self.steps {
            value = match step {
                Step::TakeFirst | Step::TakeFirstK(_) | Step::MajorityVote => continue,
                step => step.apply(&value, document).ok()?,
            };
            if value == NO_ANSWER && matches!(step, Step::Regex { .. } | Step::MultiChoice(_)) {
                return None;
            }
        }
        Some(literal::text(&value))
    }
}

impl Step {
    fn new(config: &FilterStep) -> Result<Self, TaskError> {
        Ok(match config {
            FilterStep::Regex { pattern, group_select, fallback } => Self::Regex {
                regex: compiled("regex_pattern", pattern)?,
                group_select: *group_select,
                fallback: fallback.clone(),
            },
            FilterStep::MultiChoiceRegex {
                pattern,
                group_select,
                fallback,
                ignore_case,
                ignore_punctuation,
                regexes_to_ignore,
            } => Self::MultiChoice(MultiChoice {
                regex: compiled("regex_pattern", pattern)?,
                group_select: *group_select,
                fallback: fallback.clone(),
                ignore_case: *ignore_case,
                ignore_punctuation: *ignore_punctuation,
                ignored: regexes_to_ignore
                    .iter()
                    .map(|pattern| compiled("regexes_to_ignore", pattern))
                    .collect::<Result<_, _>>()?,
            }),
            FilterStep::RemoveWhitespace => Self::Each(|text| strip(text).to_owned()),
            FilterStep::Lowercase => Self::Each(str::to_lowercase),
            FilterStep::Uppercase => Self::Each(str::to_uppercase),
            FilterStep::Map { mapping, default } => Self::Map { mapping: mapping.clone(), default: default.clone() },
            FilterStep::TakeFirst => Self::TakeFirst,
            FilterStep::TakeFirstK { k } => Self::TakeFirstK(*k),
            FilterStep::MajorityVote => Self::MajorityVote,
        })
    }

    fn apply(&self, value: &Value, document: &Document) -> Result<Value, TaskError> {
        // What is not a text holds no match.
        let text = value.as_str().unwrap_or_default();
        Ok(match self {
            Self::Regex { regex, group_select, fallback } => {
                // A match of which every group is empty is no match.
                Value::from(found(regex, *group_select, text)?.unwrap_or_else(|| fallback.clone()))
            }
            Self::MultiChoice(filter) => Value::from(filter.run(text, document)?),
            Self::Each(change) if value.is_string() => Value::from(change(text)),
            Self::Map { mapping, default } => {
                value.as_str().and_then(|text| mapping.get(text)).unwrap_or(default).clone()
            }
            _ => return Err(failed("an answer is not a text")),
        })
    }
}

/// The match that is asked for; fails if there are matches, but not so many, as it does there.
fn found(regex: &Regex, group_select: i64, text: &str) -> Result<Option<String>, TaskError> {
    selected(regex, group_select, text)
        .map_err(|count| failed(format!("there are {count} matches, and group_select is {group_select}")))
}

impl MultiChoice {
    fn run(&self, answer: &str, document: &Document) -> Result<String, TaskError> {
        let choices = document.get("choices").and_then(Value::as_array);
        let choices = choices.ok_or_else(|| failed("multi_choice_regex needs the field 'choices', a list"))?;
        let letters: Vec<(String, char)> =
            choices.iter().filter_map(Value::as_str).map(|choice| self.compared(strip(choice))).zip('A'..).collect();
        if let Some(found) = self.find(&self.regex, answer)? {
            return Ok(found);
        }
        // The text of a choice, the longest first, so that one that begins like another does not hide it.
        let mut texts: Vec<String> = letters.iter().map(|(choice, _)| escaped(choice)).collect();
        texts.sort_by_key(|text| std::cmp::Reverse(text.chars().count()));
        let regex = compiled("choices", &texts.join("|"))?;
        if let Some(found) = self.find(&regex, &self.compared(answer))? {
            let letter = letters.iter().rev().find(|(choice, _)| *choice == found);
            return Ok(letter.map_or(found, |(_, letter)| format!("({letter})")));
        }
        // A letter behind a colon.
        let all: Vec<String> = letters.iter().map(|(_, letter)| letter.to_string()).collect();
        let regex = compiled("choices", &format!(r":[\s]*({})", all.join("|")))?;
        Ok(self.find(&regex, answer)?.map_or_else(|| self.fallback.clone(), |letter| format!("({letter})")))
    }

    fn find(&self, regex: &Regex, text: &str) -> Result<Option<String>, TaskError> {
        Ok(found(regex, self.group_select, text)?.filter(|found| !found.is_empty()))
    }

    fn compared(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for regex in &self.ignored {
            text = substituted(regex, &text, "", usize::MAX);
        }
        if self.ignore_case {
            text = text.to_lowercase();
        }
        match (self.ignore_punctuation, PUNCTUATION.as_ref()) {
            (true, Some(punctuation)) => substituted(punctuation, &text, "", usize::MAX),
            _ => text,
        }
    }
}

/// Everything that Unicode calls punctuation.
static PUNCTUATION: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\p{P}").ok());

/// The commonest value, of equals the first one.
fn commonest(values: &[Value]) -> Option<Value> {
    let mut counts: Vec<(&Value, usize)> = Vec::new();
    for value in values {
        match counts.iter_mut().find(|(known, _)| *known == value) {
            Some((_, count)) => *count += 1,
            None => counts.push((value, 1)),
        }
    }
    counts.iter().rev().max_by_key(|(_, count)| *count).map(|(value, _)| (*value).clone())
}
