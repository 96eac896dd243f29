//! From a row of logits to probabilities and to the greedy token.
//!
//! A row is as wide as the vocabulary, and a question needs about twenty of them, so the exponentials are computed in
//! single precision, many at once, by one formula and in one fixed order: the same bits on every processor.

#![expect(unsafe_code, reason = "functions compiled for AVX2 may be called only where it is there")]
#![expect(
    clippy::inline_always,
    reason = "the loops must be compiled with the instructions of the function they are in"
)]

use crate::request::IMPOSSIBLE;

/// Values that are computed at once.
const LANES: usize = 16;
/// Values that are summed in single precision before the sum goes into a double: 64 in each lane.
const BLOCK: usize = 64 * LANES;

/// What is to be known of a row of logits, from reading it twice.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row<'logits> {
    logits: &'logits [f32],
    highest: f32,
    /// The logarithm of the sum of all exponentials, relative to the highest; not a number for a row that holds none.
    log_sum: f64,
}

impl<'logits> Row<'logits> {
    pub(super) fn new(logits: &'logits [f32]) -> Self {
        let highest = highest(logits);
        // Only a row with a number that is none has no sound highest: see `highest`.
        let log_sum = if highest.is_finite() { sum_of_exponentials(logits, highest).ln() } else { f64::NAN };
        Self { logits, highest, log_sum }
    }

    /// The natural logarithm of the probability of `token` (softmax over the row). At least [`IMPOSSIBLE`], also for a
    /// row that holds no numbers.
    pub(super) fn log_probability(&self, token: i32) -> f64 {
        let wanted = usize::try_from(token).ok().and_then(|token| self.logits.get(token));
        let Some(&wanted) = wanted else { return IMPOSSIBLE };
        let result = f64::from(wanted) - f64::from(self.highest) - self.log_sum;
        if result.is_finite() { result.clamp(IMPOSSIBLE, 0.0) } else { IMPOSSIBLE }
    }

    /// Whether `token` is the most probable one; of equals, it is the one with the lowest number.
    pub(super) fn is_greedy(&self, token: i32) -> bool {
        if self.highest.is_nan() {
            return token == greedy(self.logits);
        }
        let Ok(place) = usize::try_from(token) else { return false };
        let is_highest = |logit: &f32| *logit >= self.highest;
        self.logits.get(place).is_some_and(is_highest) && !self.logits[..place].iter().any(is_highest)
    }
}

/// The most probable token; of equals the one with the lowest number. A row without numbers gives token 0.
pub(super) fn greedy(logits: &[f32]) -> i32 {
    let mut best = (0, f32::NEG_INFINITY);
    for (token, &logit) in (0..).zip(logits) {
        if logit > best.1 {
            best = (token, logit);
        }
    }
    best.0
}

/// Whether the row holds what no sound model computes. Minus infinity is sound: it forbids a token.
pub(super) fn is_broken(logits: &[f32]) -> bool {
    let highest = highest(logits);
    highest.is_nan() || highest == f32::INFINITY
}

/// Which way of computing this processor takes; both give the same bits.
macro_rules! widest {
    ($name:ident($($argument:ident: $type:ty),*) -> $result:ty, $inlined:ident) => {
        fn $name($($argument: $type),*) -> $result {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma")]
                fn with_avx2($($argument: $type),*) -> $result {
                    $inlined($($argument),*)
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: the processor has the instructions.
                    return unsafe { with_avx2($($argument),*) };
                }
            }
            $inlined($($argument),*)
        }
    };
}

widest!(highest(logits: &[f32]) -> f32, highest_inlined);
widest!(sum_of_exponentials(logits: &[f32], highest: f32) -> f64, sum_of_exponentials_inlined);

/// The highest logit; not a number if one of them is none.
#[inline(always)]
fn highest_inlined(logits: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let mut broken = [false; LANES];
    for group in logits.chunks(LANES) {
        for ((lane, broken), &logit) in lanes.iter_mut().zip(&mut broken).zip(group) {
            *lane = if logit > *lane { logit } else { *lane };
            *broken |= logit.is_nan();
        }
    }
    if broken.contains(&true) { f32::NAN } else { lanes.into_iter().fold(f32::NEG_INFINITY, f32::max) }
}

#[inline(always)]
fn sum_of_exponentials_inlined(logits: &[f32], highest: f32) -> f64 {
    let mut total = 0.0;
    for block in logits.chunks(BLOCK) {
        let mut lanes = [0.0f32; LANES];
        let (groups, rest) = block.as_chunks::<LANES>();
        for group in groups {
            for (lane, &logit) in lanes.iter_mut().zip(group) {
                *lane += exponential(logit - highest);
            }
        }
        for (lane, &logit) in lanes.iter_mut().zip(rest) {
            *lane += exponential(logit - highest);
        }
        total += lanes.iter().map(|&lane| f64::from(lane)).sum::<f64>();
    }
    total
}

/// e to a power that is not above 0: 2^n e^r with |r| at most ln 2 / 2, and a polynomial for e^r. Exact to two units in
/// the last place. What is below the smallest normal number counts as that, which no sum from 1 on can show.
#[inline(always)]
fn exponential(power: f32) -> f32 {
    // The coefficients of Cephes' expf.
    const COEFFICIENTS: [f32; 6] = [1.987_569_1e-4, 1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5];
    let power = if power > -87.0 { power } else { -87.0 };
    let whole = (power * std::f32::consts::LOG2_E).round_ties_even();
    let rest = whole.mul_add(-0.693_359_4, power);
    let rest = whole.mul_add(2.121_944_4e-4, rest);
    let mut polynomial = COEFFICIENTS[0];
    for coefficient in &COEFFICIENTS[1..] {
        polynomial = polynomial.mul_add(rest, *coefficient);
    }
    let value = (rest * rest).mul_add(polynomial, rest) + 1.0;
    // `whole` lies in -126 ..= 0, so this is the bits of 2^whole.
    let scale = f32::from_bits(((whole as i32 + 127) as u32) << 23);
    value * scale
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the value for the impossible is exact")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn log_probability(logits: &[f32], token: i32) -> f64 {
        Row::new(logits).log_probability(token)
    }

    #[test]
    fn probabilities_sum_to_one() {
        let logits = [1.5f32, -2.0, 30.0, f32::NEG_INFINITY, 29.0];
        let sum: f64 = (0..5).map(|token| log_probability(&logits, token).exp()).sum();
        assert!((sum - 1.0).abs() < 1e-6, "{sum}");
        assert_eq!(log_probability(&logits, 3), IMPOSSIBLE);
    }

    #[test]
    fn rows_without_numbers_and_tokens_outside_give_a_finite_answer() {
        assert_eq!(log_probability(&[f32::NAN, f32::NAN], 1), IMPOSSIBLE);
        assert_eq!(log_probability(&[0.0, f32::NAN], 0), IMPOSSIBLE);
        assert_eq!(log_probability(&[f32::INFINITY, 0.0], 0), IMPOSSIBLE);
        assert_eq!(log_probability(&[f32::NEG_INFINITY; 2], 0), IMPOSSIBLE);
        assert_eq!(log_probability(&[0.0], 7), IMPOSSIBLE);
        assert_eq!(log_probability(&[0.0], -1), IMPOSSIBLE);
        assert_eq!(greedy(&[f32::NAN, f32::NAN]), 0);
        assert!(Row::new(&[f32::NAN, f32::NAN]).is_greedy(0));
        assert!(is_broken(&[0.0, f32::NAN]) && is_broken(&[f32::INFINITY]) && !is_broken(&[f32::NEG_INFINITY]));
    }

    #[test]
    fn of_equal_logits_the_lowest_token_wins() {
        assert_eq!(greedy(&[0.0, 2.0, 2.0]), 1);
        let row = [0.0, 2.0, 2.0];
        assert_eq!([0, 1, 2, 3].map(|token| Row::new(&row).is_greedy(token)), [false, true, false, false]);
    }

    #[test]
    fn every_exponential_is_close_to_the_true_one() {
        for step in 0..870_000 {
            let power = -(step as f32) * 1e-4;
            let (found, expected) = (f64::from(exponential(power)), f64::from(power).exp());
            assert!((found / expected - 1.0).abs() < 2.5e-7, "e^{power}: {found} and not {expected}");
        }
        assert_eq!(exponential(0.0), 1.0);
    }

    proptest! {
        #[test]
        fn a_row_is_summed_as_in_double_precision(
            logits in prop::collection::vec(-40.0f32..40.0, 1..5000),
            token in 0usize..5000,
        ) {
            let token = token % logits.len();
            let highest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
            let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - highest).exp()).sum();
            let expected = f64::from(logits[token]) - highest - sum.ln();
            let found = log_probability(&logits, token as i32);
            prop_assert!((found - expected).abs() < 1e-5, "{} and not {}", found, expected);
            prop_assert_eq!(Row::new(&logits).is_greedy(token as i32), greedy(&logits) == token as i32);
            prop_assert_eq!(
                sum_of_exponentials(&logits, highest as f32).to_bits(),
                sum_of_exponentials_inlined(&logits, highest as f32).to_bits()
            );
        }
    }
}
