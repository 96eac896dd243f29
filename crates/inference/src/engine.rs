//! The face of every engine.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::InferenceError;
use crate::limits::CONTEXT_TOKENS_DEFAULT;
use crate::request::{
    Embedded, GenerateRequest, Generated, Likelihood, Part, Progress, ScorePrompt, ScoreRequest, Scored,
};

/// Something that makes a model answer. One model is loaded at a time; loading another replaces it.
///
/// In the profile [`Profile::Exact`] a result is a function of the model, the engine build and the one prompt: not of the
/// other prompts of the request, their order, the requests before, or the thread count.
pub trait Engine: Send {
    /// What this engine is, for receipts.
    ///
    /// # Errors
    /// Only an engine in another process can fail here.
    fn describe(&mut self) -> Result<Description, InferenceError>;

    /// Loads a model in place of the one before.
    fn load(&mut self, model: &ModelFile) -> Result<LoadedModel, InferenceError>;

    /// The tokens of a text, without the model's start token. Text that looks like a special token is text.
    fn tokenize(&mut self, text: &str) -> Result<Vec<i32>, InferenceError>;

    /// How likely each continuation of each prompt is. Results are in the order of the prompts.
    fn score(
        &mut self,
        request: &ScoreRequest,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Scored>, InferenceError>;

    /// How likely each text is as a whole, whatever its length. Results are in the order of the texts.
    ///
    /// What is longer than the context is cut as lm-evaluation-harness does (`get_rolling_token_windows` with one token of
    /// context): windows of a whole context, the last of which goes back as far as it can; each token counts once.
    ///
    /// # Errors
    /// [`InferenceError::Request`] if the engine cannot cut, and a text is longer than its context.
    fn score_rolling(
        &mut self,
        texts: &[String],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Likelihood>, InferenceError> {
        let prompt = |text: &String| ScorePrompt { prompt: String::new(), continuations: vec![text.clone()] };
        let request = ScoreRequest { system_prompt: None, prompts: texts.iter().map(prompt).collect() };
        let too_long = || InferenceError::Request { reason: "a text is longer than the model's context".to_owned() };
        let scored = self.score(&request, progress)?.into_iter().map(|scored| match scored {
            Scored::Likelihoods(likelihoods) => likelihoods.first().copied().ok_or_else(too_long),
            Scored::ContextExceeded => Err(too_long()),
        });
        scored.collect()
    }

    /// Continues each prompt greedily; under a schema, with the most probable tokens that fit it. Results are in the order
    /// of the prompts.
    ///
    /// # Errors
    /// [`InferenceError::Request`] if the limits of the request have no room for a document of its schema.
    fn generate(
        &mut self,
        request: &GenerateRequest,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Generated>, InferenceError>;

    /// The same, and gives the outputs part by part while they are computed. An engine that cannot gives each output in one
    /// part when it is whole.
    fn generate_in_parts(
        &mut self,
        request: &GenerateRequest,
        parts: &mut dyn FnMut(Part),
    ) -> Result<Vec<Generated>, InferenceError> {
        let generated = self.generate(request, &mut |_| ())?;
        for (prompt, generated) in generated.iter().enumerate().filter(|(_, generated)| !generated.text.is_empty()) {
            parts(Part { prompt, text: generated.text.clone() });
        }
        Ok(generated)
    }

    /// One vector of length 1 for each text, from a model that is made for it. Results are in the order of the texts.
    ///
    /// # Errors
    /// [`InferenceError::Model`] if the model continues texts and does not embed them.
    fn embed(&mut self, texts: &[String], progress: &mut dyn FnMut(Progress)) -> Result<Vec<Embedded>, InferenceError>;
}

/// A model file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// Where it is.
    pub path: PathBuf,
    /// Its SHA-256 in hexadecimal; checked while loading when given.
    pub file_hash: Option<String>,
}

impl ModelFile {
    /// The file at `path`, whatever it holds.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), file_hash: None }
    }
}

/// What an engine says about a model that it loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadedModel {
    /// Architecture as the file names it, like `llama`.
    pub architecture: String,
    /// Name of the model as the file gives it; may be empty.
    pub name: String,
    /// Number of weights.
    pub parameters: u64,
    /// Longest text the engine will take, in tokens.
    pub context_tokens: u32,
    /// Tokens of the vocabulary.
    pub vocabulary: u32,
    /// How the process that runs the model is confined; empty for an engine in this process.
    pub sandbox: String,
}

/// What an engine is: what somebody needs to know who wants the same results.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Engine and version, as `llama.cpp 0.26.0 (llama-cpp-2 0.1.160)`.
    pub engine: String,
    /// What it was built with.
    pub build: String,
    /// The widest instruction set in use, as `avx2`.
    pub instruction_set: String,
    /// The name of its [`Profile`], or what else it says about how far its results can be repeated.
    pub profile: String,
}

/// What an engine may compute together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Nothing but a prompt with its own continuations: the bits of a result depend on them alone. The one that pays.
    #[default]
    Exact,
    /// Scores many prompts in one computation. Equal to [`Profile::Exact`] within a tolerance only, because which
    /// tokens are computed together decides how floats are rounded. Texts are generated as in `Exact`.
    Fast,
}

impl Profile {
    /// Its name in results and receipts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Fast => "fast",
        }
    }
}

/// Which instructions an engine computes with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InstructionSet {
    /// The widest that the processor has and the engine was built for.
    #[default]
    Widest,
    /// What every processor has that the engine runs on: the bits of a result are the same on all of them.
    Portable,
}

/// How an engine is to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineOptions {
    /// Threads that compute. One by default: several one-thread engines on a shared host do more than one engine with
    /// several threads, which wait for each other by spinning.
    pub threads: u32,
    /// Longest context in tokens, where the model allows as much. Part of what decides a result: models that scale
    /// their positions look at it.
    pub context_tokens: u32,
    /// Whether prompts hold the marks of [`crate::marks`]: only for whoever writes them. Without, they are text.
    #[serde(default)]
    pub reads_marks: bool,
    /// What may be computed together.
    pub profile: Profile,
    /// The first engine of a process decides it for all that follow there.
    #[serde(default)]
    pub instructions: InstructionSet,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self {
            threads: 1,
            context_tokens: CONTEXT_TOKENS_DEFAULT,
            reads_marks: false,
            profile: Profile::Exact,
            instructions: InstructionSet::Widest,
        }
    }
}
