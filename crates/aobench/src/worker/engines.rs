//! The thread that runs models: one batch after the other, each in the child process that holds its model. The children
//! used last stay, so that several models take turns without being loaded each time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ao::Id;
use client::Client;
use inference::sandbox::Limits;
use inference::{ChildEngine, ChildOptions, ChildProgram, Engine, EngineOptions, InferenceError, ModelFile, Progress};
use processes::herder::wire::Request;
use tasks::chat::ChatRequest;
use tasks::judge::JudgeRequest;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::WorkerConfig;
use super::answer::{Defaults, answer};
use super::cache::{Cache, CachedModel};
use super::call::{self, Call};
use super::chatting::chat;
use super::desk::{Blame, Desk, Outcome};
use super::job::{Job, Work};
use super::judging::judge;
use super::memory::Memory;
use super::service::Service;

/// Children that stay with their models.
const ENGINES_KEPT: usize = 4;
/// How long a batch may take before its model counts as hanging. The herder takes it back after twenty leases anyway.
const BATCH_TIME_MAX: Duration = Duration::from_mins(15);
/// How long a model may take to load.
const LOAD_TIME_MAX: Duration = Duration::from_mins(10);
/// How often a batch says how far it is.
const PROGRESS_EVERY: Duration = Duration::from_secs(5);

/// The thread that runs models.
pub(super) struct EngineThread {
    thread: std::thread::JoinHandle<()>,
}

/// Makes an engine for a model file. Tests make scripted ones.
type MakeEngine = Box<dyn Fn(&CachedModel) -> Result<Box<dyn Engine>, InferenceError> + Send>;

/// The engines that hold a model, the one used last at the end.
struct Engines {
    make: MakeEngine,
    loaded: Vec<Loaded>,
    /// Whether any model has answered here. Where none has, it may be the machine that kills their processes.
    is_proven: bool,
}

/// What is asked of an engine; asked again of a fresh one if the first dies of it.
type Ask<'a, T> = &'a mut dyn FnMut(&mut dyn Engine) -> Result<T, InferenceError>;

/// An engine with its model.
struct Loaded {
    /// The upload that it came from, if it did.
    model: Option<Id>,
    file_hash: String,
    engine: Box<dyn Engine>,
}

/// What the thread works with.
struct Workbench {
    cache: Cache,
    /// The model of this worker, which is no upload.
    own: Option<CachedModel>,
    engines: Engines,
    desk: Arc<Desk>,
    memory: Arc<Mutex<Memory>>,
    runtime: Handle,
}

impl EngineThread {
    /// Starts the thread. It ends when the sender of `waiting` is gone.
    pub(super) fn start(
        config: &WorkerConfig,
        client: Client,
        desk: Arc<Desk>,
        memory: Arc<Mutex<Memory>>,
        mut waiting: mpsc::Receiver<Work>,
    ) -> anyhow::Result<Self> {
        let folder = config.data.join("models");
        let opened = Cache::open(folder.clone(), client, config.model_space_bytes_max);
        let cache = opened.with_context(|| format!("the folder {} cannot be made", folder.display()))?;
        let engines = Engines { make: children(config)?, loaded: Vec::new(), is_proven: false };
        let own = config.model.as_deref().map(CachedModel::at).transpose()?;
        let mut workbench = Workbench { cache, own, engines, desk, memory, runtime: Handle::current() };
        let thread = std::thread::Builder::new().name("engine".to_owned()).spawn(move || {
            while let Some(work) = waiting.blocking_recv() {
                if workbench.desk.is_closed() {
                    return;
                }
                workbench.take(work);
            }
        });
        Ok(Self { thread: thread.context("the thread of the engine could not be started")? })
    }

    /// Waits for the batch in hand to end.
    pub(super) async fn stop(self) {
        let ended = tokio::task::spawn_blocking(move || self.thread.join().is_ok()).await;
        if !matches!(ended, Ok(true)) {
            tracing::error!("the thread of the engine panicked");
        }
    }
}

/// Makes engines that run in child processes of this program.
fn children(config: &WorkerConfig) -> anyhow::Result<MakeEngine> {
    let program = ChildProgram::this()?;
    let (threads, instructions, memory_bytes_max) = (config.threads, config.instructions, config.memory_bytes_max);
    Ok(Box::new(move |cached| {
        let usual = Limits::for_model(cached.bytes, threads);
        let limits = Limits { memory_bytes: usual.memory_bytes.min(memory_bytes_max), ..usual };
        let engine = EngineOptions { threads, instructions, ..EngineOptions::default() };
        let (load_time, request_time) = (LOAD_TIME_MAX, BATCH_TIME_MAX);
        let options = ChildOptions { engine, load_time, request_time, limits: Some(limits) };
        Ok(Box::new(ChildEngine::new(program.clone(), options)))
    }))
}

impl Workbench {
    fn take(&mut self, work: Work) {
        match work {
            Work::Instruction(instruction) => {
                tracing::info!(?instruction, "from now on");
                self.memory.lock().unwrap_or_else(PoisonError::into_inner).follow(instruction);
            }
            Work::Call(call) => self.answer_call(call),
            Work::Job(job) => {
                let outcome = self.run(&job);
                self.desk.set_loaded(self.engines.models());
                let desk = Arc::clone(&self.desk);
                // The next batch is computed while this answer is on its way.
                self.runtime.spawn(async move { desk.answer(&job, outcome).await });
            }
        }
    }

    fn run(&mut self, job: &Job) -> Outcome {
        let (own_model, mut defaults) = {
            let memory = self.memory.lock().unwrap_or_else(PoisonError::into_inner);
            (memory.model(), memory.defaults())
        };
        defaults.max_tokens = job.tokens.unwrap_or(defaults.max_tokens);
        let question = Question::read(job)?;
        if let Question::Judge(request) = &question
            && request.is_without_context()
        {
            return Ok(b"0".to_vec());
        }
        let (model, cached) = self.model_for(job, own_model)?;
        let began = Instant::now();
        let mut progress = progress_of(job.number);
        let data = self.engines.answer(model, &cached, &mut |engine| {
            question.answer(engine, job, &cached.file_hash, &defaults, &mut progress)
        })?;
        let milliseconds = began.elapsed().as_millis() as u64;
        let (service, file_hash) = (job.service, &cached.file_hash);
        tracing::info!(job = job.number, %service, model = ?model, file_hash, milliseconds, "answered");
        Ok(data)
    }

    /// The model of a job: the one that it names, by its upload or its hash, else the one that was given to this worker,
    /// else the one that the owner of the herder chose.
    fn model_for(&mut self, job: &Job, chosen: Option<Id>) -> Result<(Option<Id>, CachedModel), (Blame, String)> {
        let is_own = |own: &&CachedModel| match &job.file_hash {
            Some(file_hash) => own.file_hash == *file_hash,
            None => job.model.is_none(),
        };
        if let Some(own) = self.own.as_ref().filter(is_own) {
            return Ok((job.model, own.clone()));
        }
        let no_model = "no model is named, none was given to this worker (--model), and none was chosen with loadModel";
        let model = job.model.or(chosen).ok_or_else(|| (Blame::Worker, no_model.to_owned()))?;
        Ok((Some(model), self.cache.get(&model, job.file_hash.as_deref(), &self.runtime)?))
    }

    /// Answers somebody who asks this worker itself, with its own model.
    fn answer_call(&mut self, call: Call) {
        let Call { asked, mut listener, reply } = call;
        if reply.is_closed() {
            return;
        }
        let outcome = match &self.own {
            Some(own) => self.engines.answer(None, own, &mut |engine| call::answer(engine, &asked, listener.as_mut())),
            None => Err((Blame::Worker, "this worker has no model of its own".to_owned())),
        };
        // Nobody waits any more if this fails.
        let _ = reply.send(outcome);
    }
}

/// What a job asks.
enum Question {
    /// A batch, or a plain prompt.
    Request(Request),
    /// How good an answer is.
    Judge(JudgeRequest),
    /// A sentence.
    Chat(ChatRequest),
}

impl Question {
    fn read(job: &Job) -> Result<Self, (Blame, String)> {
        // Another worker would read it no better.
        let unread = |error: &dyn std::fmt::Display| (Blame::Model, format!("the request cannot be read: {error}"));
        if job.service == Service::Evaluate {
            return JudgeRequest::read(&job.data).map(Self::Judge).map_err(|error| unread(&error));
        }
        let request = Request::read(&job.data).map_err(|error| unread(&error))?;
        Ok(match request {
            Request::Plain(text) if job.service == Service::Chat => Self::Chat(ChatRequest::read(&text)),
            request => Self::Request(request),
        })
    }

    fn answer(
        &self,
        engine: &mut dyn Engine,
        job: &Job,
        file_hash: &str,
        defaults: &Defaults,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<u8>, InferenceError> {
        match self {
            Self::Request(request) => answer(engine, request, file_hash, defaults, progress),
            Self::Judge(request) => judge(engine, request, progress).map(String::into_bytes),
            Self::Chat(request) => chat(engine, request, job.tokens, progress).map(String::into_bytes),
        }
    }
}

impl Engines {
    /// The models that are in memory.
    fn models(&self) -> Vec<Id> {
        self.loaded.iter().filter_map(|loaded| loaded.model).collect()
    }

    /// Answers a request with a model. If the process of the model dies it is tried once more in a fresh one; a second
    /// death is put on the model, if any model has ever lived here.
    fn answer<T>(&mut self, model: Option<Id>, cached: &CachedModel, ask: Ask<'_, T>) -> Result<T, (Blame, String)> {
        let error = match self.attempt(model, cached, ask) {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        if !is_death(&error) {
            return Err(blamed(&error));
        }
        tracing::warn!(%error, ?model, "the model is tried once more in a fresh process");
        self.attempt(model, cached, ask).map_err(|error| {
            if !is_death(&error) {
                return blamed(&error);
            }
            let blame = if self.is_proven { Blame::Model } else { Blame::Worker };
            (blame, format!("twice in a row: {error}"))
        })
    }

    fn attempt<T>(
        &mut self,
        model: Option<Id>,
        cached: &CachedModel,
        ask: &mut dyn FnMut(&mut dyn Engine) -> Result<T, InferenceError>,
    ) -> Result<T, InferenceError> {
        let mut loaded = self.take(model, cached)?;
        let answer = ask(&mut *loaded.engine)?;
        // An engine that failed is not kept: the next batch begins with a fresh one.
        if self.loaded.len() >= ENGINES_KEPT {
            self.loaded.remove(0);
        }
        self.loaded.push(loaded);
        self.is_proven = true;
        Ok(answer)
    }

    /// The engine that holds a model, taken from those that are kept or made anew.
    fn take(&mut self, model: Option<Id>, cached: &CachedModel) -> Result<Loaded, InferenceError> {
        if let Some(place) = self.loaded.iter().position(|loaded| loaded.file_hash == cached.file_hash) {
            let kept = self.loaded.remove(place);
            if !cached.is_new {
                return Ok(Loaded { model, ..kept });
            }
        }
        let mut engine = (self.make)(cached)?;
        let file = ModelFile { path: cached.path.clone(), file_hash: Some(cached.file_hash.clone()) };
        let facts = engine.load(&file)?;
        tracing::info!(?model, name = facts.name, sandbox = facts.sandbox, "loaded");
        Ok(Loaded { model, file_hash: cached.file_hash.clone(), engine })
    }
}

/// Whether the process of the model ended or hung.
fn is_death(error: &InferenceError) -> bool {
    use InferenceError::{ChildDied, Protocol, Timeout};
    matches!(error, ChildDied { .. } | Protocol { .. } | Timeout { .. })
}

/// Who is to blame for an error of an engine, in the words of the herder.
fn blamed(error: &InferenceError) -> (Blame, String) {
    let blame = match error.blame() {
        // Another worker would refuse the same request.
        inference::Blame::Model | inference::Blame::Request => Blame::Model,
        inference::Blame::Machine => Blame::Worker,
    };
    (blame, error.to_string())
}

/// Says now and then how far a batch is.
fn progress_of(job: u64) -> impl FnMut(Progress) {
    let mut last = Instant::now();
    move |progress: Progress| {
        if last.elapsed() >= PROGRESS_EVERY {
            last = Instant::now();
            tracing::info!(job, finished = progress.finished, of = progress.total, "computing");
        }
    }
}

#[cfg(test)]
#[path = "engines_tests.rs"]
mod tests;
