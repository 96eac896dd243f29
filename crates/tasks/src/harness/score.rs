//! What one document is worth under each metric.

use serde_json::{Value, json};

use super::config::{Config, MetricConfig, Output};
use super::metric::Metric;
use super::request::Response;
use crate::TaskError;
use crate::python::{literal, text};

/// The value of a metric for one document.
#[derive(Debug, Clone, PartialEq)]
pub enum Score {
    /// A number by itself.
    Number(f64),
    /// A log-likelihood, and how many words or bytes it is of.
    Weighted {
        /// The log-likelihood.
        value: f64,
        /// Words or bytes.
        weight: f64,
    },
    /// The right class and the chosen one.
    Classes {
        /// The right one.
        target: i64,
        /// The chosen one.
        chosen: i64,
    },
    /// The right class and the probability of each.
    Distribution {
        /// The right one.
        target: i64,
        /// Each class's.
        probabilities: Vec<f64>,
    },
    /// The right texts and the answer.
    Texts {
        /// Right texts.
        references: Vec<String>,
        /// The answer.
        answer: String,
    },
}

impl Score {
    /// As lm-evaluation-harness logs it: a number, or a pair.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Number(number) => json!(number),
            Self::Weighted { value, weight } => json!([value, weight]),
            Self::Classes { target, chosen } => json!([target, chosen]),
            Self::Distribution { target, probabilities } => json!([target, probabilities]),
            Self::Texts { references, answer } => match references.as_slice() {
                [one] => json!([one, answer]),
                several => json!([several, answer]),
            },
        }
    }
}

/// What judging a document needs beside its responses.
pub(super) struct Judged<'a> {
    pub(super) config: &'a Config,
    /// The right answer: a number, a text, or a list of either.
    pub(super) target: Value,
    /// The right answer where each choice is a context of its own.
    pub(super) multiple_input: Option<Value>,
    /// Whether the documents have lists of right answers.
    pub(super) multiple_target: bool,
    pub(super) choices: Vec<String>,
}

fn failed(what: impl Into<String>, reason: impl Into<String>) -> TaskError {
    TaskError::Score { what: what.into(), reason: reason.into() }
}

impl Judged<'_> {
    /// The value of every metric.
    pub(super) fn scores(&self, responses: &[Response]) -> Result<Vec<(Metric, Score)>, TaskError> {
        match self.config.output {
            Output::MultipleChoice => self.multiple_choice(&likelihoods(responses)?),
            Output::Loglikelihood => self.loglikelihood(&likelihoods(responses)?),
            Output::LoglikelihoodRolling => self.rolling(responses),
            Output::GenerateUntil => Err(failed("generate_until", "texts are judged after filters")),
        }
    }

    fn metrics(&self) -> impl Iterator<Item = &MetricConfig> {
        self.config.metrics.iter()
    }

    fn loglikelihood(&self, likelihoods: &[(f64, bool)]) -> Result<Vec<(Metric, Score)>, TaskError> {
        let [(value, greedy)] = likelihoods else { return Err(failed("loglikelihood", "there is not one response")) };
        let score = |metric| Score::Number(if metric == Metric::Acc { f64::from(u8::from(*greedy)) } else { *value });
        Ok(self.metrics().map(|config| (config.metric, score(config.metric))).collect())
    }

    fn rolling(&self, responses: &[Response]) -> Result<Vec<(Metric, Score)>, TaskError> {
        let value = match responses {
            [Response::Rolling(value) | Response::Loglikelihood { loglikelihood: value, .. }] => *value,
            _ => return Err(failed("loglikelihood_rolling", "there is not one log-likelihood")),
        };
        let target = literal::text(&self.target);
        let weight = |metric| if metric == Metric::WordPerplexity { text::count_split(&target) } else { target.len() };
        let score = |metric| Score::Weighted { value, weight: weight(metric) as f64 };
        Ok(self.metrics().map(|config| (config.metric, score(config.metric))).collect())
    }

    fn multiple_choice(&self, likelihoods: &[(f64, bool)]) -> Result<Vec<(Metric, Score)>, TaskError> {
        let count = self.choices.len();
        let mutual = self.metrics().any(|config| config.metric == Metric::AccMutualInfo);
        if likelihoods.len() != if mutual { 2 * count } else { count } {
            let reason = format!("there are {} responses for {count} choices", likelihoods.len());
            return Err(failed("multiple_choice", reason));
        }
        let values: Vec<f64> = likelihoods.iter().map(|(value, _)| *value).collect();
        let (values, without_context) = values.split_at(count);
        let right = self.right_choices(self.multiple_input.as_ref().unwrap_or(&self.target));
        let hit = |chosen: usize| Score::Number(f64::from(u8::from(right.contains(&(chosen as i64)))));
        let class = |metric: Metric| match right.as_slice() {
            [one] if !self.multiple_target => Ok(*one),
            _ => Err(failed(metric.name(), "the document has several right choices")),
        };
        let mut scores = Vec::new();
        for config in self.metrics() {
            let score = match config.metric {
                metric @ (Metric::Acc | Metric::AccNorm | Metric::AccBytes) => {
                    hit(likeliest(metric, values, &self.choices))
                }
                Metric::AccMutualInfo => {
                    let gains: Vec<f64> =
                        values.iter().zip(without_context).map(|(with, without)| with - without).collect();
                    hit(greatest(&gains))
                }
                Metric::ExactMatch => {
                    let greedy = |place: &i64| usize::try_from(*place).ok().and_then(|place| likelihoods.get(place));
                    let any = right.iter().any(|place| greedy(place).is_some_and(|(_, greedy)| *greedy));
                    Score::Number(f64::from(u8::from(any)))
                }
                Metric::F1 | Metric::Mcc => {
                    Score::Classes { target: class(config.metric)?, chosen: greatest(values) as i64 }
                }
                Metric::BrierScore => {
                    Score::Distribution { target: class(config.metric)?, probabilities: probabilities(values) }
                }
                other => return Err(failed(other.name(), "it cannot be computed for multiple_choice")),
            };
            scores.push((config.metric, score));
        }
        Ok(scores)
    }

    /// The numbers of the right choices. What names none is -100, as it is there, which no choice is.
    fn right_choices(&self, target: &Value) -> Vec<i64> {
        let below = |number: i64| if number < self.choices.len() as i64 { number } else { NO_CHOICE };
        let number = |value: &Value| match value {
            Value::Number(number) => below(number.as_i64().unwrap_or(NO_CHOICE)),
            Value::Bool(flag) => below(i64::from(*flag)),
            Value::String(text) => {
                let place = self.choices.iter().position(|choice| choice == text);
                place.map_or(NO_CHOICE, |place| place as i64)
            }
            _ => NO_CHOICE,
        };
        match target {
            Value::Array(several) => several.iter().map(number).collect(),
            one => vec![number(one)],
        }
    }

    /// The value of every metric for a generated text after a filter pipeline.
    pub(super) fn generated(&self, answer: &Value) -> Result<Vec<(Metric, Score)>, TaskError> {
        let targets = self.targets()?;
        let answers: Vec<&Value> = match answer {
            Value::Array(several) => several.iter().collect(),
            one => vec![one],
        };
        let mut scores = Vec::new();
        for config in self.metrics() {
            let score = match config.metric {
                Metric::ExactMatch if self.multiple_target => {
                    let mut any = false;
                    for target in &targets {
                        any |= config.exact_match.share(&answers, target)? > 0.0;
                    }
                    Score::Number(f64::from(u8::from(any)))
                }
                Metric::ExactMatch => {
                    let target = targets.first().ok_or_else(|| failed("exact_match", "there is no target"))?;
                    Score::Number(config.exact_match.share(&answers, target)?)
                }
                metric if self.multiple_target => {
                    return Err(failed(metric.name(), "the task has several right answers to a document"));
                }
                metric => match answers.as_slice() {
                    [one] => Score::Texts {
                        references: targets.iter().map(literal::text).collect(),
                        answer: literal::text(one),
                    },
                    _ => return Err(failed(metric.name(), "there are several answers to a document")),
                },
            };
            scores.push((config.metric, score));
        }
        Ok(scores)
    }

    /// The right texts. Where there are choices, the target is the number of one.
    fn targets(&self) -> Result<Vec<Value>, TaskError> {
        if self.config.doc_to_choice.is_some() {
            let [place] = self.right_choices(&self.target)[..] else {
                return Err(failed("doc_to_target", "it is not the number of a choice"));
            };
            let number = self.target.is_number() || self.target.is_boolean();
            let choice = usize::try_from(place).ok().filter(|_| number).and_then(|place| self.choices.get(place));
            let choice = choice.ok_or_else(|| failed("doc_to_target", "it is not the number of a choice"))?;
            return Ok(vec![Value::from(choice.as_str())]);
        }
        match &self.target {
            Value::Array(several) if self.multiple_target => Ok(several.clone()),
            one => Ok(vec![one.clone()]),
        }
    }
}

const NO_CHOICE: i64 = -100;

fn likelihoods(responses: &[Response]) -> Result<Vec<(f64, bool)>, TaskError> {
    let likelihood = |response: &Response| match response {
        Response::Loglikelihood { loglikelihood, greedy } => Ok((*loglikelihood, *greedy)),
        _ => Err(failed("a response", "it is not a log-likelihood")),
    };
    responses.iter().map(likelihood).collect()
}

/// The place of the likeliest choice, the first of equals: by the whole choice, or under `acc_norm` and `acc_bytes` by its
/// characters or bytes.
pub(super) fn likeliest(metric: Metric, values: &[f64], choices: &[String]) -> usize {
    let length: fn(&str) -> usize = match metric {
        Metric::AccNorm => text::length,
        Metric::AccBytes => str::len,
        _ => return greatest(values),
    };
    let divided: Vec<f64> = values.iter().zip(choices).map(|(value, choice)| value / length(choice) as f64).collect();
    greatest(&divided)
}

/// The place of the greatest number, the first of equals; what is not a number is greater than all, as NumPy has it.
fn greatest(values: &[f64]) -> usize {
    let mut best = 0;
    for (place, value) in values.iter().enumerate() {
        if values[best].is_nan() {
            break;
        }
        if value.is_nan() || *value > values[best] {
            best = place;
        }
    }
    best
}

fn probabilities(values: &[f64]) -> Vec<f64> {
    let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let powers: Vec<f64> = values.iter().map(|value| (value - greatest).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}
