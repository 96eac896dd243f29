//! Brings the index of transactions up to date: reads on in the logs of processes and among the uploads. What was signed
//! outside and what spawned a process is entered; what processes send each other is read from their schedules.

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
        for (process, head) in log.streams(StreamKind::Process)? {
            let mut next = match reading.get(&process) {
                Some(next) => *next,
                None => self.transactions.next(Source::Process(process))?,
            };
            while next <= head {
                if Instant::now() > until {
                    return Ok(false);
                }
                let records = log.read(&Stream::process(process), next, STEP)?;
                let Some(last) = records.last() else { break };
                next = last.slot + 1;
                let found: Vec<Transaction> = records.iter().filter_map(of_record).collect();
                self.transactions.enter(Source::Process(process), &found, next)?;
            }
            reading.insert(process, next);
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
                found.push(Transaction {
                    id: row.id,
                    owner: row.owner,
                    recipient: row.target,
                    size: row.data_length,
                    tags: row.tags,
                    time_ms: *received_ms,
                    height: Clock::block_height_at(*received_ms),
                    held: Held::Elsewhere,
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

/// A record as a transaction, if it is one: a signed item, or the spawn of a process.
fn of_record(record: &Logged) -> Option<Transaction> {
    let held = Held::Slot(record.stream.id, record.slot);
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
        Ok(Body::Pushed(pushed)) if record.kind == MessageKind::Spawn => {
            let mut tags = pushed.tags;
            for (name, value) in [("Data-Protocol", "ao"), ("Type", "Process")] {
                if tags.get(name) != Some(value) {
                    tags.push(name, value);
                }
            }
            let size = pushed.data.len() as u64;
            let (id, owner) = (record.identity, pushed.from);
            Some(Transaction { id, owner, recipient: None, tags, time_ms, height, size, held })
        }
        Ok(Body::Pushed(_) | Body::Tick(_) | Body::Assigned(_)) | Err(_) => None,
    }
}
