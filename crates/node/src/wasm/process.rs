//! A process that runs a module: its instance while it is hot, its snapshots while it is not.
//!
//! After a message that failed the state is that before it. Taking a copy before each message would cost more than the
//! message, so a copy (`base`) is taken now and then, and what was handled since is handled again after a failure.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ao::{Effects, Message};
use processes::Env;
use rusqlite::Connection;

use super::crons::{self, Cron};
use super::drive::Admissible;
use super::image::Image;
use super::instance::{Instance, Sandbox};
use super::library::Facts;
use super::{Host, answer, message, snapshot};
use crate::limits;

/// Messages that are handled again after a failure, at most.
const REPEATED_MAX: usize = 64;
/// Work that is done again after a failure, about, at most.
const REPEATED_WORK: Duration = Duration::from_millis(50);

/// Why a message has no effects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The message failed: the same on every replay.
    Message(String),
    /// The machine failed; the process stops.
    Machine(String),
}

/// A process that runs a module.
pub(crate) struct Process {
    host: Arc<Host>,
    env: Env,
    module: Facts,
    name: String,
    crons: Vec<Cron>,
    environment: String,
    /// Compiled when it is first needed: that can take seconds.
    sandbox: OnceLock<Result<Sandbox, String>>,
    state: Mutex<State>,
}

enum State {
    /// In its snapshot and log only.
    Cold,
    Hot(Box<Hot>),
    /// It could not be started; every message is answered with this.
    Broken(String),
}

/// A process in memory.
struct Hot {
    instance: Instance,
    /// The last slot that it has handled.
    slot: Option<u64>,
    base: Image,
    /// What was handled since `base`.
    since: Vec<Input>,
    work: Duration,
    /// What the file of the process has.
    written: Option<Image>,
    unwritten: usize,
    unwritten_work: Duration,
}

struct Input {
    message: String,
    now_ms: u64,
}

impl Process {
    /// A process of a module; nothing runs yet.
    pub(super) fn new(host: Arc<Host>, module: Facts, env: Env) -> Self {
        let name = module.tags.get("Name").map_or_else(|| module.id.to_string(), ToOwned::to_owned);
        let environment = message::environment(&env, &module.id, &module.owner, &module.tags);
        let crons = crons::of(&env.tags);
        let state = Mutex::new(State::Cold);
        Self { host, env, module, name, crons, environment, sandbox: OnceLock::new(), state }
    }

    /// The name of its module, or its id.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Its clocks.
    pub(crate) fn crons(&self) -> &[Cron] {
        &self.crons
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sandbox(&self) -> Result<&Sandbox, String> {
        let made = self.sandbox.get_or_init(|| {
            let admissible = Arc::new(Admissible::of(&self.env.tags, &self.module.tags));
            self.host.sandbox(&self.module, admissible).map_err(|reason| format!("the module cannot run: {reason}"))
        });
        made.as_ref().map_err(Clone::clone)
    }

    /// Brings it to the state after `applied`, from its snapshot and what `read` finds in the log from a slot on.
    pub(crate) fn wake(
        &self,
        connection: &Connection,
        applied: Option<u64>,
        mut read: impl FnMut(u64) -> Result<Vec<Message>, String>,
    ) -> Result<(), String> {
        let mut state = self.state();
        if let State::Hot(hot) = &*state {
            if hot.slot == applied {
                return Ok(());
            }
            tracing::warn!(process = %self.env.process, "a module is not where its process is; it is read anew");
        }
        *state = State::Cold;
        let sandbox = match self.sandbox() {
            Ok(sandbox) => sandbox,
            Err(reason) => {
                *state = State::Broken(reason);
                return Ok(());
            }
        };
        let text = |error: rusqlite::Error| error.to_string();
        let found = if applied.is_some() { snapshot::read(connection).map_err(text)? } else { None };
        let mut hot = match found.filter(|found| Some(found.slot) <= applied) {
            Some(found) => {
                let instance = Instance::at(sandbox, &found.image)?;
                Hot::new(instance, Some(found.slot), found.image.clone(), Some(found.image))
            }
            None => match Instance::boot(sandbox) {
                Ok(mut instance) => {
                    let base = instance.image(&Image::default());
                    Hot::new(instance, None, base, None)
                }
                Err(reason) => {
                    *state = State::Broken(format!("the module cannot run: {reason}"));
                    return Ok(());
                }
            },
        };
        while let Some(applied) = applied.filter(|applied| hot.slot != Some(*applied)) {
            let next = hot.slot.map_or(0, |slot| slot + 1);
            let messages = read(next)?;
            if messages.is_empty() {
                return Err(format!("the log has no slot {next}, which the process has handled"));
            }
            for message in messages.into_iter().filter(|message| message.slot <= applied) {
                hot.slot = Some(message.slot);
                if !failed(connection, message.slot).map_err(text)? {
                    self.again(sandbox, &mut hot, &message)?;
                }
            }
        }
        *state = State::Hot(Box::new(hot));
        Ok(())
    }

    /// Handles a message that was handled well before.
    fn again(&self, sandbox: &Sandbox, hot: &mut Hot, message: &Message) -> Result<(), String> {
        let input = self.input(message);
        hot.instance
            .handle(&input.message, &self.environment, input.now_ms, sandbox)
            .map_err(|reason| format!("slot {} failed when it was run again: {reason}", message.slot))?;
        hot.handled(input, Duration::ZERO);
        Ok(())
    }

    fn input(&self, message: &Message) -> Input {
        Input { message: message::message(message, &self.env, &self.crons), now_ms: message.timestamp_ms }
    }

    /// Lets the module handle a message. What `accept` refuses has not happened. A message that is read-only leaves nothing
    /// behind.
    pub(crate) fn handle(
        &self,
        message: &Message,
        accept: impl FnOnce(Effects) -> Result<Effects, String>,
    ) -> Result<Effects, Failure> {
        let mut state = self.state();
        let hot = match &mut *state {
            State::Hot(hot) => hot,
            State::Broken(reason) => return Err(Failure::Message(reason.clone())),
            State::Cold => return Err(Failure::Machine("the module was not read before its message".to_owned())),
        };
        let sandbox = self.sandbox().map_err(Failure::Machine)?;
        let input = self.input(message);
        if message.read_only {
            hot.keep();
        }
        let began = Instant::now();
        let answer = hot.instance.handle(&input.message, &self.environment, input.now_ms, sandbox);
        let outcome = answer.and_then(|json| answer::effects(&json)).and_then(accept);
        if !message.read_only {
            hot.slot = Some(message.slot);
        }
        if outcome.is_ok() && !message.read_only {
            hot.handled(input, began.elapsed());
        } else if let Err(reason) = hot.undo(sandbox, &self.environment) {
            *state = State::Cold;
            return Err(Failure::Machine(reason));
        }
        outcome.map_err(Failure::Message)
    }

    /// After a batch: writes a snapshot if enough has happened. Within the transaction of the batch.
    pub(crate) fn settle(&self, connection: &Connection) -> Result<(), String> {
        let mut state = self.state();
        let State::Hot(hot) = &mut *state else { return Ok(()) };
        let work_max = Duration::from_millis(limits::WASM_SNAPSHOT_WORK_MS);
        if hot.unwritten >= limits::WASM_SNAPSHOT_MESSAGES || hot.unwritten_work >= work_max {
            hot.write(connection).map_err(|error| error.to_string())?;
        }
        self.host.used(self.env.process, hot.base.held_bytes());
        Ok(())
    }

    /// Puts it aside: a snapshot is written, and the instance ends.
    pub(crate) fn rest(&self, connection: &Connection) -> Result<(), String> {
        let mut state = self.state();
        self.host.rested(&self.env.process);
        let State::Hot(mut hot) = std::mem::replace(&mut *state, State::Cold) else { return Ok(()) };
        if hot.unwritten == 0 {
            return Ok(());
        }
        connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| error.to_string())?;
        let written = hot.write(connection);
        let end = if written.is_ok() { "COMMIT" } else { "ROLLBACK" };
        written.and_then(|()| connection.execute_batch(end)).map_err(|error| error.to_string())
    }

    /// The batch that it is in the middle of is undone: what it has in memory never happened.
    pub(crate) fn forget(&self) {
        self.host.rested(&self.env.process);
        *self.state() = State::Cold;
    }
}

impl Hot {
    fn new(instance: Instance, slot: Option<u64>, base: Image, written: Option<Image>) -> Self {
        Self {
            instance,
            slot,
            base,
            since: Vec::new(),
            work: Duration::ZERO,
            written,
            unwritten: 0,
            unwritten_work: Duration::ZERO,
        }
    }

    /// A message was handled.
    fn handled(&mut self, input: Input, work: Duration) {
        self.since.push(input);
        self.work += work;
        self.unwritten += 1;
        self.unwritten_work += work;
        if self.since.len() >= REPEATED_MAX || self.work >= REPEATED_WORK {
            self.keep();
        }
    }

    /// Takes a copy of the state of now.
    fn keep(&mut self) {
        if !self.since.is_empty() {
            self.base = self.instance.image(&self.base);
            self.since.clear();
            self.work = Duration::ZERO;
        }
    }

    /// Goes back to the state before the message that failed.
    fn undo(&mut self, sandbox: &Sandbox, environment: &str) -> Result<(), String> {
        self.instance = Instance::at(sandbox, &self.base)?;
        for input in &self.since {
            self.instance
                .handle(&input.message, environment, input.now_ms, sandbox)
                .map_err(|reason| format!("a message failed when it was run again: {reason}"))?;
        }
        // The next failure must not cost this again.
        self.keep();
        Ok(())
    }

    fn write(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        let Some(slot) = self.slot else { return Ok(()) };
        self.keep();
        snapshot::write(connection, slot, &self.base, self.written.as_ref())?;
        self.written = Some(self.base.clone());
        self.unwritten = 0;
        self.unwritten_work = Duration::ZERO;
        Ok(())
    }
}

/// Whether the message of a slot failed. It is not run again: it left nothing, and may have taken all the time it could.
fn failed(connection: &Connection, slot: u64) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM node_results WHERE slot = ? AND fault IS NOT NULL";
    connection.prepare_cached(sql)?.query_row([slot as i64], |row| row.get::<_, i64>(0)).map(|count| count > 0)
}

/// A process without a node: no file, no log.
pub(super) struct Trial<'a> {
    process: &'a Process,
    instructions: u64,
}

impl<'a> Trial<'a> {
    /// Starts the module.
    pub(super) fn start(process: &'a Process) -> Result<Self, String> {
        let mut instance = Instance::boot(process.sandbox()?)?;
        let base = instance.image(&Image::default());
        *process.state() = State::Hot(Box::new(Hot::new(instance, None, base, None)));
        Ok(Self { process, instructions: 0 })
    }

    /// Handles a message.
    pub(super) fn handle(&mut self, message: &Message) -> Result<Effects, String> {
        let outcome = self.process.handle(message, Ok);
        if let State::Hot(hot) = &*self.process.state() {
            self.instructions = hot.instance.fuel_used();
        }
        outcome.map_err(|failure| match failure {
            Failure::Message(reason) | Failure::Machine(reason) => reason,
        })
    }

    /// Instructions of the last message, where they are counted.
    pub(super) const fn instructions(&self) -> u64 {
        self.instructions
    }
}
