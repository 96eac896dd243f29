//! How fast llama.cpp computes prompts here: what everything that is built on it can be measured against.

use std::path::Path;
use std::time::Instant;

use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::token::LlamaToken;

use super::model::{Model, reason_or};
use crate::engine::{EngineOptions, ModelFile};
use crate::error::InferenceError;

/// Prompt tokens a second for `seconds` in computations of whole contexts (`context_tokens` of the options), only the last
/// token's logits wanted. The tokens are any tokens; the file is loaded into this process. With flash attention
/// llama.cpp is faster and less precise; no engine here uses it.
pub fn prompt_tokens_per_second(
    path: &Path,
    options: &EngineOptions,
    flash_attention: bool,
    seconds: f64,
) -> Result<f64, InferenceError> {
    let (mut model, facts) = Model::load_for_batches(&ModelFile::at(path), options, flash_attention)?;
    let mut tokens = LlamaBatch::new(facts.context_tokens as usize, 1);
    let mut compute = || {
        model.context.clear_kv_cache();
        tokens.clear();
        for position in 0..facts.context_tokens {
            let token = position.wrapping_mul(2_654_435_761) % facts.vocabulary.max(1);
            let added =
                tokens.add(LlamaToken(token as i32), position as i32, &[0], position + 1 == facts.context_tokens);
            added.map_err(|error| InferenceError::Compute { reason: error.to_string() })?;
        }
        let computed = model.context.decode(&mut tokens);
        computed.map_err(|error| InferenceError::Compute { reason: reason_or(&error.to_string()) })
    };
    // The first one warms caches up.
    compute()?;
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed().as_secs_f64() < seconds {
        compute()?;
        count += u64::from(facts.context_tokens);
    }
    Ok(count as f64 / began.elapsed().as_secs_f64())
}
