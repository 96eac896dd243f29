//! Two models on the same questions: how far apart they are, and how sure that is.

use num_bigint::BigUint;

use super::{Z_95, shown};

/// A difference of two scores with its 95 % interval, as shares of 1, rounded to 6 decimals.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The first model's score less the second's.
    pub difference: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The difference of two models on `questions` questions, of which the first alone answered `first_only` correctly and
/// the second alone `second_only`. On the others they agree, which is what makes the interval shorter than that of two
/// scores on different questions. The interval is Newcombe's tenth (1998): it is made of the Wilson intervals of both
/// scores and of how far they agree, and holds near 0 and 1 too. It needs how many questions both answered correctly.
///
/// Of nothing nothing is known: 0 questions give the difference 0 within (-1, 1). Counts that are more than there are
/// questions are cut off.
pub fn paired_difference(both: u64, first_only: u64, second_only: u64, questions: u64) -> Difference {
    if questions == 0 {
        return Difference { difference: 0.0, low: -1.0, high: 1.0 };
    }
    let total = questions as f64;
    let both = both.min(questions);
    let first_only = first_only.min(questions - both);
    let second_only = second_only.min(questions - both - first_only);
    let neither = questions - both - first_only - second_only;
    let (first, second) = ((both + first_only) as f64 / total, (both + second_only) as f64 / total);
    let (first_low, first_high) = wilson_ends(first, total);
    let (second_low, second_high) = wilson_ends(second, total);
    let agreement = agreement(both as f64, first_only as f64, second_only as f64, neither as f64);
    let spread = |one: f64, other: f64| (one * one - 2.0 * agreement * one * other + other * other).max(0.0).sqrt();
    let difference = first - second;
    let low = difference - spread(first - first_low, second_high - second);
    let high = difference + spread(first_high - first, second - second_low);
    Difference { difference: shown(difference), low: shown(low.max(-1.0)), high: shown(high.min(1.0)) }
}

/// The p-value of the two-sided exact McNemar test, which [`super::mcnemar_exact_below`] compares without floats: the
/// probability that two equal models differ at least so far, when the first alone was right on `b` questions and the
/// second alone on `c`. To be shown; 1 if they never differ.
pub fn mcnemar_exact(b: u64, c: u64) -> f64 {
    let discordant = b + c;
    let mut choose = BigUint::from(1_u8);
    let mut sum = BigUint::ZERO;
    for i in 0..=b.min(c) {
        sum += &choose;
        choose = choose * (discordant - i) / (i + 1);
    }
    // The first 53 bits and a power of two: neither the sum nor 2^discordant has to fit into a float.
    let cut = sum.bits().saturating_sub(53);
    let leading = (sum >> cut).to_u64_digits().first().copied().unwrap_or(0);
    let exponent = cut as f64 - discordant as f64 + 1.0;
    (leading as f64 * exponent.exp2()).min(1.0)
}

fn wilson_ends(share: f64, total: f64) -> (f64, f64) {
    let squared = Z_95 * Z_95;
    let centre = share + squared / (2.0 * total);
    let spread = Z_95 * (share * (1.0 - share) / total + squared / (4.0 * total * total)).sqrt();
    let scale = 1.0 + squared / total;
    (((centre - spread) / scale).max(0.0), ((centre + spread) / scale).min(1.0))
}

/// The correlation of two yes-or-no answers, with Newcombe's correction for few questions; 0 where it is not defined.
fn agreement(both: f64, first_only: f64, second_only: f64, neither: f64) -> f64 {
    let rows = (both + first_only) * (second_only + neither);
    let columns = (both + second_only) * (first_only + neither);
    if rows == 0.0 || columns == 0.0 {
        return 0.0;
    }
    let total = both + first_only + second_only + neither;
    let crossed = both * neither - first_only * second_only;
    let corrected = if crossed > 0.0 { (crossed - total / 2.0).max(0.0) } else { crossed };
    corrected / (rows * columns).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_newcombe() {
        // Newcombe 1998 (Statistics in Medicine 17, 2635), table II, method 10, to four places.
        let found = paired_difference(36, 12, 2, 50);
        assert!((found.low - 0.0569).abs() < 6e-5 && (found.high - 0.3404).abs() < 6e-5, "{found:?}");
        // Near 1 it stays within the range, as the Wilson intervals do of which it is made.
        let found = paired_difference(54, 0, 0, 54);
        assert!(found.difference == 0.0 && -0.1 < found.low && found.high < 0.1, "{found:?}");
    }

    #[test]
    fn the_p_value_is_that_of_the_binomial_test() {
        // scipy.stats.binomtest(b, b + c).pvalue
        for (b, c, p) in [(0, 0, 1.0), (5, 5, 1.0), (0, 1, 1.0), (1, 9, 0.021_484_375), (12, 2, 0.012_939_453_125)] {
            assert!((mcnemar_exact(b, c) - p).abs() < 1e-15, "{b} {c}: {}", mcnemar_exact(b, c));
        }
        assert!(mcnemar_exact(3_000, 5_000) < 1e-100 && mcnemar_exact(49_900, 50_100) > 0.5);
    }

    #[test]
    fn swapping_the_models_mirrors_the_interval() {
        let (one, other) = (paired_difference(30, 12, 5, 60), paired_difference(30, 5, 12, 60));
        assert!((one.low + other.high).abs() < 2e-6 && (one.high + other.low).abs() < 2e-6, "{one:?} {other:?}");
        assert_eq!(paired_difference(0, 0, 0, 0), Difference { difference: 0.0, low: -1.0, high: 1.0 });
    }
}
