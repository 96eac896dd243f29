//! `Chat`: one sentence of at most 40 tokens.

use inference::{Engine, Finish, GenerateRequest, Generated, InferenceError, Progress};
use tasks::chat::{CHAT_TOKENS_MAX, ChatRequest, first_sentence};

/// A context is not cut below this to make a prompt fit.
const CONTEXT_BYTES_MIN: usize = 50;

/// Bytes of a context to begin with.
const CONTEXT_BYTES: usize = 12_000;

/// The answer to a question, of at most `tokens` tokens and never more than a chat has. A context that does not fit into
/// the memory of the model is halved until it does.
pub(super) fn chat(
    engine: &mut dyn Engine,
    request: &ChatRequest,
    tokens: Option<u32>,
    progress: &mut dyn FnMut(Progress),
) -> Result<String, InferenceError> {
    let most = tokens.unwrap_or(CHAT_TOKENS_MAX).min(CHAT_TOKENS_MAX);
    let mut bytes = CONTEXT_BYTES.min(request.context.as_ref().map_or(0, String::len));
    loop {
        let mut asked = GenerateRequest::new(vec![request.prompt(bytes)], most);
        asked.system_prompt = Some(request.system_prompt().to_owned());
        match engine.generate(&asked, progress)?.into_iter().next() {
            Some(Generated { finish: Finish::ContextExceeded, .. }) | None if bytes / 2 >= CONTEXT_BYTES_MIN => {
                bytes /= 2;
            }
            Some(Generated { finish: Finish::ContextExceeded, .. }) | None => {
                let reason = "the question does not fit into its context".to_owned();
                return Err(InferenceError::Model { reason });
            }
            Some(generated) => return Ok(first_sentence(&generated.text).to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inference::ModelFile;
    use inference::scripted::ScriptedEngine;

    #[test]
    fn the_first_sentence_is_the_answer() {
        let mut engine = ScriptedEngine::answering(|prompt| format!(" I read {} bytes. And more.", prompt.len()));
        engine.load(&ModelFile::at("any")).unwrap();
        let request = ChatRequest::read(r#"{"question":"Who?","context":"Kim."}"#);
        let bytes = request.prompt(99).len();
        assert_eq!(chat(&mut engine, &request, None, &mut |_| ()).unwrap(), format!("I read {bytes} bytes."));
    }
}
