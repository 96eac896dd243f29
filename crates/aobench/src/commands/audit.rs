//! `aobench audit`: checks the data of a stopped node.

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use crate::arguments::GlobalArguments;
use crate::config::Config;
use crate::output::{Column, Output, table};

/// What can be typed after `aobench audit`.
#[derive(Debug, Args)]
pub(crate) struct AuditArguments {
    /// The data directory of the node, instead of what the configuration says
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

pub(crate) fn run(global: &GlobalArguments, arguments: AuditArguments, output: Output) -> anyhow::Result<()> {
    let data = match arguments.data {
        Some(data) => data,
        None => Config::load(global)?.node.data,
    };
    let report = node::audit(&data)?;
    output.result(&report, |report| {
        let count = |what: &str, number: u64| vec![what.to_owned(), number.to_string()];
        let rows = [
            count("records of the log: checksum and hash chain (I6)", report.records),
            count("messages of processes: one place each (I5)", report.messages),
            count("tokens: balances are the supply (I1)", report.tokens),
            count("pools: books balance, payouts by rule (I3, I4)", report.pools),
            count("benchmark processes at rest: escrow is backed (I2)", report.backings),
        ];
        let checked = table(&[Column::Text("checked"), Column::Number("number")], rows);
        let findings = report.findings.iter();
        let findings = findings.map(|found| format!("{} {}: {}", found.invariant, found.subject, found.text));
        std::iter::once(checked).chain(findings).collect::<Vec<_>>().join("\n")
    })?;
    match report.findings.len() {
        0 => Ok(()),
        1 => bail!("one thing does not hold; stop using this data and keep a copy of it"),
        many => bail!("{many} things do not hold; stop using this data and keep a copy of it"),
    }
}
