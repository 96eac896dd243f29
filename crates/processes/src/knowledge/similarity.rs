//! How alike two texts are: the dot product of their vectors, which have length 1. Pure, and the same to the last bit on
//! every machine.
//!
//! The product of two 32-bit floats is exact in 64 bits (24 + 24 bits of mantissa fit into 53), so it makes no difference
//! whether a processor rounds it before adding or not. What is left is the order of the additions, which is written down
//! here: eight sums, each of every eighth product, joined as a tree. The compiler may compute the eight side by side, but
//! never in another order: floats are not reassociated.

/// Sums that run side by side: what the widest registers in use hold.
const LANES: usize = 8;

/// A document that was found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Its number.
    pub number: u64,
    /// How alike it is to the prompt, from -1 to 1.
    pub score: f64,
}

/// The dot product of a vector and one as it is stored: 32-bit floats, little-endian. Numbers that only one of them has
/// count nothing.
pub(super) fn dot(one: &[f32], stored: &[u8]) -> f64 {
    let (stored, _) = stored.as_chunks::<{ size_of::<f32>() }>();
    let (rows, rest) = one.as_chunks::<LANES>();
    let (stored_rows, stored_rest) = stored.as_chunks::<LANES>();
    let mut sums = [0.0_f64; LANES];
    for (row, stored_row) in rows.iter().zip(stored_rows) {
        for ((sum, number), bytes) in sums.iter_mut().zip(row).zip(stored_row) {
            *sum += f64::from(*number) * f64::from(f32::from_le_bytes(*bytes));
        }
    }
    for ((sum, number), bytes) in sums.iter_mut().zip(rest).zip(stored_rest) {
        *sum += f64::from(*number) * f64::from(f32::from_le_bytes(*bytes));
    }
    let pair = |first: usize| sums[first] + sums[first + 1];
    // A sum of zeros has no sign, so that it is one rank and one text.
    ((pair(0) + pair(2)) + (pair(4) + pair(6))) + 0.0
}

/// The best hits so far: the highest score first, of equal ones the lower number.
#[derive(Debug)]
pub(super) struct Best {
    most: usize,
    hits: Vec<Hit>,
}

impl Best {
    /// Of at most so many hits.
    pub(super) fn new(most: usize) -> Self {
        Self { most, hits: Vec::with_capacity(most + 1) }
    }

    /// The score that a further hit must have at least, if there are as many as are wanted.
    pub(super) fn least(&self) -> Option<f64> {
        if self.hits.len() < self.most { None } else { self.hits.last().map(|hit| hit.score) }
    }

    /// Takes a hit if it is among the best.
    pub(super) fn insert(&mut self, hit: Hit) {
        let is_before = |other: &Hit| other.score.total_cmp(&hit.score).then(hit.number.cmp(&other.number)).is_gt();
        self.hits.insert(self.hits.partition_point(is_before), hit);
        self.hits.truncate(self.most);
    }

    /// The hits.
    pub(super) fn into_hits(self) -> Vec<Hit> {
        self.hits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bytes(numbers: &[f32]) -> Vec<u8> {
        numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    #[test]
    fn the_order_of_the_additions_is_fixed() {
        // The large numbers cancel where they stand in one lane; in any other order a small one would be lost.
        let mut one = vec![0.0_f32; 17];
        (one[0], one[8], one[16]) = (1e30, -1e30, 1.0);
        assert!((dot(&one, &bytes(&[1.0; 17])) - 1.0).abs() < f64::EPSILON);
        (one[0], one[8], one[16]) = (1e30, 1.0, -1e30);
        assert!(dot(&one, &bytes(&[1.0; 17])).abs() < f64::EPSILON);
    }

    #[test]
    fn these_bits_hold_on_every_machine() {
        let one: Vec<f32> = (0..43_u8).map(|n| (f32::from(n) * 0.37 - 5.0) / 41.0).collect();
        let other: Vec<f32> = (0..43_u8).map(|n| (7.0 - f32::from(n) * 0.21) / 29.0).collect();
        assert_eq!(dot(&one, &bytes(&other)).to_bits(), BITS);
    }

    /// Computed once by the same sums in Python, whose floats are 64-bit and never fused.
    const BITS: u64 = 0xbfc6_2e2a_06af_8a3e;

    proptest! {
        #[test]
        fn it_is_the_dot_product(pairs in prop::collection::vec((-1.0_f32..1.0, -1.0_f32..1.0), 0..600)) {
            let (one, other): (Vec<f32>, Vec<f32>) = pairs.iter().copied().unzip();
            let plain: f64 = pairs.iter().map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
            prop_assert!((dot(&one, &bytes(&other)) - plain).abs() < 1e-9);
            prop_assert_eq!(dot(&one, &bytes(&other)).to_bits(), dot(&other, &bytes(&one)).to_bits());
        }

        #[test]
        fn the_best_are_those_of_a_full_sort_in_any_order(
            scores in prop::collection::vec(-3_i8..3, 0..40), most in 0_usize..50,
        ) {
            let hits: Vec<Hit> =
                scores.iter().zip(1..).map(|(score, number)| Hit { number, score: f64::from(*score) }).collect();
            let mut backwards = hits.clone();
            backwards.reverse();
            let best = |hits: Vec<Hit>| {
                let mut best = Best::new(most);
                hits.into_iter().for_each(|hit| best.insert(hit));
                best.into_hits()
            };
            let found = best(hits.clone());
            prop_assert_eq!(&found, &best(backwards));
            prop_assert_eq!(found.len(), hits.len().min(most));
            let in_order = |one: &Hit, other: &Hit| {
                one.score > other.score || (one.score >= other.score && one.number < other.number)
            };
            prop_assert!(found.windows(2).all(|pair| in_order(&pair[0], &pair[1])));
        }
    }
}
