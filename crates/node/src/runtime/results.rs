//! Reading what a process answered and sent, from its file, beside its writer.

use ao::{Effects, Id, MessageKind, Outgoing, Output, Spawn, Tags};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension as _, Row};

use super::file::{Sent, SentKind};
use crate::core::{ResultRange, StoredResult};
use crate::limits;

/// A message kind as it is written in the file.
pub(super) const fn kind_number(kind: MessageKind) -> u8 {
    match kind {
        MessageKind::Spawn => 0,
        MessageKind::Item => 1,
        MessageKind::Pushed => 2,
        MessageKind::Cron => 3,
    }
}

const fn kind_from_number(number: u8) -> MessageKind {
    match number {
        0 => MessageKind::Spawn,
        2 => MessageKind::Pushed,
        3 => MessageKind::Cron,
        _ => MessageKind::Item,
    }
}

/// The result of a slot.
pub(super) fn result(connection: &Connection, slot: u64) -> rusqlite::Result<Option<StoredResult>> {
    let sql = "SELECT slot, message, timestamp_ms, kind, fault, output, error, wake_at_ms FROM node_results WHERE slot = ?1";
    let stored = connection.prepare_cached(sql)?.query_row([slot], stored).optional()?;
    stored.map(|stored| with_sent(connection, stored)).transpose()
}

/// The results of a range of slots.
pub(super) fn results(connection: &Connection, range: &ResultRange) -> rusqlite::Result<Vec<StoredResult>> {
    let sql = if range.descending {
        "SELECT slot, message, timestamp_ms, kind, fault, output, error, wake_at_ms FROM node_results \
         WHERE slot < ?1 AND slot >= ?2 ORDER BY slot DESC LIMIT ?3"
    } else {
        "SELECT slot, message, timestamp_ms, kind, fault, output, error, wake_at_ms FROM node_results \
         WHERE slot > ?1 AND slot <= ?2 ORDER BY slot LIMIT ?3"
    };
    let number = |slot: u64| i64::try_from(slot).unwrap_or(i64::MAX);
    let from = range.from_slot_exclusive.map_or(if range.descending { i64::MAX } else { -1 }, number);
    let to = range.to_slot.map_or(if range.descending { 0 } else { i64::MAX }, number);
    let limit = range.limit.min(limits::PAGE_MAX);
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement.query_map((from, to, limit), stored)?.collect::<rusqlite::Result<Vec<_>>>()?;
    found.into_iter().map(|stored| with_sent(connection, stored)).collect()
}

fn stored(row: &Row<'_>) -> rusqlite::Result<StoredResult> {
    let fault: Option<String> = row.get(4)?;
    let output = Output { data: row.get(5)?, error: row.get(6)? };
    let wake_at_ms = row.get(7)?;
    Ok(StoredResult {
        slot: row.get(0)?,
        message: Id::new(row.get(1)?),
        timestamp_ms: row.get(2)?,
        kind: kind_from_number(row.get(3)?),
        outcome: fault.map_or_else(|| Ok(Effects { output, wake_at_ms, ..Effects::none() }), Err),
    })
}

fn with_sent(connection: &Connection, mut stored: StoredResult) -> rusqlite::Result<StoredResult> {
    if let Ok(effects) = &mut stored.outcome {
        let sql = "SELECT slot, idx, target, tags, data, pushed_for, hops, dead_letter FROM node_outbox \
                   WHERE slot = ?1 ORDER BY idx";
        let mut statement = connection.prepare_cached(sql)?;
        for row in statement.query_map([stored.slot], sent)? {
            match row?.what {
                SentKind::Message(message) => effects.messages.push(message),
                SentKind::Spawn(spawn) => effects.spawns.push(spawn),
            }
        }
    }
    Ok(stored)
}

/// What was sent in slots from one on and before another: whole slots, about as many as are delivered in one go. Also the
/// slot up to which that is everything.
pub(super) fn sent_between(connection: &Connection, from: u64, before: u64) -> rusqlite::Result<(Vec<Sent>, u64)> {
    let sql = "SELECT slot, idx, target, tags, data, pushed_for, hops, dead_letter FROM node_outbox \
               WHERE slot >= ?1 AND slot < ?2 ORDER BY slot, idx";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query((from, before))?;
    let mut found: Vec<Sent> = Vec::new();
    while let Some(row) = rows.next()? {
        let next = sent(row)?;
        if found.len() >= limits::DELIVERY_BATCH_MAX && found.last().is_some_and(|last| last.slot != next.slot) {
            return Ok((found, next.slot));
        }
        found.push(next);
    }
    Ok((found, before))
}

fn sent(row: &Row<'_>) -> rusqlite::Result<Sent> {
    let target: Option<[u8; 32]> = row.get(2)?;
    let tags: Tags = serde_json::from_str(row.get_ref(3)?.as_str()?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(3, Type::Text, Box::new(error)))?;
    let data = row.get(4)?;
    Ok(Sent {
        slot: row.get(0)?,
        index: row.get(1)?,
        what: match target {
            Some(target) => SentKind::Message(Outgoing { target: Id::new(target), tags, data }),
            None => SentKind::Spawn(Spawn { tags, data }),
        },
        pushed_for: Id::new(row.get(5)?),
        hops: row.get(6)?,
        dead_letter: row.get(7)?,
    })
}
