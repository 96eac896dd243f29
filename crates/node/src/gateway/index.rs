//! The index of the gateway: what is known of each upload without opening its file, by id, owner and tag.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ao::item::ItemHeader;
use ao::{Id, Tag, Tags};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::{GatewayError, Stored};

/// `tag` rows are found by name and value, and by item. An item within a bundle lies in the `file` of the outermost one.
const TABLES: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    PRAGMA foreign_keys = ON;
    CREATE TABLE IF NOT EXISTS items (
        id BLOB PRIMARY KEY CHECK (length(id) = 32),
        owner BLOB NOT NULL CHECK (length(owner) = 32),
        target BLOB CHECK (length(target) = 32),
        size INTEGER NOT NULL,
        data_offset INTEGER NOT NULL,
        content_type TEXT,
        received_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS items_by_owner ON items (owner, received_ms);
    CREATE TABLE IF NOT EXISTS tags (
        item BLOB NOT NULL REFERENCES items (id) ON DELETE CASCADE,
        position INTEGER NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (item, position)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS tags_by_name ON tags (name, value);
    CREATE TABLE IF NOT EXISTS nested (
        id BLOB PRIMARY KEY REFERENCES items (id) ON DELETE CASCADE,
        file BLOB NOT NULL CHECK (length(file) = 32),
        begin INTEGER NOT NULL
    ) STRICT;
";

/// The index of the gateway: one connection, since a query takes less time than opening another.
#[derive(Debug)]
pub(super) struct Index {
    connection: Mutex<Connection>,
}

/// What the index knows of an item.
#[derive(Debug)]
pub(super) struct IndexRow {
    pub(super) id: Id,
    pub(super) owner: Id,
    pub(super) target: Option<Id>,
    pub(super) tags: Tags,
    pub(super) data_offset: u64,
    pub(super) data_length: u64,
    /// The item in whose file it lies, if it came within a bundle, and where it begins there.
    nested: Option<(Id, u64)>,
}

impl IndexRow {
    /// What the header says of an item with so many bytes of data.
    pub(super) fn of(header: &ItemHeader, data_length: u64) -> Self {
        Self {
            id: header.id(),
            owner: header.address(),
            target: header.target(),
            tags: header.tags().clone(),
            data_offset: header.data_offset() as u64,
            data_length,
            nested: None,
        }
    }

    /// The same item in the file of a bundle: where it and its data begin there.
    pub(super) fn within(self, file: Id, begin: u64) -> Self {
        Self { nested: Some((file, begin)), data_offset: begin + self.data_offset, ..self }
    }

    /// The item whose file it lies in.
    pub(super) fn file(&self) -> Id {
        self.nested.map_or(self.id, |(file, _)| file)
    }

    /// The item, in its file.
    pub(super) fn at(self, data_path: PathBuf) -> Stored {
        let begin = self.nested.map_or(0, |(_, begin)| begin);
        let Self { id, owner, target, tags, data_offset, data_length, nested: _ } = self;
        Stored { id, owner, target, tags, data_path, begin, data_offset, data_length }
    }
}

impl Index {
    pub(super) fn open(path: &Path) -> Result<Self, GatewayError> {
        let connection = Connection::open(path)?;
        connection.execute_batch(TABLES)?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    /// The bytes of all files.
    pub(super) fn total_bytes(&self) -> Result<u64, GatewayError> {
        let sql = "SELECT COALESCE(SUM(size + data_offset), 0) FROM items WHERE id NOT IN (SELECT id FROM nested)";
        Ok(self.lock().query_row(sql, [], |row| row.get(0))?)
    }

    /// The ids of all items, as their files are named.
    pub(super) fn ids(&self) -> Result<BTreeSet<String>, GatewayError> {
        let connection = self.lock();
        let mut statement = connection.prepare("SELECT id FROM items")?;
        let ids = statement.query_map([], |row| Ok(Id::new(row.get(0)?).to_hex()))?;
        Ok(ids.collect::<rusqlite::Result<_>>()?)
    }

    pub(super) fn find(&self, id: &Id) -> Result<Option<IndexRow>, GatewayError> {
        let connection = self.lock();
        let sql =
            "SELECT owner, target, size, data_offset, file, begin FROM items LEFT JOIN nested USING (id) WHERE id = ?1";
        let read = |row: &Row<'_>| {
            Ok(IndexRow {
                id: *id,
                owner: Id::new(row.get(0)?),
                target: row.get::<_, Option<[u8; 32]>>(1)?.map(Id::new),
                tags: Tags::new(),
                data_length: row.get(2)?,
                data_offset: row.get(3)?,
                nested: row.get::<_, Option<[u8; 32]>>(4)?.map(Id::new).zip(row.get(5)?),
            })
        };
        let row = connection.prepare_cached(sql)?.query_row([id.as_bytes()], read).optional()?;
        let Some(mut row) = row else { return Ok(None) };
        let sql = "SELECT name, value FROM tags WHERE item = ?1 ORDER BY position";
        let mut statement = connection.prepare_cached(sql)?;
        let tags = statement.query_map([id.as_bytes()], |row| Ok(Tag { name: row.get(0)?, value: row.get(1)? }))?;
        row.tags = tags.collect::<rusqlite::Result<_>>()?;
        Ok(Some(row))
    }

    /// Items after a row, in the order in which they came: each with its row and when it came, milliseconds since 1970.
    pub(super) fn after(&self, row: u64, limit: usize) -> Result<Vec<(u64, Id, u64)>, GatewayError> {
        let connection = self.lock();
        let sql = "SELECT rowid, id, received_ms FROM items WHERE rowid > ?1 ORDER BY rowid LIMIT ?2";
        let mut statement = connection.prepare_cached(sql)?;
        let rows =
            statement.query_map((row, limit as i64), |row| Ok((row.get(0)?, Id::new(row.get(1)?), row.get(2)?)))?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    /// The newest items of a content type.
    pub(super) fn of_type(&self, content_type: &str, limit: usize) -> Result<Vec<Id>, GatewayError> {
        let connection = self.lock();
        let sql = "SELECT id FROM items WHERE content_type = ?1 ORDER BY received_ms DESC, id LIMIT ?2";
        let mut statement = connection.prepare_cached(sql)?;
        let ids = statement.query_map((content_type, limit as i64), |row| Ok(Id::new(row.get(0)?)))?;
        Ok(ids.collect::<rusqlite::Result<_>>()?)
    }

    /// Enters an item and those within it, on disk when this returns; whether it is new. An item whose file was lost has
    /// its row already.
    pub(super) fn insert(&self, row: &IndexRow, within: &[IndexRow], received_ms: u64) -> Result<bool, GatewayError> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        let fresh = insert(&transaction, row, received_ms)?;
        for row in within {
            insert(&transaction, row, received_ms)?;
        }
        transaction.commit()?;
        Ok(fresh)
    }

    /// A panic while the lock was held left no half-done work: SQLite rolled its transaction back.
    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn insert(transaction: &Transaction<'_>, row: &IndexRow, received_ms: u64) -> rusqlite::Result<bool> {
    let inserted = transaction.execute(
        "INSERT OR IGNORE INTO items (id, owner, target, size, data_offset, content_type, received_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            row.id.as_bytes(),
            row.owner.as_bytes(),
            row.target.as_ref().map(Id::as_bytes),
            row.data_length,
            row.data_offset,
            row.tags.get("Content-Type"),
            received_ms,
        ],
    )?;
    if inserted == 0 {
        return Ok(false);
    }
    let mut statement =
        transaction.prepare_cached("INSERT INTO tags (item, position, name, value) VALUES (?1, ?2, ?3, ?4)")?;
    for (position, tag) in row.tags.iter().enumerate() {
        statement.execute(params![row.id.as_bytes(), position as u64, tag.name, tag.value])?;
    }
    if let Some((file, begin)) = row.nested {
        let sql = "INSERT INTO nested (id, file, begin) VALUES (?1, ?2, ?3)";
        transaction.prepare_cached(sql)?.execute(params![row.id.as_bytes(), file.as_bytes(), begin])?;
    }
    Ok(true)
}
