//! What a query for transactions finds: messages, processes, modules and uploads, by id, owner, recipient and tag. It is a projection of the log and of the uploads: never flushed on purpose, made again when deleted,
//! brought up to date when it is asked.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ao::{Id, Tag, Tags};
use rusqlite::{Connection, OptionalExtension as _, Transaction as Change, params};

use super::GatewayError;

/// Positions order by time and then by entry, so that a page can go on after any of them.
const TABLES: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = OFF;
    CREATE TABLE IF NOT EXISTS transactions (
        entry INTEGER PRIMARY KEY,
        id BLOB NOT NULL UNIQUE CHECK (length(id) = 32),
        owner BLOB NOT NULL,
        recipient BLOB,
        time_ms INTEGER NOT NULL,
        height INTEGER NOT NULL,
        size INTEGER NOT NULL,
        process BLOB,
        slot INTEGER
    ) STRICT;
    CREATE INDEX IF NOT EXISTS by_time ON transactions (time_ms);
    CREATE INDEX IF NOT EXISTS by_owner ON transactions (owner, time_ms);
    CREATE INDEX IF NOT EXISTS by_recipient ON transactions (recipient, time_ms);
    CREATE TABLE IF NOT EXISTS tags (
        entry INTEGER NOT NULL,
        position INTEGER NOT NULL,
        name TEXT NOT NULL,
        value TEXT NOT NULL,
        PRIMARY KEY (entry, position)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS by_tag ON tags (name, value);
    CREATE TABLE IF NOT EXISTS progress (source BLOB PRIMARY KEY, next INTEGER NOT NULL) STRICT;
";

/// How long one query may work: what a stranger asks must not hold up the others.
pub(super) const QUERY_TIME: Duration = Duration::from_secs(2);

/// Steps of SQLite between two looks at the clock.
const STEPS_PER_LOOK: i32 = 10_000;

/// Where a source of transactions is read on: a process, or the uploads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Source {
    /// The log of a process.
    Process(Id),
    /// The inbox of an address.
    Inbox(Id),
    /// The uploads of this gateway.
    Uploads,
    /// The modules of the node.
    Modules,
}

/// Where the item of a transaction is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    /// In the log of a process, in this slot.
    Slot(Id, u64),
    /// Among the uploads, in the bundle with this id.
    Bundle(Id),
    /// Among the uploads by itself, in an inbox, or nowhere: a native module is part of the node.
    Elsewhere,
}

/// A transaction as it is entered and found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transaction {
    /// Its id.
    pub id: Id,
    /// Who signed it.
    pub owner: Id,
    /// Whom it is for.
    pub recipient: Option<Id>,
    /// Its tags.
    pub tags: Tags,
    /// When it came, milliseconds since 1970.
    pub time_ms: u64,
    /// Block height then.
    pub height: u64,
    /// Bytes of its data.
    pub size: u64,
    /// Where its item is.
    pub held: Held,
}

/// The projection: one connection that writes and one that reads.
#[derive(Debug)]
pub(crate) struct Transactions {
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
    /// Held by whoever brings it up to date: where each log is read on, as far as that was looked up.
    pub(super) reading: Mutex<BTreeMap<Source, u64>>,
}

impl Transactions {
    /// Opens the file, or makes it anew if it cannot be read.
    pub(super) fn open(path: &Path) -> Result<Self, GatewayError> {
        let opened = connect(path).or_else(|error| {
            tracing::warn!(%error, path = %path.display(), "the index of transactions is made anew");
            let _ = std::fs::remove_file(path);
            connect(path)
        });
        Ok(Self { writer: Mutex::new(opened?), reader: Mutex::new(connect(path)?), reading: Mutex::default() })
    }

    /// Where a source is read on.
    pub(crate) fn next(&self, source: Source) -> Result<u64, GatewayError> {
        let sql = "SELECT next FROM progress WHERE source = ?1";
        let next = lock(&self.writer).prepare_cached(sql)?.query_row([source.key()], |row| row.get(0)).optional()?;
        Ok(next.unwrap_or(0))
    }

    /// Enters transactions of a source and where it is read on. One that is entered already stays as it is.
    pub(crate) fn enter(&self, source: Source, found: &[Transaction], next: u64) -> Result<(), GatewayError> {
        let mut connection = lock(&self.writer);
        let change = connection.transaction()?;
        for transaction in found {
            insert(&change, transaction)?;
        }
        let sql = "INSERT INTO progress (source, next) VALUES (?1, ?2) ON CONFLICT (source) DO UPDATE SET next = ?2";
        change.prepare_cached(sql)?.execute(params![source.key(), next])?;
        Ok(change.commit()?)
    }

    /// Works with the connection that reads, for at most [`QUERY_TIME`].
    pub(super) fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, GatewayError> {
        let mut connection = lock(&self.reader);
        let end = Instant::now() + QUERY_TIME;
        connection.progress_handler(STEPS_PER_LOOK, Some(move || Instant::now() > end))?;
        let outcome = work(&connection);
        connection.progress_handler(0, None::<fn() -> bool>)?;
        match outcome {
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::OperationInterrupted) => {
                Err(GatewayError::SlowQuery)
            }
            outcome => Ok(outcome?),
        }
    }
}

impl Source {
    fn key(&self) -> Vec<u8> {
        match self {
            Self::Process(process) => process.as_bytes().to_vec(),
            Self::Inbox(address) => [b"inbox", address.as_bytes().as_slice()].concat(),
            Self::Uploads => b"uploads".to_vec(),
            Self::Modules => b"modules".to_vec(),
        }
    }
}

fn connect(path: &Path) -> Result<Connection, GatewayError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(QUERY_TIME)?;
    connection.execute_batch(TABLES)?;
    Ok(connection)
}

fn insert(change: &Change<'_>, transaction: &Transaction) -> rusqlite::Result<()> {
    let Transaction { id, owner, recipient, tags, time_ms, height, size, held } = transaction;
    let (process, slot) = match held {
        Held::Slot(process, slot) => (Some(process.as_bytes()), Some(slot)),
        Held::Bundle(bundle) => (Some(bundle.as_bytes()), None),
        Held::Elsewhere => (None, None),
    };
    let sql = "INSERT OR IGNORE INTO transactions (id, owner, recipient, time_ms, height, size, process, slot)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let inserted = change.prepare_cached(sql)?.execute(params![
        id.as_bytes(),
        owner.as_bytes(),
        recipient.as_ref().map(Id::as_bytes),
        time_ms,
        height,
        size,
        process,
        slot
    ])?;
    if inserted == 0 {
        return Ok(());
    }
    let entry = change.last_insert_rowid();
    let mut statement = change.prepare_cached("INSERT INTO tags (entry, position, name, value) VALUES (?, ?, ?, ?)")?;
    for (position, Tag { name, value }) in tags.iter().enumerate() {
        statement.execute(params![entry, position as u64, name, value])?;
    }
    Ok(())
}

/// A panic while the lock was held left no half-done work: SQLite rolled its transaction back.
fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}
