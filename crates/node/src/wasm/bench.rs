//! How long a module takes for messages, without a node around it.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ao::{Id, Message, MessageKind, Tags};
use processes::Env;

use super::process::Trial;
use super::{Host, WasmSettings, library};

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

/// Runs messages through the module in a file, from a process that its first message spawns. `data` is a directory where
/// the compiled module may be kept. Each message is from the owner of the process: its tags and its data.
pub fn bench_wasm(
    data: &Path,
    module: &Path,
    messages: &[(Tags, Vec<u8>)],
    settings: WasmSettings,
) -> Result<WasmTimings, String> {
    let id = ao::hash_parts(&[b"aobench wasm bench", module.as_os_str().as_encoded_bytes()]);
    library::add_module(data, id, module, Tags::new()).map_err(|error| error.to_string())?;
    let host = Arc::new(Host::new(data, None, settings));
    let (process, owner) = (Id::new([1; 32]), Id::new([2; 32]));
    let tags = Tags::new().with("Name", "bench").with("Module", id.to_string());
    let env = Env { process, owner, tags: tags.clone(), node: Id::new([3; 32]) };
    let began = Instant::now();
    let found = host.process(&id, env)?.ok_or("the module was not added")?;
    let mut trial = Trial::start(&found)?;
    let load = began.elapsed();
    let message = |slot: u64, kind, tags: &Tags, data: &[u8]| Message {
        id: if slot == 0 { process } else { ao::hash_parts(&[b"message", &slot.to_le_bytes()]) },
        from: owner,
        owner,
        target: process,
        kind,
        slot,
        timestamp_ms: 1_767_225_600_000 + slot * 1000,
        block_height: 1_000_000 + slot,
        pushed_for: Id::default(),
        anchor: format!("{slot:032}"),
        tags: tags.clone(),
        data: data.to_vec(),
        read_only: false,
    };
    let began = Instant::now();
    trial.handle(&message(0, MessageKind::Spawn, &tags, b""))?;
    let boot = began.elapsed();
    let mut timings = WasmTimings { load, boot, messages: Vec::new(), outputs: Vec::new(), instructions: 0 };
    for ((tags, data), slot) in messages.iter().zip(1..) {
        let began = Instant::now();
        let outcome = trial.handle(&message(slot, MessageKind::Item, tags, data));
        timings.messages.push(began.elapsed());
        timings.outputs.push(outcome.map(|effects| effects.output.data));
        timings.instructions += trial.instructions();
    }
    Ok(timings)
}
