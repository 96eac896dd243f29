//! The order of the entries of a pool, and which of them are tied.

use ao::{Id, Quantity};
use tasks::statistics::RankRange;

use super::allocation::{Place, allocate};
use super::entry::{self, Entry};
use super::options::Ties;
use super::pool::Pool;
use super::significance::{self, Answers};
use crate::limits::{RANK_RANGES_ENTRIES_MAX, SIGNIFICANCE_QUESTIONS_MAX};
use crate::{Fault, Store};

/// An entry in its place.
#[derive(Debug)]
pub(super) struct Ranked {
    pub(super) entry: Entry,
    /// 1 is best.
    pub(super) rank: u32,
    /// Entries with the same group are tied.
    pub(super) group: u32,
    pub(super) payout: Quantity,
}

/// The eligible entries of a pool, the best first, with what each would be paid if it were settled as it stands: more
/// correct answers first; of equals the one that joined first (its slot in the log), then by the id of the model.
pub(super) fn ranking(store: &Store<'_>, pool: &Pool) -> Result<Vec<Ranked>, Fault> {
    let mut entries = entry::all(store, &pool.id)?;
    entries.retain(|entry| entry.is_eligible(pool));
    entries.sort_by(|one, other| {
        let better_first = other.correct(pool).cmp(&one.correct(pool));
        better_first.then(one.joined_slot.cmp(&other.joined_slot)).then(one.model.cmp(&other.model))
    });
    let groups = groups(store, pool, &entries)?;
    let places: Vec<Place> = entries
        .iter()
        .zip(&groups)
        .map(|(entry, group)| Place { correct: entry.correct(pool), group: *group })
        .collect();
    let payouts = allocate(&pool.rules.allocation, pool.funds, &places);
    let ranked = entries.into_iter().zip(groups).zip(payouts).zip(1..);
    Ok(ranked.map(|(((entry, group), payout), rank)| Ranked { entry, rank, group, payout }).collect())
}

/// The tie group of each entry, numbered from 0.
fn groups(store: &Store<'_>, pool: &Pool, entries: &[Entry]) -> Result<Vec<u32>, Fault> {
    match pool.rules.ties {
        Ties::Earliest => Ok((0..).take(entries.len()).collect()),
        Ties::Split => Ok(equal_scores(pool, entries)),
        Ties::Significance => match answers(store, pool, entries)? {
            Some(answers) => Ok(significance::groups(&answers, pool.rules.allocation.paid_places())),
            None => Ok(equal_scores(pool, entries)),
        },
    }
}

fn equal_scores(pool: &Pool, entries: &[Entry]) -> Vec<u32> {
    let runs = entries.chunk_by(|one, other| one.correct(pool) == other.correct(pool));
    (0..).zip(runs).flat_map(|(group, run)| run.iter().map(move |_| group)).collect()
}

/// What each entry answered correctly, if the dataset told of all of them: without that no test can be made, and only
/// equal scores are ties.
pub(super) fn answers<'e>(
    store: &Store<'_>,
    pool: &Pool,
    entries: impl IntoIterator<Item = &'e Entry>,
) -> Result<Option<Vec<Answers>>, Fault> {
    let mut answers = Vec::new();
    for entry in entries {
        let bits: Option<Vec<u8>> = if pool.counts_leniently() {
            store.value("SELECT lenient_outcomes FROM entries WHERE id = ?", [entry.id])?
        } else {
            store.value("SELECT outcomes FROM entries WHERE id = ?", [entry.id])?
        };
        let Some(bits) = bits else { return Ok(None) };
        answers.push(Answers { correct: entry.correct(pool), bits });
    }
    Ok(Some(answers))
}

/// The best and the worst rank that each entry of a ranking may have, for people: an entry is behind those only that are
/// significantly better. Nothing if there are too many entries to compare all, or if answers are not known.
pub(super) fn ranges(store: &Store<'_>, pool: &Pool, ranking: &[Ranked]) -> Result<Option<Vec<RankRange>>, Fault> {
    if ranking.len() > RANK_RANGES_ENTRIES_MAX || pool.questions > SIGNIFICANCE_QUESTIONS_MAX {
        return Ok(None);
    }
    let answers = answers(store, pool, ranking.iter().map(|ranked| &ranked.entry))?;
    Ok(answers.map(|answers| significance::ranges(&answers)))
}

/// Writes the ranking down for good.
pub(super) fn freeze(store: &mut Store<'_>, ranking: &[Ranked]) -> Result<(), Fault> {
    for ranked in ranking {
        let sql = "UPDATE entries SET rank = ?, tie_group = ? WHERE id = ?";
        store.execute(sql, (ranked.rank, ranked.group, ranked.entry.id))?;
    }
    Ok(())
}

/// A frozen ranking with what was decided to be paid, from the tables.
pub(super) fn frozen(store: &Store<'_>, pool: &Pool) -> Result<Vec<Ranked>, Fault> {
    let payouts = payouts(store, &pool.id)?;
    let mut entries = entry::all(store, &pool.id)?;
    entries.retain(|entry| entry.rank.is_some());
    entries.sort_by_key(|entry| entry.rank);
    let ranked = entries.into_iter().map(|entry| {
        let (rank, group) = (entry.rank.unwrap_or_default(), entry.tie_group.unwrap_or_default());
        Ranked { payout: payouts.get(&rank).copied().unwrap_or_default(), entry, rank, group }
    });
    Ok(ranked.collect())
}

fn payouts(store: &Store<'_>, pool: &Id) -> Result<std::collections::BTreeMap<u32, Quantity>, Fault> {
    let sql = "SELECT rank, quantity FROM payouts WHERE pool = ? AND kind = 'payout' ORDER BY rank";
    let rows = store.all(sql, [pool.to_string()], |row| Ok((row.get(0)?, crate::column::parsed(row, 1)?)))?;
    Ok(rows.into_iter().collect())
}
