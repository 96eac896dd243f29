//! What is asked of a model and what comes back.

use serde::{Deserialize, Serialize};

use crate::limits::OUTPUT_BYTES_MAX;
use crate::schema::Schema;

/// The log-likelihood that stands for "impossible": a token of probability zero or a model that computes no numbers.
/// Finite, so that sums stay comparable and JSON can carry it.
pub const IMPOSSIBLE: f64 = -1.0e9;

/// Asks for greedy continuations of prompts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerateRequest {
    /// Put before each prompt by the model's chat template, or before a blank line if it has none. `None` gives the
    /// prompt to the model as it is.
    pub system_prompt: Option<String>,
    /// The prompts.
    pub prompts: Vec<String>,
    /// Tokens to generate at most for each prompt.
    pub max_tokens: u32,
    /// Bytes to generate at most for each prompt.
    pub max_bytes: u32,
    /// Texts at which generation stops; they are not part of the output.
    pub stop: Vec<String>,
    /// What each output must be a document of, whole, if anything: then there are no stop texts.
    #[serde(default)]
    pub schema: Option<Schema>,
}

impl GenerateRequest {
    /// Plain prompts, no stop texts.
    pub fn new(prompts: Vec<String>, max_tokens: u32) -> Self {
        Self { system_prompt: None, prompts, max_tokens, max_bytes: OUTPUT_BYTES_MAX, stop: Vec::new(), schema: None }
    }
}

/// A part of an output, given as soon as it is certain that it belongs to it. The parts for a prompt, one after the other,
/// are its output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// Index of the prompt.
    pub prompt: usize,
    /// Whole characters; never empty.
    pub text: String,
}

/// What a model generated for one prompt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generated {
    /// The text, without the stop text. Bytes that are no UTF-8 are replaced by U+FFFD.
    pub text: String,
    /// Tokens that were generated, the end-of-text token not counted.
    pub tokens: u32,
    /// Why it ended.
    pub finish: Finish,
}

/// Why a generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finish {
    /// A stop text, or the model ended the text.
    Stop,
    /// Tokens, bytes or context are used up.
    Length,
    /// The prompt does not fit into the context of the model. Nothing was computed; a prompt is never cut.
    ContextExceeded,
}

/// Asks how likely continuations are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScoreRequest {
    /// As in [`GenerateRequest`].
    pub system_prompt: Option<String>,
    /// The prompts.
    pub prompts: Vec<ScorePrompt>,
}

/// A prompt with its continuations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScorePrompt {
    /// The text before.
    pub prompt: String,
    /// The texts that may follow, as ` A`.
    pub continuations: Vec<String>,
}

/// How likely the continuations of one prompt are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Scored {
    /// One for each continuation, in their order.
    Likelihoods(Vec<Likelihood>),
    /// The prompt with one of its continuations does not fit into the context of the model.
    ContextExceeded,
}

/// How likely one continuation is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Likelihood {
    /// Sum of the natural logarithms of its tokens' probabilities; at least [`IMPOSSIBLE`] for each token.
    #[serde(with = "exact_float")]
    pub log_probability: f64,
    /// Whether greedy decoding would have given it.
    pub is_greedy: bool,
}

/// What became of a text that was to be embedded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Embedded {
    /// Its vector, of length 1.
    Vector(#[serde(with = "exact_floats")] Vec<f32>),
    /// The text does not fit into the context of the model. Nothing was computed; a text is never cut.
    ContextExceeded,
}

/// Tells how far a request has come: sent after each prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Index of the prompt that is done. Prompts are computed in an order that shares prefixes, not in theirs.
    pub prompt: usize,
    /// Prompts done.
    pub finished: usize,
    /// Prompts in all.
    pub total: usize,
}

/// Floats as their bits: JSON numbers are not always read back to the last bit.
mod exact_float {
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde calls")]
    pub(super) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(value.to_bits())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        u64::deserialize(deserializer).map(f64::from_bits)
    }
}

/// The same for a list.
mod exact_floats {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(values: &[f32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(values.iter().map(|value| value.to_bits()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f32>, D::Error> {
        let bits = Vec::<u32>::deserialize(deserializer)?;
        Ok(bits.into_iter().map(f32::from_bits).collect())
    }
}
