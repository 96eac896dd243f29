//! The configuration in two stages: what was written (file, environment, options; unchecked), and what holds (resolved,
//! checked, fixed for the run).

mod raw;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use crate::arguments::GlobalArguments;

use inference::InstructionSet;
pub(crate) use raw::DEFAULT;
use raw::{RawClient, RawConfig, RawNode, RawWorker};

/// What holds for this run.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    /// For commands that talk to a node.
    pub(crate) client: ClientConfig,
    /// For `aobench up`.
    pub(crate) node: NodeConfig,
    /// For `aobench worker`.
    pub(crate) worker: WorkerConfig,
}

/// For commands that talk to a node.
#[derive(Debug, Clone)]
pub(crate) struct ClientConfig {
    /// The node.
    pub(crate) url: String,
    /// The wallet.
    pub(crate) wallet: PathBuf,
}

/// For `aobench up`.
#[derive(Debug, Clone)]
pub(crate) struct NodeConfig {
    /// Where the node listens.
    pub(crate) listen: SocketAddr,
    /// Where the node keeps everything.
    pub(crate) data: PathBuf,
    /// The largest upload, bytes.
    pub(crate) upload_bytes_max: u64,
    /// Where modules are fetched from that are not on this machine.
    pub(crate) gateways: Vec<String>,
}

/// For `aobench worker`.
#[derive(Debug, Clone)]
pub(crate) struct WorkerConfig {
    /// Where models are cached.
    pub(crate) data: PathBuf,
    /// Prompts in flight.
    pub(crate) capacity: u32,
    /// Threads of the engine.
    pub(crate) threads: u32,
    /// What the engine computes with.
    pub(crate) instructions: InstructionSet,
    /// Memory of the child that holds a model, bytes.
    pub(crate) memory_bytes_max: u64,
    /// Bytes that fetched models may take.
    pub(crate) model_space_bytes_max: u64,
}

impl Config {
    /// Reads the defaults, then the file, then the options and the environment, each over the one before, and checks
    /// what comes out.
    pub(crate) fn load(global: &GlobalArguments) -> anyhow::Result<Self> {
        let mut raw = RawConfig::parse(DEFAULT).context("the built-in configuration cannot be read")?;
        if let Some(path) = config_file(global)? {
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("the configuration {} cannot be read", path.display()))?;
            let file = RawConfig::parse(&text).with_context(|| {
                format!("{} is not a configuration; 'aobench config default' prints one to start from", path.display())
            })?;
            raw.overlay(file);
        }
        raw.client.url = global.url.clone().or(raw.client.url);
        raw.client.wallet = global.wallet.as_ref().map(|path| path.display().to_string()).or(raw.client.wallet);
        Self::resolve(raw)
    }

    fn resolve(raw: RawConfig) -> anyhow::Result<Self> {
        let RawClient { url, wallet } = raw.client;
        let RawNode { listen, data: node_data, upload_gib_max, gateways } = raw.node;
        let RawWorker { data: worker_data, capacity, threads, instructions, memory_gib_max, model_space_gib } =
            raw.worker;
        let listen = set(listen, "node.listen")?;
        let capacity = set(capacity, "worker.capacity")?;
        let threads = set(threads, "worker.threads")?;
        if capacity == 0 || threads == 0 {
            bail!("worker.capacity and worker.threads must be at least 1");
        }
        Ok(Self {
            client: ClientConfig { url: set(url, "client.url")?, wallet: path(&set(wallet, "client.wallet")?)? },
            node: NodeConfig {
                listen: listen
                    .parse()
                    .with_context(|| format!("node.listen is '{listen}'; write it as 127.0.0.1:4000"))?,
                data: path(&set(node_data, "node.data")?)?,
                upload_bytes_max: gib(set(upload_gib_max, "node.upload_gib_max")?)?,
                gateways: set(gateways, "node.gateways")?,
            },
            worker: WorkerConfig {
                data: path(&set(worker_data, "worker.data")?)?,
                capacity,
                threads,
                instructions: set(instructions, "worker.instructions")?,
                memory_bytes_max: gib(set(memory_gib_max, "worker.memory_gib_max")?)?,
                model_space_bytes_max: gib(set(model_space_gib, "worker.model_space_gib")?)?,
            },
        })
    }
}

fn set<T>(value: Option<T>, name: &str) -> anyhow::Result<T> {
    value.with_context(|| format!("{name} is not set"))
}

fn gib(value: u64) -> anyhow::Result<u64> {
    value.checked_mul(1 << 30).filter(|bytes| *bytes > 0).context("a size in GiB must be between 1 and 17179869183")
}

/// A path with `~` for the home folder.
fn path(text: &str) -> anyhow::Result<PathBuf> {
    match text.strip_prefix("~/") {
        Some(rest) => Ok(home()?.join(rest)),
        None => Ok(PathBuf::from(text)),
    }
}

fn home() -> anyhow::Result<PathBuf> {
    std::env::var_os("HOME").map(PathBuf::from).context("HOME is not set, so '~' has no meaning; write whole paths")
}

/// Where models lie that were downloaded by their names.
pub(crate) fn models_folder() -> anyhow::Result<PathBuf> {
    path("~/.local/share/aobench/models")
}

/// The file that was named, which must then be there; else the one in the configuration folder, if it is there.
fn config_file(global: &GlobalArguments) -> anyhow::Result<Option<PathBuf>> {
    if let Some(path) = &global.config {
        return Ok(Some(path.clone()));
    }
    let folder = match std::env::var_os("XDG_CONFIG_HOME") {
        Some(folder) => PathBuf::from(folder),
        None if std::env::var_os("HOME").is_some() => home()?.join(".config"),
        None => return Ok(None),
    };
    let path = folder.join("aobench").join("config.toml");
    Ok(Path::new(&path).exists().then_some(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(text: &str) -> anyhow::Result<Config> {
        let mut raw = RawConfig::parse(DEFAULT)?;
        raw.overlay(RawConfig::parse(text)?);
        Config::resolve(raw)
    }

    #[test]
    fn the_default_that_is_printed_is_the_default_that_holds() {
        let config = resolved("").unwrap();
        assert_eq!(config.client.url, "http://127.0.0.1:4000");
        assert_eq!(config.node.listen.to_string(), "127.0.0.1:4000");
        assert_eq!(config.worker.threads, 1);
    }

    #[test]
    fn a_file_overrides_only_what_it_names() {
        let config = resolved("[worker]\nthreads = 4\n").unwrap();
        assert_eq!((config.worker.threads, config.worker.capacity), (4, 128));
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("[worker]\nthread = 4\n", "thread"),
            ("[worker]\nthreads = 0\n", "at least 1"),
            ("[node]\nlisten = \"everywhere\"\n", "127.0.0.1:4000"),
            ("[node]\nupload_gib_max = 0\n", "GiB"),
        ] {
            let error = format!("{:#}", resolved(text).unwrap_err());
            assert!(error.contains(part), "{text:?}: {error}");
        }
    }
}
