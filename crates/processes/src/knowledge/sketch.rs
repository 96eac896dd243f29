//! Sketches: vectors in one byte for each number, with a bound on what that loses. A search looks at the sketches of all
//! documents, which are a quarter of their vectors, and then at the vectors of those few that the bound cannot rule out.
//! Pure, and the same on every machine.

/// Records of one block: what is written again when vectors come, and looked at in one go by a search.
pub(super) const RECORDS_PER_BLOCK: usize = 256;

/// The largest number in a sketch.
const BYTE_MAX: f32 = 127.0;

/// By how much the numbers of a block are higher than those of its sketches, so that none is negative.
pub(super) const OFFSET: i32 = 128;

/// How long a vector may be: 1, and what rounding adds.
pub(super) const LENGTH_MAX: f64 = 1.001;

/// More than all roundings of a sketch, of a bound on a score and of a dot product of 4,096 numbers add up to.
pub(super) const SLACK: f64 = 1e-9;

/// Bytes of a record before its numbers: document, scale, error.
const HEAD_BYTES: usize = 12;

/// A vector in bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sketch {
    /// What one step of a number stands for.
    pub(super) scale: f32,
    /// At least the length of the difference between the vector and its sketch.
    pub(super) error: f32,
    pub(super) numbers: Vec<i8>,
}

/// Sketches of documents as they are looked at: their numbers one after the other, and beside them what belongs to each.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Block {
    pub(super) documents: Vec<u32>,
    pub(super) scales: Vec<f32>,
    pub(super) errors: Vec<f32>,
    /// Each by [`OFFSET`] higher.
    pub(super) numbers: Vec<u8>,
    /// The vectors themselves as they are stored, one after the other, if they are kept too.
    pub(super) vectors: Vec<u8>,
}

impl Sketch {
    /// The sketch of a vector.
    pub(super) fn of(vector: &[f32]) -> Self {
        let peak = vector.iter().fold(0.0_f32, |peak, number| peak.max(number.abs()));
        let scale = if peak > 0.0 { peak / BYTE_MAX } else { 1.0 };
        let numbers: Vec<i8> =
            vector.iter().map(|number| (number / scale).round().clamp(-BYTE_MAX, BYTE_MAX) as i8).collect();
        let squares: f64 = vector
            .iter()
            .zip(&numbers)
            .map(|(number, steps)| f64::from(*number) - f64::from(scale) * f64::from(*steps))
            .map(|difference| difference * difference)
            .sum();
        // Rounded up, so that it stays a bound.
        let error = ((squares.sqrt() + SLACK) as f32).next_up();
        Self { scale, error, numbers }
    }

    /// The record of a document: what a block is written as, one after the other.
    pub(super) fn record(document: u32, vector: &[f32]) -> Vec<u8> {
        let sketch = Self::of(vector);
        let mut record = Vec::with_capacity(HEAD_BYTES + vector.len());
        record.extend_from_slice(&document.to_le_bytes());
        record.extend_from_slice(&sketch.scale.to_le_bytes());
        record.extend_from_slice(&sketch.error.to_le_bytes());
        record.extend(sketch.numbers.iter().map(|number| number.cast_unsigned()));
        record
    }
}

impl Block {
    /// Reads records of vectors with so many numbers.
    pub(super) fn read(bytes: &[u8], dimensions: usize) -> Self {
        let mut block = Self::default();
        let records = bytes.chunks_exact(HEAD_BYTES + dimensions);
        block.numbers.reserve_exact(records.len() * dimensions);
        for record in records {
            let Some((head, numbers)) = record.split_first_chunk::<HEAD_BYTES>() else { continue };
            let [d0, d1, d2, d3, s0, s1, s2, s3, e0, e1, e2, e3] = *head;
            block.documents.push(u32::from_le_bytes([d0, d1, d2, d3]));
            block.scales.push(f32::from_le_bytes([s0, s1, s2, s3]));
            block.errors.push(f32::from_le_bytes([e0, e1, e2, e3]));
            block.numbers.extend(numbers.iter().map(|number| number.wrapping_add(OFFSET as u8)));
        }
        block
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.documents.len() * HEAD_BYTES + self.numbers.capacity() + self.vectors.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_vector_is_as_near_to_its_sketch_as_the_sketch_says(
            vector in prop::collection::vec(-1.0_f32..1.0, 1..100)
        ) {
            let sketch = Sketch::of(&vector);
            let number = |steps: &i8| f64::from(sketch.scale) * f64::from(*steps);
            let squares: f64 =
                vector.iter().zip(&sketch.numbers).map(|(one, steps)| (f64::from(*one) - number(steps)).powi(2)).sum();
            prop_assert!(squares.sqrt() <= f64::from(sketch.error));
            prop_assert!(f64::from(sketch.error) <= f64::from(sketch.scale) * (vector.len() as f64).sqrt() / 2.0 + 1e-6);
        }
    }

    #[test]
    fn a_block_is_read_as_it_was_written() {
        let vectors = [[0.5_f32, -1.0, 0.25], [0.0, 0.0, 1.0], [0.0; 3]];
        let bytes: Vec<u8> =
            vectors.iter().zip(7..).flat_map(|(vector, number)| Sketch::record(number, vector)).collect();
        let block = Block::read(&bytes, 3);
        assert_eq!(
            (block.documents, block.numbers),
            (vec![7, 8, 9], [64, -127, 32, 0, 0, 127, 0, 0, 0].map(|number| (number + OFFSET) as u8).to_vec())
        );
        assert_eq!(block.scales, [1.0 / 127.0, 1.0 / 127.0, 1.0]);
        assert!(block.errors.iter().all(|error| (0.0..0.01).contains(error)));
    }
}
