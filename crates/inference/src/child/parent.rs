//! The parent's side: an engine whose model runs in a child process.

use std::ffi::OsString;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::SUBCOMMAND;
use super::message::{News, Order, Probed, Reply};
use super::watch::RunningChild;
use crate::engine::{Description, Engine, EngineOptions, LoadedModel, ModelFile};
use crate::error::InferenceError;
use crate::request::{
    Embedded, Finish, GenerateRequest, Generated, Likelihood, Part, Progress, ScorePrompt, ScoreRequest, Scored,
};
use crate::sandbox::Limits;
use crate::schema::Schema;

/// A child is replaced by a fresh one after this time, before it can run out of its processor time.
const LIFETIME: Duration = Duration::from_hours(12);

/// The program that is started as the child.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildProgram {
    /// The program.
    pub program: PathBuf,
    /// Its arguments; with them its `main` must call [`super::run`].
    pub arguments: Vec<OsString>,
}

impl ChildProgram {
    /// The running program with the argument [`SUBCOMMAND`].
    ///
    /// # Errors
    /// If the system does not say where the running program is.
    pub fn this() -> Result<Self, InferenceError> {
        let program = std::env::current_exe().map_err(|error| {
            let reason = format!("where it is, is unknown: {error}");
            InferenceError::ChildStart { program: PathBuf::new(), reason }
        })?;
        Ok(Self { program, arguments: vec![SUBCOMMAND.into()] })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments);
        command
    }
}

/// How a child is run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildOptions {
    /// The engine in the child.
    pub engine: EngineOptions,
    /// Time for loading a model.
    pub load_time: Duration,
    /// Time for one request.
    pub request_time: Duration,
    /// Memory and processor time; `None`: by the size of the model ([`Limits::for_model`]).
    pub limits: Option<Limits>,
}

impl Default for ChildOptions {
    fn default() -> Self {
        Self {
            engine: EngineOptions::default(),
            load_time: Duration::from_mins(5),
            request_time: Duration::from_mins(5),
            limits: None,
        }
    }
}

/// An engine whose model runs in a sandboxed child process. A child that dies or takes too long costs the request at
/// hand; the next request starts a new child with the same model.
#[derive(Debug)]
pub struct ChildEngine {
    program: ChildProgram,
    options: ChildOptions,
    model: Option<ModelFile>,
    loaded: Option<LoadedModel>,
    running: Option<RunningChild>,
}

impl ChildEngine {
    /// An engine without a model; no process is started yet.
    pub fn new(program: ChildProgram, options: ChildOptions) -> Self {
        Self { program, options, model: None, loaded: None, running: None }
    }

    /// What the running child said about its model.
    pub fn loaded(&self) -> Option<&LoadedModel> {
        self.loaded.as_ref()
    }

    /// The process number of the child, while one is running.
    pub fn process_id(&self) -> Option<u32> {
        self.running.as_ref().map(RunningChild::process_id)
    }

    /// Ends the child; the model stays chosen, the next request starts a new child.
    pub fn stop(&mut self) {
        self.running = None;
        self.loaded = None;
    }

    /// Lets the child try what its confinement forbids.
    pub fn probe(&mut self) -> Result<Probed, InferenceError> {
        match self.ask(&Order::Probe, &mut |_| ())? {
            Reply::Probed(probed) => Ok(probed),
            other => Err(self.nonsense(&other)),
        }
    }

    /// Makes the child abort, as llama.cpp does on a failed assertion. Always an error.
    #[doc(hidden)]
    pub fn abort_child(&mut self) -> Result<(), InferenceError> {
        let reply = self.ask(&Order::Abort, &mut |_| ())?;
        Err(self.nonsense(&reply))
    }

    /// Sends an order to the child, which is started if none is running.
    fn ask(&mut self, order: &Order, progress: &mut dyn FnMut(Progress)) -> Result<Reply, InferenceError> {
        self.ask_and_hear(order, &mut |news| {
            if let News::Progress(done) = news {
                progress(done);
            }
            ControlFlow::Continue(())
        })
    }

    fn ask_and_hear(
        &mut self,
        order: &Order,
        hear: &mut dyn FnMut(News) -> ControlFlow<()>,
    ) -> Result<Reply, InferenceError> {
        if self.running.as_ref().is_some_and(|child| child.age() > LIFETIME) {
            self.stop();
        }
        if self.running.is_none() {
            self.start()?;
        }
        let child = self.running.as_mut().ok_or(InferenceError::NoModel)?;
        let reply = child.ask(order, self.options.request_time, hear);
        self.settle(reply)
    }

    /// Starts a child and loads the chosen model in it.
    fn start(&mut self) -> Result<&LoadedModel, InferenceError> {
        let model = self.model.clone().ok_or(InferenceError::NoModel)?;
        let refused =
            |error: std::io::Error| InferenceError::ModelFile { path: model.path.clone(), reason: error.to_string() };
        let length = std::fs::metadata(&model.path).map_err(refused)?.len();
        let options = self.options.engine.clone();
        let limits = self.options.limits.unwrap_or_else(|| Limits::for_model(length, options.threads));
        let mut child = RunningChild::start(self.program.command())?;
        let reply =
            child.ask(&Order::Load { model, options, limits }, self.options.load_time, |_| ControlFlow::Continue(()));
        self.running = Some(child);
        match self.settle(reply) {
            Ok(Reply::Loaded(loaded)) => {
                tracing::debug!(model = loaded.name, sandbox = loaded.sandbox, "a model process has started");
                Ok(self.loaded.insert(loaded))
            }
            Ok(other) => Err(self.nonsense(&other)),
            Err(error) => {
                // A child that did not load waits for nothing.
                self.stop();
                Err(error)
            }
        }
    }

    /// Unwraps a reply. Ends a child that can answer no more.
    fn settle(&mut self, reply: Result<Reply, InferenceError>) -> Result<Reply, InferenceError> {
        match reply {
            Ok(Reply::Failed(failure)) => Err(failure.into_error(self.model.as_ref())),
            Ok(reply) => Ok(reply),
            Err(error @ InferenceError::Request { .. }) => Err(error),
            Err(error) => {
                tracing::warn!(%error, "a model process is stopped");
                self.stop();
                Err(error)
            }
        }
    }

    fn nonsense(&mut self, reply: &Reply) -> InferenceError {
        self.stop();
        let mut shown = format!("{reply:?}");
        shown.truncate(shown.char_indices().nth(100).map_or(shown.len(), |(end, _)| end));
        InferenceError::Protocol { reason: format!("it answered another order: {shown}") }
    }

    fn generated(&mut self, request: &GenerateRequest, reply: Reply) -> Result<Vec<Generated>, InferenceError> {
        match reply {
            Reply::Generated(results) => {
                self.checked(results, request.prompts.len(), |_, generated| is_sound_text(request, generated))
            }
            other => Err(self.nonsense(&other)),
        }
    }

    /// The results, if there is one for each prompt and each is one that an honest child can give: the parent does not
    /// trust a process that has read a stranger's file.
    fn checked<R>(
        &mut self,
        results: Vec<R>,
        expected: usize,
        is_sound: impl Fn(usize, &R) -> bool,
    ) -> Result<Vec<R>, InferenceError> {
        let unsound = results.iter().enumerate().position(|(index, result)| !is_sound(index, result));
        let reason = match unsound {
            _ if results.len() != expected => format!("{} results for {expected} prompts", results.len()),
            Some(index) => format!("the result of prompt {index} cannot be one"),
            None => return Ok(results),
        };
        self.stop();
        Err(InferenceError::Protocol { reason })
    }
}

/// Whether the scores are finite and one for each continuation.
fn is_sound_score(prompt: Option<&ScorePrompt>, scored: &Scored) -> bool {
    match scored {
        Scored::Likelihoods(likelihoods) => {
            prompt.is_some_and(|prompt| prompt.continuations.len() == likelihoods.len())
                && likelihoods.iter().all(|likelihood| likelihood.log_probability.is_finite())
        }
        Scored::ContextExceeded => true,
    }
}

/// Whether a text is within the limits, and is what it must be.
fn is_sound_text(request: &GenerateRequest, generated: &Generated) -> bool {
    let Generated { text, tokens, finish } = generated;
    let fits = |schema: &Schema| *finish == Finish::ContextExceeded || schema.fits(text);
    text.len() <= request.max_bytes as usize
        && *tokens <= request.max_tokens
        && request.schema.as_ref().is_none_or(fits)
}

/// Whether the vector is one of numbers.
fn is_sound_vector(embedded: &Embedded) -> bool {
    match embedded {
        Embedded::Vector(vector) => !vector.is_empty() && vector.iter().all(|number| number.is_finite()),
        Embedded::ContextExceeded => true,
    }
}

impl Engine for ChildEngine {
    fn describe(&mut self) -> Result<Description, InferenceError> {
        match self.ask(&Order::Describe, &mut |_| ())? {
            Reply::Description(description) => Ok(description),
            other => Err(self.nonsense(&other)),
        }
    }

    fn load(&mut self, model: &ModelFile) -> Result<LoadedModel, InferenceError> {
        self.stop();
        self.model = Some(model.clone());
        self.start().cloned()
    }

    fn tokenize(&mut self, text: &str) -> Result<Vec<i32>, InferenceError> {
        match self.ask(&Order::Tokenize(text.to_owned()), &mut |_| ())? {
            Reply::Tokens(tokens) => Ok(tokens),
            other => Err(self.nonsense(&other)),
        }
    }

    fn score(
        &mut self,
        request: &ScoreRequest,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Scored>, InferenceError> {
        match self.ask(&Order::Score(request.clone()), progress)? {
            Reply::Scored(results) => self.checked(results, request.prompts.len(), |index, scored| {
                is_sound_score(request.prompts.get(index), scored)
            }),
            other => Err(self.nonsense(&other)),
        }
    }

    fn score_rolling(
        &mut self,
        texts: &[String],
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Likelihood>, InferenceError> {
        match self.ask(&Order::Roll(texts.to_vec()), progress)? {
            Reply::Rolled(results) => {
                self.checked(results, texts.len(), |_, likelihood| likelihood.log_probability.is_finite())
            }
            other => Err(self.nonsense(&other)),
        }
    }

    fn generate(
        &mut self,
        request: &GenerateRequest,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<Vec<Generated>, InferenceError> {
        let reply = self.ask(&Order::Generate(request.clone()), progress)?;
        self.generated(request, reply)
    }

    fn generate_in_parts(
        &mut self,
        request: &GenerateRequest,
        parts: &mut dyn FnMut(Part) -> ControlFlow<()>,
    ) -> Result<Vec<Generated>, InferenceError> {
        let mut given = vec![String::new(); request.prompts.len()];
        let mut flow = ControlFlow::Continue(());
        let reply = self.ask_and_hear(&Order::GenerateInParts(request.clone()), &mut |news| {
            let News::Part(part) = news else { return flow };
            // What is over the limit, or of no prompt, is found out when all is there.
            if let Some(given) = given.get_mut(part.prompt)
                && given.len() + part.text.len() <= request.max_bytes as usize
            {
                given.push_str(&part.text);
                flow = parts(part);
            }
            flow
        })?;
        if flow.is_break() {
            // Its reply was on its way already, and not all of its parts were heard.
            return Err(InferenceError::Stopped);
        }
        let results = self.generated(request, reply)?;
        self.checked(results, given.len(), |index, generated: &Generated| given.get(index) == Some(&generated.text))
    }

    fn embed(&mut self, texts: &[String], progress: &mut dyn FnMut(Progress)) -> Result<Vec<Embedded>, InferenceError> {
        match self.ask(&Order::Embed(texts.to_vec()), progress)? {
            Reply::Embedded(results) => self.checked(results, texts.len(), |_, embedded| is_sound_vector(embedded)),
            other => Err(self.nonsense(&other)),
        }
    }
}
