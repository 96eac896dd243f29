//! What cannot be answered, in the form in which OpenAI's clients read errors.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A request that gets an error.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    status: StatusCode,
    kind: &'static str,
    code: &'static str,
    message: String,
}

impl Refusal {
    fn new(status: StatusCode, kind: &'static str, code: &'static str, message: &str) -> Self {
        Self { status, kind, code, message: message.to_owned() }
    }

    pub(super) fn request(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", "invalid_request", message)
    }

    pub(super) fn too_long() -> Self {
        let message = "the text does not fit into the context of the model";
        Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", "context_length_exceeded", message)
    }

    pub(super) fn no_key() -> Self {
        let message = "a key is needed: the header Authorization with 'Bearer KEY'";
        Self::new(StatusCode::UNAUTHORIZED, "invalid_request_error", "invalid_api_key", message)
    }

    pub(super) fn no_model(message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", "model_not_found", message)
    }

    pub(super) fn not_found(message: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "invalid_request_error", "unknown_url", message)
    }

    pub(super) fn busy() -> Self {
        let message = "too many requests wait for the engine; try again in a moment";
        Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limit_error", "rate_limit_exceeded", message)
    }

    pub(super) fn internal(message: &str) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "server_error", message)
    }

    pub(super) fn json(&self) -> Value {
        json!({ "error": { "message": self.message, "type": self.kind, "param": null, "code": self.code } })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.json())).into_response()
    }
}

/// The body of a request as JSON of a type, or the refusal.
pub(super) struct Payload<T>(pub(super) Result<T, Refusal>);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Payload<T> {
    type Rejection = std::convert::Infallible;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let read: Result<Json<T>, JsonRejection> = Json::from_request(request, state).await;
        Ok(Self(read.map(|Json(value)| value).map_err(|rejection| {
            let status = rejection.status();
            let status = if status == StatusCode::PAYLOAD_TOO_LARGE { status } else { StatusCode::BAD_REQUEST };
            Refusal { status, ..Refusal::request(&rejection.body_text()) }
        })))
    }
}
