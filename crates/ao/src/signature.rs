//! Signatures of items: which schemes there are, and how each is verified.
//!
//! The id of an item is the hash of its signature. Whoever could write a signature in a second way would make a second
//! message of the first, so every scheme accepts one spelling only, of the signature and of the key.

mod ed25519;
mod ethereum;
mod rsa_pss;
mod solana;

pub(crate) use ethereum::personal_message_hash;
pub(crate) use rsa_pss::RSA_BYTES;

/// The scheme of a signature (the numbers of ANS-104 and arbundles).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SignatureType {
    /// 1: RSA-PSS with SHA-256, a key of 4096 bits and exponent 65537. The salt may have any length.
    Arweave,
    /// 2: Ed25519 over the deep hash.
    Ed25519,
    /// 3: ECDSA on secp256k1 over the deep hash, signed as an Ethereum personal message (EIP-191).
    Ethereum,
    /// 4: Ed25519 over the deep hash written in hexadecimal, as Solana wallets sign it.
    Solana,
}

/// Why a signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// The owner is no public key of this scheme in its one accepted form.
    #[error("the owner of the item is no valid {0:?} public key in its canonical form")]
    Owner(SignatureType),
    /// The signature is not in its one accepted form, whether it would fit or not.
    #[error("the signature is not in the canonical form of {0:?}; a second spelling of a signature is refused")]
    NonCanonical(SignatureType),
    /// The signature was not made by the owner over these contents.
    #[error("the signature does not fit the item: it was changed after signing, or signed by another key")]
    Mismatch,
    /// More or fewer bytes came than were announced.
    #[error("the item was announced with {declared} bytes of data, {given} came")]
    DataLength {
        /// Bytes announced.
        declared: u64,
        /// Bytes that came; counted up to the first one too many.
        given: u64,
    },
}

impl SignatureType {
    /// The scheme of a number; nothing where this node does not know it.
    pub const fn from_code(code: u16) -> Option<Self> {
        match code {
            1 => Some(Self::Arweave),
            2 => Some(Self::Ed25519),
            3 => Some(Self::Ethereum),
            4 => Some(Self::Solana),
            _ => None,
        }
    }

    /// The number of the scheme.
    pub const fn code(self) -> u16 {
        match self {
            Self::Arweave => 1,
            Self::Ed25519 => 2,
            Self::Ethereum => 3,
            Self::Solana => 4,
        }
    }

    /// Bytes of a signature.
    pub const fn signature_length(self) -> usize {
        match self {
            Self::Arweave => RSA_BYTES,
            Self::Ed25519 | Self::Solana => 64,
            Self::Ethereum => 65,
        }
    }

    /// Bytes of an owner, which is a public key.
    pub const fn owner_length(self) -> usize {
        match self {
            Self::Arweave => RSA_BYTES,
            Self::Ed25519 | Self::Solana => 32,
            Self::Ethereum => 65,
        }
    }

    /// Checks that `signature` is the owner's over `message`, which is the deep hash of the item.
    pub(crate) fn verify(self, owner: &[u8], message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        match self {
            Self::Arweave => rsa_pss::verify(owner, message, signature),
            Self::Ed25519 => ed25519::verify(Self::Ed25519, owner, message, signature),
            Self::Ethereum => ethereum::verify(owner, message, signature),
            Self::Solana => solana::verify(owner, message, signature),
        }
    }
}
