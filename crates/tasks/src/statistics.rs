//! How sure a score is: intervals, paired comparisons, and the smallest difference a set of questions can show.
//!
//! What decides about money is computed in whole numbers, so that every node decides alike. What is only shown to a
//! person is a float made of `+ - * /` and square roots, which IEEE 754 defines to the last bit, and is then rounded.

mod clusters;
mod paired;
mod points;
mod ranks;

pub use clusters::clustered_standard_error;
pub use paired::{Difference, mcnemar_exact, paired_difference};
pub use points::{PointsDifference, paired_points};
pub use ranks::{RankRange, rank_ranges};

use num_bigint::BigUint;

/// The 97.5 % quantile of the normal distribution as it is usually rounded: a 95 % interval reaches this many standard
/// errors to each side.
const Z_95: f64 = 1.96;

/// The 80 % quantile of the normal distribution: a real difference is found four times in five.
const Z_POWER_80: f64 = 0.84;

/// Decimals of a number that is shown.
const SHOWN_DECIMALS: f64 = 1e6;

/// The Wilson 95 % interval of the share `correct / total`, both ends rounded to 6 decimals.
///
/// Of nothing nothing is known: a total of 0 gives `(0, 1)`. A `correct` above `total` counts as `total`.
pub fn wilson(correct: u64, total: u64) -> (f64, f64) {
    wilson_of_points(correct, 1, total)
}

/// The same where each of `answered` questions brings 0 to `most` points: no spread of points within a question is wider than
/// all or nothing, so the interval is as wide as it can be, and it holds the share that was reached.
pub fn wilson_of_points(points: u64, most: u64, answered: u64) -> (f64, f64) {
    let possible = answered.saturating_mul(most);
    if possible == 0 {
        return (0.0, 1.0);
    }
    let count = answered as f64;
    let share = points.min(possible) as f64 / possible as f64;
    let z_squared = Z_95 * Z_95;
    let denominator = 1.0 + z_squared / count;
    let centre = (share + z_squared / (2.0 * count)) / denominator;
    let spread = share * (1.0 - share) / count + z_squared / (4.0 * count * count);
    let half_width = Z_95 * spread.sqrt() / denominator;
    (shown((centre - half_width).max(0.0)), shown((centre + half_width).min(1.0)))
}

/// The share `correct / total`, rounded to 6 decimals; 0 of nothing is 0.
pub fn share(correct: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { shown(correct as f64 / total as f64) }
}

/// Whether the two-sided exact McNemar test finds two models different: whether its p-value is below
/// `alpha_numerator / alpha_denominator`.
///
/// `b` questions were answered correctly by the first model only, `c` by the second only; those on which they agree say
/// nothing. If the models were equal, each of the `b + c` would fall to either side like a fair coin, so
/// `p = min(1, 2 * sum(choose(b + c, i) for i in 0..=min(b, c)) / 2^(b + c))`. The comparison is made in whole numbers.
/// An `alpha_denominator` of 0 finds no difference.
pub fn mcnemar_exact_below(b: u64, c: u64, alpha_numerator: u64, alpha_denominator: u64) -> bool {
    if alpha_denominator == 0 {
        return false;
    }
    if alpha_numerator > alpha_denominator {
        return true; // No p-value is above 1.
    }
    let discordant = b + c;
    let denominator = BigUint::from(alpha_denominator);
    let bound = BigUint::from(alpha_numerator) << discordant;
    if b == c {
        return false; // p is exactly 1, which is below no alpha up to 1.
    }
    let mut choose = BigUint::from(1_u8);
    let mut sum = BigUint::ZERO;
    for i in 0..=b.min(c) {
        sum += &choose;
        // The sum only grows: once it is too large, the rest need not be computed.
        if (&sum * &denominator) << 1_u32 >= bound {
            return false;
        }
        choose = choose * (discordant - i) / (i + 1);
    }
    true
}

/// The smallest difference of two scores, as a share of 1, that `questions` questions find in four cases of five at the
/// 5 % level, when the models differ on `discordant_per_mille` of them (paired comparison). Rounded to 6 decimals; 1 if
/// there are no questions.
pub fn minimum_detectable_difference(questions: u64, discordant_per_mille: u64) -> f64 {
    if questions == 0 {
        return 1.0;
    }
    let discordant = discordant_per_mille as f64 / 1000.0;
    shown(((Z_95 + Z_POWER_80) * (discordant / questions as f64).sqrt()).min(1.0))
}

fn shown(number: f64) -> f64 {
    (number * SHOWN_DECIMALS).round() / SHOWN_DECIMALS
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The p-value by floats, as a textbook computes it.
    fn p_value(b: u64, c: u64) -> f64 {
        let n = b + c;
        let mut term = 0.5_f64.powi(n as i32);
        let mut sum = 0.0;
        for i in 0..=b.min(c) {
            sum += term;
            term = term * (n - i) as f64 / (i + 1) as f64;
        }
        (2.0 * sum).min(1.0)
    }

    #[test]
    fn an_interval_of_points_holds_the_share_that_was_reached() {
        assert_eq!(wilson_of_points(7, 1, 10), wilson(7, 10));
        assert_eq!(wilson_of_points(70, 10, 10), wilson(7, 10));
        // 99 of 100 points: as if it were 9 of 10 questions, it would end below what was reached.
        let (low, high) = wilson_of_points(99, 10, 10);
        assert!(low < 0.99 && 0.99 < high && high > wilson(9, 10).1, "{low} {high}");
        assert_eq!((wilson_of_points(3, 0, 5), wilson_of_points(0, 10, 0)), ((0.0, 1.0), (0.0, 1.0)));
    }

    #[test]
    fn wilson_intervals_are_those_of_the_tables() {
        // Newcombe 1998, table I, gives these to four places (0.2553 to 0.3662, 0.0624 to 0.1605, 0 to 0.1611).
        for (correct, total, low, high) in [
            (81, 263, 0.255_288, 0.366_211),
            (15, 148, 0.062_386, 0.160_489),
            (0, 20, 0.0, 0.161_13),
            (20, 20, 0.838_87, 1.0),
            (0, 0, 0.0, 1.0),
            (9, 3, 0.438_494, 1.0),
        ] {
            assert_eq!(wilson(correct, total), (low, high), "{correct} of {total}");
        }
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "both sides are rounded to 6 decimals")]
    fn the_minimum_detectable_difference_of_siqa_is_two_points() {
        assert_eq!(minimum_detectable_difference(1954, 100), 0.020_031);
        assert_eq!(minimum_detectable_difference(500, 200), 0.056);
        assert_eq!(minimum_detectable_difference(0, 200), 1.0);
        assert_eq!(share(1, 3), 0.333_333);
        assert_eq!(share(0, 0), 0.0);
    }

    #[test]
    fn mcnemar_decides_exactly_at_the_edge() {
        // 6 to 0: p = 2 / 64 = 1/32. Below 1/31, not below itself.
        assert!(mcnemar_exact_below(6, 0, 1, 31));
        assert!(!mcnemar_exact_below(6, 0, 1, 32));
        assert!(!mcnemar_exact_below(5, 0, 1, 20));
        assert!(mcnemar_exact_below(0, 6, 1, 20));
        assert!(!mcnemar_exact_below(0, 0, 1, 1), "p = 1 is not below 1");
        assert!(!mcnemar_exact_below(7, 7, 1, 1));
        assert!(mcnemar_exact_below(7, 7, 2, 1));
        assert!(!mcnemar_exact_below(100, 0, 0, 1));
        assert!(!mcnemar_exact_below(100, 0, 1, 0));
    }

    #[test]
    fn mcnemar_bears_many_questions() {
        assert!(mcnemar_exact_below(26_000, 24_000, 1, 20));
        assert!(!mcnemar_exact_below(25_100, 24_900, 1, 20));
        assert!(!mcnemar_exact_below(u64::from(u32::MAX) / 4096, u64::from(u32::MAX) / 4096, 1, 20));
    }

    proptest! {
        #[test]
        fn mcnemar_agrees_with_the_textbook(b in 0_u64..120, c in 0_u64..120, numerator in 1_u64..100) {
            let p = p_value(b, c);
            let alpha = numerator as f64 / 200.0;
            prop_assume!((p - alpha).abs() > 1e-9);
            prop_assert_eq!(mcnemar_exact_below(b, c, numerator, 200), p < alpha);
            prop_assert_eq!(mcnemar_exact_below(c, b, numerator, 200), p < alpha);
        }

        #[test]
        fn an_interval_holds_its_share(total in 1_u64..100_000, part in 0.0..1.0) {
            let correct = (total as f64 * part) as u64;
            let (low, high) = wilson(correct, total);
            let middle = share(correct, total);
            prop_assert!(0.0 <= low && low <= middle && middle <= high && high <= 1.0);
        }
    }
}
