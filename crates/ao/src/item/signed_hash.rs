//! What the signature of an item covers: the deep hash of its fields, with the data read piece by piece.

use sha2::{Digest as _, Sha384};

use super::ItemHeader;
use crate::Wallet;
use crate::deep_hash::{DEEP_HASH_LENGTH, DeepHash, blob_hash, deep_hash, list_next, list_start};

/// The deep hash of an item in the making. Its length of data must be known from the start.
#[derive(Debug, Clone)]
pub(super) struct SignedHash {
    /// The hash of the list up to, and not with, the data.
    fields: [u8; DEEP_HASH_LENGTH],
    data: Sha384,
    declared: u64,
    given: u64,
}

/// The deep hash of items by one wallet that have neither target nor anchor nor data: it depends on the tags alone.
#[derive(Debug, Clone)]
pub(crate) struct AssignmentHash {
    /// The hash of the list of fields up to, and not with, the tags.
    fields: [u8; DEEP_HASH_LENGTH],
    /// The hash of no data.
    nothing: [u8; DEEP_HASH_LENGTH],
}

impl AssignmentHash {
    pub(crate) fn new(wallet: &Wallet) -> Self {
        let code = wallet.signature_type().code().to_string();
        let fields = [&b"dataitem"[..], b"1", code.as_bytes(), &wallet.owner(), b"", b""];
        // Tags and data are two more.
        let fields = fields
            .iter()
            .fold(list_start(fields.len() + 2), |list, field| list_next(&list, &deep_hash(&DeepHash::Blob(field))));
        Self { fields, nothing: deep_hash(&DeepHash::Blob(b"")) }
    }

    /// The hash of the item with these tags in their encoding.
    pub(crate) fn with_tags(&self, tags_encoded: &[u8]) -> [u8; DEEP_HASH_LENGTH] {
        let tags = list_next(&self.fields, &deep_hash(&DeepHash::Blob(tags_encoded)));
        list_next(&tags, &self.nothing)
    }
}

/// Another length of data came than was announced.
#[derive(Debug, Clone, Copy)]
pub(super) struct WrongLength {
    pub(super) declared: u64,
    pub(super) given: u64,
}

impl SignedHash {
    /// The hash of an item with this header and so many bytes of data (the list of fields is that of ANS-104).
    pub(super) fn new(header: &ItemHeader, data_length: u64) -> Self {
        let code = header.signature_type().code().to_string();
        let target = header.target();
        let fields = [
            &b"dataitem"[..],
            b"1",
            code.as_bytes(),
            header.owner(),
            target.as_ref().map_or(&[], |target| target.as_bytes()),
            header.anchor().unwrap_or_default(),
            header.tags_encoded(),
        ];
        let fields = fields
            .iter()
            .fold(list_start(fields.len() + 1), |list, field| list_next(&list, &deep_hash(&DeepHash::Blob(field))));
        Self { fields, data: Sha384::new(), declared: data_length, given: 0 }
    }

    /// The hash of an item that is whole in memory.
    pub(super) fn of(header: &ItemHeader, data: &[u8]) -> [u8; DEEP_HASH_LENGTH] {
        let fields = Self::new(header, data.len() as u64).fields;
        list_next(&fields, &deep_hash(&DeepHash::Blob(data)))
    }

    /// Adds the next bytes of data. What is over the announced length is counted and not hashed.
    pub(super) fn update(&mut self, data: &[u8]) {
        self.given = self.given.saturating_add(data.len() as u64);
        if self.given <= self.declared {
            self.data.update(data);
        }
    }

    pub(super) fn finish(self) -> Result<[u8; DEEP_HASH_LENGTH], WrongLength> {
        if self.given != self.declared {
            return Err(WrongLength { declared: self.declared, given: self.given });
        }
        Ok(list_next(&self.fields, &blob_hash(self.declared, self.data.finalize().into())))
    }
}
