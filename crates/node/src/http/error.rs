//! The one mapping from the errors of the node to HTTP: a status, and JSON `{"error": text, "code": code}`.

use axum::Json;
use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::limits::{QUOTED_CHARS_MAX, RETRY_AFTER_S};
use crate::error::{LogError, ReadError, SubmitError};
use crate::gateway::GatewayError;

/// An answer that is an error.
#[derive(Debug)]
pub(crate) struct HttpError {
    status: StatusCode,
    code: &'static str,
    text: String,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    code: &'a str,
}

impl HttpError {
    /// An error with its status, its code for programs, and its text for people.
    pub(crate) fn new(status: StatusCode, code: &'static str, text: impl Into<String>) -> Self {
        Self { status, code, text: text.into() }
    }

    /// Something in the request that cannot be used.
    pub(crate) fn bad_request(code: &'static str, text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, text)
    }

    /// Nothing of that name here.
    pub(crate) fn not_found(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not-found", text)
    }

    /// Too much at one time; nothing was taken.
    pub(crate) fn busy(what: &str) -> Self {
        let text = format!("the node is busy: it has as many {what} as it takes at one time; try again in a moment");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy", text)
    }

    /// A failure of the node itself.
    pub(crate) fn internal(text: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", text)
    }

    /// The text for people.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    #[cfg(test)]
    pub(crate) fn parts(&self) -> (u16, &'static str, &str) {
        (self.status.as_u16(), self.code, &self.text)
    }
}

impl async_graphql::ErrorExtensions for HttpError {
    fn extend(&self) -> async_graphql::Error {
        async_graphql::Error::new(&self.text).extend_with(|_, extensions| extensions.set("code", self.code))
    }
}

impl IntoResponse for HttpError {
    fn into_response(self) -> Response {
        if self.status.is_server_error() && self.status != StatusCode::SERVICE_UNAVAILABLE {
            tracing::error!(code = self.code, error = %self.text, "request failed");
        }
        let mut response = (self.status, Json(Body { error: &self.text, code: self.code })).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        response
    }
}

impl From<SubmitError> for HttpError {
    fn from(error: SubmitError) -> Self {
        let status = match &error {
            SubmitError::BadItem(ao::ItemError::TooLarge(_)) | SubmitError::ItemTooLarge { .. } => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            SubmitError::BadItem(_) | SubmitError::BadSignature(_) | SubmitError::NoTarget => StatusCode::BAD_REQUEST,
            SubmitError::UnknownProcess(_) => StatusCode::NOT_FOUND,
            SubmitError::UnknownModule { .. } | SubmitError::MissingTag(..) | SubmitError::BadTag { .. } => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            SubmitError::NotAllowed(_) => StatusCode::FORBIDDEN,
            SubmitError::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
            SubmitError::Busy(_) | SubmitError::Log(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        Self::new(status, error.code(), error.to_string())
    }
}

impl From<ao::ItemError> for HttpError {
    fn from(error: ao::ItemError) -> Self {
        match error {
            ao::ItemError::TooLarge(bytes) => item_too_large(bytes).into(),
            error => SubmitError::BadItem(error).into(),
        }
    }
}

/// The error of an item that is over the limit for messages.
pub(crate) fn item_too_large(bytes: usize) -> SubmitError {
    SubmitError::ItemTooLarge { bytes, max: ao::limits::ITEM_BYTES_MAX }
}

impl From<ReadError> for HttpError {
    fn from(error: ReadError) -> Self {
        let status = match &error {
            ReadError::UnknownProcess(_) | ReadError::UnknownMessage { .. } | ReadError::UnknownSlot { .. } => {
                StatusCode::NOT_FOUND
            }
            ReadError::NotYet { .. }
            | ReadError::Busy(_)
            | ReadError::Stopped { .. }
            | ReadError::Log(LogError::Busy { .. }) => StatusCode::SERVICE_UNAVAILABLE,
            ReadError::Log(_) | ReadError::Store { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.code(), error.to_string())
    }
}

impl From<GatewayError> for HttpError {
    fn from(error: GatewayError) -> Self {
        let status = match &error {
            GatewayError::Item(_)
            | GatewayError::Signature(_)
            | GatewayError::Bundle(_)
            | GatewayError::Truncated { .. }
            | GatewayError::Longer { .. }
            | GatewayError::PartAhead { .. }
            | GatewayError::Broken(_) => StatusCode::BAD_REQUEST,
            GatewayError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            GatewayError::TooManyParts => StatusCode::SERVICE_UNAVAILABLE,
            GatewayError::UnknownParts => StatusCode::NOT_FOUND,
            GatewayError::SlowQuery => StatusCode::UNPROCESSABLE_ENTITY,
            GatewayError::Full { .. } | GatewayError::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
            GatewayError::Disk { .. } | GatewayError::Index(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.code(), error.to_string())
    }
}

/// A value from outside as an error message repeats it: shortened, control characters made visible.
pub(crate) fn quoted(value: &str) -> String {
    let mut text: String = value.chars().take(QUOTED_CHARS_MAX).flat_map(char::escape_debug).collect();
    if value.chars().nth(QUOTED_CHARS_MAX).is_some() {
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use ao::Id;

    use super::*;

    #[test]
    fn every_refusal_of_an_item_has_its_status_and_code() {
        let process = Id::new([7; 32]);
        let module = SubmitError::UnknownModule { module: "x".to_owned(), reason: "token".to_owned() };
        for (error, status, code) in [
            (SubmitError::BadItem(ao::ItemError::Truncated(3)), 400, "bad-item"),
            (SubmitError::NoTarget, 400, "no-target"),
            (SubmitError::NotAllowed("no".to_owned()), 403, "not-allowed"),
            (SubmitError::UnknownProcess(process), 404, "unknown-process"),
            (item_too_large(10_485_761), 413, "item-too-large"),
            (module, 422, "unknown-module"),
            (SubmitError::MissingTag("Module", "x"), 422, "missing-tag"),
            (SubmitError::Busy("x".to_owned()), 503, "busy"),
        ] {
            let error = HttpError::from(error);
            assert_eq!((error.status.as_u16(), error.code), (status, code), "{}", error.text);
        }
    }

    #[test]
    fn an_error_that_passes_says_when_to_ask_again() {
        let response = HttpError::busy("uploads").into_response();
        assert_eq!(response.headers().get(RETRY_AFTER).map(HeaderValue::as_bytes), Some("1".as_bytes()));
        let response = HttpError::not_found("no").into_response();
        assert_eq!(response.headers().get(RETRY_AFTER), None);
    }

    #[test]
    fn repeated_values_are_short_and_printable() {
        assert_eq!(quoted("a\u{1b}[31m\n"), "a\\u{1b}[31m\\n");
        assert_eq!(quoted(&"é".repeat(100)).chars().count(), QUOTED_CHARS_MAX + 1);
    }
}
