//! From the requests of a task to the answers of an engine: requests about the same context become one prompt with several
//! continuations, so that the context is computed once.

use anyhow::{anyhow, bail};
use inference::{Engine, Finish, GenerateRequest, ScorePrompt, ScoreRequest, Scored};
use tasks::harness::{GenerationConfig, Request, Response};

/// Bytes of one generated text.
const GENERATED_BYTES_MAX: u32 = 256 << 10;

/// A document with its requests.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Which document.
    pub(super) document: usize,
    /// What is asked of the model.
    pub(super) requests: Vec<Request>,
}

/// The answers to one document: for each request in its order.
pub(super) type Answers = Vec<Response>;

/// Where the answer to a request is: the prompt, and the continuation in it.
enum Place {
    Scored { prompt: usize, continuation: usize },
    Rolled { text: usize },
    Generated { prompt: usize },
}

/// What a request to the engine is made of.
#[derive(Default)]
struct Batch<'a> {
    scores: Vec<ScorePrompt>,
    rolling: Vec<String>,
    texts: Vec<String>,
    generation: Option<&'a GenerationConfig>,
}

/// Asks an engine about some documents.
pub(super) fn ask(engine: &mut dyn Engine, documents: &[Asked]) -> anyhow::Result<Vec<Answers>> {
    let mut batch = Batch::default();
    let mut places = Vec::with_capacity(documents.len());
    for document in documents {
        let first = batch.scores.len();
        let placed: anyhow::Result<Vec<Place>> =
            document.requests.iter().map(|request| batch.add(request, first)).collect();
        places.push(placed?);
    }
    let scored = if batch.scores.is_empty() {
        Vec::new()
    } else {
        engine.score(&ScoreRequest { system_prompt: None, prompts: batch.scores }, &mut |_| ())?
    };
    let rolled =
        if batch.rolling.is_empty() { Vec::new() } else { engine.score_rolling(&batch.rolling, &mut |_| ())? };
    let generated = match batch.generation {
        None => Vec::new(),
        Some(generation) => engine.generate(&request(batch.texts, generation), &mut |_| ())?,
    };
    let answer = |document: usize, place: &Place| match place {
        Place::Scored { prompt, continuation } => match scored.get(*prompt) {
            Some(Scored::Likelihoods(likelihoods)) => {
                let likelihood = likelihoods.get(*continuation).ok_or_else(left_out)?;
                Ok(Response::Loglikelihood { loglikelihood: likelihood.log_probability, greedy: likelihood.is_greedy })
            }
            _ => Err(too_long(document)),
        },
        Place::Rolled { text } => {
            rolled.get(*text).map(|likelihood| Response::Rolling(likelihood.log_probability)).ok_or_else(left_out)
        }
        Place::Generated { prompt } => match generated.get(*prompt) {
            Some(generated) if generated.finish != Finish::ContextExceeded => {
                Ok(Response::Text(generated.text.clone()))
            }
            _ => Err(too_long(document)),
        },
    };
    let documents = documents.iter().zip(&places);
    documents.map(|(asked, places)| places.iter().map(|place| answer(asked.document, place)).collect()).collect()
}

impl<'a> Batch<'a> {
    /// Adds a request; prompts before `first` belong to other documents.
    fn add(&mut self, request: &'a Request, first: usize) -> anyhow::Result<Place> {
        match request {
            Request::Loglikelihood { context, continuation } => {
                let same = |prompt: &ScorePrompt| prompt.prompt == *context;
                let found = self.scores.iter().skip(first).position(same).map(|place| first + place);
                let prompt = found.unwrap_or(self.scores.len());
                if found.is_none() {
                    self.scores.push(ScorePrompt { prompt: context.clone(), continuations: Vec::new() });
                }
                let continuations = &mut self.scores[prompt].continuations;
                continuations.push(continuation.clone());
                Ok(Place::Scored { prompt, continuation: continuations.len() - 1 })
            }
            Request::LoglikelihoodRolling { text } => {
                self.rolling.push(text.clone());
                Ok(Place::Rolled { text: self.rolling.len() - 1 })
            }
            Request::Generate { context, generation } => {
                if generation.do_sample && generation.temperature > 0.0 {
                    bail!(
                        "the task samples (do_sample, temperature {}), and only greedy decoding is the same each time; \
                           set do_sample: false",
                        generation.temperature
                    );
                }
                if self.generation.is_some_and(|other| other != generation) {
                    bail!("the documents of the task generate in different ways");
                }
                self.generation = Some(generation);
                self.texts.push(context.clone());
                Ok(Place::Generated { prompt: self.texts.len() - 1 })
            }
        }
    }
}

fn request(prompts: Vec<String>, generation: &GenerationConfig) -> GenerateRequest {
    GenerateRequest {
        system_prompt: None,
        prompts,
        max_tokens: generation.max_gen_toks,
        max_bytes: GENERATED_BYTES_MAX,
        stop: generation.until.clone(),
        schema: None,
    }
}

fn left_out() -> anyhow::Error {
    anyhow!("the engine left one out")
}

fn too_long(document: usize) -> anyhow::Error {
    anyhow!(
        "document {document} does not fit into the context of the model, and nothing is ever cut: take fewer examples \
         (--num-fewshot), a model with a longer context, or --context"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use inference::ModelFile;
    use inference::scripted::ScriptedEngine;

    #[test]
    fn requests_about_one_context_are_one_prompt_and_answers_find_their_way_back() {
        let mut engine =
            ScriptedEngine::answering(|prompt| if prompt.ends_with("sky is") { "blue" } else { "42" }.to_owned());
        engine.load(&ModelFile::at("none")).unwrap();
        let choice = |context: &str, continuation: &str| Request::Loglikelihood {
            context: context.to_owned(),
            continuation: continuation.to_owned(),
        };
        let documents = [
            Asked {
                document: 0,
                requests: vec![choice("The sky is", " green"), choice("The sky is", " blue"), choice("", " blue")],
            },
            Asked { document: 1, requests: vec![choice("The sky is", " blue")] },
        ];
        let answers = ask(&mut engine, &documents).unwrap();
        let greedy = |answers: &Answers| -> Vec<bool> {
            answers.iter().map(|answer| matches!(answer, Response::Loglikelihood { greedy: true, .. })).collect()
        };
        assert_eq!(greedy(&answers[0]), [false, true, false]);
        assert_eq!(greedy(&answers[1]), [true]);
    }
}
