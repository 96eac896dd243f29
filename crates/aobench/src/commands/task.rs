//! `aobench task`: make, check, look at and compare task files, without a model.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};
use tasks::harness::{Finding, Options, Request, python_text};

use crate::eval::source::{self, DataArgument, FoundTask};
use crate::output::{Column, Output, table};

/// What can be typed after `aobench task`.
#[derive(Debug, Subcommand)]
pub(crate) enum TaskCommand {
    /// Write a task file with a few documents to begin from
    New {
        /// Its name: NAME.yaml and NAME.jsonl are written
        name: String,
        /// How questions are asked
        #[arg(long, value_enum, default_value_t = Kind::Choices)]
        kind: Kind,
    },
    /// Find what makes a task score chance: wrong fields, unrendered templates, equal choices, a missing delimiter
    Lint(TaskArguments),
    /// Show the prompts of some documents as a model would get them
    Show {
        #[command(flatten)]
        task: TaskArguments,
        /// How many documents
        #[arg(long, default_value_t = 1)]
        render: usize,
    },
    /// Say in what two task files differ, and so why their scores do not compare
    Diff {
        /// A task file, or 'siqa', 'social_iqa' or 'demo'
        first: String,
        /// Another one
        second: String,
    },
}

/// A task with its documents.
#[derive(Debug, Args)]
pub(crate) struct TaskArguments {
    /// A task file of lm-evaluation-harness (YAML), or 'siqa', 'social_iqa' or 'demo'
    task: String,
    /// Documents (jsonl, json, csv, tsv): FILE, SPLIT=FILE or TASK/SPLIT=FILE
    #[arg(long, value_name = "FILE")]
    data: Vec<DataArgument>,
    /// Examples before each document, instead of what the task says
    #[arg(long)]
    num_fewshot: Option<usize>,
}

/// How the questions of a new task are asked.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Kind {
    /// The likeliest of several answers counts
    Choices,
    /// The model writes, and the answer is found in its text
    Text,
}

impl Kind {
    /// The task file and the questions to begin from.
    fn files(self) -> (&'static str, &'static str) {
        match self {
            Self::Choices => (include_str!("task/choices.yaml"), include_str!("task/choices.jsonl")),
            Self::Text => (include_str!("task/text.yaml"), include_str!("task/text.jsonl")),
        }
    }
}

pub(crate) fn run(command: TaskCommand, output: Output) -> anyhow::Result<()> {
    match command {
        TaskCommand::New { name, kind } => new(&name, kind, output),
        TaskCommand::Lint(arguments) => lint(&arguments, output),
        TaskCommand::Show { task, render } => show(&task, render, output),
        TaskCommand::Diff { first, second } => diff(&first, &second, output),
    }
}

fn new(name: &str, kind: Kind, output: Output) -> anyhow::Result<()> {
    if name.is_empty() || !name.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-".contains(letter)) {
        bail!("the name of a task has letters, digits, '_' and '-', and '{name}' has others");
    }
    let (task, documents) = kind.files();
    let files = [
        (PathBuf::from(format!("{name}.yaml")), task.replace("NAME", name)),
        (PathBuf::from(format!("{name}.jsonl")), documents.to_owned()),
    ];
    if let Some((path, _)) = files.iter().find(|(path, _)| path.exists()) {
        bail!("{} is there already; nothing was written", path.display());
    }
    for (path, text) in &files {
        std::fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))?;
    }
    let paths = files.map(|(path, _)| path);
    output.result(&json!({ "written": paths }), |_| {
        format!("{name}.yaml and {name}.jsonl are written; look at them with: aobench task show {name}.yaml --data {name}.jsonl")
    })
}

fn options(arguments: &TaskArguments) -> Options {
    Options { num_fewshot: arguments.num_fewshot, ..Options::default() }
}

fn lint(arguments: &TaskArguments, output: Output) -> anyhow::Result<()> {
    let mut found = Vec::new();
    for task in source::find(&arguments.task)?.tasks {
        let (splits, _) = source::documents(&task, &arguments.data)?;
        let evaluation = task.task.evaluation(&splits, &options(arguments))?;
        found.extend(evaluation.lint().into_iter().map(|finding| (task.name.clone(), finding)));
    }
    let as_json = |(task, finding): &(String, Finding)| {
        json!({
            "task": task,
            "problem": format!("{:?}", finding.problem),
            "fatal": finding.fatal,
            "documents": finding.documents,
            "first": finding.first,
            "message": finding.message,
        })
    };
    output.result(&found.iter().map(as_json).collect::<Vec<_>>(), |_| {
        if found.is_empty() {
            return "nothing was found".to_owned();
        }
        let row = |(task, finding): &(String, Finding)| {
            let gravity = if finding.fatal { "error" } else { "warning" };
            vec![
                task.clone(),
                gravity.to_owned(),
                format!("{:?}", finding.problem),
                finding.documents.to_string(),
                finding.message.clone(),
            ]
        };
        let columns = [
            Column::Text("task"),
            Column::Text(""),
            Column::Text("problem"),
            Column::Number("documents"),
            Column::Text("what"),
        ];
        table(&columns, found.iter().map(row))
    })?;
    match found.iter().filter(|(_, finding)| finding.fatal).count() {
        0 => Ok(()),
        _ => bail!("with this a score would mean nothing"),
    }
}

fn show(arguments: &TaskArguments, render: usize, output: Output) -> anyhow::Result<()> {
    let mut shown = Vec::new();
    for task in source::find(&arguments.task)?.tasks {
        let (splits, _) = source::documents(&task, &arguments.data)?;
        let evaluation = task.task.evaluation(&splits, &options(arguments))?;
        for number in 0..render.min(evaluation.len()) {
            let requests: Vec<Value> = evaluation.requests(number)?.iter().map(request).collect();
            let target = evaluation.target(number)?;
            shown.push(json!({ "task": task.name, "document": number, "target": target, "requests": requests }));
        }
    }
    output.result(&shown, |shown| shown.iter().map(describe).collect::<Vec<_>>().join("\n"))
}

fn request(request: &Request) -> Value {
    match request {
        Request::Loglikelihood { context, continuation } => json!({ "context": context, "continuation": continuation }),
        Request::LoglikelihoodRolling { text } => json!({ "text": text }),
        Request::Generate { context, generation } => {
            json!({ "context": context, "until": generation.until, "max_tokens": generation.max_gen_toks })
        }
    }
}

/// The prompt once, and what may follow it with its spaces to be seen.
fn describe(shown: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut parts = vec![format!("── {} document {} ──", text(&shown["task"]), shown["document"])];
    let mut before = String::new();
    for request in shown["requests"].as_array().into_iter().flatten() {
        let prompt = text(request.get("context").unwrap_or(&request["text"]));
        if prompt != before || parts.len() == 1 {
            parts.push(prompt.clone());
        }
        before = prompt;
        if let Some(continuation) = request.get("continuation") {
            parts.push(format!("  → {continuation}"));
        }
        if let Some(until) = request.get("until") {
            parts.push(format!("  → at most {} tokens, up to {until}", request["max_tokens"]));
        }
    }
    parts.push(format!("right: {}\n", python_text(&shown["target"])));
    parts.join("\n")
}

fn diff(first: &str, second: &str, output: Output) -> anyhow::Result<()> {
    let one = |name: &str| -> anyhow::Result<FoundTask> {
        let mut tasks = source::find(name)?.tasks;
        if tasks.len() != 1 {
            bail!("{} is a group of {} tasks; compare its tasks", Path::new(name).display(), tasks.len());
        }
        Ok(tasks.remove(0))
    };
    let (first, second) = (fields(&one(first)?), fields(&one(second)?));
    let differing: BTreeMap<&str, [&str; 2]> = first
        .iter()
        .filter_map(|(key, value)| {
            let other = second.get(key).map_or("", String::as_str);
            (value != other).then_some((key.as_str(), [value.as_str(), other]))
        })
        .collect();
    let parts: BTreeMap<&str, &str> = differing.keys().map(|key| (*key, part(key))).collect();
    output.result(&json!({ "same": differing.is_empty(), "differences": differing, "parts": parts }), |_| {
        if differing.is_empty() {
            return "the two tasks ask and judge alike".to_owned();
        }
        let rows =
            differing.iter().map(|(key, [first, second])| [part(key), key, first, second].map(str::to_owned).to_vec());
        let columns = [Column::Text("part"), Column::Text("key"), Column::Text("first"), Column::Text("second")];
        table(&columns, rows)
            + "\nthe two have different protocols, so their scores do not compare and never rank together"
    })
}

/// The part of a benchmark that a key of a task file belongs to, as the first benchmark on AO named them.
fn part(key: &str) -> &'static str {
    match key {
        "output" | "generation" | "repeats" => "Evaluator",
        "filters" => "Result Retriever",
        "metrics" | "process_results" | "doc_to_target" => "Score Calculator",
        "dataset_path" | "dataset_name" | "training_split" | "validation_split" | "test_split" | "process_docs" => {
            "Dataset Loader"
        }
        _ => "Prompt Template",
    }
}

/// What a task says, key by key, after its includes and defaults.
fn fields(found: &FoundTask) -> BTreeMap<String, String> {
    let text = format!("{:#?}", found.task.config());
    let mut fields: BTreeMap<String, String> = BTreeMap::new();
    let mut key = String::new();
    for line in text.lines().skip(1) {
        let is_field = line.starts_with("    ") && !line.starts_with("     ");
        match line.trim_start().split_once(": ") {
            Some((name, value)) if is_field => {
                name.clone_into(&mut key);
                fields.insert(key.clone(), value.trim_end_matches(',').to_owned());
            }
            _ => {
                if let Some(field) = fields.get_mut(&key) {
                    field.push(' ');
                    field.push_str(line.trim());
                }
            }
        }
    }
    fields.retain(|key, _| !["task", "alias", "tags", "metadata", "declared"].contains(&key.as_str()));
    fields
}
