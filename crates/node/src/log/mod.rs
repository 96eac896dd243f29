//! The log: the only thing that a node must not lose. Everything else can be rebuilt from it.

mod ao_chain;
mod body;
mod identities;
mod reader;
mod schema;
mod sqlite;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

use ao::{Id, MessageKind};
use tokio::sync::oneshot;

use crate::error::LogError;

pub(crate) use ao_chain::{AoChain, Follower};
pub(crate) use body::{Assigned, Body, LeftOut, Pushed, Tick};
pub(crate) use sqlite::{Committed, LogSettings, SqliteLog};
pub(crate) use verify::verify_all;

/// What a stream of the log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum StreamKind {
    /// The messages of a process; its slot 0 is its spawn.
    Process,
    /// What was sent to an address that is no process: a wallet, or the node itself.
    Inbox,
    /// The warps of the node's clock.
    Clock,
    /// Which messages other nodes have delivered to a process, by what they say.
    Delivered,
}

/// A stream of the log: what it is, and whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Stream {
    /// What it is.
    pub kind: StreamKind,
    /// Whose it is.
    pub id: Id,
}

/// Something to be written at the end of a stream. Its identity makes it idempotent: the second append of an identity
/// to a stream is answered with the slot of the first.
#[derive(Debug, Clone)]
pub(crate) struct Append {
    /// Where.
    pub stream: Stream,
    /// The id of the message.
    pub identity: Id,
    /// How it came. A spawn begins a stream of a process, everything else continues one.
    pub kind: MessageKind,
    /// What is written, encoded by [`Body::encode`].
    pub body: Vec<u8>,
}

/// Where an append is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Receipt {
    /// Its slot.
    pub slot: u64,
    /// False if it was there before.
    pub fresh: bool,
}

/// A record of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Logged {
    /// Its place among all records of the log.
    pub position: i64,
    /// Its stream.
    pub stream: Stream,
    /// Its slot in the stream, without gaps from 0.
    pub slot: u64,
    /// Milliseconds since 1970; strictly increasing within the stream.
    pub timestamp_ms: u64,
    /// Block height.
    pub block_height: u64,
    /// The log's own hash chain up to, and not with, this record.
    pub link: Id,
    /// The id of the message.
    pub identity: Id,
    /// How it came.
    pub kind: MessageKind,
    /// What was written.
    pub body: Vec<u8>,
}

/// The answer to a submission of appends, which comes when they are durable: one receipt or refusal for each.
pub(crate) type Placed = Vec<Result<Receipt, LogError>>;

/// An answer that is under way.
pub(crate) type Pending = oneshot::Receiver<Result<Placed, LogError>>;

/// The durable seam of a node. Other stores of the log (a database server, for several nodes) implement this.
pub(crate) trait Log: Send + Sync {
    /// Submits appends, which are written in this order, and waits for room if too many are waiting. The answer comes
    /// after they are durable. Not to be called from asynchronous code.
    fn append(&self, appends: Vec<Append>) -> Result<Pending, LogError>;

    /// As [`Log::append`], but refuses with [`LogError::Busy`] instead of waiting for room.
    fn try_append(&self, appends: Vec<Append>) -> Result<Pending, LogError>;

    /// The records of a stream from a slot on, verified against their checksums: at most `limit`, and at most
    /// [`crate::limits::READ_BYTES_MAX`] unless the first alone is larger.
    fn read(&self, stream: &Stream, from_slot: u64, limit: usize) -> Result<Vec<Logged>, LogError>;

    /// The last slot of a stream; nothing if there is no such stream.
    fn head(&self, stream: &Stream) -> Result<Option<u64>, LogError>;

    /// The slot of an identity in a stream.
    fn slot_of(&self, stream: &Stream, identity: &Id) -> Result<Option<u64>, LogError>;

    /// All streams of a kind with their last slots.
    fn streams(&self, kind: StreamKind) -> Result<Vec<(Id, u64)>, LogError>;

    /// Why the log accepts nothing more, if it does not.
    fn stopped(&self) -> Option<String>;

    /// How many appends have been submitted and not yet answered.
    fn pending(&self) -> usize;
}

impl Stream {
    /// The messages of a process.
    pub(crate) const fn process(id: Id) -> Self {
        Self { kind: StreamKind::Process, id }
    }

    /// What lies at an address.
    pub(crate) const fn inbox(id: Id) -> Self {
        Self { kind: StreamKind::Inbox, id }
    }

    /// The warps of the clock of the node with this address.
    pub(crate) const fn clock(node: Id) -> Self {
        Self { kind: StreamKind::Clock, id: node }
    }

    /// What other nodes have delivered to a process.
    pub(crate) const fn delivered(id: Id) -> Self {
        Self { kind: StreamKind::Delivered, id }
    }
}

impl StreamKind {
    /// As it is written in the database.
    const fn number(self) -> u8 {
        match self {
            Self::Process => 0,
            Self::Inbox => 1,
            Self::Clock => 2,
            Self::Delivered => 3,
        }
    }

    /// From the database.
    const fn from_number(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Process),
            1 => Some(Self::Inbox),
            2 => Some(Self::Clock),
            3 => Some(Self::Delivered),
            _ => None,
        }
    }
}
