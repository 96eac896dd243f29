//! `aobench`: the node, the workers, the commands and the demo in one binary. This crate is glue: what it runs lives in
//! the crates below it.
#![forbid(unsafe_code)]

mod arguments;
mod commands;
mod config;
mod contest;
mod demo;
mod development;
mod eval;
mod herd;
mod known_models;
mod model_inspector;
mod output;
mod session;
mod web_file;
mod worker;

use std::process::ExitCode;

use crate::arguments::Arguments;
use crate::output::Output;

fn main() -> ExitCode {
    // The child that holds a stranger's model must hold nothing else: no runtime, no logger, no configuration.
    if std::env::args_os().nth(1).is_some_and(|argument| argument == inference::child::SUBCOMMAND) {
        return inference::child::run();
    }
    let arguments = Arguments::read();
    start_log(&arguments);
    let output = Output::new(arguments.global.json);
    let outcome = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(commands::run(arguments, output)),
        Err(error) => Err(anyhow::Error::new(error).context("the asynchronous runtime could not be started")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output.error(&error);
            ExitCode::FAILURE
        }
    }
}

/// The log goes to standard error, which is for talk; standard output is for the result.
fn start_log(arguments: &Arguments) {
    use tracing_subscriber::EnvFilter;

    let default = match (arguments.global.verbose, arguments.is_daemon()) {
        (0, false) => "error",
        (0, true) => "warn,aobench=info,node=info",
        (1, _) => "warn,aobench=info,node=info,inference=info,client=info",
        _ => "info,aobench=debug,node=debug,inference=debug,client=debug",
    };
    let filter = EnvFilter::try_from_env("AOBENCH_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
}
