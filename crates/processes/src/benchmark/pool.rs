//! Pools as rows: reading them, finding the one that somebody names, and moving them from status to status.

use std::fmt;
use std::str::FromStr;

use ao::{Id, Quantity};
use rusqlite::Row;

use super::allocation::Allocation;
use super::competitor::Competitors;
use super::options::{Metric, Options, Ties};
use crate::payload::quoted;
use crate::{Fault, Store, column};

/// Ids that an error names when several pools fit.
const NAMED_MAX: usize = 5;

/// Where a pool stands in its life. It only ever moves down this list, or to `Refunded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Funded; the dataset is asked to freeze itself.
    Opening,
    /// Models can be entered, from its start on.
    Open,
    /// Ended; the last evaluations are waited for.
    Closed,
    /// The ranking is frozen and the payouts are on their way.
    Settling,
    /// Everything is paid.
    Settled,
    /// The money goes, or went, back to those who funded it.
    Refunded,
}

/// A pool.
#[derive(Debug, Clone)]
pub(super) struct Pool {
    pub(super) id: Id,
    pub(super) funder: Id,
    pub(super) funds: Quantity,
    pub(super) rules: Options,
    pub(super) grace_end_ms: u64,
    pub(super) status: Status,
    pub(super) reason: String,
    pub(super) questions: u32,
    pub(super) content_hash: String,
    pub(super) protocol: String,
    pub(super) dataset_title: String,
    pub(super) synthetic: bool,
    pub(super) competitors: Competitors,
    /// The most that one question can bring.
    pub(super) points: u32,
    pub(super) created_slot: u64,
    pub(super) created_ms: u64,
}

/// What a dataset says of itself when it is frozen.
#[derive(Debug, Clone)]
pub(super) struct FrozenDataset {
    pub(super) questions: u32,
    pub(super) content_hash: String,
    pub(super) protocol: String,
    pub(super) title: String,
    pub(super) synthetic: bool,
    pub(super) competitors: Competitors,
    pub(super) points: u32,
}

/// The columns of a pool in the order in which [`read`] takes them.
macro_rules! select_pools {
    ($rest:literal) => {
        concat!(
            "SELECT id, funder, funds, dataset, allocation, weights, ties, metric, title, start_ms, end_ms, grace_end_ms,
             status, reason, questions, content_hash, protocol, dataset_title, synthetic, created_slot, created_ms,
             competitors, points FROM pools ",
            $rest
        )
    };
}
pub(super) use select_pools;

/// A row of [`select_pools`].
pub(super) fn read(row: &Row<'_>) -> rusqlite::Result<Pool> {
    let allocation: String = row.get(4)?;
    let weights: Option<String> = row.get(5)?;
    let allocation = Allocation::parse(&allocation, weights.as_deref()).map_err(|fault| {
        rusqlite::Error::FromSqlConversionFailure(4, rusqlite::types::Type::Text, fault.to_string().into())
    })?;
    let rules = Options {
        dataset: column::parsed(row, 3)?,
        allocation,
        ties: column::parsed(row, 6)?,
        metric: column::parsed(row, 7)?,
        title: row.get(8)?,
        start_ms: row.get(9)?,
        end_ms: row.get(10)?,
    };
    Ok(Pool {
        id: column::parsed(row, 0)?,
        funder: column::parsed(row, 1)?,
        funds: column::parsed(row, 2)?,
        rules,
        grace_end_ms: row.get(11)?,
        status: column::parsed(row, 12)?,
        reason: row.get(13)?,
        questions: row.get(14)?,
        content_hash: row.get(15)?,
        protocol: row.get(16)?,
        dataset_title: row.get(17)?,
        synthetic: row.get(18)?,
        created_slot: row.get(19)?,
        created_ms: row.get(20)?,
        competitors: column::parsed(row, 21)?,
        points: row.get(22)?,
    })
}

impl Pool {
    /// What people call it: its own title, or that of its dataset.
    pub(super) fn title(&self) -> &str {
        if self.rules.title.is_empty() { &self.dataset_title } else { &self.rules.title }
    }

    /// Whether no test can be made, or is wanted, for ties.
    pub(super) fn counts_leniently(&self) -> bool {
        self.rules.metric == Metric::Lenient
    }

    /// Whether ties are decided by a test.
    pub(super) fn tests_ties(&self) -> bool {
        self.rules.ties == Ties::Significance
    }
}

/// The pool of that id.
pub(super) fn find(store: &Store<'_>, id: &Id) -> Result<Option<Pool>, Fault> {
    store.first(select_pools!("WHERE id = ?"), [id.to_string()], read)
}

/// The pool of that id, which must exist.
pub(super) fn get(store: &Store<'_>, id: &Id) -> Result<Pool, Fault> {
    find(store, id)?.ok_or_else(|| Fault::NotFound { what: "pool", name: id.to_string() })
}

/// The pool that a text names: by its id, or by the id of a dataset that has one open pool, or one pool at all.
pub(super) fn named(store: &Store<'_>, text: &str) -> Result<Pool, Fault> {
    let id: Id = text
        .parse()
        .map_err(|error: ao::IdError| Fault::Refused(format!("'{}' names no pool: {error}", quoted(text))))?;
    if let Some(pool) = find(store, &id)? {
        return Ok(pool);
    }
    let sql = select_pools!("WHERE dataset = ? ORDER BY created_slot DESC LIMIT 1000");
    let mut pools = store.all(sql, [id.to_string()], read)?;
    if pools.iter().any(|pool| pool.status == Status::Open) {
        pools.retain(|pool| pool.status == Status::Open);
    }
    match pools.pop() {
        None => Err(Fault::NotFound { what: "pool", name: id.to_string() }),
        Some(pool) if pools.is_empty() => Ok(pool),
        Some(pool) => {
            let shown: Vec<_> = pools.iter().chain([&pool]).take(NAMED_MAX).map(|pool| pool.id.to_string()).collect();
            let count = pools.len() + 1;
            let named = shown.join(", ");
            Err(Fault::Refused(format!("the dataset {id} has {count} pools; name one of them by its id: {named}")))
        }
    }
}

/// Writes a new pool, which opens when its dataset has answered.
pub(super) fn insert(store: &mut Store<'_>, pool: &Pool, due_ms: u64) -> Result<(), Fault> {
    let rules = &pool.rules;
    store.execute(
        "INSERT INTO pools (id, title, dataset, funder, funds, allocation, weights, ties, metric, start_ms, end_ms,
                            grace_end_ms, status, due_ms, created_slot, created_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            pool.id.to_string(),
            &rules.title,
            rules.dataset.to_string(),
            pool.funder.to_string(),
            pool.funds.to_string(),
            rules.allocation.name(),
            rules.allocation.table(),
            rules.ties.to_string(),
            rules.metric.to_string(),
            rules.start_ms,
            rules.end_ms,
            pool.grace_end_ms,
            pool.status.to_string(),
            due_ms,
            pool.created_slot,
            pool.created_ms,
        ),
    )?;
    Ok(())
}

/// Opens a pool on what its dataset said of itself.
pub(super) fn open(store: &mut Store<'_>, pool: &Pool, frozen: &FrozenDataset) -> Result<(), Fault> {
    store.execute(
        "UPDATE pools SET status = 'Open', questions = ?, content_hash = ?, protocol = ?, dataset_title = ?,
                          synthetic = ?, competitors = ?, points = ?, due_ms = end_ms
         WHERE id = ? AND status = 'Opening'",
        (
            frozen.questions,
            &frozen.content_hash,
            &frozen.protocol,
            &frozen.title,
            frozen.synthetic,
            frozen.competitors.to_string(),
            frozen.points,
            pool.id.to_string(),
        ),
    )?;
    Ok(())
}

/// Moves a pool on; `due_ms` is when the clock has something to do for it next.
pub(super) fn set_status(store: &mut Store<'_>, id: &Id, status: Status, due_ms: Option<u64>) -> Result<(), Fault> {
    let sql = "UPDATE pools SET status = ?, due_ms = ? WHERE id = ?";
    store.execute(sql, (status.to_string(), due_ms, id.to_string()))?;
    Ok(())
}

/// The names of the statuses, for reading and writing.
const NAMES: [(Status, &str); 6] = [
    (Status::Opening, "Opening"),
    (Status::Open, "Open"),
    (Status::Closed, "Closed"),
    (Status::Settling, "Settling"),
    (Status::Settled, "Settled"),
    (Status::Refunded, "Refunded"),
];

impl fmt::Display for Status {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES.iter().find(|(status, _)| status == self).map_or("", |(_, name)| name);
        formatter.pad(name)
    }
}

/// A text that is no status.
#[derive(Debug, thiserror::Error)]
#[error("it is one of Opening, Open, Closed, Settling, Settled and Refunded")]
pub(super) struct NoStatus;

impl FromStr for Status {
    type Err = NoStatus;

    fn from_str(text: &str) -> Result<Self, NoStatus> {
        NAMES.iter().find(|(_, name)| *name == text).map(|(status, _)| *status).ok_or(NoStatus)
    }
}
