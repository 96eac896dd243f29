//! Two entrants whose answers to the same questions bring points: how far apart they are, and how sure that is.

use super::{mcnemar_exact, shown};

/// The 97.5 % quantiles of Student's t for 1 to 30 degrees of freedom (any table of it).
const T_95: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/// What the first has more than the second, over the questions that both have answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PointsDifference {
    /// Questions that both have answered.
    pub questions: u64,
    /// Points for each of them on average, rounded to 6 decimals.
    pub mean: f64,
    /// The 95 % interval of that: Student's t over the differences, question by question. Nothing for a single question.
    pub interval: Option<(f64, f64)>,
    /// Questions on which the first has more points.
    pub first_more: u64,
    /// Questions on which the second has more.
    pub second_more: u64,
    /// The p-value of the two-sided exact sign test: the probability that two equals differ on so unequally many questions.
    pub p_value: f64,
}

/// Compares points, given in pairs for the same question. Nothing for no questions.
pub fn paired_points(pairs: impl IntoIterator<Item = (u64, u64)>) -> Option<PointsDifference> {
    let pairs: Vec<(u64, u64)> = pairs.into_iter().collect();
    if pairs.is_empty() {
        return None;
    }
    let count = pairs.len() as f64;
    let difference = |(first, second): &(u64, u64)| *first as f64 - *second as f64;
    let mean = pairs.iter().map(difference).sum::<f64>() / count;
    let degrees = pairs.len() - 1;
    let interval = (degrees > 0).then(|| {
        let squares: f64 = pairs.iter().map(|pair| (difference(pair) - mean).powi(2)).sum();
        // Beyond the table the quantile is that of the normal distribution and a little more, to the third decimal.
        let t = T_95.get(degrees - 1).copied().unwrap_or(1.96 + 2.4 / degrees as f64);
        let margin = t * (squares / degrees as f64 / count).sqrt();
        (shown(mean - margin), shown(mean + margin))
    });
    let first_more = pairs.iter().filter(|(first, second)| first > second).count() as u64;
    let second_more = pairs.iter().filter(|(first, second)| first < second).count() as u64;
    let p_value = mcnemar_exact(first_more, second_more);
    let questions = pairs.len() as u64;
    Some(PointsDifference { questions, mean: shown(mean), interval, first_more, second_more, p_value })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_that_of_a_paired_t_test_and_p_that_of_a_sign_test() {
        // Differences 3, -1, 2, 0, 4: mean 1.6, standard deviation 2.0736, 2.776 * 2.0736 / sqrt(5) = 2.5744.
        let found = paired_points([(8, 5), (4, 5), (7, 5), (5, 5), (9, 5)]).unwrap();
        assert_eq!((found.questions, found.first_more, found.second_more), (5, 3, 1));
        let (low, high) = found.interval.unwrap();
        assert!((found.mean - 1.6).abs() < 1e-9, "{found:?}");
        assert!((low + 0.9744).abs() < 1e-3 && (high - 4.1744).abs() < 1e-3, "{found:?}");
        assert!((found.p_value - 0.625).abs() < 1e-12, "three of four: {found:?}");
    }

    #[test]
    fn of_one_question_there_is_no_interval_and_of_none_nothing() {
        assert_eq!(paired_points([(9, 3)]).unwrap().interval, None);
        assert_eq!(paired_points([]), None);
    }

    #[test]
    fn the_table_goes_on_as_the_formula() {
        let formula = 1.96 + 2.4 / 30.0;
        assert!((T_95[29] - formula).abs() < 0.003, "{formula}");
        let many = paired_points((0..1_000).map(|number| (number % 3, 1))).unwrap();
        // Differences -1, 0, 1 in turn: the deviation is 0.8165, the margin 1.962 * 0.8165 / sqrt(1000) = 0.0507.
        let (low, high) = many.interval.unwrap();
        assert!((high - low - 0.1013).abs() < 1e-3, "{many:?}");
    }
}
