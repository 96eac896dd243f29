//! `aobench worker`: run a worker for a node here or elsewhere.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use ao::wallet::WalletKind;
use clap::Args;
use serde_json::json;

use super::up::stopped;
use super::wallet::create;
use crate::arguments::GlobalArguments;
use crate::config::Config;
use crate::known_models::file_of;
use crate::output::Output;
use crate::session::{Session, read_wallet};
use crate::worker::{self, Service, Serving, WorkerConfig};

/// What can be typed after `aobench worker`.
#[derive(Debug, Args)]
pub(crate) struct WorkArguments {
    /// The herder, by id or by its name at the node
    #[arg(long, default_value = "herder")]
    herder: String,
    /// Where to cache models, instead of what the configuration says
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// Prompts to take at a time, instead of what the configuration says
    #[arg(long)]
    capacity: Option<u32>,
    /// Threads of the engine, instead of what the configuration says
    #[arg(long)]
    threads: Option<u32>,
    /// A kind of work to do; several may be named
    #[arg(long = "type", value_name = "KIND", default_value = "llama", value_delimiter = ',')]
    services: Vec<Service>,
    /// A model file, or the name of a downloaded one, for work that names no model: judging, chatting, and what is served
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// GiB that fetched models may take, instead of what the configuration says
    #[arg(long, value_name = "GIB")]
    model_space: Option<u64>,
    /// Answer the HTTP API of OpenAI here as well, with the model of --model
    #[arg(long, value_name = "ADDRESS:PORT", requires = "key_file", requires = "model")]
    serve: Option<SocketAddr>,
    /// The file with the keys that --serve accepts, one in a line
    #[arg(long, value_name = "FILE", requires = "serve")]
    key_file: Option<PathBuf>,
}

pub(crate) async fn run(global: &GlobalArguments, arguments: WorkArguments, output: Output) -> anyhow::Result<()> {
    let config = Config::load(global)?;
    let data = arguments.data.unwrap_or(config.worker.data);
    // A worker has a key of its own unless one is named: it must not hold a wallet with money in it.
    let path = global.wallet.clone().unwrap_or_else(|| data.join("wallet.json"));
    let wallet = if path.exists() { read_wallet(&path)? } else { create(&path, WalletKind::Ed25519)? };
    let session = Session::await_node(&config.client.url).await?;
    let herder = session.process(&arguments.herder)?;
    output.result(&json!({ "worker": wallet.address(), "herder": herder }), |_| {
        format!("worker {} for the herder {herder}", wallet.address())
    })?;
    let too_much = "--model-space is more GiB than there can be";
    let model_space = arguments.model_space.map(|gib| gib.checked_mul(1 << 30).context(too_much)).transpose()?;
    let serving = match (arguments.serve, &arguments.key_file) {
        (Some(address), Some(keys)) => Some(Serving::new(address, keys)?),
        _ => None,
    };
    let config = WorkerConfig {
        url: config.client.url,
        wallet,
        herder,
        data,
        capacity: arguments.capacity.unwrap_or(config.worker.capacity),
        threads: arguments.threads.unwrap_or(config.worker.threads),
        instructions: config.worker.instructions,
        memory_bytes_max: config.worker.memory_bytes_max,
        services: arguments.services.into_iter().collect(),
        model: arguments.model.as_deref().map(file_of).transpose()?,
        model_space_bytes_max: model_space.unwrap_or(config.worker.model_space_bytes_max),
        serving,
    };
    worker::run(config, async {
        if let Err(error) = stopped().await {
            tracing::error!("{error:#}");
        }
    })
    .await
}
