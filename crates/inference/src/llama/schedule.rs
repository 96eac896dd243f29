//! The profile `exact`: which tokens are computed together.
//!
//! 1. The prompt's whole chunks, each alone, taken over from the prompt before where the tokens agree.
//! 2. The prompt's tail, alone. Its last logits are the first token of an answer, whether generated or scored.
//! 3. Generating: one token at a time. Scoring: the continuations of this prompt side by side, on copies of its
//!    sequence that share its cells.
//!
//! Nothing of another prompt is ever in the same decode, and the cells are filled from the first one on, so the bits
//! of a result depend on its own prompt (and its own continuations) alone.

use std::ops::Range;

use llama_cpp_2::token::LlamaToken;

use super::likelihood::{greedy, is_broken, log_probability};
use super::model::{CHUNK_TOKENS, Model, reason_or};
use super::output_text::OutputText;
use crate::error::InferenceError;
use crate::limits::{BRANCHES_MAX, LOGIT_ROWS_MAX};
use crate::prefix::Plan;
use crate::request::{Finish, GenerateRequest, Generated, Likelihood};

/// One token to be computed.
#[derive(Debug, Clone, Copy)]
struct Cell {
    token: i32,
    position: usize,
    sequence: usize,
    wants_logits: bool,
}

/// A continuation that needs more than the prompt's last logits.
#[derive(Debug)]
struct Branch<'tokens> {
    continuation: usize,
    tokens: &'tokens [i32],
}

impl Model {
    /// Continues a prompt greedily.
    pub(super) fn generate(&mut self, prompt: &[i32], request: &GenerateRequest) -> Result<Generated, InferenceError> {
        if prompt.len() > self.context_tokens() {
            return Ok(super::context_exceeded());
        }
        self.keeping_order(|model| model.generate_within(prompt, request))
    }

    fn generate_within(&mut self, prompt: &[i32], request: &GenerateRequest) -> Result<Generated, InferenceError> {
        let mut output = OutputText::new(request);
        let mut tokens = 0;
        let mut position = prompt.len();
        let mut last = self.prefill(prompt)?;
        let finish = loop {
            if tokens == request.max_tokens {
                break Finish::Length;
            }
            let token = greedy(self.logits(last));
            let (ends, piece) = {
                let vocabulary = self.vocabulary();
                (vocabulary.ends_text(token), vocabulary.piece(token))
            };
            if ends {
                break Finish::Stop;
            }
            tokens += 1;
            if let Some(finish) = output.push(&piece) {
                break finish;
            }
            if position == self.context_tokens() {
                break Finish::Length;
            }
            if tokens < request.max_tokens {
                self.decode(&[Cell { token, position, sequence: 0, wants_logits: true }])?;
                last = 0;
                position += 1;
            }
        };
        Ok(Generated { text: output.into_text(), tokens, finish })
    }

    /// How likely continuations of a context are; `None` if the context with one of them is too long.
    pub(super) fn score(
        &mut self,
        context: &[i32],
        continuations: &[Vec<i32>],
    ) -> Result<Option<Vec<Likelihood>>, InferenceError> {
        // The last token of a continuation is looked up, not computed.
        let longest = continuations.iter().map(Vec::len).max().unwrap_or(0).saturating_sub(1);
        if context.len() + longest > self.context_tokens() {
            return Ok(None);
        }
        self.keeping_order(|model| model.score_within(context, continuations)).map(Some)
    }

    fn score_within(&mut self, context: &[i32], continuations: &[Vec<i32>]) -> Result<Vec<Likelihood>, InferenceError> {
        let mut results = vec![Likelihood { log_probability: 0.0, is_greedy: true }; continuations.len()];
        let last = self.prefill(context)?;
        let logits = self.logits(last);
        for (result, continuation) in results.iter_mut().zip(continuations) {
            if let Some(&first) = continuation.first() {
                result.add(logits, first);
            }
        }
        let branches: Vec<Branch<'_>> = continuations
            .iter()
            .enumerate()
            .filter(|(_, tokens)| tokens.len() > 1)
            .map(|(continuation, tokens)| Branch { continuation, tokens })
            .collect();
        for group in self.groups(context.len(), &branches) {
            if !self.can_share {
                // Each branch spoils the sequence for the next one.
                self.prefill(context)?;
            }
            self.score_group(context.len(), &branches[group], &mut results)?;
        }
        Ok(results)
    }

    /// Cuts the branches into groups that fit into the cache beside the context.
    fn groups(&self, context: usize, branches: &[Branch<'_>]) -> Vec<Range<usize>> {
        let together = if self.can_share { BRANCHES_MAX } else { 1 };
        let mut groups: Vec<Range<usize>> = Vec::new();
        let mut cells = 0;
        for (index, branch) in branches.iter().enumerate() {
            let more = branch.tokens.len() - 1;
            match groups.last_mut() {
                Some(group) if group.len() < together && context + cells + more <= self.context_tokens() => {
                    group.end = index + 1;
                    cells += more;
                }
                _ => {
                    groups.push(index..index + 1);
                    cells = more;
                }
            }
        }
        groups
    }

    /// Computes a group of branches side by side and adds up what their tokens' probabilities are.
    fn score_group(
        &mut self,
        context: usize,
        group: &[Branch<'_>],
        results: &mut [Likelihood],
    ) -> Result<(), InferenceError> {
        let mut cells = Vec::new();
        let mut targets = Vec::new();
        for (index, branch) in group.iter().enumerate() {
            let sequence = if self.can_share { index + 1 } else { 0 };
            if self.can_share {
                self.context
                    .kv_cache_seq_cp(0, sequence as i32, None, None)
                    .map_err(|error| compute(&error.to_string()))?;
            }
            for (offset, pair) in branch.tokens.windows(2).enumerate() {
                cells.push(Cell { token: pair[0], position: context + offset, sequence, wants_logits: true });
                targets.push((branch.continuation, pair[1]));
            }
        }
        for (cells, targets) in cells.chunks(LOGIT_ROWS_MAX).zip(targets.chunks(LOGIT_ROWS_MAX)) {
            self.decode(cells)?;
            for (row, &(continuation, token)) in targets.iter().enumerate() {
                let logits = self.logits(row as i32);
                results[continuation].add(logits, token);
            }
        }
        let copies = if self.can_share { group.len() } else { 0 };
        (1..=copies).try_for_each(|sequence| self.forget(Some(sequence as u32), 0))
    }

    /// Computes a prompt and says which row of the last decode holds its last logits.
    fn prefill(&mut self, prompt: &[i32]) -> Result<i32, InferenceError> {
        if !self.can_share {
            self.reset();
        }
        let plan = Plan::new(&self.cached, prompt, CHUNK_TOKENS);
        self.forget(Some(0), plan.reused)?;
        self.cached.truncate(plan.reused);
        let cell =
            |position: usize, wants_logits| Cell { token: prompt[position], position, sequence: 0, wants_logits };
        for chunk in plan.chunks() {
            let cells: Vec<Cell> = chunk.clone().map(|position| cell(position, false)).collect();
            self.decode(&cells)?;
            self.cached.extend_from_slice(&prompt[chunk]);
        }
        let last = plan.tail.end - 1;
        let cells: Vec<Cell> = plan.tail.clone().map(|position| cell(position, position == last)).collect();
        self.decode(&cells)?;
        Ok((cells.len() - 1) as i32)
    }

    fn decode(&mut self, cells: &[Cell]) -> Result<(), InferenceError> {
        self.batch.clear();
        for cell in cells {
            self.batch
                .add(LlamaToken(cell.token), cell.position as i32, &[cell.sequence as i32], cell.wants_logits)
                .map_err(|error| compute(&error.to_string()))?;
        }
        self.context.decode(&mut self.batch).map_err(|error| compute(&reason_or(&error.to_string())))
    }

    /// The logits after the token in this row of the last decode.
    fn logits(&self, row: i32) -> &[f32] {
        self.context.get_logits_ith(row)
    }

    /// Frees the cells of a sequence from a position on.
    fn forget(&mut self, sequence: Option<u32>, from: usize) -> Result<(), InferenceError> {
        let from = u32::try_from(from).unwrap_or(u32::MAX);
        match self.context.clear_kv_cache_seq(sequence, Some(from), None) {
            Ok(true) => Ok(()),
            Ok(false) => Err(compute("the cache could not forget a sequence")),
            Err(error) => Err(compute(&error.to_string())),
        }
    }

    /// Empties the cache and overwrites it with zeros.
    fn reset(&mut self) {
        self.context.clear_kv_cache();
        self.cached.clear();
    }

    /// Runs a computation and empties the cache if it failed or met numbers that are none: a masked cell is multiplied
    /// by zero, which does not silence an infinity that a prompt has left there.
    fn keeping_order<R>(
        &mut self,
        compute: impl FnOnce(&mut Self) -> Result<R, InferenceError>,
    ) -> Result<R, InferenceError> {
        let result = compute(self);
        if result.is_err() || is_broken(self.logits(-1)) {
            self.reset();
        }
        result
    }
}

impl Likelihood {
    fn add(&mut self, logits: &[f32], token: i32) {
        self.log_probability += log_probability(logits, token);
        self.is_greedy &= greedy(logits) == token;
    }
}

fn compute(reason: &str) -> InferenceError {
    InferenceError::Compute { reason: reason.to_owned() }
}
