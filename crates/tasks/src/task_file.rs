//! The task file: the declarative part of lm-evaluation-harness YAML that is understood here. A key that is not
//! understood is refused by its name, because a key that is passed over silently changes what a score means.

use serde::{Deserialize, Serialize};
use serde_saphyr::options::MergeKeyPolicy;

use crate::TaskError;
use crate::error::within;
use crate::limits::{TASK_ALIASES_MAX, TASK_BYTES_MAX, TASK_DEPTH_MAX, TASK_NODES_MAX};

/// A task file as it is written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskFile {
    /// The name of the task.
    pub task: String,
    /// The name of the dataset it was made for; only shown.
    #[serde(default)]
    pub dataset_name: Option<String>,
    /// A template that stands before every prompt.
    #[serde(default)]
    pub description: String,
    /// What is asked of the model.
    pub output_type: OutputType,
    /// The prompt: a template, or the name of a field.
    pub doc_to_text: String,
    /// The right answer: a template, the name of a field, or the number of a choice (from 0).
    pub doc_to_target: Target,
    /// The choices: a list of templates, or the name of a field or an expression that gives a list.
    #[serde(default)]
    pub doc_to_choice: Option<Choices>,
    /// What stands between prompt and choice.
    #[serde(default = "one_space")]
    pub target_delimiter: String,
    /// How a text is generated.
    #[serde(default)]
    pub generation_kwargs: Option<Generation>,
    /// How an answer is found in a text.
    #[serde(default)]
    pub filter_list: Vec<Pipeline>,
    /// How an answer is judged; exactly one.
    pub metric_list: Vec<MetricEntry>,
    /// What is shown about the task.
    #[serde(default)]
    pub metadata: Metadata,
}

/// What is asked of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputType {
    /// A text that follows the prompt.
    GenerateUntil,
    /// Which of the choices is the likeliest to follow the prompt.
    MultipleChoice,
}

/// The right answer as a task file names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Target {
    /// The same choice for every question.
    Choice(u64),
    /// A template or the name of a field.
    Template(String),
}

/// The choices as a task file names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Choices {
    /// A template for each.
    Each(Vec<String>),
    /// The name of a field that holds a list, or an expression that gives one.
    List(String),
}

/// How a text is generated: greedily, until one of the stop texts or so many tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Generation {
    /// Texts at which it stops.
    pub until: Vec<String>,
    /// Tokens at most.
    pub max_gen_toks: u32,
    /// May only say what is done anyway: no sampling.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub do_sample: Option<bool>,
    /// May only say what is done anyway: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
}

/// A named way to find the answer in a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pipeline {
    /// `strict` or `strict-match`, `lenient` or `flexible-extract`.
    pub name: String,
    /// The steps in their order.
    pub filter: Vec<Filter>,
}

/// One step of a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "function", rename_all = "snake_case", deny_unknown_fields)]
pub enum Filter {
    /// Python's `findall`: one of the matches, or the fallback.
    Regex {
        /// The expression. Of several groups the first that matched counts.
        regex_pattern: String,
        /// Which match; negative from the end.
        #[serde(default)]
        group_select: i64,
        /// What stands for no match; `[invalid]` means that there is no answer.
        #[serde(default = "invalid")]
        fallback: String,
    },
    /// Takes white space away at both ends.
    RemoveWhitespace,
    /// Makes all letters small.
    Lowercase,
    /// Makes all letters capital.
    Uppercase,
    /// The first of several outputs; there is only one here.
    TakeFirst,
}

/// How an answer is judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricEntry {
    /// Which metric.
    pub metric: MetricName,
    /// How the questions are put together.
    #[serde(default)]
    pub aggregation: Aggregation,
    /// Must be true if it is there.
    #[serde(default = "yes")]
    pub higher_is_better: bool,
    /// `exact_match`: capital and small letters are the same.
    #[serde(default)]
    pub ignore_case: bool,
    /// `exact_match`: ASCII punctuation is passed over.
    #[serde(default)]
    pub ignore_punctuation: bool,
}

/// The metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MetricName {
    /// The answer is the right text.
    ExactMatch,
    /// The likeliest choice is the right one.
    Acc,
}

/// How the judgements of all questions make a score.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aggregation {
    /// The share of right answers.
    #[default]
    Mean,
}

/// What is shown about the task; nothing here changes a score.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    /// For people.
    #[serde(default)]
    pub title: Option<String>,
    /// The licence of the questions.
    #[serde(default)]
    pub license: Option<String>,
    /// Whether the questions were made by a program. Then it is said wherever a score is shown.
    #[serde(default)]
    pub synthetic: bool,
    /// The version of the task.
    #[serde(default)]
    pub version: Option<f64>,
    /// A template for the text of each choice, where the choices themselves are letters: from these it is computed how
    /// far one comes by always taking the longest.
    #[serde(default)]
    pub options: Vec<String>,
}

fn one_space() -> String {
    " ".to_owned()
}

fn invalid() -> String {
    crate::extraction::NO_ANSWER.to_owned()
}

const fn yes() -> bool {
    true
}

impl TaskFile {
    /// Reads a task file.
    pub fn from_yaml(text: &str) -> Result<Self, TaskError> {
        within("the task file in bytes", text.len(), TASK_BYTES_MAX)?;
        if text.contains("!function") {
            return Err(TaskError::Python);
        }
        let options = serde_saphyr::options! {
            budget: serde_saphyr::budget! {
                max_depth: TASK_DEPTH_MAX,
                max_nodes: TASK_NODES_MAX,
                max_events: 2 * TASK_NODES_MAX,
                max_aliases: TASK_ALIASES_MAX,
                max_anchors: TASK_ALIASES_MAX,
                max_documents: 1,
                max_merge_keys: 0,
            },
            alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: TASK_NODES_MAX },
            merge_keys: MergeKeyPolicy::Error,
            reject_unsupported_tags: true,
            with_snippet: false,
        };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| TaskError::Yaml(error.to_string()))
    }
}
