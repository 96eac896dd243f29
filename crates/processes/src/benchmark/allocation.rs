//! What each place of a ranking is paid. Exact whole numbers, no floats: every node pays the same to the last unit.
//!
//! Two rules hold for every allocation, any number of places, any scores and ties, and funds up to `u128::MAX`: the sum is
//! the funds exactly, and no place is paid more than a place above it.

use ao::Quantity;

use crate::Fault;
use crate::limits::{TABLE_RANKS_MAX, TABLE_WEIGHT_MAX};
use crate::payload::quoted;

/// Places that the rules with a fixed number of them pay.
const PAID_PLACES: usize = 10;

/// How the funds of a pool are shared. It is fixed when the pool is funded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Allocation {
    /// The first n = min(10, entries) places get the weights n, n - 1, ... 1: of ten or more, 10/55 down to 1/55.
    ArithmeticDecrease,
    /// The first place gets everything.
    WinnerTakesAll,
    /// The first ten places get the same.
    EqualTop10,
    /// Every place is paid by its number of correct answers.
    Proportional,
    /// The first n = min(10, entries) places: each gets twice what the next gets.
    GeometricDecrease,
    /// The weights of a table, one for each place, none larger than the one before.
    FixedTable(Vec<u32>),
}

/// One place of a ranking, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Questions answered correctly; only [`Allocation::Proportional`] asks.
    pub correct: u32,
    /// Places next to each other with the same group are tied: they share alike what their places are paid.
    pub group: u32,
}

impl Allocation {
    /// The names as `X-Allocation` writes them.
    pub const NAMES: &'static str =
        "ArithmeticDecrease, WinnerTakesAll, EqualTop10, Proportional, GeometricDecrease and FixedTable";

    /// The rule of that name; `table` is the text of `X-Table`, which belongs to `FixedTable` alone.
    pub fn parse(name: &str, table: Option<&str>) -> Result<Self, Fault> {
        let rule = match (name, table) {
            ("FixedTable", Some(table)) => return parse_table(table).map(Self::FixedTable),
            ("FixedTable", None) => return Err(Fault::MissingTag("X-Table")),
            ("ArithmeticDecrease", _) => Self::ArithmeticDecrease,
            ("WinnerTakesAll", _) => Self::WinnerTakesAll,
            ("EqualTop10", _) => Self::EqualTop10,
            ("Proportional", _) => Self::Proportional,
            ("GeometricDecrease", _) => Self::GeometricDecrease,
            _ => {
                let reason = format!("the allocations are {}", Self::NAMES);
                return Err(Fault::BadTag { name: "X-Allocation", value: quoted(name), reason });
            }
        };
        match table {
            None => Ok(rule),
            Some(table) => {
                let reason = format!("{name} has its own weights; a table goes with FixedTable only");
                Err(Fault::BadTag { name: "X-Table", value: quoted(table), reason })
            }
        }
    }

    /// The name of the rule.
    pub fn name(&self) -> &'static str {
        match self {
            Self::ArithmeticDecrease => "ArithmeticDecrease",
            Self::WinnerTakesAll => "WinnerTakesAll",
            Self::EqualTop10 => "EqualTop10",
            Self::Proportional => "Proportional",
            Self::GeometricDecrease => "GeometricDecrease",
            Self::FixedTable(_) => "FixedTable",
        }
    }

    /// The table as `X-Table` writes it, if the rule has one.
    pub fn table(&self) -> Option<String> {
        let Self::FixedTable(weights) = self else { return None };
        Some(weights.iter().map(u32::to_string).collect::<Vec<_>>().join(","))
    }

    /// How many places of a ranking can be paid at all, ties left aside.
    pub fn paid_places(&self) -> usize {
        match self {
            Self::WinnerTakesAll => 1,
            Self::ArithmeticDecrease | Self::EqualTop10 | Self::GeometricDecrease => PAID_PLACES,
            Self::FixedTable(weights) => weights.len(),
            Self::Proportional => usize::MAX,
        }
    }

    /// The weight of each place. Never all 0 for a ranking that has a place.
    fn weights(&self, ranking: &[Place]) -> Vec<u64> {
        let places = ranking.len();
        let paid = places.min(PAID_PLACES);
        let of_place = |place: usize| match self {
            Self::ArithmeticDecrease => (paid - place) as u64,
            Self::GeometricDecrease => 1 << (paid - 1 - place),
            _ => 1,
        };
        match self {
            Self::WinnerTakesAll => (0..places).map(|place| u64::from(place == 0)).collect(),
            Self::ArithmeticDecrease | Self::EqualTop10 | Self::GeometricDecrease => {
                (0..places).map(|place| if place < paid { of_place(place) } else { 0 }).collect()
            }
            Self::FixedTable(weights) => {
                (0..places).map(|place| weights.get(place).copied().unwrap_or_default().into()).collect()
            }
            // Where nobody has a correct answer all are alike.
            Self::Proportional if ranking.iter().all(|place| place.correct == 0) => vec![1; places],
            Self::Proportional => ranking.iter().map(|place| place.correct.into()).collect(),
        }
    }
}

/// What each place of the ranking is paid. The sum is `funds`, unless there is no place.
pub fn allocate(rule: &Allocation, funds: Quantity, ranking: &[Place]) -> Vec<Quantity> {
    let mut shares = largest_remainder(funds.units(), &rule.weights(ranking));
    for group in tie_groups(ranking) {
        share_alike(&mut shares[group]);
    }
    shares.into_iter().map(Quantity::new).collect()
}

/// Shares of `funds` by weight: each is rounded down, and the units left over go one by one to the shares that lost most
/// by it, the earlier first where they lost alike.
///
/// A larger weight never gets less: its exact share is not smaller, so either its whole part is larger, or the whole parts
/// are equal and its remainder is not smaller.
fn largest_remainder(funds: u128, weights: &[u64]) -> Vec<u128> {
    let total: u128 = weights.iter().copied().map(u128::from).sum();
    if total == 0 {
        return vec![0; weights.len()];
    }
    // `funds * weight / total` without a product that could overflow: a total is below 2^64 and a weight below 2^32.
    let (whole, rest) = (funds / total, funds % total);
    let exact = |weight: u64| (whole * u128::from(weight), rest * u128::from(weight));
    let mut shares: Vec<u128> = weights.iter().map(|weight| exact(*weight)).map(|(a, b)| a + b / total).collect();
    let mut lost: Vec<(u128, usize)> =
        weights.iter().enumerate().map(|(place, weight)| (exact(*weight).1 % total, place)).collect();
    lost.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
    let left_over = funds - shares.iter().sum::<u128>();
    for (_, place) in lost.into_iter().take(usize::try_from(left_over).unwrap_or(usize::MAX)) {
        shares[place] += 1;
    }
    shares
}

/// Shares what these places have alike; the units that do not divide go to the first of them.
///
/// No place gets less than the lowest of them had and none more than the highest, so the order to the places outside is
/// kept.
fn share_alike(shares: &mut [u128]) {
    let (sum, count) = (shares.iter().sum::<u128>(), shares.len() as u128);
    for (place, share) in (0_u128..).zip(shares) {
        *share = sum / count + u128::from(place < sum % count);
    }
}

/// The ranges of places that are tied, one after the other.
fn tie_groups(ranking: &[Place]) -> Vec<std::ops::Range<usize>> {
    let mut start = 0;
    let runs = ranking.chunk_by(|one, other| one.group == other.group);
    runs.map(|run| {
        start += run.len();
        start - run.len()..start
    })
    .collect()
}

fn parse_table(text: &str) -> Result<Vec<u32>, Fault> {
    let bad = |reason: String| Fault::BadTag { name: "X-Table", value: quoted(text), reason };
    let weights: Vec<u32> = text
        .split(',')
        .take(TABLE_RANKS_MAX + 1)
        .map(|weight| strict_weight(weight.trim()))
        .collect::<Option<_>>()
        .ok_or_else(|| bad(format!("it is a list as 50,30,20 of whole numbers from 0 to {TABLE_WEIGHT_MAX}")))?;
    if weights.len() > TABLE_RANKS_MAX {
        return Err(bad(format!("it has more than {TABLE_RANKS_MAX} weights")));
    }
    if weights.first() == Some(&0) {
        return Err(bad("the first weight must be more than 0".to_owned()));
    }
    if !weights.is_sorted_by(|higher, lower| higher >= lower) {
        return Err(bad("a place may not have a larger weight than the place above it".to_owned()));
    }
    Ok(weights)
}

fn strict_weight(text: &str) -> Option<u32> {
    let quantity: Quantity = text.parse().ok()?;
    u32::try_from(quantity.units()).ok().filter(|weight| *weight <= TABLE_WEIGHT_MAX)
}
