//! Ties that a test decides: which entries cannot be told from the best of their group by the questions they answered.
//!
//! All entries of a pool answered the same questions, so two of them are compared by the questions on which they differ
//! (exact McNemar test). A group begins with the best entry that has none yet, its leader; it goes on as long as the
//! entries below are not significantly worse than the leader at the 5 % level, Holm's correction over the leader's
//! comparisons. Groups are anchored at leaders because "cannot be told apart" is not transitive: A and B, B and C may be
//! indistinguishable where A and C are not.

use std::ops::Range;

use tasks::statistics::{RankRange, mcnemar_exact_below, rank_ranges};

use crate::limits::SIGNIFICANCE_COMPARISONS_MAX;

/// The level of the test: 5 %.
const LEVEL: (u64, u64) = (5, 100);

/// What an entry answered correctly: one bit for each question, in the order of the ranking.
pub(super) struct Answers {
    pub(super) correct: u32,
    pub(super) bits: Vec<u8>,
}

/// The group of each entry of a ranking (best first), numbered from 0. Entries below the places that are paid are each on
/// their own: there is nothing that they could share.
pub(super) fn groups(ranking: &[Answers], paid_places: usize) -> Vec<u32> {
    let mut groups: Vec<u32> = Vec::with_capacity(ranking.len());
    let mut group = 0;
    while groups.len() < ranking.len() {
        let leader = groups.len();
        let end = if leader < paid_places { end_of_group(ranking, leader) } else { leader + 1 };
        groups.resize(end, group);
        group += 1;
    }
    groups
}

/// Where the group of this leader ends: at the first entry that is significantly worse. Equal scores are never divided.
fn end_of_group(ranking: &[Answers], leader: usize) -> usize {
    let compared = leader + 1..ranking.len().min(leader + 1 + SIGNIFICANCE_COMPARISONS_MAX);
    let worse = significantly_worse(ranking, leader, compared.clone());
    let mut end = compared.start + worse.iter().position(|worse| *worse).unwrap_or(worse.len());
    let is_divided = |end: usize| end < ranking.len() && ranking[end].correct == ranking[end - 1].correct;
    if end < ranking.len() && ranking[end].correct == ranking[leader].correct {
        while is_divided(end) {
            end += 1;
        }
    }
    while end > leader + 1 && is_divided(end) {
        end -= 1;
    }
    end
}

/// Holm's step-down over the comparisons of a leader: with k rejected of m, those with p below level / (m - k) are rejected
/// as well, until there are no more.
fn significantly_worse(ranking: &[Answers], leader: usize, compared: Range<usize>) -> Vec<bool> {
    let counts: Vec<(u64, u64)> =
        compared.map(|place| discordant(&ranking[leader].bits, &ranking[place].bits)).collect();
    let mut worse = vec![false; counts.len()];
    loop {
        let rejected = worse.iter().filter(|worse| **worse).count();
        let left = (counts.len() - rejected) as u64;
        for ((leader_only, other_only), worse) in counts.iter().zip(&mut worse) {
            *worse = *worse || mcnemar_exact_below(*leader_only, *other_only, LEVEL.0, LEVEL.1 * left);
        }
        if worse.iter().filter(|worse| **worse).count() == rejected {
            return worse;
        }
    }
}

/// The ranks that each entry may have at the 5 % level over all pairs (Bonferroni): nothing here decides about money.
pub(super) fn ranges(ranking: &[Answers]) -> Vec<RankRange> {
    let pairs = (ranking.len() * ranking.len().saturating_sub(1) / 2).max(1) as u64;
    rank_ranges(ranking.len(), |one, other| {
        let (one, other) = (&ranking[one], &ranking[other]);
        let (only_one, only_other) = discordant(&one.bits, &other.bits);
        one.correct > other.correct && mcnemar_exact_below(only_one, only_other, LEVEL.0, LEVEL.1 * pairs)
    })
}

/// Questions that only the first and that only the second answered correctly.
pub(super) fn discordant(first: &[u8], second: &[u8]) -> (u64, u64) {
    first.iter().zip(second).fold((0, 0), |(only_first, only_second), (one, other)| {
        (only_first + u64::from((one & !other).count_ones()), only_second + u64::from((other & !one).count_ones()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Answers to 800 questions: correct from the first one to `to`, but for every tenth of the first `missed`.
    fn answers(to: u32, missed: u32) -> Answers {
        let mut bits = vec![0_u8; 100];
        for question in (0..to).filter(|question| *question >= missed || question % 10 != 0) {
            bits[question as usize / 8] |= 1 << (question % 8);
        }
        Answers { correct: bits.iter().map(|byte| byte.count_ones()).sum(), bits }
    }

    #[test]
    fn what_no_test_can_tell_from_the_leader_is_tied_with_it() {
        // 400, 399 and 398 differ by a question or two; 300 by a hundred; 295 by five from 300 (p = 0.0625).
        let ranking = [answers(400, 0), answers(399, 0), answers(398, 0), answers(300, 0), answers(295, 0)];
        assert_eq!(groups(&ranking, 10), [0, 0, 0, 1, 1]);
        assert_eq!(groups(&ranking, 1), [0, 0, 0, 1, 2]);
    }

    #[test]
    fn groups_are_anchored_at_their_leaders() {
        // Five fewer each time: each next pair cannot be told apart (p = 0.0625), the first and the third can (p = 0.002).
        let ranking = [answers(400, 0), answers(395, 0), answers(390, 0), answers(385, 0)];
        assert_eq!(groups(&ranking, 10), [0, 0, 1, 1]);
    }

    #[test]
    fn holm_asks_more_of_each_comparison_where_there_are_many() {
        // Six fewer is p = 0.031: significant alone, not as one of three.
        assert_eq!(groups(&[answers(400, 0), answers(394, 0)], 10), [0, 1]);
        assert_eq!(groups(&[answers(400, 0), answers(395, 0), answers(394, 0), answers(393, 0)], 10)[..2], [0, 0]);
    }

    #[test]
    fn a_rank_is_behind_those_only_that_are_significantly_better() {
        let ranking = [answers(400, 0), answers(399, 0), answers(300, 0), answers(295, 0)];
        let ends: Vec<(usize, usize)> = ranges(&ranking).iter().map(|range| (range.best, range.worst)).collect();
        assert_eq!(ends, [(1, 2), (1, 2), (3, 4), (3, 4)]);
        assert_eq!(ranges(&[]), []);
    }

    #[test]
    fn equal_scores_are_never_divided() {
        // Same number of correct answers on very different questions: the test sees no difference in level.
        let ranking: Vec<_> = (0..70).map(|_| answers(400, 0)).chain([answers(200, 0)]).collect();
        let groups = groups(&ranking, 10);
        assert_eq!(groups[69], 0);
        assert_eq!(groups[70], 1);
    }
}
