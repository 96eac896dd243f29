//! `aobench chat`: one question, one sentence.

use std::time::Duration;

use clap::Args;
use serde_json::json;
use tasks::chat::ChatRequest;

use super::judge::text_or_file;
use crate::arguments::GlobalArguments;
use crate::herd::Herd;
use crate::output::Output;
use crate::session::Session;
use crate::worker::Service;

/// What can be typed after `aobench chat`.
#[derive(Debug, Args)]
pub(crate) struct ChatArguments {
    /// The question
    question: String,
    /// What the answer is to be found in; @FILE takes it from a file
    #[arg(long)]
    context: Option<String>,
    /// The herder, by id or by its name at the node
    #[arg(long, default_value = "herder")]
    herder: String,
    /// Seconds to wait for the answer
    #[arg(long, default_value_t = 120)]
    wait: u64,
}

pub(crate) async fn run(global: &GlobalArguments, arguments: ChatArguments, output: Output) -> anyhow::Result<()> {
    let context = arguments.context.as_deref().map(text_or_file).transpose()?;
    let request = ChatRequest { question: arguments.question, context };
    let session = Session::signing(global).await?;
    let herder = session.process(&arguments.herder)?;
    let mut herd = Herd::new(session, Duration::from_secs(arguments.wait));
    let spinner = output.spinner("waiting for a worker");
    let reference = herd.ask(herder, Service::Chat, &serde_json::to_string(&request)?).await?;
    let answer = herd.answer("Inference-Response", &reference).await;
    spinner.finish_and_clear();
    let answer = answer?;
    let said = answer.text().unwrap_or_default();
    let shown = json!({ "answer": said, "reference": reference, "worker": answer.tags.get("Worker") });
    output.result(&shown, |_| said.to_owned())
}
