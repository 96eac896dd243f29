//! SHA-256 over bytes and over lists of parts.

use sha2::{Digest as _, Sha256};

use crate::Id;

/// The SHA-256 of some bytes, as an id.
pub fn sha256(bytes: &[u8]) -> Id {
    Id::new(Sha256::digest(bytes).into())
}

/// The SHA-256 of a list of parts, each preceded by its length (u64, little endian), so that no two lists share a hash
/// by moving a byte from one part to the next.
pub fn hash_parts(parts: &[&[u8]]) -> Id {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_le_bytes());
        hasher.update(part);
    }
    Id::new(hasher.finalize().into())
}
