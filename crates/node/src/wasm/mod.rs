//! Processes that run WebAssembly modules of AO: aos, and whatever else is compiled for it.
//!
//! `Host` is what a node has of this: the compiler, the modules, and the count of processes in memory. A `Process` is
//! given messages by the runtime, as a native module is. Determinism is the rule: a module sees no clock but the time of
//! its message, no randomness, and no file that outlives a message.

mod answer;
pub mod bench;
mod cache;
mod crons;
mod drive;
mod engine;
mod files;
mod guest;
mod image;
mod imports;
mod instance;
mod library;
mod message;
mod narrow;
mod process;
mod resident;
mod snapshot;
mod visible;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ao::{Id, Tags};
use processes::Env;

use crate::gateway::{AddedModule, Gateway};
use crate::limits;
use drive::{Admissible, Drive};
use engine::Machine;
use instance::{Program, Sandbox};
use library::{Facts, Library};

pub(crate) use crons::check as check_clocks;
pub(crate) use image::Image;
pub use library::{MODULE_FORMATS, ModuleError, add_module, default_format};
pub(crate) use process::{Failure, Process};

/// How an operator lets modules run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WasmSettings {
    /// Counts instructions, so that a message that takes too many fails at the same one on every node and every replay.
    /// Without it a time limit ends such messages, modules run about a third faster, and a replay on a slower machine
    /// may end a message that once was handled.
    pub metering: bool,
    /// Instructions of one message, unless the `Compute-Limit` of the module is smaller.
    pub fuel_max: u64,
    /// Bytes of memory, unless the `Memory-Limit` of the module is smaller.
    pub memory_bytes_max: usize,
    /// Processes that are kept in memory.
    pub hot_max: usize,
}

impl Default for WasmSettings {
    fn default() -> Self {
        Self {
            metering: true,
            fuel_max: limits::WASM_FUEL_MAX,
            memory_bytes_max: limits::WASM_MEMORY_BYTES_MAX,
            hot_max: limits::WASM_HOT_MAX,
        }
    }
}

/// Runs modules for one node.
pub(crate) struct Host {
    settings: WasmSettings,
    library: Library,
    drive: Arc<dyn Drive>,
    machine: Mutex<Option<Arc<Machine>>>,
    programs: Mutex<BTreeMap<Id, Arc<Program>>>,
    heat: Mutex<Heat>,
    /// Files of added modules that were told to who asked.
    told: Mutex<BTreeSet<PathBuf>>,
}

/// Which processes are in memory, and in which order they were used.
#[derive(Default)]
struct Heat {
    uses: u64,
    hot: BTreeMap<Id, Warm>,
}

struct Warm {
    used: u64,
    bytes: usize,
    /// Whether it has done something since its last snapshot.
    unwritten: bool,
}

impl Host {
    /// A host over the modules of a node with this data directory.
    pub(crate) fn new(data: &Path, gateway: Option<Arc<Gateway>>, settings: WasmSettings) -> Self {
        let drive: Arc<dyn Drive> = match &gateway {
            Some(gateway) => Arc::clone(gateway) as Arc<dyn Drive>,
            None => Arc::new(library::NoDrive),
        };
        Self {
            settings,
            library: Library { folder: library::folder(data), gateway },
            drive,
            machine: Mutex::default(),
            programs: Mutex::default(),
            heat: Mutex::default(),
            told: Mutex::default(),
        }
    }

    /// Where uploaded modules come from.
    pub(crate) fn gateway(&self) -> Option<&Gateway> {
        self.library.gateway.as_deref()
    }

    /// Whether a module can be run; the error says why one that is here cannot.
    pub(crate) fn has(&self, id: &Id) -> Result<bool, String> {
        Ok(self.library.find(id)?.is_some())
    }

    /// The modules that were added as files since this was asked last.
    pub(crate) fn added_modules(&self) -> Vec<AddedModule> {
        self.library.added_since(&mut lock(&self.told))
    }

    /// A process of a module, if the module is here.
    pub(crate) fn process(self: &Arc<Self>, module: &Id, env: Env) -> Result<Option<Process>, String> {
        Ok(self.library.find(module)?.map(|facts| Process::new(Arc::clone(self), facts, env)))
    }

    /// What a process of a module may do.
    fn sandbox(&self, module: &Facts, admissible: Arc<Admissible>) -> Result<Sandbox, Failure> {
        let tags = &module.tags;
        let metered_ms =
            if self.settings.metering { limits::WASM_COUNTED_TIME_MS_MAX } else { limits::WASM_TIME_MS_MAX };
        Ok(Sandbox {
            program: self.program(module)?,
            drive: Arc::clone(&self.drive),
            admissible,
            memory_bytes_max: memory_limit(tags).unwrap_or(usize::MAX).min(self.settings.memory_bytes_max),
            fuel_max: compute_limit(tags).unwrap_or(u64::MAX).min(self.settings.fuel_max),
            time_max: Duration::from_millis(metered_ms),
        })
    }

    fn program(&self, module: &Facts) -> Result<Arc<Program>, Failure> {
        // Held while a module is compiled: two processes of a new module must not compile it twice.
        let mut programs = lock(&self.programs);
        if let Some(program) = programs.get(&module.id) {
            return Ok(Arc::clone(program));
        }
        // A module that cannot be compiled is so on every node; one that cannot be read is so today.
        let never = |reason: String| Failure::Message(format!("the module cannot run: {reason}"));
        let machine = self.machine().map_err(Failure::Machine)?;
        let code = module.code().map_err(Failure::Machine)?;
        // More than 32-bit addresses reach is given to a module only where the operator allows it.
        let narrow = self.settings.memory_bytes_max as u64 <= 1 << 32;
        let compiled = cache::compiled(&machine.engine, &code, narrow, &self.compiled()).map_err(never)?;
        let program = Arc::new(Program::new(machine, &compiled).map_err(never)?);
        if programs.len() >= limits::WASM_PROGRAMS_MAX {
            programs.pop_first();
        }
        programs.insert(module.id, Arc::clone(&program));
        Ok(program)
    }

    fn compiled(&self) -> PathBuf {
        self.library.folder.join("compiled")
    }

    /// Started with the first module: a node without one has no compiler in memory and no thread for its epochs.
    fn machine(&self) -> Result<Arc<Machine>, String> {
        let mut machine = lock(&self.machine);
        if let Some(machine) = &*machine {
            return Ok(Arc::clone(machine));
        }
        let started = Arc::new(Machine::start(self.settings.metering)?);
        *machine = Some(Arc::clone(&started));
        Ok(started)
    }

    fn used(&self, process: Id, bytes: usize, unwritten: bool) {
        let mut heat = lock(&self.heat);
        heat.uses += 1;
        let used = heat.uses;
        heat.hot.insert(process, Warm { used, bytes, unwritten });
    }

    /// Its snapshot is written, or cannot be: it is not tried again before the process has done something.
    pub(crate) fn written(&self, process: &Id) {
        if let Some(warm) = lock(&self.heat).hot.get_mut(process) {
            warm.unwritten = false;
        }
    }

    /// The process that was idle longest of those that have done something since their last snapshot.
    pub(crate) fn unwritten(&self) -> Option<Id> {
        let heat = lock(&self.heat);
        let unwritten = heat.hot.iter().filter(|(_, warm)| warm.unwritten);
        unwritten.min_by_key(|(_, warm)| warm.used).map(|(process, _)| *process)
    }

    fn rested(&self, process: &Id) {
        lock(&self.heat).hot.remove(process);
    }

    /// The process that was idle longest, if there are more in memory than may be.
    pub(crate) fn crowded(&self) -> Option<Id> {
        let heat = lock(&self.heat);
        let bytes: usize = heat.hot.values().map(|warm| warm.bytes).sum();
        let crowded = heat.hot.len() > self.settings.hot_max.max(1) || bytes > limits::WASM_HOT_BYTES_MAX;
        let coldest = heat.hot.iter().min_by_key(|(_, warm)| warm.used).map(|(process, _)| *process);
        coldest.filter(|_| crowded && heat.hot.len() > 1)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// `Memory-Limit`: a number and its unit, as in `1-gb`.
fn memory_limit(tags: &Tags) -> Option<usize> {
    let (number, unit) = tags.get("Memory-Limit")?.split_once('-')?;
    let bytes: usize = match unit.to_ascii_lowercase().as_str() {
        "kb" => 1 << 10,
        "mb" => 1 << 20,
        "gb" => 1 << 30,
        _ => return None,
    };
    number.parse::<usize>().ok()?.checked_mul(bytes)
}

fn compute_limit(tags: &Tags) -> Option<u64> {
    tags.get("Compute-Limit")?.parse().ok()
}
