//! `aobench module`: the WebAssembly modules of a node.

use std::path::PathBuf;

use anyhow::Context as _;
use ao::{Id, Tag};
use clap::Subcommand;
use serde_json::json;

use crate::arguments::GlobalArguments;
use crate::config::Config;
use crate::output::Output;

/// What can be typed after `aobench module`.
#[derive(Debug, Subcommand)]
pub(crate) enum ModuleCommand {
    /// Add a module of AO to a node on this machine, so that processes can be spawned with it
    Add {
        /// The module (.wasm)
        file: PathBuf,
        /// The id of its transaction, which processes name in their tag Module
        #[arg(long)]
        id: Id,
        /// A tag of the transaction, as NAME=VALUE; without Module-Format it is taken for one of AO's usual format
        #[arg(long, short, value_name = "NAME=VALUE", value_parser = super::send::parse_tag)]
        tag: Vec<Tag>,
        /// The data directory of the node, instead of what the configuration says
        #[arg(long, value_name = "FOLDER")]
        data: Option<PathBuf>,
    },
}

pub(crate) fn run(global: &GlobalArguments, command: ModuleCommand, output: Output) -> anyhow::Result<()> {
    let ModuleCommand::Add { file, id, tag, data } = command;
    let data = match data {
        Some(data) => data,
        None => Config::load(global)?.node.data,
    };
    let added = node::wasm::add_module(&data, id, &file, tag.into_iter().collect());
    added.with_context(|| format!("the module {} was not added", file.display()))?;
    output.result(&json!({ "module": id, "data": data }), |_| {
        format!("the module {id} is added; processes name it in their tag Module")
    })
}
