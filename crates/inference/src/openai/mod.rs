//! An engine that asks a server which speaks the protocol of OpenAI (llama.cpp's server, llama-cpp-python, vLLM, TGI...).
//!
//! Log-likelihoods come from `/v1/completions` with `echo`, which some servers have and some only seem to have; so one
//! known text is asked about first. Texts come from `/v1/completions` where it is there, else from
//! `/v1/chat/completions`, which puts the server's chat template around the prompt. What was found is in the description
//! of the engine, because it decides what a result means.

mod answer;
mod connection;

use serde_json::{Value, json};

use self::connection::{Connection, Refusal};
use crate::engine::{Description, Engine, LoadedModel, ModelFile};
use crate::error::InferenceError;
use crate::limits::{PROBE_TEXT, SERVER_STOP_TEXTS_MAX};
use crate::request::{Embedded, Finish, GenerateRequest, Generated, Likelihood, Progress, ScoreRequest, Scored};

/// Where a server is.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerOptions {
    /// Where its paths begin, as `http://127.0.0.1:8000/v1`.
    pub base_url: String,
    /// What it wants as a bearer token, if anything.
    pub key: Option<String>,
    /// Requests that it gets at one time.
    pub connections: usize,
}

impl std::fmt::Debug for ServerOptions {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The key stays out of logs.
        formatter.debug_struct("ServerOptions").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

/// What a server can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Abilities {
    /// Log-probabilities of a text that it is given.
    scores: bool,
    /// Continues a text as it is.
    completes: bool,
}

/// An engine behind a URL. What it computes together is its own affair: results are not equal to the last bit.
#[derive(Debug)]
pub struct ServerEngine {
    connection: Connection,
    model: Option<(String, Abilities)>,
}

impl ServerEngine {
    /// An engine without a model; nothing is asked yet.
    ///
    /// # Errors
    /// [`InferenceError::Request`] if the URL is none.
    pub fn new(options: &ServerOptions) -> Result<Self, InferenceError> {
        Ok(Self { connection: Connection::new(options)?, model: None })
    }

    fn model(&self) -> Result<(&str, Abilities), InferenceError> {
        self.model.as_ref().map(|(name, abilities)| (name.as_str(), *abilities)).ok_or(InferenceError::NoModel)
    }

    fn probe(&self, model: &str) -> Result<Abilities, InferenceError> {
        let answer = match self.connection.post("completions", &echo(model, PROBE_TEXT)) {
            Ok(answer) => answer,
            Err(Refusal::Answer { .. }) => return Ok(Abilities { scores: false, completes: false }),
            Err(Refusal::Failure(error)) => return Err(error),
        };
        let (context, continuation) = PROBE_TEXT.split_at(PROBE_TEXT.len() / 2);
        let scores = answer::likelihood(&answer, context, continuation).is_ok();
        Ok(Abilities { scores, completes: answer::completion(&answer).is_some() })
    }
}

/// Asks for the log-probabilities of a text. One token is generated, too: no token at all means "no limit" to some.
fn echo(model: &str, text: &str) -> Value {
    json!({ "model": model, "prompt": text, "max_tokens": 1, "temperature": 0, "logprobs": 1, "echo": true })
}

/// What a model is given for a prompt, where no chat template is in use.
fn framed(system: Option<&str>, prompt: &str) -> String {
    system.map_or_else(|| prompt.to_owned(), |system| format!("{system}\n\n{prompt}"))
}

impl Engine for ServerEngine {
    fn describe(&mut self) -> Result<Description, InferenceError> {
        let build = match self.model()?.1 {
            Abilities { scores: true, .. } => "log-likelihoods and texts by /completions (echo)",
            Abilities { completes: true, .. } => "texts by /completions; no log-likelihoods",
            Abilities { .. } => "texts by /chat/completions; no log-likelihoods",
        };
        Ok(Description {
            engine: format!("OpenAI-compatible server {}", self.connection.base_url()),
            build: build.to_owned(),
            instruction_set: "unknown".to_owned(),
            profile: "server".to_owned(),
        })
    }

    /// The model is the one that the server has under the name in `path`.
    fn load(&mut self, file: &ModelFile) -> Result<LoadedModel, InferenceError> {
        self.model = None;
        let name = file.path.display().to_string();
        let listed = self.connection.get("models")?;
        let entries = listed["data"].as_array().map_or(&[][..], Vec::as_slice);
        let Some(entry) = entries.iter().find(|entry| entry["id"].as_str() == Some(&*name)) else {
            let names: Vec<&str> = entries.iter().filter_map(|entry| entry["id"].as_str()).take(8).collect();
            let reason = format!("the server has no model '{name}'; it has: {}", names.join(", "));
            return Err(InferenceError::Model { reason });
        };
        // vLLM and llama.cpp say how long a text may be, each in its way; others refuse what is too long.
        let told = [&entry["max_model_len"], &entry["meta"]["n_ctx"], &entry["meta"]["n_ctx_train"]];
        let context_tokens = told.into_iter().find_map(Value::as_u64).map_or(u32::MAX, |tokens| tokens as u32);
        let parameters = entry["meta"]["n_params"].as_u64().unwrap_or(0);
        let abilities = self.probe(&name)?;
        self.model = Some((name.clone(), abilities));
        Ok(LoadedModel {
            architecture: "unknown".to_owned(),
            name,
            parameters,
            context_tokens,
            vocabulary: 0,
            sandbox: String::new(),
        })
    }

    fn tokenize(&mut self, _text: &str) -> Result<Vec<i32>, InferenceError> {
        Err(InferenceError::Unsupported { what: "tokenizing a text".to_owned() })
    }

    fn score(
        &mut self,
        request: &ScoreRequest,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Scored>, InferenceError> {
        let (model, abilities) = self.model()?;
        if !abilities.scores {
            let what = "a log-likelihood (its /completions does not echo log-probabilities of the prompt)".to_owned();
            return Err(InferenceError::Unsupported { what });
        }
        let mut parts = Vec::new();
        for (index, prompt) in request.prompts.iter().enumerate() {
            let context = framed(request.system_prompt.as_deref(), &prompt.prompt);
            parts
                .extend(prompt.continuations.iter().map(|continuation| (index, context.clone(), continuation.clone())));
        }
        let bodies = parts.iter().map(|(_, context, continuation)| echo(model, &format!("{context}{continuation}")));
        let answers = self.connection.post_all("completions", bodies.collect())?;
        let mut results = vec![Scored::Likelihoods(Vec::new()); request.prompts.len()];
        for ((index, context, continuation), answer) in parts.iter().zip(answers) {
            match (&mut results[*index], answer) {
                (Scored::Likelihoods(likelihoods), Ok(answer)) => {
                    likelihoods.push(likelihood(&answer, context, continuation)?);
                }
                (result, Err(refusal)) if refusal.is_length() => *result = Scored::ContextExceeded,
                (_, Err(refusal)) => return Err(refusal.into()),
                (Scored::ContextExceeded, Ok(_)) => (),
            }
        }
        let total = results.len();
        (0..total).for_each(|prompt| progress(Progress { prompt, finished: prompt + 1, total }));
        Ok(results)
    }

    fn generate(
        &mut self,
        request: &GenerateRequest,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Generated>, InferenceError> {
        let (model, abilities) = self.model()?;
        if request.schema.is_some() {
            // Servers pass over what they do not know of a schema, or of schemas.
            return Err(InferenceError::Unsupported { what: "an output that fits a JSON schema".to_owned() });
        }
        // More stop texts than servers take are looked for here.
        let stop: Vec<&String> =
            request.stop.iter().filter(|stop| !stop.is_empty()).take(SERVER_STOP_TEXTS_MAX).collect();
        let body = |prompt: &String| {
            let mut body = json!({ "model": model, "max_tokens": request.max_tokens, "temperature": 0, "stop": stop });
            if abilities.completes {
                body["prompt"] = framed(request.system_prompt.as_deref(), prompt).into();
            } else {
                let system = request.system_prompt.iter().map(|text| json!({ "role": "system", "content": text }));
                let user = json!({ "role": "user", "content": prompt });
                body["messages"] = system.chain([user]).collect();
            }
            body
        };
        let path = if abilities.completes { "completions" } else { "chat/completions" };
        let answers = self.connection.post_all(path, request.prompts.iter().map(body).collect())?;
        let total = answers.len();
        let mut results = Vec::with_capacity(total);
        for (prompt, answer) in answers.into_iter().enumerate() {
            results.push(match answer {
                Ok(answer) => answer::generated(&answer, request)?,
                Err(refusal) if refusal.is_length() => {
                    Generated { text: String::new(), tokens: 0, finish: Finish::ContextExceeded }
                }
                Err(refusal) => return Err(refusal.into()),
            });
            progress(Progress { prompt, finished: prompt + 1, total });
        }
        Ok(results)
    }

    fn embed(
        &mut self,
        _texts: &[String],
        _progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Embedded>, InferenceError> {
        Err(InferenceError::Unsupported { what: "embedding a text".to_owned() })
    }
}

/// The log-likelihood of a continuation; that of nothing is 0.
fn likelihood(answer: &Value, context: &str, continuation: &str) -> Result<Likelihood, InferenceError> {
    answer::likelihood(answer, context, continuation)
        .map_err(|reason| InferenceError::Protocol { reason: format!("the server's log-probabilities: {reason}") })
}
