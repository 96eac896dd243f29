//! `aobench knowledge`: documents that are found by what they mean.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use ao::Id;
use clap::{Args, Subcommand};
use processes::knowledge::limits::LIST_BYTES_MAX;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::model::upload;
use crate::arguments::GlobalArguments;
use crate::herd::Herd;
use crate::known_models::{TESTED_MODEL, file_of};
use crate::output::{Column, Output, table};
use crate::session::{Session, action};
use crate::worker;

/// How often it is asked how far the vectors of a new dataset are.
const PROGRESS_EVERY: Duration = Duration::from_millis(500);
/// Characters of a document that a table shows.
const SHOWN_CHARS_MAX: usize = 100;

/// What can be typed after `aobench knowledge`.
#[derive(Debug, Subcommand)]
pub(crate) enum KnowledgeCommand {
    /// Create a dataset of documents and wait until it can be searched
    Create {
        /// JSON lines or a JSON list of {"content", "meta"}, or a text file: a document for each paragraph
        file: PathBuf,
        /// Do not wait for the vectors
        #[arg(long)]
        no_wait: bool,
        /// Where.
        #[command(flatten)]
        at: AtArguments,
    },
    /// Find the documents that are most like a prompt
    Search {
        /// The hash of the dataset
        dataset: String,
        /// The prompt
        prompt: String,
        /// Documents to find
        #[arg(long)]
        limit: Option<u64>,
        /// Where.
        #[command(flatten)]
        at: AtArguments,
    },
    /// Upload the model that makes the vectors and name it to a process that has none yet
    Model {
        /// A GGUF file of the BERT family, or the name of a downloaded one
        file: PathBuf,
        /// Where.
        #[command(flatten)]
        at: AtArguments,
    },
    /// The datasets, with how many of their documents have vectors
    List {
        /// Where.
        #[command(flatten)]
        at: AtArguments,
    },
    /// Delete a dataset that this wallet created
    Delete {
        /// The hash of the dataset
        dataset: String,
        /// Where.
        #[command(flatten)]
        at: AtArguments,
    },
}

/// Which process, and how long it is waited for.
#[derive(Debug, Args)]
pub(crate) struct AtArguments {
    /// The knowledge process, by id or by its name at the node
    #[arg(long, default_value = "knowledge")]
    knowledge: String,
    /// Seconds to wait for an answer
    #[arg(long, default_value_t = 300)]
    wait: u64,
}

/// A document as it is sent.
#[derive(Debug, Serialize, Deserialize)]
struct Document {
    content: String,
    #[serde(default)]
    meta: Value,
}

/// How far a dataset is.
#[derive(Debug, Serialize, Deserialize)]
struct Progress {
    dataset_hash: String,
    documents: u64,
    embedded: u64,
    pending: u64,
    failed: u64,
}

pub(crate) async fn run(global: &GlobalArguments, command: KnowledgeCommand, output: Output) -> anyhow::Result<()> {
    match command {
        KnowledgeCommand::Create { file, no_wait, at } => create(global, &file, no_wait, &at, output).await,
        KnowledgeCommand::Search { dataset, prompt, limit, at } => {
            let data = json!({ "dataset_hash": dataset, "prompt": prompt, "limit": limit }).to_string();
            let session = Session::signing(global).await?;
            let process = session.process(&at.knowledge)?;
            let mut herd = Herd::new(session, Duration::from_secs(at.wait));
            let spinner = output.spinner("searching");
            let reference = herd.send(process, action("Search-Prompt"), &data).await?;
            let answer = herd.answer("Search-Prompt-Response", &reference).await;
            spinner.finish_and_clear();
            let found: Value = serde_json::from_slice(&answer?.data).context("the answer cannot be read")?;
            output.result(&found, found_table)
        }
        KnowledgeCommand::Model { file, at } => {
            let session = Session::signing(global).await?;
            let process = session.process(&at.knowledge)?;
            let file = file_of(&file)?;
            let file_hash = worker::file_hash(&file)?;
            let model = upload(&session, &file, output).await?;
            let tags = action("Set-Model").with("Model", model.to_string()).with("File-Hash", &file_hash);
            session.client.request(process, tags, "").await?;
            if file_hash != TESTED_MODEL {
                output.talk(
                    "this is not the file that aobench is tested with: its vectors cannot be compared with those",
                );
            }
            output
                .result(&json!({ "model": model, "file_hash": file_hash }), |_| format!("{model}\nSHA-256 {file_hash}"))
        }
        KnowledgeCommand::List { at } => {
            let session = Session::reading(global).await?;
            let listed = list(&session, &session.process(&at.knowledge)?).await?;
            output.result(&listed, |rows| datasets_table(rows))
        }
        KnowledgeCommand::Delete { dataset, at } => {
            let session = Session::signing(global).await?;
            let process = session.process(&at.knowledge)?;
            let tags = action("Delete-Dataset").with("Dataset-Hash", &dataset);
            session.client.request(process, tags, "").await?;
            output.result(&json!({ "deleted": dataset }), |_| format!("{dataset} is deleted"))
        }
    }
}

async fn create(
    global: &GlobalArguments,
    file: &Path,
    no_wait: bool,
    at: &AtArguments,
    output: Output,
) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let list = documents(file, &text)?;
    let hash = processes::knowledge::name(list.iter().map(|document| document.content.as_str()));
    let data = serde_json::to_vec(&json!({ "hash": hash, "list": list }))?;
    if data.len() > LIST_BYTES_MAX {
        let bytes = data.len();
        bail!(
            "the documents have {bytes} bytes as one message, and {LIST_BYTES_MAX} are allowed: make several sets of them"
        );
    }
    let session = Session::signing(global).await?;
    let process = session.process(&at.knowledge)?;
    let (_, result) = session.client.request(process, action("Create-Dataset"), data).await?;
    if let Some(error) = result.output.error {
        bail!("{error}");
    }
    let mut progress = progress(&session, &process, &hash).await?;
    let bar = output.bar(progress.documents, "embedding documents");
    let end = Instant::now() + Duration::from_secs(at.wait);
    while !no_wait && progress.pending > 0 {
        if Instant::now() >= end {
            output.talk(format_args!("{} documents still wait for a worker of the kind Embed", progress.pending));
            break;
        }
        tokio::time::sleep(PROGRESS_EVERY).await;
        progress = self::progress(&session, &process, &hash).await?;
        bar.set_position(progress.embedded + progress.failed);
    }
    bar.finish_and_clear();
    output.result(&progress, |progress| {
        let Progress { dataset_hash, documents, embedded, pending, failed } = progress;
        format!("{dataset_hash}\n{embedded} of {documents} documents can be found, {pending} wait, {failed} failed")
    })
}

async fn progress(session: &Session, process: &Id, hash: &str) -> anyhow::Result<Progress> {
    let tags = action("Get-Datasets").with("Dataset-Hash", hash);
    let rows: Vec<Progress> = session.read(process, tags, "").await?;
    rows.into_iter().next().with_context(|| format!("the dataset {hash} is gone"))
}

/// All datasets, page after page.
async fn list(session: &Session, process: &Id) -> anyhow::Result<Vec<Value>> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let from = all.last().and_then(|dataset| dataset["id"].as_u64()).unwrap_or_default();
        let tags = action("Get-Datasets").with("From-Id", from.to_string());
        let page: Vec<Value> = session.read(process, tags, "").await?;
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

/// The documents of a file.
fn documents(file: &Path, text: &str) -> anyhow::Result<Vec<Document>> {
    // Some programs mark the byte order where there is none.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let is_json = file.extension().is_some_and(|extension| extension == "json" || extension == "jsonl");
    if !is_json {
        let text = text.replace("\r\n", "\n");
        let paragraphs = text.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
        let document = |content: &str| Document { content: content.to_owned(), meta: Value::Null };
        return Ok(paragraphs.map(document).collect());
    }
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).context("the file is no JSON list of {\"content\", \"meta\"}");
    }
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let read = |(number, line): (usize, &str)| {
        serde_json::from_str(line).with_context(|| format!("line {} is no {{\"content\", \"meta\"}}", number + 1))
    };
    lines.map(read).collect()
}

fn found_table(found: &Value) -> String {
    let columns = [Column::Number("score"), Column::Number("document"), Column::Text("content"), Column::Text("meta")];
    let rows = found["documents"].as_array().into_iter().flatten().map(|document| {
        let content: String = document["content"].as_str().unwrap_or_default().chars().take(SHOWN_CHARS_MAX).collect();
        let score = document["score"].as_f64().unwrap_or_default();
        vec![format!("{score:.4}"), document["number"].to_string(), content, document["meta"].to_string()]
    });
    let shown = table(&columns, rows);
    match found["pending"].as_u64() {
        Some(pending) if pending > 0 => {
            format!("{shown}\n{pending} documents have no vector yet and were not searched")
        }
        _ => shown,
    }
}

fn datasets_table(rows: &[Value]) -> String {
    let columns = [
        Column::Text("dataset"),
        Column::Number("documents"),
        Column::Number("embedded"),
        Column::Number("pending"),
        Column::Number("failed"),
        Column::Text("owner"),
    ];
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let names = ["dataset_hash", "documents", "embedded", "pending", "failed", "owner"];
    table(&columns, rows.iter().map(|row| names.map(|name| text(&row[name])).to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_a_list_lines_or_paragraphs() {
        let contents = |name: &str, text: &str| {
            let list = documents(Path::new(name), text).unwrap();
            list.into_iter().map(|document| document.content).collect::<Vec<_>>()
        };
        assert_eq!(contents("a.json", r#"[{"content":"one"},{"content":"two","meta":{"n":2}}]"#), ["one", "two"]);
        assert_eq!(contents("a.jsonl", "{\"content\":\"one\"}\n\n{\"content\":\"two\"}\n"), ["one", "two"]);
        assert_eq!(contents("a.txt", "one\nline\n\n\n two \n"), ["one\nline", "two"]);
        assert_eq!(contents("a.txt", "\u{feff}one\r\nline\r\n\r\ntwo\r\n"), ["one\nline", "two"], "from Windows");
        assert_eq!(contents("a.jsonl", "\u{feff}{\"content\":\"one\"}\r\n{\"content\":\"two\"}"), ["one", "two"]);
        let error = documents(Path::new("a.jsonl"), "{\"content\":\"one\"}\n{}").unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
