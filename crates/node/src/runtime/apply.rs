//! Applying messages to a process: one transaction for a batch, a savepoint for each message.

use std::panic::{AssertUnwindSafe, catch_unwind};

use ao::{Effects, Message, MessageKind};
use processes::{Env, Fault, Module};

use super::file::{Alarm, ProcessFile, Progress};
use crate::cron::{ALARM_PREFIX, alarm_name};
use crate::limits;
use crate::log::{Body, Logged};

/// What a batch came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Applied {
    pub progress: Progress,
    pub messages: usize,
    pub faults: usize,
}

/// Applies records that follow what the process has applied. An error stops the process: it is the machine's or the
/// module's, and never the result of a message.
pub(super) fn batch(
    file: &ProcessFile,
    module: &dyn Module,
    env: &Env,
    delivered: u64,
    records: Vec<Logged>,
) -> Result<Applied, String> {
    let transaction = file.begin().map_err(|error| format!("its file cannot be written: {error}"))?;
    let failed = |error: rusqlite::Error| format!("its file cannot be written: {error}");
    let mut progress = Progress { delivered, ..file.progress().map_err(failed)? };
    let (messages, mut faults) = (records.len(), 0);
    for record in records {
        if record.slot != progress.applied {
            return Err(format!("slot {} came where slot {} was due", record.slot, progress.applied));
        }
        let body = Body::decode(&record.body).map_err(|reason| format!("slot {}: {reason}", record.slot))?;
        let (hops, tick) = (body.hops(), tick_name(&body));
        let message = body.into_message(&record).map_err(|reason| format!("slot {}: {reason}", record.slot))?;
        begin_message(file, module, &message, tick.as_ref(), &mut progress).map_err(failed)?;
        let outcome = handle(file, module, env, &message)?;
        if let Ok(Effects { wake_at_ms: Some(at_ms), .. }) = &outcome {
            progress.alarm = Some(alarm(*at_ms, &message, tick.as_ref()));
        }
        faults += usize::from(outcome.is_err());
        file.record(&message, hops, &outcome).map_err(failed)?;
        progress.applied += 1;
    }
    file.set_progress(&progress).map_err(failed)?;
    transaction.commit().map_err(failed)?;
    Ok(Applied { progress, messages, faults })
}

/// What a message would do now; the file stays as it is.
pub(super) fn dry_run(
    file: &ProcessFile,
    module: &dyn Module,
    env: &Env,
    message: &Message,
) -> Result<Result<Effects, String>, String> {
    let transaction = file.begin().map_err(|error| format!("its file cannot be used: {error}"))?;
    let outcome = handle(file, module, env, message);
    transaction.rollback().map_err(|error| format!("its file cannot be used: {error}"))?;
    outcome
}

/// The clock and the time of a tick.
fn tick_name(body: &Body) -> Option<(String, u64)> {
    match body {
        Body::Tick(tick) => Some((tick.name.clone(), tick.due_ms)),
        Body::Item { .. } | Body::Pushed(_) => None,
    }
}

/// What the node notes before the process sees a message: clocks begin with the spawn, and move with their ticks.
fn begin_message(
    file: &ProcessFile,
    module: &dyn Module,
    message: &Message,
    tick: Option<&(String, u64)>,
    progress: &mut Progress,
) -> rusqlite::Result<()> {
    if message.kind == MessageKind::Spawn {
        for cron in module.crons() {
            file.set_clock(cron.action, message.timestamp_ms)?;
        }
    }
    let Some((name, due_ms)) = tick else { return Ok(()) };
    if !name.starts_with(ALARM_PREFIX) {
        return file.set_clock(name, *due_ms);
    }
    if progress.alarm.is_some_and(|alarm| alarm_name(alarm.set_slot) == *name) {
        progress.alarm = None;
    }
    Ok(())
}

/// The alarm that a message set. One that was set by the alarm before it keeps a distance, or a process could wake itself
/// without end.
fn alarm(at_ms: u64, message: &Message, tick: Option<&(String, u64)>) -> Alarm {
    let woken = tick.is_some_and(|(name, _)| name.starts_with(ALARM_PREFIX));
    let earliest_ms = if woken { message.timestamp_ms + limits::ALARM_PAUSE_MS } else { 0 };
    Alarm { at_ms: at_ms.max(earliest_ms), set_slot: message.slot }
}

/// One message within its savepoint: its effects, or the text of the fault that undid it.
fn handle(
    file: &ProcessFile,
    module: &dyn Module,
    env: &Env,
    message: &Message,
) -> Result<Result<Effects, String>, String> {
    let failed = |error: rusqlite::Error| format!("its file cannot be written: {error}");
    let run = |sql: &'static str| file.database().connection().prepare_cached(sql)?.execute([]).map(drop);
    run("SAVEPOINT message").map_err(failed)?;
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        file.database().handle(|store| match message.kind {
            MessageKind::Spawn => module.spawn(store, message, env),
            _ => module.handle(store, message, env),
        })
    }));
    let outcome = match outcome {
        Ok(outcome) => outcome.and_then(within_limits),
        Err(_) => return Err(format!("its module '{}' panicked in slot {}", module.name(), message.slot)),
    };
    match outcome {
        Ok(effects) => {
            run("RELEASE message").map_err(failed)?;
            Ok(Ok(effects))
        }
        Err(fault) if fault.is_of_the_machine() => Err(format!("slot {}: {fault}", message.slot)),
        Err(fault) => {
            run("ROLLBACK TO message").map_err(failed)?;
            run("RELEASE message").map_err(failed)?;
            Ok(Err(fault.to_string()))
        }
    }
}

/// Refuses effects over the limits of an outbox.
fn within_limits(effects: Effects) -> Result<Effects, Fault> {
    let count = effects.messages.len() + effects.spawns.len();
    if count > limits::OUTBOX_MESSAGES_MAX {
        let max = limits::OUTBOX_MESSAGES_MAX;
        return Err(Fault::Refused(format!("this message would send {count} messages, and {max} are the limit")));
    }
    let messages = effects.messages.iter().map(|message| (&message.tags, &message.data));
    let spawns = effects.spawns.iter().map(|spawn| (&spawn.tags, &spawn.data));
    let bytes: usize = messages
        .chain(spawns)
        .map(|(tags, data)| data.len() + tags.iter().map(|tag| tag.name.len() + tag.value.len()).sum::<usize>())
        .sum();
    if bytes > limits::OUTBOX_BYTES_MAX {
        let max = limits::OUTBOX_BYTES_MAX;
        return Err(Fault::Refused(format!("this message would send {bytes} bytes, and {max} are the limit")));
    }
    Ok(effects)
}
