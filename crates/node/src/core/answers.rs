//! What the face of a node gives to those who ask: no part of it knows how it looks on the wire.

use ao::{Assignment, DataItem, Effects, Id, Message, MessageKind, Tags};

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
    /// Its signer, if the item names another sender (`From-Process`) for whom the signer may not speak.
    pub unbelieved: Option<Id>,
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
    /// The slot that the next message to come will have.
    pub end: u64,
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
