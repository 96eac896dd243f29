//! What the signature of an item covers: the deep hash of its fields, with the data read piece by piece.

use sha2::{Digest as _, Sha384};

use super::ItemHeader;
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
