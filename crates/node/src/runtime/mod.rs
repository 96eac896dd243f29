//! The runtime: turns the log of each process into its database. A process is on one thread at a time and takes what
//! is waiting in one turn; a small pool of threads serves those that have something to do.

mod apply;
mod entry;
mod open_files;
mod process_file;
mod program;
mod published;
mod recent;
mod turn;

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use ao::{Effects, Id, Message};
use serde_json::Value;
use tokio::sync::watch;

use crate::core::StoredResult;
use crate::error::{NodeError, ReadError};
use crate::limits;
use crate::log::{Body, Log, Stream, StreamKind};
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::wasm::Image;

pub(crate) use apply::sends;
pub(crate) use entry::{Entry, Information};
pub(crate) use process_file::{ProcessFiles, ResultReader, Sending, path};
pub(crate) use program::Programs;
pub(crate) use published::{part, publication};

use apply::Identity;
use open_files::OpenFiles;
use process_file::ProcessFile;
use program::Program;

/// The name of the alarm among the clocks of a process.
pub(crate) const ALARM: &str = "Wake";

/// The stack of a thread: four times what a module may use of it.
const STACK_BYTES: usize = 4 * 1024 * 1024;

/// How long a thread has nothing to do before it writes a snapshot that is not due yet.
const REST: Duration = Duration::from_millis(limits::WASM_SNAPSHOT_REST_MS);

/// What a runtime is made of.
pub(crate) struct Parts {
    /// The truth.
    pub log: Arc<dyn Log>,
    /// The files of processes.
    pub files: ProcessFiles,
    /// What processes can run.
    pub programs: Arc<Programs>,
    /// The address of the node.
    pub node: Id,
    /// Who delivers what processes send.
    pub outbox: Outbox,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// The processes of a node and the threads that run them.
pub(crate) struct Runtime {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// What the threads share.
struct Shared {
    parts: Parts,
    state: Mutex<State>,
    ready: Condvar,
    /// Counts up whenever a process has come further.
    progress: watch::Sender<u64>,
    /// Called whenever a clock of a process may be due at another time than before.
    listener: OnceLock<Box<dyn Fn() + Send + Sync>>,
    open: Mutex<OpenFiles>,
}

#[derive(Default)]
struct State {
    entries: BTreeMap<Id, Arc<Entry>>,
    queue: VecDeque<Arc<Entry>>,
    stopping: bool,
}

impl Runtime {
    /// A runtime that knows no process yet.
    pub(crate) fn new(parts: Parts) -> Self {
        let (progress, _) = watch::channel(0);
        let (ready, listener) = (Condvar::new(), OnceLock::new());
        let open = Mutex::new(OpenFiles::new(limits::OPEN_PROCESSES_MAX));
        let shared = Shared { parts, state: Mutex::default(), ready, progress, listener, open };
        Self { shared: Arc::new(shared), threads: Mutex::default() }
    }

    /// Loads the processes that the log has and starts the threads.
    pub(crate) fn start(&self, threads: usize) -> Result<(), NodeError> {
        for (process, head) in self.shared.parts.log.streams(StreamKind::Process)? {
            self.advance(process, head);
        }
        let mut running = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        for number in 0..threads.max(1) {
            let shared = Arc::clone(&self.shared);
            let thread = std::thread::Builder::new().name(format!("runtime-{number}")).stack_size(STACK_BYTES);
            running.push(thread.spawn(move || shared.run()).map_err(NodeError::Thread)?);
        }
        Ok(())
    }

    /// The log of a process has come to this slot.
    pub(crate) fn advance(&self, process: Id, head: u64) {
        let mut state = self.shared.state();
        let entry = Arc::clone(state.entries.entry(process).or_insert_with(|| Arc::new(Entry::new(process))));
        self.shared.parts.metrics.processes.set(state.entries.len() as i64);
        if entry.advance(head) {
            state.queue.push_back(entry);
            self.shared.ready.notify_one();
        }
    }

    /// A process, if this node has it.
    pub(crate) fn entry(&self, process: &Id) -> Option<Arc<Entry>> {
        self.shared.state().entries.get(process).cloned()
    }

    /// All processes, by id.
    pub(crate) fn entries(&self) -> Vec<Arc<Entry>> {
        self.shared.state().entries.values().cloned().collect()
    }

    /// What is fixed about a process, read from its spawn.
    pub(crate) fn information(&self, entry: &Entry) -> Result<Arc<Information>, ReadError> {
        let parts = &self.shared.parts;
        entry.information(&*parts.log, &parts.programs, parts.node)
    }

    /// Changes whenever a process has come further.
    pub(crate) fn progress(&self) -> watch::Receiver<u64> {
        self.shared.progress.subscribe()
    }

    /// Calls `listener` whenever a clock of a process may be due at another time than before. There is one listener.
    pub(crate) fn on_clocks_changed(&self, listener: impl Fn() + Send + Sync + 'static) {
        let _ = self.shared.listener.set(Box::new(listener));
    }

    /// The result of a slot that a process has applied; nothing if its file has none.
    pub(crate) fn result(&self, entry: &Entry, slot: u64) -> Result<Option<StoredResult>, ReadError> {
        let process = entry.process();
        let failed = |error: rusqlite::Error| ReadError::Store { process, reason: error.to_string() };
        match entry.recent(slot) {
            Some(result) => Ok(Some(result)),
            None => self.results(&process)?.result(slot).map_err(failed),
        }
    }

    /// A reader of the results of a process.
    pub(crate) fn results(&self, process: &Id) -> Result<ResultReader, ReadError> {
        let failed = |error: rusqlite::Error| ReadError::Store { process: *process, reason: error.to_string() };
        ResultReader::open(self.shared.parts.files.folder(), process).map_err(failed)
    }

    /// What a process that runs a WebAssembly module has published at a path.
    pub(crate) fn published(&self, process: &Id, keys: &[String]) -> Result<Option<Value>, ReadError> {
        let failed = |error: rusqlite::Error| ReadError::Store { process: *process, reason: error.to_string() };
        self.results(process)?.published(keys).map_err(failed)
    }

    /// What a process would answer now. Waits while the process is in the middle of a batch.
    pub(crate) fn dry_run(&self, entry: &Entry, message: &Message) -> Result<Result<Effects, String>, ReadError> {
        let information = self.information(entry)?;
        let failed = |reason: String| ReadError::Store { process: entry.process(), reason };
        let head = entry.view().head;
        let answered = entry.with_file(&self.shared.parts.files, head, |file| {
            self.shared.wake(entry.process(), &information.identity, file)?;
            apply::dry_run(file, &information.identity, message)
        });
        answered.map_err(|error| failed(error.to_string()))?.map_err(failed)
    }

    /// The memory of a process that runs a WebAssembly module, and the last slot that it has handled; nothing of a native
    /// one. Waits while the process is in the middle of a batch.
    pub(crate) fn memory(&self, entry: &Entry) -> Result<Option<(u64, Image)>, ReadError> {
        let information = self.information(entry)?;
        let Program::Wasm(program) = &information.identity.program else { return Ok(None) };
        let failed = |reason: String| ReadError::Store { process: entry.process(), reason };
        let read = entry.with_file(&self.shared.parts.files, entry.view().head, |file| {
            self.shared.wake(entry.process(), &information.identity, file)?;
            program.memory()
        });
        read.map_err(|error| failed(error.to_string()))?.map(Some).map_err(failed)
    }

    /// Ends the threads once they are done with the batches in their hands.
    pub(crate) fn stop(&self) {
        self.shared.state().stopping = true;
        self.shared.ready.notify_all();
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the runtime panicked");
            }
        }
        for entry in self.entries() {
            self.shared.rest(&entry);
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Serves processes until the node stops.
    fn run(&self) {
        while let Some(entry) = self.next() {
            // A defect stops the process that met it, and not the thread that serves all of them.
            let outcome = catch_unwind(AssertUnwindSafe(|| self.turn(&entry))).unwrap_or_else(|_| {
                entry.discard_file();
                Err("it failed in an unforeseen way; the log of the node says where".to_owned())
            });
            if let Err(reason) = &outcome {
                tracing::error!(process = %entry.process(), %reason, "the process stopped");
                entry.stop(reason);
                self.has_progress();
            }
            if entry.release() {
                self.state().queue.push_back(entry);
                self.ready.notify_one();
            }
        }
    }

    fn has_progress(&self) {
        self.progress.send_modify(|count| *count += 1);
    }

    /// A clock may be due at another time than before.
    fn clocks_changed(&self) {
        if let Some(listener) = self.listener.get() {
            listener();
        }
    }

    /// The next process that has something to do; nothing when the node stops.
    fn next(&self) -> Option<Arc<Entry>> {
        let mut state = self.state();
        loop {
            if state.stopping {
                return None;
            }
            if let Some(entry) = state.queue.pop_front() {
                return Some(entry);
            }
            if self.parts.programs.wasm().unwritten().is_none() {
                state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let (woken, waited) = self.ready.wait_timeout(state, REST).unwrap_or_else(PoisonError::into_inner);
            state = woken;
            while waited.timed_out()
                && state.queue.is_empty()
                && let Some(unwritten) = self.parts.programs.wasm().unwritten()
            {
                let entry = state.entries.get(&unwritten).cloned();
                drop(state);
                entry.iter().for_each(|entry| self.save(entry));
                state = self.state();
            }
        }
    }

    /// Closes the file that was not used for longest, if this one is one too many.
    fn close_one(&self, used: &Entry) {
        let oldest = self.open.lock().unwrap_or_else(PoisonError::into_inner).touch(used.process());
        let entry = oldest.and_then(|process| self.state().entries.get(&process).cloned());
        if let Some(entry) = entry {
            entry.close_file();
        }
    }

    /// Brings a WebAssembly module to where its process is; others are always there.
    fn wake(&self, process: Id, identity: &Identity, file: &ProcessFile) -> Result<(), String> {
        let Program::Wasm(program) = &identity.program else { return Ok(()) };
        let applied = file.progress().map_err(|error| error.to_string())?.applied;
        program.wake(file.connection(), applied, |from| {
            let records = self.parts.log.read(&Stream::process(process), from, limits::RUNTIME_BATCH_MAX);
            let records = records.map_err(|error| error.to_string())?;
            let again = records.iter().filter(|record| Some(record.slot) <= applied).count();
            self.parts.metrics.messages_run_again(again);
            records.iter().map(|record| Body::decode(&record.body)?.into_message(record)).collect()
        })
    }

    /// Puts processes aside that take memory and were idle longest.
    fn make_room(&self) {
        while let Some(process) = self.parts.programs.wasm().crowded() {
            let entry = self.state().entries.get(&process).cloned();
            if !entry.is_some_and(|entry| self.rest(&entry)) {
                return;
            }
        }
    }

    /// Writes the snapshot of a process. One that is at work has its turn later.
    fn save(&self, entry: &Entry) {
        let Some(information) = entry.known() else { return };
        let Program::Wasm(program) = &information.identity.program else { return };
        self.parts.programs.wasm().written(&entry.process());
        let saved = entry.with_free_file(&self.parts.files, |file| program.save(file.connection()));
        if let Err(reason) = saved.map_err(|error| error.to_string()).and_then(Option::transpose) {
            tracing::warn!(process = %entry.process(), %reason, "a snapshot could not be written");
        }
    }

    /// Puts a process aside unless it is at work; whether that was done.
    fn rest(&self, entry: &Entry) -> bool {
        let Some(information) = entry.known() else { return false };
        let Program::Wasm(program) = &information.identity.program else { return false };
        match entry.with_free_file(&self.parts.files, |file| program.rest(file.connection())) {
            Ok(None) => false,
            Ok(Some(Ok(()))) => true,
            Ok(Some(Err(reason))) => {
                tracing::warn!(process = %entry.process(), %reason, "a snapshot could not be written");
                true
            }
            Err(error) => {
                tracing::warn!(process = %entry.process(), %error, "a snapshot could not be written");
                false
            }
        }
    }
}
