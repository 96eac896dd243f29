//! An evaluation: a task put to documents, from the requests to the results.

use std::collections::BTreeSet;

use serde_json::Value;

use super::aggregate::Values;
use super::config::Output;
use super::context::Chat;
use super::document::Reading;
use super::metric::Metric;
use super::ports::Document;
use super::request::{Request, Response};
use super::score::{Judged, Score};
use super::task::Task;
use crate::TaskError;
use crate::python::literal;

/// A task put to documents. Documents are counted from 0.
#[derive(Debug, Clone)]
pub struct Evaluation<'t> {
    pub(super) task: &'t Task,
    pub(super) documents: Vec<Document>,
    pub(super) pool: Vec<Document>,
    /// For each document the places of its examples in the pool.
    pub(super) examples: Vec<Vec<usize>>,
    pub(super) columns: BTreeSet<String>,
    /// Each choice is a context of its own, and the target follows it.
    pub(super) multiple_input: bool,
    /// Documents have lists of right answers.
    pub(super) multiple_target: bool,
    pub(super) system_instruction: String,
    pub(super) num_fewshot: usize,
    pub(super) seed: u64,
}

/// One document under one filter pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Which document.
    pub document: usize,
    /// The name of the pipeline; `none` if the task has no filters.
    pub filter: String,
    /// The right answer, as the task file makes it.
    pub target: Value,
    /// What the pipeline made of the responses: log-likelihoods with whether they are greedy, or an answer.
    pub filtered: Value,
    /// The value of each metric.
    pub metrics: Vec<(Metric, Score)>,
}

/// One metric under one filter pipeline, over all documents.
#[derive(Debug, Clone, PartialEq)]
pub struct Aggregate {
    /// The metric.
    pub metric: Metric,
    /// The name of the pipeline.
    pub filter: String,
    /// The result.
    pub value: f64,
    /// Its standard error, where there is one.
    pub standard_error: Option<f64>,
    /// Whether more is better.
    pub higher_is_better: bool,
    /// How many documents it is made of.
    pub documents: usize,
}

impl Aggregate {
    /// Its name in results: `acc,none`.
    pub fn key(&self) -> String {
        format!("{},{}", self.metric, self.filter)
    }
}

impl Evaluation<'_> {
    /// How many documents there are.
    pub fn len(&self) -> usize {
        self.documents.len()
    }

    /// Whether there is none; there always is one.
    pub fn is_empty(&self) -> bool {
        self.documents.is_empty()
    }

    /// A document, as it is after `process_docs`.
    pub fn document(&self, number: usize) -> Result<&serde_json::Map<String, Value>, TaskError> {
        self.documents.get(number).ok_or_else(|| no_document(number, self.len()))
    }

    /// The examples that stand before a document.
    pub fn examples(&self, number: usize) -> Result<Vec<&serde_json::Map<String, Value>>, TaskError> {
        let places = self.examples.get(number).ok_or_else(|| no_document(number, self.len()))?;
        Ok(places.iter().filter_map(|place| self.pool.get(*place)).collect())
    }

    pub(super) fn reading<'a>(&'a self, document: &'a Document) -> Reading<'a> {
        Reading { templates: &self.task.templates, document, columns: &self.columns }
    }

    /// The right answer of a document, as the task file makes it.
    pub fn target(&self, number: usize) -> Result<Value, TaskError> {
        self.task.writer.target(&self.reading(self.document(number)?))
    }

    /// The choices of a document; empty if the task has none.
    pub fn choices(&self, number: usize) -> Result<Vec<String>, TaskError> {
        self.task.writer.choices(&self.reading(self.document(number)?))
    }

    /// What is asked about a document. Each request is to be answered `repeats` times.
    pub fn requests(&self, number: usize) -> Result<Vec<Request>, TaskError> {
        self.asked(number, None)
    }

    /// The same, with contexts that a chat template writes.
    pub fn chat_requests(&self, number: usize, chat: Chat<'_>) -> Result<Vec<Request>, TaskError> {
        self.asked(number, Some(chat))
    }

    fn asked(&self, number: usize, chat: Option<Chat<'_>>) -> Result<Vec<Request>, TaskError> {
        let config = &self.task.config;
        match config.output {
            Output::GenerateUntil => {
                let generation = config.generation.clone();
                Ok(vec![Request::Generate { context: self.context(number, chat)?, generation }])
            }
            Output::Loglikelihood => {
                let continuation = literal::text(&self.target(number)?);
                Ok(vec![Request::Loglikelihood { context: self.context(number, chat)?, continuation }])
            }
            Output::LoglikelihoodRolling => {
                Ok(vec![Request::LoglikelihoodRolling { text: literal::text(&self.target(number)?) }])
            }
            Output::MultipleChoice => self.multiple_choice(number, chat),
        }
    }

    fn multiple_choice(&self, number: usize, chat: Option<Chat<'_>>) -> Result<Vec<Request>, TaskError> {
        let choices = self.choices(number)?;
        let delimiter = self.delimiter(chat);
        let following = |text: &str| format!("{delimiter}{text}");
        let pairs: Vec<(String, String)> = if self.multiple_input {
            let continuation = following(&literal::text(&self.target(number)?));
            let contexts = self.contexts(number, &choices, chat)?;
            contexts.into_iter().map(|context| (context, continuation.clone())).collect()
        } else {
            let context = self.context(number, chat)?;
            choices.iter().map(|choice| (context.clone(), following(choice))).collect()
        };
        let mutual = self.task.config.metrics.iter().any(|config| config.metric == Metric::AccMutualInfo);
        let alone = choices.iter().filter(|_| mutual).map(|choice| (String::new(), following(choice)));
        let request = |(context, continuation)| Request::Loglikelihood { context, continuation };
        Ok(pairs.into_iter().chain(alone).map(request).collect())
    }

    /// Judges the responses. For each document, for each of its requests in their order, as many responses as the task
    /// has `repeats`. Gives the documents in their order, once for each filter pipeline.
    pub fn judge(&self, responses: &[Vec<Vec<Response>>]) -> Result<Vec<Sample>, TaskError> {
        if responses.len() != self.len() {
            let reason = format!("there are {} of them for {} documents", responses.len(), self.len());
            return Err(TaskError::Score { what: "the responses".to_owned(), reason });
        }
        let mut samples = Vec::new();
        for pipeline in 0..self.task.pipelines.len() {
            for (number, responses) in responses.iter().enumerate() {
                samples.push(self.judge_one(pipeline, number, responses)?);
            }
        }
        Ok(samples)
    }

    fn judge_one(&self, pipeline: usize, number: usize, responses: &[Vec<Response>]) -> Result<Sample, TaskError> {
        let document = self.document(number)?;
        let pipeline = &self.task.pipelines[pipeline];
        let config = &self.task.config;
        let target = self.target(number)?;
        let judged = Judged {
            config,
            target: target.clone(),
            multiple_input: if self.multiple_input {
                Some(self.task.writer.text(&self.reading(document))?)
            } else {
                None
            },
            multiple_target: self.multiple_target,
            choices: self.task.writer.choices(&self.reading(document))?,
        };
        let (filtered, metrics) = if config.output == Output::GenerateUntil {
            let [answers] = responses else { return Err(no_response(number)) };
            let answers: Option<Vec<String>> = answers.iter().map(text_of).collect();
            let filtered = pipeline.run(&answers.ok_or_else(|| no_response(number))?, document)?;
            let metrics = judged.generated(&filtered)?;
            (filtered, metrics)
        } else {
            let first: Option<Vec<Response>> = responses.iter().map(|repeats| repeats.first().cloned()).collect();
            let first = first.ok_or_else(|| no_response(number))?;
            let metrics = match &config.process_results {
                None => judged.scores(&first)?,
                Some(port) => {
                    let value = |response: &Response| match response {
                        Response::Loglikelihood { loglikelihood: value, .. } | Response::Rolling(value) => Some(*value),
                        Response::Text(_) => None,
                    };
                    let values: Option<Vec<f64>> = first.iter().map(value).collect();
                    self.named(port.results(document, &values.ok_or_else(|| no_response(number))?)?)
                }
            };
            (first.iter().map(logged).collect(), metrics)
        };
        Ok(Sample { document: number, filter: pipeline.name.clone(), target, filtered, metrics })
    }

    /// What a port computed, as metrics of the task.
    fn named(&self, results: Vec<(&'static str, Score)>) -> Vec<(Metric, Score)> {
        let metrics = self.task.config.metrics.iter().map(|config| config.metric);
        let value = |metric: Metric| results.iter().find(|(name, _)| *name == metric.name());
        metrics.filter_map(|metric| value(metric).map(|(_, score)| (metric, score.clone()))).collect()
    }

    /// How many documents have several choices that are equally likely and likelier than all others: each was then
    /// answered with the first of them, which is a guess. A model or server that computes nothing ties everywhere.
    pub fn ties(&self, responses: &[Vec<Vec<Response>>]) -> usize {
        if self.task.config.output != Output::MultipleChoice {
            return 0;
        }
        let value = |repeats: &Vec<Response>| match repeats.first() {
            Some(Response::Loglikelihood { loglikelihood, .. }) => Some(*loglikelihood),
            _ => None,
        };
        let is_tied = |responses: &&Vec<Vec<Response>>| {
            // Behind the choices there may be their likelihoods without the context.
            let mutual = self.task.config.metrics.iter().any(|config| config.metric == Metric::AccMutualInfo);
            let choices = if mutual { responses.len() / 2 } else { responses.len() };
            let values: Vec<f64> = responses.iter().take(choices).filter_map(value).collect();
            let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            values.iter().filter(|value| value.total_cmp(&greatest).is_eq()).count() > 1
        };
        responses.iter().filter(is_tied).count()
    }

    /// Puts the samples together: each metric under each filter pipeline, with standard errors from at most so many
    /// resamples (lm-evaluation-harness takes 100,000), and without them for 0.
    pub fn aggregate(&self, samples: &[Sample], resamples: usize) -> Result<Vec<Aggregate>, TaskError> {
        let mut aggregates = Vec::new();
        for pipeline in &self.task.pipelines {
            for config in &self.task.config.metrics {
                let of_pipeline = samples.iter().filter(|sample| sample.filter == pipeline.name);
                let scores: Vec<&Score> = of_pipeline
                    .flat_map(|sample| sample.metrics.iter())
                    .filter(|(metric, _)| *metric == config.metric)
                    .map(|(_, score)| score)
                    .collect();
                if scores.is_empty() {
                    continue;
                }
                let values = Values::new(config.aggregation, &scores)?;
                aggregates.push(Aggregate {
                    metric: config.metric,
                    filter: pipeline.name.clone(),
                    value: values.result(config.aggregation)?,
                    standard_error: values.standard_error(config.aggregation, resamples)?,
                    higher_is_better: config.higher_is_better,
                    documents: scores.len(),
                });
            }
        }
        Ok(aggregates)
    }
}

fn text_of(response: &Response) -> Option<String> {
    match response {
        Response::Text(text) => Some(text.clone()),
        _ => None,
    }
}

pub(super) fn logged(response: &Response) -> Value {
    match response {
        Response::Loglikelihood { loglikelihood, greedy } => serde_json::json!([loglikelihood, greedy]),
        Response::Rolling(value) => serde_json::json!(value),
        Response::Text(text) => Value::from(text.as_str()),
    }
}

fn no_document(number: usize, count: usize) -> TaskError {
    TaskError::Score { what: format!("document {number}"), reason: format!("there are {count} documents") }
}

fn no_response(number: usize) -> TaskError {
    let reason = "its responses are not those to its requests".to_owned();
    TaskError::Score { what: format!("document {number}"), reason }
}
