//! `aobench up`: run a node.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context as _, bail};
use ao::{Tag, Tags};
use clap::Args;
use node::{Genesis, GenesisProcess, Node, NodeHandle};
use serde::Deserialize;
use serde_json::json;

use super::money::Money;
use crate::arguments::GlobalArguments;
use crate::config::{self, Config};
use crate::development::{self, DevelopmentWallet, WorkerSettings};
use crate::known_models::file_of;
use crate::model_inspector::GgufInspector;
use crate::output::{Column, Output, table};

/// What can be typed after `aobench up`.
#[derive(Debug, Args)]
pub(crate) struct UpArguments {
    /// Where to listen, instead of what the configuration says
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// Where to keep everything, instead of what the configuration says
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// A development node: processes, funded wallets, the demo dataset, and a clock that can be warped
    #[arg(long)]
    dev: bool,
    /// Run this many workers inside the node's process (development nodes)
    #[arg(long, value_name = "N", default_value_t = 0, requires = "dev")]
    worker: usize,
    /// The model that makes vectors for the knowledge process (development nodes): a GGUF file of the BERT family, or the
    /// name of a downloaded one
    #[arg(long, value_name = "FILE", requires = "dev")]
    embedding_model: Option<PathBuf>,
    /// The processes that the node has from the start (TOML: [[process]] with name, module, owner, tags, data)
    #[arg(long, value_name = "FILE", conflicts_with = "dev")]
    genesis: Option<PathBuf>,
}

/// The genesis as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GenesisFile {
    #[serde(default)]
    process: Vec<GenesisEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct GenesisEntry {
    name: String,
    module: String,
    id: Option<ao::Id>,
    owner: Option<ao::Id>,
    #[serde(default)]
    tags: std::collections::BTreeMap<String, String>,
    #[serde(default)]
    data: String,
}

pub(crate) async fn run(global: &GlobalArguments, arguments: UpArguments, output: Output) -> anyhow::Result<()> {
    let config = Config::load(global)?;
    let data = arguments.data.clone().unwrap_or_else(|| config.node.data.clone());
    let mut settings = node_settings(&config.node, &arguments, data.clone());
    let wallets = if arguments.dev { development::wallets(&data.join("wallets"))? } else { Vec::new() };
    settings.genesis = match &arguments.genesis {
        Some(path) => read_genesis(path)?,
        None if arguments.dev => development::genesis(&wallets)?,
        None => Genesis::default(),
    };
    let node = Node::start(settings).await?;
    let workers =
        if arguments.dev { Some(develop(&node, &arguments, &config, &data, &wallets, output).await?) } else { None };
    // Told last: who waits for this line may use everything.
    output.result(&json!({ "url": node.url(), "address": node.address(), "data": data }), |_| {
        format!("node {} at {}\ndata in {}", node.address(), node.url(), data.display())
    })?;
    stopped().await?;
    output.talk("stopping");
    if let Some(workers) = workers {
        workers.stop().await;
    }
    node.shutdown().await;
    Ok(())
}

fn node_settings(config: &config::NodeConfig, arguments: &UpArguments, data: PathBuf) -> node::Config {
    let mut settings = node::Config::new(data);
    settings.listen = arguments.listen.unwrap_or(config.listen);
    settings.dev = arguments.dev;
    settings.limits.upload_bytes_max = config.upload_bytes_max;
    settings.inspector = Some(Arc::new(GgufInspector));
    settings
}

/// What only a development node has: questions, printed wallets, workers.
async fn develop(
    node: &NodeHandle,
    arguments: &UpArguments,
    config: &Config,
    data: &std::path::Path,
    wallets: &[DevelopmentWallet],
    output: Output,
) -> anyhow::Result<development::Workers> {
    let operator = development::operator_session(node, data).await?;
    let questions = development::load_questions(&operator, output).await?;
    if let Some(path) = &arguments.embedding_model {
        development::name_embedding_model(&operator, &file_of(path)?, output).await?;
    }
    let money = Money::of(&operator, &operator.process("token")?).await?;
    let balances = development::balances(&operator, wallets).await?;
    let rows = wallets.iter().zip(balances).map(|(wallet, balance)| {
        vec![
            wallet.name.clone(),
            wallet.wallet.address().to_string(),
            money.show(balance),
            wallet.path.display().to_string(),
        ]
    });
    let columns = [Column::Text("wallet"), Column::Text("address"), Column::Number("balance"), Column::Text("file")];
    output.text(table(&columns, rows));
    output.text(format_args!(
        "dataset with {questions} synthetic questions; {} workers; stop with Ctrl-C",
        arguments.worker
    ));
    let settings = WorkerSettings {
        count: arguments.worker,
        data: data.join("workers"),
        capacity: config.worker.capacity,
        threads: config.worker.threads,
        instructions: config.worker.instructions,
        memory_bytes_max: config.worker.memory_bytes_max,
        model_space_bytes_max: config.worker.model_space_bytes_max,
        model: if arguments.worker > 0 { Some(development::shipped_model(&data.join("workers"))?) } else { None },
    };
    let mut workers = development::start_workers(&operator, &settings).await?;
    if arguments.worker > 0 {
        development::serve_prompts(&operator, &settings, &mut workers, output).await?;
    }
    Ok(workers)
}

fn read_genesis(path: &std::path::Path) -> anyhow::Result<Genesis> {
    let text = std::fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))?;
    let file: GenesisFile = toml::from_str(&text).with_context(|| format!("{} is no genesis file", path.display()))?;
    if file.process.is_empty() {
        bail!("{} names no process; write each as [[process]] with a name and a module", path.display());
    }
    let process = |entry: GenesisEntry| GenesisProcess {
        name: entry.name,
        module: entry.module,
        id: entry.id,
        owner: entry.owner,
        tags: entry.tags.into_iter().map(|(name, value)| Tag::new(name, value)).collect::<Tags>(),
        data: entry.data.into_bytes(),
    };
    Ok(Genesis { processes: file.process.into_iter().map(process).collect() })
}

/// Returns when the process is asked to stop.
pub(crate) async fn stopped() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate()).context("signals cannot be received")?;
        tokio::select! {
            interrupted = tokio::signal::ctrl_c() => interrupted.context("signals cannot be received")?,
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await.context("signals cannot be received")?;
    Ok(())
}
