//! `aobench result`: what came of a message.

use ao::Id;
use clap::Args;
use client::MessageResult;

use crate::arguments::GlobalArguments;
use crate::output::Output;
use crate::session::Session;

/// What can be typed after `aobench result`.
#[derive(Debug, Args)]
pub(crate) struct ResultArguments {
    /// The process, by id or by its name at the node
    process: String,
    /// The message
    message: Id,
}

pub(crate) async fn run(global: &GlobalArguments, arguments: ResultArguments, output: Output) -> anyhow::Result<()> {
    let session = Session::reading(global).await?;
    let result = session.client.result(&session.process(&arguments.process)?, &arguments.message).await?;
    output.result(&result, describe)
}

/// A result for people: the output, the error, and a line for each message that was sent.
pub(crate) fn describe(result: &MessageResult) -> String {
    let mut lines = Vec::new();
    if let Some(error) = &result.error {
        lines.push(format!("not carried out: {error}"));
    }
    if let Some(error) = &result.output.error {
        lines.push(format!("refused: {error}"));
    }
    if !result.output.data.is_empty() {
        lines.push(result.output.data.clone());
    }
    for message in &result.messages {
        let tags = message.tags.iter().map(|tag| format!("{}={}", tag.name, tag.value)).collect::<Vec<_>>().join(" ");
        lines.push(format!("-> {} {tags}", message.target));
    }
    if lines.is_empty() {
        lines.push("carried out; nothing to say".to_owned());
    }
    lines.join("\n")
}
