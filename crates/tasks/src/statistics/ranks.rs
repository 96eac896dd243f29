//! Ranks that say how sure they are: a model is only behind those that are significantly better.

/// The best and the worst rank that a model may have; the best of all is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RankRange {
    /// One more than there are models that are significantly better.
    pub best: usize,
    /// As many as there are models, less those that are significantly worse.
    pub worst: usize,
}

/// The rank ranges of so many models. `better(i, j)` says whether model `i` is significantly better than model `j`: for
/// instance whether it has more right answers and [`super::mcnemar_exact_below`] finds the two different. It is asked
/// once for each ordered pair.
pub fn rank_ranges(models: usize, mut better: impl FnMut(usize, usize) -> bool) -> Vec<RankRange> {
    let mut ranges = vec![RankRange { best: 1, worst: models }; models];
    for one in 0..models {
        for other in (0..models).filter(|other| *other != one) {
            if better(one, other) {
                ranges[one].worst -= 1;
                ranges[other].best += 1;
            }
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_that_cannot_be_told_apart_share_their_ranks() {
        let scores = [90_i64, 70, 68, 30];
        let ranges = rank_ranges(4, |one, other| scores[one] - scores[other] > 10);
        let ends: Vec<(usize, usize)> = ranges.iter().map(|range| (range.best, range.worst)).collect();
        assert_eq!(ends, [(1, 1), (2, 3), (2, 3), (4, 4)]);
        assert_eq!(rank_ranges(2, |_, _| false), vec![RankRange { best: 1, worst: 2 }; 2]);
        assert_eq!(rank_ranges(0, |_, _| true), []);
    }
}
