//! What a model file is, read without llama.cpp.
//!
//! llama.cpp's parser is C++ on a stranger's bytes. This reader sees every file first: it checks each length against
//! the bytes that are there and against a limit before it allocates, and refuses what llama.cpp would abort on. It
//! keeps no array of the file, so memory stays under a few MiB whatever the file says.
//!
//! Format: <https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>, versions 2 and 3, little-endian.

mod bytes;
mod chat;
mod error;
mod hash;
mod header;
mod metadata;
mod tensor;

use std::io::{Read, Seek};

use serde::{Deserialize, Serialize};

pub use chat::ChatTemplate;
pub use error::GgufError;
pub use header::Header;
pub use tensor::{Tensor, TensorType};

/// What a model file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// SHA-256, hexadecimal, over the tensors in the order of their names: name, shape, type, bytes. Metadata is left
    /// out, so that a renamed model is still the same model.
    pub content_hash: String,
    /// SHA-256 of the whole file, hexadecimal.
    pub file_hash: String,
    /// Length of the file.
    pub bytes: u64,
    /// `general.architecture`, as `llama`.
    pub architecture: String,
    /// `general.name`, without control characters, at most 128 characters; may be empty.
    pub name: String,
    /// Number of weights: the sum over all tensors.
    pub parameters: u64,
}

impl Facts {
    /// Checks and hashes the GGUF file that lies in `source` from `offset` on and is `length` bytes long.
    ///
    /// Reads the bytes twice (once in the order of the file, once in the order of the tensor names).
    /// `source` is usually a `&File`.
    pub fn read<S: Read + Seek>(mut source: S, offset: u64, length: u64) -> Result<Self, GgufError> {
        let header = Header::read(&mut source, offset, length)?;
        let content_hash = hash::content(&mut source, offset, &header.tensors)?;
        let file_hash = hash::file(&mut source, offset, length)?;
        Ok(Self {
            content_hash,
            file_hash,
            bytes: length,
            parameters: header.parameters(),
            architecture: header.architecture,
            name: header.name,
        })
    }
}

/// SHA-256 of `length` bytes from `offset` on, hexadecimal.
pub fn file_hash<S: Read + Seek>(mut source: S, offset: u64, length: u64) -> Result<String, GgufError> {
    hash::file(&mut source, offset, length)
}
