//! `aobench process`: the processes of a node.

use clap::Subcommand;
use serde_json::Value;

use crate::arguments::GlobalArguments;
use crate::output::{Column, Output, table};
use crate::session::{Session, action};

/// What can be typed after `aobench process`.
#[derive(Debug, Subcommand)]
pub(crate) enum ProcessCommand {
    /// List the processes
    List,
    /// Show what a process says of itself (its Info)
    Show {
        /// The process, by id or by its name at the node
        process: String,
    },
}

pub(crate) async fn run(global: &GlobalArguments, command: ProcessCommand, output: Output) -> anyhow::Result<()> {
    let session = Session::reading(global).await?;
    match command {
        ProcessCommand::List => {
            let processes = session.client.processes().await?;
            let columns = [
                Column::Text("process"),
                Column::Text("name"),
                Column::Text("module"),
                Column::Number("head"),
                Column::Number("applied"),
            ];
            output.result(&processes, |processes| {
                let rows = processes.iter().map(|process| {
                    vec![
                        process.id.to_string(),
                        process.name.clone(),
                        process.module.clone(),
                        process.head.to_string(),
                        process.applied.to_string(),
                    ]
                });
                table(&columns, rows)
            })
        }
        ProcessCommand::Show { process } => {
            let info: Value = session.read(&session.process(&process)?, action("Info"), "").await?;
            output.result(&info, fields)
        }
    }
}

/// The fields of a JSON object, a line each.
pub(crate) fn fields(value: &Value) -> String {
    let Value::Object(fields) = value else { return value.to_string() };
    let width = fields.keys().map(String::len).max().unwrap_or_default();
    let line = |(name, value): (&String, &Value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned);
        format!("{name:width$}  {text}")
    };
    fields.iter().map(line).collect::<Vec<_>>().join("\n")
}
