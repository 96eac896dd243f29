//! What can be typed: the commands and the options that all of them share.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::commands::{
    audit, bench, chat, completions, config, dataset, eval, judge, knowledge, model, module, pool, process, result,
    send, task, token, up, wallet, warp, work,
};
use crate::demo;

/// Paid, honest contests between language models on AO.
#[derive(Debug, Parser)]
#[command(name = "aobench", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// Options of every command.
    #[command(flatten)]
    pub(crate) global: GlobalArguments,
    /// The command.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Debug, Clone, Args)]
pub(crate) struct GlobalArguments {
    /// The node to talk to
    #[arg(long, short = 'u', global = true, env = "AOBENCH_URL", value_name = "URL")]
    pub(crate) url: Option<String>,
    /// The wallet to sign with (a JWK file)
    #[arg(long, short = 'w', global = true, env = "AOBENCH_WALLET", value_name = "FILE")]
    pub(crate) wallet: Option<PathBuf>,
    /// The configuration file, instead of the one in the configuration folder
    #[arg(long, global = true, env = "AOBENCH_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say more on standard error; twice for much more
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// See a funder's money become a trainer's payout, on this machine, within a minute
    Demo(demo::DemoArguments),
    /// Run a node
    Up(up::UpArguments),
    /// Run a worker: answer questions with models, for a node here or elsewhere
    Worker(work::WorkArguments),
    /// Let the clock of a development node jump ahead
    Warp(warp::WarpArguments),
    /// Make and show wallets
    #[command(subcommand)]
    Wallet(wallet::WalletCommand),
    /// Balances and transfers of a token
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Questions: create, load, inspect
    #[command(subcommand)]
    Dataset(dataset::DatasetCommand),
    /// Model files
    #[command(subcommand)]
    Model(model::ModelCommand),
    /// Pools: fund, join, follow, settle
    #[command(subcommand)]
    Pool(pool::PoolCommand),
    /// Documents that are found by what they mean: create, search, list, delete
    #[command(subcommand)]
    Knowledge(knowledge::KnowledgeCommand),
    /// Let workers grade how well a context answers a question, 0 to 10
    Judge(judge::JudgeArguments),
    /// Let a worker answer a question in one sentence
    Chat(chat::ChatArguments),
    /// Score models on tasks, without a node or a pool
    Eval(Box<eval::EvalArguments>),
    /// Task files: make, check, look at, compare
    #[command(subcommand)]
    Task(task::TaskCommand),
    /// Send any AO message
    Send(send::SendArguments),
    /// Show what came of a message
    Result(result::ResultArguments),
    /// The processes of a node
    #[command(subcommand)]
    Process(process::ProcessCommand),
    /// Check the data of a stopped node: log, deliveries, supply, escrow, payouts
    Audit(audit::AuditArguments),
    /// The WebAssembly modules of a node
    #[command(subcommand)]
    Module(module::ModuleCommand),
    /// Measure this machine against a ceiling taken in the same run
    #[command(subcommand)]
    Bench(bench::BenchCommand),
    /// The configuration
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Print the completions of a shell
    Completions(completions::CompletionsArguments),
}

/// What an id can be typed for. An id is any 43 letters of base64url: one in 64 begins with '-', and is no option.
const IDS: [&str; 14] = [
    "address",
    "dataset",
    "first",
    "herder",
    "id",
    "knowledge",
    "message",
    "model",
    "pool",
    "process",
    "recipient",
    "second",
    "target",
    "token",
];

fn taking_ids(command: clap::Command) -> clap::Command {
    let command = command.mut_args(|argument| {
        let takes_id = IDS.contains(&argument.get_id().as_str());
        if takes_id { argument.allow_hyphen_values(true) } else { argument }
    });
    command.mut_subcommands(taking_ids)
}

impl Arguments {
    /// What was typed; ends the program with the reason if that is nothing.
    pub(crate) fn read() -> Self {
        let matches = taking_ids(Self::command()).get_matches();
        Self::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
    }

    /// Whether the command runs until it is stopped, so that its log is what a person looks at.
    pub(crate) fn is_daemon(&self) -> bool {
        matches!(self.command, Command::Up(_) | Command::Worker(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_begins_like_an_option_is_an_id() {
        for letters in ["-i", "-w", "-h", "-V", "-u", "-t", "--", "-v"] {
            let id = format!("{letters}{}A", "x".repeat(40));
            let typed = [
                vec!["pool", "join", &id, &id, "--json"],
                vec!["pool", "create", "--dataset", &id, "--amount", "1"],
                vec!["pool", "show", &id],
                vec!["token", "transfer", &id, "5", "--token", &id],
                vec!["result", &id, &id],
                vec!["send", &id, "--action", "Info"],
                vec!["process", "show", &id],
                vec!["dataset", "results", &id, "--model", &id],
                vec!["eval", "--model", &id, "--task", "demo"],
            ];
            for arguments in typed {
                let line = std::iter::once("aobench").chain(arguments.iter().copied());
                let outcome = taking_ids(Arguments::command()).try_get_matches_from(line);
                assert!(outcome.is_ok(), "{arguments:?}: {}", outcome.unwrap_err());
            }
        }
    }

    #[test]
    fn an_option_that_there_is_not_is_refused() {
        for arguments in
            [vec!["pool", "list", "--everything"], vec!["up", "--developer"], vec!["eval", "--models-of", "x"]]
        {
            let line = std::iter::once("aobench").chain(arguments.iter().copied());
            assert!(taking_ids(Arguments::command()).try_get_matches_from(line).is_err(), "{arguments:?}");
        }
    }
}
