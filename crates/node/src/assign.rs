//! Giving a process a message that was sent to another: AO's assignments. The message keeps its id, its sender and whom it
//! was sent to; the process decides by these what to make of it. aos refuses all that it was not told to take.

use std::time::{Duration, Instant};

use ao::{Id, MessageKind};

use crate::error::LogError;
use crate::gateway::{Gateway, Held};
use crate::log::{Append, Assigned, Body, LeftOut, Log, Stream};

/// How long a message is looked for while the index is brought up to date.
const INDEX_WAIT: Duration = Duration::from_secs(10);

/// A message as the log of its process holds it.
pub(crate) struct Found {
    /// Its id.
    pub id: Id,
    /// Whom it was sent to.
    pub target: Id,
    /// The record, encoded.
    pub record: Vec<u8>,
}

/// The message of that id, in whatever process of this node it is.
pub(crate) fn find(gateway: &Gateway, log: &dyn Log, id: &Id) -> Result<Option<Found>, LogError> {
    let failed = |error: &dyn std::fmt::Display| LogError::Database(error.to_string());
    gateway.feed(log, Instant::now() + INDEX_WAIT).map_err(|error| failed(&error))?;
    let transaction = gateway.transactions().transaction(id).map_err(|error| failed(&error))?;
    let Some(Held::Slot(process, slot)) = transaction.map(|transaction| transaction.held) else { return Ok(None) };
    let Some(logged) = log.read(&Stream::process(process), slot, 1)?.pop() else { return Ok(None) };
    Ok((logged.identity == *id).then_some(Found { id: *id, target: process, record: logged.body }))
}

/// Whether a process takes what was sent to others: whether its module is one of AO.
pub(crate) fn takes(log: &dyn Log, is_wasm: impl Fn(&str) -> bool, process: &Id) -> Result<bool, LogError> {
    let Some(spawn) = log.read(&Stream::process(*process), 0, 1)?.pop() else { return Ok(false) };
    let message = Body::decode(&spawn.body).and_then(|body| body.into_message(&spawn));
    Ok(message.is_ok_and(|message| is_wasm(message.tag("Module").unwrap_or_default())))
}

impl Found {
    /// The record by which a process is given it. A process is given a message once: the record has its id.
    pub(crate) fn given_to(self, process: Id, hops: u8, left_out: LeftOut) -> Append {
        let body = Body::Assigned(Assigned { target: self.target, hops, left_out, record: self.record });
        Append { stream: Stream::process(process), identity: self.id, kind: MessageKind::Item, body: body.encode() }
    }
}
