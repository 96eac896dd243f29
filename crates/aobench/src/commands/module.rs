//! `aobench module`: the WebAssembly modules of a node.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use ao::{Id, Tag, Tags};
use clap::Subcommand;
use client::{Client, ClientError, Progress};
use node::limits::WASM_MODULE_BYTES_MAX;
use serde_json::json;

use crate::arguments::GlobalArguments;
use crate::config::Config;
use crate::output::Output;

/// What can be typed after `aobench module`.
#[derive(Debug, Subcommand)]
pub(crate) enum ModuleCommand {
    /// Add a module of AO to a node on this machine, so that processes can be spawned with it
    Add {
        /// The module (.wasm); without it, it is fetched from a gateway and must be what was signed under the id
        file: Option<PathBuf>,
        /// The id of its transaction, which processes name in their tag Module
        #[arg(long)]
        id: Id,
        /// A tag of the transaction, as NAME=VALUE; without Module-Format it is taken for one of AO's usual format
        #[arg(long, short, value_name = "NAME=VALUE", value_parser = super::send::parse_tag, requires = "file")]
        tag: Vec<Tag>,
        /// A gateway to fetch it from, instead of those that the configuration names; may be given several times
        #[arg(long, value_name = "URL", conflicts_with = "file")]
        gateway: Vec<String>,
        /// The data directory of the node, instead of what the configuration says
        #[arg(long, value_name = "FOLDER")]
        data: Option<PathBuf>,
    },
}

pub(crate) async fn run(global: &GlobalArguments, command: ModuleCommand, output: Output) -> anyhow::Result<()> {
    let ModuleCommand::Add { file, id, tag, gateway, data } = command;
    let data = match data {
        Some(data) => data,
        None => Config::load(global)?.node.data,
    };
    match file {
        Some(file) => add(&data, id, &file, tag.into_iter().collect())?,
        None if gateway.is_empty() => fetch(&data, id, &Config::load(global)?.node.gateways, output).await?,
        None => fetch(&data, id, &gateway, output).await?,
    }
    output.result(&json!({ "module": id, "data": data }), |_| {
        format!("the module {id} is added; processes name it in their tag Module")
    })
}

fn add(data: &Path, id: Id, file: &Path, tags: Tags) -> anyhow::Result<()> {
    let added = node::wasm::add_module(data, id, file, tags);
    added.with_context(|| format!("the module {} was not added", file.display()))
}

/// Adds the module from the first gateway that has it.
async fn fetch(data: &Path, id: Id, gateways: &[String], output: Output) -> anyhow::Result<()> {
    let mut reasons = Vec::new();
    for gateway in gateways {
        match fetch_from(data, id, gateway, output).await {
            Ok(()) => return Ok(()),
            Err(error) => reasons.push(format!("{gateway}: {error:#}")),
        }
    }
    bail!(
        "the module {id} could be fetched from no gateway ({}); name its file, 'aobench module add FILE --id {id}', or \
         another gateway",
        reasons.join("; ")
    )
}

async fn fetch_from(data: &Path, id: Id, gateway: &str, output: Output) -> anyhow::Result<()> {
    let client = Client::new(gateway, None)?;
    let Some(transaction) = client.transaction(&id).await? else { bail!("it knows no such transaction") };
    let tags = transaction.tags.clone();
    if !tags.all("Type").any(|kind| kind == "Module") {
        bail!("this transaction is no module: it has no tag Type=Module");
    }
    if transaction.bytes > WASM_MODULE_BYTES_MAX {
        bail!("it has {} bytes, and a module may have {WASM_MODULE_BYTES_MAX}", transaction.bytes);
    }
    let folder = data.join("modules");
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let file = folder.join(format!("{}.fetched", id.to_hex()));
    let bar = output.byte_bar(transaction.bytes, "fetching");
    let shown = bar.clone();
    let fetched = async {
        let listen = move |progress: Progress| shown.set_position(progress.bytes_done);
        client.download(&id, &file, transaction.bytes, listen).await?;
        transaction.verify(&file).await
    };
    let fetched: Result<(), ClientError> = fetched.await;
    bar.finish_and_clear();
    let added = match fetched {
        Ok(()) => add(data, id, &file, tags),
        Err(error) => Err(error.into()),
    };
    let _ = std::fs::remove_file(&file);
    added
}
