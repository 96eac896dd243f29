//! `aobench model`: check and upload model files.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ao::{Id, Tags};
use clap::Subcommand;
use inference::gguf::Facts;
use serde_json::json;

use crate::arguments::GlobalArguments;
use crate::output::{Column, Output, table};
use crate::session::Session;

/// The content type of a model file.
const CONTENT_TYPE: &str = "application/x-gguf";

/// What can be typed after `aobench model`.
#[derive(Debug, Subcommand)]
pub(crate) enum ModelCommand {
    /// Check a GGUF file and upload it; prints its data transaction id
    Upload {
        /// The file
        file: PathBuf,
    },
    /// List the models that the node holds
    List,
}

pub(crate) async fn run(global: &GlobalArguments, command: ModelCommand, output: Output) -> anyhow::Result<()> {
    match command {
        ModelCommand::Upload { file } => {
            let session = Session::signing(global).await?;
            let model = upload(&session, &file, output).await?;
            output.result(&json!({ "model": model }), |_| model.to_string())
        }
        ModelCommand::List => {
            let session = Session::reading(global).await?;
            let models = session.client.models().await?;
            output.result(&models, |models| {
                let columns =
                    [Column::Text("model"), Column::Text("name"), Column::Text("owner"), Column::Number("bytes")];
                let rows = models.iter().map(|model| {
                    vec![model.id.to_string(), model.name.clone(), model.owner.to_string(), model.bytes.to_string()]
                });
                table(&columns, rows)
            })
        }
    }
}

/// Checks a model file here, before any byte is sent, and uploads it; its data transaction id.
pub(crate) async fn upload(session: &Session, path: &Path, output: Output) -> anyhow::Result<Id> {
    let facts = check(path)?;
    let tags = Tags::new()
        .with("Content-Type", CONTENT_TYPE)
        .with("Name", facts.name)
        .with("Architecture", facts.architecture);
    let bar = output.byte_bar(facts.bytes, "uploading");
    let shown = bar.clone();
    let model = session.client.upload(path, tags, move |progress| shown.set_position(progress.bytes_done)).await?;
    bar.finish_and_clear();
    Ok(model)
}

/// What a model file is, or why it is none.
fn check(path: &Path) -> anyhow::Result<Facts> {
    let file = File::open(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let length = file.metadata().with_context(|| format!("{} cannot be read", path.display()))?.len();
    Facts::read(&file, 0, length).with_context(|| format!("{} is no model that can be entered", path.display()))
}
