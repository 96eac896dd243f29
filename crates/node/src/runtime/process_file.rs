//! The database of one process: the tables of its module, and beside them what the node keeps of it. It is a projection of
//! the log: it is never flushed to disk on purpose, and may be deleted at any time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use ao::{Effects, Id, MessageKind};
use processes::limits::MEMO_BYTES_MAX;
use processes::{Database, Memo};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row};

use crate::core::{ResultRange, StoredResult};

/// How long a statement waits for a reader or writer of the same file.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// `node_results` is what the process answered and, after the delivered mark, its outbox.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS node_state (
        one INTEGER PRIMARY KEY CHECK (one = 1), applied INTEGER, delivered INTEGER, wake_at_ms INTEGER);
    INSERT OR IGNORE INTO node_state (one) VALUES (1);
    CREATE TABLE IF NOT EXISTS node_clocks (name TEXT PRIMARY KEY, due_ms INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS node_results (
        slot INTEGER PRIMARY KEY, message BLOB NOT NULL, timestamp_ms INTEGER NOT NULL, kind TEXT NOT NULL,
        pushed_for BLOB NOT NULL, hops INTEGER NOT NULL, fault TEXT, effects TEXT, sends INTEGER NOT NULL);
    CREATE INDEX IF NOT EXISTS node_outbox ON node_results (slot) WHERE sends > 0;";

/// How far a process is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The last slot it has handled.
    pub applied: Option<u64>,
    /// The last slot whose messages are delivered.
    pub delivered: Option<u64>,
    /// Its alarm, milliseconds since 1970.
    pub wake_at_ms: Option<u64>,
    /// Its clocks by name, with the last tick that it handled, milliseconds since 1970.
    pub ticked_ms: Vec<(String, u64)>,
}

/// A handled message whose effects leave the process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sending {
    /// The slot in which it was handled.
    pub slot: u64,
    /// The message from outside that began the chain.
    pub pushed_for: Id,
    /// How many pushed messages the chain has so far.
    pub hops: u8,
    /// Whether it is what the node says of a message that could not be handled.
    pub is_notice: bool,
    /// What is sent.
    pub effects: Effects,
}

/// Where the files of processes lie, and what their processes share beside them.
#[derive(Debug)]
pub(crate) struct ProcessFiles {
    folder: PathBuf,
    memo: Memo,
}

/// The open database of a process.
#[derive(Debug)]
pub(crate) struct ProcessFile {
    pub(super) database: Database,
}

/// The file of a process, named by hexadecimal digits only.
pub(crate) fn path(folder: &Path, process: &Id) -> PathBuf {
    folder.join(format!("{}.sqlite", process.to_hex()))
}

impl ProcessFiles {
    /// The files in a folder, with a memory that is empty.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, memo: Memo::new(MEMO_BYTES_MAX) }
    }

    /// The folder.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl ProcessFile {
    /// Opens the file, made if it is absent. A file that cannot be read, or that claims to be ahead of the log, is removed
    /// and made anew: the log rebuilds it.
    pub(crate) fn open(files: &ProcessFiles, process: &Id, head: u64) -> rusqlite::Result<Self> {
        let path = path(&files.folder, process);
        let open_at = |path: &Path| Self::open_at(path, files.memo.clone());
        match open_at(&path).and_then(|file| Ok((file.progress()?, file))) {
            Ok((progress, file)) if progress.applied.is_none_or(|applied| applied <= head) => Ok(file),
            Ok((progress, file)) => {
                tracing::warn!(%process, ?progress, head, "the file of the process is ahead of the log; rebuilding it");
                drop(file);
                remove(&path);
                open_at(&path)
            }
            Err(error) if is_damaged(&error) => {
                tracing::warn!(%process, %error, "the file of the process is damaged; rebuilding it from the log");
                remove(&path);
                open_at(&path)
            }
            Err(error) => Err(error),
        }
    }

    fn open_at(path: &Path, memo: Memo) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_WAIT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // Without a flush at each commit a power cut may lose the last messages, never the order: the log has them.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "wal_autocheckpoint", 4000)?;
        connection.execute_batch(TABLES)?;
        Ok(Self { database: Database::new(connection, memo)? })
    }

    pub(super) fn connection(&self) -> &Connection {
        self.database.connection()
    }

    /// How far the process is.
    pub(crate) fn progress(&self) -> rusqlite::Result<Progress> {
        let connection = self.connection();
        let sql = "SELECT applied, delivered, wake_at_ms FROM node_state";
        let mut progress = connection.prepare_cached(sql)?.query_row((), |row| {
            Ok(Progress {
                applied: number(row, 0)?,
                delivered: number(row, 1)?,
                wake_at_ms: number(row, 2)?,
                ticked_ms: Vec::new(),
            })
        })?;
        let mut clocks = connection.prepare_cached("SELECT name, due_ms FROM node_clocks ORDER BY name")?;
        let rows = clocks.query_map((), |row| Ok((row.get(0)?, row.get::<_, i64>(1)? as u64)))?;
        progress.ticked_ms = rows.collect::<rusqlite::Result<_>>()?;
        Ok(progress)
    }

    /// What has been handled and not been delivered, oldest first.
    pub(crate) fn outbox(&self, limit: usize) -> rusqlite::Result<Vec<Sending>> {
        let sql = "SELECT slot, pushed_for, hops, effects, fault IS NOT NULL FROM node_results
                   WHERE sends > 0 AND slot > (SELECT ifnull(delivered, -1) FROM node_state) ORDER BY slot LIMIT ?";
        let mut statement = self.connection().prepare_cached(sql)?;
        let rows = statement.query_map([limit as i64], |row| {
            let effects: String = row.get(3)?;
            Ok(Sending {
                slot: row.get::<_, i64>(0)? as u64,
                pushed_for: Id::new(row.get(1)?),
                hops: row.get(2)?,
                is_notice: row.get(4)?,
                effects: serde_json::from_str(&effects).map_err(|error| unreadable(3, error))?,
            })
        })?;
        rows.collect()
    }

    /// Everything up to this slot is delivered.
    pub(crate) fn set_delivered(&self, slot: u64) -> rusqlite::Result<()> {
        self.connection().prepare_cached("UPDATE node_state SET delivered = ?")?.execute([slot as i64])?;
        Ok(())
    }
}

/// A file opened for reading only, beside the thread that runs the process.
#[derive(Debug)]
pub(crate) struct ResultReader(Connection);

impl ResultReader {
    /// Opens the file of a process that has handled at least its spawn.
    pub(crate) fn open(folder: &Path, process: &Id) -> rusqlite::Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path(folder, process), flags)?;
        connection.busy_timeout(BUSY_WAIT)?;
        Ok(Self(connection))
    }

    /// What the process has published at a path.
    pub(super) fn published(&self, keys: &[String]) -> rusqlite::Result<Option<serde_json::Value>> {
        super::published::read(&self.0, keys)
    }

    /// The result of a slot.
    pub(crate) fn result(&self, slot: u64) -> rusqlite::Result<Option<StoredResult>> {
        let sql = "SELECT slot, message, timestamp_ms, kind, fault, effects FROM node_results WHERE slot = ?";
        self.0.query_row(sql, [slot as i64], stored_result).optional()
    }

    /// Results in the order of their slots.
    pub(crate) fn results(&self, range: &ResultRange) -> rusqlite::Result<Vec<StoredResult>> {
        let edge = |slot: Option<u64>, otherwise: i64| slot.map_or(otherwise, |slot| slot as i64);
        let (low, high, sql) = if range.descending {
            let high = range.from_slot_exclusive.map_or(i64::MAX, |slot| slot as i64 - 1);
            let sql = "SELECT slot, message, timestamp_ms, kind, fault, effects FROM node_results
                       WHERE slot >= ? AND slot <= ? ORDER BY slot DESC LIMIT ?";
            (edge(range.to_slot, 0), high, sql)
        } else {
            let low = range.from_slot_exclusive.map_or(0, |slot| slot as i64 + 1);
            let sql = "SELECT slot, message, timestamp_ms, kind, fault, effects FROM node_results
                       WHERE slot >= ? AND slot <= ? ORDER BY slot ASC LIMIT ?";
            (low, edge(range.to_slot, i64::MAX), sql)
        };
        let mut statement = self.0.prepare_cached(sql)?;
        let rows = statement.query_map((low, high, range.limit as i64), stored_result)?;
        rows.collect()
    }
}

fn stored_result(row: &Row<'_>) -> rusqlite::Result<StoredResult> {
    let kind: String = row.get(3)?;
    let fault: Option<String> = row.get(4)?;
    let effects: Option<String> = row.get(5)?;
    let outcome = match fault {
        Some(fault) => Err(fault),
        None => Ok(serde_json::from_str(&effects.unwrap_or_default()).map_err(|error| unreadable(5, error))?),
    };
    Ok(StoredResult {
        slot: row.get::<_, i64>(0)? as u64,
        message: Id::new(row.get(1)?),
        timestamp_ms: row.get::<_, i64>(2)? as u64,
        kind: kind_of(&kind),
        outcome,
    })
}

/// A kind as the table holds it.
pub(super) const fn kind_text(kind: MessageKind) -> &'static str {
    match kind {
        MessageKind::Spawn => "spawn",
        MessageKind::Item => "item",
        MessageKind::Pushed => "pushed",
        MessageKind::Cron => "cron",
    }
}

fn kind_of(text: &str) -> MessageKind {
    match text {
        "spawn" => MessageKind::Spawn,
        "item" => MessageKind::Item,
        "cron" => MessageKind::Cron,
        _ => MessageKind::Pushed,
    }
}

fn number(row: &Row<'_>, index: usize) -> rusqlite::Result<Option<u64>> {
    Ok(row.get::<_, Option<i64>>(index)?.map(|number| number as u64))
}

fn unreadable(column: usize, error: serde_json::Error) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
    matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
}

/// Removes a database with the files beside it. What cannot be removed fails again when it is opened.
pub(crate) fn remove(path: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        let _ = std::fs::remove_file(name);
    }
}
