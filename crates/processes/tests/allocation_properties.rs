//! The two promises of every allocation, for any ranking, ties and funds: the sum is the funds to the last unit, and no
//! place is paid more than a place above it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

use ao::Quantity;
use processes::benchmark::allocation::{Allocation, Place, allocate};
use proptest::prelude::*;

fn rule() -> impl Strategy<Value = Allocation> {
    let table = prop::collection::vec(0..=1_000_000_u32, 1..=100).prop_map(|mut weights| {
        weights.sort_unstable_by_key(|weight| std::cmp::Reverse(*weight));
        weights[0] = weights[0].max(1);
        Allocation::FixedTable(weights)
    });
    prop_oneof![
        Just(Allocation::ArithmeticDecrease),
        Just(Allocation::WinnerTakesAll),
        Just(Allocation::EqualTop10),
        Just(Allocation::Proportional),
        Just(Allocation::GeometricDecrease),
        table,
    ]
}

fn funds() -> impl Strategy<Value = u128> {
    prop_oneof![0..200_u128, Just(u128::MAX), any::<u128>(), any::<u64>().prop_map(|few| u128::MAX - u128::from(few))]
}

/// A ranking: scores from the best down, and groups that are any runs of neighbours, equal scores or not.
fn ranking() -> impl Strategy<Value = Vec<Place>> {
    let scores = prop_oneof![0..4_u32, 0..2_000_u32, any::<u32>()];
    prop::collection::vec((scores, any::<bool>()), 0..150).prop_map(|mut places| {
        places.sort_by_key(|place| std::cmp::Reverse(place.0));
        let mut group = 0;
        let of_place = |(correct, begins): (u32, bool)| {
            group += u32::from(begins);
            Place { correct, group }
        };
        places.into_iter().map(of_place).collect()
    })
}

/// Equal scores are tied, as in the default.
fn equal_scores_tied(mut ranking: Vec<Place>) -> Vec<Place> {
    for place in &mut ranking {
        place.group = u32::MAX - place.correct;
    }
    ranking
}

fn check(rule: &Allocation, funds: u128, ranking: &[Place]) -> Result<(), TestCaseError> {
    let shares: Vec<u128> = allocate(rule, Quantity::new(funds), ranking).into_iter().map(Quantity::units).collect();
    prop_assert_eq!(shares.len(), ranking.len());
    let sum = shares.iter().try_fold(0_u128, |sum, share| sum.checked_add(*share));
    prop_assert_eq!(sum, Some(if ranking.is_empty() { 0 } else { funds }));
    prop_assert!(shares.is_sorted_by(|above, below| above >= below), "{:?}", shares);
    for (places, shares) in ranking.windows(2).zip(shares.windows(2)) {
        if places[0].group == places[1].group {
            prop_assert!(shares[0] - shares[1] <= 1, "a tie is shared alike: {:?}", shares);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_allocation_pays_the_funds_exactly_and_never_more_to_a_lower_rank(
        rule in rule(), funds in funds(), ranking in ranking(),
    ) {
        check(&rule, funds, &ranking)?;
        check(&rule, funds, &equal_scores_tied(ranking))?;
    }

    #[test]
    fn without_ties_each_share_is_within_one_unit_of_its_exact_part(funds in funds(), count in 1..40_usize) {
        let ranking: Vec<Place> = (0..count).map(|place| Place { correct: 0, group: place as u32 }).collect();
        let shares = allocate(&Allocation::ArithmeticDecrease, Quantity::new(funds), &ranking);
        let paid = count.min(10) as u128;
        let total = paid * (paid + 1) / 2;
        for (place, share) in (0..).zip(shares) {
            let weight = paid.saturating_sub(place);
            let floor = funds / total * weight + funds % total * weight / total;
            prop_assert!(share.units() == floor || share.units() == floor + 1);
        }
    }
}

fn shares(rule: &Allocation, funds: u128, ranking: &[(u32, u32)]) -> Vec<u128> {
    let places: Vec<Place> =
        ranking.iter().map(|(correct, group)| Place { correct: *correct, group: *group }).collect();
    allocate(rule, Quantity::new(funds), &places).into_iter().map(Quantity::units).collect()
}

/// Places without ties, each with one correct answer fewer than the one above.
fn distinct(count: u32) -> Vec<(u32, u32)> {
    (0..count).map(|place| (count - place, place)).collect()
}

#[test]
fn the_rules_by_example() {
    let table = Allocation::parse("FixedTable", Some("50, 30,20")).unwrap();
    for (rule, count, expected) in [
        (&Allocation::ArithmeticDecrease, 12, vec![10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 0]),
        (&Allocation::ArithmeticDecrease, 1, vec![55]),
        (&Allocation::ArithmeticDecrease, 4, vec![22, 17, 11, 5]),
        (&Allocation::WinnerTakesAll, 3, vec![55, 0, 0]),
        (&Allocation::EqualTop10, 11, vec![6, 6, 6, 6, 6, 5, 5, 5, 5, 5, 0]),
        (&Allocation::Proportional, 10, vec![10, 9, 8, 7, 6, 5, 4, 3, 2, 1]),
        (&Allocation::GeometricDecrease, 3, vec![31, 16, 8]),
        (&table, 4, vec![28, 16, 11, 0]),
        (&table, 2, vec![34, 21]),
        (&table, 0, vec![]),
    ] {
        assert_eq!(shares(rule, 55, &distinct(count)), expected, "{} of {count}", rule.name());
    }
}

#[test]
fn ties_share_what_their_places_are_paid() {
    let tied_behind_the_first = [(9, 0), (7, 1), (7, 1), (7, 1)];
    assert_eq!(shares(&Allocation::ArithmeticDecrease, 100, &tied_behind_the_first), [40, 20, 20, 20]);
    assert_eq!(shares(&Allocation::WinnerTakesAll, 100, &[(7, 0), (7, 0), (7, 0)]), [34, 33, 33]);
    // Two are tied for the tenth place: they share it.
    let mut ranking = distinct(11);
    ranking[10] = ranking[9];
    assert_eq!(shares(&Allocation::ArithmeticDecrease, 5500, &ranking)[8..], [200, 50, 50]);
}

#[test]
fn nobody_with_a_correct_answer_is_shared_alike_by_proportional() {
    assert_eq!(shares(&Allocation::Proportional, 10, &[(0, 0), (0, 1), (0, 2)]), [4, 3, 3]);
    assert_eq!(shares(&Allocation::Proportional, 10, &[(3, 0), (0, 1)]), [10, 0]);
}

#[test]
fn original_paid_zero_by_floor() {
    // floor(10 / 55) = 0: the original paid nothing to anybody as soon as there were two models.
    assert_eq!(shares(&Allocation::ArithmeticDecrease, 1_000, &distinct(10)).iter().sum::<u128>(), 1_000);
    assert!(shares(&Allocation::ArithmeticDecrease, 1_000, &distinct(10)).iter().all(|share| *share > 0));
    // Plain rounding down loses up to 9 units of a pool.
    assert_eq!(shares(&Allocation::ArithmeticDecrease, 54, &distinct(10)).iter().sum::<u128>(), 54);
}

#[test]
fn original_paid_the_worst_ten() {
    let shares = shares(&Allocation::ArithmeticDecrease, 5_500, &distinct(15));
    assert_eq!(shares[..3], [1000, 900, 800]);
    assert_eq!(shares[10..], [0; 5]);
}

#[test]
fn the_largest_funds_do_not_overflow() {
    for rule in [
        Allocation::ArithmeticDecrease,
        Allocation::Proportional,
        Allocation::GeometricDecrease,
        Allocation::FixedTable(vec![1_000_000; 100]),
    ] {
        let ranking: Vec<(u32, u32)> = (0..10_000).map(|place| (u32::MAX - place, place)).collect();
        let sum = shares(&rule, u128::MAX, &ranking).into_iter().try_fold(0_u128, u128::checked_add);
        assert_eq!(sum, Some(u128::MAX), "{}", rule.name());
    }
}
