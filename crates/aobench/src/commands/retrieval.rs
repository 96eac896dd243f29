//! `aobench dataset retrieval`: hidden questions in which sets of documents compete.

use std::path::PathBuf;

use anyhow::Context as _;
use ao::Tags;
use clap::Args;
use serde_json::json;

use super::dataset::load;
use crate::arguments::GlobalArguments;
use crate::eval::source;
use crate::output::Output;
use crate::session::Session;

/// What the owner of hidden questions says of them.
#[derive(Debug, Args)]
pub(crate) struct RetrievalArguments {
    /// The questions (jsonl, json) with question, expected_response and, for the metrics of retrieval, evidence: texts
    /// that a right document holds
    questions: PathBuf,
    /// A title
    #[arg(long)]
    title: Option<String>,
    /// The licence of the questions
    #[arg(long)]
    license: Option<String>,
    /// The questions were made by a program; shown wherever their scores are
    #[arg(long)]
    synthetic: bool,
    /// Judges of each answer, 1 to 5; their median counts
    #[arg(long, default_value_t = 1)]
    judges: u32,
    /// Documents that a judge reads, 1 to 10
    #[arg(long, default_value_t = 5)]
    documents: u32,
    /// The knowledge process with the sets of documents, by id or by its name at the node
    #[arg(long, default_value = "knowledge")]
    knowledge: String,
}

pub(crate) async fn run(
    global: &GlobalArguments,
    arguments: &RetrievalArguments,
    output: Output,
) -> anyhow::Result<()> {
    let questions = source::questions(&arguments.questions)?;
    let session = Session::signing(global).await?;
    let stem = arguments.questions.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let mut tags = Tags::new()
        .with("Name", arguments.title.clone().unwrap_or(stem))
        .with("Benchmark", session.process("benchmark")?.to_string())
        .with("Herder", session.process("herder")?.to_string())
        .with("Knowledge", session.process(&arguments.knowledge)?.to_string())
        .with("Judges", arguments.judges.to_string())
        .with("Documents", arguments.documents.to_string());
    if let Some(license) = &arguments.license {
        tags.push("License", license);
    }
    if arguments.synthetic {
        tags.push("Synthetic", "true");
    }
    let module =
        processes::module_by_name("retrieval").map(processes::module_id).context("there is no retrieval module")?;
    let dataset = session.client.spawn(module, tags, "").await?;
    session.client.result(&dataset, &dataset).await?.or_fault(dataset)?;
    let rows = load(&session, &dataset, &questions, output).await?;
    output.result(&json!({ "dataset": dataset, "rows": rows }), |_| format!("{dataset}\n{rows} of {rows} rows loaded"))
}
