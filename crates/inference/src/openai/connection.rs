//! HTTP to a server: several requests at one time, again where that may help, and never more of an answer than fits.

use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Client, Method, StatusCode, Url};
use serde_json::Value;
use tokio::runtime::Runtime;

use super::ServerOptions;
use crate::error::InferenceError;
use crate::limits::{SERVER_ANSWER_BYTES_MAX, SERVER_ANSWER_SECONDS_MAX, SERVER_TRIES_MAX};

/// A client with its runtime: engines are asked from threads that may wait.
#[derive(Debug)]
pub(super) struct Connection {
    base: Url,
    key: Option<String>,
    connections: usize,
    client: Client,
    runtime: Runtime,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The server answered that it will not.
    Answer { status: StatusCode, text: String },
    /// There was no answer.
    Failure(InferenceError),
}

impl Refusal {
    /// Whether the text was too long for the model. There is no code for it, but every server says so.
    pub(super) fn is_length(&self) -> bool {
        let Self::Answer { status, text } = self else { return false };
        let text = text.to_lowercase();
        status.is_client_error() && (text.contains("context") || text.contains("maximum")) && text.contains("token")
    }
}

impl From<Refusal> for InferenceError {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Answer { status, text } => {
                let start: String = text.chars().take(300).collect();
                Self::Request { reason: format!("the server says {status}: {start}") }
            }
            Refusal::Failure(error) => error,
        }
    }
}

impl Connection {
    pub(super) fn new(options: &ServerOptions) -> Result<Self, InferenceError> {
        let wrong = |reason: String| InferenceError::Request { reason };
        // Without the slash, joining would replace the last part of the path.
        let base = Url::parse(&format!("{}/", options.base_url.trim_end_matches('/')))
            .map_err(|error| wrong(format!("'{}' is no URL: {error}", options.base_url)))?;
        let client = Client::builder().timeout(Duration::from_secs(SERVER_ANSWER_SECONDS_MAX)).build();
        let client = client.map_err(|error| wrong(error.to_string()))?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.map_err(|error| InferenceError::Compute { reason: error.to_string() })?;
        let connections = options.connections.max(1);
        Ok(Self { base, key: options.key.clone(), connections, client, runtime })
    }

    pub(super) fn base_url(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, InferenceError> {
        Ok(self.runtime.block_on(self.ask(Method::GET, path, None))?)
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, Refusal> {
        self.runtime.block_on(self.ask(Method::POST, path, Some(body)))
    }

    /// Posts all; answers and refusals in the order of the bodies.
    pub(super) fn post_all(
        &self,
        path: &str,
        bodies: Vec<Value>,
    ) -> Result<Vec<Result<Value, Refusal>>, InferenceError> {
        let answers = stream::iter(&bodies).map(|body| async move {
            match self.ask(Method::POST, path, Some(body)).await {
                Err(Refusal::Failure(error)) => Err(error),
                answer => Ok(answer),
            }
        });
        self.runtime.block_on(answers.buffered(self.connections).try_collect())
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Refusal> {
        let mut tries = 1;
        loop {
            let answer = self.ask_once(method.clone(), path, body).await;
            let may_help = match &answer {
                Err(Refusal::Answer { status, .. }) => {
                    status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS
                }
                Err(Refusal::Failure(_)) => true,
                Ok(_) => false,
            };
            if !may_help || tries == SERVER_TRIES_MAX {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(250 << tries)).await;
            tries += 1;
        }
    }

    async fn ask_once(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, Refusal> {
        let failed = |reason: String| {
            let reason = format!("{}: {reason}", self.base_url());
            Refusal::Failure(InferenceError::Server { reason })
        };
        let url = self.base.join(path).map_err(|error| failed(error.to_string()))?;
        let mut request = self.client.request(method, url);
        if let Some(key) = &self.key {
            request = request.bearer_auth(key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let mut response = request.send().await.map_err(|error| failed(cause(&error)))?;
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| failed(cause(&error)))? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > SERVER_ANSWER_BYTES_MAX {
                return Err(failed(format!("an answer has more than {SERVER_ANSWER_BYTES_MAX} bytes")));
            }
        }
        if !status.is_success() {
            return Err(Refusal::Answer { status, text: String::from_utf8_lossy(&bytes).into_owned() });
        }
        serde_json::from_slice(&bytes).map_err(|error| failed(format!("an answer is no JSON: {error}")))
    }
}

/// The innermost reason, which says what happened; the outer ones say what was tried.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
