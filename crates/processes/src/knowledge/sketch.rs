//! Sketches: vectors in one byte for each number, with a bound on what that loses. A search reads the sketches of all
//! documents, which is a quarter of their vectors, and then the vectors of those few that the bound cannot rule out. So it
//! finds exactly what comparing with every vector finds. Pure, and the same on every machine: what is added up here are
//! whole numbers.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Records of one block: what is written again when a vector comes, and read at once in a search.
pub(super) const RECORDS_PER_BLOCK: usize = 256;

/// The largest value of a byte.
const BYTE_MAX: f32 = 127.0;

/// How long a vector may be: 1, and what rounding adds.
const LENGTH_MAX: f64 = 1.001;

/// More than all roundings of this file and of a dot product of 4,096 numbers add up to.
const SLACK: f64 = 1e-9;

/// Bytes of a record before its numbers: document, scale, error.
const HEAD_BYTES: usize = 12;

/// A vector in bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sketch {
    /// What one step of a byte stands for.
    scale: f32,
    /// At least the length of the difference between the vector and its sketch.
    error: f32,
    numbers: Vec<i8>,
}

/// What is known of a document before its vector is read.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    document: u64,
    /// The score is not above it.
    upper: f64,
}

/// The documents of a search that may be among the best.
#[derive(Debug)]
pub(super) struct Sieve {
    prompt: Sketch,
    most: usize,
    candidates: Vec<Candidate>,
    /// The highest scores that documents are known to have at least, `most` of them.
    certain: BinaryHeap<Reverse<Ordered>>,
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

impl Sketch {
    /// The sketch of a vector.
    pub(super) fn of(vector: &[f32]) -> Self {
        let largest = vector.iter().fold(0.0_f32, |largest, number| largest.max(number.abs()));
        let scale = if largest > 0.0 { largest / BYTE_MAX } else { 1.0 };
        let numbers: Vec<i8> =
            vector.iter().map(|number| (number / scale).round().clamp(-BYTE_MAX, BYTE_MAX) as i8).collect();
        let squares: f64 = vector
            .iter()
            .zip(&numbers)
            .map(|(number, byte)| f64::from(*number) - f64::from(scale) * f64::from(*byte))
            .map(|difference| difference * difference)
            .sum();
        // Rounded up, so that it stays a bound.
        let error = ((squares.sqrt() + SLACK) as f32).next_up();
        Self { scale, error, numbers }
    }

    /// Appends the record of a document to a block.
    pub(super) fn append(&self, document: u32, block: &mut Vec<u8>) {
        block.extend_from_slice(&document.to_le_bytes());
        block.extend_from_slice(&self.scale.to_le_bytes());
        block.extend_from_slice(&self.error.to_le_bytes());
        block.extend(self.numbers.iter().map(|number| number.cast_unsigned()));
    }
}

impl Sieve {
    /// For the `most` documents that are most like the prompt with this vector.
    pub(super) fn new(vector: &[f32], most: usize) -> Self {
        let (candidates, certain) = (Vec::new(), BinaryHeap::with_capacity(most + 1));
        Self { prompt: Sketch::of(vector), most, candidates, certain }
    }

    /// Looks at a block of records.
    pub(super) fn look_at(&mut self, block: &[u8]) {
        for record in block.chunks_exact(HEAD_BYTES + self.prompt.numbers.len()) {
            let (Some(document), Some(scale), Some(error)) = (word(record, 0), word(record, 4), word(record, 8)) else {
                continue;
            };
            let (scale, error) = (f32::from_le_bytes(scale), f64::from(f32::from_le_bytes(error)));
            let sum = product(&self.prompt.numbers, &record[HEAD_BYTES..]);
            let score = f64::from(self.prompt.scale) * f64::from(scale) * f64::from(sum);
            let own = f64::from(self.prompt.error);
            let margin = LENGTH_MAX * error + own * (LENGTH_MAX + error) + SLACK;
            self.candidates.push(Candidate { document: u32::from_le_bytes(document).into(), upper: score + margin });
            self.certain.push(Reverse(Ordered(score - margin)));
            if self.certain.len() > self.most {
                self.certain.pop();
            }
        }
    }

    /// The documents whose vectors decide, in the order in which their records came.
    pub(super) fn left(self) -> Vec<u64> {
        let known = self.certain.len() == self.most;
        let least = self.certain.peek().filter(|_| known).map_or(f64::NEG_INFINITY, |Reverse(Ordered(least))| *least);
        let left = self.candidates.iter().filter(|candidate| candidate.upper >= least);
        left.map(|candidate| candidate.document).collect()
    }
}

fn word(record: &[u8], from: usize) -> Option<[u8; 4]> {
    record.get(from..from + 4)?.try_into().ok()
}

/// The dot product of two sketches, exact: 4,096 products of bytes fit into 32 bits.
fn product(one: &[i8], other: &[u8]) -> i32 {
    one.iter().zip(other).map(|(one, other)| i32::from(*one) * i32::from(other.cast_signed())).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unit(numbers: &[f32]) -> Vec<f32> {
        let length = numbers.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt().max(1e-9);
        numbers.iter().map(|number| (f64::from(*number) / length) as f32).collect()
    }

    fn exact(one: &[f32], other: &[f32]) -> f64 {
        one.iter().zip(other).map(|(one, other)| f64::from(*one) * f64::from(*other)).sum()
    }

    proptest! {
        #[test]
        fn the_best_are_always_left(
            rows in prop::collection::vec(prop::collection::vec(-1.0_f32..1.0, 24), 2..80), most in 1_usize..10,
        ) {
            let vectors: Vec<Vec<f32>> = rows.iter().map(|row| unit(row)).collect();
            let (prompt, documents) = vectors.split_first().unwrap();
            let mut sieve = Sieve::new(prompt, most);
            let mut block = Vec::new();
            for (number, vector) in (1..).zip(documents) {
                Sketch::of(vector).append(number, &mut block);
            }
            sieve.look_at(&block);
            let left = sieve.left();
            let mut scores: Vec<(f64, u64)> =
                documents.iter().zip(1..).map(|(vector, number)| (exact(prompt, vector), number)).collect();
            scores.sort_by(|one, other| other.0.total_cmp(&one.0));
            for (_, number) in scores.iter().take(most) {
                prop_assert!(left.contains(number), "{} of {:?}", number, left);
            }
        }
    }

    #[test]
    fn a_document_that_is_far_below_is_ruled_out() {
        let towards =
            |place: usize| (0..64).map(|number| if number == place { 1.0 } else { 0.0 }).collect::<Vec<f32>>();
        let mut sieve = Sieve::new(&towards(3), 1);
        let mut block = Vec::new();
        for number in 0..64_u32 {
            Sketch::of(&towards(number as usize)).append(number + 1, &mut block);
        }
        sieve.look_at(&block);
        assert_eq!(sieve.left(), [4]);
    }
}
