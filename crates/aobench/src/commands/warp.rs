//! `aobench warp`: let the clock of a development node jump ahead, so that a pool of 30 days ends now.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use jiff::{Span, SpanRelativeTo};
use serde_json::json;

use crate::arguments::GlobalArguments;
use crate::config::Config;
use crate::output::Output;
use crate::session::{Session, action, read_wallet};

/// What can be typed after `aobench warp`.
#[derive(Debug, Args)]
pub(crate) struct WarpArguments {
    /// How far, as 24h, 30d or 90m
    #[arg(value_parser = parse_duration)]
    duration: Duration,
    /// The operator's wallet, instead of the one in the node's data folder
    #[arg(long, value_name = "FILE")]
    operator: Option<PathBuf>,
}

/// Reads `24h`, `30d`, `1h 30m`; a day has 24 hours.
pub(crate) fn parse_duration(text: &str) -> anyhow::Result<Duration> {
    let hint = || format!("'{text}' is no duration; write it as 24h, 30d or 90m");
    let span: Span = text.parse().with_context(hint)?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).with_context(hint)?;
    match Duration::try_from(duration) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => bail!("a clock is warped ahead, never back"),
    }
}

pub(crate) async fn run(global: &GlobalArguments, arguments: WarpArguments, output: Output) -> anyhow::Result<()> {
    let config = Config::load(global)?;
    let operator = arguments.operator.unwrap_or_else(|| config.node.data.join("operator.json"));
    let wallet = read_wallet(&operator).context("only the operator of a development node may warp its clock")?;
    let session = Session::open(&config.client.url, Some(wallet)).await?;
    send(&session, arguments.duration).await?;
    let value = json!({ "milliseconds": u64::try_from(arguments.duration.as_millis())? });
    output.result(&value, |_| format!("the clock is {} s ahead of where it was", arguments.duration.as_secs()))
}

/// Asks the node, in the operator's name, to let its clock jump.
pub(crate) async fn send(session: &Session, duration: Duration) -> anyhow::Result<()> {
    let node = session.client.node_address().await?;
    let tags = action("Warp").with("Milliseconds", duration.as_millis().to_string());
    session.client.send(node, tags, "").await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(parse_duration("24h").unwrap().as_secs(), 86_400);
        assert_eq!(parse_duration("30d").unwrap().as_secs(), 30 * 86_400);
        assert_eq!(parse_duration("1h 30m").unwrap().as_secs(), 5_400);
        for text in ["", "soon", "-1h", "0s", "24"] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
    }
}
