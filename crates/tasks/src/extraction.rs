//! Finding the answer in what a model said. A text in which no answer is found is an outcome of its own: it is no
//! answer, and above all it is not the first choice.

use fancy_regex::{Regex, RegexBuilder};

use crate::TaskError;
use crate::error::within;
use crate::limits::{FILTERS_MAX, REGEX_BYTES_MAX, REGEX_MATCHES_MAX, REGEX_STEPS_MAX};
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
                    regex: compiled(regex_pattern)?,
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
                    found(regex, *group_select, &text).or_else(|| fallback.clone())?
                }
                Step::RemoveWhitespace => text.trim_start().to_owned(),
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

/// The expressions come from strangers, and some of those in use need look-around, which may backtrack for ever. Hence
/// the limits, which count steps and bytes and not time, so that every node stops at the same place.
fn compiled(pattern: &str) -> Result<Regex, TaskError> {
    let mut builder = RegexBuilder::new(pattern);
    builder
        .backtrack_limit(REGEX_STEPS_MAX)
        .delegate_size_limit(REGEX_BYTES_MAX)
        .delegate_dfa_size_limit(REGEX_BYTES_MAX);
    builder.build().map_err(|error| TaskError::Key {
        key: "regex_pattern",
        value: format!("{:?}", pattern.chars().take(80).collect::<String>()),
        reason: error.to_string(),
    })
}

/// What Python's `findall` and the rules of lm-evaluation-harness give: of the selected match the only group, or the
/// first group that is not empty, or the whole match if there are no groups. An expression that needs too many steps
/// has not matched.
fn found(regex: &Regex, group_select: i64, text: &str) -> Option<String> {
    let mut matches = Vec::new();
    for captures in regex.captures_iter(text).take(REGEX_MATCHES_MAX) {
        let captures = captures.ok()?;
        let mut groups = captures.iter().skip(1).map(|group| group.map_or("", |found| found.as_str()));
        matches.push(match captures.len() {
            1 => captures.get(0).map(|whole| whole.as_str().to_owned()),
            2 => groups.next().map(str::to_owned),
            _ => groups.find(|group| !group.is_empty()).map(str::to_owned),
        });
        if group_select >= 0 && matches.len() as i64 > group_select {
            break;
        }
    }
    let place = if group_select < 0 { matches.len() as i64 + group_select } else { group_select };
    let selected = usize::try_from(place).ok().and_then(|place| matches.into_iter().nth(place))?;
    selected.map(|answer| answer.trim().to_owned())
}
