//! One file per command: what can be typed after it, and what it does with the crates below.

pub(crate) mod audit;
pub(crate) mod bench;
pub(crate) mod chat;
pub(crate) mod completions;
pub(crate) mod config;
pub(crate) mod dataset;
pub(crate) mod eval;
pub(crate) mod judge;
pub(crate) mod knowledge;
pub(crate) mod model;
pub(crate) mod module;
pub(crate) mod money;
pub(crate) mod pool;
pub(crate) mod process;
pub(crate) mod result;
pub(crate) mod retrieval;
pub(crate) mod send;
pub(crate) mod task;
pub(crate) mod token;
pub(crate) mod up;
pub(crate) mod wallet;
pub(crate) mod warp;
pub(crate) mod work;

use crate::arguments::{Arguments, Command};
use crate::demo;
use crate::output::Output;

/// Runs the command that was typed.
pub(crate) async fn run(arguments: Arguments, output: Output) -> anyhow::Result<()> {
    let global = arguments.global;
    match arguments.command {
        Command::Demo(arguments) => demo::run(&arguments, output).await,
        Command::Up(arguments) => up::run(&global, arguments, output).await,
        Command::Worker(arguments) => work::run(&global, arguments, output).await,
        Command::Warp(arguments) => warp::run(&global, arguments, output).await,
        Command::Wallet(command) => wallet::run(&global, command, output),
        Command::Token(command) => token::run(&global, command, output).await,
        Command::Dataset(command) => dataset::run(&global, command, output).await,
        Command::Model(command) => model::run(&global, command, output).await,
        Command::Pool(command) => pool::run(&global, command, output).await,
        Command::Send(arguments) => send::run(&global, arguments, output).await,
        Command::Result(arguments) => result::run(&global, arguments, output).await,
        Command::Process(command) => process::run(&global, command, output).await,
        Command::Audit(arguments) => audit::run(&global, arguments, output),
        Command::Bench(command) => bench::run(command, output).await,
        Command::Module(command) => module::run(&global, command, output).await,
        Command::Task(command) => task::run(command, output),
        Command::Knowledge(command) => knowledge::run(&global, command, output).await,
        Command::Judge(arguments) => judge::run(&global, arguments, output).await,
        Command::Chat(arguments) => chat::run(&global, arguments, output).await,
        Command::Eval(arguments) => eval::run(&global, *arguments, output).await,
        Command::Config(command) => {
            config::run(command, output);
            Ok(())
        }
        Command::Completions(arguments) => {
            completions::run(&arguments, output);
            Ok(())
        }
    }
}
