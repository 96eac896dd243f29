//! The two hashes of a model: of its file, and of its content whatever its metadata say.

use std::io::{Read, Seek, SeekFrom};

use sha2::{Digest, Sha256};

use super::error::GgufError;
use super::tensor::Tensor;

const PIECE_BYTES: usize = 1 << 20;

/// SHA-256 of `length` bytes from `offset` on.
pub(super) fn file<S: Read + Seek>(source: &mut S, offset: u64, length: u64) -> Result<String, GgufError> {
    let mut hasher = Sha256::new();
    feed(&mut hasher, source, offset, length)?;
    Ok(hexadecimal(&hasher.finalize()))
}

/// SHA-256 of the canonical tensor list: a domain line, then for each tensor, sorted by the bytes of its name, the name
/// (length first), the shape without trailing ones (number of dimensions first), the type, and the bytes (length
/// first). Numbers are 64-bit little-endian.
pub(super) fn content<S: Read + Seek>(source: &mut S, offset: u64, tensors: &[Tensor]) -> Result<String, GgufError> {
    let mut sorted: Vec<&Tensor> = tensors.iter().collect();
    sorted.sort_by(|left, right| left.name.cmp(&right.name));
    let mut hasher = Sha256::new();
    hasher.update(b"aobench gguf content 1\n");
    for tensor in sorted {
        // [96] and [96, 1] are the same tensor to ggml.
        let dimensions = tensor.shape.iter().rposition(|&dimension| dimension != 1).map_or(0, |last| last + 1);
        hasher.update((tensor.name.len() as u64).to_le_bytes());
        hasher.update(tensor.name.as_bytes());
        hasher.update((dimensions as u64).to_le_bytes());
        for dimension in &tensor.shape[..dimensions] {
            hasher.update(dimension.to_le_bytes());
        }
        hasher.update(u64::from(tensor.tensor_type.code()).to_le_bytes());
        hasher.update(tensor.bytes.to_le_bytes());
        feed(&mut hasher, source, offset + tensor.position, tensor.bytes)?;
    }
    Ok(hexadecimal(&hasher.finalize()))
}

fn feed<S: Read + Seek>(hasher: &mut Sha256, source: &mut S, offset: u64, length: u64) -> Result<(), GgufError> {
    source.seek(SeekFrom::Start(offset))?;
    let mut piece = vec![0; PIECE_BYTES.min(usize::try_from(length).unwrap_or(PIECE_BYTES))];
    let mut left = length;
    while left > 0 {
        let count = piece.len().min(usize::try_from(left).unwrap_or(PIECE_BYTES));
        source.read_exact(&mut piece[..count])?;
        hasher.update(&piece[..count]);
        left -= count as u64;
    }
    Ok(())
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| char::from(DIGITS[usize::from(digit)])).collect()
}
