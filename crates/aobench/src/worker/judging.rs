//! `Evaluate`: a whole number from 0 to 10, or no score. The number is forced: of the eleven outputs there are, the model's
//! most probable one.

use inference::{Choice, Engine, Grammar, InferenceError, Progress};
use tasks::judge::{CONTEXT_BYTES_MAX, JudgeRequest, SCORE_MAX};

/// A context is not cut below this to make a prompt fit: less is no context.
const CONTEXT_BYTES_MIN: usize = 50;

/// The score of a request as the data of an answer. A context that does not fit into the memory of the model is halved
/// until it does.
///
/// # Errors
/// [`InferenceError::Model`] if the model cannot judge it. That is no score, and never 0.
pub(crate) fn judge(
    engine: &mut dyn Engine,
    request: &JudgeRequest,
    progress: &mut dyn FnMut(Progress),
) -> Result<String, InferenceError> {
    if request.is_without_context() {
        return Ok("0".to_owned());
    }
    let choice = choice(engine, request, progress)?;
    tracing::debug!(score = choice.output, log_probabilities = ?choice.log_probabilities, "judged");
    Ok(choice.output)
}

fn choice(
    engine: &mut dyn Engine,
    request: &JudgeRequest,
    progress: &mut dyn FnMut(Progress),
) -> Result<Choice, InferenceError> {
    let grammar = Grammar::Integer(0, SCORE_MAX.into());
    let mut bytes = CONTEXT_BYTES_MAX.min(request.context.as_ref().map_or(0, String::len));
    loop {
        let prompt = request.prompt(bytes);
        if let Some(choice) = grammar.choose(engine, Some(request.system_prompt()), &prompt, progress)? {
            return Ok(choice);
        }
        if bytes / 2 < CONTEXT_BYTES_MIN {
            let reason = "the question does not fit into its context".to_owned();
            return Err(InferenceError::Model { reason });
        }
        bytes /= 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inference::ModelFile;
    use inference::scripted::ScriptedEngine;

    fn engine(says: &'static str) -> ScriptedEngine {
        let mut engine = ScriptedEngine::answering(move |_| says.to_owned());
        engine.load(&ModelFile::at("any")).unwrap();
        engine
    }

    fn request(context: Option<&str>) -> JudgeRequest {
        let (question, expected_response) = ("Why?".to_owned(), "So.".to_owned());
        JudgeRequest { question, expected_response, context: context.map(str::to_owned), ..JudgeRequest::default() }
    }

    #[test]
    fn a_score_is_one_of_eleven_whatever_the_model_would_rather_say() {
        for (says, score) in [("10", "10"), ("7", "7"), ("11", "0"), ("ten out of ten", "0")] {
            assert_eq!(judge(&mut engine(says), &request(Some("It is so.")), &mut |_| ()).unwrap(), score);
        }
    }

    #[test]
    fn no_context_is_no_point_and_needs_no_model() {
        let mut without_model = ScriptedEngine::answering(|_| "10".to_owned());
        for context in [None, Some(""), Some(" \n")] {
            assert_eq!(judge(&mut without_model, &request(context), &mut |_| ()).unwrap(), "0");
        }
        assert!(
            judge(&mut without_model, &request(Some("x")), &mut |_| ()).is_err(),
            "a judge that fails gives no score"
        );
    }
}
