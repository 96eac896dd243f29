//! The vector of a text as it travels: base64 of its numbers, 32-bit floats, little-endian. JSON numbers are not read back
//! to the last bit by every reader, and are three times as long.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::limits::DIMENSIONS_MAX;

/// How far from 1 the length of a vector may be: what rounding to 32 bits and another order of summing can do.
const LENGTH_TOLERANCE: f64 = 1e-3;

/// Bytes of one number.
const NUMBER_BYTES: usize = size_of::<f32>();

/// The vector of a text: of length 1, with 1 to [`DIMENSIONS_MAX`] numbers, all of them finite. Nothing else can be made.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding(Vec<f32>);

/// Why numbers are no vector of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EmbeddingError {
    /// Bytes that are not whole numbers.
    #[error("a vector is base64 of 32-bit floats, little-endian")]
    Encoding,
    /// None, or too many.
    #[error("a vector has {0} numbers, and 1 to {DIMENSIONS_MAX} are allowed")]
    Dimensions(usize),
    /// Not of length 1, or not even of numbers.
    #[error("a vector has the length 1, and this has not")]
    Length,
}

impl Embedding {
    /// A vector of these numbers.
    pub fn new(numbers: Vec<f32>) -> Result<Self, EmbeddingError> {
        if numbers.is_empty() || numbers.len() > DIMENSIONS_MAX {
            return Err(EmbeddingError::Dimensions(numbers.len()));
        }
        let squares: f64 = numbers.iter().map(|&number| f64::from(number) * f64::from(number)).sum();
        // Written so that what is no number fails.
        if (squares.sqrt() - 1.0).abs() <= LENGTH_TOLERANCE { Ok(Self(numbers)) } else { Err(EmbeddingError::Length) }
    }

    /// A vector of the bytes of its numbers.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EmbeddingError> {
        let (numbers, rest) = bytes.as_chunks::<NUMBER_BYTES>();
        if !rest.is_empty() {
            return Err(EmbeddingError::Encoding);
        }
        Self::new(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }

    /// The bytes of its numbers.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|number| number.to_le_bytes()).collect()
    }

    /// Its numbers.
    pub fn numbers(&self) -> &[f32] {
        &self.0
    }
}

impl Serialize for Embedding {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.to_bytes()))
    }
}

impl<'de> Deserialize<'de> for Embedding {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = STANDARD.decode(text).map_err(|_| serde::de::Error::custom(EmbeddingError::Encoding))?;
        Self::from_bytes(&bytes).map_err(serde::de::Error::custom)
    }
}
