//! The face that every native process shows to the node, and the registry of them.

use ao::{Effects, Id, Message, Tags, hash_parts};

use crate::{Fault, Store, benchmark, dataset, herder, knowledge, packages, token};

/// What a process knows about itself beside its tables. It is fixed when the process is spawned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Env {
    /// The id of the process.
    pub process: Id,
    /// Who spawned it.
    pub owner: Id,
    /// The tags of the item that spawned it: its configuration.
    pub tags: Tags,
    /// The address of the node that schedules it. Facts about the world outside the log (a model file, an undeliverable
    /// message) come as messages from this address.
    pub node: Id,
}

/// A clock of a process: the node writes a message with `action` into its log each `every_ms`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cron {
    /// The action of the tick.
    pub action: &'static str,
    /// The period, milliseconds.
    pub every_ms: u64,
}

/// What a process publishes under a path of keys, read as `now/<path>` in HyperBEAM's manner: the answer to one of its
/// questions, as JSON. Keys beyond the path are looked up in the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Publication {
    /// The keys. `*` stands for any, and is what is asked about.
    pub path: &'static [&'static str],
    /// The question: an action that changes nothing.
    pub action: &'static str,
    /// The tag in which the key in the place of `*` is asked about.
    pub argument: Option<&'static str>,
    /// The field of the answer that is meant, if not all of it.
    pub part: Option<&'static str>,
}

/// A native process: a state machine over its own tables.
pub trait Module: Send + Sync {
    /// The name under which it is spawned (`Module` of a genesis process) and shown.
    fn name(&self) -> &'static str;

    /// Makes the tables of a new process from the item that spawned it.
    fn spawn(&self, store: &mut Store<'_>, message: &Message, env: &Env) -> Result<Effects, Fault>;

    /// Handles a message in a slot after the first.
    fn handle(&self, store: &mut Store<'_>, message: &Message, env: &Env) -> Result<Effects, Fault>;

    /// What it publishes, the more particular paths first.
    fn publications(&self) -> &'static [Publication] {
        &[Publication { path: &[], action: "Info", argument: None, part: None }]
    }

    /// The clocks that run from the moment it is spawned.
    fn crons(&self) -> &'static [Cron] {
        &[]
    }
}

/// The native modules.
pub const MODULES: &[&dyn Module] = &[
    &token::Token,
    &benchmark::Benchmark,
    &dataset::Dataset,
    &herder::Herder,
    &knowledge::Knowledge,
    &packages::Packages,
];

/// The id of a native module, which a process item names in its `Module` tag.
pub fn module_id(module: &dyn Module) -> Id {
    hash_parts(&[b"aobench native module", module.name().as_bytes()])
}

/// The native module of that name.
pub fn module_by_name(name: &str) -> Option<&'static dyn Module> {
    MODULES.iter().copied().find(|module| module.name() == name)
}

/// The native module of that id.
pub fn module_by_id(id: &Id) -> Option<&'static dyn Module> {
    MODULES.iter().copied().find(|module| module_id(*module) == *id)
}
