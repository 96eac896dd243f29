//! `aobench config`: the commented default to start from.

use clap::Subcommand;

use crate::config::DEFAULT;
use crate::output::Output;

/// What can be typed after `aobench config`.
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the commented default configuration
    Default,
}

pub(crate) fn run(command: ConfigCommand, output: Output) {
    match command {
        ConfigCommand::Default => output.raw(DEFAULT),
    }
}
