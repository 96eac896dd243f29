//! A module without a node around it: for measurements, and for comparisons with other hosts of the same module.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ao::{Effects, Id, Message, MessageKind, Tags};
use processes::Env;

use super::{Host, Process, WasmSettings, library};

/// The process of a trial.
const PROCESS: Id = Id::new([1; 32]);
/// When the spawn of a trial is, milliseconds since 1970; each message after it is a second later.
const BEGIN_MS: u64 = 1_767_225_600_000;

/// A message of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Who signed it.
    pub from: Id,
    /// Its tags.
    pub tags: Tags,
    /// Its data.
    pub data: Vec<u8>,
}

/// A process of a module, without a file and without a log.
pub struct Trial {
    process: Process,
    slot: u64,
    instructions: u64,
}

impl std::fmt::Debug for Trial {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Trial").field("slot", &self.slot).finish_non_exhaustive()
    }
}

impl Trial {
    /// Who owns the process.
    pub const OWNER: Id = Id::new([2; 32]);

    /// A process of the module in a file, which has not been given a message. `data` is a directory where the compiled
    /// module may be kept.
    pub fn start(data: &Path, module: &Path, settings: WasmSettings) -> Result<Self, String> {
        let id = ao::hash_parts(&[b"aobench wasm bench", module.as_os_str().as_encoded_bytes()]);
        library::add_module(data, id, module, Tags::new()).map_err(|error| error.to_string())?;
        let host = Arc::new(Host::new(data, None, settings));
        let tags = Tags::new().with("Name", "bench").with("Module", id.to_string());
        let env = Env { process: PROCESS, owner: Self::OWNER, tags, node: Id::new([3; 32]) };
        let process = host.process(&id, env)?.ok_or("the module was not added")?;
        process.boot()?;
        Ok(Self { process, slot: 0, instructions: 0 })
    }

    /// The message that spawns the process: the first.
    pub fn spawn(&self) -> Sent {
        Sent { from: Self::OWNER, tags: self.process.tags().clone(), data: Vec::new() }
    }

    /// The JSON that the module is given with each message: what the process knows of itself.
    pub fn environment(&self) -> &str {
        self.process.environment()
    }

    /// The JSON of the next message, as the module will be given it.
    pub fn given(&self, sent: &Sent) -> String {
        self.process.given(&self.message(sent))
    }

    /// Handles the next message.
    pub fn handle(&mut self, sent: &Sent) -> Result<Effects, String> {
        let message = self.message(sent);
        self.slot += 1;
        let outcome = self.process.attempt(&message);
        self.instructions = self.process.instructions();
        outcome
    }

    /// Instructions of the last message, where they are counted.
    pub const fn instructions(&self) -> u64 {
        self.instructions
    }

    fn message(&self, sent: &Sent) -> Message {
        let slot = self.slot;
        Message {
            id: if slot == 0 { PROCESS } else { ao::hash_parts(&[b"message", &slot.to_le_bytes()]) },
            from: sent.from,
            owner: sent.from,
            target: PROCESS,
            kind: if slot == 0 { MessageKind::Spawn } else { MessageKind::Item },
            slot,
            timestamp_ms: BEGIN_MS + slot * 1000,
            block_height: 1_000_000 + slot,
            pushed_for: Id::default(),
            anchor: format!("{slot:032}"),
            tags: sent.tags.clone(),
            data: sent.data.clone(),
            read_only: false,
        }
    }
}

/// What was measured.
#[derive(Debug, Clone)]
pub struct WasmTimings {
    /// Reading the module, from the compiled form on disk if there is one.
    pub load: Duration,
    /// Its start and its first message, which is its spawn.
    pub boot: Duration,
    /// Each message after it, in order.
    pub messages: Vec<Duration>,
    /// The outcome of each: what it showed, or its error.
    pub outputs: Vec<Result<String, String>>,
    /// Instructions of all messages, where they are counted.
    pub instructions: u64,
}

impl WasmTimings {
    /// The time of the message in the middle.
    pub fn median(&self) -> Duration {
        let mut sorted = self.messages.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).copied().unwrap_or_default()
    }
}

/// Runs messages of the owner (their tags and data) through the module in a file, after the one that spawns the process.
pub fn bench_wasm(
    data: &Path,
    module: &Path,
    messages: &[(Tags, Vec<u8>)],
    settings: WasmSettings,
) -> Result<WasmTimings, String> {
    let began = Instant::now();
    let mut trial = Trial::start(data, module, settings)?;
    let load = began.elapsed();
    let began = Instant::now();
    trial.handle(&trial.spawn())?;
    let boot = began.elapsed();
    let mut timings = WasmTimings { load, boot, messages: Vec::new(), outputs: Vec::new(), instructions: 0 };
    for (tags, data) in messages {
        let sent = Sent { from: Trial::OWNER, tags: tags.clone(), data: data.clone() };
        let began = Instant::now();
        let outcome = trial.handle(&sent);
        timings.messages.push(began.elapsed());
        timings.outputs.push(outcome.map(|effects| effects.output.data));
        timings.instructions += trial.instructions();
    }
    Ok(timings)
}
