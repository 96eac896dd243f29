//! A process that runs a module: its instance while it is hot, its snapshots while it is not.
//!
//! After a message that failed the state is that before it. Taking a copy before each message would cost more than the
//! message, so a copy (`base`) is taken now and then, and what was handled since is handled again after a failure.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use ao::{Effects, Id, Message, Tags};
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

impl Failure {
    /// What went wrong, for who asked.
    fn reason(self) -> String {
        match self {
            Self::Message(reason) | Self::Machine(reason) => reason,
        }
    }
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
    sandbox: OnceLock<Result<Sandbox, Failure>>,
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
    /// Bytes of the pages of `base`.
    held_bytes: usize,
    /// What was handled since `base`.
    since: Vec<Input>,
    work: Duration,
    /// What the file of the process has.
    written: Option<Image>,
    unwritten: usize,
    unwritten_work: Duration,
    /// Of the last message, where they are counted.
    instructions: u64,
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

    /// Its module.
    pub(crate) const fn module(&self) -> Id {
        self.module.id
    }

    /// Its clocks.
    pub(crate) fn crons(&self) -> &[Cron] {
        &self.crons
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sandbox(&self) -> Result<&Sandbox, Failure> {
        let made = self.sandbox.get_or_init(|| {
            let admissible = Arc::new(Admissible::of(&self.env.tags, &self.module.tags));
            self.host.sandbox(&self.module, admissible)
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
            Err(Failure::Message(reason)) => {
                *state = State::Broken(reason);
                return Ok(());
            }
            Err(Failure::Machine(reason)) => return Err(reason),
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
        let sandbox = self.sandbox()?;
        let input = self.input(message);
        if message.read_only {
            hot.keep();
        }
        let began = Instant::now();
        let answer = hot.instance.handle(&input.message, &self.environment, input.now_ms, sandbox);
        hot.instructions = hot.instance.fuel_used();
        let gas_used = hot.instructions;
        let counted = |effects| Effects { gas_used, ..effects };
        let outcome = answer.and_then(|json| answer::effects(&json)).map(counted).and_then(accept);
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
        self.host.used(self.env.process, hot.held_bytes, hot.unwritten > 0);
        Ok(())
    }

    /// Its memory as it is now, and the last slot that it has handled.
    pub(crate) fn memory(&self) -> Result<(u64, Image), String> {
        match &mut *self.state() {
            State::Hot(hot) => {
                let slot = hot.slot.ok_or("it has not handled its spawn yet")?;
                Ok((slot, hot.instance.image(&hot.base)))
            }
            State::Broken(reason) => Err(reason.clone()),
            State::Cold => Err("its memory was not read".to_owned()),
        }
    }

    /// Puts it aside: a snapshot is written, and the instance ends.
    pub(crate) fn rest(&self, connection: &Connection) -> Result<(), String> {
        let mut state = self.state();
        self.host.rested(&self.env.process);
        let State::Hot(mut hot) = std::mem::replace(&mut *state, State::Cold) else { return Ok(()) };
        hot.write_if_new(connection)
    }

    /// Writes a snapshot, if there is anything new in it.
    pub(crate) fn save(&self, connection: &Connection) -> Result<(), String> {
        match &mut *self.state() {
            State::Hot(hot) => hot.write_if_new(connection),
            State::Cold | State::Broken(_) => Ok(()),
        }
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
            held_bytes: base.held_bytes(),
            base,
            since: Vec::new(),
            work: Duration::ZERO,
            written,
            unwritten: 0,
            unwritten_work: Duration::ZERO,
            instructions: 0,
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
            self.held_bytes = self.base.held_bytes();
            self.since.clear();
            self.work = Duration::ZERO;
        }
    }

    /// Goes back to the state before the message that failed.
    fn undo(&mut self, sandbox: &Sandbox, environment: &str) -> Result<(), String> {
        if !self.instance.go_back(&self.base)? {
            self.instance = Instance::at(sandbox, &self.base)?;
        }
        for input in &self.since {
            self.instance
                .handle(&input.message, environment, input.now_ms, sandbox)
                .map_err(|reason| format!("a message failed when it was run again: {reason}"))?;
        }
        // The next failure must not cost this again.
        self.keep();
        Ok(())
    }

    /// In a transaction of its own.
    fn write_if_new(&mut self, connection: &Connection) -> Result<(), String> {
        if self.unwritten == 0 {
            return Ok(());
        }
        connection.execute_batch("BEGIN IMMEDIATE").map_err(|error| error.to_string())?;
        let written = self.write(connection);
        let end = if written.is_ok() { "COMMIT" } else { "ROLLBACK" };
        let ended = connection.execute_batch(end);
        written.and(ended).map_err(|error| error.to_string())
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
impl Process {
    /// Starts the module.
    pub(super) fn boot(&self) -> Result<(), String> {
        let sandbox = self.sandbox().map_err(Failure::reason)?;
        let mut instance = Instance::boot(sandbox)?;
        let base = instance.image(&Image::default());
        *self.state() = State::Hot(Box::new(Hot::new(instance, None, base, None)));
        Ok(())
    }

    /// Handles a message.
    pub(super) fn attempt(&self, message: &Message) -> Result<Effects, String> {
        self.handle(message, Ok).map_err(Failure::reason)
    }

    /// Instructions of the last message, where they are counted.
    pub(super) fn instructions(&self) -> u64 {
        match &*self.state() {
            State::Hot(hot) => hot.instructions,
            State::Cold | State::Broken(_) => 0,
        }
    }

    /// A message as the module is given it.
    pub(super) fn given(&self, message: &Message) -> String {
        self.input(message).message
    }

    /// What it knows of itself, as the module is given it.
    pub(super) fn environment(&self) -> &str {
        &self.environment
    }

    /// The tags of its spawn.
    pub(super) const fn tags(&self) -> &Tags {
        &self.env.tags
    }
}

#[cfg(test)]
mod tests {
    use ao::{Id, MessageKind};
    use tempfile::TempDir;

    use super::*;
    use crate::wasm::{WasmSettings, library};

    /// A counter in a global and in memory. Each 16 messages it takes another page. A message whose timestamp is odd fails
    /// after it has counted.
    const COUNTER: &str = r#"(module
        (import "env" "emscripten_date_now" (func $now (result f64)))
        (memory (export "memory") i64 4 64)
        (global $stack (mut i64) (i64.const 131072))
        (global $count (mut i64) (i64.const 0))
        (func (export "emscripten_stack_get_current") (result i64) (global.get $stack))
        (func (export "_emscripten_stack_restore") (param i64) (global.set $stack (local.get 0)))
        (func (export "_emscripten_stack_alloc") (param i64) (result i64)
            (global.set $stack (i64.sub (global.get $stack) (local.get 0))) (global.get $stack))
        (data (i64.const 1024) "{\"ok\":true,\"response\":{\"Output\":\"well\"}}\00")
        (func (export "handle") (param i64 i64) (result i64)
            (global.set $count (i64.add (global.get $count) (i64.const 1)))
            (i64.store (i64.const 200000) (global.get $count))
            (if (i64.eqz (i64.rem_u (global.get $count) (i64.const 16))) (then
                (i64.store (i64.mul (memory.grow (i64.const 1)) (i64.const 65536)) (global.get $count))))
            (if (i64.eq (i64.rem_u (i64.trunc_f64_u (call $now)) (i64.const 2)) (i64.const 1)) (then unreachable))
            (i64.const 1024)))"#;

    fn process(data: &TempDir) -> Process {
        let file = data.path().join("counter.wasm");
        std::fs::write(&file, wat::parse_str(COUNTER).unwrap()).unwrap();
        let id = Id::new([9; 32]);
        library::add_module(data.path(), id, &file, Tags::new()).unwrap();
        let host = Arc::new(Host::new(data.path(), None, WasmSettings::default()));
        let env = Env { process: Id::new([1; 32]), owner: Id::new([2; 32]), tags: Tags::new(), node: Id::new([3; 32]) };
        host.process(&id, env).unwrap().unwrap()
    }

    fn sent(slot: u64) -> Message {
        let someone = Id::new([2; 32]);
        Message {
            id: Id::new([4; 32]),
            from: someone,
            owner: someone,
            target: Id::new([1; 32]),
            kind: if slot == 0 { MessageKind::Spawn } else { MessageKind::Item },
            slot,
            timestamp_ms: slot * 2 + u64::from(slot % 5 == 3),
            block_height: 1,
            pushed_for: someone,
            anchor: String::new(),
            tags: Tags::new(),
            data: Vec::new(),
            read_only: false,
        }
    }

    fn file() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE node_results (slot INTEGER PRIMARY KEY, fault TEXT)").unwrap();
        connection
    }

    /// Handles slots as the runtime does.
    fn run(process: &Process, file: &Connection, slots: std::ops::Range<u64>) {
        for slot in slots {
            let outcome = process.handle(&sent(slot), Ok);
            let fault = match outcome {
                Ok(_) => None,
                Err(Failure::Message(reason)) => Some(reason),
                Err(Failure::Machine(reason)) => panic!("slot {slot}: {reason}"),
            };
            assert_eq!(fault.is_some(), slot % 5 == 3, "slot {slot}: {fault:?}");
            file.execute("INSERT INTO node_results (slot, fault) VALUES (?, ?)", (slot as i64, fault)).unwrap();
            process.settle(file).unwrap();
        }
    }

    fn wake(process: &Process, file: &Connection, applied: Option<u64>) -> usize {
        let mut read = 0;
        let log = |from: u64| {
            read += 1;
            Ok((from..from + 10).map(sent).collect())
        };
        process.wake(file, applied, log).unwrap();
        read
    }

    fn state(process: &Process) -> [u8; 32] {
        let mut state = process.state();
        let State::Hot(hot) = &mut *state else { panic!("it is not in memory") };
        hot.keep();
        hot.base.hash()
    }

    #[test]
    fn a_process_comes_back_to_the_same_state_from_a_snapshot_and_from_nothing() {
        let data = TempDir::new().unwrap();
        let last = limits::WASM_SNAPSHOT_MESSAGES as u64 * 3 / 2;
        let (first, first_file) = (process(&data), file());
        wake(&first, &first_file, None);
        run(&first, &first_file, 0..last + 1);
        let expected = state(&first);
        // A crash: the instance is gone, and the file has the snapshot of some time ago.
        first.forget();
        let batches = wake(&first, &first_file, Some(last));
        assert!(batches > 0 && batches < last as usize / 10, "{batches} batches were run again");
        assert_eq!(state(&first), expected);
        // A snapshot that is damaged is as good as none.
        first_file
            .execute("UPDATE node_memory SET data = zeroblob(9) WHERE page = (SELECT min(page) FROM node_memory)", ())
            .unwrap();
        first.forget();
        assert!(wake(&first, &first_file, Some(last)) >= last as usize / 10);
        assert_eq!(state(&first), expected);
        // Put aside in good order, nothing is run again.
        first.rest(&first_file).unwrap();
        assert_eq!(wake(&first, &first_file, Some(last)), 0);
        assert_eq!(state(&first), expected);
        run(&first, &first_file, last + 1..last + 40);
        // Another that never stopped.
        let (second, second_file) = (process(&data), file());
        wake(&second, &second_file, None);
        run(&second, &second_file, 0..last + 40);
        assert_eq!(state(&second), state(&first));
    }

    #[test]
    fn what_is_refused_or_only_asked_leaves_nothing() {
        let data = TempDir::new().unwrap();
        let (process, file) = (process(&data), file());
        wake(&process, &file, None);
        run(&process, &file, 0..3);
        let before = state(&process);
        let refused = process.handle(&sent(4), |_| Err("too much".to_owned()));
        assert_eq!(refused, Err(Failure::Message("too much".to_owned())));
        assert_eq!(state(&process), before);
        assert!(process.handle(&Message { read_only: true, ..sent(4) }, Ok).is_ok());
        assert_eq!(state(&process), before);
    }
}
