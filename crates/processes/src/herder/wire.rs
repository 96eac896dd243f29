//! What travels between a dataset, the herder and a worker: a batch of prompts on the way there, results with a receipt
//! on the way back.
//!
//! ```json
//! {"kind":"generate","system_prompt":null,"max_tokens":4,"stop":["\n"],"prompts":[{"id":17,"prompt":"2 + 2 ="}]}
//! {"results":[{"id":17,"output":" 4","tokens":1,"finish":"stop"}],"receipt":{"model_file_hash":"…", …}}
//! {"kind":"embed","system_prompt":null,"max_tokens":0,"stop":[],"prompts":[{"id":1,"prompt":"a text"}]}
//! {"results":[{"id":1,"embedding":"AACAPw=="}],"receipt":{"model_file_hash":"…", …}}
//! ```
//!
//! A request whose data is no such JSON is one plain prompt, and its answer is plain text ([`Request`]).

use std::collections::BTreeSet;

use ao::hash_parts;
use serde::{Deserialize, Serialize};

use super::embedding::Embedding;
use super::limits::{
    CONTINUATION_BYTES_MAX, CONTINUATIONS_MAX, EMBEDDINGS_MAX, OUTPUT_BYTES_MAX, PAYLOAD_BYTES_MAX, PROMPT_BYTES_MAX,
    PROMPTS_MAX, RECEIPT_TEXT_BYTES_MAX, STOP_BYTES_MAX, STOPS_MAX, TOKENS_MAX,
};

/// What is asked of the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestKind {
    /// Continue each prompt greedily.
    Generate,
    /// Say how likely each continuation of each prompt is.
    Loglikelihood,
    /// Give the vector of each prompt, at most [`EMBEDDINGS_MAX`] of them, as they are.
    Embed,
}

/// A batch of prompts for one model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InferenceRequest {
    /// What is asked.
    pub kind: RequestKind,
    /// Put before each prompt by the model's chat template; `None` leaves the prompt as it is, without a template.
    #[serde(default)]
    pub system_prompt: Option<String>,
    /// Tokens to generate at most for each prompt, 1 to [`TOKENS_MAX`]; 0 when log-likelihoods or vectors are asked.
    #[serde(default)]
    pub max_tokens: u32,
    /// Texts at which generation stops; they are not part of the output.
    #[serde(default)]
    pub stop: Vec<String>,
    /// The prompts, 1 to [`PROMPTS_MAX`].
    pub prompts: Vec<Prompt>,
}

/// One prompt of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// The requester's number for it, unique within the batch.
    pub id: u64,
    /// Its text, at most [`PROMPT_BYTES_MAX`] bytes.
    pub prompt: String,
    /// The continuations to be scored; empty when nothing is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub continuations: Vec<String>,
}

/// The data of a request as the herder and the worker understand it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// A batch; the answer is an [`InferenceResponse`].
    Batch(InferenceRequest),
    /// One prompt, or the JSON `{"question", "context"}` of a chat; the answer is plain text.
    Plain(String),
}

/// The results of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InferenceResponse {
    /// One result for each prompt, in any order.
    pub results: Vec<PromptResult>,
    /// How they were made.
    pub receipt: Receipt,
}

/// The result of one prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptResult {
    /// The number of the prompt.
    pub id: u64,
    /// What the model said.
    #[serde(flatten)]
    pub answer: Answer,
}

/// What a model said to one prompt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Answer {
    /// The text it generated. With [`Finish::ContextExceeded`] it is empty, and it may then also answer a request for
    /// log-likelihoods or vectors.
    Generated {
        /// The text, at most [`OUTPUT_BYTES_MAX`] bytes.
        output: String,
        /// How many tokens it has.
        tokens: u32,
        /// Why it ended.
        finish: Finish,
    },
    /// For each continuation: its log-likelihood (nats, finite) and whether greedy decoding would have given it.
    Scored {
        /// In the order of the continuations.
        loglikelihoods: Vec<(f64, bool)>,
    },
    /// The vector of the prompt.
    Embedded {
        /// Of length 1.
        embedding: Embedding,
    },
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// A stop text or the end of the text.
    Stop,
    /// The tokens asked for were used up.
    Length,
    /// The prompt does not fit into the context of the model: an outcome of the model, not a fault of the worker.
    ContextExceeded,
}

/// How results were made: what somebody needs who wants to make them again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// SHA-256 of the model file, lower-case hexadecimal.
    pub model_file_hash: String,
    /// The engine and its version, as `llama.cpp b6000`.
    pub engine: String,
    /// How the engine was built.
    pub build: String,
    /// `exact` or `fast`: whether a result is independent of the other prompts of its batch.
    pub profile: String,
    /// The instruction set that ran, as `avx2`.
    pub instruction_set: String,
    /// [`InferenceRequest::prompts_hash`] of the request.
    pub prompts_hash: String,
    /// [`results_hash`] of the results.
    pub output_hash: String,
}

/// Why a request or a response cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Not the JSON that is expected here.
    #[error("it is not the JSON of an inference message: {0}")]
    Json(String),
    /// Something is longer or more than its limit.
    #[error("{what} is {actual}, and {limit} is allowed")]
    OverLimit {
        /// What is over.
        what: &'static str,
        /// How much there is.
        actual: usize,
        /// How much is allowed.
        limit: usize,
    },
    /// A request that asks for nothing or contradicts itself.
    #[error("{0}")]
    Contradiction(&'static str),
    /// A prompt number that comes twice.
    #[error("the prompt id {0} comes twice")]
    Repeated(u64),
    /// Results that are not those that were asked for.
    #[error("the results are not those of the {asked} prompts asked: {reason}")]
    OtherResults {
        /// How many prompts were asked.
        asked: usize,
        /// What is wrong.
        reason: String,
    },
    /// A result that cannot be one.
    #[error("the result of prompt {id} cannot be used: {reason}")]
    BadResult {
        /// The number of the prompt.
        id: u64,
        /// What is wrong.
        reason: &'static str,
    },
    /// A receipt that does not belong to the results.
    #[error("the receipt's {0} does not fit the request and the results")]
    Receipt(&'static str),
}

/// Fails if `actual` is more than `limit`.
fn within(what: &'static str, actual: usize, limit: usize) -> Result<(), WireError> {
    if actual > limit { Err(WireError::OverLimit { what, actual, limit }) } else { Ok(()) }
}

impl Request {
    /// Reads the data of a request: JSON with a `kind` is a batch and must be a right one, anything else that is text
    /// is one plain prompt.
    pub fn read(data: &[u8]) -> Result<Self, WireError> {
        within("the request in bytes", data.len(), PAYLOAD_BYTES_MAX)?;
        let text = std::str::from_utf8(data).map_err(|error| WireError::Json(error.to_string()))?;
        match serde_json::from_str::<serde_json::Value>(text) {
            Ok(serde_json::Value::Object(fields)) if fields.contains_key("kind") => {
                InferenceRequest::read(data).map(Self::Batch)
            }
            _ if text.trim().is_empty() => Err(WireError::Contradiction("the prompt is empty")),
            _ => {
                within("the prompt in bytes", text.len(), PROMPT_BYTES_MAX)?;
                Ok(Self::Plain(text.to_owned()))
            }
        }
    }

    /// How many prompts it holds: its share of a worker's capacity.
    pub fn prompts(&self) -> usize {
        match self {
            Self::Batch(request) => request.prompts.len(),
            Self::Plain(_) => 1,
        }
    }
}

impl InferenceRequest {
    /// Reads a batch and checks it.
    pub fn read(data: &[u8]) -> Result<Self, WireError> {
        within("the request in bytes", data.len(), PAYLOAD_BYTES_MAX)?;
        let request: Self = serde_json::from_slice(data).map_err(|error| WireError::Json(error.to_string()))?;
        request.validate()?;
        Ok(request)
    }

    /// Whether the request is one that a worker can answer: within all limits, ids unique, fields that fit its kind.
    pub fn validate(&self) -> Result<(), WireError> {
        within("the number of prompts", self.prompts.len(), PROMPTS_MAX)?;
        within("the system prompt in bytes", self.system_prompt.as_ref().map_or(0, String::len), PROMPT_BYTES_MAX)?;
        within("the number of stop texts", self.stop.len(), STOPS_MAX)?;
        if self.prompts.is_empty() {
            return Err(WireError::Contradiction("a request needs at least one prompt"));
        }
        for stop in &self.stop {
            within("a stop text in bytes", stop.len(), STOP_BYTES_MAX)?;
            if stop.is_empty() {
                return Err(WireError::Contradiction("a stop text is empty: every output would be empty"));
            }
        }
        within("max_tokens", self.max_tokens as usize, TOKENS_MAX as usize)?;
        if self.kind == RequestKind::Generate && self.max_tokens == 0 {
            return Err(WireError::Contradiction("max_tokens is 0: there would be nothing to generate"));
        }
        if self.kind == RequestKind::Embed {
            within("the number of texts to embed", self.prompts.len(), EMBEDDINGS_MAX)?;
            if self.system_prompt.is_some() || self.max_tokens > 0 || !self.stop.is_empty() {
                return Err(WireError::Contradiction("kind 'embed' takes prompts as they are, and nothing else"));
            }
        }
        let mut ids = BTreeSet::new();
        for prompt in &self.prompts {
            prompt.validate(self.kind)?;
            if !ids.insert(prompt.id) {
                return Err(WireError::Repeated(prompt.id));
            }
        }
        Ok(())
    }

    /// SHA-256 over everything that decides the results, lower-case hexadecimal: kind, system prompt, tokens, stop texts
    /// and each prompt with its continuations, every part with its length before it.
    pub fn prompts_hash(&self) -> String {
        let mut parts = Parts::new("aobench inference request");
        parts.text(match self.kind {
            RequestKind::Generate => "generate",
            RequestKind::Loglikelihood => "loglikelihood",
            RequestKind::Embed => "embed",
        });
        parts.number(u64::from(self.system_prompt.is_some()));
        parts.text(self.system_prompt.as_deref().unwrap_or_default());
        parts.number(u64::from(self.max_tokens));
        parts.texts(&self.stop);
        for prompt in &self.prompts {
            parts.number(prompt.id);
            parts.text(&prompt.prompt);
            parts.texts(&prompt.continuations);
        }
        parts.hash()
    }
}

impl Prompt {
    fn validate(&self, kind: RequestKind) -> Result<(), WireError> {
        within("a prompt in bytes", self.prompt.len(), PROMPT_BYTES_MAX)?;
        within("the number of continuations", self.continuations.len(), CONTINUATIONS_MAX)?;
        match (kind, self.continuations.is_empty()) {
            (RequestKind::Generate | RequestKind::Embed, false) => {
                return Err(WireError::Contradiction("continuations are for kind 'loglikelihood' only"));
            }
            (RequestKind::Loglikelihood, true) => {
                return Err(WireError::Contradiction("kind 'loglikelihood' needs continuations for each prompt"));
            }
            _ => {}
        }
        for continuation in &self.continuations {
            within("a continuation in bytes", continuation.len(), CONTINUATION_BYTES_MAX)?;
            if continuation.is_empty() {
                return Err(WireError::Contradiction("a continuation is empty"));
            }
        }
        Ok(())
    }
}

impl InferenceResponse {
    /// Reads a response; [`InferenceResponse::validate`] says whether it answers a request.
    pub fn read(data: &[u8]) -> Result<Self, WireError> {
        within("the response in bytes", data.len(), PAYLOAD_BYTES_MAX)?;
        serde_json::from_slice(data).map_err(|error| WireError::Json(error.to_string()))
    }

    /// Whether these are the results of exactly the prompts of `request`, each possible and within its limits, with a
    /// receipt that belongs to them. It does not say whether they are true.
    pub fn validate(&self, request: &InferenceRequest) -> Result<(), WireError> {
        let asked = request.prompts.len();
        let other = |reason: String| WireError::OtherResults { asked, reason };
        let mut results = std::collections::BTreeMap::new();
        for result in &self.results {
            if results.insert(result.id, &result.answer).is_some() {
                return Err(other(format!("the id {} comes twice", result.id)));
            }
        }
        for prompt in &request.prompts {
            let answer = results.remove(&prompt.id).ok_or_else(|| other(format!("the id {} is missing", prompt.id)))?;
            answer.validate(request, prompt).map_err(|reason| WireError::BadResult { id: prompt.id, reason })?;
        }
        if let Some(id) = results.keys().next() {
            return Err(other(format!("the id {id} was not asked")));
        }
        self.receipt.validate()?;
        if self.receipt.prompts_hash != request.prompts_hash() {
            return Err(WireError::Receipt("prompts_hash"));
        }
        if self.receipt.output_hash != results_hash(&self.results) {
            return Err(WireError::Receipt("output_hash"));
        }
        Ok(())
    }
}

impl Answer {
    fn validate(&self, request: &InferenceRequest, prompt: &Prompt) -> Result<(), &'static str> {
        match self {
            Self::Generated { output, finish: Finish::ContextExceeded, .. } => {
                if output.is_empty() {
                    Ok(())
                } else {
                    Err("a prompt that exceeds the context has no output")
                }
            }
            Self::Generated { output, tokens, .. } if request.kind == RequestKind::Generate => {
                if output.len() > OUTPUT_BYTES_MAX {
                    return Err("the output is longer than 4 KiB");
                }
                if *tokens > request.max_tokens { Err("it has more tokens than were asked for") } else { Ok(()) }
            }
            Self::Scored { loglikelihoods } if request.kind == RequestKind::Loglikelihood => {
                if loglikelihoods.len() != prompt.continuations.len() {
                    return Err("it has another number of log-likelihoods than there are continuations");
                }
                let finite = loglikelihoods.iter().all(|(value, _)| value.is_finite());
                if finite { Ok(()) } else { Err("a log-likelihood is not a finite number") }
            }
            Self::Embedded { .. } if request.kind == RequestKind::Embed => Ok(()),
            _ => Err("it is of another kind than was asked for"),
        }
    }
}

impl Receipt {
    fn validate(&self) -> Result<(), WireError> {
        for hash in [&self.model_file_hash, &self.prompts_hash, &self.output_hash] {
            if !is_hash(hash) {
                return Err(WireError::Contradiction("a hash of the receipt is not 64 lower-case hexadecimal digits"));
            }
        }
        for text in [&self.engine, &self.build, &self.profile, &self.instruction_set] {
            within("a text of the receipt in bytes", text.len(), RECEIPT_TEXT_BYTES_MAX)?;
        }
        Ok(())
    }
}

/// Whether a text is a SHA-256 in lower-case hexadecimal.
pub fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// SHA-256 over results in the order of their ids, lower-case hexadecimal. Log-likelihoods enter as whole micronats, so
/// that the last bit lost by a JSON reader does not change the hash.
pub fn results_hash(results: &[PromptResult]) -> String {
    let mut ordered: Vec<&PromptResult> = results.iter().collect();
    ordered.sort_by_key(|result| result.id);
    let mut parts = Parts::new("aobench inference results");
    for result in ordered {
        parts.number(result.id);
        match &result.answer {
            Answer::Generated { output, tokens, finish } => {
                parts.text(output);
                parts.number(u64::from(*tokens));
                parts.number(*finish as u64);
            }
            Answer::Scored { loglikelihoods } => {
                for (value, greedy) in loglikelihoods {
                    parts.number((value * 1e6).round() as i64 as u64);
                    parts.number(u64::from(*greedy));
                }
            }
            Answer::Embedded { embedding } => parts.0.push(embedding.to_bytes()),
        }
    }
    parts.hash()
}

/// Parts of a hash; their lengths become part of it in [`hash_parts`], so that no two lists of parts are one text.
struct Parts(Vec<Vec<u8>>);

impl Parts {
    fn new(purpose: &str) -> Self {
        Self(vec![purpose.as_bytes().to_vec()])
    }

    fn text(&mut self, text: &str) {
        self.0.push(text.as_bytes().to_vec());
    }

    fn texts(&mut self, texts: &[String]) {
        self.number(texts.len() as u64);
        for text in texts {
            self.text(text);
        }
    }

    fn number(&mut self, number: u64) {
        self.0.push(number.to_le_bytes().to_vec());
    }

    fn hash(&self) -> String {
        hash_parts(&self.0.iter().map(Vec::as_slice).collect::<Vec<_>>()).to_hex()
    }
}
