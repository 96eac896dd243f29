//! From a request to a response: the prompts go to the engine, the results get their receipt.

use inference::{
    Description, Embedded, Engine, GenerateRequest, InferenceError, Progress, ScorePrompt, ScoreRequest, Scored,
};
use processes::herder::embedding::{Embedding, EmbeddingError};
use processes::herder::wire::{
    Answer, Finish, InferenceRequest, InferenceResponse, PromptResult, Receipt, Request, RequestKind, results_hash,
};

/// What holds for prompts that say nothing themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Defaults {
    /// Tokens to generate at most.
    pub(super) max_tokens: u32,
    /// The text before each prompt.
    pub(super) system_prompt: Option<String>,
}

/// Answers a request with the model that is loaded: the JSON of a response for a batch, text for a plain prompt.
pub(super) fn answer(
    engine: &mut dyn Engine,
    request: &Request,
    file_hash: &str,
    defaults: &Defaults,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<u8>, InferenceError> {
    match request {
        Request::Plain(prompt) => {
            let mut plain = GenerateRequest::new(vec![prompt.clone()], defaults.max_tokens);
            plain.system_prompt.clone_from(&defaults.system_prompt);
            let generated = engine.generate(&plain, progress)?;
            Ok(generated.into_iter().next().map(|generated| generated.text).unwrap_or_default().into_bytes())
        }
        Request::Batch(batch) => {
            let results = match batch.kind {
                RequestKind::Generate => generate(engine, batch, progress)?,
                RequestKind::Loglikelihood => score(engine, batch, progress)?,
                RequestKind::Embed => embed(engine, batch, progress)?,
            };
            let receipt = receipt(&engine.describe()?, batch, &results, file_hash);
            let response = InferenceResponse { results, receipt };
            serde_json::to_vec(&response).map_err(|error| InferenceError::Compute { reason: error.to_string() })
        }
    }
}

fn generate(
    engine: &mut dyn Engine,
    batch: &InferenceRequest,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<PromptResult>, InferenceError> {
    let prompts = batch.prompts.iter().map(|prompt| prompt.prompt.clone()).collect();
    let mut request = GenerateRequest::new(prompts, batch.max_tokens);
    request.system_prompt.clone_from(&batch.system_prompt);
    request.stop.clone_from(&batch.stop);
    let generated = engine.generate(&request, progress)?;
    let result = |(prompt, generated): (&processes::herder::wire::Prompt, inference::Generated)| {
        let finish = match generated.finish {
            inference::Finish::Stop => Finish::Stop,
            inference::Finish::Length => Finish::Length,
            inference::Finish::ContextExceeded => Finish::ContextExceeded,
        };
        PromptResult {
            id: prompt.id,
            answer: Answer::Generated { output: generated.text, tokens: generated.tokens, finish },
        }
    };
    Ok(batch.prompts.iter().zip(generated).map(result).collect())
}

fn score(
    engine: &mut dyn Engine,
    batch: &InferenceRequest,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<PromptResult>, InferenceError> {
    let prompts = batch.prompts.iter();
    let prompts = prompts
        .map(|prompt| ScorePrompt { prompt: prompt.prompt.clone(), continuations: prompt.continuations.clone() });
    let request = ScoreRequest { system_prompt: batch.system_prompt.clone(), prompts: prompts.collect() };
    let scored = engine.score(&request, progress)?;
    let result = |(prompt, scored): (&processes::herder::wire::Prompt, Scored)| {
        let answer = match scored {
            Scored::Likelihoods(likelihoods) => {
                let pairs = likelihoods.iter().map(|likelihood| (likelihood.log_probability, likelihood.is_greedy));
                Answer::Scored { loglikelihoods: pairs.collect() }
            }
            Scored::ContextExceeded => {
                Answer::Generated { output: String::new(), tokens: 0, finish: Finish::ContextExceeded }
            }
        };
        PromptResult { id: prompt.id, answer }
    };
    Ok(batch.prompts.iter().zip(scored).map(result).collect())
}

fn embed(
    engine: &mut dyn Engine,
    batch: &InferenceRequest,
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<PromptResult>, InferenceError> {
    let texts: Vec<String> = batch.prompts.iter().map(|prompt| prompt.prompt.clone()).collect();
    let embedded = engine.embed(&texts, progress)?;
    let result = |(prompt, embedded): (&processes::herder::wire::Prompt, Embedded)| {
        let answer = match embedded {
            Embedded::Vector(numbers) => {
                let model = |error: EmbeddingError| InferenceError::Model { reason: error.to_string() };
                Answer::Embedded { embedding: Embedding::new(numbers).map_err(model)? }
            }
            Embedded::ContextExceeded => {
                Answer::Generated { output: String::new(), tokens: 0, finish: Finish::ContextExceeded }
            }
        };
        Ok(PromptResult { id: prompt.id, answer })
    };
    batch.prompts.iter().zip(embedded).map(result).collect()
}

/// What somebody needs to know who wants the same results.
fn receipt(engine: &Description, batch: &InferenceRequest, results: &[PromptResult], file_hash: &str) -> Receipt {
    Receipt {
        model_file_hash: file_hash.to_owned(),
        engine: engine.engine.clone(),
        build: engine.build.clone(),
        profile: engine.profile.clone(),
        instruction_set: engine.instruction_set.clone(),
        prompts_hash: batch.prompts_hash(),
        output_hash: results_hash(results),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use inference::ModelFile;
    use inference::scripted::ScriptedEngine;

    fn engine() -> ScriptedEngine {
        let mut engine =
            ScriptedEngine::answering(|prompt| if prompt.contains("2 + 2") { "4" } else { "B" }.to_owned());
        engine.load(&ModelFile::at("any")).unwrap();
        engine
    }

    fn run(json: &str) -> (InferenceRequest, Vec<u8>) {
        let request = InferenceRequest::read(json.as_bytes()).unwrap();
        let defaults = Defaults { max_tokens: 4, system_prompt: None };
        let hash = "a".repeat(64);
        let data = answer(&mut engine(), &Request::Batch(request.clone()), &hash, &defaults, &mut |_| {}).unwrap();
        (request, data)
    }

    #[test]
    fn what_a_worker_answers_is_what_the_herder_takes() {
        for (json, expected) in [
            (
                r#"{"kind":"generate","max_tokens":4,"prompts":[{"id":17,"prompt":"2 + 2 ="},{"id":3,"prompt":"Answer:"}]}"#,
                r#"[{"id":17,"output":"4","tokens":1,"finish":"stop"},{"id":3,"output":"B","tokens":1,"finish":"stop"}]"#,
            ),
            (
                r#"{"kind":"loglikelihood","prompts":[{"id":1,"prompt":"Answer:","continuations":[" A"," B"]}]}"#,
                r#"[{"id":1,"loglikelihoods":[[-10.0,false],[-0.1,true]]}]"#,
            ),
        ] {
            let (request, data) = run(json);
            let response = InferenceResponse::read(&data).unwrap();
            assert_eq!(response.validate(&request), Ok(()));
            assert_eq!(serde_json::to_string(&response.results).unwrap(), expected);
            assert_eq!(response.receipt.engine, "scripted");
        }
    }

    #[test]
    fn a_plain_prompt_is_answered_in_plain_text() {
        let defaults = Defaults { max_tokens: 4, system_prompt: None };
        let request = Request::Plain("2 + 2 =".to_owned());
        assert_eq!(answer(&mut engine(), &request, "", &defaults, &mut |_| {}).unwrap(), b"4");
        let mut empty = ScriptedEngine::answering(|_| String::new());
        assert!(answer(&mut empty, &request, "", &defaults, &mut |_| {}).is_err(), "no model is loaded");
    }
}
