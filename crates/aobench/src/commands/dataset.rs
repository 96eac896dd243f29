//! `aobench dataset`: create dataset processes, load questions, see results.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use ao::{Id, Tags};
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use tasks::harness::{Options, Splits, Task};
use tasks::{PoolTask, Question};

use crate::arguments::GlobalArguments;
use crate::eval::source;
use crate::output::Output;
use crate::session::{Session, action};

/// Bytes of questions in one message: well below the largest item, so that a row can be told apart in an error.
const CHUNK_BYTES_MAX: usize = 1024 * 1024;
/// How long a dataset is waited for.
const ANSWER_WAIT: Duration = Duration::from_mins(2);

/// What can be typed after `aobench dataset`.
#[derive(Debug, Subcommand)]
pub(crate) enum DatasetCommand {
    /// Create a dataset process and load its questions
    Create(CreateArguments),
    /// Load questions into a dataset that no pool has frozen yet
    Load {
        /// The dataset, by id or by its name at the node
        dataset: String,
        /// The questions (jsonl, json, csv, tsv): a file, or a folder with one
        file: PathBuf,
    },
    /// Show a dataset
    Info {
        /// The dataset, by id or by its name at the node
        dataset: String,
    },
    /// Show what models answered
    Results {
        /// The dataset, by id or by its name at the node
        dataset: String,
        /// Only this model
        #[arg(long)]
        model: Option<Id>,
    },
}

/// What the owner of a dataset says of it.
#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    /// The questions (jsonl, json, csv, tsv): a file, or a folder with one
    #[arg(required_unless_present = "data")]
    questions: Option<PathBuf>,
    /// The same as an option
    #[arg(long, value_name = "FILE", conflicts_with = "questions")]
    data: Option<PathBuf>,
    /// A title
    #[arg(long)]
    title: Option<String>,
    /// How they are asked: a task file (YAML), or 'siqa' (answered by letter) or 'social_iqa' (by likelihood)
    #[arg(long, default_value = "siqa")]
    task: String,
    /// The licence of the questions
    #[arg(long)]
    license: Option<String>,
    /// The questions were made by a program; shown wherever their scores are
    #[arg(long)]
    synthetic: bool,
}

pub(crate) async fn run(global: &GlobalArguments, command: DatasetCommand, output: Output) -> anyhow::Result<()> {
    match command {
        DatasetCommand::Create(arguments) => {
            let Some(named) = arguments.data.as_deref().or(arguments.questions.as_deref()) else {
                bail!("name the file with the questions");
            };
            let file = questions_file(named)?;
            let questions = source::questions(&file)?;
            // What is wrong with the task or the questions is found before anything is signed.
            let yaml = source::whole_task(&arguments.task)?;
            let protocol =
                check(&yaml, &questions, output).with_context(|| format!("the task '{}'", arguments.task))?;
            let session = Session::signing(global).await?;
            let dataset = create(&session, &arguments, yaml, &file).await?;
            let rows = load(&session, &dataset, &questions, output).await?;
            output.result(&json!({ "dataset": dataset, "rows": rows, "protocol": protocol }), |_| {
                format!("{dataset}\n{rows} of {rows} rows loaded\nprotocol {protocol}")
            })
        }
        DatasetCommand::Load { dataset, file } => {
            let session = Session::signing(global).await?;
            let dataset = session.process(&dataset)?;
            let questions = source::questions(&questions_file(&file)?)?;
            let rows = load(&session, &dataset, &questions, output).await?;
            output.result(&json!({ "dataset": dataset, "rows": rows }), |_| format!("{rows} of {rows} rows loaded"))
        }
        DatasetCommand::Info { dataset } => {
            let session = Session::reading(global).await?;
            let info: Value = session.read(&session.process(&dataset)?, action("Info"), "").await?;
            output.result(&info, super::process::fields)
        }
        DatasetCommand::Results { dataset, model } => {
            let session = Session::reading(global).await?;
            let data = model.map_or_else(|| json!({}), |model| json!({ "model": model })).to_string();
            let results: Value = session.read(&session.process(&dataset)?, action("Results"), data).await?;
            output.result(&results, |results| serde_json::to_string_pretty(results).unwrap_or_default())
        }
    }
}

/// The file that was named, or the only one with questions in the folder that was named.
fn questions_file(path: &Path) -> anyhow::Result<PathBuf> {
    if !path.is_dir() {
        return Ok(path.to_owned());
    }
    let entries = std::fs::read_dir(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let is_questions = |path: &PathBuf| path.extension().is_some_and(source::is_kind_of_questions);
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_questions).collect();
    match (files.pop(), files.is_empty()) {
        (Some(file), true) => Ok(file),
        (None, _) => bail!("{} holds no file of questions (jsonl, json, csv, tsv)", path.display()),
        (Some(_), false) => bail!("{} holds several files of questions; name one", path.display()),
    }
}

/// Whether a pool can pay for the task, and whether a score on these questions would mean anything. The protocol id.
fn check(yaml: &str, questions: &[Question], output: Output) -> anyhow::Result<String> {
    let pool_task = PoolTask::from_yaml(yaml)?;
    for (row, question) in (1_u64..).zip(questions) {
        pool_task.prepare(question).with_context(|| format!("row {row}"))?;
    }
    let task = Task::from_yaml(yaml, "task.yaml", &tasks::builtin::file)?;
    if let Some(split) = task.config().evaluated_split().filter(|_| !questions.is_empty()) {
        let splits = Splits::from([(split.to_owned(), questions.to_vec())]);
        for finding in task.evaluation(&splits, &Options::default())?.lint() {
            output.talk(format_args!("{:?} ({} rows): {}", finding.problem, finding.documents, finding.message));
        }
    }
    Ok(pool_task.protocol(tasks::Profile::Exact))
}

async fn create(session: &Session, arguments: &CreateArguments, yaml: String, file: &Path) -> anyhow::Result<Id> {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let mut tags = Tags::new()
        .with("Name", arguments.title.clone().unwrap_or(stem))
        .with("Benchmark", session.process("benchmark")?.to_string())
        .with("Herder", session.process("herder")?.to_string());
    if let Some(license) = &arguments.license {
        tags.push("License", license);
    }
    if arguments.synthetic {
        tags.push("Synthetic", "true");
    }
    let module =
        processes::module_by_name("dataset").map(processes::module_id).context("there is no dataset module")?;
    let dataset = session.client.spawn(module, tags, yaml).await?;
    session.client.result(&dataset, &dataset).await?.or_fault(dataset)?;
    session.client.request(dataset, action("Init"), "").await?;
    Ok(dataset)
}

/// Loads questions in messages of a bounded size; how many rows there were. Every message is taken whole or not at all.
pub(crate) async fn load(session: &Session, dataset: &Id, rows: &[Question], output: Output) -> anyhow::Result<u64> {
    let bar = output.bar(rows.len() as u64, "loading questions");
    let mut chunk: Vec<String> = Vec::new();
    let (mut bytes, mut loaded) = (0, 0_u64);
    for (index, row) in rows.iter().enumerate() {
        let row = row.to_json();
        bytes += row.len() + 1;
        chunk.push(row);
        if bytes >= CHUNK_BYTES_MAX || index + 1 == rows.len() {
            send_rows(session, dataset, &chunk, loaded).await?;
            loaded += chunk.len() as u64;
            bar.set_position(loaded);
            chunk.clear();
            bytes = 0;
        }
    }
    bar.finish_and_clear();
    Ok(loaded)
}

async fn send_rows(session: &Session, dataset: &Id, chunk: &[String], before: u64) -> anyhow::Result<()> {
    let data = chunk.join("\n");
    let request = session.client.request(*dataset, action("Load-Data"), data);
    let (_, result) =
        tokio::time::timeout(ANSWER_WAIT, request)
            .await
            .context("the dataset did not answer in time")?
            .with_context(|| format!("rows {} to {} were not loaded", before + 1, before + chunk.len() as u64))?;
    match result.output.error {
        Some(error) => bail!("rows {} to {} were not loaded: {error}", before + 1, before + chunk.len() as u64),
        None => Ok(()),
    }
}
