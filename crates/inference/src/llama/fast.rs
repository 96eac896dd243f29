//! The profile `fast`: many prompts with all their continuations in one decode.
//!
//! Prompts are taken in the order that shares most and packed while they go on from about the same place of what is in
//! the cache. A pack is one trie, so whatever its texts share is computed once. Sequence 0 keeps the last prompt of a pack,
//! from which the next pack goes on.

use super::model::Model;
use super::trie::Trie;
use super::{EncodedPrompt, EncodedScore};
use crate::error::InferenceError;
use crate::limits::{FAST_BATCH_TOKENS, FAST_BRANCHES_MAX, FAST_RECOMPUTED_TOKENS_MAX};
use crate::prefix::{common_prefix, trie_order};
use crate::request::{Likelihood, Progress, Scored};

/// Prompts for one decode, by their places in the request.
#[derive(Debug, Default)]
struct Pack {
    prompts: Vec<usize>,
    /// Tokens taken over from the cache.
    reused: usize,
    /// Tokens to be computed, at most.
    tokens: usize,
    branches: usize,
}

/// How likely the continuations are; results in the order of the prompts.
pub(super) fn score(
    model: &mut Model,
    prompts: &[EncodedScore],
    progress: &mut dyn FnMut(Progress),
) -> Result<Vec<Scored>, InferenceError> {
    let mut results = vec![Scored::ContextExceeded; prompts.len()];
    let mut finished = 0;
    let mut order = trie_order(prompts).into_iter().peekable();
    while let Some(&next) = order.peek() {
        let mut pack = Pack::default();
        while let Some(index) = order.next_if(|&index| pack.takes(model, &prompts[index])) {
            pack.prompts.push(index);
        }
        if pack.prompts.is_empty() {
            // Too large for a pack, too long for the model, or of a model whose sequences share nothing.
            results[next] = prompts[next].score(model)?;
            order.next();
            pack.prompts.push(next);
        } else {
            model.keeping_order(|model| pack.compute(model, prompts, &mut results))?;
        }
        for prompt in pack.prompts {
            finished += 1;
            progress(Progress { prompt, finished, total: prompts.len() });
        }
    }
    Ok(results)
}

impl Pack {
    /// Counts a prompt in, if it can be computed together with those that are here.
    fn takes(&mut self, model: &Model, prompt: &EncodedScore) -> bool {
        let EncodedPrompt::Tokens(context) = &prompt.context else { return false };
        let common = common_prefix(&model.cached, context).min(context.len() - 1);
        let reused = if self.prompts.is_empty() { common } else { common.min(self.reused) };
        // Those that are here would have to compute more, too.
        let recomputed = self.reused.saturating_sub(reused) * self.prompts.len();
        let own: usize = prompt.continuations.iter().map(|tokens| tokens.len().saturating_sub(1)).sum();
        let tokens = self.tokens + recomputed + context.len() - reused + own;
        let branches = self.branches + prompt.continuations.len().max(1);
        let fits = model.can_share
            && branches <= FAST_BRANCHES_MAX
            && tokens <= FAST_BATCH_TOKENS
            && reused + tokens <= model.context_tokens()
            && recomputed <= FAST_RECOMPUTED_TOKENS_MAX;
        if fits {
            (self.reused, self.tokens, self.branches) = (reused, tokens, branches);
        }
        fits
    }

    fn compute(
        &self,
        model: &mut Model,
        prompts: &[EncodedScore],
        results: &mut [Scored],
    ) -> Result<(), InferenceError> {
        let mut trie = Trie::default();
        let (mut sequence, mut count) = (0, 0);
        for &prompt in &self.prompts {
            let prompt = &prompts[prompt];
            let mut continuations = prompt.continuations.iter();
            // A prompt without continuations is computed all the same: it may be what the next ones go on from.
            for _ in 0..prompt.continuations.len().max(1) {
                sequence += 1;
                let end = trie.add_context(prompt.as_ref(), self.reused, sequence);
                if let Some(continuation) = continuations.next() {
                    trie.add_continuation(end, continuation, sequence, count);
                    count += 1;
                }
            }
        }
        model.keep(self.reused)?;
        let last = self.prompts.last().map_or(&[][..], |&last| prompts[last].as_ref());
        trie.add_context(last, self.reused, 0);
        let mut likelihoods = vec![Likelihood { log_probability: 0.0, is_greedy: true }; count];
        model.compute_trie(&trie, 1..sequence + 1, FAST_BATCH_TOKENS, &mut likelihoods)?;
        model.cached.extend_from_slice(&last[self.reused..]);
        let mut likelihoods = likelihoods.into_iter();
        for &prompt in &self.prompts {
            let own = likelihoods.by_ref().take(prompts[prompt].continuations.len()).collect();
            results[prompt] = Scored::Likelihoods(own);
        }
        Ok(())
    }
}
