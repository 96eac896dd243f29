//! Handling messages: a batch in one transaction, each message in a savepoint of its own. A fault undoes its message and
//! becomes its result; a failure of the machine undoes the batch and stops the process.

use std::time::{Duration, Instant};

use ao::{Effects, Message, MessageKind};
use processes::Env;
use rusqlite::OptionalExtension as _;

use super::process_file::{ProcessFile, kind_text};
use super::program::Program;
use super::published;
use crate::core::StoredResult;
use crate::log::{Body, Logged};
use crate::wasm::Failure;
use crate::{limits, outbox};

/// What is fixed about a process from its spawn on.
pub(crate) struct Identity {
    /// What it runs.
    pub program: Program,
    /// What it knows about itself.
    pub env: Env,
    /// When it was spawned, milliseconds since 1970.
    pub spawned_ms: u64,
}

/// What came of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Applied {
    /// The results of the messages that were handled, and about how many bytes each has.
    pub results: Vec<(StoredResult, usize)>,
}

impl Applied {
    /// How many messages ended in a fault.
    pub(crate) fn faults(&self) -> usize {
        self.results.iter().filter(|(result, _)| result.outcome.is_err()).count()
    }
}

/// Handles records in order, until there is no more or [`limits::COMMIT_WORK_MS`] is over, and commits. An error leaves the
/// file as it was.
pub(crate) fn apply(
    file: &ProcessFile,
    identity: &Identity,
    records: &mut impl Iterator<Item = Logged>,
) -> Result<Applied, String> {
    run(file, "BEGIN IMMEDIATE")?;
    let outcome = handle_some(file, identity, records);
    let outcome = outcome.and_then(|applied| identity.settle(file).map(|()| applied));
    let end = if outcome.is_ok() { "COMMIT" } else { "ROLLBACK" };
    let ended = run(file, end);
    if outcome.is_err() || ended.is_err() {
        identity.forget();
    }
    ended.and(outcome)
}

impl Identity {
    /// After a batch, within its transaction.
    fn settle(&self, file: &ProcessFile) -> Result<(), String> {
        match &self.program {
            Program::Native(_) => Ok(()),
            Program::Wasm(process) => process.settle(file.connection()),
        }
    }

    /// The batch was undone.
    fn forget(&self) {
        if let Program::Wasm(process) = &self.program {
            process.forget();
        }
    }
}

fn handle_some(
    file: &ProcessFile,
    identity: &Identity,
    records: &mut impl Iterator<Item = Logged>,
) -> Result<Applied, String> {
    let began = Instant::now();
    let mut applied = Applied::default();
    for record in records.by_ref() {
        applied.results.push(handle(file, identity, record)?);
        if began.elapsed() >= Duration::from_millis(limits::COMMIT_WORK_MS) {
            break;
        }
    }
    Ok(applied)
}

/// Handles one record: its result, and about how many bytes that has.
fn handle(file: &ProcessFile, identity: &Identity, record: Logged) -> Result<(StoredResult, usize), String> {
    let body = Body::decode(&record.body).map_err(|reason| format!("slot {} cannot be read: {reason}", record.slot))?;
    let hops = body.hops();
    let tick = match &body {
        Body::Tick(tick) => Some(tick.clone()),
        Body::Item { .. } | Body::Pushed(_) | Body::Assigned(_) => None,
    };
    let message =
        body.into_message(&record).map_err(|reason| format!("slot {} cannot be read: {reason}", record.slot))?;
    let outcome = attempt(file, identity, &message, hops)?;
    if let Some(tick) = tick {
        let sql = "INSERT INTO node_clocks (name, due_ms) VALUES (?1, ?2)
                   ON CONFLICT (name) DO UPDATE SET due_ms = max(due_ms, ?2)";
        let set =
            file.connection().prepare_cached(sql).and_then(|mut sql| sql.execute((&tick.name, tick.due_ms as i64)));
        set.map_err(|error| error.to_string())?;
        if tick.name == super::ALARM {
            let sql = "UPDATE node_state SET wake_at_ms = NULL WHERE wake_at_ms <= ?";
            let cleared = file.connection().prepare_cached(sql).and_then(|mut sql| sql.execute([tick.due_ms as i64]));
            cleared.map_err(|error| error.to_string())?;
        }
    }
    let bytes = store(file, &message, hops, &outcome).map_err(|error| error.to_string())?;
    let Message { id, slot, timestamp_ms, kind, .. } = message;
    Ok((StoredResult { slot, message: id, timestamp_ms, kind, outcome }, bytes))
}

/// Runs the handler in a savepoint: the outer error is the machine's, the inner one the message's.
fn attempt(
    file: &ProcessFile,
    identity: &Identity,
    message: &Message,
    hops: u8,
) -> Result<Result<Effects, String>, String> {
    run(file, "SAVEPOINT message")?;
    let accept = |effects| {
        let mut effects = within_limits(effects, hops, &identity.program)?;
        published::publish(file.connection(), &std::mem::take(&mut effects.patches))
            .map_err(|error| error.to_string())?;
        Ok(effects)
    };
    let outcome = match identity.program.handle(file, &identity.env, message, accept) {
        Err(Failure::Machine(reason)) => return Err(reason),
        Err(Failure::Message(reason)) => Err(unspawned(file, message)?.unwrap_or(reason)),
        Ok(effects) => Ok(effects),
    };
    if outcome.is_err() {
        run(file, "ROLLBACK TO message")?;
    }
    run(file, "RELEASE message")?;
    Ok(outcome)
}

/// Runs a statement that is needed for each message or batch, and is prepared once.
fn run(file: &ProcessFile, sql: &str) -> Result<(), String> {
    let ran = file.connection().prepare_cached(sql).and_then(|mut statement| statement.execute(()));
    ran.map(|_| ()).map_err(|error| error.to_string())
}

/// Why a process cannot handle any message, if its spawn failed: it has no tables.
fn unspawned(file: &ProcessFile, message: &Message) -> Result<Option<String>, String> {
    if message.kind == MessageKind::Spawn {
        return Ok(None);
    }
    let sql = "SELECT fault FROM node_results WHERE slot = 0 AND fault IS NOT NULL";
    let read = file.connection().prepare_cached(sql).and_then(|mut sql| sql.query_row([], |row| row.get(0)).optional());
    let fault: Option<String> = read.map_err(|error| error.to_string())?;
    Ok(fault.map(|fault| format!("this process could not be spawned: {fault}")))
}

/// What a process would answer, with everything undone.
pub(crate) fn dry_run(
    file: &ProcessFile,
    identity: &Identity,
    message: &Message,
) -> Result<Result<Effects, String>, String> {
    let text = |error: rusqlite::Error| error.to_string();
    file.connection().execute_batch("BEGIN").map_err(text)?;
    let outcome = attempt(file, identity, message, 0);
    file.connection().execute_batch("ROLLBACK").map_err(text)?;
    outcome
}

/// How many records the effects become in the logs of others.
pub(crate) fn sends(effects: &Effects) -> usize {
    let assigned: usize = effects.assignments.iter().map(|assigned| assigned.processes.len()).sum();
    effects.messages.len() + effects.spawns.len() + assigned
}

/// Effects that are over a limit of the node are a fault.
fn within_limits(effects: Effects, hops: u8, program: &Program) -> Result<Effects, String> {
    let count = sends(&effects);
    let size = |tags: &ao::Tags, data: &[u8], anchor: &str| {
        data.len() + anchor.len() + tags.iter().map(|tag| tag.name.len() + tag.value.len()).sum::<usize>()
    };
    let messages = effects.messages.iter().map(|message| size(&message.tags, &message.data, &message.anchor));
    let spawns = effects.spawns.iter().map(|spawn| size(&spawn.tags, &spawn.data, &spawn.anchor));
    let bytes = messages.chain(spawns).sum::<usize>();
    if count > limits::OUTBOX_MESSAGES_MAX {
        return Err(format!("the answer has {count} messages, and may have {}", limits::OUTBOX_MESSAGES_MAX));
    }
    if bytes > limits::OUTBOX_BYTES_MAX {
        return Err(format!("the answer has {bytes} bytes, and may have {}", limits::OUTBOX_BYTES_MAX));
    }
    let (hops_max, more) = (program.hops_max(), program.hops_of(count));
    if count > 0 && hops.saturating_add(more) > hops_max {
        return Err(format!(
            "the chain of messages counts {hops}, {count} more messages count {more}, and it may count {hops_max}"
        ));
    }
    Ok(effects)
}

/// Writes down what came of a message, and how far the process is now; about how many bytes that is.
fn store(
    file: &ProcessFile,
    message: &Message,
    hops: u8,
    outcome: &Result<Effects, String>,
) -> rusqlite::Result<usize> {
    let connection = file.connection();
    let text = |effects: &Effects| {
        serde_json::to_string(effects).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
    };
    let (effects, fault, sends) = match outcome {
        Ok(effects) => (Some(text(effects)?), None, sends(effects)),
        Err(fault) => {
            let notice = outbox::undeliverable(message, fault);
            (notice.as_ref().map(text).transpose()?, Some(fault), usize::from(notice.is_some()))
        }
    };
    let bytes = effects.as_ref().map_or(0, String::len) + fault.map_or(0, String::len);
    let sql = "INSERT INTO node_results (slot, message, timestamp_ms, kind, pushed_for, hops, fault, effects, sends)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)";
    connection.prepare_cached(sql)?.execute((
        message.slot as i64,
        message.id.as_bytes(),
        message.timestamp_ms as i64,
        kind_text(message.kind),
        message.pushed_for.as_bytes(),
        hops,
        fault,
        effects,
        sends as i64,
    ))?;
    connection.prepare_cached("UPDATE node_state SET applied = ?")?.execute([message.slot as i64])?;
    if let Ok(Effects { wake_at_ms: Some(wake_at_ms), .. }) = outcome {
        connection.prepare_cached("UPDATE node_state SET wake_at_ms = ?")?.execute([*wake_at_ms as i64])?;
    }
    Ok(bytes)
}
