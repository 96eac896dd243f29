//! Everything in an item before its data.

use super::ItemError;
use crate::avro::{TagsError, decode_tags, encode_tags};
use crate::limits::{TAGS_BYTES_MAX, TAGS_MAX};
use crate::{Id, SignatureError, SignatureType, Tags, Wallet, sha256};

/// Bytes of the two counts in front of the tags, each a u64, little endian.
const COUNT_BYTES: usize = 8;

/// The header of an item: signature, owner, target, anchor and tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemHeader {
    signature_type: SignatureType,
    signature: Vec<u8>,
    owner: Vec<u8>,
    target: Option<Id>,
    anchor: Option<[u8; 32]>,
    tags: Tags,
    /// The tags as they were signed. There can be several encodings of the same tags.
    tags_encoded: Vec<u8>,
}

impl ItemHeader {
    /// Reads the header of the item that begins with `prefix`; nothing if more bytes are needed. At most
    /// [`crate::limits::HEADER_BYTES_MAX`] are.
    pub fn parse(prefix: &[u8]) -> Result<Option<Self>, ItemError> {
        let mut reader = Reader { bytes: prefix };
        let Some(code) = reader.array::<2>() else { return Ok(None) };
        let code = u16::from_le_bytes(code);
        let signature_type = SignatureType::from_code(code).ok_or(ItemError::SignatureType(code))?;
        let Some(signature) = reader.take(signature_type.signature_length()) else { return Ok(None) };
        let Some(owner) = reader.take(signature_type.owner_length()) else { return Ok(None) };
        let Some(target) = reader.optional("target")? else { return Ok(None) };
        let Some(anchor) = reader.optional("anchor")? else { return Ok(None) };
        let Some(declared) = reader.array::<COUNT_BYTES>().map(u64::from_le_bytes) else { return Ok(None) };
        if declared > TAGS_MAX as u64 {
            return Err(TagsError::TooMany(declared).into());
        }
        let Some(size) = reader.array::<COUNT_BYTES>().map(u64::from_le_bytes) else { return Ok(None) };
        if size > TAGS_BYTES_MAX as u64 {
            return Err(TagsError::TooLarge(size).into());
        }
        let Some(tags_encoded) = reader.take(size as usize) else { return Ok(None) };
        let tags = decode_tags(tags_encoded)?;
        if tags.len() as u64 != declared {
            return Err(ItemError::TagCount { declared, given: tags.len() });
        }
        Ok(Some(Self {
            signature_type,
            signature: signature.to_vec(),
            owner: owner.to_vec(),
            target: target.try_into().ok().map(Id::new),
            anchor: anchor.try_into().ok(),
            tags,
            tags_encoded: tags_encoded.to_vec(),
        }))
    }

    /// A header of its parts. The tags are encoded in the usual way; an item whose tags were signed in another encoding is
    /// another item.
    ///
    /// # Errors
    /// [`ItemError::Truncated`] if signature or owner have another length than such signatures and owners have.
    pub fn of_parts(
        signature_type: SignatureType,
        signature: Vec<u8>,
        owner: Vec<u8>,
        target: Option<Id>,
        anchor: Option<[u8; 32]>,
        tags: Tags,
    ) -> Result<Self, ItemError> {
        let tags_encoded = encode_tags(&tags)?;
        let fits = signature.len() == signature_type.signature_length() && owner.len() == signature_type.owner_length();
        let header = Self { signature_type, signature, owner, target, anchor, tags, tags_encoded };
        if fits { Ok(header) } else { Err(ItemError::Truncated(header.data_offset())) }
    }

    /// A header without its signature.
    pub(super) fn unsigned(
        wallet: &Wallet,
        target: Option<Id>,
        anchor: Option<[u8; 32]>,
        tags: Tags,
    ) -> Result<Self, ItemError> {
        let tags_encoded = encode_tags(&tags)?;
        let signature_type = wallet.signature_type();
        let signature = vec![0; signature_type.signature_length()];
        Ok(Self { signature_type, signature, owner: wallet.owner(), target, anchor, tags, tags_encoded })
    }

    pub(super) fn set_signature(&mut self, signature: Vec<u8>) {
        self.signature = signature;
    }

    /// Checks the signature over the deep hash of the whole item.
    pub(super) fn verify_hash(&self, hash: &[u8]) -> Result<(), SignatureError> {
        self.signature_type.verify(&self.owner, hash, &self.signature)
    }

    /// The tags as they were signed.
    pub(super) fn tags_encoded(&self) -> &[u8] {
        &self.tags_encoded
    }

    /// The header as bytes: all of the item before its data.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.data_offset());
        bytes.extend_from_slice(&self.signature_type.code().to_le_bytes());
        bytes.extend_from_slice(&self.signature);
        bytes.extend_from_slice(&self.owner);
        for field in [self.target.as_ref().map(Id::as_bytes), self.anchor.as_ref()] {
            bytes.push(u8::from(field.is_some()));
            bytes.extend(field.into_iter().flatten());
        }
        bytes.extend_from_slice(&(self.tags.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&(self.tags_encoded.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&self.tags_encoded);
        bytes
    }

    /// Where in the item its data begins, in bytes.
    pub fn data_offset(&self) -> usize {
        let optional = 2 + 32 * (usize::from(self.target.is_some()) + usize::from(self.anchor.is_some()));
        2 + self.signature.len() + self.owner.len() + optional + 2 * COUNT_BYTES + self.tags_encoded.len()
    }

    /// The identity of the item: SHA-256 of its signature.
    pub fn id(&self) -> Id {
        sha256(&self.signature)
    }

    /// The address of the wallet that signed: SHA-256 of the owner.
    pub fn address(&self) -> Id {
        sha256(&self.owner)
    }

    /// The scheme of the signature.
    pub fn signature_type(&self) -> SignatureType {
        self.signature_type
    }

    /// The signature.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// The public key that signed.
    pub fn owner(&self) -> &[u8] {
        &self.owner
    }

    /// Whom the item is addressed to.
    pub fn target(&self) -> Option<Id> {
        self.target
    }

    /// 32 bytes of the sender's choice, which make equal messages different.
    pub fn anchor(&self) -> Option<&[u8]> {
        self.anchor.as_ref().map(<[u8; 32]>::as_slice)
    }

    /// The tags in the order in which they were signed.
    pub fn tags(&self) -> &Tags {
        &self.tags
    }
}

/// What is still to be read. Nothing is returned where the bytes do not suffice.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(taken)
    }

    fn array<const LENGTH: usize>(&mut self) -> Option<[u8; LENGTH]> {
        self.take(LENGTH)?.try_into().ok()
    }

    /// A field of 32 bytes after a byte that says whether it is there; no bytes where it is not.
    fn optional(&mut self, field: &'static str) -> Result<Option<&'a [u8]>, ItemError> {
        match self.take(1) {
            None => Ok(None),
            Some([0]) => Ok(Some(&[])),
            Some([1]) => Ok(self.take(32)),
            Some(byte) => Err(ItemError::Presence { field, byte: byte[0] }),
        }
    }
}
