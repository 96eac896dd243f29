//! Dot products of whole numbers, many at one time: what a search does most. They are exact, so it makes no difference in
//! which order and how many at one time a processor adds them; which instructions it has is found out when the program runs.

use multiversion::multiversion;
use multiversion::target::match_target;

/// Sums that run side by side, so that the compiler multiplies and adds in one instruction.
const LANES: usize = 32;

/// The dot products of `one` with each of `others`, which stand one after the other. Up to 65,536 numbers fit.
#[multiversion(targets("x86_64+avx512bw+avx512vnni", "x86_64+avx2"))]
pub(super) fn products(one: &[i8], others: &[u8], products: &mut [i32]) {
    match_target! {
        "x86_64+avx512bw+avx512vnni" => by_words(one, others, products),
        _ => by_lanes(one, others, products),
    }
}

/// In what every processor has. The bytes are widened first: that is what vector instructions of all kinds multiply.
#[expect(clippy::inline_always, reason = "only where it is inlined is it compiled for the instructions of its caller")]
#[inline(always)]
fn by_lanes(one: &[i8], others: &[u8], products: &mut [i32]) {
    let wide: Vec<i16> = one.iter().map(|number| i16::from(*number)).collect();
    let add = |sum: i32, one: &i16, other: &u8| sum.wrapping_add(i32::from(*one).wrapping_mul(i32::from(*other)));
    let (one, one_rest) = wide.as_chunks::<LANES>();
    for (other, product) in others.chunks_exact(wide.len().max(1)).zip(products) {
        let (other, other_rest) = other.as_chunks::<LANES>();
        let mut sums = [0; LANES];
        for (one, other) in one.iter().zip(other) {
            for ((sum, one), other) in sums.iter_mut().zip(one).zip(other) {
                *sum = add(*sum, one, other);
            }
        }
        let sum = sums.iter().fold(0, |all: i32, sum| all.wrapping_add(*sum));
        *product = one_rest.iter().zip(other_rest).fold(sum, |sum, (one, other)| add(sum, one, other));
    }
}

/// In the one instruction that multiplies and adds 64 bytes, which no compiler finds by itself.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vnni")]
fn by_words(one: &[i8], others: &[u8], products: &mut [i32]) {
    use std::arch::x86_64::{
        __m512i, _mm512_dpbusd_epi32, _mm512_reduce_add_epi32, _mm512_setr_epi64, _mm512_setzero_si512,
    };

    /// One load, which the compiler knows by this form.
    #[target_feature(enable = "avx512f")]
    fn load(word: &[[u8; 8]; 8]) -> __m512i {
        let [n0, n1, n2, n3, n4, n5, n6, n7] = word.map(i64::from_le_bytes);
        _mm512_setr_epi64(n0, n1, n2, n3, n4, n5, n6, n7)
    }

    let bytes: Vec<u8> = one.iter().map(|number| number.cast_unsigned()).collect();
    let (one, one_rest) = words(&bytes);
    for (other, product) in others.chunks_exact(bytes.len().max(1)).zip(products) {
        let (other, other_rest) = words(other);
        let mut sums = _mm512_setzero_si512();
        for (one, other) in one.iter().zip(other) {
            sums = _mm512_dpbusd_epi32(sums, load(other), load(one));
        }
        let rest = one_rest.iter().zip(other_rest);
        let rest = rest.map(|(one, other)| i32::from(one.cast_signed()).wrapping_mul(i32::from(*other)));
        *product = rest.fold(_mm512_reduce_add_epi32(sums), i32::wrapping_add);
    }
}

/// Bytes as words of 64, and what is left of them.
#[cfg(target_arch = "x86_64")]
#[inline]
fn words(bytes: &[u8]) -> (&[[[u8; 8]; 8]], &[u8]) {
    let (words, rest) = bytes.split_at(bytes.len() / 64 * 64);
    (words.as_chunks().0.as_chunks().0, rest)
}

/// The ways to compute them, for tests that force one after the other.
#[cfg(test)]
pub(super) mod ways {
    use super::*;

    pub(in crate::knowledge) type Way = fn(&[i8], &[u8], &mut [i32]);

    /// What a processor without vector instructions beyond its first ones takes, one with AVX2, and the best of this one: with
    /// AVX-512 VNNI that is the third way there is.
    pub(in crate::knowledge) const ALL: [Way; 3] = [by_lanes, by_lanes_of_avx2, products];

    #[multiversion(targets("x86_64+avx2"))]
    fn by_lanes_of_avx2(one: &[i8], others: &[u8], products: &mut [i32]) {
        by_lanes(one, others, products);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_are_those_of_whole_numbers_in_every_way_of_computing(
            pairs in prop::collection::vec((any::<i8>(), any::<u8>()), 1..500),
        ) {
            let (one, other): (Vec<i8>, Vec<u8>) = pairs.iter().copied().unzip();
            let plain: i64 = pairs.iter().map(|(one, other)| i64::from(*one) * i64::from(*other)).sum();
            let others = [other.clone(), vec![0; one.len()], other].concat();
            for way in ways::ALL {
                let mut sums = [7; 3];
                way(&one, &others, &mut sums);
                prop_assert_eq!(sums.map(i64::from), [plain, 0, plain]);
            }
        }
    }

    #[test]
    fn the_largest_products_fit_into_their_sums() {
        for way in ways::ALL {
            let mut sums = [0];
            way(&vec![i8::MIN; 65_536], &vec![u8::MAX; 65_536], &mut sums);
            assert_eq!(i64::from(sums[0]), -128 * 255 * 65_536);
        }
    }
}
