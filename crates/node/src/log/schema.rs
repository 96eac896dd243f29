//! The tables of `log.sqlite`, and a record as a row of them.

use std::path::Path;
use std::time::Duration;

use ao::{Id, MessageKind};
use rusqlite::{Connection, OpenFlags, Row};

use super::{Logged, Stream, StreamKind};
use crate::error::LogError;

/// The version of the tables; another one is refused.
const FORMAT: i64 = 2;

/// Pages of the write-ahead log after which they are moved into the file: rarely enough that it costs little.
const CHECKPOINT_PAGES: i64 = 4000;

/// How long a statement waits for another connection.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// `records` is narrow and only grows at its end. `identities` has those of the records up to
/// the position in `indexed`.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS streams (
        number INTEGER PRIMARY KEY, kind INTEGER NOT NULL, id BLOB NOT NULL, UNIQUE (kind, id));
    CREATE TABLE IF NOT EXISTS records (
        position INTEGER PRIMARY KEY, stream INTEGER NOT NULL, slot INTEGER NOT NULL, timestamp INTEGER NOT NULL,
        height INTEGER NOT NULL, kind INTEGER NOT NULL, crc32c INTEGER NOT NULL, link BLOB NOT NULL,
        message BLOB NOT NULL, body BLOB NOT NULL);
    CREATE UNIQUE INDEX IF NOT EXISTS records_by_slot ON records (stream, slot);
    CREATE TABLE IF NOT EXISTS identities (
        stream INTEGER NOT NULL, message BLOB NOT NULL, slot INTEGER NOT NULL, PRIMARY KEY (stream, message))
        WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS indexed (only INTEGER PRIMARY KEY CHECK (only = 0), position INTEGER NOT NULL);
    INSERT OR IGNORE INTO indexed VALUES (0, 0);";

/// The writing connection: each commit is on the disk before it returns.
pub(super) fn open_writer(path: &Path) -> Result<Connection, LogError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_WAIT)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.pragma_update(None, "cache_size", -65_536)?;
    let format: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if format != 0 && format != FORMAT {
        return Err(LogError::Database(format!(
            "{} has format {format} and this version reads {FORMAT}: use the version that wrote it",
            path.display()
        )));
    }
    connection.execute_batch(TABLES)?;
    connection.pragma_update(None, "user_version", FORMAT)?;
    Ok(connection)
}

/// A reading connection beside the writer.
pub(super) fn open_reader(path: &Path) -> Result<Connection, LogError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_WAIT)?;
    Ok(connection)
}

/// The checksum of a record: over everything that a reader takes from it, so that a row in the wrong place, with the
/// wrong neighbour's bytes, or with a flipped bit is refused.
pub(super) fn checksum(logged: &Logged) -> u32 {
    let mut head = [0_u8; 130];
    head[0] = logged.stream.kind.number();
    head[1] = kind_number(logged.kind);
    head[2..34].copy_from_slice(logged.stream.id.as_bytes());
    head[34..42].copy_from_slice(&logged.slot.to_le_bytes());
    head[42..50].copy_from_slice(&logged.timestamp_ms.to_le_bytes());
    head[50..58].copy_from_slice(&logged.block_height.to_le_bytes());
    head[58..90].copy_from_slice(logged.link.as_bytes());
    head[90..122].copy_from_slice(logged.identity.as_bytes());
    head[122..130].copy_from_slice(&(logged.body.len() as u64).to_le_bytes());
    crc32c::crc32c_append(crc32c::crc32c(&head), &logged.body)
}

/// A record from a row (position, slot, timestamp, height, kind, crc32c, chain, message, body); a row that is not what was written is refused.
pub(super) fn logged(stream: &Stream, row: &Row<'_>) -> Result<Logged, LogError> {
    let position: i64 = row.get(0)?;
    let damaged = |reason: &str| LogError::Damaged { position, reason: reason.to_owned() };
    let kind = kind_from_number(row.get(4)?).ok_or_else(|| damaged("it is of an unknown kind"))?;
    let id = |column| Ok::<Id, LogError>(Id::new(row.get::<_, [u8; 32]>(column)?));
    let logged = Logged {
        position,
        stream: *stream,
        slot: row.get(1)?,
        timestamp_ms: row.get(2)?,
        block_height: row.get(3)?,
        link: id(6)?,
        identity: id(7)?,
        kind,
        body: row.get(8)?,
    };
    let written: u32 = row.get(5)?;
    if checksum(&logged) != written {
        return Err(damaged("its checksum does not fit its content"));
    }
    Ok(logged)
}

/// A message kind as it is written in the database.
pub(super) const fn kind_number(kind: MessageKind) -> u8 {
    match kind {
        MessageKind::Spawn => 0,
        MessageKind::Item => 1,
        MessageKind::Pushed => 2,
        MessageKind::Cron => 3,
    }
}

/// A message kind from the database.
const fn kind_from_number(number: u8) -> Option<MessageKind> {
    match number {
        0 => Some(MessageKind::Spawn),
        1 => Some(MessageKind::Item),
        2 => Some(MessageKind::Pushed),
        3 => Some(MessageKind::Cron),
        _ => None,
    }
}

/// The stream that a row of `streams` (kind, id) names.
pub(super) fn stream(kind: u8, id: [u8; 32]) -> Result<Stream, LogError> {
    let kind = StreamKind::from_number(kind)
        .ok_or_else(|| LogError::Database(format!("a stream is of the unknown kind {kind}")))?;
    Ok(Stream { kind, id: Id::new(id) })
}
