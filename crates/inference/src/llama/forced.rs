//! Tokens that are forced into a document of a schema: of those that fit, the most probable one that leaves room for the
//! document's end.
//!
//! There is always a plan: tokens that end the document within what is left. A token is taken only if there is a plan after
//! it, so an output is whole, however little room it has. With enough room the plan is never followed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::error::InferenceError;
use crate::limits::ENDING_TRIES_MAX;
use crate::schema::{Partial, Schema};

/// The bytes of every token of a vocabulary.
#[derive(Debug)]
pub(super) struct Spelling {
    pieces: Vec<Vec<u8>>,
    /// The tokens that end a text, in order.
    ends: Vec<i32>,
    /// For each byte the token that is this byte alone.
    bytes: Vec<Option<i32>>,
}

impl Spelling {
    pub(super) fn new(pieces: Vec<Vec<u8>>, ends: Vec<i32>) -> Self {
        let mut bytes = vec![None; 256];
        for (token, piece) in (0..).zip(&pieces) {
            if let [byte] = piece.as_slice()
                && !ends.contains(&token)
                && let Some(known) = bytes.get_mut(usize::from(*byte))
            {
                *known = known.or(Some(token));
            }
        }
        Self { pieces, ends, bytes }
    }

    fn piece(&self, token: i32) -> &[u8] {
        usize::try_from(token).ok().and_then(|token| self.pieces.get(token)).map_or(&[], Vec::as_slice)
    }

    fn spelled(&self, bytes: &[u8]) -> Option<Vec<i32>> {
        bytes.iter().map(|&byte| self.bytes.get(usize::from(byte)).copied().flatten()).collect()
    }
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Token(i32),
    End,
}

/// How a text becomes tokens.
type Tokenize<'a> = &'a dyn Fn(&str) -> Vec<i32>;

/// What there is left of the limits of a request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) tokens: usize,
    pub(super) bytes: usize,
}

/// A document on its way.
#[derive(Debug)]
pub(super) struct Forced<'a> {
    document: Partial,
    spelling: &'a Spelling,
    /// Tokens that end the document.
    plan: Vec<i32>,
}

impl<'a> Forced<'a> {
    /// A document of which nothing is written.
    pub(super) fn new(schema: &Schema, spelling: &'a Spelling, tokenize: Tokenize<'_>) -> Result<Self, InferenceError> {
        let document = schema.begin();
        let plan = plan(spelling, &document.ending(), usize::MAX, tokenize).ok_or_else(|| InferenceError::Model {
            reason: "its vocabulary has no tokens for the bytes of such a document".to_owned(),
        })?;
        Ok(Self { document, spelling, plan })
    }

    /// Whether the document is whole.
    pub(super) fn is_whole(&self) -> bool {
        self.document.is_whole()
    }

    /// What it takes at least.
    pub(super) fn needs(&self) -> Room {
        Room { tokens: self.plan.len(), bytes: self.document.ending().len() }
    }

    /// The next token, by the logits after the last one.
    pub(super) fn next(&mut self, logits: &[f32], room: Room, tokenize: Tokenize<'_>) -> Next {
        // With no token left the plan is empty, so what is written may end, even if more could follow.
        if self.document.is_whole() || room.tokens == 0 {
            return Next::End;
        }
        let may_end = self.document.may_end();
        let starts = self.document.next_bytes();
        let spelling = self.spelling;
        let is_candidate = |token: i32| {
            if spelling.ends.binary_search(&token).is_ok() {
                return may_end;
            }
            spelling.piece(token).first().is_some_and(|&byte| starts.get(usize::from(byte)) == Some(&true))
        };
        let candidates = (0..).zip(logits).filter(|(token, logit)| !logit.is_nan() && is_candidate(*token));
        let best = candidates.clone().max_by(|one, other| one.1.total_cmp(other.1).then(other.0.cmp(&one.0)));
        if let Some((token, _)) = best
            && let Some(next) = self.try_token(token, room, tokenize).taken()
        {
            return next;
        }
        let mut rest: BinaryHeap<_> = candidates.map(|(token, logit)| (Ordered(*logit), Reverse(token))).collect();
        let mut without_room = 0;
        while let Some((_, Reverse(token))) = rest.pop() {
            match self.try_token(token, room, tokenize) {
                Tried::Taken(next) => return next,
                Tried::NoRoom if without_room == ENDING_TRIES_MAX => break,
                Tried::NoRoom => without_room += 1,
                Tried::Unfit => {}
            }
        }
        self.follow_plan()
    }

    fn try_token(&mut self, token: i32, room: Room, tokenize: Tokenize<'_>) -> Tried {
        if self.spelling.ends.binary_search(&token).is_ok() {
            return Tried::Taken(Next::End);
        }
        let piece = self.spelling.piece(token);
        let Some(document) = self.document.after(piece) else { return Tried::Unfit };
        let ending = document.ending();
        if piece.len() + ending.len() > room.bytes {
            return Tried::NoRoom;
        }
        let tokens_left = room.tokens.saturating_sub(1);
        let plan = if self.plan.first() == Some(&token) && self.plan.len() <= room.tokens {
            self.plan.split_off(1)
        } else {
            match plan(self.spelling, &ending, tokens_left, tokenize) {
                Some(plan) => plan,
                None => return Tried::NoRoom,
            }
        };
        self.document = document;
        self.plan = plan;
        Tried::Taken(Next::Token(token))
    }

    fn follow_plan(&mut self) -> Next {
        let Some(&token) = self.plan.first() else { return Next::End };
        let Some(document) = self.document.after(self.spelling.piece(token)) else { return Next::End };
        self.document = document;
        self.plan.remove(0);
        Next::Token(token)
    }
}

/// What came of a token.
enum Tried {
    Taken(Next),
    NoRoom,
    Unfit,
}

impl Tried {
    fn taken(self) -> Option<Next> {
        if let Self::Taken(next) = self { Some(next) } else { None }
    }
}

/// A logit that is a number.
#[derive(Debug, Clone, Copy)]
struct Ordered(f32);

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Ordered {}

impl PartialOrd for Ordered {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ordered {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// At most so many tokens that spell these bytes: as the model's tokenizer cuts them, else one by one.
fn plan(spelling: &Spelling, ending: &[u8], tokens_max: usize, tokenize: Tokenize<'_>) -> Option<Vec<i32>> {
    // The end of a character that is cut belongs to no text.
    let cut = ending.iter().take_while(|byte| (0x80..0xc0).contains(*byte)).count();
    let (head, tail) = ending.split_at(cut);
    let by_tokenizer = || {
        let mut tokens = tokenize(std::str::from_utf8(tail).ok()?);
        // Some put a space before every text.
        let is_space = tokens.first().is_some_and(|&first| spelling.piece(first) == b" ");
        if is_space && tail.first() != Some(&b' ') {
            tokens.remove(0);
        }
        let spelled: Vec<u8> = tokens.iter().flat_map(|&token| spelling.piece(token)).copied().collect();
        (spelled == tail).then_some(tokens)
    };
    let tail = by_tokenizer().or_else(|| spelling.spelled(tail))?;
    let tokens = [spelling.spelled(head)?, tail].concat();
    (tokens.len() <= tokens_max).then_some(tokens)
}

#[cfg(test)]
#[path = "forced_tests.rs"]
mod tests;
