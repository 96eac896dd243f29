//! Deep hash: the SHA-384 tree over nested lists of bytes that Arweave signs instead of the bytes themselves.

use sha2::{Digest as _, Sha384};

/// Length of a deep hash in bytes.
pub const DEEP_HASH_LENGTH: usize = 48;

/// What is hashed: bytes, or a list of such things. Kind and length are part of the hash, so that no two different
/// values have the same one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeepHash<'a> {
    /// Bytes.
    Blob(&'a [u8]),
    /// A list, in order.
    List(Vec<DeepHash<'a>>),
}

/// The deep hash of a value (the rule of ANS-104 and of Arweave's format 2 transactions).
pub fn deep_hash(value: &DeepHash<'_>) -> [u8; DEEP_HASH_LENGTH] {
    match value {
        DeepHash::Blob(bytes) => blob_hash(bytes.len() as u64, Sha384::digest(bytes).into()),
        DeepHash::List(parts) => {
            let start = list_start(parts.len());
            parts.iter().fold(start, |list, part| list_next(&list, &deep_hash(part)))
        }
    }
}

/// The hash of a list of `length` parts before its first part.
pub(crate) fn list_start(length: usize) -> [u8; DEEP_HASH_LENGTH] {
    Sha384::digest(format!("list{length}")).into()
}

/// The hash of a list after one more part with the deep hash `part`.
pub(crate) fn list_next(list: &[u8; DEEP_HASH_LENGTH], part: &[u8; DEEP_HASH_LENGTH]) -> [u8; DEEP_HASH_LENGTH] {
    Sha384::new().chain_update(list).chain_update(part).finalize().into()
}

/// The deep hash of `length` bytes whose SHA-384 is `digest`.
pub(crate) fn blob_hash(length: u64, digest: [u8; DEEP_HASH_LENGTH]) -> [u8; DEEP_HASH_LENGTH] {
    let kind: [u8; DEEP_HASH_LENGTH] = Sha384::digest(format!("blob{length}")).into();
    list_next(&kind, &digest)
}
