//! Which messages the log has, and where: what makes an append idempotent. An index over random keys that is written with
//! every commit costs more than the records themselves, so new identities stay in memory and go into their table many at a
//! time. Nothing can be lost by that: each record carries its identity, and those that the table lacks are read from the
//! end of the log when it is opened.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use ao::Id;
use rusqlite::{Connection, OptionalExtension as _};

use crate::error::LogError;

/// Identities that are kept in memory before they go into the table: 2 MB, and about 40 ms of writing.
const RECENT_MAX: usize = 16_384;

/// An identity in a stream, which is given by its number.
pub(super) type Key = (i64, Id);

/// The identities of all durable records.
#[derive(Default)]
pub(super) struct Identities {
    /// Those which the table lacks, with their slots.
    recent: RwLock<HashMap<Key, u64>>,
}

impl Identities {
    /// The identities of a log that is opened.
    pub(super) fn load(connection: &Connection) -> Result<Self, LogError> {
        let mut statement = connection.prepare(
            "SELECT stream, message, slot FROM records WHERE position > (SELECT max(position) FROM indexed)",
        )?;
        let rows = statement.query_map((), |row| Ok(((row.get(0)?, Id::new(row.get(1)?)), row.get(2)?)))?;
        Ok(Self { recent: RwLock::new(rows.collect::<rusqlite::Result<_>>()?) })
    }

    /// The slot of an identity that is durable.
    pub(super) fn slot_of(&self, connection: &Connection, key: &Key) -> Result<Option<u64>, LogError> {
        // In this order: what leaves the memory is in the table before.
        if let Some(slot) = self.recent().get(key) {
            return Ok(Some(*slot));
        }
        let mut statement =
            connection.prepare_cached("SELECT slot FROM identities WHERE stream = ?1 AND message = ?2")?;
        Ok(statement.query_row((key.0, key.1.as_bytes()), |row| row.get(0)).optional()?)
    }

    /// Adds identities whose records have become durable.
    pub(super) fn add(&self, fresh: impl IntoIterator<Item = (Key, u64)>) {
        self.recent_mut().extend(fresh);
    }

    /// Whether so many wait in memory that they should go into the table.
    pub(super) fn are_many(&self) -> bool {
        self.recent().len() >= RECENT_MAX
    }

    /// Writes what is in memory into the table, in a transaction of its own.
    pub(super) fn write(&self, connection: &mut Connection) -> Result<(), LogError> {
        let mut ordered: Vec<(Key, u64)> = self.recent().iter().map(|(key, slot)| (*key, *slot)).collect();
        ordered.sort_unstable();
        let transaction = connection.transaction()?;
        {
            let mut insert =
                transaction.prepare_cached("INSERT INTO identities (stream, message, slot) VALUES (?1, ?2, ?3)")?;
            for ((number, identity), slot) in &ordered {
                insert.execute((number, identity.as_bytes(), *slot as i64))?;
            }
            transaction.execute("UPDATE indexed SET position = (SELECT max(position) FROM records)", ())?;
        }
        transaction.commit()?;
        self.recent_mut().clear();
        Ok(())
    }

    fn recent(&self) -> RwLockReadGuard<'_, HashMap<Key, u64>> {
        self.recent.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn recent_mut(&self) -> RwLockWriteGuard<'_, HashMap<Key, u64>> {
        self.recent.write().unwrap_or_else(PoisonError::into_inner)
    }
}
