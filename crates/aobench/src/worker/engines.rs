//! The thread that runs models: one job after the other, each in the child process that holds its model. The children
//! used last stay, so that several models take turns without being loaded each time.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use ao::Id;
use client::Client;
use inference::sandbox::Limits;
use inference::{ChildEngine, ChildOptions, ChildProgram, Engine, EngineOptions, InferenceError, ModelFile, Progress};
use processes::herder::wire::Request;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::WorkerConfig;
use super::answer::{Defaults, answer};
use super::cache::{Cache, CachedModel};
use super::desk::{Blame, Desk, Outcome};
use super::job::{Instruction, Job, Work};

/// Children that stay with their models.
const ENGINES_KEPT: usize = 4;
/// Processor time of a child for each of its threads; it is replaced by a fresh one long before.
const CHILD_CPU_SECONDS_MAX: u64 = 24 * 3600;
/// Tokens that a plain prompt gets if nothing else is said, as in the original's worker.
const MAX_TOKENS_DEFAULT: u32 = 40;

/// The thread that runs models.
pub(super) struct EngineThread {
    thread: std::thread::JoinHandle<()>,
}

/// A child with its model.
struct Loaded {
    model: Id,
    file_hash: String,
    engine: Box<dyn Engine>,
}

struct Engines {
    config: WorkerConfig,
    cache: Cache,
    desk: Arc<Desk>,
    runtime: Handle,
    /// The one used last is the last.
    loaded: Vec<Loaded>,
    model: Option<Id>,
    defaults: Defaults,
}

/// Starts the thread. It ends when the sender of `waiting` is gone.
pub(super) fn start(
    config: &WorkerConfig,
    client: Client,
    desk: Arc<Desk>,
    mut waiting: mpsc::Receiver<Work>,
) -> anyhow::Result<EngineThread> {
    let folder = config.data.join("models");
    let cache = Cache::open(folder.clone(), client).with_context(|| format!("{} cannot be made", folder.display()))?;
    let mut engines = Engines {
        config: config.clone(),
        cache,
        desk,
        runtime: Handle::current(),
        loaded: Vec::new(),
        model: None,
        defaults: Defaults { max_tokens: MAX_TOKENS_DEFAULT, system_prompt: None },
    };
    let thread = std::thread::Builder::new().name("engine".to_owned()).spawn(move || {
        while let Some(work) = waiting.blocking_recv() {
            if engines.desk.is_closed() {
                return;
            }
            engines.take(work);
        }
    });
    Ok(EngineThread { thread: thread.context("the thread of the engine could not be started")? })
}

impl EngineThread {
    /// Waits for the job in hand to end.
    pub(super) async fn stop(self) {
        let ended = tokio::task::spawn_blocking(move || self.thread.join().is_ok()).await;
        if !matches!(ended, Ok(true)) {
            tracing::error!("the thread of the engine panicked");
        }
    }
}

impl Engines {
    fn take(&mut self, work: Work) {
        match work {
            Work::Instruction(Instruction::Model(model)) => self.model = Some(model),
            Work::Instruction(Instruction::MaxTokens(tokens)) => self.defaults.max_tokens = tokens.max(1),
            Work::Instruction(Instruction::SystemPrompt(prompt)) => {
                self.defaults.system_prompt = Some(prompt).filter(|prompt| !prompt.is_empty());
            }
            Work::Job(job) => {
                self.desk.begin(&job);
                let outcome = self.run(&job);
                self.desk.set_loaded(self.loaded.iter().map(|loaded| loaded.model));
                let desk = Arc::clone(&self.desk);
                // The next job is computed while this answer is on its way.
                self.runtime.spawn(async move { desk.answer(&job, outcome).await });
            }
        }
    }

    fn run(&mut self, job: &Job) -> Outcome {
        let began = Instant::now();
        let request = Request::read(&job.data).map_err(|error| (Blame::Model, error.to_string()))?;
        let model =
            job.model.or(self.model).ok_or((Blame::Worker, "no model was named, and none is loaded".to_owned()))?;
        let cached = self.cache.get(&model, job.file_hash.as_deref(), &self.runtime)?;
        let mut defaults = self.defaults.clone();
        defaults.max_tokens =
            job.tokens_max.map_or(defaults.max_tokens, |tokens| tokens.min(defaults.max_tokens).max(1));
        let mut loaded = self.engine(model, &cached).map_err(|error| blamed(&error))?;
        let number = job.number;
        let mut progress = |progress: Progress| {
            tracing::debug!(job = number, finished = progress.finished, total = progress.total, "progress");
        };
        let outcome = answer(&mut *loaded.engine, &request, &cached.file_hash, &defaults, &mut progress);
        // A child that failed is not kept: the next job begins with a fresh one.
        if outcome.is_ok() {
            self.keep(loaded);
        }
        let data = outcome.map_err(|error| blamed(&error))?;
        let milliseconds = began.elapsed().as_millis() as u64;
        tracing::info!(job = number, %model, prompts = request.prompts(), milliseconds, "answered");
        Ok(data)
    }

    /// The child that holds a model, taken from those that are kept or started anew.
    fn engine(&mut self, model: Id, cached: &CachedModel) -> Result<Loaded, InferenceError> {
        if let Some(place) = self.loaded.iter().position(|loaded| loaded.file_hash == cached.file_hash) {
            return Ok(self.loaded.remove(place));
        }
        let mut engine = child(&self.config)?;
        let file = ModelFile { path: cached.path.clone(), file_hash: Some(cached.file_hash.clone()) };
        let description = engine.load(&file)?;
        tracing::info!(%model, name = description.name, sandbox = description.sandbox, "loaded");
        Ok(Loaded { model, file_hash: cached.file_hash.clone(), engine })
    }

    fn keep(&mut self, loaded: Loaded) {
        if self.loaded.len() >= ENGINES_KEPT {
            self.loaded.remove(0);
        }
        self.loaded.push(loaded);
    }
}

/// An engine in a child process without keys, network or other files, with the memory that the operator allows.
fn child(config: &WorkerConfig) -> Result<Box<dyn Engine>, InferenceError> {
    let limits = Limits {
        memory_bytes: config.memory_bytes_max,
        cpu_seconds: CHILD_CPU_SECONDS_MAX * u64::from(config.threads.max(1)),
    };
    let options = ChildOptions {
        engine: EngineOptions { threads: config.threads, ..EngineOptions::default() },
        limits: Some(limits),
        ..ChildOptions::default()
    };
    Ok(Box::new(ChildEngine::new(ChildProgram::this()?, options)))
}

/// Who is to blame for an error of an engine, in the words of the herder.
fn blamed(error: &InferenceError) -> (Blame, String) {
    let blame = match error.blame() {
        inference::Blame::Model | inference::Blame::Request => Blame::Model,
        inference::Blame::Machine => Blame::Worker,
    };
    (blame, error.to_string())
}
