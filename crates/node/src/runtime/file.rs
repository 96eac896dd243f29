//! The file of one process: its own tables, and beside them the node's (`node_…`): results, outbox, clocks, progress. It is
//! a projection of the log: when it is lost or damaged it is made again by replay, so it is written without waiting for the
//! disk.

use std::path::Path;
use std::time::Duration;

use ao::{Effects, Id, Message, Outgoing, Spawn};
use processes::Database;
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use super::results;
use crate::cron::Plan;

/// The version of the node's tables; a file of another version is made again from the log.
const FORMAT: i64 = 1;

/// Pages of the write-ahead log after which they are moved into the file.
const CHECKPOINT_PAGES: i64 = 4000;

const BUSY_WAIT: Duration = Duration::from_secs(10);

/// `node_outbox` holds what was sent, in order; `dead_letter` says why a message will never be delivered.
const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS node_state (
        one INTEGER PRIMARY KEY CHECK (one = 1), applied_slots INTEGER NOT NULL, delivered_slots INTEGER NOT NULL,
        alarm_at_ms INTEGER, alarm_set_slot INTEGER);
    INSERT OR IGNORE INTO node_state VALUES (1, 0, 0, NULL, NULL);
    CREATE TABLE IF NOT EXISTS node_clocks (action TEXT PRIMARY KEY, last_due_ms INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS node_results (
        slot INTEGER PRIMARY KEY, message BLOB NOT NULL, timestamp_ms INTEGER NOT NULL, kind INTEGER NOT NULL,
        fault TEXT, output TEXT NOT NULL, error TEXT, wake_at_ms INTEGER);
    CREATE TABLE IF NOT EXISTS node_outbox (
        slot INTEGER NOT NULL, idx INTEGER NOT NULL, target BLOB, tags TEXT NOT NULL, data BLOB NOT NULL,
        pushed_for BLOB NOT NULL, hops INTEGER NOT NULL, dead_letter TEXT, PRIMARY KEY (slot, idx)) WITHOUT ROWID;";

/// The file of one process, open for its one writer.
pub(super) struct ProcessFile {
    database: Database,
}

/// How far a process is, and its alarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Progress {
    /// Slots applied: the next one to apply.
    pub applied: u64,
    /// Slots whose messages have been delivered.
    pub delivered: u64,
    /// When the process wants to be woken, and the slot in which it said so.
    pub alarm: Option<Alarm>,
}

/// A wish to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Alarm {
    /// When, milliseconds since 1970.
    pub at_ms: u64,
    /// The slot in which the process said so.
    pub set_slot: u64,
}

/// A message of the outbox on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The slot in which it was sent.
    pub slot: u64,
    /// Its place among what was sent in that slot.
    pub index: u32,
    /// A message or a process to be spawned.
    pub what: SentKind,
    /// The message from outside that began the chain.
    pub pushed_for: Id,
    /// Pushed messages in the chain up to and with this one.
    pub hops: u8,
    /// Why it will never be delivered.
    pub dead_letter: Option<String>,
}

/// A message or a process to be spawned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SentKind {
    /// A message.
    Message(Outgoing),
    /// A process to be spawned.
    Spawn(Spawn),
}

impl ProcessFile {
    /// Opens a file, made if it is absent.
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.busy_timeout(BUSY_WAIT)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // In WAL mode this waits for the disk only when pages are moved into the file: a power cut costs the newest
        // commits, which replay brings back, and never mixes old pages with new ones.
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        let format: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
        if format != 0 && format != FORMAT {
            return Err(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB),
                Some(format!("it has format {format} and this version writes {FORMAT}")),
            ));
        }
        connection.execute_batch(TABLES)?;
        connection.pragma_update(None, "user_version", FORMAT)?;
        Ok(Self { database: Database::new(connection)? })
    }

    /// A connection beside the writer that can only read.
    pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY_WAIT)?;
        Ok(connection)
    }

    /// Removes a file and what SQLite keeps beside it.
    pub(super) fn remove(path: &Path) -> std::io::Result<()> {
        for ending in ["", "-wal", "-shm"] {
            let mut name = path.as_os_str().to_owned();
            name.push(ending);
            match std::fs::remove_file(&name) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    pub(super) fn database(&self) -> &Database {
        &self.database
    }

    /// Begins the transaction of a batch.
    pub(super) fn begin(&self) -> rusqlite::Result<Transaction<'_>> {
        Transaction::new_unchecked(self.database.connection(), TransactionBehavior::Immediate)
    }

    pub(super) fn progress(&self) -> rusqlite::Result<Progress> {
        let sql = "SELECT applied_slots, delivered_slots, alarm_at_ms, alarm_set_slot FROM node_state";
        self.database.connection().prepare_cached(sql)?.query_row([], |row| {
            let alarm = row.get::<_, Option<u64>>(2)?.zip(row.get::<_, Option<u64>>(3)?);
            let alarm = alarm.map(|(at_ms, set_slot)| Alarm { at_ms, set_slot });
            Ok(Progress { applied: row.get(0)?, delivered: row.get(1)?, alarm })
        })
    }

    pub(super) fn set_progress(&self, progress: &Progress) -> rusqlite::Result<()> {
        let sql = "UPDATE node_state SET applied_slots = ?1, delivered_slots = ?2, alarm_at_ms = ?3, alarm_set_slot = ?4";
        let alarm = progress.alarm;
        self.database.connection().prepare_cached(sql)?.execute((
            progress.applied,
            progress.delivered,
            alarm.map(|alarm| alarm.at_ms),
            alarm.map(|alarm| alarm.set_slot),
        ))?;
        Ok(())
    }

    /// Notes when a clock of the process was due last.
    pub(super) fn set_clock(&self, action: &str, last_due_ms: u64) -> rusqlite::Result<()> {
        let sql = "INSERT INTO node_clocks VALUES (?1, ?2) ON CONFLICT DO UPDATE SET last_due_ms = excluded.last_due_ms";
        self.database.connection().prepare_cached(sql)?.execute((action, last_due_ms))?;
        Ok(())
    }

    /// The ticks that are to come for a process with these clocks.
    pub(super) fn plans(&self, crons: &[processes::Cron]) -> rusqlite::Result<Vec<Plan>> {
        let connection = self.database.connection();
        let mut last = connection.prepare_cached("SELECT last_due_ms FROM node_clocks WHERE action = ?1")?;
        let mut plans = Vec::new();
        for cron in crons {
            // A clock that a newer version of the module brought begins when the process next takes a message.
            let Ok(last_due_ms) = last.query_row([cron.action], |row| row.get::<_, u64>(0)) else { continue };
            plans.push(Plan::cron(cron, last_due_ms));
        }
        if let Some(alarm) = self.progress()?.alarm {
            plans.push(Plan::alarm(alarm.set_slot, alarm.at_ms));
        }
        Ok(plans)
    }

    /// Writes down what became of a message, and what it sends.
    pub(super) fn record(&self, message: &Message, hops: u8, outcome: &Result<Effects, String>) -> rusqlite::Result<()> {
        let connection = self.database.connection();
        let (fault, output, wake_at_ms) = match outcome {
            Ok(effects) => (None, effects.output.clone(), effects.wake_at_ms),
            Err(fault) => (Some(fault), ao::Output::default(), None),
        };
        connection.prepare_cached("INSERT INTO node_results VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?.execute((
            message.slot,
            message.id.as_bytes(),
            message.timestamp_ms,
            results::kind_number(message.kind),
            fault,
            output.data,
            output.error,
            wake_at_ms,
        ))?;
        let Ok(effects) = outcome else { return Ok(()) };
        let dead_letter = (hops >= crate::limits::HOPS_MAX).then(|| {
            format!("it would be the {}th message in a row without one from outside, and {hops} are the limit", hops + 1)
        });
        let mut insert = connection.prepare_cached("INSERT INTO node_outbox VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
        let messages = effects.messages.iter().map(|message| (Some(&message.target), &message.tags, &message.data));
        let spawns = effects.spawns.iter().map(|spawn| (None, &spawn.tags, &spawn.data));
        for (index, (target, tags, data)) in messages.chain(spawns).enumerate() {
            let tags = serde_json::to_string(tags).unwrap_or_default();
            let target = target.map(|target| target.as_bytes().as_slice());
            let pushed_for = message.pushed_for.as_bytes();
            insert.execute((message.slot, index, target, tags, data, pushed_for, hops.saturating_add(1), &dead_letter))?;
        }
        Ok(())
    }
}
