//! What a task file says, with every key read and none passed over.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::load::Source;
use super::metric::{Aggregation, ExactMatch, Metric};
use super::ports::{self, ProcessDocs, ResultsPort, ValuePort};
use super::yaml;
use crate::TaskError;
use crate::error::within;
use crate::limits::{FEW_SHOT_MAX, REPEATS_MAX};

/// What is asked of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Output {
    /// How likely each choice is after the context.
    MultipleChoice,
    /// A text that follows the context.
    GenerateUntil,
    /// How likely one text is after the context.
    Loglikelihood,
    /// How likely a whole text is.
    LoglikelihoodRolling,
}

impl Output {
    /// Its name in task files.
    pub fn name(self) -> &'static str {
        match self {
            Self::MultipleChoice => "multiple_choice",
            Self::GenerateUntil => "generate_until",
            Self::Loglikelihood => "loglikelihood",
            Self::LoglikelihoodRolling => "loglikelihood_rolling",
        }
    }
}

/// Where a text, a target or a list of choices comes from.
#[derive(Debug, Clone)]
pub enum FieldSource {
    /// A Jinja template, or the name of a field.
    Template(String),
    /// The same for every document: the number of a choice, or a list.
    Constant(Value),
    /// A function of Python that was ported.
    Port(ValuePort),
}

/// A task as its file describes it; see the documentation of lm-evaluation-harness for each key.
#[derive(Debug, Clone)]
pub struct Config {
    /// `task`: its name.
    pub task: String,
    /// `task_alias`: what is shown instead.
    pub alias: Option<String>,
    /// `tag`: names under which several tasks are found.
    pub tags: Vec<String>,
    /// `dataset_path`; nothing is downloaded.
    pub dataset_path: Option<String>,
    /// `dataset_name`; nothing is downloaded.
    pub dataset_name: Option<String>,
    /// `training_split`.
    pub training_split: Option<String>,
    /// `validation_split`: evaluated if there is no test split.
    pub validation_split: Option<String>,
    /// `test_split`: evaluated.
    pub test_split: Option<String>,
    /// `process_docs`, and what it does.
    pub process_docs: Option<ProcessDocs>,
    /// `output_type`.
    pub output: Output,
    /// `doc_to_text`.
    pub doc_to_text: FieldSource,
    /// `doc_to_target`.
    pub doc_to_target: FieldSource,
    /// `doc_to_choice`.
    pub doc_to_choice: Option<FieldSource>,
    /// `process_results`: a port that judges a document.
    pub process_results: Option<ResultsPort>,
    /// `description`: a template that stands before every prompt.
    pub description: String,
    /// `target_delimiter`: between context and continuation.
    pub target_delimiter: String,
    /// `fewshot_delimiter`: between examples.
    pub fewshot_delimiter: String,
    /// `gen_prefix`: a template for the beginning of the answer.
    pub gen_prefix: Option<String>,
    /// `num_fewshot`.
    pub num_fewshot: Option<usize>,
    /// `fewshot_config`, completed from the keys of the task.
    pub fewshot: FewShotConfig,
    /// `generation_kwargs`.
    pub generation: GenerationConfig,
    /// `repeats`: how many answers each request gets.
    pub repeats: usize,
    /// `filter_list`, or else one pipeline `none` that takes the first answer.
    pub filters: Vec<PipelineConfig>,
    /// `metric_list`, or else the default metrics of the output type.
    pub metrics: Vec<MetricConfig>,
    /// `metadata`.
    pub metadata: Value,
    /// What the protocol id is made of.
    pub(super) declared: Value,
}

/// How few-shot examples are drawn and written.
#[derive(Debug, Clone)]
pub struct FewShotConfig {
    /// `sampler`: `first_n`, or else `default`, which draws with Python's random numbers.
    pub first_n: bool,
    /// `split`, or the task's `fewshot_split`.
    pub split: Option<String>,
    /// `samples`: the examples themselves.
    pub samples: Option<Vec<Map<String, Value>>>,
    /// `fewshot_indices`: which documents of the split are the pool.
    pub indices: Option<Vec<usize>>,
    /// What is done to the documents of the split.
    pub process_docs: Option<ProcessDocs>,
    /// The examples' text.
    pub doc_to_text: FieldSource,
    /// The examples' target.
    pub doc_to_target: FieldSource,
    /// The examples' choices.
    pub doc_to_choice: Option<FieldSource>,
    /// What an answer begins with.
    pub gen_prefix: Option<String>,
    /// Between an example's text and target.
    pub target_delimiter: String,
    /// Behind an example.
    pub fewshot_delimiter: String,
}

/// How a text is generated.
#[derive(Debug, Clone, PartialEq)]
pub struct GenerationConfig {
    /// Texts at which it stops.
    pub until: Vec<String>,
    /// Tokens at most; 256 where the file says nothing.
    pub max_gen_toks: u32,
    /// Whether chance decides.
    pub do_sample: bool,
    /// How much.
    pub temperature: f64,
    /// `top_p`, if it is given.
    pub top_p: Option<f64>,
}

/// A named row of filter steps.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineConfig {
    /// Its name, which stands beside every metric.
    pub name: String,
    /// Its steps.
    pub steps: Vec<FilterStep>,
}

/// One filter step.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the keys are those of lm-evaluation-harness")]
pub enum FilterStep {
    /// `regex`: one of the matches of an expression.
    Regex { pattern: String, group_select: i64, fallback: String },
    /// `multi_choice_regex`: the same, and if nothing matches, the text of a choice, and then its letter.
    MultiChoiceRegex {
        pattern: String,
        group_select: i64,
        fallback: String,
        ignore_case: bool,
        ignore_punctuation: bool,
        regexes_to_ignore: Vec<String>,
    },
    /// `remove_whitespace`, at both ends.
    RemoveWhitespace,
    /// `lowercase`.
    Lowercase,
    /// `uppercase`.
    Uppercase,
    /// `map`: another value for each answer.
    Map { mapping: Map<String, Value>, default: Value },
    /// `take_first`: of several answers the first.
    TakeFirst,
    /// `take_first_k`: the first so many.
    TakeFirstK { k: usize },
    /// `majority_vote`: the commonest answer, of equals the first.
    MajorityVote,
}

/// One metric.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricConfig {
    /// Which.
    pub metric: Metric,
    /// How its values are put together.
    pub aggregation: Aggregation,
    /// Whether more is better.
    pub higher_is_better: bool,
    /// What `exact_match` passes over.
    pub exact_match: ExactMatch,
}

/// Keys that need another kind of model or machine.
const NOT_TEXT: [(&str, &str); 5] = [
    ("doc_to_image", "only texts are evaluated"),
    ("doc_to_audio", "only texts are evaluated"),
    ("use_prompt", "templates of promptsource are not read"),
    ("custom_dataset", "a dataset made by Python cannot be made here"),
    ("recipe", "recipes of unitxt are not read"),
];

impl Config {
    pub(super) fn from_fields(fields: Map<String, Value>, source: &dyn Source) -> Result<Self, TaskError> {
        let declared = super::protocol::declared(&fields, source);
        let mut fields = Fields::new("", fields);
        for (key, reason) in NOT_TEXT {
            if let Some(value) = fields.take(key) {
                return Err(fields.unsupported(key, &value, reason));
            }
        }
        if fields.take("unsafe_code").is_some_and(|value| value != Value::Bool(false)) {
            return Err(fields.unsupported("unsafe_code", &Value::Bool(true), "code of models is not run here"));
        }
        for passed_over in ["dataset_kwargs", "should_decontaminate", "doc_to_decontamination_query", "group_alias"] {
            fields.take(passed_over);
        }
        let output = output(&mut fields)?;
        let fewshot_delimiter = fields.text("fewshot_delimiter")?.unwrap_or_else(|| "\n\n".to_owned());
        let generation = generation(fields.object("generation_kwargs")?, &fewshot_delimiter)?;
        let process_docs = process_docs(&mut fields, source)?;
        let process_results = match fields.take("process_results") {
            None => None,
            Some(value) => Some(results_port(&fields, &value, source)?),
        };
        let doc_to_choice = field_source(&mut fields, "doc_to_choice", source)?;
        let rolling = output == Output::LoglikelihoodRolling;
        let doc_to_text = field_source(&mut fields, "doc_to_text", source)?;
        let doc_to_text = doc_to_text.or(rolling.then(|| FieldSource::Template(String::new())));
        let doc_to_target = field_source(&mut fields, "doc_to_target", source)?;
        let needed = |key, field: Option<FieldSource>| {
            field.ok_or_else(|| TaskError::Key {
                key,
                value: "nothing".to_owned(),
                reason: "but it is needed".to_owned(),
            })
        };
        let fewshot_config = fields.object("fewshot_config")?;
        let mut config = Self {
            task: fields.text("task")?.unwrap_or_default(),
            alias: fields.text("task_alias")?,
            tags: fields.texts("tag")?.unwrap_or_default(),
            dataset_path: fields.text("dataset_path")?,
            dataset_name: fields.text("dataset_name")?,
            training_split: fields.text("training_split")?,
            validation_split: fields.text("validation_split")?,
            test_split: fields.text("test_split")?,
            output,
            doc_to_text: needed("doc_to_text", doc_to_text)?,
            doc_to_target: needed("doc_to_target", doc_to_target)?,
            doc_to_choice,
            process_results,
            description: fields.text("description")?.unwrap_or_default(),
            target_delimiter: fields.text("target_delimiter")?.unwrap_or_else(|| " ".to_owned()),
            fewshot_delimiter,
            gen_prefix: fields.text("gen_prefix")?,
            num_fewshot: fields.count("num_fewshot")?,
            fewshot: FewShotConfig::empty(),
            process_docs,
            generation,
            repeats: fields.count("repeats")?.unwrap_or(1),
            filters: pipelines(fields.take("filter_list"))?,
            metrics: super::metric::configs(fields.take("metric_list"), output, source)?,
            metadata: fields.take("metadata").unwrap_or(Value::Null),
            declared,
        };
        let split = fields.text("fewshot_split")?;
        fields.finish()?;
        config.fewshot = FewShotConfig::from_fields(fewshot_config, split, &config, source)?;
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), TaskError> {
        let wrong = |key, value: String, reason: &str| Err(TaskError::Key { key, value, reason: reason.to_owned() });
        if self.task.trim().is_empty() {
            return wrong("task", "''".to_owned(), "but a task needs a name");
        }
        within("num_fewshot", self.num_fewshot.unwrap_or_default(), FEW_SHOT_MAX)?;
        within("repeats", self.repeats, REPEATS_MAX)?;
        if self.repeats == 0 {
            return wrong("repeats", "0".to_owned(), "but every request needs an answer");
        }
        if self.output == Output::MultipleChoice && self.doc_to_choice.is_none() {
            return wrong("output_type", "multiple_choice".to_owned(), "but there is no doc_to_choice");
        }
        if self.output != Output::GenerateUntil {
            let taken = |pipeline: &PipelineConfig| pipeline.steps.iter().any(|step| *step != FilterStep::TakeFirst);
            if let Some(pipeline) = self.filters.iter().find(|pipeline| taken(pipeline)) {
                return wrong("filter_list", pipeline.name.clone(), "but only generated texts can be filtered");
            }
        }
        Ok(())
    }

    /// The split that is evaluated.
    pub fn evaluated_split(&self) -> Option<&str> {
        self.test_split.as_deref().or(self.validation_split.as_deref())
    }

    /// The split that few-shot examples come from, by the rule of lm-evaluation-harness: the few-shot split, else the
    /// training, validation or test split. Nothing if the examples stand in the file.
    pub fn fewshot_pool_split(&self) -> Option<&str> {
        let named = self.fewshot.split.as_deref();
        if named.is_some() || self.fewshot.samples.is_some() {
            return named;
        }
        self.training_split.as_deref().or(self.validation_split.as_deref()).or(self.test_split.as_deref())
    }
}

impl FewShotConfig {
    fn empty() -> Self {
        let nothing = FieldSource::Constant(Value::Null);
        Self {
            first_n: false,
            split: None,
            samples: None,
            indices: None,
            process_docs: None,
            doc_to_text: nothing.clone(),
            doc_to_target: nothing,
            doc_to_choice: None,
            gen_prefix: None,
            target_delimiter: String::new(),
            fewshot_delimiter: String::new(),
        }
    }

    fn from_fields(
        fields: Map<String, Value>,
        split: Option<String>,
        task: &Config,
        source: &dyn Source,
    ) -> Result<Self, TaskError> {
        let mut fields = Fields::new("fewshot_config.", fields);
        let first_n = match fields.text("sampler")?.as_deref() {
            None | Some("default") => false,
            Some("first_n") => true,
            Some(other) => {
                return Err(fields.unsupported("sampler", &Value::from(other), "there is default and first_n"));
            }
        };
        let own_process = process_docs(&mut fields, source)?;
        let samples = match fields.take("samples") {
            None => None,
            Some(Value::Array(items)) => {
                Some(items.into_iter().map(|item| sample(&fields, item)).collect::<Result<_, _>>()?)
            }
            Some(value) => {
                let reason = "examples stand in the file as a list of documents";
                return Err(fields.refused("samples", &value, reason));
            }
        };
        let indices = match fields.take("fewshot_indices") {
            None => None,
            Some(value) => {
                let numbers = value.as_array().and_then(|items| {
                    items.iter().map(|item| item.as_u64().map(|number| number as usize)).collect::<Option<Vec<_>>>()
                });
                Some(numbers.ok_or_else(|| fields.unsupported("fewshot_indices", &value, "it is a list of numbers"))?)
            }
        };
        let doc_to_text = field_source(&mut fields, "doc_to_text", source)?;
        let doc_to_target = field_source(&mut fields, "doc_to_target", source)?;
        let doc_to_choice = field_source(&mut fields, "doc_to_choice", source)?;
        let config = Self {
            first_n,
            split: fields.text("split")?.or(split),
            samples,
            indices,
            process_docs: own_process.or_else(|| task.process_docs.clone()),
            doc_to_text: doc_to_text.unwrap_or_else(|| task.doc_to_text.clone()),
            doc_to_target: doc_to_target.unwrap_or_else(|| task.doc_to_target.clone()),
            doc_to_choice: doc_to_choice.or_else(|| task.doc_to_choice.clone()),
            gen_prefix: fields.text("gen_prefix")?.or_else(|| task.gen_prefix.clone()),
            target_delimiter: fields.text("target_delimiter")?.unwrap_or_else(|| task.target_delimiter.clone()),
            fewshot_delimiter: fields.text("fewshot_delimiter")?.unwrap_or_else(|| task.fewshot_delimiter.clone()),
        };
        fields.finish()?;
        Ok(config)
    }
}

fn sample(fields: &Fields, item: Value) -> Result<Map<String, Value>, TaskError> {
    match item {
        Value::Object(document) => Ok(document),
        other => Err(fields.unsupported("samples", &other, "an example is a mapping of fields")),
    }
}

fn output(fields: &mut Fields) -> Result<Output, TaskError> {
    match fields.text("output_type")?.as_deref() {
        None | Some("generate_until") => Ok(Output::GenerateUntil),
        Some("multiple_choice") => Ok(Output::MultipleChoice),
        Some("loglikelihood") => Ok(Output::Loglikelihood),
        Some("loglikelihood_rolling") => Ok(Output::LoglikelihoodRolling),
        Some(other) => {
            let reason = "there is generate_until, multiple_choice, loglikelihood and loglikelihood_rolling";
            Err(fields.unsupported("output_type", &Value::from(other), reason))
        }
    }
}

fn field_source(fields: &mut Fields, key: &str, source: &dyn Source) -> Result<Option<FieldSource>, TaskError> {
    let Some(value) = fields.take(key) else { return Ok(None) };
    if let Some(function) = yaml::function(&value) {
        return ports::value(&fields.named(key), function, source).map(|port| Some(FieldSource::Port(port)));
    }
    Ok(Some(match value {
        Value::String(template) => FieldSource::Template(template),
        Value::Object(named) if key == "doc_to_choice" => {
            FieldSource::Constant(named.into_iter().map(|(_, value)| value).collect())
        }
        Value::Object(_) | Value::Bool(_) => {
            return Err(fields.unsupported(key, &value, "it is a template, the name of a field, a number or a list"));
        }
        constant => FieldSource::Constant(constant),
    }))
}

fn process_docs(fields: &mut Fields, source: &dyn Source) -> Result<Option<ProcessDocs>, TaskError> {
    let Some(value) = fields.take("process_docs") else { return Ok(None) };
    let key = fields.named("process_docs");
    match yaml::function(&value) {
        Some(function) => ports::process_docs(&key, function, source).map(Some),
        None => ProcessDocs::declared(&key, &value).map(Some),
    }
}

fn results_port(fields: &Fields, value: &Value, source: &dyn Source) -> Result<ResultsPort, TaskError> {
    match yaml::function(value) {
        Some(function) => ports::results("process_results", function, source),
        None => Err(fields.unsupported("process_results", value, "it is a function")),
    }
}

fn generation(fields: Map<String, Value>, fewshot_delimiter: &str) -> Result<GenerationConfig, TaskError> {
    let mut fields = Fields::new("generation_kwargs.", fields);
    let until = fields.texts("until")?.unwrap_or_else(|| vec![fewshot_delimiter.to_owned()]);
    let mut tokens = None;
    for key in ["max_gen_toks", "max_new_tokens", "max_tokens"] {
        tokens = fields.count(key)?.or(tokens);
    }
    let temperature = fields.number("temperature")?.unwrap_or_default();
    let do_sample = fields.flag("do_sample")?;
    if let Some(beams) = fields.count("num_beams")?
        && beams != 1
    {
        return Err(fields.unsupported("num_beams", &Value::from(beams), "only one beam is followed"));
    }
    let config = GenerationConfig {
        until,
        max_gen_toks: tokens.map_or(256, |tokens| tokens.min(u32::MAX as usize) as u32),
        do_sample: do_sample.unwrap_or(temperature > 0.0),
        temperature,
        top_p: fields.number("top_p")?,
    };
    fields.finish()?;
    Ok(config)
}

fn pipelines(value: Option<Value>) -> Result<Vec<PipelineConfig>, TaskError> {
    let list = match value {
        None => return Ok(vec![PipelineConfig { name: "none".to_owned(), steps: vec![FilterStep::TakeFirst] }]),
        Some(Value::Array(list)) => list,
        Some(one) => vec![one],
    };
    list.into_iter().map(pipeline).collect()
}

fn pipeline(value: Value) -> Result<PipelineConfig, TaskError> {
    let mut fields = Fields::of("filter_list.", value)?;
    let name = fields.text("name")?.unwrap_or_else(|| "none".to_owned());
    let steps = match fields.take("filter") {
        Some(Value::Array(steps)) => steps,
        other => return Err(fields.unsupported("filter", &other.unwrap_or_default(), "it is a list of steps")),
    };
    fields.finish()?;
    within("a filter pipeline's number of steps", steps.len(), crate::limits::FILTERS_MAX)?;
    Ok(PipelineConfig { name, steps: steps.into_iter().map(step).collect::<Result<_, _>>()? })
}

fn step(value: Value) -> Result<FilterStep, TaskError> {
    let mut fields = Fields::of("filter_list.filter.", value)?;
    let name = fields.take("function").unwrap_or_default();
    if let Some(function) = yaml::function(&name) {
        let reason = "filters in Python are not supported".to_owned();
        return Err(TaskError::Function {
            key: "filter_list.filter.function".to_owned(),
            function: function.to_owned(),
            reason,
        });
    }
    let step = match name.as_str().unwrap_or_default() {
        "regex" => FilterStep::Regex {
            pattern: fields.text("regex_pattern")?.unwrap_or_else(default_pattern),
            group_select: fields.integer("group_select")?.unwrap_or(0),
            fallback: fields.text("fallback")?.unwrap_or_else(invalid),
        },
        "multi_choice_regex" => FilterStep::MultiChoiceRegex {
            pattern: fields.text("regex_pattern")?.unwrap_or_else(default_pattern),
            group_select: fields.integer("group_select")?.unwrap_or(0),
            fallback: fields.text("fallback")?.unwrap_or_else(invalid),
            ignore_case: fields.flag("ignore_case")?.unwrap_or_default(),
            ignore_punctuation: fields.flag("ignore_punctuation")?.unwrap_or_default(),
            regexes_to_ignore: fields.texts("regexes_to_ignore")?.unwrap_or_default(),
        },
        "remove_whitespace" => FilterStep::RemoveWhitespace,
        "lowercase" => FilterStep::Lowercase,
        "uppercase" => FilterStep::Uppercase,
        "map" => FilterStep::Map {
            mapping: fields.object("mapping_dict")?,
            default: fields.take("default_value").unwrap_or_default(),
        },
        "take_first" => FilterStep::TakeFirst,
        "take_first_k" => FilterStep::TakeFirstK { k: fields.count("k")?.unwrap_or(1) },
        "majority_vote" => FilterStep::MajorityVote,
        _ => {
            let reason = "there is regex, multi_choice_regex, remove_whitespace, lowercase, uppercase, map, take_first, \
                          take_first_k and majority_vote";
            return Err(fields.unsupported("function", &name, reason));
        }
    };
    fields.finish()?;
    Ok(step)
}

fn default_pattern() -> String {
    r"#### (\-?[0-9\.\,]+)".to_owned()
}

fn invalid() -> String {
    crate::extraction::NO_ANSWER.to_owned()
}
