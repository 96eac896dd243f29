//! Entries as rows: a model in a pool, whose it is, and how far it has been evaluated.

use std::fmt;
use std::str::FromStr;

use ao::Id;
use rusqlite::Row;

use super::pool::Pool;
use crate::{Fault, Store, column};

/// Where an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// The node looks at the model file.
    Checking,
    /// The dataset asks the model its questions.
    Evaluating,
    /// Every question has an outcome.
    Complete,
    /// The dataset gave the model up.
    Failed,
    /// It could not be entered; the model can be entered again.
    Refused,
}

/// How many questions of what kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Score {
    pub(super) correct: u32,
    pub(super) lenient_correct: u32,
    pub(super) answered: u32,
    pub(super) unparsed: u32,
    pub(super) total: u32,
}

/// A model in a pool.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) id: i64,
    pub(super) model: Id,
    pub(super) participant: Id,
    pub(super) position: u32,
    pub(super) joined_slot: u64,
    pub(super) standing: Standing,
    pub(super) reason: String,
    pub(super) name: String,
    pub(super) content_hash: String,
    pub(super) score: Score,
    pub(super) updated_ms: u64,
    pub(super) rank: Option<u32>,
    pub(super) tie_group: Option<u32>,
}

/// The columns of an entry in the order in which [`read`] takes them.
macro_rules! select_entries {
    ($rest:literal) => {
        concat!(
            "SELECT id, model, participant, position, joined_slot, status, reason, name, coalesce(content_hash, ''),
             correct, lenient_correct, answered, unparsed, total, updated_ms, rank, tie_group
             FROM entries ",
            $rest
        )
    };
}
pub(super) use select_entries;

/// A row of [`select_entries`].
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: row.get(0)?,
        model: column::parsed(row, 1)?,
        participant: column::parsed(row, 2)?,
        position: row.get(3)?,
        joined_slot: row.get(4)?,
        standing: column::parsed(row, 5)?,
        reason: row.get(6)?,
        name: row.get(7)?,
        content_hash: row.get(8)?,
        score: Score {
            correct: row.get(9)?,
            lenient_correct: row.get(10)?,
            answered: row.get(11)?,
            unparsed: row.get(12)?,
            total: row.get(13)?,
        },
        updated_ms: row.get(14)?,
        rank: row.get(15)?,
        tie_group: row.get(16)?,
    })
}

impl Entry {
    /// The correct answers that the pool pays for.
    pub(super) fn correct(&self, pool: &Pool) -> u32 {
        if pool.counts_leniently() { self.score.lenient_correct } else { self.score.correct }
    }

    /// Whether it has a place in the ranking: whole, and with something to show for it.
    pub(super) fn is_eligible(&self, pool: &Pool) -> bool {
        self.standing == Standing::Complete && self.correct(pool) > 0
    }
}

/// The entry of a model in a pool, refused ones left aside.
pub(super) fn find(store: &Store<'_>, pool: &Id, model: &Id) -> Result<Option<Entry>, Fault> {
    let sql = select_entries!("WHERE pool = ? AND model = ? AND status <> 'Refused'");
    store.first(sql, [pool.to_string(), model.to_string()], read)
}

/// All entries of a pool that were not refused, in the order in which they joined.
pub(super) fn all(store: &Store<'_>, pool: &Id) -> Result<Vec<Entry>, Fault> {
    let sql = select_entries!("WHERE pool = ? AND status <> 'Refused' ORDER BY joined_slot, id");
    store.all(sql, [pool.to_string()], read)
}

/// The best complete entry of a pool; of equals the one that joined first.
pub(super) fn leader(store: &Store<'_>, pool: &Pool) -> Result<Option<Entry>, Fault> {
    let strict = select_entries!(
        "WHERE pool = ? AND status = 'Complete' AND correct > 0 ORDER BY correct DESC, joined_slot LIMIT 1"
    );
    let lenient = select_entries!(
        "WHERE pool = ? AND status = 'Complete' AND lenient_correct > 0
         ORDER BY lenient_correct DESC, joined_slot LIMIT 1"
    );
    store.first(if pool.counts_leniently() { lenient } else { strict }, [pool.id.to_string()], read)
}

/// How many entries of a pool were not refused.
pub(super) fn count(store: &Store<'_>, pool: &Id) -> Result<u32, Fault> {
    store.value("SELECT count(*) FROM entries WHERE pool = ? AND status <> 'Refused'", [pool.to_string()])
}

/// Takes an entry out, with the reason. Its model can be entered again.
pub(super) fn refuse(store: &mut Store<'_>, id: i64, reason: &str) -> Result<(), Fault> {
    store.execute("UPDATE entries SET status = 'Refused', reason = ? WHERE id = ?", (reason, id))?;
    Ok(())
}

const NAMES: [(Standing, &str); 5] = [
    (Standing::Checking, "Checking"),
    (Standing::Evaluating, "Evaluating"),
    (Standing::Complete, "Complete"),
    (Standing::Failed, "Failed"),
    (Standing::Refused, "Refused"),
];

impl fmt::Display for Standing {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(standing, _)| standing == self).map_or("", |(_, name)| name);
        formatter.pad(name)
    }
}

/// A text that is no standing.
#[derive(Debug, thiserror::Error)]
#[error("it is one of Checking, Evaluating, Complete, Failed and Refused")]
pub(super) struct NoStanding;

impl FromStr for Standing {
    type Err = NoStanding;

    fn from_str(text: &str) -> Result<Self, NoStanding> {
        NAMES.iter().find(|(_, name)| *name == text).map(|(standing, _)| *standing).ok_or(NoStanding)
    }
}
