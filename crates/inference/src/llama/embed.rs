//! Vectors of texts, from models that read a text without continuing it (the BERT family).
//!
//! Profile `exact`: each text is encoded alone, whole, in one batch of its own. Such models keep no cache, so nothing of
//! another text can reach its bits.

use llama_cpp_2::context::params::LlamaPoolingType;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::token::LlamaToken;

use super::model::{Model, reason_or};
use crate::error::InferenceError;
use crate::request::Embedded;

/// Whether models of this architecture embed texts: all encoders of llama.cpp whose names hold `bert`.
pub(super) fn embeds(architecture: &str) -> bool {
    architecture.split('-').any(|part| matches!(part, "bert" | "eurobert"))
}

/// How the vectors of a text's tokens become one: as the file says (`<architecture>.pooling_type`), their mean if it says
/// nothing.
///
/// # Errors
/// For a reranker: it judges pairs of texts, and gives no vectors.
pub(super) fn pooling(model: &LlamaModel, architecture: &str) -> Result<LlamaPoolingType, InferenceError> {
    let written = model.meta_val_str(&format!("{architecture}.pooling_type")).ok().and_then(|text| text.parse().ok());
    match LlamaPoolingType::from(written.unwrap_or(0)) {
        LlamaPoolingType::None | LlamaPoolingType::Unspecified => Ok(LlamaPoolingType::Mean),
        LlamaPoolingType::Rank => {
            let reason = "it is a reranker, which gives no vectors for texts".to_owned();
            Err(InferenceError::Model { reason })
        }
        pooling => Ok(pooling),
    }
}

impl Model {
    /// The vector of a text, of length 1.
    pub(super) fn embed(&mut self, text: &str) -> Result<Embedded, InferenceError> {
        let tokens = {
            let vocabulary = self.vocabulary();
            if text.len() > vocabulary.text_bytes_max() {
                return Ok(Embedded::ContextExceeded);
            }
            vocabulary.marked_tokens(text)
        };
        if tokens.len() > self.context_tokens() {
            return Ok(Embedded::ContextExceeded);
        }
        if tokens.is_empty() {
            return Err(InferenceError::Request { reason: "a text without any token has no vector".to_owned() });
        }
        let compute = |reason: String| InferenceError::Compute { reason };
        self.batch.clear();
        for (position, token) in tokens.iter().enumerate() {
            let added = self.batch.add(LlamaToken(*token), position as i32, &[0], true);
            added.map_err(|error| compute(error.to_string()))?;
        }
        self.context.encode(&mut self.batch).map_err(|error| compute(reason_or(&error.to_string())))?;
        let pooled = self.context.embeddings_seq_ith(0).map_err(|error| compute(error.to_string()))?;
        normalized(pooled).map(Embedded::Vector)
    }
}

/// The vector with length 1. Summed in one fixed order.
fn normalized(vector: &[f32]) -> Result<Vec<f32>, InferenceError> {
    let squares: f64 = vector.iter().map(|&value| f64::from(value) * f64::from(value)).sum();
    let length = squares.sqrt();
    if !length.is_normal() {
        let reason = "it computes a vector that has no direction".to_owned();
        return Err(InferenceError::Model { reason });
    }
    Ok(vector.iter().map(|&value| (f64::from(value) / length) as f32).collect())
}
