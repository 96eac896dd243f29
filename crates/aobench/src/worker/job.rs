//! What the herder asks of a worker.

use std::str::FromStr;

use ao::Id;
use client::InboxMessage;
use processes::herder::limits::{PROMPT_BYTES_MAX, TOKENS_MAX};

use super::call::Call;
use super::service::Service;

/// A lease: this worker is to answer these prompts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Job {
    /// What kind of answer is wanted.
    pub(super) service: Service,
    /// Which job.
    pub(super) number: u64,
    /// Which attempt at it: an answer counts only for the attempt that this worker holds.
    pub(super) attempt: u64,
    /// The data transaction of the model; the worker's own model if none is named.
    pub(super) model: Option<Id>,
    /// SHA-256 that the model's file must have, hexadecimal.
    pub(super) file_hash: Option<String>,
    /// Tokens that were paid for, if it was paid for.
    pub(super) tokens: Option<u32>,
    /// The request.
    pub(super) data: Vec<u8>,
}

/// A setting for prompts that name none themselves, in the words of the original's worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Instruction {
    /// `loadModel`: the model to use.
    Model(Id),
    /// `setMaxTokens`: tokens to generate at most.
    MaxTokens(u32),
    /// `setSystemPrompt`: the text before each prompt.
    SystemPrompt(String),
}

/// Something to do.
pub(super) enum Work {
    /// Answer.
    Job(Job),
    /// Remember.
    Instruction(Instruction),
    /// Answer somebody who asks this worker itself.
    Call(Call),
}

impl Job {
    /// Reads a message of the herder.
    pub(super) fn read(message: &InboxMessage) -> Result<Self, &'static str> {
        Ok(Self {
            service: parsed(message, "WorkerType")?.unwrap_or_default(),
            number: parsed(message, "Job")?.ok_or("it has no tag Job")?,
            attempt: parsed(message, "Attempt")?.ok_or("it has no tag Attempt")?,
            model: parsed(message, "Model")?,
            file_hash: parsed(message, "File-Hash")?,
            tokens: parsed(message, "Tokens")?.map(|tokens: u32| tokens.clamp(1, TOKENS_MAX)),
            data: message.data.clone(),
        })
    }
}

/// A tag that may be absent or empty, and is of a type otherwise.
fn parsed<T: FromStr>(message: &InboxMessage, name: &str) -> Result<Option<T>, &'static str> {
    let text = message.tags.get(name).filter(|text| !text.is_empty());
    text.map(|text| text.parse().map_err(|_| "a tag has a value of another kind")).transpose()
}

impl Instruction {
    /// Reads a message of the herder. What is wanted stands in a tag or is the data.
    pub(super) fn read(message: &InboxMessage) -> Result<Self, &'static str> {
        let text = message.text().ok_or("its data is not text")?;
        let value = |tag: &str| message.tags.get(tag).unwrap_or(text);
        match message.action() {
            "loadModel" => value("Model").trim().parse().map(Self::Model).map_err(|_| "the model is no id"),
            "setMaxTokens" => {
                let tokens = value("Max-Tokens").trim().parse().ok().filter(|tokens| (1..=TOKENS_MAX).contains(tokens));
                tokens.map(Self::MaxTokens).ok_or("the number of tokens is not one from 1 to 1024")
            }
            "setSystemPrompt" => {
                let prompt = value("System-Prompt");
                let fits = prompt.len() <= PROMPT_BYTES_MAX;
                fits.then(|| Self::SystemPrompt(prompt.to_owned())).ok_or("the system prompt has more than 32 KiB")
            }
            _ => Err("it is no instruction"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ao::Tags;

    fn message(pairs: &[(&str, &str)], data: &str) -> InboxMessage {
        let tags = pairs.iter().fold(Tags::new(), |tags, (name, value)| tags.with(*name, *value));
        let (id, from, pushed_for) = (Id::default(), Id::default(), Id::default());
        InboxMessage { slot: 0, id, from, pushed_for, timestamp_ms: 0, tags, data: data.as_bytes().to_vec() }
    }

    #[test]
    fn a_job_is_read_from_the_tags_of_the_herder() {
        let model = Id::new([7; 32]);
        let pairs =
            [("Job", "12"), ("Attempt", "2"), ("Model", &model.to_string()), ("Tokens", "99999"), ("File-Hash", "")];
        let job = Job::read(&message(&pairs, "2 + 2 =")).unwrap();
        assert_eq!((job.number, job.attempt, job.model, job.file_hash), (12, 2, Some(model), None));
        assert_eq!(job.service, Service::Llama);
        assert_eq!((job.tokens, job.data.as_slice()), (Some(1024), b"2 + 2 =".as_slice()));
        for pairs in [
            &[("Job", "1")][..],
            &[("Job", "x"), ("Attempt", "1")],
            &[("Job", "1"), ("Attempt", "1"), ("Model", "x")],
            &[("Job", "1"), ("Attempt", "1"), ("WorkerType", "Sing")],
        ] {
            assert!(Job::read(&message(pairs, "")).is_err(), "{pairs:?}");
        }
    }

    #[test]
    fn instructions_stand_in_a_tag_or_in_the_data_as_in_the_original() {
        let model = Id::new([7; 32]);
        let read = |action, tag, value: &str| {
            let by_data = Instruction::read(&message(&[("Action", action)], value));
            assert_eq!(Instruction::read(&message(&[("Action", action), (tag, value)], "")), by_data);
            by_data
        };
        assert_eq!(read("loadModel", "Model", &model.to_string()), Ok(Instruction::Model(model)));
        assert_eq!(read("setMaxTokens", "Max-Tokens", "12"), Ok(Instruction::MaxTokens(12)));
        assert_eq!(read("setSystemPrompt", "System-Prompt", ""), Ok(Instruction::SystemPrompt(String::new())));
        assert!(read("loadModel", "Model", "phi").is_err());
        for tokens in ["0", "1025", "many", "-1"] {
            assert!(read("setMaxTokens", "Max-Tokens", tokens).is_err());
        }
        assert!(read("setSystemPrompt", "System-Prompt", &"x".repeat(PROMPT_BYTES_MAX + 1)).is_err());
    }
}
