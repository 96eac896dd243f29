//! A task, ready to be evaluated on documents.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::config::Config;
use super::document::{Reading, Writer};
use super::evaluation::Evaluation;
use super::few_shot;
use super::filter::Pipeline;
use super::load::{File, Source, load, parse};
use super::ports::{Document, ProcessDocs};
use super::template::{Author, Templates};
use crate::error::within;
use crate::limits::FEW_SHOT_MAX;
use crate::{Question, TaskError};

/// The rows of a dataset by the names of its splits.
pub type Splits = BTreeMap<String, Vec<Question>>;

/// What is chosen at the evaluation and not in the task file.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many examples stand before a document; the task file says it where this does not. A task file that says 0
    /// stays at 0.
    pub num_fewshot: Option<usize>,
    /// Only so many documents, from the first.
    pub limit: Option<usize>,
    /// What the examples are drawn with.
    pub seed: u64,
    /// Stands before everything.
    pub system_instruction: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { num_fewshot: None, limit: None, seed: 1234, system_instruction: String::new() }
    }
}

/// A task, ready to be evaluated on documents.
#[derive(Debug, Clone)]
pub struct Task {
    pub(super) config: Config,
    pub(super) templates: Templates,
    pub(super) writer: Writer,
    pub(super) few_shot_writer: Writer,
    pub(super) pipelines: Vec<Pipeline>,
}

impl Task {
    /// Makes a task of what a file says.
    pub fn new(config: Config) -> Result<Self, TaskError> {
        Self::by(Author::Chosen, config)
    }

    pub(super) fn by(author: Author, config: Config) -> Result<Self, TaskError> {
        let mut templates = Templates::new(author);
        templates.add("description", &config.description)?;
        let writer = Writer::new(&mut templates, &config)?;
        let few_shot_writer = Writer::few_shot(&mut templates, &config.fewshot, config.doc_to_choice.is_some())?;
        let pipelines = config.filters.iter().map(Pipeline::new).collect::<Result<_, _>>()?;
        Ok(Self { config, templates, writer, few_shot_writer, pipelines })
    }

    /// Reads a task file; `path` says where it is, for what it includes.
    pub fn from_yaml(text: &str, path: &str, source: &dyn Source) -> Result<Self, TaskError> {
        Self::from_file(parse(text, path, source)?)
    }

    /// Reads the task file at a path.
    pub fn load(path: &str, source: &dyn Source) -> Result<Self, TaskError> {
        Self::from_file(load(path, source)?)
    }

    fn from_file(file: File) -> Result<Self, TaskError> {
        match file {
            File::Task(config) => Self::new(config),
            File::Group(group) => Err(TaskError::Unsupported {
                key: "group".to_owned(),
                value: group.name,
                reason: "this file is of a group; its tasks are in other files".to_owned(),
            }),
        }
    }

    /// What the file says.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The splits that an evaluation needs: the one that is evaluated, and the one that examples come from.
    pub fn needed_splits(&self) -> Vec<&str> {
        let mut needed: Vec<&str> = self.config.evaluated_split().into_iter().collect();
        let shots = self.config.num_fewshot.unwrap_or_default();
        needed.extend(self.config.fewshot_pool_split().filter(|split| shots > 0 && !needed.contains(split)));
        needed
    }

    /// Puts the task to documents: everything that is asked is settled by this, and the same each time.
    pub fn evaluation(&self, splits: &Splits, options: &Options) -> Result<Evaluation<'_>, TaskError> {
        let split = self.config.evaluated_split().ok_or_else(|| TaskError::Key {
            key: "test_split",
            value: "nothing".to_owned(),
            reason: "and there is no validation_split, so there is nothing to evaluate".to_owned(),
        })?;
        let mut documents = self.documents(splits, split, self.config.process_docs.as_ref())?;
        if documents.is_empty() {
            return Err(TaskError::Score { what: split.to_owned(), reason: "the split has no documents".to_owned() });
        }
        let columns: BTreeSet<String> = documents.iter().flat_map(|document| document.keys().cloned()).collect();
        let count = match (self.config.num_fewshot, options.num_fewshot) {
            (Some(0), _) => 0,
            (own, chosen) => chosen.or(own).unwrap_or_default(),
        };
        within("few-shot examples", count, FEW_SHOT_MAX)?;
        let pool = if count == 0 { Vec::new() } else { self.pool(splits)? };
        // What kind of task this is shows in the first document, as there.
        let reading = Reading { templates: &self.templates, document: &documents[0], columns: &columns };
        let multiple_input = self.config.doc_to_choice.is_some() && self.writer.text(&reading)?.is_number();
        let multiple_target = self.writer.target(&reading)?.is_array();
        documents.truncate(options.limit.unwrap_or(usize::MAX));
        let examples = few_shot::drawn(&self.config, &pool, &documents, count, options.seed)?;
        Ok(Evaluation {
            task: self,
            documents,
            pool,
            examples,
            columns,
            multiple_input,
            multiple_target,
            system_instruction: options.system_instruction.clone(),
            num_fewshot: count,
            seed: options.seed,
        })
    }

    /// The task put to one document by itself, or to none, whatever splits there are. Its examples are the first of
    /// those that stand in the file.
    pub(super) fn alone(&self, question: Option<&Question>) -> Evaluation<'_> {
        let documents: Vec<Document> = question.iter().map(|question| question.fields().clone()).collect();
        let count = self.config.num_fewshot.unwrap_or_default();
        let samples = if count == 0 { None } else { self.config.fewshot.samples.as_ref() };
        Evaluation {
            task: self,
            columns: documents.iter().flat_map(|document| document.keys().cloned()).collect(),
            examples: vec![(0..count).collect(); documents.len()],
            documents,
            pool: samples.cloned().unwrap_or_default(),
            multiple_input: false,
            multiple_target: false,
            system_instruction: String::new(),
            num_fewshot: count,
            seed: Options::default().seed,
        }
    }

    fn documents(
        &self,
        splits: &Splits,
        split: &str,
        process_docs: Option<&ProcessDocs>,
    ) -> Result<Vec<Document>, TaskError> {
        let rows = splits.get(split).ok_or_else(|| TaskError::Score {
            what: format!("the split '{split}'"),
            reason: format!("the dataset has {}", splits.keys().cloned().collect::<Vec<_>>().join(", ")),
        })?;
        let mut documents: Vec<Document> = rows.iter().map(|row| row.fields().clone()).collect();
        // Rows are those of a table: what one has, all have.
        let columns: BTreeSet<String> = documents.iter().flat_map(|document| document.keys().cloned()).collect();
        for document in documents.iter_mut().filter(|document| document.len() < columns.len()) {
            for column in &columns {
                document.entry(column.as_str()).or_insert(Value::Null);
            }
        }
        match process_docs {
            None => Ok(documents),
            Some(process) => process.apply(documents),
        }
    }

    fn pool(&self, splits: &Splits) -> Result<Vec<Document>, TaskError> {
        let fewshot = &self.config.fewshot;
        let documents = match (self.config.fewshot_pool_split(), &fewshot.samples) {
            (Some(split), _) => self.documents(splits, split, fewshot.process_docs.as_ref())?,
            (None, Some(samples)) => samples.clone(),
            (None, None) => Vec::new(),
        };
        let Some(indices) = &fewshot.indices else { return Ok(documents) };
        let chosen = indices.iter().map(|place| documents.get(*place).cloned()).collect::<Option<_>>();
        chosen.ok_or_else(|| TaskError::Key {
            key: "fewshot_indices",
            value: format!("{indices:?}"),
            reason: format!("and there are {} documents", documents.len()),
        })
    }
}
