//! The model of an evaluation: a file, the data of a transaction, a file behind a URL, or what a server has; and the
//! engines that run it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use ao::{Id, sha256};
use client::Client;
use client::limits::MODEL_BYTES_MAX;
use inference::gguf::Facts;
use inference::openai::{ServerEngine, ServerOptions};
use inference::sandbox::Limits;
use inference::{ChildEngine, ChildOptions, ChildProgram, Engine, EngineOptions, ModelFile};

use crate::known_models::{KnownModel, check, file_of};
use crate::output::Output;
use crate::web_file::WebFile;

/// How long a model may take to load.
const LOAD_TIME_MAX: Duration = Duration::from_mins(30);
/// How long one request to the engine may take: it holds a few documents only.
const REQUEST_TIME_MAX: Duration = Duration::from_hours(2);

/// A model that is on this machine.
#[derive(Debug, Clone)]
pub(super) struct LocalModel {
    /// As it was asked for.
    pub(super) name: String,
    pub(super) path: PathBuf,
    /// SHA-256 of the file, hexadecimal.
    pub(super) file_hash: String,
    pub(super) bytes: u64,
    /// The server that has it, if it is not a file of this machine.
    server: Option<ServerOptions>,
}

impl LocalModel {
    /// Finds a model; what is not here is fetched into `folder` once.
    pub(super) async fn find(name: &str, url: &str, folder: &Path, output: Output) -> anyhow::Result<Self> {
        let path = if Path::new(name).is_file() {
            PathBuf::from(name)
        } else if name.starts_with("http://") || name.starts_with("https://") {
            from_web(name, folder, output).await?
        } else if let Ok(id) = name.parse::<Id>() {
            from_node(&id, url, folder, output).await?
        } else if KnownModel::find(name).is_some() {
            file_of(Path::new(name))?
        } else {
            bail!("'{name}' is no model: name a GGUF file, the id of an uploaded one, or the URL of one");
        };
        let spinner = output.spinner(format!("checking {}", path.display()));
        let read = || -> anyhow::Result<Self> {
            let file = std::fs::File::open(&path)?;
            let bytes = file.metadata()?.len();
            let facts = Facts::read(&file, 0, bytes)?;
            let file_hash = facts.file_hash;
            Ok(Self { name: name.to_owned(), path: path.clone(), file_hash, bytes, server: None })
        };
        let model = read().with_context(|| format!("{} is no model that can be evaluated", path.display()));
        spinner.finish_and_clear();
        model
    }

    /// A model that a server has under this name. Its file is not known, so nothing can be said of its bytes.
    pub(super) fn served(name: &str, server: &ServerOptions) -> Self {
        let server = Some(server.clone());
        Self { name: name.to_owned(), path: PathBuf::from(name), file_hash: String::new(), bytes: 0, server }
    }

    /// What stands for the hash of its file where there is no file: its name.
    pub(super) fn served_name(&self) -> &str {
        if self.server.is_some() { &self.name } else { "" }
    }

    /// Where it comes from, as results name it.
    pub(super) fn source(&self) -> &'static str {
        if self.server.is_some() { "openai" } else { "gguf" }
    }

    /// An engine of its own, in a child process that holds nothing else; or one that asks the server.
    pub(super) fn engine(&self, engine: &EngineOptions) -> anyhow::Result<(Box<dyn Engine>, inference::LoadedModel)> {
        if let Some(server) = &self.server {
            let mut engine = Box::new(ServerEngine::new(server)?);
            let loaded = engine.load(&ModelFile::at(&self.path))?;
            return Ok((engine, loaded));
        }
        let limits = Some(Limits::for_model(self.bytes, engine.threads));
        let options =
            ChildOptions { engine: engine.clone(), load_time: LOAD_TIME_MAX, request_time: REQUEST_TIME_MAX, limits };
        let mut engine: Box<dyn Engine> = Box::new(ChildEngine::new(ChildProgram::this()?, options));
        let file = ModelFile { path: self.path.clone(), file_hash: Some(self.file_hash.clone()) };
        let loaded = engine.load(&file).with_context(|| format!("the model {} could not be loaded", self.name))?;
        Ok((engine, loaded))
    }
}

/// The data of a transaction: what its uploader signed, or nothing.
async fn from_node(id: &Id, url: &str, folder: &Path, output: Output) -> anyhow::Result<PathBuf> {
    let path = folder.join(format!("{id}.gguf"));
    if path.exists() {
        return Ok(path);
    }
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let bar = output.byte_bar(0, "downloading");
    let shown = bar.clone();
    let client = Client::new(url, None)?;
    let unchecked = folder.join(format!("{id}.unchecked"));
    let downloaded = client.download(id, &unchecked, MODEL_BYTES_MAX, move |progress| {
        shown.set_length(progress.bytes_total);
        shown.set_position(progress.bytes_done);
    });
    let outcome = downloaded.await.with_context(|| format!("the model {id} could not be downloaded from {url}"));
    bar.finish_and_clear();
    outcome?;
    let spinner = output.spinner("checking the signature");
    let checked = match client.verify(id, &unchecked).await {
        Ok(()) => check(&unchecked),
        Err(error) => Err(anyhow::Error::new(error).context(format!(
            "the model {id} could not be checked, and is not used; a file that you trust can be named by its path"
        ))),
    };
    spinner.finish_and_clear();
    if let Err(error) = checked {
        let _ = std::fs::remove_file(&unchecked);
        return Err(error);
    }
    std::fs::rename(&unchecked, &path).with_context(|| format!("{} cannot be written", path.display()))?;
    Ok(path)
}

async fn from_web(address: &str, folder: &Path, output: Output) -> anyhow::Result<PathBuf> {
    let path = folder.join(format!("{}.gguf", sha256(address.as_bytes()).to_hex()));
    if !path.exists() {
        WebFile { address, path: &path, pinned: None }.fetch(check, output).await?;
    }
    Ok(path)
}
