//! The profile `exact`: which tokens are computed together.
//!
//! 1. The prompt's whole chunks, each alone, taken over from the prompt before where the tokens agree.
//! 2. Generating: the prompt's tail, alone, then one token at a time. Scoring: the tail with the continuations of this
//!    prompt as one trie, on copies of the sequence that share its cells.
//!
//! Nothing of another prompt is ever in the same decode, and the cells are filled from the first one on, so the bits
//! of a result depend on its own prompt (and its own continuations) alone.

use std::ops::Range;

use llama_cpp_2::token::LlamaToken;

use super::forced::{Forced, Next, Room, Spelling};
use super::likelihood::{Row, greedy, is_broken};
use super::model::{CHUNK_TOKENS, Model, reason_or};
use super::output_text::OutputText;
use super::trie::Trie;
use crate::error::InferenceError;
use crate::limits::{BRANCHES_MAX, EXACT_BATCH_TOKENS, LOGIT_ROWS_MAX, ROWS_TOGETHER};
use crate::prefix::Plan;
use crate::request::{Finish, GenerateRequest, Generated, Likelihood};

impl Model {
    /// Continues a prompt greedily; what becomes certain of the output goes to `parts`.
    pub(super) fn generate(
        &mut self,
        prompt: &[i32],
        request: &GenerateRequest,
        parts: &mut dyn FnMut(String),
    ) -> Result<Generated, InferenceError> {
        if prompt.len() > self.context_tokens() {
            return Ok(super::context_exceeded());
        }
        // The last token is not computed, so it needs no place.
        let tokens_max = (request.max_tokens as usize).min(self.context_tokens() - prompt.len() + 1);
        let spelling = request.schema.as_ref().map(|_| self.spelling());
        let forced = self.forced(request, spelling.as_deref())?;
        if forced.as_ref().is_some_and(|forced| forced.needs().tokens > tokens_max) {
            return Ok(super::context_exceeded());
        }
        self.keeping_order(|model| model.generate_within(prompt, request, tokens_max, forced, parts))
    }

    fn generate_within(
        &mut self,
        prompt: &[i32],
        request: &GenerateRequest,
        tokens_max: usize,
        mut forced: Option<Forced<'_>>,
        parts: &mut dyn FnMut(String),
    ) -> Result<Generated, InferenceError> {
        let mut output = OutputText::new(request);
        let mut tokens = 0;
        let mut position = prompt.len();
        let tail = self.prefill(prompt)?;
        self.decode(&prompt[tail..], tail, true)?;
        let finish = loop {
            if tokens == request.max_tokens {
                break without_room(forced.as_ref());
            }
            let room = Room {
                tokens: tokens_max - tokens as usize,
                bytes: (request.max_bytes as usize).saturating_sub(output.len()),
            };
            let Next::Token(token) = self.next_token(forced.as_mut(), room) else { break Finish::Stop };
            tokens += 1;
            if let Some(finish) = output.push(&self.vocabulary().piece(token)) {
                break finish;
            }
            give(&mut output, parts);
            if forced.as_ref().is_some_and(Forced::is_whole) {
                break Finish::Stop;
            }
            if position == self.context_tokens() {
                break without_room(forced.as_ref());
            }
            if tokens < request.max_tokens {
                self.decode(&[token], position, true)?;
                position += 1;
            }
        };
        let (text, part) = output.into_text_and_part();
        if !part.is_empty() {
            parts(part);
        }
        Ok(Generated { text, tokens, finish })
    }

    /// What keeps an output within its schema, if it has one.
    fn forced<'a>(
        &self,
        request: &GenerateRequest,
        spelling: Option<&'a Spelling>,
    ) -> Result<Option<Forced<'a>>, InferenceError> {
        let (Some(schema), Some(spelling)) = (&request.schema, spelling) else { return Ok(None) };
        if !request.stop.is_empty() {
            let reason = "a document that fits a schema is whole, so there can be no stop texts".to_owned();
            return Err(InferenceError::Request { reason });
        }
        let vocabulary = self.vocabulary();
        let forced = Forced::new(schema, spelling, &|text| vocabulary.tokens(text))?;
        let Room { tokens, bytes } = forced.needs();
        if tokens > request.max_tokens as usize || bytes > request.max_bytes as usize {
            let (tokens_max, bytes_max) = (request.max_tokens, request.max_bytes);
            let reason = format!(
                "the shortest document that fits the schema has {tokens} tokens and {bytes} bytes, and the output may \
                 have {tokens_max} tokens and {bytes_max} bytes"
            );
            return Err(InferenceError::Request { reason });
        }
        Ok(Some(forced))
    }

    /// The token that comes next by the logits of the last row.
    fn next_token(&self, forced: Option<&mut Forced<'_>>, room: Room) -> Next {
        let logits = self.logits(-1);
        let vocabulary = self.vocabulary();
        if let Some(forced) = forced {
            return forced.next(logits, room, &|text| vocabulary.tokens(text));
        }
        let token = greedy(logits);
        if vocabulary.ends_text(token) { Next::End } else { Next::Token(token) }
    }

    /// How likely continuations of a context are; `None` if the context with one of them is too long.
    pub(super) fn score(
        &mut self,
        context: &[i32],
        continuations: &[Vec<i32>],
    ) -> Result<Option<Vec<Likelihood>>, InferenceError> {
        if !self.fits(context, continuations) {
            return Ok(None);
        }
        self.keeping_order(|model| model.score_within(context, continuations)).map(Some)
    }

    /// Whether the context with any of the continuations fits. The last token of a continuation is looked up, not
    /// computed.
    pub(super) fn fits(&self, context: &[i32], continuations: &[Vec<i32>]) -> bool {
        let longest = continuations.iter().map(Vec::len).max().unwrap_or(0).saturating_sub(1);
        context.len() + longest <= self.context_tokens()
    }

    fn score_within(&mut self, context: &[i32], continuations: &[Vec<i32>]) -> Result<Vec<Likelihood>, InferenceError> {
        let mut results = vec![Likelihood { log_probability: 0.0, is_greedy: true }; continuations.len()];
        for group in self.groups(context.len(), continuations) {
            // Without sharing, each continuation spoils the sequence for the next one.
            let base = self.prefill(context)?;
            let mut trie = Trie::default();
            for (place, result) in group.clone().enumerate() {
                let sequence = if self.can_share { place as i32 + 1 } else { 0 };
                let end = trie.add_context(context, base, sequence);
                trie.add_continuation(end, &continuations[result], sequence, result);
            }
            let copies = if self.can_share { group.len() as i32 } else { 0 };
            self.compute_trie(&trie, 1..copies + 1, EXACT_BATCH_TOKENS, &mut results)?;
        }
        Ok(results)
    }

    /// Cuts the continuations into groups that fit into the cache beside the context.
    fn groups(&self, context: usize, continuations: &[Vec<i32>]) -> Vec<Range<usize>> {
        let together = if self.can_share { BRANCHES_MAX } else { 1 };
        let mut groups: Vec<Range<usize>> = Vec::new();
        let mut cells = 0;
        for (index, continuation) in continuations.iter().enumerate() {
            let more = continuation.len().saturating_sub(1);
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

    /// Computes a trie that goes on from what is in sequence 0, and adds up what the probabilities of its targets are.
    /// The `copies` are sequences that share the cells of sequence 0, and are forgotten at the end.
    pub(super) fn compute_trie(
        &mut self,
        trie: &Trie,
        copies: Range<i32>,
        batch_tokens: usize,
        results: &mut [Likelihood],
    ) -> Result<(), InferenceError> {
        for sequence in copies.clone() {
            let copied = self.context.kv_cache_seq_cp(0, sequence, None, None);
            copied.map_err(|error| compute(&error.to_string()))?;
        }
        let mut nodes = trie.nodes();
        while !nodes.is_empty() {
            let rows = nodes.iter().scan(0, |rows, node| {
                *rows += usize::from(node.wants_logits());
                Some(*rows)
            });
            let count = rows.take(batch_tokens).take_while(|&rows| rows <= LOGIT_ROWS_MAX).count();
            let (now, later) = nodes.split_at(count);
            self.batch.clear();
            let mut rows_missing = missing(now.iter().filter(|node| node.wants_logits()).count());
            for node in now {
                let fills = !node.wants_logits() && rows_missing > 0;
                rows_missing -= usize::from(fills);
                self.add_to_batch(node.token, node.position, &node.sequences, node.wants_logits() || fills)?;
            }
            if later.is_empty() {
                self.fill_up(trie, now.len(), copies.clone(), rows_missing)?;
            }
            self.decode_batch()?;
            for (place, node) in now.iter().enumerate().filter(|(_, node)| !node.targets.is_empty()) {
                let row = Row::new(self.logits(place as i32));
                for &(result, token) in &node.targets {
                    results[result].log_probability += row.log_probability(token);
                    results[result].is_greedy &= row.is_greedy(token);
                }
            }
            nodes = later;
        }
        copies.into_iter().try_for_each(|sequence| self.forget(Some(sequence.unsigned_abs()), 0))
    }

    /// Adds tokens that nobody asked for behind the last copy, until a batch of so many has whole groups of rows, as many as
    /// are missing with logits. Nothing that was asked for sees them, and they are forgotten with the copy.
    fn fill_up(&mut self, trie: &Trie, tokens: usize, copies: Range<i32>, rows: usize) -> Result<(), InferenceError> {
        let (Some(copy), Some(last)) = (copies.last(), trie.nodes().last()) else { return Ok(()) };
        let count = missing(tokens);
        if self.cached.len() + trie.nodes().len() + count > self.context_tokens() {
            return Ok(());
        }
        let own = trie.nodes().iter().rev().find(|node| node.sequences.contains(&copy));
        let position = own.map_or(self.cached.len(), |node| node.position + 1);
        (0..count).try_for_each(|place| self.add_to_batch(last.token, position + place, &[copy], place < rows))
    }

    /// Computes the whole chunks of a prompt that are not in the cache; says where its tail begins.
    fn prefill(&mut self, prompt: &[i32]) -> Result<usize, InferenceError> {
        if !self.can_share {
            self.reset();
        }
        let plan = Plan::new(&self.cached, prompt, CHUNK_TOKENS);
        self.keep(plan.reused)?;
        for chunk in plan.chunks() {
            self.decode(&prompt[chunk.clone()], chunk.start, false)?;
            self.cached.extend_from_slice(&prompt[chunk]);
        }
        Ok(plan.tail.start)
    }

    /// Forgets what is in sequence 0 from a position on.
    pub(super) fn keep(&mut self, tokens: usize) -> Result<(), InferenceError> {
        self.forget(Some(0), tokens)?;
        self.cached.truncate(tokens);
        Ok(())
    }

    /// Computes tokens that follow each other in sequence 0; the logits after the last one are in the last row.
    fn decode(&mut self, tokens: &[i32], start: usize, wants_logits: bool) -> Result<(), InferenceError> {
        self.batch.clear();
        for (offset, &token) in tokens.iter().enumerate() {
            self.add_to_batch(token, start + offset, &[0], wants_logits && offset + 1 == tokens.len())?;
        }
        self.decode_batch()
    }

    fn add_to_batch(
        &mut self,
        token: i32,
        position: usize,
        sequences: &[i32],
        wants_logits: bool,
    ) -> Result<(), InferenceError> {
        let added = self.batch.add(LlamaToken(token), position as i32, sequences, wants_logits);
        added.map_err(|error| compute(&error.to_string()))
    }

    fn decode_batch(&mut self) -> Result<(), InferenceError> {
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
    pub(super) fn keeping_order<R>(
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

/// Rows that are missing to a whole number of groups.
fn missing(rows: usize) -> usize {
    rows.next_multiple_of(ROWS_TOGETHER) - rows
}

/// Why an output ends for which there is no more room. A document of a schema is whole by then.
fn without_room(forced: Option<&Forced<'_>>) -> Finish {
    if forced.is_some() { Finish::Stop } else { Finish::Length }
}

/// Gives out what has become certain of an output.
fn give(output: &mut OutputText<'_>, parts: &mut dyn FnMut(String)) {
    let part = output.part();
    if !part.is_empty() {
        parts(part);
    }
}

fn compute(reason: &str) -> InferenceError {
    InferenceError::Compute { reason: reason.to_owned() }
}
