//! What is entered into a pool: a model, by the id of its upload, or a set of documents, by its hash. Which of the two a pool
//! is for, its dataset says when it is frozen.

use std::fmt;
use std::str::FromStr;

use ao::{Id, IdError};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Hexadecimal digits of the hash of a set of documents: a SHA-1, its name at a knowledge process.
const HASH_DIGITS: usize = 40;

/// The name of what is entered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Competitor(String);

/// What competes in a pool.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Competitors {
    /// Models answer the questions; the node looks at their files.
    #[default]
    Models,
    /// Sets of documents are searched for the questions; the dataset looks at them.
    Documents,
}

impl Competitor {
    /// What it is a name of.
    pub(super) fn kind(&self) -> Competitors {
        if self.0.len() == HASH_DIGITS { Competitors::Documents } else { Competitors::Models }
    }
}

impl FromStr for Competitor {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() == HASH_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        text.parse::<Id>().map(|id| Self(id.to_string()))
    }
}

impl fmt::Display for Competitor {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

impl Serialize for Competitor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Competitor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A text that is neither.
#[derive(Debug, thiserror::Error)]
#[error("it is one of models and documents")]
pub(super) struct NoCompetitors;

impl FromStr for Competitors {
    type Err = NoCompetitors;

    fn from_str(text: &str) -> Result<Self, NoCompetitors> {
        match text {
            "models" => Ok(Self::Models),
            "documents" => Ok(Self::Documents),
            _ => Err(NoCompetitors),
        }
    }
}

impl fmt::Display for Competitors {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Models => "models",
            Self::Documents => "documents",
        })
    }
}
