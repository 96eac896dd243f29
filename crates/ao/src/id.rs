//! A 32-byte identity: of an item, a process, a module or a wallet address. AO uses one name space for all of them, so
//! that a message can be sent to a process or to a person without knowing which it is.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Length of an id as text: 32 bytes in unpadded base64url.
pub const ID_TEXT_LENGTH: usize = 43;

/// A 32-byte identity, written as 43 characters of canonical unpadded base64url.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Id([u8; 32]);

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// The text has another length than [`ID_TEXT_LENGTH`].
    #[error("an id has 43 characters of base64url, this text has {0}")]
    Length(usize),
    /// A character outside the base64url alphabet, or set bits after the last byte.
    #[error("an id is written in canonical base64url (letters, digits, '-' and '_')")]
    Encoding,
}

impl Id {
    /// An id from its bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes of the id.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The id as lower-case hexadecimal: the only form in which an id becomes part of a file name.
    pub fn to_hex(self) -> String {
        use fmt::Write as _;
        self.0.iter().fold(String::with_capacity(64), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// The first eight characters, for tables and progress lines where the whole id would not fit.
    pub fn short(self) -> String {
        self.to_string()[..8].to_owned()
    }
}

impl FromStr for Id {
    type Err = IdError;

    /// Strict: exactly 43 characters, and only the one spelling that encodes back to itself. Two spellings of one id
    /// would be two keys in a table.
    fn from_str(text: &str) -> Result<Self, IdError> {
        if text.len() != ID_TEXT_LENGTH {
            return Err(IdError::Length(text.len()));
        }
        let mut bytes = [0; 32];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(32) => Ok(Self(bytes)),
            _ => Err(IdError::Encoding),
        }
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Id({self})")
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips() {
        let id = Id::new([0xA5; 32]);
        assert_eq!(id.to_string().parse::<Id>(), Ok(id));
    }

    #[test]
    fn other_spellings_are_refused() {
        for (text, error) in [
            ("", IdError::Length(0)),
            ("../../wallet.json", IdError::Length(17)),
            ("xU9zFkq3X2ZQ6olwNVvr1vUWIjc3kXTWr7xKQD6dh1=", IdError::Encoding),
            ("xU9zFkq3X2ZQ6olwNVvr1vUWIjc3kXTWr7xKQD6dh1/", IdError::Encoding),
            // The last character carries two unused bits; set, they would be a second spelling of one id.
            ("xU9zFkq3X2ZQ6olwNVvr1vUWIjc3kXTWr7xKQD6dh11", IdError::Encoding),
        ] {
            assert_eq!(text.parse::<Id>(), Err(error), "{text:?}");
        }
        assert!("xU9zFkq3X2ZQ6olwNVvr1vUWIjc3kXTWr7xKQD6dh10".parse::<Id>().is_ok());
    }
}
