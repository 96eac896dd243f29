//! Contexts in the words of a model's chat template (`--apply-chat-template`).

use std::path::Path;

use anyhow::{Context as _, bail};
use inference::{gguf, marks};
use serde_json::Value;
use tasks::TaskError;
use tasks::harness::{Chat, ChatWriter, Evaluation, Message, Request, Response, Sample};

/// The chat template of a model.
#[derive(Debug, Clone)]
pub(super) struct ModelChat {
    /// As the file has it.
    pub(super) template: String,
    /// Whether each example is a question and an answer of its own.
    pub(super) multiturn: bool,
    writer: ChatWriter,
}

/// What is asked about a document, under the chat template if there is one.
pub(super) fn requests(
    evaluation: &Evaluation<'_>,
    document: usize,
    chat: Option<&ModelChat>,
) -> Result<Vec<Request>, TaskError> {
    let Some(chat) = chat else { return evaluation.requests(document) };
    let template = |messages: &[Message], begin_answer: bool| chat.marked(messages, begin_answer);
    evaluation.chat_requests(document, Chat { multiturn: chat.multiturn, template: &template })
}

/// A sample as `samples_*.jsonl` has it, with the contexts that were asked.
pub(super) fn sample_line(
    evaluation: &Evaluation<'_>,
    sample: &Sample,
    responses: &[Vec<Response>],
    chat: Option<&ModelChat>,
) -> Result<Value, TaskError> {
    let Some(chat) = chat else { return evaluation.sample_line(sample, responses, None) };
    let template = |messages: &[Message], begin_answer: bool| chat.plain(messages, begin_answer);
    evaluation.sample_line(sample, responses, Some(Chat { multiturn: chat.multiturn, template: &template }))
}

impl ModelChat {
    /// Reads the chat template of a model file.
    pub(super) fn of(path: &Path, bytes: u64, multiturn: bool) -> anyhow::Result<Self> {
        let read = || -> anyhow::Result<Option<gguf::ChatTemplate>> {
            Ok(gguf::ChatTemplate::read(&std::fs::File::open(path)?, 0, bytes)?)
        };
        let found = read().with_context(|| format!("the chat template of {}", path.display()))?;
        let Some(found) = found else {
            bail!("{} has no chat template, so --apply-chat-template cannot be done", path.display());
        };
        let writer = ChatWriter::new(&found.template, &found.begin, &found.end)
            .with_context(|| format!("the chat template of {}", path.display()))?;
        Ok(Self { template: found.template, multiturn, writer })
    }

    /// A conversation as it is shown and hashed.
    fn plain(&self, messages: &[Message], begin_answer: bool) -> Result<String, TaskError> {
        Ok(self.writer.write(messages, begin_answer)?.into_iter().map(|part| part.text).collect())
    }

    /// A conversation as an engine is given it: with marks around what the template wrote, so that nothing that a document
    /// brings becomes a special token.
    fn marked(&self, messages: &[Message], begin_answer: bool) -> Result<String, TaskError> {
        let parts = self.writer.write(messages, begin_answer)?;
        if parts.iter().any(|part| !marks::is_free_of_marks(&part.text)) {
            let reason = "a document holds U+FDD0 or U+FDD1, which are no characters".to_owned();
            return Err(TaskError::Render { key: "chat_template".to_owned(), reason });
        }
        let mut text = String::new();
        for part in parts {
            if part.is_template {
                text.push_str(&marks::marked(&part.text));
            } else {
                text.push_str(&part.text);
            }
        }
        Ok(text)
    }
}
