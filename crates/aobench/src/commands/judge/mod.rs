//! `aobench judge`: how well a context answers a question, and how good the judges are.

mod check;
mod judges;

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::json;
use tasks::judge::{JUDGES_MAX, JudgeRequest, protocol, verdict};

use self::check::CheckArguments;
use self::judges::Judges;
use crate::arguments::GlobalArguments;
use crate::output::Output;

/// What can be typed after `aobench judge`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct JudgeArguments {
    #[command(subcommand)]
    command: Option<JudgeCommand>,
    /// The question; @FILE takes it from a file
    #[arg(long, required = true)]
    question: Option<String>,
    /// What a right answer says; @FILE takes it from a file
    #[arg(long, required = true)]
    expected: Option<String>,
    /// What is judged; @FILE takes it from a file. Nothing scores 0
    #[arg(long)]
    context: Option<String>,
    /// Judges to ask; their median counts
    #[arg(long, default_value_t = 1)]
    judges: u32,
    /// Who judges.
    #[command(flatten)]
    by: ByArguments,
}

/// Who judges.
#[derive(Debug, Clone, Args)]
pub(crate) struct ByArguments {
    /// A model file to judge with on this machine, without a node; the herd if left out
    #[arg(long, value_name = "FILE")]
    model: Option<std::path::PathBuf>,
    /// The herder, by id or by its name at the node
    #[arg(long, default_value = "herder")]
    herder: String,
    /// Seconds to wait for a score
    #[arg(long, default_value_t = 120)]
    wait: u64,
}

#[derive(Debug, Subcommand)]
enum JudgeCommand {
    /// Judge what has a known score, again and again, and under 200 attacks
    Check(CheckArguments),
}

pub(crate) async fn run(global: &GlobalArguments, arguments: JudgeArguments, output: Output) -> anyhow::Result<()> {
    if let Some(JudgeCommand::Check(check)) = arguments.command {
        return check::run(global, check, output).await;
    }
    if !(1..=JUDGES_MAX).contains(&arguments.judges) {
        bail!("there can be 1 to {JUDGES_MAX} judges");
    }
    let request = JudgeRequest {
        question: text_or_file(arguments.question.as_deref().unwrap_or_default())?,
        expected_response: text_or_file(arguments.expected.as_deref().unwrap_or_default())?,
        context: arguments.context.as_deref().map(text_or_file).transpose()?,
        judge: 0,
        protocol: Some(protocol()),
    };
    let requests: Vec<JudgeRequest> =
        (0..arguments.judges).map(|judge| JudgeRequest { judge, ..request.clone() }).collect();
    let mut judges = Judges::open(global, &arguments.by).await?;
    let bar = output.bar(requests.len() as u64, "judging");
    let said = judges.scores(&requests, &bar).await?;
    bar.finish_and_clear();
    let scores: Vec<u8> = said.iter().filter_map(|score| score.as_ref().ok().copied()).collect();
    let errors: Vec<&String> = said.iter().filter_map(|score| score.as_ref().err()).collect();
    let Some(verdict) = verdict(&scores) else {
        bail!("no judge gave a score: {}", errors.first().map_or("", |error| error.as_str()));
    };
    let shown = json!({
        "score": verdict.score, "spread": verdict.spread, "judges": verdict.judges, "scores": scores,
        "errors": errors, "protocol": protocol(),
    });
    output.result(&shown, |_| match (verdict.judges, errors.len()) {
        (1, 0) => verdict.score.to_string(),
        (judges, 0) => format!("{} (median of {judges} judges, spread {})", verdict.score, verdict.spread),
        (judges, failed) => {
            format!("{} (median of {judges} judges, spread {}; {failed} gave none)", verdict.score, verdict.spread)
        }
    })
}

/// A text, or the content of the file after `@`.
pub(crate) fn text_or_file(text: &str) -> anyhow::Result<String> {
    match text.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).with_context(|| format!("{path} cannot be read")),
        None => Ok(text.to_owned()),
    }
}

impl ByArguments {
    fn wait(&self) -> Duration {
        Duration::from_secs(self.wait)
    }
}
