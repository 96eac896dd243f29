//! The header of a GGUF file with everything that is checked about it.

use std::collections::BTreeSet;
use std::io::{Read, Seek};

use super::bytes::Bytes;
use super::error::GgufError;
use super::metadata::{Kept, Metadata};
use super::tensor::Tensor;
use crate::limits::{LAYERS_MAX, METADATA_BYTES_MAX, METADATA_KEYS_MAX, TENSORS_MAX, VOCABULARY_MAX};

/// The checked header of a GGUF model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// `general.architecture`.
    pub architecture: String,
    /// `general.name` without control characters, at most 128 characters.
    pub name: String,
    /// The tensors in the order of the file.
    pub tensors: Vec<Tensor>,
}

impl Header {
    /// Reads and checks the header of the GGUF file that lies in `source` from `offset` on and is `length` bytes long.
    pub fn read<S: Read + Seek>(mut source: S, offset: u64, length: u64) -> Result<Self, GgufError> {
        let mut bytes = Bytes::new(&mut source, offset, length, METADATA_BYTES_MAX)?;
        let (tensor_count, key_count) = beginning(&mut bytes, length)?;
        let metadata = Metadata::read(&mut bytes, key_count, &Kept::default())?;
        let architecture = check_architecture(&metadata)?;
        let tensors = read_tensors(&mut bytes, tensor_count, alignment(&metadata)?, length)?;
        Ok(Self { name: shown(metadata.text("general.name").unwrap_or_default()), architecture, tensors })
    }

    /// Number of weights: the sum over all tensors.
    pub fn parameters(&self) -> u64 {
        self.tensors.iter().fold(0, |sum, tensor| sum.saturating_add(tensor.elements()))
    }
}

/// How many tensors and how many metadata keys there are.
pub(super) fn beginning<S: Read>(bytes: &mut Bytes<'_, S>, length: u64) -> Result<(u64, u64), GgufError> {
    // A file too short for the magic is no GGUF at all, and that says more than "cut off".
    if length < 4 || bytes.array("the magic")? != *b"GGUF" {
        return Err(GgufError::Magic);
    }
    let version = bytes.u32("the version")?;
    if !(2..=3).contains(&version) {
        return Err(GgufError::Version(version));
    }
    let tensors = within("the number of tensors", bytes.u64("the number of tensors")?, TENSORS_MAX)?;
    let keys = within("the number of metadata keys", bytes.u64("the number of keys")?, METADATA_KEYS_MAX)?;
    Ok((tensors, keys))
}

fn within(what: &str, found: u64, limit: u64) -> Result<u64, GgufError> {
    if found > limit { Err(GgufError::Limit { what: what.to_owned(), found, limit }) } else { Ok(found) }
}

/// A text of a stranger as it may be shown in a table.
fn shown(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(128).collect()
}

fn alignment(metadata: &Metadata) -> Result<u64, GgufError> {
    let alignment = metadata.integer("general.alignment").unwrap_or(32);
    if alignment.is_power_of_two() && (8..=1 << 16).contains(&alignment) {
        Ok(alignment)
    } else {
        Err(GgufError::Malformed(format!("the alignment is {alignment}, a power of two from 8 to 65536 is possible")))
    }
}

/// The numbers that llama.cpp takes on trust: sizes of loops and allocations, and indices into the vocabulary.
fn check_architecture(metadata: &Metadata) -> Result<String, GgufError> {
    let key = "general.architecture";
    let architecture = metadata.text(key).ok_or_else(|| GgufError::Missing(key.to_owned()))?;
    let is_word = |character: char| character.is_ascii_alphanumeric() || "-_.".contains(character);
    if architecture.is_empty() || architecture.len() > 64 || !architecture.chars().all(is_word) {
        return Err(GgufError::Malformed("the architecture is no plain word".to_owned()));
    }
    let positive = |name: &str, limit: u64| {
        let key = format!("{architecture}.{name}");
        match metadata.integer(&key) {
            Some(0) => Err(GgufError::Malformed(format!("`{key}` is 0"))),
            Some(value) => within(&format!("`{key}`"), value, limit).map(|_| true),
            None => Ok(false),
        }
    };
    if !positive("block_count", LAYERS_MAX)? {
        return Err(GgufError::Missing(format!("{architecture}.block_count")));
    }
    positive("context_length", 1 << 28)?;
    positive("embedding_length", 1 << 20)?;
    // These may be arrays, one number for each layer; llama.cpp checks the arrays' lengths.
    positive("feed_forward_length", 1 << 24)?;
    positive("attention.head_count", 1 << 16)?;
    positive("vocab_size", VOCABULARY_MAX)?;
    check_vocabulary(metadata)?;
    Ok(architecture.to_owned())
}

fn check_vocabulary(metadata: &Metadata) -> Result<(), GgufError> {
    let Some(tokens) = metadata.length("tokenizer.ggml.tokens") else { return Ok(()) };
    within("the number of tokens in the vocabulary", tokens, VOCABULARY_MAX)?;
    for list in ["scores", "token_type"] {
        let key = format!("tokenizer.ggml.{list}");
        if metadata.length(&key).is_some_and(|length| length != tokens) {
            return Err(GgufError::Malformed(format!("`{key}` has not as many elements as there are tokens")));
        }
    }
    for (key, token) in metadata.integers_named("_token_id") {
        // All bits set is the usual way to say "none".
        let none = token == u64::from(u32::MAX) || token == u64::MAX;
        if key.starts_with("tokenizer.ggml.") && token >= tokens && !none {
            return Err(GgufError::Malformed(format!("`{key}` is {token}, the vocabulary has {tokens} tokens")));
        }
    }
    Ok(())
}

fn read_tensors<S: Read>(
    bytes: &mut Bytes<'_, S>,
    count: u64,
    alignment: u64,
    length: u64,
) -> Result<Vec<Tensor>, GgufError> {
    if count == 0 {
        return Err(GgufError::Malformed("it has no tensors: a vocabulary is no model".to_owned()));
    }
    let mut tensors = Vec::new();
    let mut names = BTreeSet::new();
    for _ in 0..count {
        let tensor = Tensor::read(bytes)?;
        if !names.insert(tensor.name.clone()) {
            return Err(GgufError::Malformed(format!("the tensor `{}` occurs twice", tensor.name)));
        }
        tensors.push(tensor);
    }
    place(&mut tensors, bytes.position().next_multiple_of(alignment), alignment, length)?;
    Ok(tensors)
}

/// Turns positions in the data into positions in the file. As llama.cpp does, demands that the tensors lie one after
/// the other, each at the next multiple of the alignment; so none can overlap or lie outside.
fn place(tensors: &mut [Tensor], data: u64, alignment: u64, length: u64) -> Result<(), GgufError> {
    let mut next = data;
    for tensor in tensors {
        let name = &tensor.name;
        if tensor.position.checked_add(data) != Some(next) {
            return Err(GgufError::Malformed(format!(
                "the tensor `{name}` is said to be at {}, its place is {}",
                tensor.position,
                next - data
            )));
        }
        let end = next.checked_add(tensor.bytes).filter(|&end| end <= length).ok_or_else(|| {
            let needed = next.saturating_add(tensor.bytes);
            GgufError::Truncated { what: format!("the tensor `{name}`"), needed, length }
        })?;
        tensor.position = next;
        next = end.checked_next_multiple_of(alignment).unwrap_or(u64::MAX);
    }
    Ok(())
}
