//! The face of the node to everything that talks HTTP: submit an item, read results, schedules and inboxes. No wire
//! format is known here.

mod answers;

use std::collections::BTreeMap;
use std::iter;
use std::sync::Arc;
use std::time::Duration;

use ao::item::ItemHeader;
use ao::{Assignment, DataItem, Effects, Id, Message, MessageKind, Tags, Wallet};
use serde_json::Value;
use tokio::sync::{Semaphore, watch};
use tokio::time::Instant;

use crate::admission::{self, Request};
use crate::assign;
use crate::clock::Clock;
use crate::cron::Cron;
use crate::delivered::Deliveries;
use crate::disk::Disk;
use crate::dry_runs::DryRuns;
use crate::error::{LogError, ReadError, SubmitError};
use crate::gateway::{self, Gateway, Held, Transaction};
use crate::log::{AoChain, Append, Body, LeftOut, Log, Logged, Receipt, Stream};
use crate::metrics::Metrics;
use crate::runtime::{Entry, Information, Programs, Runtime};
use crate::wasm::Image;
use crate::{authority, inbox, limits, runtime};

pub(crate) use answers::{InboxPage, ProcessSummary, Record, ResultRange, StoredResult, Submitted};

/// How long a dry-run waits for a process that has not handled its spawn yet.
const DRY_RUN_WAIT: Duration = Duration::from_secs(10);

/// The parts of a running node that its face needs.
pub(crate) struct Parts {
    /// The truth.
    pub log: Arc<dyn Log>,
    /// AO's hash chain over it.
    pub ao_chain: Arc<AoChain>,
    /// The processes.
    pub runtime: Arc<Runtime>,
    /// Uploaded data.
    pub gateway: Arc<Gateway>,
    /// What time it is.
    pub clock: Arc<Clock>,
    /// Who writes ticks; told of warps.
    pub cron: Arc<Cron>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The key of the node: its address, and the signature on assignments.
    pub key: Wallet,
    /// Who may warp the clock, if anyone may.
    pub operator: Option<Id>,
    /// The processes of the genesis.
    pub genesis: BTreeMap<String, Id>,
    /// What processes can run.
    pub programs: Arc<Programs>,
    /// Changes with every commit of the log.
    pub commits: watch::Receiver<u64>,
    /// The disk of the log.
    pub disk: Disk,
    /// Signatures verified at one time.
    pub verifications_max: usize,
}

/// The node behind its HTTP face; shared as `Arc<Core>`.
pub(crate) struct Core {
    parts: Parts,
    verifications: Semaphore,
    deliveries: Deliveries,
    dry_runs: DryRuns,
}

impl Core {
    /// The face of these parts.
    pub(crate) fn new(parts: Parts) -> Self {
        if let Err(error) = gateway::enter_modules(&parts.gateway, parts.key.address(), parts.programs.natives()) {
            tracing::warn!(%error, "queries will not find the modules of this node");
        }
        let verifications = Semaphore::new(parts.verifications_max.max(1));
        let deliveries = Deliveries::new(Arc::clone(&parts.log));
        Self { parts, verifications, deliveries, dry_runs: DryRuns::new() }
    }

    /// Verifies an item (on a thread for blocking work), decides who speaks, appends it and returns when it is durable.
    /// A process item spawns its process. The same item again has the slot it had.
    pub(crate) async fn submit(&self, item: DataItem) -> Result<Submitted, SubmitError> {
        let outcome = self.take(item).await;
        match &outcome {
            Ok(submitted) => self.parts.metrics.item_accepted(submitted.fresh),
            Err(error) => self.parts.metrics.item_refused(error.code()),
        }
        outcome
    }

    async fn take(&self, item: DataItem) -> Result<Submitted, SubmitError> {
        let request = admission::request(&item)?;
        self.parts.disk.check()?;
        let (signer, claims) = (item.address(), authority::claims_a_process(&item));
        let mut also = None;
        let (append, from) = match request {
            Request::Message(target) if target == self.address() => return self.command(item).await,
            Request::Message(target) => {
                let entry = self.parts.runtime.entry(&target).ok_or(SubmitError::UnknownProcess(target))?;
                admission::refuse_backlog(&entry)?;
                let item = self.verified(item).await?;
                let information = self.information(&entry)?;
                let trusted =
                    |signer: &Id| *signer == self.address() || authority::is_listed(information.tags(), signer);
                let from = authority::speaker(&item, trusted);
                let append = append(Stream::process(target), MessageKind::Item, from, &item);
                if from != signer {
                    return self.deliveries.append(&item, append).await;
                }
                (append, from)
            }
            Request::Spawn(module) => {
                self.check_module(&module)?;
                self.parts.programs.check_clocks(&module, item.tags()).map_err(|(name, reason)| {
                    let name = admission::quoted(&name);
                    SubmitError::BadTag { name, reason }
                })?;
                let item = self.verified(item).await?;
                let from = authority::speaker(&item, |signer| *signer == self.address());
                also = self.told_of_spawn(&item, from);
                (append(Stream::process(item.id()), MessageKind::Spawn, from, &item), from)
            }
        };
        let (id, process) = (append.identity, append.stream.id);
        let is_spawn = append.kind == MessageKind::Spawn;
        let unbelieved = (claims && from == signer).then_some(signer);
        let receipt = self.append_all(iter::once(append).chain(also).collect()).await?;
        let process = is_spawn.then_some(process);
        Ok(Submitted { id, process, slot: receipt.slot, fresh: receipt.fresh, unbelieved })
    }

    /// The error of a module that this node cannot run: it says how to add it.
    pub(crate) fn check_module(&self, module: &str) -> Result<(), SubmitError> {
        let unknown = |reason| SubmitError::UnknownModule { module: admission::quoted(module), reason };
        self.parts.programs.check(module).map_err(unknown)
    }

    /// An item whose signature holds. Verification is arithmetic, so as many run at one time as there are cores; that of a
    /// small item is over sooner than another thread would have it.
    async fn verified(&self, item: DataItem) -> Result<DataItem, SubmitError> {
        let _permit = self.verifications.acquire().await.map_err(|_| SubmitError::Busy("it is stopping".to_owned()))?;
        if item.data().len() <= limits::VERIFIED_IN_PLACE_BYTES_MAX {
            item.verify()?;
            return Ok(item);
        }
        let verified = tokio::task::spawn_blocking(move || item.verify().map(|()| item)).await;
        Ok(verified.map_err(|_| SubmitError::Busy("verifying failed".to_owned()))??)
    }

    /// A process item that names a target is given to that process as well, if it is one of this node that takes what was
    /// sent to others.
    fn told_of_spawn(&self, item: &DataItem, from: Id) -> Option<Append> {
        let entry = self.parts.runtime.entry(&item.target()?)?;
        let takes = self.parts.runtime.information(&entry).ok()?.publications().is_none();
        let record = append(Stream::process(item.id()), MessageKind::Spawn, from, item).body;
        let found = assign::Found { id: item.id(), target: entry.process(), record };
        takes.then(|| found.given_to(entry.process(), 0, LeftOut::default()))
    }

    /// Appends together; the place of the first.
    async fn append_all(&self, appends: Vec<Append>) -> Result<Receipt, SubmitError> {
        let pending = self.parts.log.try_append(appends)?;
        let placed = pending.await.map_err(|_| LogError::Stopped("its writer has ended".to_owned()))??;
        let receipt = placed.into_iter().next().ok_or_else(|| LogError::Stopped("it gave no answer".to_owned()))?;
        Ok(receipt?)
    }

    /// A command of the operator to the node itself: to warp its clock.
    async fn command(&self, item: DataItem) -> Result<Submitted, SubmitError> {
        let item = self.verified(item).await?;
        if item.tags().get("Action") != Some("Warp") {
            let text = "the node itself takes only the action Warp; other messages are for its processes";
            return Err(SubmitError::NotAllowed(text.to_owned()));
        }
        let Some(operator) = self.parts.operator else {
            return Err(SubmitError::NotAllowed(
                "only the clock of a development node (--dev) can be warped".to_owned(),
            ));
        };
        if item.address() != operator {
            let text = format!("only the operator of this node, {operator}, may warp its clock");
            return Err(SubmitError::NotAllowed(text));
        }
        let by_ms = admission::warp_ms(&item)?;
        let append = append(Stream::clock(self.address()), MessageKind::Item, operator, &item);
        let receipt = self.append_all(vec![append]).await?;
        if receipt.fresh {
            self.parts.clock.warp(by_ms);
            self.parts.cron.wake();
        }
        let (slot, fresh) = (receipt.slot, receipt.fresh);
        Ok(Submitted { id: item.id(), process: None, slot, fresh, unbelieved: None })
    }

    /// Gives a process a message that was sent to another: the record that holds it there. `left_out` names fields that are
    /// not given. Nothing if no message of this node has that id.
    pub(crate) async fn assign(
        &self,
        process: Id,
        message: Id,
        left_out: LeftOut,
    ) -> Result<Option<Receipt>, SubmitError> {
        let entry = self.parts.runtime.entry(&process).ok_or(SubmitError::UnknownProcess(process))?;
        admission::refuse_backlog(&entry)?;
        let (gateway, log) = (Arc::clone(&self.parts.gateway), Arc::clone(&self.parts.log));
        let found = tokio::task::spawn_blocking(move || assign::find(&gateway, &*log, &message)).await;
        let found = found.map_err(|_| SubmitError::Busy("looking for a message failed".to_owned()))?;
        let Some(found) = found? else { return Ok(None) };
        self.append_all(vec![found.given_to(process, 0, left_out)]).await.map(Some)
    }

    fn information(&self, entry: &Entry) -> Result<Arc<Information>, SubmitError> {
        self.parts.runtime.information(entry).map_err(|error| SubmitError::Busy(error.to_string()))
    }

    /// The result of a message, waiting until it is applied.
    pub(crate) async fn result(&self, process: &Id, message: &Id, wait: Duration) -> Result<StoredResult, ReadError> {
        self.entry(process)?;
        let unknown = ReadError::UnknownMessage { process: *process, message: *message };
        let slot = self.slot_of(process, message)?.ok_or(unknown)?;
        self.result_at(process, slot, wait).await
    }

    /// The result of the message in a slot, waiting until it is applied.
    pub(crate) async fn result_at(&self, process: &Id, slot: u64, wait: Duration) -> Result<StoredResult, ReadError> {
        let entry = self.entry(process)?;
        let head = entry.view().head;
        if slot > head {
            return Err(ReadError::UnknownSlot { process: *process, slot, head });
        }
        self.applied(&entry, slot, wait).await?;
        let absent = || ReadError::Store { process: *process, reason: format!("slot {slot} has no result") };
        self.parts.runtime.result(&entry, slot)?.ok_or_else(absent)
    }

    /// Waits until a process has applied a slot; the last slot that it has applied then.
    async fn applied(&self, entry: &Entry, slot: u64, wait: Duration) -> Result<u64, ReadError> {
        let process = entry.process();
        let end = Instant::now() + wait;
        let mut news = entry.news();
        loop {
            news.mark_unchanged();
            let view = entry.view();
            if let Some(applied) = view.progress.applied.filter(|applied| *applied >= slot) {
                return Ok(applied);
            }
            if let Some(reason) = view.stopped {
                return Err(ReadError::Stopped { process, reason });
            }
            if tokio::time::timeout_at(end, news.changed()).await.is_err() {
                return Err(ReadError::NotYet { process, applied: view.progress.applied.unwrap_or(0), wanted: slot });
            }
        }
    }

    /// Waits until a process has handled everything that is in its log now.
    pub(crate) async fn caught_up(&self, process: &Id, wait: Duration) -> Result<(), ReadError> {
        let entry = self.entry(process)?;
        self.applied(&entry, entry.view().head, wait).await.map(|_| ())
    }

    /// The results of a process, by slot. Blocking: short reads of a local file.
    pub(crate) fn results(&self, process: &Id, range: ResultRange) -> Result<Vec<StoredResult>, ReadError> {
        let entry = self.entry(process)?;
        if entry.view().progress.applied.is_none() {
            return Ok(Vec::new());
        }
        let range = ResultRange { limit: range.limit.clamp(1, limits::PAGE_MAX), ..range };
        let read = self.parts.runtime.results(process)?.results(&range);
        read.map_err(|error| ReadError::Store { process: *process, reason: error.to_string() })
    }

    /// What a process would answer to a message now; nothing is changed. Slot and, where 0, time and height are set here.
    pub(crate) async fn dry_run(&self, process: &Id, message: Message) -> Result<Result<Effects, String>, ReadError> {
        let entry = self.entry(process)?;
        let applied = self.applied(&entry, 0, DRY_RUN_WAIT).await?;
        let now_ms = self.parts.clock.now_ms();
        let set = |value: u64, otherwise: u64| if value == 0 { otherwise } else { value };
        let message = Message {
            kind: MessageKind::Item,
            slot: applied + 1,
            timestamp_ms: set(message.timestamp_ms, now_ms),
            block_height: set(message.block_height, Clock::block_height_at(now_ms)),
            read_only: true,
            ..message
        };
        let is_native = self.parts.runtime.information(&entry)?.publications().is_some();
        let _place = self.dry_runs.place(*process, is_native).await?;
        let runtime = Arc::clone(&self.parts.runtime);
        let outcome = tokio::task::spawn_blocking(move || runtime.dry_run(&entry, &message)).await;
        outcome.map_err(|_| ReadError::Store { process: *process, reason: "the dry-run failed".to_owned() })?
    }

    /// The memory of a process that runs a WebAssembly module, once it has handled everything in its log, and the last slot
    /// that it has handled; nothing of a native one.
    pub(crate) async fn memory(&self, process: &Id) -> Result<Option<(u64, Image)>, ReadError> {
        let entry = self.entry(process)?;
        self.applied(&entry, entry.view().head, DRY_RUN_WAIT).await?;
        let (runtime, process) = (Arc::clone(&self.parts.runtime), *process);
        let read = tokio::task::spawn_blocking(move || runtime.memory(&entry)).await;
        read.map_err(|_| ReadError::Store { process, reason: "reading failed".to_owned() })?
    }

    /// What a process publishes at a path of keys, once it has handled everything in its log.
    pub(crate) async fn published(&self, process: &Id, keys: &[String]) -> Result<Option<Value>, ReadError> {
        let entry = self.entry(process)?;
        self.applied(&entry, entry.view().head, DRY_RUN_WAIT).await?;
        let Some(publications) = self.parts.runtime.information(&entry)?.publications() else {
            let (runtime, process, keys) = (Arc::clone(&self.parts.runtime), *process, keys.to_vec());
            let read = tokio::task::spawn_blocking(move || runtime.published(&process, &keys)).await;
            return read.map_err(|_| ReadError::Store { process, reason: "reading failed".to_owned() })?;
        };
        let Some((publication, about, rest)) = runtime::publication(publications, keys) else { return Ok(None) };
        let mut tags = Tags::new().with("Action", publication.action);
        if let (Some(name), Some(about)) = (publication.argument, about) {
            tags.push(name, about);
        }
        let question = Message::dry_run(Id::default(), *process, tags, "");
        // What a process does not know, it does not publish.
        let Ok(answer) = self.dry_run(process, question).await? else { return Ok(None) };
        let text = answer.output.data;
        // A quantity stays the text that it is.
        let parsed = if text.starts_with(['{', '[']) { serde_json::from_str(&text).ok() } else { None };
        let value = parsed.unwrap_or(Value::String(text));
        let part: Vec<String> = publication.part.into_iter().map(ToOwned::to_owned).collect();
        Ok(runtime::part(value, &part).and_then(|value| runtime::part(value, rest)))
    }

    /// Whether a process runs a native module.
    pub(crate) fn is_native(&self, process: &Id) -> Result<bool, ReadError> {
        Ok(self.parts.runtime.information(&*self.entry(process)?)?.publications().is_some())
    }

    /// The schedule of a process from a slot on.
    pub(crate) fn records(&self, process: &Id, from_slot: u64, limit: usize) -> Result<Vec<Record>, ReadError> {
        self.entry(process)?;
        let records = self.parts.log.read(&Stream::process(*process), from_slot, limit.clamp(1, limits::PAGE_MAX))?;
        let assignments = self.parts.ao_chain.assignments(&records)?;
        records.iter().zip(assignments).map(|(logged, assigned)| record(logged, assigned)).collect()
    }

    /// The slot of a message in the log of a process.
    pub(crate) fn slot_of(&self, process: &Id, message: &Id) -> Result<Option<u64>, ReadError> {
        Ok(self.parts.log.slot_of(&Stream::process(*process), message)?)
    }

    /// The first slot of a process that was assigned at or after a time (milliseconds since 1970); one past its last slot
    /// if there is none.
    pub(crate) fn slot_at(&self, process: &Id, from_ms: u64) -> Result<u64, ReadError> {
        let (mut low, mut high) = (0, self.entry(process)?.view().head + 1);
        let stream = Stream::process(*process);
        while low < high {
            let middle = low + (high - low) / 2;
            let record = self.parts.log.read(&stream, middle, 1)?.into_iter().next();
            if record.is_some_and(|record| record.timestamp_ms < from_ms) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    /// The messages that lie at an address from a slot on, waiting for the first if there is none.
    pub(crate) async fn inbox(
        &self,
        address: &Id,
        from: u64,
        limit: usize,
        wait: Duration,
    ) -> Result<InboxPage, ReadError> {
        let (log, commits) = (Arc::clone(&self.parts.log), self.parts.commits.clone());
        inbox::read_or_wait(log, *address, from, limit, wait, commits).await
    }

    /// All processes of this node.
    pub(crate) fn processes(&self) -> Result<Vec<ProcessSummary>, ReadError> {
        self.parts.runtime.entries().iter().map(|entry| self.summary(entry)).collect()
    }

    /// One process.
    pub(crate) fn process(&self, process: &Id) -> Result<ProcessSummary, ReadError> {
        self.summary(&*self.entry(process)?)
    }

    fn summary(&self, entry: &Entry) -> Result<ProcessSummary, ReadError> {
        let information = self.parts.runtime.information(entry)?;
        let (id, view) = (entry.process(), entry.view());
        let named = self.parts.genesis.iter().find(|(_, process)| **process == id).map(|(name, _)| name.clone());
        Ok(ProcessSummary {
            id,
            name: named.or_else(|| information.tags().get("Name").map(ToOwned::to_owned)),
            module: information.module().to_owned(),
            owner: information.owner(),
            tags: information.tags().clone(),
            head: view.head,
            applied: view.progress.applied,
            stopped: view.stopped,
        })
    }

    fn entry(&self, process: &Id) -> Result<Arc<Entry>, ReadError> {
        self.parts.runtime.entry(process).ok_or(ReadError::UnknownProcess(*process))
    }

    /// The processes of the genesis by name.
    pub(crate) fn genesis(&self) -> &BTreeMap<String, Id> {
        &self.parts.genesis
    }

    /// Uploaded data.
    pub(crate) fn gateway(&self) -> &Arc<Gateway> {
        &self.parts.gateway
    }

    /// Brings the index of transactions up to date, for at most so long; whether it is.
    pub(crate) fn index_transactions(&self, time: Duration) -> bool {
        let added = self.parts.programs.added_modules();
        if let (false, Err(error)) = (added.is_empty(), self.parts.gateway.enter_added(self.address(), added)) {
            tracing::warn!(%error, "queries will not find the modules that were added");
        }
        // The machine's clock: this is about how long a request may take.
        match self.parts.gateway.feed(&*self.parts.log, std::time::Instant::now() + time) {
            Ok(done) => done,
            Err(error) => {
                tracing::warn!(%error, "the index of transactions is not up to date");
                false
            }
        }
    }

    /// Everything in the item of a transaction before its data; nothing if no item is here, or none was ever signed.
    pub(crate) fn header_of(&self, transaction: &Transaction) -> Option<ItemHeader> {
        match transaction.held {
            Held::Slot(process, slot) => match Body::decode(&self.logged(&process, slot)?.body) {
                Ok(Body::Item { item, .. }) => ItemHeader::parse(&item).ok().flatten(),
                Ok(Body::Pushed(_) | Body::Tick(_) | Body::Assigned(_)) | Err(_) => None,
            },
            Held::Bundle(_) | Held::Elsewhere => self.gateway().find(&transaction.id).ok()??.header().ok(),
        }
    }

    /// The message with an id, of whatever process, if it has been entered among the transactions.
    pub(crate) fn message(&self, id: &Id) -> Option<Message> {
        let transaction = self.gateway().transactions().transaction(id).ok()??;
        let Held::Slot(process, slot) = transaction.held else { return None };
        let logged = self.logged(&process, slot)?;
        Body::decode(&logged.body).and_then(|body| body.into_message(&logged)).ok()
    }

    fn logged(&self, process: &Id, slot: u64) -> Option<Logged> {
        self.parts.log.read(&Stream::process(*process), slot, 1).ok()?.pop()
    }

    /// The last slot that a process has applied.
    pub(crate) fn applied_slot(&self, process: &Id) -> Option<u64> {
        self.parts.runtime.entry(process)?.view().progress.applied
    }

    /// Changes whenever a process has come further.
    pub(crate) fn progress(&self) -> watch::Receiver<u64> {
        self.parts.runtime.progress()
    }

    /// The messages of a process from a slot on. Blocking: short reads of a local file.
    pub(crate) fn messages(&self, process: &Id, from_slot: u64, limit: usize) -> Result<Vec<Message>, ReadError> {
        self.entry(process)?;
        let records = self.parts.log.read(&Stream::process(*process), from_slot, limit.clamp(1, limits::PAGE_MAX))?;
        let read = |record: &Logged| {
            let damaged = |reason: String| LogError::Damaged { position: record.position, reason };
            Ok(Body::decode(&record.body).and_then(|body| body.into_message(record)).map_err(damaged)?)
        };
        records.iter().map(read).collect()
    }

    /// Changes with every commit of the log.
    pub(crate) fn commits(&self) -> watch::Receiver<u64> {
        self.parts.commits.clone()
    }

    /// The clock of the node.
    pub(crate) fn clock(&self) -> &Clock {
        &self.parts.clock
    }

    /// The address of the node.
    pub(crate) fn address(&self) -> Id {
        self.parts.key.address()
    }

    /// What the node counts, as of now.
    pub(crate) fn metrics(&self) -> &Metrics {
        let metrics = &self.parts.metrics;
        let (mut apply, mut outbox) = (0, 0);
        for entry in self.parts.runtime.entries() {
            let view = entry.view();
            let applied = view.progress.applied.map_or(0, |slot| slot + 1);
            apply += (view.head + 1).saturating_sub(applied);
            outbox += applied.saturating_sub(view.progress.delivered.map_or(0, |slot| slot + 1));
        }
        metrics.apply_backlog.set(apply as i64);
        metrics.outbox_backlog.set(outbox as i64);
        metrics.log_queue.set(self.parts.log.pending() as i64);
        metrics
    }

    /// Whether the node can do its work, else why not.
    pub(crate) fn health(&self) -> Result<(), String> {
        if let Some(reason) = self.parts.log.stopped() {
            return Err(format!("the log accepts nothing more: {reason}"));
        }
        let stopped = self.parts.runtime.entries().into_iter().find_map(|entry| {
            let reason = entry.view().stopped?;
            Some(format!("the process {} stopped: {reason}", entry.process()))
        });
        stopped.map_or(Ok(()), Err)
    }
}

/// An item on its way into a stream.
fn append(stream: Stream, kind: MessageKind, from: Id, item: &DataItem) -> Append {
    let body = Body::Item { from, pushed_for: item.id(), item: item.to_bytes() };
    Append { stream, identity: item.id(), kind, body: body.encode() }
}

fn record(logged: &Logged, (assignment, assignment_item): (Assignment, DataItem)) -> Result<Record, ReadError> {
    let damaged = |reason: String| LogError::Damaged { position: logged.position, reason };
    let body = Body::decode(&logged.body).map_err(damaged)?;
    let item = match &body {
        Body::Item { item, .. } => Some(item.clone()),
        Body::Assigned(assigned) => assigned.item(),
        Body::Pushed(_) | Body::Tick(_) => None,
    };
    Ok(Record { assignment, assignment_item, message: body.into_message(logged).map_err(damaged)?, item })
}
