//! The face of the node to everything that talks HTTP: submit an item, read results, schedules and inboxes. No wire
//! format is known here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ao::{Assignment, DataItem, Effects, Id, Message, MessageKind, Tags};

use crate::clock::Clock;
use crate::error::{ReadError, SubmitError};
use crate::gateway::Gateway;
use crate::metrics::Metrics;

/// What became of an item that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Submitted {
    /// The id of the item.
    pub id: Id,
    /// The process it spawned, if it is a process item (its own id).
    pub process: Option<Id>,
    /// Its slot in the log of its process.
    pub slot: u64,
    /// False if it had that slot already: it was sent before.
    pub fresh: bool,
}

/// What a process answered to a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredResult {
    /// The slot of the message.
    pub slot: u64,
    /// The message.
    pub message: Id,
    /// When it was assigned, milliseconds since 1970.
    pub timestamp_ms: u64,
    /// How it came.
    pub kind: MessageKind,
    /// What it did, or the text of the fault that undid it.
    pub outcome: Result<Effects, String>,
}

/// Which results are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResultRange {
    /// Those after this slot (before it, if descending).
    pub from_slot_exclusive: Option<u64>,
    /// Up to and with this slot (down to it, if descending).
    pub to_slot: Option<u64>,
    /// At most so many.
    pub limit: usize,
    /// The newest first.
    pub descending: bool,
}

/// A message in its place in the log of a process.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// Its place.
    pub assignment: Assignment,
    /// Its place as an item signed by this node.
    pub assignment_item: DataItem,
    /// The message as the process is given it.
    pub message: Message,
    /// The signed item as it came, if it came from outside.
    pub item: Option<Vec<u8>>,
}

/// A page of an inbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InboxPage {
    /// In the order in which they came.
    pub messages: Vec<Message>,
    /// The slot from which the next page begins.
    pub next: u64,
}

/// A process as a list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProcessSummary {
    /// Its id.
    pub id: Id,
    /// Its name in the genesis, or its `Name` tag.
    pub name: Option<String>,
    /// The name of its module.
    pub module: String,
    /// Its owner.
    pub owner: Id,
    /// Its tags.
    pub tags: Tags,
    /// The last slot of its log.
    pub head: u64,
    /// The last slot it has applied; absent while it has not applied its spawn.
    pub applied: Option<u64>,
    /// Why it stopped, if it did.
    pub stopped: Option<String>,
}

/// The node behind its HTTP face; shared as `Arc<Core>`.
pub(crate) struct Core {}

impl Core {
    /// Verifies an item (on a thread for blocking work), decides who speaks, appends it and returns when it is durable.
    /// A process item spawns its process. The same item again has the slot it had.
    pub(crate) async fn submit(&self, item: DataItem) -> Result<Submitted, SubmitError> { unimplemented!() }
    /// The result of a message, waiting until it is applied.
    pub(crate) async fn result(&self, process: &Id, message: &Id, wait: Duration) -> Result<StoredResult, ReadError> { unimplemented!() }
    /// The results of a process, by slot. Blocking: short reads of a local file.
    pub(crate) fn results(&self, process: &Id, range: ResultRange) -> Result<Vec<StoredResult>, ReadError> { unimplemented!() }
    /// What a process would answer to a message now; nothing is changed. Slot and, where 0, time and height are set here.
    pub(crate) async fn dry_run(&self, process: &Id, message: Message) -> Result<Result<Effects, String>, ReadError> { unimplemented!() }
    /// The schedule of a process from a slot on.
    pub(crate) fn records(&self, process: &Id, from_slot: u64, limit: usize) -> Result<Vec<Record>, ReadError> { unimplemented!() }
    /// The slot of a message in the log of a process.
    pub(crate) fn slot_of(&self, process: &Id, message: &Id) -> Result<Option<u64>, ReadError> { unimplemented!() }
    /// The messages that lie at an address from a slot on, waiting for the first if there is none.
    pub(crate) async fn inbox(&self, address: &Id, from: u64, limit: usize, wait: Duration) -> Result<InboxPage, ReadError> { unimplemented!() }
    /// All processes of this node.
    pub(crate) fn processes(&self) -> Result<Vec<ProcessSummary>, ReadError> { unimplemented!() }
    /// One process.
    pub(crate) fn process(&self, process: &Id) -> Result<ProcessSummary, ReadError> { unimplemented!() }
    /// The processes of the genesis by name.
    pub(crate) fn genesis(&self) -> &BTreeMap<String, Id> { unimplemented!() }
    /// Uploaded data.
    pub(crate) fn gateway(&self) -> &Arc<Gateway> { unimplemented!() }
    /// The clock of the node.
    pub(crate) fn clock(&self) -> &Clock { unimplemented!() }
    /// The address of the node.
    pub(crate) fn address(&self) -> Id { unimplemented!() }
    /// What the node counts.
    pub(crate) fn metrics(&self) -> &Metrics { unimplemented!() }
    /// Whether the node can do its work, else why not.
    pub(crate) fn health(&self) -> Result<(), String> { unimplemented!() }
}
