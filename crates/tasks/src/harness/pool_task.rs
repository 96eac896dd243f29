//! The part of task files that may decide about money: one metric that counts right answers, no chance, a prompt that
//! depends on its question alone, and templates that a stranger may write.

use serde_json::Value;

use super::config::{Config, FieldSource, FilterStep, GenerationConfig, Output};
use super::document::Reading;
use super::evaluation::Evaluation;
use super::load::{File, Source, parse};
use super::metric::{Aggregation, Metric};
use super::request::Request;
use super::score::likeliest;
use super::task::Task;
use super::template::Author;
use crate::error::within;
use crate::extraction::{Extracted, Extraction};
use crate::limits::{CHOICES_MAX, MAX_GEN_TOKS_MAX, TASK_BYTES_MAX, UNTIL_MAX};
use crate::python::literal;
use crate::{Profile, Question, TaskError, builtin};

/// A task that a pool can pay for.
#[derive(Debug, Clone)]
pub struct PoolTask {
    task: Task,
    metric: Metric,
    /// The places of the strict and of the lenient pipeline.
    pipelines: [usize; 2],
    title: Option<String>,
    license: Option<String>,
    synthetic: bool,
    /// How many templates there are for the texts of the choices.
    options: usize,
}

/// A question as it is put to a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prepared {
    /// The prompt, byte for byte.
    pub prompt: String,
    /// What may follow it, where the model is asked how likely that is; else empty.
    pub continuations: Vec<String>,
    /// The answers that there are; empty if any text may be one.
    pub choices: Vec<String>,
    /// The right answer.
    pub target: String,
    /// The texts that the choices stand for, if known.
    pub options: Vec<String>,
}

impl PoolTask {
    /// Reads and checks a task file. It may include built-in ones and no others.
    pub fn from_yaml(text: &str) -> Result<Self, TaskError> {
        within("the task file in bytes", text.len(), TASK_BYTES_MAX)?;
        if text.contains("!function") {
            return Err(TaskError::Python);
        }
        let source: &dyn Source = &builtin::file;
        match parse(text, "task.yaml", source)? {
            File::Task(config) => Self::new(config),
            File::Group(group) => Err(TaskError::Unsupported {
                key: "group".to_owned(),
                value: group.name.chars().take(80).collect(),
                reason: "a pool is on one task; name one of the group".to_owned(),
            }),
        }
    }

    /// A task that comes with the program.
    pub fn built_in(name: &str) -> Result<Self, TaskError> {
        Self::from_yaml(builtin::built_in(name)?)
    }

    fn new(config: Config) -> Result<Self, TaskError> {
        let metric = check(&config)?;
        let pipelines = pipelines(&config)?;
        let metadata = |key: &str| config.metadata.get(key).cloned().unwrap_or_default();
        let text = |key: &str| metadata(key).as_str().map(str::to_owned);
        let (title, license) = (text("title"), text("license"));
        let synthetic = metadata("synthetic").as_bool().unwrap_or_default();
        let options = options(&metadata("options"))?;
        let mut task = Task::by(Author::Stranger, config)?;
        for (place, source) in options.iter().enumerate() {
            task.templates.add(&option_key(place), source)?;
        }
        Ok(Self { task, metric, pipelines, title, license, synthetic, options: options.len() })
    }

    /// What the file says.
    pub fn config(&self) -> &Config {
        &self.task.config
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.config().task
    }

    /// For people: its title, or else its name.
    pub fn title(&self) -> &str {
        self.title.as_deref().unwrap_or(self.name())
    }

    /// The licence of the questions, if the file says it.
    pub fn license(&self) -> Option<&str> {
        self.license.as_deref()
    }

    /// Whether the file says that the questions were made by a program.
    pub fn is_synthetic(&self) -> bool {
        self.synthetic
    }

    /// What is asked of the model.
    pub fn output(&self) -> Output {
        self.config().output
    }

    /// How a text is generated; nothing for a multiple choice.
    pub fn generation(&self) -> Option<&GenerationConfig> {
        (self.output() == Output::GenerateUntil).then_some(&self.config().generation)
    }

    /// The protocol id under a profile: the same that an evaluation of this file has. SHA-256, lower-case hexadecimal;
    /// scores under different ids are not compared.
    pub fn protocol(&self, profile: Profile) -> String {
        self.task.alone(None).protocol(profile, None)
    }

    /// Turns a question into what is put to a model.
    pub fn prepare(&self, question: &Question) -> Result<Prepared, TaskError> {
        let evaluation = self.task.alone(Some(question));
        let reading = evaluation.reading(evaluation.document(0)?);
        let choices = self.choices(&reading)?;
        if !choices.is_empty() && self.task.writer.text(&reading)?.is_number() {
            return Err(unusable(
                "doc_to_text",
                "it is a number, and a pool's question has one prompt for all choices",
            ));
        }
        let target = target(&self.task.writer.target(&reading)?, &choices)?;
        let options = self.options(&reading, &choices)?;
        let (prompt, continuations) = asked(&evaluation)?;
        if prompt.is_empty() {
            return Err(unusable("doc_to_text", "it is empty"));
        }
        refuse_unrendered("doc_to_text", &prompt, question)?;
        for choice in &choices {
            refuse_unrendered("doc_to_choice", choice, question)?;
        }
        Ok(Prepared { prompt, continuations, choices, target, options })
    }

    fn choices(&self, reading: &Reading<'_>) -> Result<Vec<String>, TaskError> {
        let choices = self.task.writer.choices(reading)?;
        within("doc_to_choice in choices", choices.len(), CHOICES_MAX)?;
        let needed = self.config().doc_to_choice.is_some();
        if needed && (choices.len() < 2 || choices.iter().any(String::is_empty)) {
            return Err(unusable("doc_to_choice", "at least two choices are needed, and none may be empty"));
        }
        Ok(choices)
    }

    fn options(&self, reading: &Reading<'_>, choices: &[String]) -> Result<Vec<String>, TaskError> {
        match self.options {
            0 if self.output() == Output::MultipleChoice => Ok(choices.to_vec()),
            0 => Ok(Vec::new()),
            count if count == choices.len() => {
                let option = |place| reading.templates.render(&option_key(place), reading.document);
                (0..count).map(option).collect()
            }
            _ => Err(unusable("metadata.options", "there must be as many options as choices")),
        }
    }

    /// Finds the answer in a generated text. The question and its choices are those that were asked about.
    pub fn extract(&self, extraction: Extraction, output: &str, question: &Question, choices: &[String]) -> Extracted {
        let [strict, lenient] = self.pipelines;
        let place = if extraction == Extraction::Strict { strict } else { lenient };
        let found = self.task.pipelines.get(place).and_then(|pipeline| pipeline.found(output, question.fields()));
        match found.filter(|answer| !answer.is_empty()) {
            Some(answer) if choices.is_empty() || choices.contains(&answer) => Extracted::Answer(answer),
            _ => Extracted::Unparsed,
        }
    }

    /// The likeliest choice by the metric, the first of several that are equally likely.
    pub fn choose(&self, loglikelihoods: &[f64], choices: &[String]) -> Extracted {
        if loglikelihoods.len() != choices.len() {
            return Extracted::Unparsed;
        }
        let chosen = choices.get(likeliest(self.metric, loglikelihoods, choices));
        chosen.map_or(Extracted::Unparsed, |choice| Extracted::Answer(choice.clone()))
    }

    /// Whether an answer is the right one.
    pub fn is_correct(&self, answer: &Extracted, target: &str) -> bool {
        let Some(answer) = answer.answer() else { return false };
        match self.config().metrics.as_slice() {
            [metric] if metric.metric == Metric::ExactMatch => metric.exact_match.is_same(answer, target),
            _ => answer == target,
        }
    }
}

impl Prepared {
    /// The choice whose option is the longest (in characters; the first of equals), if the options are known.
    pub fn longest(&self) -> Option<&str> {
        let reversed = self.options.iter().map(|option| option.chars().count()).enumerate().rev();
        let (place, _) = reversed.max_by_key(|(_, length)| *length)?;
        self.choices.get(place).map(String::as_str)
    }

    /// The choice whose option is the shortest (in characters; the first of equals), if the options are known.
    pub fn shortest(&self) -> Option<&str> {
        let (place, _) = self.options.iter().enumerate().min_by_key(|(_, option)| option.chars().count())?;
        self.choices.get(place).map(String::as_str)
    }
}

/// The prompt, and what may follow it.
fn asked(evaluation: &Evaluation<'_>) -> Result<(String, Vec<String>), TaskError> {
    let requests = evaluation.requests(0)?;
    if let [Request::Generate { context, .. }] = requests.as_slice() {
        return Ok((context.clone(), Vec::new()));
    }
    // White space at the end of the prompt belongs to the continuations: models have it at the start of a word.
    let pairs: Vec<(&str, String)> = requests.iter().filter_map(Request::pair).collect();
    let prompt = pairs.first().map(|(prompt, _)| (*prompt).to_owned()).unwrap_or_default();
    Ok((prompt, pairs.into_iter().map(|(_, continuation)| continuation).collect()))
}

/// The right answer. Where there are choices it is one of them, named by its number (from 0) or its text.
fn target(target: &Value, choices: &[String]) -> Result<String, TaskError> {
    let shown = || literal::text(target).chars().take(80).collect::<String>();
    if target.is_array() {
        return Err(unusable("doc_to_target", "it is a list, and a pool's question has one right answer"));
    }
    if choices.is_empty() {
        let text = literal::text(target);
        return if text.is_empty() { Err(unusable("doc_to_target", "it is empty")) } else { Ok(text) };
    }
    let found = match target {
        Value::String(text) => choices.iter().find(|choice| *choice == text),
        Value::Bool(flag) => choices.get(usize::from(*flag)),
        other => other.as_u64().and_then(|place| choices.get(usize::try_from(place).ok()?)),
    };
    found.cloned().ok_or_else(|| {
        let reason = format!("'{}' is none of the {} choices (the first has number 0)", shown(), choices.len());
        unusable("doc_to_target", &reason)
    })
}

fn option_key(place: usize) -> String {
    format!("metadata.options.{place}")
}

fn options(declared: &Value) -> Result<Vec<String>, TaskError> {
    let texts = match declared {
        Value::Null => Some(Vec::new()),
        Value::Array(items) => items.iter().map(|item| item.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    let texts = texts.ok_or_else(|| TaskError::Key {
        key: "metadata.options",
        value: literal::repr(declared).chars().take(80).collect(),
        reason: "but it is a list of templates, one for each choice".to_owned(),
    })?;
    within("metadata.options in templates", texts.len(), CHOICES_MAX)?;
    Ok(texts)
}

fn unusable(key: &str, reason: &str) -> TaskError {
    TaskError::Render { key: key.to_owned(), reason: reason.to_owned() }
}

/// A template that was never filled in lets every model score like chance, and nobody notices for months. Braces that
/// the question itself brought are its own.
fn refuse_unrendered(key: &str, text: &str, question: &Question) -> Result<(), TaskError> {
    let left = ["{{", "{%"].into_iter().find(|left| text.contains(left));
    match left.filter(|left| !question.to_json().contains(left)) {
        Some(left) => Err(unusable(key, &format!("it still holds '{left}' after it was filled in"))),
        None => Ok(()),
    }
}

fn wrong<T>(key: &'static str, value: impl std::fmt::Debug, reason: &str) -> Result<T, TaskError> {
    let value = format!("{value:?}").chars().take(80).collect();
    Err(TaskError::Key { key, value, reason: reason.to_owned() })
}

/// Whether the parts of a file can decide about money; the metric that does.
fn check(config: &Config) -> Result<Metric, TaskError> {
    if config.process_docs.is_some() {
        return wrong("process_docs", "it", "but a pool's questions are asked as they were loaded");
    }
    let metric = match config.output {
        Output::GenerateUntil => check_metric(config, &[Metric::ExactMatch], "a generated text by 'exact_match'")?,
        Output::MultipleChoice => {
            let known = [Metric::Acc, Metric::AccNorm, Metric::AccBytes];
            check_metric(config, &known, "a multiple choice by 'acc', 'acc_norm' or 'acc_bytes'")?
        }
        Output::Loglikelihood | Output::LoglikelihoodRolling => {
            let reason = "but only right answers decide a pool: multiple_choice and generate_until";
            return wrong("output_type", config.output.name(), reason);
        }
    };
    if config.output == Output::GenerateUntil {
        check_generation(&config.generation)?;
    }
    if config.repeats != 1 {
        return wrong("repeats", config.repeats, "but every question of a pool is asked once");
    }
    let first_k = |step: &FilterStep| matches!(step, FilterStep::TakeFirstK { k } if *k != 1);
    if config.filters.iter().flat_map(|pipeline| &pipeline.steps).any(first_k) {
        return wrong("take_first_k", "more than 1", "but every question of a pool has one answer");
    }
    check_examples(config)?;
    Ok(metric)
}

fn check_metric(config: &Config, known: &[Metric], by: &str) -> Result<Metric, TaskError> {
    let [metric] = config.metrics.as_slice() else {
        let names: Vec<&str> = config.metrics.iter().map(|config| config.metric.name()).collect();
        let reason = "but exactly one metric can decide a pool; name it in metric_list";
        return wrong("metric_list", names, reason);
    };
    if !known.contains(&metric.metric) {
        return wrong("metric", metric.metric.name(), &format!("but a pool judges {by}"));
    }
    if metric.aggregation != Aggregation::Mean {
        return wrong("aggregation", metric.aggregation.name(), "but the score of a pool is a share: mean");
    }
    if !metric.higher_is_better {
        return wrong("higher_is_better", false, "but more right answers are always better");
    }
    Ok(metric.metric)
}

fn check_generation(generation: &GenerationConfig) -> Result<(), TaskError> {
    within("generation_kwargs.until in texts", generation.until.len(), UNTIL_MAX)?;
    if generation.until.iter().any(String::is_empty) {
        return wrong("until", "", "which would stop every text before it begins");
    }
    if generation.max_gen_toks == 0 || generation.max_gen_toks > MAX_GEN_TOKS_MAX {
        let reason = format!("but it must be between 1 and {MAX_GEN_TOKS_MAX}");
        return wrong("max_gen_toks", generation.max_gen_toks, &reason);
    }
    if generation.do_sample || generation.temperature != 0.0 {
        return wrong("generation_kwargs", "sampling", "but scores that pay are made without chance");
    }
    Ok(())
}

/// Examples stand in the file and are the same for each question: what is drawn for one would depend on all before it.
fn check_examples(config: &Config) -> Result<(), TaskError> {
    let count = config.num_fewshot.unwrap_or_default();
    if count == 0 {
        return Ok(());
    }
    let fewshot = &config.fewshot;
    let Some(samples) = &fewshot.samples else {
        let reason =
            "but the examples of a pool's task stand in the file: fewshot_config {sampler: first_n, samples: [...]}";
        return wrong("num_fewshot", count, reason);
    };
    if !fewshot.first_n || fewshot.indices.is_some() {
        let reason = "but every question of a pool has the same examples: sampler first_n, and no fewshot_indices";
        return wrong("fewshot_config", "drawn", reason);
    }
    if samples.len() < count {
        return wrong("num_fewshot", count, &format!("and there are {} examples in the file", samples.len()));
    }
    match &fewshot.doc_to_text {
        FieldSource::Port(_) => Err(TaskError::Python),
        _ => Ok(()),
    }
}

/// The places of the strict and of the lenient pipeline. One pipeline is both.
fn pipelines(config: &Config) -> Result<[usize; 2], TaskError> {
    let (mut strict, mut lenient) = (None, None);
    for (place, pipeline) in config.filters.iter().enumerate() {
        let found = match pipeline.name.as_str() {
            "strict" | "strict-match" => &mut strict,
            "lenient" | "flexible-extract" => &mut lenient,
            _ if config.filters.len() == 1 => &mut strict,
            name => return wrong("filter_list.name", name, "one of several must be named 'strict' or 'lenient'"),
        };
        if found.replace(place).is_some() {
            return wrong("filter_list.name", &pipeline.name, "and there is one of that name already");
        }
    }
    let only = strict.or(lenient).unwrap_or_default();
    Ok([strict.unwrap_or(only), lenient.unwrap_or(only)])
}
