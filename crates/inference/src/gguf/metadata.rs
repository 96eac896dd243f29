//! The metadata of a GGUF file: every pair is walked over and checked, the few that matter are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use super::bytes::Bytes;
use super::error::GgufError;
use crate::limits::{ARRAY_LENGTH_MAX, KEY_BYTES_MAX, STRING_BYTES_MAX, TEMPLATE_BYTES_MAX};

/// Metadata values that the checks look at: integers, and the texts named in [`KEPT_TEXTS`].
#[derive(Debug, Default)]
pub(super) struct Metadata {
    integers: BTreeMap<String, u64>,
    texts: BTreeMap<String, String>,
    lengths: BTreeMap<String, u64>,
    tokens: BTreeMap<u64, String>,
}

/// What is kept beside what the checks look at.
#[derive(Debug, Default)]
pub(super) struct Kept {
    /// The chat template.
    pub(super) chat_template: bool,
    /// Tokens of the vocabulary, by their numbers.
    pub(super) tokens: BTreeSet<u64>,
}

const KEPT_TEXTS: [&str; 2] = ["general.architecture", "general.name"];

const CHAT_TEMPLATE: &str = "tokenizer.chat_template";
const TOKENS: &str = "tokenizer.ggml.tokens";

const BOOL: u32 = 7;
const STRING: u32 = 8;
const ARRAY: u32 = 9;

impl Metadata {
    /// Reads `count` pairs.
    pub(super) fn read<S: Read>(bytes: &mut Bytes<'_, S>, count: u64, kept: &Kept) -> Result<Self, GgufError> {
        let mut metadata = Self::default();
        let mut keys = BTreeSet::new();
        for _ in 0..count {
            let key = bytes.string(KEY_BYTES_MAX, "a metadata key")?;
            if key.is_empty() || key.chars().any(char::is_control) {
                return Err(GgufError::Malformed("a metadata key is empty or holds a control character".to_owned()));
            }
            if !keys.insert(key.clone()) {
                return Err(GgufError::Malformed(format!("the metadata key `{key}` occurs twice")));
            }
            metadata.read_value(bytes, key, kept)?;
        }
        Ok(metadata)
    }

    fn read_value<S: Read>(&mut self, bytes: &mut Bytes<'_, S>, key: String, kept: &Kept) -> Result<(), GgufError> {
        let what = format!("the metadata value `{key}`");
        match bytes.u32(&what)? {
            STRING if KEPT_TEXTS.contains(&key.as_str()) => {
                let text = bytes.string(STRING_BYTES_MAX, &what)?;
                self.texts.insert(key, text);
            }
            STRING if kept.chat_template && key == CHAT_TEMPLATE => {
                let text = bytes.string(TEMPLATE_BYTES_MAX, &what)?;
                self.texts.insert(key, text);
            }
            STRING => {
                let is_template = key.starts_with(CHAT_TEMPLATE);
                bytes.skip_string(if is_template { TEMPLATE_BYTES_MAX } else { STRING_BYTES_MAX }, &what)?;
            }
            ARRAY => {
                let wanted = if key == TOKENS { kept.tokens.clone() } else { BTreeSet::new() };
                let length = self.read_array(bytes, &key, &what, &wanted)?;
                self.lengths.insert(key, length);
            }
            code => {
                if let Some(value) = read_scalar(bytes, code, &what)? {
                    self.integers.insert(key, value);
                }
            }
        }
        Ok(())
    }

    /// One of the tokens that are kept.
    pub(super) fn token(&self, number: u64) -> Option<&str> {
        self.tokens.get(&number).map(String::as_str)
    }

    /// Passes over an array, of which some texts are kept as tokens. How long it is.
    fn read_array<S: Read>(
        &mut self,
        bytes: &mut Bytes<'_, S>,
        key: &str,
        what: &str,
        wanted: &BTreeSet<u64>,
    ) -> Result<u64, GgufError> {
        let code = bytes.u32(what)?;
        let length = bytes.u64(what)?;
        if length > ARRAY_LENGTH_MAX {
            let what = format!("the length of the metadata array `{key}`");
            return Err(GgufError::Limit { what, found: length, limit: ARRAY_LENGTH_MAX });
        }
        match (code, scalar_bytes(code)) {
            // At most 2 million times 8: no overflow.
            (_, Some(size)) => bytes.skip(length * size, what)?,
            (STRING, None) => {
                for place in 0..length {
                    if wanted.contains(&place) {
                        self.tokens.insert(place, bytes.string(STRING_BYTES_MAX, what)?);
                    } else {
                        bytes.skip_string(STRING_BYTES_MAX, what)?;
                    }
                }
            }
            (ARRAY, None) => return Err(GgufError::Malformed(format!("{what} is an array of arrays"))),
            (code, None) => {
                return Err(GgufError::Malformed(format!("{what} has elements of the unknown type {code}")));
            }
        }
        Ok(length)
    }

    /// An integer that is not negative.
    pub(super) fn integer(&self, key: &str) -> Option<u64> {
        self.integers.get(key).copied()
    }

    /// One of the texts that are kept.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        self.texts.get(key).map(String::as_str)
    }

    /// The length of an array.
    pub(super) fn length(&self, key: &str) -> Option<u64> {
        self.lengths.get(key).copied()
    }

    /// Whether the key is there with any type that is kept.
    pub(super) fn integers_named<'a>(&'a self, end: &'a str) -> impl Iterator<Item = (&'a str, u64)> {
        self.integers.iter().filter(move |(key, _)| key.ends_with(end)).map(|(key, &value)| (key.as_str(), value))
    }
}

/// Bytes of a scalar of the type with this number, `None` for strings, arrays and unknown numbers.
fn scalar_bytes(code: u32) -> Option<u64> {
    match code {
        0 | 1 | BOOL => Some(1),
        2 | 3 => Some(2),
        4..=6 => Some(4),
        10..=12 => Some(8),
        _ => None,
    }
}

/// The value if it is an integer that is not negative. A negative one is kept as its two's complement, so that a limit
/// on it catches it.
fn read_scalar<S: Read>(bytes: &mut Bytes<'_, S>, code: u32, what: &str) -> Result<Option<u64>, GgufError> {
    Ok(match code {
        0 => Some(u64::from(u8::from_le_bytes(bytes.array(what)?))),
        1 => Some(i64::from(i8::from_le_bytes(bytes.array(what)?)) as u64),
        2 => Some(u64::from(u16::from_le_bytes(bytes.array(what)?))),
        3 => Some(i64::from(i16::from_le_bytes(bytes.array(what)?)) as u64),
        4 => Some(u64::from(bytes.u32(what)?)),
        5 => Some(i64::from(i32::from_le_bytes(bytes.array(what)?)) as u64),
        10 => Some(bytes.u64(what)?),
        11 => Some(i64::from_le_bytes(bytes.array(what)?) as u64),
        6 => bytes.skip(4, what).map(|()| None)?,
        12 => bytes.skip(8, what).map(|()| None)?,
        BOOL => {
            let [value] = bytes.array::<1>(what)?;
            if value > 1 {
                return Err(GgufError::Malformed(format!("{what} is the truth value {value}")));
            }
            None
        }
        code => return Err(GgufError::Malformed(format!("{what} has the unknown type {code}"))),
    })
}
