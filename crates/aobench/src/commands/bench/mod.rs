//! `aobench bench`: what this machine does, beside a ceiling that is measured in the same run.

mod embed;
#[cfg(feature = "llama")]
mod eval;
mod pages;
mod search;
mod transfers;
mod wasm;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use node::bench::LogBench;

use self::embed::EmbedArguments;
#[cfg(feature = "llama")]
use self::eval::EvalBenchArguments;
use self::pages::PagesArguments;
use self::search::SearchArguments;
use self::transfers::TransferArguments;
use self::wasm::WasmArguments;
use crate::output::{Column, Output, table};

/// What can be typed after `aobench bench`.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Durable records a second into the log, beside the same records through bare SQLite with group commit
    Log(LogArguments),
    /// Token transfers a second through HTTP: verified, applied, notices delivered; beside verification alone
    Transfers(TransferArguments),
    /// One search in a knowledge process of 10,000 and of 100,000 documents, beside numpy's matrix product
    Search(SearchArguments),
    /// Texts a second that become vectors, beside Python's tools on the same model
    Embed(EmbedArguments),
    #[cfg(feature = "llama")]
    /// Questions a second that `aobench eval` scores, beside the arithmetic ceiling and the programs used for it today
    Eval(Box<EvalBenchArguments>),
    /// Messages to aos, beside AO's own host of the same module; and whether both answer alike
    Wasm(WasmArguments),
    /// How long pages take while evaluations run, with many pools and one large one; beside a request that reads nothing
    Pages(PagesArguments),
}

/// How long to measure, and where.
#[derive(Debug, Args)]
pub(crate) struct LogArguments {
    /// Seconds for each measurement
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// A folder on the disk to measure; a temporary one if left out
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

pub(crate) async fn run(command: BenchCommand, output: Output) -> anyhow::Result<()> {
    match command {
        BenchCommand::Log(arguments) => log(arguments, output).await,
        BenchCommand::Search(arguments) => search::run(&arguments, output),
        BenchCommand::Embed(arguments) => embed::run(&arguments, output),
        BenchCommand::Transfers(arguments) => transfers::run(&arguments, output).await,
        #[cfg(feature = "llama")]
        BenchCommand::Eval(arguments) => eval::run(*arguments, output).await,
        BenchCommand::Wasm(arguments) => wasm::run(arguments, output).await,
        BenchCommand::Pages(arguments) => pages::run(&arguments, output).await,
    }
}

async fn log(arguments: LogArguments, output: Output) -> anyhow::Result<()> {
    let temporary = temporary(arguments.data.as_ref())?;
    let folder = temporary.path().to_owned();
    let duration = Duration::from_secs(arguments.seconds.max(1));
    let spinner = output.spinner("measuring the log and its ceiling in turn");
    let bench = tokio::task::spawn_blocking(move || node::bench::bench_log(&folder, duration)).await??;
    spinner.finish_and_clear();
    output.result(&bench, describe)
}

fn describe(bench: &LogBench) -> String {
    let columns = [
        Column::Text("senders"),
        Column::Number("log, records/s"),
        Column::Number("bare SQLite"),
        Column::Number("ratio"),
    ];
    let row = |senders: &str, log: f64, ceiling: f64, ratio: f64| {
        vec![senders.to_owned(), format!("{log:.0}"), format!("{ceiling:.0}"), format!("{ratio:.2}")]
    };
    let rows = [
        row("1", bench.log_1, bench.ceiling_1, bench.ratio_1),
        row("64", bench.log_64, bench.ceiling_64, bench.ratio_64),
    ];
    table(&columns, rows)
}

/// A folder that is removed at the end, inside the one that was named.
fn temporary(parent: Option<&PathBuf>) -> anyhow::Result<tempfile::TempDir> {
    let made = match parent {
        Some(parent) => tempfile::tempdir_in(parent),
        None => tempfile::tempdir(),
    };
    made.context("no temporary folder can be made")
}
