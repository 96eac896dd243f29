//! `aobench model`: check and upload model files.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ao::{Id, Tags};
use clap::Subcommand;
use inference::gguf::Facts;
use serde_json::json;

use crate::arguments::GlobalArguments;
use crate::config::models_folder;
use crate::known_models::{KNOWN_MODELS, KnownModel};
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
    /// Download a model that is known by its name, and check it; without a name the table of them
    Download {
        /// Its name, as all-MiniLM-L6-v2
        name: Option<String>,
        /// Another address of the same file
        #[arg(long, value_name = "URL", requires = "name")]
        from: Option<String>,
        /// A file that is here already: it is checked and put where it is found by its name
        #[arg(long, value_name = "FILE", requires = "name", conflicts_with = "from")]
        file: Option<PathBuf>,
    },
}

pub(crate) async fn run(global: &GlobalArguments, command: ModelCommand, output: Output) -> anyhow::Result<()> {
    match command {
        ModelCommand::Upload { file } => {
            let session = Session::signing(global).await?;
            let model = upload(&session, &file, output).await?;
            output.result(&json!({ "model": model }), |_| model.to_string())
        }
        ModelCommand::Download { name, from, file } => download(name, from.as_deref(), file.as_deref(), output).await,
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

/// Downloads a model, or takes the file; or tells which there are.
async fn download(name: Option<String>, from: Option<&str>, file: Option<&Path>, output: Output) -> anyhow::Result<()> {
    let folder = models_folder()?;
    let Some(name) = name else { return output.result(&KNOWN_MODELS, |models| known_table(models, &folder)) };
    let known = KnownModel::find(&name).with_context(|| {
        let names: Vec<&str> = KNOWN_MODELS.iter().map(|model| model.name).collect();
        format!("no model is known as '{name}'; known are {}", names.join(", "))
    })?;
    let path = match file {
        Some(file) => known.take(file, &folder)?,
        None if known.is_in(&folder) => known.path(&folder),
        None => known.download(&folder, from, output).await?,
    };
    let (name, hash) = (known.name, known.file_hash);
    output.result(&json!({ "name": name, "path": path, "file_hash": hash, "license": known.license }), |_| {
        format!("{name} at {}\nSHA-256 {hash}\nlicence {}", path.display(), known.license)
    })
}

fn known_table(models: &[KnownModel], folder: &Path) -> String {
    let columns = [
        Column::Text("name"),
        Column::Text("what it is"),
        Column::Number("bytes"),
        Column::Text("licence"),
        Column::Text("here"),
        Column::Text("SHA-256"),
    ];
    let rows = models.iter().map(|model| {
        let here = match model.address {
            _ if model.is_in(folder) => "yes",
            Some(_) => "no",
            None => "no, and has no public address",
        };
        let texts = [model.name, model.purpose, &model.bytes.to_string(), model.license, here, model.file_hash];
        texts.map(str::to_owned).to_vec()
    });
    table(&columns, rows)
}

/// Checks a model file here, before any byte is sent, and uploads it; its data transaction id.
pub(crate) async fn upload(session: &Session, path: &Path, output: Output) -> anyhow::Result<Id> {
    upload_with(session, path, Tags::new(), output).await
}

/// The same of a model that is to be entered into a pool by the wallet that signs it, and by nobody who saw the upload and
/// was quicker.
pub(crate) async fn upload_to_enter(session: &Session, path: &Path, output: Output) -> anyhow::Result<Id> {
    let participant = session.client.address().map(|address| address.to_string());
    let tags = participant.map_or_else(Tags::new, |participant| Tags::new().with("Participant", participant));
    upload_with(session, path, tags, output).await
}

async fn upload_with(session: &Session, path: &Path, tags: Tags, output: Output) -> anyhow::Result<Id> {
    let facts = check(path)?;
    let tags =
        tags.with("Content-Type", CONTENT_TYPE).with("Name", facts.name).with("Architecture", facts.architecture);
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
