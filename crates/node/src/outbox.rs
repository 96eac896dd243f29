//! Delivery: what a process sends becomes an append to the log of its receiver. The identity of a message follows from its
//! sender's slot alone, so delivering again after a crash changes nothing.

use std::sync::Arc;

use ao::{Assigned, Effects, Id, Message, MessageKind, Outgoing, Spawn, Tags, hash_parts};

use crate::assign;
use crate::error::LogError;
use crate::limits;
use crate::log::{Append, Body, LeftOut, Log, Pending, Pushed, Stream};
use crate::runtime::{Programs, Sending, sends};

/// The tag by which a sender asks to be told if its receiver is no process, or could not handle the message.
const NOTIFY: &str = "Notify-Undeliverable";

/// Tags of a spawn that are not told again in its notice: what the notice says itself, and what the node says of each
/// message.
const NOT_IN_SPAWNED: [&str; 9] =
    ["Action", "Process", "Error", "Data-Protocol", "Variant", "Type", "From-Process", "Pushed-For", NOTIFY];

/// Characters of an error that a notice carries.
const ERROR_CHARS_MAX: usize = 500;

/// Delivers what processes send.
#[derive(Clone)]
pub(crate) struct Outbox {
    log: Arc<dyn Log>,
    node: Id,
    programs: Arc<Programs>,
}

/// Messages that the log is writing.
pub(crate) struct Delivery {
    sender: Id,
    messages: usize,
    pending: Option<Pending>,
}

impl Delivery {
    /// Waits until they are durable; how many messages it was. Not to be called from asynchronous code.
    pub(crate) fn finish(self) -> Result<usize, LogError> {
        let Some(pending) = self.pending else { return Ok(0) };
        let placed = pending.blocking_recv().map_err(|_| LogError::Stopped("its writer has ended".to_owned()))??;
        for refused in placed.into_iter().filter_map(Result::err) {
            tracing::warn!(sender = %self.sender, %refused, "a message could not be delivered");
        }
        Ok(self.messages)
    }
}

/// A message on its way, and what its chain was so far.
struct Letter<'a> {
    sender: &'a Id,
    /// What the sender runs, if that is a module of AO: its receivers are told, as by AO's messenger unit.
    module: Option<Id>,
    sending: &'a Sending,
    index: u32,
}

/// What is in a message.
#[derive(Default)]
struct Content {
    tags: Tags,
    data: Vec<u8>,
    anchor: String,
}

impl Outbox {
    /// Delivers into this log, for the node with this address.
    pub(crate) fn new(log: Arc<dyn Log>, node: Id, programs: Arc<Programs>) -> Self {
        Self { log, node, programs }
    }

    /// Hands everything that a process sent in these slots to the log. `module` is what it runs, if that is one of AO.
    pub(crate) fn begin(&self, sender: &Id, module: Option<Id>, sendings: &[Sending]) -> Result<Delivery, LogError> {
        let mut appends = Vec::new();
        for sending in sendings {
            let mut index = 0;
            for message in &sending.effects.messages {
                self.address(&Letter { sender, module, sending, index }, message, &mut appends)?;
                index += 1;
            }
            for assigned in &sending.effects.assignments {
                self.assign(&Letter { sender, module, sending, index }, assigned, &mut appends)?;
            }
            for spawn in &sending.effects.spawns {
                let letter = Letter { sender, module, sending, index };
                let Spawn { tags, data, anchor } = spawn.clone();
                self.spawn(&letter, Content { tags, data, anchor }, &mut appends);
                index += 1;
            }
        }
        let messages = appends.len();
        let pending = if messages > 0 { Some(self.log.append(appends)?) } else { None };
        Ok(Delivery { sender: *sender, messages, pending })
    }

    /// Finds the stream of a message: the log of a process, or the inbox of an address.
    fn address(&self, letter: &Letter<'_>, message: &Outgoing, appends: &mut Vec<Append>) -> Result<(), LogError> {
        let identity = letter.identity();
        // That a handler failed is said by the node, whom its sender believes, and not by the process.
        let from = if letter.sending.is_notice { &self.node } else { letter.sender };
        let Outgoing { mut tags, data, anchor, .. } = message.clone();
        if let Some(module) = letter.module.filter(|_| !letter.sending.is_notice) {
            tags.push("From-Module", module.to_string());
        }
        let body = letter.body(from, Content { tags, data, anchor });
        let process = Stream::process(message.target);
        let inbox = Stream::inbox(message.target);
        let is_process = message.target != self.node && self.log.head(&process)?.is_some();
        // A crash may lie between an earlier delivery to the inbox and the birth of a process at that address.
        let stream = if is_process && self.log.slot_of(&inbox, &identity)?.is_none() { process } else { inbox };
        appends.push(Append { stream, identity, kind: MessageKind::Pushed, body });
        if stream == inbox && wants_notice(&message.tags) && message.target != self.node {
            appends.push(self.undeliverable(letter, message));
        }
        Ok(())
    }

    /// Gives a message that was sent to one process to others. One that is not on this node, and a process that takes none,
    /// are passed over, as AO's messenger unit does.
    fn assign(&self, letter: &Letter<'_>, assigned: &Assigned, appends: &mut Vec<Append>) -> Result<(), LogError> {
        let Some(gateway) = self.programs.gateway() else { return Ok(()) };
        for process in &assigned.processes {
            let takes = assign::takes(&*self.log, |module| self.programs.is_wasm(module), process)?;
            let found = if takes { assign::find(gateway, &*self.log, &assigned.message)? } else { None };
            let hops = letter.hops();
            appends.extend(found.map(|found| found.given_to(*process, hops, LeftOut::default())));
        }
        Ok(())
    }

    /// Tells a sender that its receiver is no process of this node.
    fn undeliverable(&self, letter: &Letter<'_>, message: &Outgoing) -> Append {
        let identity = hash_parts(&[b"aobench undeliverable", letter.identity().as_bytes()]);
        let tags = notice(message.target, &message.tags);
        let body = letter.body(&self.node, Content { tags, ..Content::default() });
        Append { stream: Stream::process(*letter.sender), identity, kind: MessageKind::Pushed, body }
    }

    /// Starts a process for its parent, and tells the parent its id, with the tags that the parent gave it: by any of them
    /// it may know which of its children this is.
    fn spawn(&self, letter: &Letter<'_>, content: Content, appends: &mut Vec<Append>) {
        let child = letter.identity();
        let module = content.tags.get("Module").unwrap_or_default();
        let mut notice = content.tags.clone();
        for name in NOT_IN_SPAWNED {
            notice.remove(name);
        }
        // A module that is here today and was not yesterday may make another notice on a repeated delivery; its identity is
        // the same, so that the log keeps the first.
        let runs = self.programs.check(module).map_err(|reason| format!("there is no module '{module:.64}': {reason}"));
        let clocks = || self.programs.check_clocks(module, &content.tags);
        let runs = runs.and_then(|()| clocks().map_err(|(name, reason)| format!("the tag {name}: {reason}")));
        if let Err(error) = runs {
            notice = notice.with("Action", "Spawn-Error").with("Error", error);
        } else {
            notice = notice.with("Action", "Spawned").with("Process", child.to_string());
            let body = letter.body(letter.sender, content);
            appends.push(Append { stream: Stream::process(child), identity: child, kind: MessageKind::Spawn, body });
        }
        let identity = hash_parts(&[b"aobench spawned", child.as_bytes()]);
        let body = letter.body(&self.node, Content { tags: notice, ..Content::default() });
        appends.push(Append { stream: Stream::process(*letter.sender), identity, kind: MessageKind::Pushed, body });
    }
}

/// What the node sends to a process whose message its receiver could not handle, if that process asked to be told. A
/// handler that fails leaves nothing behind, so without this a sender would wait for an answer that never comes.
pub(crate) fn undeliverable(message: &Message, fault: &str) -> Option<Effects> {
    let asks = message.kind == MessageKind::Pushed && wants_notice(&message.tags);
    let tags = notice(message.target, &message.tags);
    let told = Outgoing { target: message.from, tags, data: Vec::new(), anchor: String::new() };
    let error: String = fault.chars().take(ERROR_CHARS_MAX).collect();
    asks.then(|| Effects { messages: vec![told.tag("Error", error)], ..Effects::default() })
}

fn wants_notice(tags: &Tags) -> bool {
    tags.get(NOTIFY).is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// The tags that name a message to its sender.
fn notice(target: Id, tags: &Tags) -> Tags {
    let mut notice = Tags::new()
        .with("Action", "Undeliverable")
        .with("Target", target.to_string())
        .with("Original-Action", tags.get("Action").unwrap_or_default());
    if let Some(reference) = tags.get("Reference") {
        notice.push("Reference", reference);
    }
    notice
}

impl Letter<'_> {
    fn identity(&self) -> Id {
        Message::pushed_id(self.sender, self.sending.slot, self.index)
    }

    /// How long the chain is with what is sent.
    fn hops(&self) -> u8 {
        let is_of_program = self.module.is_some() && !self.sending.is_notice;
        let more = if is_of_program { limits::hops_of(sends(&self.sending.effects)) } else { 1 };
        self.sending.hops.saturating_add(more)
    }

    fn body(&self, from: &Id, Content { tags, data, anchor }: Content) -> Vec<u8> {
        Body::Pushed(Pushed {
            from: *from,
            slot: self.sending.slot,
            index: self.index,
            pushed_for: self.sending.pushed_for,
            hops: self.hops(),
            anchor,
            tags,
            data,
        })
        .encode()
    }
}
