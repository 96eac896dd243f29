//! `aobench worker`: run a worker for a node here or elsewhere.

use std::path::PathBuf;

use ao::wallet::WalletKind;
use clap::Args;
use serde_json::json;

use super::up::stopped;
use super::wallet::create;
use crate::arguments::GlobalArguments;
use crate::config::Config;
use crate::output::Output;
use crate::session::{Session, read_wallet};
use crate::worker::{self, WorkerConfig};

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
    let config = WorkerConfig {
        url: config.client.url,
        wallet,
        herder,
        data,
        capacity: arguments.capacity.unwrap_or(config.worker.capacity),
        threads: arguments.threads.unwrap_or(config.worker.threads),
        memory_bytes_max: config.worker.memory_bytes_max,
    };
    worker::run(config, async {
        if let Err(error) = stopped().await {
            tracing::error!("{error:#}");
        }
    })
    .await
}
