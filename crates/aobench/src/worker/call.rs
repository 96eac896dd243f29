//! A question that did not come from a herder: it waits in the same queue for the same engine, and its answer goes back
//! to whoever waits for it.

use std::ops::ControlFlow;

use inference::{Embedded, Engine, Finish, GenerateRequest, Generated, InferenceError, Part};
use tokio::sync::{mpsc, oneshot};

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
    /// The question cannot be answered as it is: what is wrong with it.
    Refused(String),
    /// Whoever asked has gone, and the rest was not computed.
    Unwanted,
}

/// A question and the way back.
pub(super) struct Call {
    /// What is asked.
    pub(super) asked: Asked,
    /// Who reads the answer part by part, if somebody does.
    pub(super) listener: Option<Listener>,
    /// Who waits.
    pub(super) reply: oneshot::Sender<Result<Answered, (Blame, String)>>,
}

/// Where the parts of an answer go. They wait there without a limit of their own: an answer has one, and a reader that is
/// slow must not hold up the engine.
pub(super) struct Listener {
    parts: mpsc::UnboundedSender<Part>,
    /// Bytes that were given for each prompt.
    given: Vec<usize>,
}

impl Listener {
    /// A listener, and where its parts come out.
    pub(super) fn new(prompts: usize) -> (Self, mpsc::UnboundedReceiver<Part>) {
        let (parts, heard) = mpsc::unbounded_channel();
        (Self { parts, given: vec![0; prompts] }, heard)
    }

    /// What takes the parts of one attempt. If the process of the model died in the middle of the one before, the same
    /// answer begins anew: what was given is not given again.
    fn attempt(&mut self) -> impl FnMut(Part) {
        let mut seen = vec![0; self.given.len()];
        move |part| {
            let (Some(seen), Some(given)) = (seen.get_mut(part.prompt), self.given.get_mut(part.prompt)) else {
                return;
            };
            let known = given.saturating_sub(*seen);
            *seen += part.text.len();
            if let Some(text) = part.text.get(known..).filter(|text| !text.is_empty()) {
                *given += text.len();
                // Nobody listens any more if this fails, and then nobody waits for the answer either.
                let _ = self.parts.send(Part { text: text.to_owned(), ..part });
            }
        }
    }
}

/// Answers with the model that is loaded, as long as the answer is wanted: that is asked at each part of a text.
pub(super) fn answer(
    engine: &mut dyn Engine,
    asked: &Asked,
    listener: Option<&mut Listener>,
    is_wanted: &dyn Fn() -> bool,
) -> Result<Answered, InferenceError> {
    match asked {
        Asked::Texts(request) => {
            let mut attempt = listener.map(Listener::attempt);
            let generated = engine.generate_in_parts(request, &mut |part| {
                if let Some(attempt) = &mut attempt {
                    attempt(part);
                }
                if is_wanted() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            });
            let generated = match generated {
                Err(InferenceError::Request { reason }) => return Ok(Answered::Refused(reason)),
                Err(InferenceError::Stopped) => return Ok(Answered::Unwanted),
                generated => generated?,
            };
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use inference::ModelFile;
    use inference::scripted::ScriptedEngine;

    use super::*;

    #[test]
    fn an_answer_that_begins_anew_is_not_given_twice() {
        let (mut listener, mut heard) = Listener::new(2);
        let part = |prompt, text: &str| Part { prompt, text: text.to_owned() };
        let mut first = listener.attempt();
        [part(0, "one "), part(1, "a"), part(0, "tw")].into_iter().for_each(&mut first);
        drop(first);
        let mut second = listener.attempt();
        [part(0, "one two"), part(1, "a"), part(1, "b"), part(0, "!"), part(7, "x")].into_iter().for_each(&mut second);
        drop(second);
        let all: Vec<(usize, String)> =
            std::iter::from_fn(|| heard.try_recv().ok()).map(|p| (p.prompt, p.text)).collect();
        let told =
            |prompt| all.iter().filter(|(of, _)| *of == prompt).map(|(_, text)| text.as_str()).collect::<String>();
        assert_eq!((told(0).as_str(), told(1).as_str(), all.len()), ("one two!", "ab", 6));
    }

    #[test]
    fn what_nobody_waits_for_is_computed_no_further() {
        let mut engine = ScriptedEngine::answering(|prompt| format!("{prompt}!"));
        engine.load(&ModelFile::at("any")).unwrap();
        let prompts = ["one", "two", "three"].map(str::to_owned).to_vec();
        let asked = Asked::Texts(GenerateRequest::new(prompts, 9));
        let (mut listener, mut heard) = Listener::new(3);
        let left = Cell::new(2);
        let is_wanted = || left.replace(left.get() - 1) > 1;
        let answered = answer(&mut engine, &asked, Some(&mut listener), &is_wanted).unwrap();
        assert!(matches!(answered, Answered::Unwanted), "{answered:?}");
        let all: Vec<String> = std::iter::from_fn(|| heard.try_recv().ok()).map(|part| part.text).collect();
        assert_eq!(all, ["one!", "two!"]);
        let answered = answer(&mut engine, &asked, None, &|| true).unwrap();
        assert!(matches!(answered, Answered::Texts(generated, _) if generated.len() == 3));
    }
}
