//! What a process may ask of the node itself: the facts of an uploaded model, the content of uploaded data. Requests lie in
//! the inbox of the node's address; each is answered once, by an append whose identity follows from the request, so that
//! the answer is a record of the asking process's log and a replay needs no file.

mod model;
mod stored_data;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use ao::{Id, Message, MessageKind, Tags, hash_parts};

use crate::error::{LogError, NodeError};
use crate::gateway::Gateway;
use crate::limits;
use crate::log::{Append, Body, Log, Logged, Pushed, Stream};

pub use model::{ModelFacts, ModelInspector};

/// What the actors work with.
pub(crate) struct Parts {
    /// Where requests lie and answers go.
    pub log: Arc<dyn Log>,
    /// Uploaded data.
    pub gateway: Arc<Gateway>,
    /// Who looks into model files.
    pub inspector: Option<Arc<dyn ModelInspector>>,
    /// The address of the node.
    pub node: Id,
}

/// The thread that answers requests of processes.
pub(crate) struct Actors {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    parts: Parts,
    models: model::Models,
    /// Requests up to, and not with, this slot of the node's inbox are answered.
    answered: AtomicU64,
    /// Something may have come.
    news: Mutex<bool>,
    arrived: Condvar,
    stopping: AtomicBool,
}

/// What is answered: tags and data, or the reason why nothing can be.
pub(super) type Answer = Result<(Tags, Vec<u8>), String>;

impl Actors {
    /// Starts the thread. It begins with the first request there ever was: those that have their answer cost one look.
    pub(crate) fn start(parts: Parts) -> Result<Self, NodeError> {
        let shared = Arc::new(Shared {
            models: model::Models::new(parts.inspector.clone()),
            parts,
            answered: AtomicU64::new(0),
            news: Mutex::new(true),
            arrived: Condvar::new(),
            stopping: AtomicBool::new(false),
        });
        let work = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("actors".to_owned()).spawn(move || work.run());
        Ok(Self { shared, thread: Mutex::new(Some(thread.map_err(NodeError::Thread)?)) })
    }

    /// The node's inbox has grown.
    pub(crate) fn wake(&self) {
        *self.shared.news.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.shared.arrived.notify_one();
    }

    /// Whether every request is answered.
    pub(crate) fn is_idle(&self) -> bool {
        let inbox = Stream::inbox(self.shared.parts.node);
        let head = self.shared.parts.log.head(&inbox).ok().flatten();
        head.is_none_or(|head| self.shared.answered.load(Ordering::Acquire) > head)
    }

    /// Ends the thread after the request in its hands.
    pub(crate) fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.wake();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the actors panicked");
        }
    }
}

impl Shared {
    fn run(&self) {
        while self.wait() {
            if let Err(error) = self.answer_waiting() {
                tracing::error!(%error, "requests to the node cannot be answered");
            }
        }
    }

    /// Waits for requests; false when the node stops.
    fn wait(&self) -> bool {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        while !*news {
            news = self.arrived.wait(news).unwrap_or_else(PoisonError::into_inner);
        }
        *news = false;
        !self.stopping.load(Ordering::Acquire)
    }

    fn answer_waiting(&self) -> Result<(), LogError> {
        let inbox = Stream::inbox(self.parts.node);
        loop {
            let next = self.answered.load(Ordering::Acquire);
            let requests = self.parts.log.read(&inbox, next, limits::PAGE_MAX)?;
            if requests.is_empty() {
                return Ok(());
            }
            for request in requests {
                if self.stopping.load(Ordering::Acquire) {
                    return Ok(());
                }
                let slot = request.slot;
                self.answer(request)?;
                self.answered.store(slot + 1, Ordering::Release);
            }
        }
    }

    /// Answers one request, unless it has its answer.
    fn answer(&self, request: Logged) -> Result<(), LogError> {
        let identity = hash_parts(&[b"aobench answer of the node", request.identity.as_bytes()]);
        let body = match Body::decode(&request.body) {
            Ok(body) => body,
            Err(reason) => return Err(LogError::Damaged { position: request.position, reason }),
        };
        let hops = body.hops();
        let message = body.into_message(&request);
        let message = message.map_err(|reason| LogError::Damaged { position: request.position, reason })?;
        let asker = Stream::process(message.from);
        if self.parts.log.head(&asker)?.is_none() || self.parts.log.slot_of(&asker, &identity)?.is_some() {
            return Ok(());
        }
        let (tags, data) = self.tags_and_data(&message);
        let body = Body::Pushed(Pushed {
            from: self.parts.node,
            slot: request.slot,
            index: 0,
            pushed_for: message.pushed_for,
            hops: hops.saturating_add(1),
            anchor: String::new(),
            tags,
            data,
        });
        let append = Append { stream: asker, identity, kind: MessageKind::Pushed, body: body.encode() };
        let answer = self.parts.log.append(vec![append])?.blocking_recv();
        answer.map_err(|_| LogError::Stopped("its writer has ended".to_owned()))??;
        Ok(())
    }

    fn tags_and_data(&self, message: &Message) -> (Tags, Vec<u8>) {
        // What a stranger uploaded must not end the thread that answers everybody, now and at each restart.
        let guarded = |answer: &dyn Fn() -> Answer| {
            let failed = |_| Err("looking at it failed in an unforeseen way, which is a defect of the node".to_owned());
            catch_unwind(AssertUnwindSafe(answer)).unwrap_or_else(failed)
        };
        let (name, subject, answer) = match message.action() {
            "Inspect-Model" => ("Model-Facts", "Model", guarded(&|| self.models.facts(message, &self.parts.gateway))),
            "Read-Data" => ("Data-Content", "Data-Tx", guarded(&|| stored_data::content(message, &self.parts.gateway))),
            other => (
                "Node-Error",
                "Action",
                Err(format!("the node has no action '{other:.64}'; it has Inspect-Model and Read-Data")),
            ),
        };
        let mut tags = Tags::new().with("Action", name);
        for copied in [subject, "Reference"] {
            if let Some(value) = message.tag(copied).filter(|_| copied != "Action") {
                tags.push(copied, value);
            }
        }
        match answer {
            Ok((more, data)) => {
                tags.extend(more.iter().cloned());
                (tags, data)
            }
            Err(reason) => (tags.with("Error", reason), Vec::new()),
        }
    }
}
