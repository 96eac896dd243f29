//! The cursor of a list of results: base64 of JSON, as AO's compute unit writes it and as `aos` reads it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::error::{HttpError, quoted};

/// A place in the list of results of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// When the message was assigned, milliseconds since 1970.
    timestamp: u64,
    /// Its slot, as text (AO: its nonce).
    ordinate: String,
    /// Always absent here: a tick is a message with a slot of its own.
    cron: Option<String>,
    /// The order in which the list was read; it wins over the order that a query asks for.
    sort: Sort,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Sort {
    /// The oldest first.
    #[default]
    #[serde(rename = "ASC", alias = "asc")]
    Ascending,
    /// The newest first.
    #[serde(rename = "DESC", alias = "desc")]
    Descending,
}

/// Where a list begins or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bound {
    /// At a slot; from a cursor, which also knows its order.
    Slot(u64, Sort),
    /// At a time, milliseconds since 1970.
    Time(u64),
}

impl Cursor {
    pub(crate) fn new(slot: u64, timestamp_ms: u64, sort: Sort) -> Self {
        Self { timestamp: timestamp_ms, ordinate: slot.to_string(), cron: None, sort }
    }

    pub(crate) fn encode(&self) -> String {
        // A struct of numbers and texts always becomes JSON.
        STANDARD.encode(serde_json::to_vec(self).unwrap_or_default())
    }
}

impl Bound {
    /// A cursor, or a time in milliseconds as AO's compute unit also takes it. An empty text, which AO's clients send,
    /// is none.
    pub(crate) fn parse(text: &str) -> Result<Option<Self>, HttpError> {
        if text.is_empty() {
            return Ok(None);
        }
        if let Ok(timestamp_ms) = text.parse() {
            return Ok(Some(Self::Time(timestamp_ms)));
        }
        let bad = || HttpError::bad_request("bad-cursor", format!("'{}' is no cursor of this list", quoted(text)));
        // A '+' in a query that was not escaped arrives as a space.
        let json = STANDARD.decode(text.replace(' ', "+")).map_err(|_| bad())?;
        let cursor: Cursor = serde_json::from_slice(&json).map_err(|_| bad())?;
        let slot = cursor.ordinate.parse().map_err(|_| bad())?;
        Ok(Some(Self::Slot(slot, cursor.sort)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_the_json_that_aos_sorts_by() {
        let text = Cursor::new(17, 1_700_000_000_123, Sort::Descending).encode();
        let json = String::from_utf8(STANDARD.decode(&text).unwrap()).unwrap();
        assert_eq!(json, r#"{"timestamp":1700000000123,"ordinate":"17","cron":null,"sort":"DESC"}"#);
        assert_eq!(Bound::parse(&text).unwrap(), Some(Bound::Slot(17, Sort::Descending)));
    }

    #[test]
    fn what_is_no_cursor_is_refused() {
        assert_eq!(Bound::parse("1700000000123").unwrap(), Some(Bound::Time(1_700_000_000_123)));
        assert_eq!(Bound::parse("").unwrap(), None);
        for text in ["-1", "null", "bm90IGpzb24=", "e30=", "../../etc"] {
            assert_eq!(Bound::parse(text).unwrap_err().parts().1, "bad-cursor", "{text:?}");
        }
    }
}
