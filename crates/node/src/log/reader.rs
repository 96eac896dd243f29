//! Reading the log beside its writer: every reader sees what has been committed, and nothing else.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use ao::Id;
use rusqlite::{Connection, OptionalExtension as _};

use super::{Logged, Stream, StreamKind, schema};
use crate::error::LogError;
use crate::limits;

/// Reading connections that lie ready.
const READERS_KEPT: usize = 8;

/// The last record of a stream, as [`schema::logged`] reads it.
const LAST: &str = "SELECT position, slot, timestamp, height, kind, crc32c, link, message, body FROM records \
    WHERE stream = ?1 ORDER BY slot DESC LIMIT 1";

/// Records of a stream in order, as [`schema::logged`] reads them.
const FROM: &str = "SELECT position, slot, timestamp, height, kind, crc32c, link, message, body FROM records \
    WHERE stream = ?1 AND slot >= ?2 ORDER BY slot LIMIT ?3";

/// A small store of reading connections.
pub(super) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Readers {
    pub(super) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), idle: Mutex::new(Vec::new()) }
    }

    /// Works with a connection that no one else has.
    pub(super) fn with<T>(&self, work: impl FnOnce(&Connection) -> Result<T, LogError>) -> Result<T, LogError> {
        let ready = self.idle.lock().ok().and_then(|mut idle| idle.pop());
        let connection = match ready {
            Some(connection) => connection,
            None => schema::open_reader(&self.path)?,
        };
        let outcome = work(&connection);
        if let Ok(mut idle) = self.idle.lock()
            && idle.len() < READERS_KEPT
        {
            idle.push(connection);
        }
        outcome
    }
}

/// The number of a stream in the database.
pub(super) fn number(connection: &Connection, stream: &Stream) -> Result<Option<i64>, LogError> {
    let mut statement = connection.prepare_cached("SELECT number FROM streams WHERE kind = ?1 AND id = ?2")?;
    Ok(statement.query_row((stream.kind.number(), stream.id.as_bytes()), |row| row.get(0)).optional()?)
}

/// The last record of a stream.
pub(super) fn last(connection: &Connection, stream: &Stream, number: i64) -> Result<Option<Logged>, LogError> {
    let mut statement = connection.prepare_cached(LAST)?;
    let mut rows = statement.query([number])?;
    rows.next()?.map(|row| schema::logged(stream, row)).transpose()
}

/// The records of a stream from a slot on.
pub(super) fn read(
    connection: &Connection,
    stream: &Stream,
    from_slot: u64,
    limit: usize,
) -> Result<Vec<Logged>, LogError> {
    let Some(number) = number(connection, stream)? else { return Ok(Vec::new()) };
    let mut statement = connection.prepare_cached(FROM)?;
    let from = i64::try_from(from_slot).unwrap_or(i64::MAX);
    let mut rows = statement.query((number, from, i64::try_from(limit).unwrap_or(i64::MAX)))?;
    let (mut records, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let record = schema::logged(stream, row)?;
        if record.slot != from_slot + records.len() as u64 {
            let reason = format!("slot {} is missing before it", from_slot + records.len() as u64);
            return Err(LogError::Damaged { position: record.position, reason });
        }
        bytes += record.body.len();
        records.push(record);
        if bytes >= limits::READ_BYTES_MAX {
            break;
        }
    }
    Ok(records)
}

/// The last slot of a stream.
pub(super) fn head(connection: &Connection, stream: &Stream) -> Result<Option<u64>, LogError> {
    let Some(number) = number(connection, stream)? else { return Ok(None) };
    let mut statement = connection.prepare_cached("SELECT max(slot) FROM records WHERE stream = ?1")?;
    Ok(statement.query_row([number], |row| row.get(0))?)
}

/// All streams of a kind, in the order in which they began, with their last slots.
pub(super) fn streams(connection: &Connection, kind: StreamKind) -> Result<Vec<(Id, u64)>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT kind, id, (SELECT max(slot) FROM records WHERE stream = number) FROM streams WHERE kind = ?1 ORDER BY number",
    )?;
    let mut rows = statement.query([kind.number()])?;
    let mut streams = Vec::new();
    while let Some(row) = rows.next()? {
        let stream = schema::stream(row.get(0)?, row.get(1)?)?;
        let head = row.get::<_, Option<u64>>(2)?;
        let head = head.ok_or_else(|| LogError::Database(format!("the stream {} has no records", stream.id)))?;
        streams.push((stream.id, head));
    }
    Ok(streams)
}
