//! A whole world of processes in memory, for tests: the real modules over real SQLite, a queue of pushed messages, a clock
//! that the test owns, wallets with inboxes, and the actor of the node that looks at model files. There are no threads,
//! sockets or waits, so a month of a pool takes milliseconds and the same steps give the same world.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part of the harness")]

mod actor;
pub mod contest;
pub mod money;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ao::{Effects, Id, Message, MessageKind, Outgoing, Tags, hash_parts};
use processes::limits::MEMO_BYTES_MAX;
use processes::{Database, Env, Memo, Module, Store, module_by_name};
use rusqlite::Connection;

pub use actor::facts;

/// When a world begins: 2026-01-01 00:00 UTC, milliseconds since 1970.
pub const BEGINNING_MS: u64 = 1_767_225_600_000;
pub const SECOND_MS: u64 = 1_000;
pub const MINUTE_MS: u64 = 60 * SECOND_MS;
pub const HOUR_MS: u64 = 60 * MINUTE_MS;
pub const DAY_MS: u64 = 24 * HOUR_MS;

/// Deliveries after which a test that does not come to rest is stopped: two processes answer each other for ever.
const DELIVERIES_MAX: usize = 200_000;

/// What handling a message gave: effects, or the text of the fault.
pub type Outcome = Result<Effects, String>;

/// A message on its way.
#[derive(Debug, Clone)]
pub struct Letter {
    pub id: Id,
    pub from: Id,
    pub owner: Id,
    pub target: Id,
    pub kind: MessageKind,
    pub pushed_for: Id,
    pub tags: Tags,
    pub data: Vec<u8>,
}

/// One process with its database and clocks.
struct Running {
    module: &'static dyn Module,
    env: Env,
    database: Database,
    messages: Vec<Message>,
    outcomes: Vec<Outcome>,
    slots: BTreeMap<Id, usize>,
    timestamp_ms: u64,
    ticks_ms: Vec<u64>,
    alarm_ms: Option<u64>,
}

/// A world: processes, wallets, messages on their way, and a clock.
pub struct World {
    pub now_ms: u64,
    pub node: Id,
    /// Whether a message that a process has already seen is dropped, as the log of a node does. A test that wants to see
    /// what the handlers themselves do with duplicates switches it off.
    pub deduplicate: bool,
    /// The same for single processes: these are given a message again when it comes again.
    pub repeats: BTreeSet<Id>,
    /// Whether a process that asked for it hears that its receiver could not handle a message, as from a node. Where a test
    /// plays a process by one that understands nothing, it does not.
    pub tells_faults: bool,
    /// Checked after every message; see [`money::check`].
    pub check_money: bool,
    /// Money that reached a process by `Cast` transfers, which send no notice: (token, process) -> units.
    pub cast: BTreeMap<(Id, Id), u128>,
    processes: BTreeMap<Id, Running>,
    queue: VecDeque<Letter>,
    delayed: Vec<Letter>,
    stand_ins: BTreeSet<Id>,
    inboxes: BTreeMap<Id, Vec<Letter>>,
    models: BTreeMap<Id, Result<String, String>>,
    contents: BTreeMap<Id, Result<Vec<u8>, String>>,
    items: u64,
    deliveries: usize,
}

/// The address of a wallet, by a name.
pub fn wallet(name: &str) -> Id {
    hash_parts(&[b"wallet", name.as_bytes()])
}

/// The id of an uploaded model or data file, by a name.
pub fn upload(name: &str) -> Id {
    hash_parts(&[b"upload", name.as_bytes()])
}

/// Tags from pairs.
pub fn tags(pairs: &[(&str, &str)]) -> Tags {
    pairs.iter().fold(Tags::new(), |tags, (name, value)| tags.with(*name, *value))
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

impl World {
    /// An empty world.
    pub fn new() -> Self {
        Self {
            now_ms: BEGINNING_MS,
            node: wallet("the node"),
            deduplicate: true,
            repeats: BTreeSet::new(),
            tells_faults: false,
            check_money: true,
            cast: BTreeMap::new(),
            processes: BTreeMap::new(),
            queue: VecDeque::new(),
            delayed: Vec::new(),
            stand_ins: BTreeSet::new(),
            inboxes: BTreeMap::new(),
            models: BTreeMap::new(),
            contents: BTreeMap::new(),
            items: 0,
            deliveries: 0,
        }
    }

    // --- spawning -----------------------------------------------------------------------------------------------------

    /// Spawns a process of a native module; panics with the fault if it refuses.
    pub fn spawn(&mut self, module: &str, owner: Id, pairs: &[(&str, &str)], data: &str) -> Id {
        self.try_spawn(module, owner, pairs, data).unwrap_or_else(|fault| panic!("{module} did not spawn: {fault}"))
    }

    /// Spawns a process of a native module, or says why it refused.
    pub fn try_spawn(&mut self, module: &str, owner: Id, pairs: &[(&str, &str)], data: &str) -> Result<Id, String> {
        let module = module_by_name(module).expect("a native module");
        let process = self.fresh_id("process");
        let env = Env { process, owner, tags: tags(pairs), node: self.node };
        let database = Database::new(Connection::open_in_memory().unwrap(), Memo::new(MEMO_BYTES_MAX)).unwrap();
        let ticks_ms = module.crons().iter().map(|cron| self.now_ms + cron.every_ms).collect();
        let running = Running {
            module,
            env,
            database,
            messages: Vec::new(),
            outcomes: Vec::new(),
            slots: BTreeMap::new(),
            timestamp_ms: 0,
            ticks_ms,
            alarm_ms: None,
        };
        self.processes.insert(process, running);
        let letter = Letter {
            id: process,
            from: owner,
            owner,
            target: process,
            kind: MessageKind::Spawn,
            pushed_for: process,
            tags: tags(pairs),
            data: data.as_bytes().to_vec(),
        };
        if let Some(Err(fault)) = self.deliver(letter) {
            self.processes.remove(&process);
            return Err(fault);
        }
        self.run();
        Ok(process)
    }

    /// The address of a process that a test plays by itself: what is sent there lands in its inbox.
    pub fn stand_in(&mut self, name: &str) -> Id {
        let id = hash_parts(&[b"stand-in", name.as_bytes()]);
        self.stand_ins.insert(id);
        id
    }

    // --- sending ------------------------------------------------------------------------------------------------------

    /// A wallet sends a message; everything that follows from it is delivered before this returns.
    pub fn send(&mut self, from: Id, target: Id, pairs: &[(&str, &str)], data: impl Into<Vec<u8>>) -> Outcome {
        let id = self.post(from, target, pairs, data);
        self.run();
        self.outcome(target, id).unwrap_or_else(|| Ok(Effects::none()))
    }

    /// A wallet sends a message that waits in the queue until [`World::run`]. Its id.
    pub fn post(&mut self, from: Id, target: Id, pairs: &[(&str, &str)], data: impl Into<Vec<u8>>) -> Id {
        let id = self.fresh_id("item");
        let (tags, data) = (tags(pairs), data.into());
        let letter = Letter { id, from, owner: from, target, kind: MessageKind::Item, pushed_for: id, tags, data };
        self.queue.push_back(letter);
        id
    }

    /// A message as if a process of this node had sent it: for forged and repeated answers. Its id.
    pub fn post_from_process(&mut self, from: Id, target: Id, pairs: &[(&str, &str)], data: impl Into<Vec<u8>>) -> Id {
        let id = self.post(from, target, pairs, data);
        self.queue.back_mut().unwrap().kind = MessageKind::Pushed;
        id
    }

    /// The same as [`World::post_from_process`], delivered with all that follows.
    pub fn send_from_process(
        &mut self,
        from: Id,
        target: Id,
        pairs: &[(&str, &str)],
        data: impl Into<Vec<u8>>,
    ) -> Outcome {
        let id = self.post_from_process(from, target, pairs, data);
        self.run();
        self.outcome(target, id).unwrap_or_else(|| Ok(Effects::none()))
    }

    /// The answer of a process without any effect.
    pub fn dry_run(&mut self, from: Id, target: Id, pairs: &[(&str, &str)], data: impl Into<Vec<u8>>) -> Outcome {
        let id = self.fresh_id("dry-run");
        let running = self.processes.get_mut(&target).expect("a process");
        let message = Message {
            id,
            from,
            owner: from,
            target,
            kind: MessageKind::Item,
            slot: running.messages.len() as u64,
            timestamp_ms: self.now_ms.max(running.timestamp_ms),
            block_height: 0,
            pushed_for: id,
            anchor: String::new(),
            tags: tags(pairs),
            data: data.into(),
            read_only: true,
        };
        running.database.connection().execute_batch("SAVEPOINT dry_run").unwrap();
        let outcome = running.database.handle(|store| running.module.handle(store, &message, &running.env));
        running.database.connection().execute_batch("ROLLBACK TO dry_run; RELEASE dry_run").unwrap();
        outcome.map_err(|fault| fault.to_string())
    }

    /// What a read action answers, as JSON.
    pub fn read(&mut self, target: Id, pairs: &[(&str, &str)], data: impl Into<Vec<u8>>) -> serde_json::Value {
        let effects = self.dry_run(wallet("a reader"), target, pairs, data).expect("an answer");
        serde_json::from_str(&effects.output.data).unwrap_or_else(|error| panic!("{error}: {}", effects.output.data))
    }

    // --- delivering ---------------------------------------------------------------------------------------------------

    /// Delivers messages in the order in which they were sent until none is left.
    pub fn run(&mut self) {
        while let Some(letter) = self.queue.pop_front() {
            self.deliver(letter);
        }
    }

    /// The messages on their way.
    pub fn queue(&self) -> &VecDeque<Letter> {
        &self.queue
    }

    /// Delivers the message at `place` of the queue, ahead of those before it. Whether there was one.
    pub fn deliver_at(&mut self, place: usize) -> bool {
        let Some(letter) = self.queue.remove(place) else { return false };
        self.deliver(letter);
        true
    }

    /// Puts a copy of the message at `place` at the end of the queue, with the same identity.
    pub fn duplicate_at(&mut self, place: usize) {
        if let Some(letter) = self.queue.get(place).cloned() {
            self.queue.push_back(letter);
        }
    }

    /// Keeps the message at `place` of the queue back until [`World::release`].
    pub fn delay_at(&mut self, place: usize) {
        self.delayed.extend(self.queue.remove(place));
    }

    /// Puts the messages that were kept back at the end of the queue.
    pub fn release(&mut self) {
        self.queue.extend(self.delayed.drain(..));
    }

    /// The messages that are on their way, kept back ones too, that their process has not seen yet; each once.
    pub fn unseen(&self) -> BTreeMap<Id, &Letter> {
        let letters = self.queue.iter().chain(&self.delayed);
        let unseen = letters.filter(|letter| {
            self.processes.get(&letter.target).is_none_or(|running| !running.slots.contains_key(&letter.id))
        });
        unseen.map(|letter| (letter.id, letter)).collect()
    }

    /// Delivers one message; the outcome if it was for a process that had not seen it.
    pub fn deliver(&mut self, letter: Letter) -> Option<Outcome> {
        self.deliveries += 1;
        assert!(self.deliveries < DELIVERIES_MAX, "the world does not come to rest: {letter:?}");
        let outcome = if self.processes.contains_key(&letter.target) {
            let outcome = self.deliver_to_process(letter.clone());
            if let (true, Some(Err(fault))) = (self.tells_faults, &outcome) {
                let undeliverable = self.undeliverable(&letter, Some(fault));
                self.queue.extend(undeliverable);
            }
            outcome
        } else if letter.target == self.node {
            let answer = self.node_answers(&letter);
            self.queue.extend(answer);
            None
        } else {
            let undeliverable = self.undeliverable(&letter, None);
            self.inboxes.entry(letter.target).or_default().push(letter);
            self.queue.extend(undeliverable);
            None
        };
        if self.check_money {
            money::check(self);
        }
        outcome
    }

    fn deliver_to_process(&mut self, letter: Letter) -> Option<Outcome> {
        let running = self.processes.get_mut(&letter.target)?;
        let drops_repeated = self.deduplicate && !self.repeats.contains(&letter.target);
        if drops_repeated && running.slots.contains_key(&letter.id) {
            return None;
        }
        let slot = running.messages.len();
        running.timestamp_ms = self.now_ms.max(running.timestamp_ms + 1);
        let message = Message {
            id: letter.id,
            from: letter.from,
            owner: letter.owner,
            target: letter.target,
            kind: letter.kind,
            slot: slot as u64,
            timestamp_ms: running.timestamp_ms,
            block_height: 0,
            pushed_for: letter.pushed_for,
            anchor: String::new(),
            tags: letter.tags,
            data: letter.data,
            read_only: false,
        };
        let outcome = running.apply(&message);
        if let Ok(effects) = &outcome {
            assert!(effects.messages.len() <= 100, "{} sent more than 100 messages", message.action());
            if effects.wake_at_ms.is_some() {
                running.alarm_ms = effects.wake_at_ms;
            }
            let sender = letter.target;
            let pushed =
                effects.messages.iter().zip(0..).map(|(outgoing, index)| pushed(sender, &message, index, outgoing));
            self.queue.extend(pushed);
        }
        running.slots.entry(letter.id).or_insert(slot);
        running.messages.push(message);
        running.outcomes.push(outcome.clone());
        Some(outcome)
    }

    // --- time ---------------------------------------------------------------------------------------------------------

    /// Lets time pass, with every tick and alarm at its moment and all that follows from it.
    pub fn advance(&mut self, by_ms: u64) {
        self.run();
        let until_ms = self.now_ms + by_ms;
        while let Some((due_ms, process, clock)) = self.next_due().filter(|(due_ms, ..)| *due_ms <= until_ms) {
            self.now_ms = self.now_ms.max(due_ms);
            self.tick(process, clock, due_ms, 1);
            self.run();
        }
        self.now_ms = until_ms;
    }

    /// Jumps over time, as a node that was down does: ticks missed become one tick with a `Count`.
    pub fn warp(&mut self, by_ms: u64) {
        self.run();
        self.now_ms += by_ms;
        while let Some((due_ms, process, clock)) = self.next_due().filter(|(due_ms, ..)| *due_ms <= self.now_ms) {
            let every_ms =
                clock.and_then(|place| self.processes[&process].module.crons().get(place)).map(|cron| cron.every_ms);
            let missed = every_ms.map_or(0, |every_ms| (self.now_ms - due_ms) / every_ms);
            self.tick(process, clock, due_ms + missed * every_ms.unwrap_or_default(), missed + 1);
            self.run();
        }
    }

    /// The earliest tick or alarm: when, whose, and which clock (nothing for the alarm).
    fn next_due(&self) -> Option<(u64, Id, Option<usize>)> {
        let ticks = self.processes.iter().flat_map(|(id, running)| {
            running.ticks_ms.iter().enumerate().map(move |(clock, due_ms)| (*due_ms, *id, Some(clock)))
        });
        let alarms =
            self.processes.iter().filter_map(|(id, running)| running.alarm_ms.map(|due_ms| (due_ms, *id, None)));
        ticks.chain(alarms).min()
    }

    fn tick(&mut self, process: Id, clock: Option<usize>, due_ms: u64, count: u64) {
        let running = self.processes.get_mut(&process).unwrap();
        let action = if let Some(place) = clock {
            let cron = running.module.crons()[place];
            running.ticks_ms[place] = due_ms + cron.every_ms;
            cron.action
        } else {
            running.alarm_ms = None;
            "Wake"
        };
        let id = hash_parts(&[b"tick", process.as_bytes(), &self.deliveries.to_le_bytes()]);
        let tags = tags(&[("Action", action), ("Count", &count.to_string())]);
        let kind = MessageKind::Cron;
        let data = Vec::new();
        self.deliver(Letter { id, from: process, owner: process, target: process, kind, pushed_for: id, tags, data });
    }

    /// When the alarm of a process rings.
    pub fn alarm_ms(&self, process: Id) -> Option<u64> {
        self.processes[&process].alarm_ms
    }

    // --- looking ------------------------------------------------------------------------------------------------------

    /// What handling the message gave, if the process has seen it.
    pub fn outcome(&self, process: Id, message: Id) -> Option<Outcome> {
        let running = self.processes.get(&process)?;
        running.slots.get(&message).map(|slot| running.outcomes[*slot].clone())
    }

    /// The messages that a process was given, with what came of each.
    pub fn history(&self, process: Id) -> impl Iterator<Item = (&Message, &Outcome)> {
        let running = &self.processes[&process];
        running.messages.iter().zip(&running.outcomes)
    }

    /// The ids of all processes of a module.
    pub fn processes_of(&self, module: &str) -> Vec<Id> {
        self.processes.iter().filter(|(_, running)| running.module.name() == module).map(|(id, _)| *id).collect()
    }

    /// The spawn tags and addresses of a process.
    pub fn env(&self, process: Id) -> &Env {
        &self.processes[&process].env
    }

    /// Reads the tables of a process.
    pub fn tables<T>(&self, process: Id, read: impl FnOnce(&mut Store<'_>) -> T) -> T {
        self.processes[&process].database.handle(read)
    }

    /// The database of a process, for SQL of a test.
    pub fn connection(&self, process: Id) -> &Connection {
        self.processes[&process].database.connection()
    }

    /// Everything that reached an address that is no process, oldest first.
    pub fn inbox(&self, address: Id) -> &[Letter] {
        self.inboxes.get(&address).map_or(&[], Vec::as_slice)
    }

    /// The newest message of that action in an inbox.
    pub fn newest(&self, address: Id, action: &str) -> Option<&Letter> {
        self.inbox(address).iter().rev().find(|letter| letter.action() == action)
    }

    fn fresh_id(&mut self, kind: &str) -> Id {
        self.items += 1;
        hash_parts(&[kind.as_bytes(), &self.items.to_le_bytes()])
    }
}

impl Running {
    /// Hands the message to the module inside a savepoint, as the node does: a fault leaves the tables as they were.
    fn apply(&self, message: &Message) -> Outcome {
        let connection = self.database.connection();
        connection.execute_batch("SAVEPOINT message").unwrap();
        let outcome = self.database.handle(|store| {
            if message.kind == MessageKind::Spawn {
                self.module.spawn(store, message, &self.env)
            } else {
                self.module.handle(store, message, &self.env)
            }
        });
        let end = if outcome.is_ok() { "RELEASE message" } else { "ROLLBACK TO message; RELEASE message" };
        connection.execute_batch(end).unwrap();
        outcome.map_err(|fault| fault.to_string())
    }
}

impl Letter {
    /// The `Action` tag.
    pub fn action(&self) -> &str {
        self.tags.get("Action").unwrap_or_default()
    }

    /// The first tag of that name.
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags.get(name)
    }

    /// The data as text.
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.data).unwrap()
    }
}

fn pushed(sender: Id, cause: &Message, index: u32, outgoing: &Outgoing) -> Letter {
    Letter {
        id: Message::pushed_id(&sender, cause.slot, index),
        from: sender,
        owner: sender,
        target: outgoing.target,
        kind: MessageKind::Pushed,
        pushed_for: cause.pushed_for,
        tags: outgoing.tags.clone(),
        data: outgoing.data.clone(),
    }
}

/// The texts of a set of ids, for messages of assertions.
pub fn texts(ids: &BTreeSet<Id>) -> Vec<String> {
    ids.iter().map(ToString::to_string).collect()
}

/// The id of something, by a name, as text.
pub fn hash(name: &str) -> String {
    upload(name).to_string()
}
