//! Brings the index of transactions up to date: reads on in the logs of processes, in inboxes, and among the uploads. What was
//! signed outside is entered as it was signed; what a process sent as AO's messenger unit would have signed it for it.

use std::sync::PoisonError;
use std::time::Instant;

use ao::{DataItem, Id, MessageKind, Tags};
use processes::{Module, module_id};

use super::transactions::{Held, Source, Transaction};
use super::{Gateway, GatewayError};
use crate::clock::Clock;
use crate::error::LogError;
use crate::log::{Body, Log, Logged, Stream, StreamKind};

/// Records that are entered in one transaction.
const STEP: usize = 256;

/// Why the index is not up to date.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FeedError {
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The index or the uploads.
    #[error(transparent)]
    Gateway(#[from] GatewayError),
}

impl Gateway {
    /// Enters what is new, until a time; whether it is up to date then.
    pub(crate) fn feed(&self, log: &dyn Log, until: Instant) -> Result<bool, FeedError> {
        let mut reading = self.transactions.reading.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.feed_uploads(until)? {
            return Ok(false);
        }
        let processes = log.streams(StreamKind::Process)?.into_iter();
        let processes = processes.map(|(id, head)| (Stream::process(id), Source::Process(id), head));
        let inboxes = log.streams(StreamKind::Inbox)?.into_iter();
        let inboxes = inboxes.map(|(id, head)| (Stream::inbox(id), Source::Inbox(id), head));
        for (stream, source, head) in processes.chain(inboxes) {
            let mut next = match reading.get(&source) {
                Some(next) => *next,
                None => self.transactions.next(source)?,
            };
            while next <= head {
                if Instant::now() > until {
                    return Ok(false);
                }
                let records = log.read(&stream, next, STEP)?;
                let Some(last) = records.last() else { break };
                next = last.slot + 1;
                let found: Vec<Transaction> = records.iter().filter_map(of_record).collect();
                self.transactions.enter(source, &found, next)?;
            }
            reading.insert(source, next);
        }
        Ok(true)
    }

    fn feed_uploads(&self, until: Instant) -> Result<bool, GatewayError> {
        let mut next = self.transactions.next(Source::Uploads)?;
        loop {
            let items = self.index.after(next, STEP)?;
            let Some((last, _, _)) = items.last() else { return Ok(true) };
            next = *last;
            let mut found = Vec::new();
            for (_, id, received_ms) in &items {
                let Some(row) = self.index.find(id)? else { continue };
                let file = row.file();
                found.push(Transaction {
                    id: row.id,
                    owner: row.owner,
                    recipient: row.target,
                    size: row.data_length,
                    tags: row.tags,
                    time_ms: *received_ms,
                    height: Clock::block_height_at(*received_ms),
                    held: if file == *id { Held::Elsewhere } else { Held::Bundle(file) },
                });
            }
            self.transactions.enter(Source::Uploads, &found, next)?;
            if Instant::now() > until {
                return Ok(false);
            }
        }
    }
}

/// Enters the native modules, so that a client that looks for the module of a new process finds it.
pub(crate) fn enter_modules<'a>(
    gateway: &Gateway,
    node: Id,
    modules: impl Iterator<Item = &'a dyn Module>,
) -> Result<(), GatewayError> {
    let module = |module: &dyn Module| Transaction {
        id: module_id(module),
        owner: node,
        recipient: None,
        tags: Tags::new()
            .with("Data-Protocol", "ao")
            .with("Type", "Module")
            .with("Variant", "ao.TN.1")
            .with("Name", module.name())
            .with("Module-Format", "aobench-native")
            .with("Input-Encoding", "JSON-1")
            .with("Output-Encoding", "JSON-1"),
        time_ms: 0,
        height: 0,
        size: 0,
        held: Held::Elsewhere,
    };
    let modules: Vec<Transaction> = modules.map(module).collect();
    gateway.transactions.enter(Source::Modules, &modules, modules.len() as u64)
}

/// A module that was added as a file.
#[derive(Debug, Clone)]
pub(crate) struct AddedModule {
    /// The id of its transaction.
    pub id: Id,
    /// The tags of its transaction.
    pub tags: Tags,
    /// Bytes of its code.
    pub bytes: u64,
    /// When it was added, milliseconds since 1970.
    pub added_ms: u64,
}

impl Gateway {
    /// Enters modules that were added as files.
    pub(crate) fn enter_added(&self, node: Id, added: Vec<AddedModule>) -> Result<(), GatewayError> {
        let module = |AddedModule { id, mut tags, bytes, added_ms }: AddedModule| {
            for (name, value) in [("Variant", "ao.TN.1"), ("Input-Encoding", "JSON-1"), ("Output-Encoding", "JSON-1")] {
                if tags.get(name).is_none() {
                    tags.push(name, value);
                }
            }
            let height = Clock::block_height_at(added_ms);
            Transaction {
                id,
                owner: node,
                recipient: None,
                tags,
                time_ms: added_ms,
                height,
                size: bytes,
                held: Held::Elsewhere,
            }
        };
        let modules: Vec<Transaction> = added.into_iter().map(module).collect();
        let next = self.transactions.next(Source::Modules)?;
        self.transactions.enter(Source::Modules, &modules, next + modules.len() as u64)
    }
}

/// The tags of a message that a process sent, as AO's messenger unit completes them.
fn pushed_tags(tags: Tags, kind: &str, from: &Id, pushed_for: &Id) -> Tags {
    let mut tags = tags;
    for (name, value) in [("Data-Protocol", "ao"), ("Type", kind)] {
        if tags.get(name) != Some(value) {
            tags.push(name, value);
        }
    }
    for (name, id) in [("From-Process", from), ("Pushed-For", pushed_for)] {
        if tags.get(name).is_none() {
            tags.push(name, id.to_string());
        }
    }
    tags
}

/// A record as a transaction, if it is one: ticks of a clock are none.
fn of_record(record: &Logged) -> Option<Transaction> {
    let is_inbox = record.stream.kind == StreamKind::Inbox;
    let held = if is_inbox { Held::Elsewhere } else { Held::Slot(record.stream.id, record.slot) };
    let (time_ms, height) = (record.timestamp_ms, record.block_height);
    match Body::decode(&record.body) {
        Ok(Body::Item { item, .. }) => {
            let item = DataItem::parse(&item).ok()?;
            let size = item.data().len() as u64;
            let (owner, recipient) = (item.address(), item.target());
            Some(Transaction {
                id: item.id(),
                owner,
                recipient,
                tags: item.tags().clone(),
                time_ms,
                height,
                size,
                held,
            })
        }
        Ok(Body::Pushed(pushed)) => {
            let is_spawn = record.kind == MessageKind::Spawn;
            let kind = if is_spawn { "Process" } else { "Message" };
            let size = pushed.data.len() as u64;
            let (id, owner) = (record.identity, pushed.from);
            let tags = pushed_tags(pushed.tags, kind, &owner, &pushed.pushed_for);
            let recipient = (!is_spawn).then_some(record.stream.id);
            Some(Transaction { id, owner, recipient, tags, time_ms, height, size, held })
        }
        Ok(Body::Tick(_)) | Err(_) => None,
    }
}
