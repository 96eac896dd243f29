//! `aobench send`: any AO message.

use anyhow::Context as _;
use ao::{Tag, Tags};
use clap::Args;
use serde_json::json;

use crate::arguments::GlobalArguments;
use crate::output::Output;
use crate::session::Session;

/// What can be typed after `aobench send`.
#[derive(Debug, Args)]
pub(crate) struct SendArguments {
    /// The process, by id or by its name at the node
    target: String,
    /// The Action tag
    #[arg(long, short)]
    action: Option<String>,
    /// A tag
    #[arg(long = "tag", short, value_name = "NAME=VALUE", value_parser = parse_tag)]
    tags: Vec<Tag>,
    /// The data; @FILE takes it from a file
    #[arg(long, short, default_value = "")]
    data: String,
    /// Only ask what would be answered, without sending
    #[arg(long)]
    dry_run: bool,
    /// Do not wait for the result
    #[arg(long, conflicts_with = "dry_run")]
    no_wait: bool,
}

/// Reads `NAME=VALUE`.
pub(crate) fn parse_tag(text: &str) -> Result<Tag, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok(Tag::new(name, value)),
        _ => Err("write a tag as NAME=VALUE".to_owned()),
    }
}

pub(crate) async fn run(global: &GlobalArguments, arguments: SendArguments, output: Output) -> anyhow::Result<()> {
    let mut tags = Tags::new();
    if let Some(action) = arguments.action {
        tags.push("Action", action);
    }
    tags.extend(arguments.tags);
    let data = match arguments.data.strip_prefix('@') {
        Some(path) => std::fs::read(path).with_context(|| format!("{path} cannot be read"))?,
        None => arguments.data.into_bytes(),
    };
    if arguments.dry_run {
        let session = Session::reading(global).await?;
        let result = session.client.dry_run(&session.process(&arguments.target)?, tags, data).await?;
        return output.result(&result, super::result::describe);
    }
    let session = Session::signing(global).await?;
    let target = session.process(&arguments.target)?;
    let message = session.client.send(target, tags, data).await?;
    if arguments.no_wait {
        return output.result(&json!({ "message": message }), |_| message.to_string());
    }
    let result = session.client.result(&target, &message).await?;
    let text = super::result::describe(&result);
    output.result(&json!({ "message": message, "result": result }), |_| format!("message {message}\n{text}"))
}
