//! What a process can run: a native module, or a WebAssembly module of AO.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ao::{Effects, Message, MessageKind, Tags};
use processes::{Env, Fault, Module, Publication, module_by_id, module_by_name, module_id};

use super::process_file::ProcessFile;
use crate::console;
use crate::gateway::{AddedModule, Gateway};
use crate::limits;
use crate::wasm::{self, Failure};

/// What a sender reads whose message brought a handler down. It is the same on every replay.
const DEFECT: &str = "the handler failed in an unforeseen way, which is a defect of the module; nothing was changed";

/// What a process runs.
pub(crate) enum Program {
    /// A module of this binary, over the tables of the process.
    Native(&'static dyn Module),
    /// A module of AO, over its own memory.
    Wasm(Box<wasm::Process>),
}

/// A clock of a process.
pub(crate) struct Clock<'a> {
    /// Its name, and the action of its ticks.
    pub name: &'a str,
    /// Its period, milliseconds.
    pub every_ms: u64,
}

/// The modules that a node can run.
pub(crate) struct Programs {
    native: Vec<&'static dyn Module>,
    wasm: Arc<wasm::Host>,
}

impl Programs {
    /// The native modules of the `processes` crate, these, and those of the host.
    pub(crate) fn new(native: Vec<&'static dyn Module>, wasm: Arc<wasm::Host>) -> Self {
        Self { native, wasm }
    }

    /// The native modules.
    pub(crate) fn natives(&self) -> impl Iterator<Item = &'static dyn Module> {
        processes::MODULES.iter().chain(&self.native).copied()
    }

    /// The names of the native modules.
    pub(crate) fn names(&self) -> Vec<&'static str> {
        self.natives().map(Module::name).collect()
    }

    fn native(&self, text: &str) -> Option<&'static dyn Module> {
        let mut added = self.native.iter().copied();
        let added = added.find(|module| module.name() == text || module_id(*module).to_string() == text);
        added.or_else(|| module_by_name(text)).or_else(|| text.parse().ok().and_then(|id| module_by_id(&id)))
    }

    /// Whether there is a module with this id or name; the error says what to do about one that is not.
    pub(crate) fn check(&self, text: &str) -> Result<(), String> {
        if self.native(text).is_some() {
            return Ok(());
        }
        let known = self.names().join(", ");
        let Ok(id) = text.parse::<ao::Id>() else {
            return Err(format!("this node has {known}, and WebAssembly modules by the id of their transaction"));
        };
        match self.wasm.has(&id) {
            Ok(true) => Ok(()),
            Ok(false) => Err(format!(
                "this node has {known}; add a WebAssembly module with `aobench module add FILE --id {id}`, without FILE to \
                 fetch it from a gateway, or upload its transaction"
            )),
            Err(reason) => Err(reason),
        }
    }

    /// Whether a process of that module can have the clocks that the tags of its spawn ask for; else the tag, and what is
    /// wrong with it. Native modules have clocks of their own.
    pub(crate) fn check_clocks(&self, text: &str, tags: &Tags) -> Result<(), (String, String)> {
        if self.is_wasm(text) { wasm::check_clocks(tags) } else { Ok(()) }
    }

    /// What a process of that module runs.
    pub(crate) fn find(&self, text: &str, env: &Env) -> Result<Program, String> {
        if let Some(module) = self.native(text) {
            return Ok(Program::Native(module));
        }
        let found = match text.parse() {
            Ok(id) => self.wasm.process(&id, env.clone())?,
            Err(_) => None,
        };
        found
            .map(|process| Program::Wasm(Box::new(process)))
            .ok_or_else(|| "it is not on this node any more".to_owned())
    }

    /// Whether this names a module of AO, and none of this binary.
    pub(crate) fn is_wasm(&self, text: &str) -> bool {
        self.native(text).is_none() && text.parse::<ao::Id>().is_ok()
    }

    /// Where stored transactions and the index of messages are, if anywhere.
    pub(crate) fn gateway(&self) -> Option<&Gateway> {
        self.wasm.gateway()
    }

    /// The modules that were added as files since this was asked last.
    pub(crate) fn added_modules(&self) -> Vec<AddedModule> {
        self.wasm.added_modules()
    }

    /// The host of the WebAssembly modules.
    pub(super) fn wasm(&self) -> &wasm::Host {
        &self.wasm
    }
}

impl Program {
    /// The name of the module.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Native(module) => module.name(),
            Self::Wasm(process) => process.name(),
        }
    }

    /// The module, if it is one of AO.
    pub(super) fn module_of_ao(&self) -> Option<ao::Id> {
        match self {
            Self::Native(_) => None,
            Self::Wasm(process) => Some(process.module()),
        }
    }

    /// The length of a chain of messages at which it sends nothing more.
    pub(super) const fn hops_max(&self) -> u8 {
        match self {
            Self::Native(_) => limits::HOPS_NATIVE_MAX,
            Self::Wasm(_) => limits::HOPS_MAX,
        }
    }

    /// By how much a chain is longer with so many messages that it sends for one.
    pub(super) const fn hops_of(&self, messages: usize) -> u8 {
        match self {
            Self::Native(_) => 1,
            Self::Wasm(_) => limits::hops_of(messages),
        }
    }

    /// What a native module publishes.
    pub(super) fn publications(&self) -> Option<&'static [Publication]> {
        match self {
            Self::Native(module) => Some(module.publications()),
            Self::Wasm(_) => None,
        }
    }

    /// The clocks that run from the spawn on.
    pub(crate) fn clocks(&self) -> Vec<Clock<'_>> {
        match self {
            Self::Native(module) => {
                module.crons().iter().map(|cron| Clock { name: cron.action, every_ms: cron.every_ms }).collect()
            }
            Self::Wasm(process) => {
                process.crons().iter().map(|cron| Clock { name: &cron.name, every_ms: cron.every_ms }).collect()
            }
        }
    }

    /// Handles a message. What `accept` refuses has not happened; the tables are the caller's to roll back.
    pub(super) fn handle(
        &self,
        file: &ProcessFile,
        env: &Env,
        message: &Message,
        accept: impl FnOnce(Effects) -> Result<Effects, String>,
    ) -> Result<Effects, Failure> {
        match self {
            Self::Wasm(process) => process.handle(message, accept),
            Self::Native(module) => {
                // Whoever finds a message that brings a handler down must not end its thread, now and at each restart.
                let outcome = catch_unwind(AssertUnwindSafe(|| {
                    file.database.handle(|store| {
                        if message.kind == MessageKind::Spawn {
                            module.spawn(store, message, env)
                        } else {
                            console::handle(*module, store, message, env)
                        }
                    })
                }));
                match outcome.unwrap_or_else(|_| Err(Fault::Refused(DEFECT.to_owned()))) {
                    Err(fault) if fault.is_of_the_machine() => Err(Failure::Machine(fault.to_string())),
                    Err(fault) => Err(Failure::Message(fault.to_string())),
                    Ok(effects) => accept(effects).map_err(Failure::Message),
                }
            }
        }
    }
}
