//! Data items: the signed envelopes of ANS-104 in which every message, process, module and upload travels.

mod header;
mod signed_hash;
mod stream;

pub use header::ItemHeader;
pub use stream::{StreamSigner, StreamVerifier};

use signed_hash::SignedHash;

use crate::avro::TagsError;
use crate::limits::ITEM_BYTES_MAX;
use crate::{Id, SignatureError, SignatureType, Tags, Wallet, WalletError};

/// A signed item, whole in memory. Large ones are streamed instead: [`StreamVerifier`], [`StreamSigner`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataItem {
    header: ItemHeader,
    data: Vec<u8>,
}

/// Why bytes are no item, or an item could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ItemError {
    /// Larger than a node takes as a message.
    #[error("an item has at most {ITEM_BYTES_MAX} bytes, this one has {0}; upload larger data to the gateway")]
    TooLarge(usize),
    /// The bytes end before the data begins.
    #[error("the item ends within its header: {0} bytes are not a whole item")]
    Truncated(usize),
    /// A scheme of signature that this node does not know.
    #[error("signature type {0} is not known; known are 1 (Arweave), 2 (Ed25519), 3 (Ethereum) and 4 (Solana)")]
    SignatureType(u16),
    /// The byte that says whether a target or an anchor follows is neither 0 nor 1.
    #[error("the byte that announces the {field} is {byte}, it must be 0 or 1")]
    Presence {
        /// `target` or `anchor`.
        field: &'static str,
        /// The byte.
        byte: u8,
    },
    /// The count of tags in the header is not the number of tags that follow.
    #[error("the item announces {declared} tags and has {given}")]
    TagCount {
        /// Tags announced.
        declared: u64,
        /// Tags that follow.
        given: usize,
    },
    /// The tags cannot be read or written.
    #[error(transparent)]
    Tags(#[from] TagsError),
    /// The wallet could not sign.
    #[error(transparent)]
    Wallet(#[from] WalletError),
    /// Data of another length than announced was given to be signed.
    #[error("the item was begun for {declared} bytes of data and got {given}")]
    DataLength {
        /// Bytes announced.
        declared: u64,
        /// Bytes given.
        given: u64,
    },
}

impl DataItem {
    /// Makes and signs an item. With Ed25519 and secp256k1 wallets the same contents give the same item; RSA signatures
    /// are salted, so that there each call makes a new one.
    pub fn sign(
        wallet: &Wallet,
        target: Option<Id>,
        anchor: Option<[u8; 32]>,
        tags: Tags,
        data: Vec<u8>,
    ) -> Result<Self, ItemError> {
        let mut header = ItemHeader::unsigned(wallet, target, anchor, tags)?;
        header.set_signature(wallet.sign(&SignedHash::of(&header, &data))?);
        Ok(Self { header, data })
    }

    /// Reads a whole item of at most [`ITEM_BYTES_MAX`] bytes. Everything after the header is data. The signature is
    /// not verified: see [`DataItem::verify`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ItemError> {
        if bytes.len() > ITEM_BYTES_MAX {
            return Err(ItemError::TooLarge(bytes.len()));
        }
        let header = ItemHeader::parse(bytes)?.ok_or(ItemError::Truncated(bytes.len()))?;
        let data = bytes[header.data_offset()..].to_vec();
        Ok(Self { header, data })
    }

    /// Checks that the owner signed exactly these contents.
    pub fn verify(&self) -> Result<(), SignatureError> {
        self.header.verify_hash(&SignedHash::of(&self.header, &self.data))
    }

    /// The item as bytes: those that were parsed, where it was parsed.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.header.to_bytes();
        bytes.extend_from_slice(&self.data);
        bytes
    }

    /// Everything but the data.
    pub fn header(&self) -> &ItemHeader {
        &self.header
    }

    /// The identity of the item: SHA-256 of its signature.
    pub fn id(&self) -> Id {
        self.header.id()
    }

    /// The address of the wallet that signed: SHA-256 of the owner.
    pub fn address(&self) -> Id {
        self.header.address()
    }

    /// The scheme of the signature.
    pub fn signature_type(&self) -> SignatureType {
        self.header.signature_type()
    }

    /// The signature.
    pub fn signature(&self) -> &[u8] {
        self.header.signature()
    }

    /// The public key that signed.
    pub fn owner(&self) -> &[u8] {
        self.header.owner()
    }

    /// Whom the item is addressed to.
    pub fn target(&self) -> Option<Id> {
        self.header.target()
    }

    /// 32 bytes of the sender's choice, which make equal messages different.
    pub fn anchor(&self) -> Option<&[u8]> {
        self.header.anchor()
    }

    /// The tags in the order in which they were signed.
    pub fn tags(&self) -> &Tags {
        self.header.tags()
    }

    /// The data.
    pub fn data(&self) -> &[u8] {
        &self.data
    }

    /// The data, without a copy.
    pub fn into_data(self) -> Vec<u8> {
        self.data
    }
}
