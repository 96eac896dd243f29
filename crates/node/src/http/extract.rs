//! Reading the parts of a request, each failure an error in JSON.

use axum::extract::{FromRequestParts, Path, Query};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use ao::Id;

use super::error::{HttpError, quoted};

/// The last part of the path as an id, strictly: no other text ever comes near a file name or a query.
pub(crate) struct PathId(pub Id);

/// The query of the address as a type.
pub(crate) struct QueryOf<T>(pub T);

/// The query `?process-id=`, which AO's compute unit demands beside a message.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct OfProcess {
    process_id: Option<String>,
}

impl OfProcess {
    /// The process.
    pub(crate) fn id(&self) -> Result<Id, HttpError> {
        match &self.process_id {
            Some(text) => parse_id(text),
            None => Err(HttpError::bad_request(
                "missing-process-id",
                "the query ?process-id= is missing: it names the process",
            )),
        }
    }

    /// The process, if one is named.
    pub(crate) fn optional_id(&self) -> Result<Option<Id>, HttpError> {
        self.process_id.as_deref().map(parse_id).transpose()
    }
}

/// A text as an id.
pub(crate) fn parse_id(text: &str) -> Result<Id, HttpError> {
    text.parse().map_err(|error| HttpError::bad_request("bad-id", format!("'{}' is no id: {error}", quoted(text))))
}

impl<S: Send + Sync> FromRequestParts<S> for PathId {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|error| HttpError::bad_request("bad-path", error.body_text()))?;
        parse_id(&text).map(Self)
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryOf<T> {
    type Rejection = HttpError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, HttpError> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(query)) => Ok(Self(query)),
            Err(error) => Err(HttpError::bad_request("bad-query", error.body_text())),
        }
    }
}
