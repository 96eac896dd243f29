//! What the herder asks of a worker.

use ao::Id;
use client::InboxMessage;

/// A lease: this worker is to answer these prompts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    /// Which job.
    pub(super) number: u64,
    /// Which attempt at it: an answer counts only for the attempt that this worker holds.
    pub(super) attempt: u64,
    /// The data transaction of the model; the worker's own model if none is named.
    pub(super) model: Option<Id>,
    /// SHA-256 that the model's file must have, hexadecimal.
    pub(super) file_hash: Option<String>,
    /// Tokens that were paid for, if it was paid for.
    pub(super) tokens_max: Option<u32>,
    /// The request.
    pub(super) data: Vec<u8>,
}

/// A setting for prompts that name none themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Instruction {
    /// The model to use.
    Model(Id),
    /// Tokens to generate at most.
    MaxTokens(u32),
    /// The text before each prompt.
    SystemPrompt(String),
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Work {
    /// Answer.
    Job(Job),
    /// Remember.
    Instruction(Instruction),
}

impl Job {
    /// Reads a message of the herder.
    pub(super) fn read(message: &InboxMessage) -> Result<Self, &'static str> {
        let number = |name: &str| message.tags.get(name).and_then(|value| value.parse::<u64>().ok());
        let text = |name: &str| message.tags.get(name).filter(|value| !value.is_empty());
        let model = match text("Model") {
            Some(model) => Some(model.parse().map_err(|_| "the tag Model is no id")?),
            None => None,
        };
        Ok(Self {
            number: number("Job").ok_or("the tag Job is no number")?,
            attempt: number("Attempt").ok_or("the tag Attempt is no number")?,
            model,
            file_hash: text("File-Hash").map(ToOwned::to_owned),
            tokens_max: number("Tokens").and_then(|tokens| u32::try_from(tokens).ok()),
            data: message.data.clone(),
        })
    }
}

impl Instruction {
    /// Reads a message of the herder, in the words of the original's worker.
    pub(super) fn read(message: &InboxMessage) -> Option<Self> {
        let text = message.text().unwrap_or_default();
        let value = |tag: &str| message.tags.get(tag).unwrap_or(text).to_owned();
        let read = match message.action() {
            "loadModel" => value("Model").trim().parse().ok().map(Self::Model),
            "setMaxTokens" => value("Max-Tokens").trim().parse().ok().map(Self::MaxTokens),
            "setSystemPrompt" => Some(Self::SystemPrompt(value("System-Prompt"))),
            _ => None,
        };
        if read.is_none() {
            tracing::warn!(action = message.action(), "an instruction that cannot be read");
        }
        read
    }
}
