//! The HTTP API of OpenAI on a worker: `/v1/models`, `/v1/chat/completions`, `/v1/completions`, `/v1/embeddings`, for those
//! who have a key. What is asked here waits in the queue of the worker's one engine, between the jobs of the herd.
//!
//! Answers are greedy, whatever temperature is asked for: the same question has the same answer.

mod connections;
mod error;
mod form;
mod streaming;
mod wire;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use ao::{Id, sha256};
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use inference::Generated;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use self::error::{Payload, Refusal};
use self::wire::{ChatCompletion, Completion, Embeddings, Kind};
use super::cache::CachedModel;
use super::call::{Answered, Asked, Call, Listener};
use super::desk::Blame;
use super::job::Work;
use crate::session::only_its_owners;

/// Bytes of a request.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Requests that wait for the engine.
const WAITING_MAX: usize = 64;
/// Letters of a key: fewer can be guessed.
const KEY_LENGTH_MIN: usize = 16;

/// Where and for whom a worker answers.
#[derive(Debug, Clone)]
pub(crate) struct Serving {
    address: SocketAddr,
    /// SHA-256 of each key: what is compared takes the same time for every key.
    keys: Arc<BTreeSet<Id>>,
}

/// What every request needs.
#[derive(Clone)]
struct Shared {
    keys: Arc<BTreeSet<Id>>,
    jobs: mpsc::Sender<Work>,
    places: Arc<Semaphore>,
    model: Arc<ServedModel>,
}

/// The model under its names.
struct ServedModel {
    name: String,
    file_hash: String,
    since: u64,
}

impl Serving {
    /// Reads the keys, one in a line; empty lines and those that begin with `#` are none.
    pub(crate) fn new(address: SocketAddr, key_file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(key_file)
            .with_context(|| format!("the keys in {} cannot be read", key_file.display()))?;
        only_its_owners(key_file)?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let keys: Vec<&str> = lines.collect();
        if keys.is_empty() {
            bail!("{} holds no key; write one of at least {KEY_LENGTH_MIN} letters in a line", key_file.display());
        }
        if let Some(place) = keys.iter().position(|key| key.len() < KEY_LENGTH_MIN) {
            bail!("key {} of {} has fewer than {KEY_LENGTH_MIN} letters", place + 1, key_file.display());
        }
        Ok(Self { address, keys: Arc::new(keys.iter().map(|key| sha256(key.as_bytes())).collect()) })
    }

    /// Starts to answer with the model at `model`, by handing questions to `jobs`.
    pub(super) async fn start(&self, jobs: mpsc::Sender<Work>, model: Option<&Path>) -> anyhow::Result<()> {
        let path = model.context("serving needs a model file: name one with --model")?;
        let file_hash = CachedModel::at(path)?.file_hash;
        let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let listener = TcpListener::bind(self.address)
            .await
            .with_context(|| format!("{} cannot be listened on; --serve names another address", self.address))?;
        tracing::info!(address = %listener.local_addr()?, model = name, "answering the HTTP API of OpenAI");
        let model = Arc::new(ServedModel { name, file_hash, since: now() });
        let places = Arc::new(Semaphore::new(WAITING_MAX));
        let shared = Shared { keys: Arc::clone(&self.keys), jobs, places, model };
        tokio::spawn(connections::serve(listener, router(shared), connections::HEADER_WAIT));
        Ok(())
    }
}

fn router(shared: Shared) -> Router {
    Router::new()
        .route("/v1/models", get(models))
        .route("/v1/chat/completions", post(chat))
        .route("/v1/completions", post(complete))
        .route("/v1/embeddings", post(embed))
        .fallback(async || Refusal::not_found("there is no such address here: the addresses begin with /v1/"))
        .layer(middleware::from_fn_with_state(shared.clone(), with_key))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(shared)
}

/// Lets only those in who have a key.
async fn with_key(State(shared): State<Shared>, request: Request, next: Next) -> Response {
    let header = request.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let key = header.and_then(|value| value.strip_prefix("Bearer "));
    match key {
        Some(key) if shared.keys.contains(&sha256(key.trim().as_bytes())) => next.run(request).await,
        _ => Refusal::no_key().into_response(),
    }
}

async fn models(State(shared): State<Shared>) -> Json<Value> {
    let ServedModel { name, file_hash, since } = &*shared.model;
    let model =
        json!({ "id": name, "object": "model", "created": since, "owned_by": "aobench", "file_hash": file_hash });
    Json(json!({ "object": "list", "data": [model] }))
}

async fn chat(State(shared): State<Shared>, request: Payload<ChatCompletion>) -> Result<Response, Refusal> {
    let request = request.0?;
    shared.check_model(&request.model)?;
    let asked = request.asked()?;
    texts(shared, Kind::Chat, asked, request.stream.unwrap_or_default(), request.wants_usage()).await
}

async fn complete(State(shared): State<Shared>, request: Payload<Completion>) -> Result<Response, Refusal> {
    let request = request.0?;
    shared.check_model(&request.model)?;
    let asked = request.asked()?;
    texts(shared, Kind::Text, asked, request.stream.unwrap_or_default(), request.wants_usage()).await
}

async fn texts(
    shared: Shared,
    kind: Kind,
    asked: inference::GenerateRequest,
    stream: bool,
    wants_usage: bool,
) -> Result<Response, Refusal> {
    let head = wire::Head { kind, id: identity(kind), created: now(), model: shared.model.name.clone() };
    if stream {
        let (listener, parts) = Listener::new(asked.prompts.len());
        let answer = shared.hand_over(Asked::Texts(asked), Some(listener))?;
        return Ok(streaming::respond(head, wants_usage, parts, answer));
    }
    let (generated, prompt_tokens) = shared.hand_over(Asked::Texts(asked), None)?.texts().await?;
    Ok(Json(head.whole(&generated, prompt_tokens)?).into_response())
}

async fn embed(State(shared): State<Shared>, request: Payload<Embeddings>) -> Result<Json<Value>, Refusal> {
    let request = request.0?;
    shared.check_model(&request.model)?;
    match shared.hand_over(Asked::Vectors(request.texts()?), None)?.whole().await? {
        Answered::Vectors(vectors, tokens) => request.response(&shared.model.name, &vectors, tokens).map(Json),
        _ => Err(Refusal::internal("the engine answered another question")),
    }
}

impl Shared {
    /// Whether the model that is asked for is the one that is here.
    fn check_model(&self, asked: &str) -> Result<(), Refusal> {
        let ServedModel { name, file_hash, .. } = &*self.model;
        if asked == name || asked == file_hash {
            return Ok(());
        }
        let asked: String = asked.chars().take(80).collect();
        Err(Refusal::no_model(&format!("the model '{asked}' is not here; this worker has '{name}'")))
    }

    /// Hands a question to the engine.
    fn hand_over(&self, asked: Asked, listener: Option<Listener>) -> Result<Answer, Refusal> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Refusal::busy())?;
        let (reply, answer) = oneshot::channel();
        self.jobs.try_send(Work::Call(Call { asked, listener, reply })).map_err(|_| Refusal::busy())?;
        Ok(Answer { answer, _place: place })
    }
}

/// An answer that is waited for.
struct Answer {
    answer: oneshot::Receiver<Result<Answered, (Blame, String)>>,
    /// Its place among those that wait.
    _place: OwnedSemaphorePermit,
}

impl Answer {
    async fn whole(self) -> Result<Answered, Refusal> {
        match self.answer.await {
            Ok(Ok(Answered::Refused(reason))) => Err(Refusal::request(&reason)),
            Ok(Ok(answered)) => Ok(answered),
            Ok(Err((_, reason))) => Err(Refusal::internal(&reason)),
            Err(_) => Err(Refusal::internal("the worker is stopping")),
        }
    }

    /// Continuations of prompts, and how many tokens the prompts have.
    async fn texts(self) -> Result<(Vec<Generated>, u32), Refusal> {
        match self.whole().await? {
            Answered::Texts(generated, prompt_tokens) => Ok((generated, prompt_tokens)),
            _ => Err(Refusal::internal("the engine answered another question")),
        }
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// An id that no other answer has.
fn identity(kind: Kind) -> String {
    let mut bytes = [0_u8; 12];
    // An id that is not random is still an id.
    let _ = getrandom::fill(&mut bytes);
    let digits = bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    format!("{}-{digits}", kind.prefix())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_usable_key_serves_nobody() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("keys");
        let address = "127.0.0.1:0".parse().unwrap();
        std::fs::write(&path, "sixteen-letters-1\n").unwrap();
        let mode = |mode| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        let error = Serving::new(address, &path).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
        mode(0o600);
        for (text, part) in [("", "no key"), ("# a remark\n\n", "no key"), ("short\n", "fewer than")] {
            std::fs::write(&path, text).unwrap();
            let error = Serving::new(address, &path).unwrap_err().to_string();
            assert!(error.contains(part), "{text:?}: {error}");
        }
        std::fs::write(&path, "# for Ada\nsixteen-letters-1\n").unwrap();
        assert_eq!(Serving::new(address, &path).unwrap().keys.len(), 1);
    }
}
