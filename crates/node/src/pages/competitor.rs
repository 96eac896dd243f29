//! What competes in a pool: a model, by the id of its upload, or a set of documents, by its hash.

use std::fmt;
use std::str::FromStr;

use ao::Id;
use serde::{Deserialize, Deserializer};

use super::format;
use crate::http::error::{HttpError, quoted};

/// Hexadecimal digits of the name of a set of documents.
const HASH_DIGITS: usize = 40;

/// The name of what competes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Competitor {
    Model(Id),
    /// Lower-case hexadecimal.
    Documents(String),
}

impl Competitor {
    /// The beginning of its name.
    pub(super) fn short(&self) -> String {
        match self {
            Self::Model(id) => id.short(),
            Self::Documents(hash) => hash.chars().take(8).collect(),
        }
    }

    /// What it is called: the name that came with it, or the beginning of its own. Sets are named by how many documents they have,
    /// which many have, so the beginning of the hash stands beside it.
    pub(super) fn called(&self, name: &str) -> String {
        let name = format::name(name);
        match self {
            _ if name.trim().is_empty() => self.short(),
            Self::Model(_) => name,
            Self::Documents(_) => format!("{name} {}", self.short()),
        }
    }

    /// The link to everything about it.
    pub(super) fn link(&self) -> String {
        match self {
            Self::Model(id) => format::model(*id),
            Self::Documents(hash) => {
                format!("<a class=\"id\" href=\"/documents/{hash}\" title=\"{hash}\">{}</a>", self.short())
            }
        }
    }
}

impl FromStr for Competitor {
    type Err = HttpError;

    fn from_str(text: &str) -> Result<Self, HttpError> {
        if text.len() == HASH_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self::Documents(text.to_ascii_lowercase()));
        }
        let id = text.parse().map_err(|error| {
            let reason = "it is neither the id of a model nor the hash of a set of documents";
            HttpError::bad_request("bad-id", format!("'{}': {reason} ({error})", quoted(text)))
        });
        id.map(Self::Model)
    }
}

impl fmt::Display for Competitor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(id) => id.fmt(formatter),
            Self::Documents(hash) => formatter.pad(hash),
        }
    }
}

impl<'de> Deserialize<'de> for Competitor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error: HttpError| serde::de::Error::custom(error.text()))
    }
}
