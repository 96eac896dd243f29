//! A question that did not come from a herder: it waits in the same queue for the same engine, and its answer goes back
//! to whoever waits for it.

use inference::{Embedded, Engine, Finish, GenerateRequest, Generated, InferenceError};
use tokio::sync::oneshot;

use super::desk::Blame;

/// What is asked.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    /// Continuations of prompts.
    Texts(GenerateRequest),
    /// Vectors of texts.
    Vectors(Vec<String>),
}

/// What came of it, with the number of tokens that were read.
#[derive(Debug, Clone)]
pub(super) enum Answered {
    /// The continuations.
    Texts(Vec<Generated>, u32),
    /// The vectors.
    Vectors(Vec<Embedded>, u32),
}

/// A question and the way back.
pub(super) struct Call {
    /// What is asked.
    pub(super) asked: Asked,
    /// Who waits.
    pub(super) reply: oneshot::Sender<Result<Answered, (Blame, String)>>,
}

/// Answers with the model that is loaded.
pub(super) fn answer(engine: &mut dyn Engine, asked: &Asked) -> Result<Answered, InferenceError> {
    match asked {
        Asked::Texts(request) => {
            let generated = engine.generate(request, &mut |_| ())?;
            let fits = |generated: &Generated| generated.finish != Finish::ContextExceeded;
            // A prompt that does not fit may be too long to be counted.
            let prompts = request.prompts.iter().zip(&generated).filter(|(_, generated)| fits(generated));
            let texts = prompts.map(|(prompt, _)| prompt).chain(&request.system_prompt);
            let tokens = count(engine, texts)?;
            Ok(Answered::Texts(generated, tokens))
        }
        Asked::Vectors(texts) => {
            let vectors = engine.embed(texts, &mut |_| ())?;
            let fits = |vector: &Embedded| *vector != Embedded::ContextExceeded;
            let texts = texts.iter().zip(&vectors).filter(|(_, vector)| fits(vector)).map(|(text, _)| text);
            let tokens = count(engine, texts)?;
            Ok(Answered::Vectors(vectors, tokens))
        }
    }
}

fn count<'a>(engine: &mut dyn Engine, texts: impl Iterator<Item = &'a String>) -> Result<u32, InferenceError> {
    let mut tokens = 0_u32;
    for text in texts {
        tokens = tokens.saturating_add(engine.tokenize(text)?.len() as u32);
    }
    Ok(tokens)
}
