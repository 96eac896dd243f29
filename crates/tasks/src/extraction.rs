//! Finding the answer in what a model said. A text in which no answer is found is an outcome of its own: it is no
//! answer, and above all it is not the first choice.

use fancy_regex::Regex;

use crate::TaskError;
use crate::error::within;
use crate::limits::FILTERS_MAX;
use crate::python::regex::{compiled, selected};
use crate::python::text::strip;
use crate::task_file::{Filter, Pipeline};

/// What lm-evaluation-harness puts where an expression does not match.
pub(crate) const NO_ANSWER: &str = "[invalid]";

/// Which of the two extractions. Both are computed for every output; a pool says beforehand which one pays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extraction {
    /// The output is the answer, in the form that was asked for.
    Strict,
    /// The answer is somewhere in the output.
    Lenient,
}

/// What was found in an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Extracted {
    /// An answer: a choice where there are choices, else a text.
    Answer(String),
    /// No answer.
    Unparsed,
}

impl Extracted {
    /// The answer, if there is one.
    pub fn answer(&self) -> Option<&str> {
        match self {
            Self::Answer(answer) => Some(answer),
            Self::Unparsed => None,
        }
    }
}

/// A pipeline, ready to run.
#[derive(Debug, Clone)]
pub(crate) struct Extractor {
    steps: Vec<Step>,
}

#[derive(Debug, Clone)]
enum Step {
    Regex { regex: Regex, group_select: i64, fallback: Option<String> },
    RemoveWhitespace,
    Lowercase,
    Uppercase,
}

impl Extractor {
    /// The strict and the lenient pipeline of a list. One pipeline is both; none takes the output as it is.
    pub(crate) fn pair(pipelines: &[Pipeline]) -> Result<(Self, Self), TaskError> {
        let (mut strict, mut lenient) = (None, None);
        for pipeline in pipelines {
            let place = match pipeline.name.as_str() {
                "strict" | "strict-match" => &mut strict,
                "lenient" | "flexible-extract" => &mut lenient,
                _ if pipelines.len() == 1 => &mut strict,
                _ => return Err(wrong_name(pipeline, "one of several must be named 'strict' or 'lenient'")),
            };
            if place.is_some() {
                return Err(wrong_name(pipeline, "and there is one of that name already"));
            }
            *place = Some(Self::new(pipeline)?);
        }
        let only = strict.clone().or_else(|| lenient.clone()).unwrap_or(Self { steps: Vec::new() });
        Ok((strict.unwrap_or_else(|| only.clone()), lenient.unwrap_or(only)))
    }

    fn new(pipeline: &Pipeline) -> Result<Self, TaskError> {
        within("a filter pipeline's number of steps", pipeline.filter.len(), FILTERS_MAX)?;
        let mut steps = Vec::new();
        for filter in &pipeline.filter {
            steps.push(match filter {
                Filter::Regex { regex_pattern, group_select, fallback } => Step::Regex {
                    regex: compiled("regex_pattern", regex_pattern)?,
                    group_select: *group_select,
                    fallback: (fallback != NO_ANSWER).then(|| fallback.clone()),
                },
                Filter::RemoveWhitespace => Step::RemoveWhitespace,
                Filter::Lowercase => Step::Lowercase,
                Filter::Uppercase => Step::Uppercase,
                Filter::TakeFirst => continue,
            });
        }
        Ok(Self { steps })
    }

    /// What the pipeline makes of an output; nothing if an expression did not match.
    pub(crate) fn run(&self, output: &str) -> Option<String> {
        let mut text = output.to_owned();
        for step in &self.steps {
            text = match step {
                Step::Regex { regex, group_select, fallback } => {
                    selected(regex, *group_select, &text).ok().flatten().or_else(|| fallback.clone())?
                }
                Step::RemoveWhitespace => strip(&text).to_owned(),
                Step::Lowercase => text.to_lowercase(),
                Step::Uppercase => text.to_uppercase(),
            };
        }
        Some(text)
    }
}

fn wrong_name(pipeline: &Pipeline, reason: &str) -> TaskError {
    TaskError::Key { key: "filter_list.name", value: format!("{:?}", pipeline.name), reason: reason.to_owned() }
}
