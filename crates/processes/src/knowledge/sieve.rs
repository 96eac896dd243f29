//! Which documents can be among the best of a search, by their sketches alone. What is multiplied and added up here are
//! whole numbers, so it makes no difference how many of them a processor takes at one time; and whatever is left, the
//! vectors decide.
//!
//! A document's vector is its sketch and a rest `e`, a prompt's vector its sketch and a rest `f`. The score is then the dot
//! product of the sketches, and of `f` with the sketch of the document, and of `e` with the vector of the prompt. The last
//! two are at most the products of lengths, which are known: that is the margin by which a score can be off.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use multiversion::multiversion;

use super::product::products;
use super::sketch::{Block, LENGTH_MAX, OFFSET, SLACK, Sketch};

/// Sums that run side by side.
const LANES: usize = 32;

/// What is known of a document before its vector is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Candidate {
    pub(super) document: u64,
    /// Which of all sketches is its, in the order in which they were looked at.
    pub(super) place: usize,
    /// The score is not above it.
    pub(super) upper: f64,
}

/// The documents of a search that may be among the best.
#[derive(Debug)]
pub(super) struct Sieve {
    prompt: Sketch,
    margin: Margin,
    most: usize,
    candidates: Vec<Candidate>,
    /// The highest scores that documents are known to have at least, `most` of them.
    certain: BinaryHeap<Reverse<Ordered>>,
    /// The lowest of those, as soon as there are as many.
    least: f64,
    /// Sketches that were looked at.
    seen: usize,
    sums: Vec<i32>,
    uppers: Vec<f64>,
    instructions: Instructions,
}

/// How a sum over whole numbers becomes a bound on a score.
#[derive(Debug, Clone, Copy)]
struct Margin {
    /// The scale of the prompt.
    scale: f64,
    /// What a sum has too much because the numbers of a block are not negative.
    offset: i32,
    /// What each unit of the error of a document adds.
    factor: f64,
    /// What is added for every document.
    constant: f64,
}

/// What computes bounds: see [`bounds`].
type Bounds = fn(&[i32], &[f32], &[f32], Margin, &mut [f64]) -> f64;

/// How a processor computes. Every way gives the same; which one is taken is found out when the program runs.
#[derive(Debug, Clone, Copy)]
struct Instructions {
    products: fn(&[i8], &[u8], &mut [i32]),
    bounds: Bounds,
}

/// A number in its total order.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Ordered(f64);

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

impl Sieve {
    /// For the `most` documents that are most like the prompt with this vector.
    pub(super) fn new(vector: &[f32], most: usize) -> Self {
        let prompt = Sketch::of(vector);
        let error = f64::from(prompt.error);
        let margin = Margin {
            scale: f64::from(prompt.scale),
            offset: prompt.numbers.iter().map(|number| i32::from(*number) * OFFSET).sum(),
            factor: LENGTH_MAX + error,
            constant: LENGTH_MAX * error + SLACK,
        };
        Self {
            prompt,
            margin,
            most,
            candidates: Vec::new(),
            certain: BinaryHeap::with_capacity(most + 1),
            least: f64::NEG_INFINITY,
            seen: 0,
            sums: Vec::new(),
            uppers: Vec::new(),
            instructions: Instructions { products, bounds },
        }
    }

    /// Looks at a block of sketches.
    pub(super) fn look_at(&mut self, block: &Block) {
        self.sums.resize(block.documents.len(), 0);
        self.uppers.resize(block.documents.len(), 0.0);
        let Instructions { products, bounds } = self.instructions;
        products(&self.prompt.numbers, &block.numbers, &mut self.sums);
        let highest = bounds(&self.sums, &block.scales, &block.errors, self.margin, &mut self.uppers);
        let first = self.seen;
        self.seen += block.documents.len();
        // Once `least` is known it only rises: what is below it now is so at the end.
        if highest < self.least {
            return;
        }
        for (number, upper) in self.uppers.iter().copied().enumerate() {
            if upper < self.least {
                continue;
            }
            let (Some(document), Some(error)) = (block.documents.get(number), block.errors.get(number)) else { break };
            self.candidates.push(Candidate { document: u64::from(*document), place: first + number, upper });
            let lower = upper - 2.0 * self.margin.of(f64::from(*error));
            if lower <= self.least {
                continue;
            }
            self.certain.push(Reverse(Ordered(lower)));
            if self.certain.len() > self.most {
                self.certain.pop();
            }
            if let (true, Some(Reverse(Ordered(least)))) = (self.certain.len() == self.most, self.certain.peek()) {
                self.least = *least;
            }
        }
    }

    /// The documents whose vectors decide: those that may have the highest scores first, of equal ones the lower number.
    pub(super) fn left(mut self) -> Vec<Candidate> {
        self.candidates.retain(|candidate| candidate.upper >= self.least);
        let order = |one: &Candidate, other: &Candidate| {
            other.upper.total_cmp(&one.upper).then(one.document.cmp(&other.document))
        };
        self.candidates.sort_unstable_by(order);
        self.candidates
    }
}

impl Margin {
    /// By how much the score of a document can be off whose sketch has this error.
    #[inline]
    fn of(&self, error: f64) -> f64 {
        self.factor * error + self.constant
    }
}

/// What the scores of a block are not above; the highest of it.
#[multiversion(targets("x86_64+avx512bw", "x86_64+avx2"))]
fn bounds(sums: &[i32], scales: &[f32], errors: &[f32], margin: Margin, uppers: &mut [f64]) -> f64 {
    bounds_of_every_processor(sums, scales, errors, margin, uppers)
}

/// The same, in what every processor has. Floats are neither fused nor added in another order, whatever it is compiled for.
#[expect(clippy::inline_always, reason = "only where it is inlined is it compiled for the instructions of its caller")]
#[inline(always)]
fn bounds_of_every_processor(sums: &[i32], scales: &[f32], errors: &[f32], margin: Margin, uppers: &mut [f64]) -> f64 {
    for (((sum, scale), error), upper) in sums.iter().zip(scales).zip(errors).zip(uppers.iter_mut()) {
        *upper = margin.scale * f64::from(*scale) * f64::from(sum.wrapping_sub(margin.offset))
            + margin.of(f64::from(*error));
    }
    let (lanes, rest) = uppers.as_chunks::<LANES>();
    let higher = |one: f64, other: f64| if other > one { other } else { one };
    let mut highest = [f64::NEG_INFINITY; LANES];
    for lane in lanes {
        highest.iter_mut().zip(lane).for_each(|(highest, upper)| *highest = higher(*highest, *upper));
    }
    highest.iter().chain(rest).copied().fold(f64::NEG_INFINITY, higher)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::knowledge::product::ways;

    fn unit(numbers: &[f32]) -> Vec<f32> {
        let length = numbers.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt().max(1e-9);
        numbers.iter().map(|number| (f64::from(*number) / length) as f32).collect()
    }

    fn exact(one: &[f32], other: &[f32]) -> f64 {
        one.iter().zip(other).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum()
    }

    #[multiversion(targets("x86_64+avx2"))]
    fn bounds_of_avx2(sums: &[i32], scales: &[f32], errors: &[f32], margin: Margin, uppers: &mut [f64]) -> f64 {
        bounds_of_every_processor(sums, scales, errors, margin, uppers)
    }

    /// What is left of these documents, numbered from 1, in blocks of 37.
    fn left(prompt: &[f32], documents: &[Vec<f32>], most: usize) -> Vec<Candidate> {
        left_with(Sieve::new(prompt, most), prompt, documents)
    }

    fn left_with(mut sieve: Sieve, prompt: &[f32], documents: &[Vec<f32>]) -> Vec<Candidate> {
        let numbered: Vec<(u32, &Vec<f32>)> = (1..).zip(documents).collect();
        for rows in numbered.chunks(37) {
            let bytes: Vec<u8> = rows.iter().flat_map(|(number, vector)| Sketch::record(*number, vector)).collect();
            sieve.look_at(&Block::read(&bytes, prompt.len()));
        }
        sieve.left()
    }

    proptest! {
        #[test]
        fn the_best_are_always_left(
            rows in prop::collection::vec(prop::collection::vec(-1.0_f32..1.0, 24), 2..80), most in 1_usize..10,
        ) {
            let vectors: Vec<Vec<f32>> = rows.iter().map(|row| unit(row)).collect();
            let (prompt, documents) = vectors.split_first().unwrap();
            let left = left(prompt, documents, most);
            let mut scores: Vec<(f64, u64)> =
                documents.iter().zip(1..).map(|(vector, number)| (exact(prompt, vector), number)).collect();
            scores.sort_by(|one, other| other.0.total_cmp(&one.0));
            for (score, number) in scores.iter().take(most) {
                let found = left.iter().find(|candidate| candidate.document == *number);
                prop_assert!(found.is_some_and(|found| found.upper >= *score), "{} of {:?}", number, left);
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_left_is_the_same_with_the_instructions_of_every_processor(
            rows in prop::collection::vec(prop::collection::vec(-1.0_f32..1.0, 77), 2..160), most in 1_usize..10,
        ) {
            let vectors: Vec<Vec<f32>> = rows.iter().map(|row| unit(row)).collect();
            let (prompt, documents) = vectors.split_first().unwrap();
            let chosen = left(prompt, documents, most);
            for (products, bounds) in ways::ALL.into_iter().zip([bounds_of_every_processor, bounds_of_avx2, bounds]) {
                let sieve = Sieve { instructions: Instructions { products, bounds }, ..Sieve::new(prompt, most) };
                prop_assert_eq!(&left_with(sieve, prompt, documents), &chosen);
            }
        }
    }

    #[test]
    fn a_document_that_is_far_below_is_ruled_out() {
        let towards =
            |place: usize| (0..64).map(|number| if number == place { 1.0 } else { 0.0 }).collect::<Vec<f32>>();
        let documents: Vec<Vec<f32>> = (0..64).map(towards).collect();
        let left: Vec<u64> = left(&towards(3), &documents, 1).iter().map(|candidate| candidate.document).collect();
        assert_eq!(left, [4]);
    }
}
