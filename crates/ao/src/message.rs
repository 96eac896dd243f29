//! A message as a process is given it: after the node has decided who it is from, and when it arrived.

use serde::{Deserialize, Serialize};

use crate::{Id, Tags, hash_parts};

/// How a message came into the log of its process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageKind {
    /// The item that spawned the process: slot 0.
    Spawn,
    /// A signed item from a wallet, or from a process by way of a trusted node.
    Item,
    /// Sent by a process of this node.
    Pushed,
    /// A tick of the clock, written into the log by the node.
    Cron,
}

/// A message to a process, in its slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Identity: of the item (SHA-256 of its signature), or of the sender's slot and index (see [`Message::pushed_id`]).
    pub id: Id,
    /// Who speaks: the verified signer, or the process that sent it. Decided by the node, never by a tag.
    pub from: Id,
    /// The address that signed; for pushed and cron messages the same as `from`.
    pub owner: Id,
    /// Whom it is addressed to.
    pub target: Id,
    /// How it came.
    pub kind: MessageKind,
    /// The slot it has in the log of the process.
    pub slot: u64,
    /// Time of its assignment, milliseconds since 1970; strictly increasing within a process.
    pub timestamp_ms: u64,
    /// Block height at its assignment.
    pub block_height: u64,
    /// The message from outside that began the chain which led to this one; its own id if it began it.
    pub pushed_for: Id,
    /// The anchor of the item, as text.
    pub anchor: String,
    /// Its tags.
    pub tags: Tags,
    /// Its data. Usually text; see [`Message::text`].
    pub data: Vec<u8>,
    /// Asked as a dry-run: the answer is wanted, no effect.
    pub read_only: bool,
}

impl Message {
    /// A question to `target` that changes nothing: a dry-run. Nobody is believed to be `from`; slot, time and height are
    /// 0 until a node sets them.
    pub fn dry_run(from: Id, target: Id, tags: Tags, data: impl Into<Vec<u8>>) -> Self {
        Self {
            id: Id::default(),
            from,
            owner: from,
            target,
            kind: MessageKind::Item,
            slot: 0,
            timestamp_ms: 0,
            block_height: 0,
            pushed_for: Id::default(),
            anchor: String::new(),
            tags,
            data: data.into(),
            read_only: true,
        }
    }

    /// The identity of the `index`-th message that `sender` sends while it handles its `slot`. It depends on nothing
    /// else, so that sending again after a crash is the same message and not a second one.
    pub fn pushed_id(sender: &Id, slot: u64, index: u32) -> Id {
        hash_parts(&[b"aobench pushed message", sender.as_bytes(), &slot.to_le_bytes(), &index.to_le_bytes()])
    }

    /// The identity of a tick: `name` says which of the process's clocks, `due_ms` when it was due.
    pub fn cron_id(process: &Id, name: &str, due_ms: u64) -> Id {
        hash_parts(&[b"aobench cron tick", process.as_bytes(), name.as_bytes(), &due_ms.to_le_bytes()])
    }

    /// The `Action` tag, or an empty text.
    pub fn action(&self) -> &str {
        self.tag("Action").unwrap_or_default()
    }

    /// The first tag of that name, without regard to ASCII case.
    pub fn tag(&self, name: &str) -> Option<&str> {
        self.tags.get(name)
    }

    /// The data as text, if it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.data).ok()
    }
}
