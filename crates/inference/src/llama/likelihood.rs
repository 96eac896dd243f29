//! From a row of logits to a probability and to the greedy token.

use crate::request::IMPOSSIBLE;

/// The natural logarithm of the probability of `token` (softmax over the row), in double precision and in a fixed
/// order of summing. At least [`IMPOSSIBLE`], also for a row that holds no numbers.
pub(super) fn log_probability(logits: &[f32], token: i32) -> f64 {
    let Some(&wanted) = usize::try_from(token).ok().and_then(|token| logits.get(token)) else { return IMPOSSIBLE };
    let highest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - highest).exp()).sum();
    let result = f64::from(wanted) - highest - sum.ln();
    if result.is_finite() { result.clamp(IMPOSSIBLE, 0.0) } else { IMPOSSIBLE }
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
    logits.iter().any(|logit| logit.is_nan() || *logit == f32::INFINITY)
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the value for the impossible is exact")]
mod tests {
    use super::*;

    #[test]
    fn probabilities_sum_to_one() {
        let logits = [1.5f32, -2.0, 30.0, f32::NEG_INFINITY, 29.0];
        let sum: f64 = (0..5).map(|token| log_probability(&logits, token).exp()).sum();
        assert!((sum - 1.0).abs() < 1e-12, "{sum}");
        assert_eq!(log_probability(&logits, 3), IMPOSSIBLE);
    }

    #[test]
    fn rows_without_numbers_and_tokens_outside_give_a_finite_answer() {
        assert_eq!(log_probability(&[f32::NAN, f32::NAN], 1), IMPOSSIBLE);
        assert_eq!(log_probability(&[0.0], 7), IMPOSSIBLE);
        assert_eq!(log_probability(&[0.0], -1), IMPOSSIBLE);
        assert_eq!(greedy(&[f32::NAN, f32::NAN]), 0);
        assert!(is_broken(&[0.0, f32::NAN]) && is_broken(&[f32::INFINITY]) && !is_broken(&[f32::NEG_INFINITY]));
    }

    #[test]
    fn of_equal_logits_the_lowest_token_wins() {
        assert_eq!(greedy(&[0.0, 2.0, 2.0]), 1);
    }
}
