//! Wallets: the private keys that sign items, and their text form (JWK).

mod der;
mod jwk;
mod rsa_key;

use std::fmt;
use std::sync::Arc;

use ed25519_dalek::Signer as _;
use zeroize::Zeroizing;

use crate::signature::personal_message_hash;
use crate::{Id, SignatureType, sha256};
use rsa_key::RsaKey;

/// Which key a wallet holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WalletKind {
    /// RSA with 4096 bits, as Arweave wallets: slow to make, known everywhere.
    Rsa4096,
    /// Ed25519: fast, and signatures of equal contents are equal.
    Ed25519,
    /// secp256k1, as Ethereum wallets.
    Secp256k1,
}

/// A private key. Cloning it shares the key, which is wiped from memory with the last clone.
#[derive(Clone)]
pub struct Wallet(Arc<Key>);

enum Key {
    Rsa(RsaKey),
    Ed25519(ed25519_dalek::SigningKey),
    Secp256k1(k256::ecdsa::SigningKey),
}

/// Why a wallet cannot be made, read or used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WalletError {
    /// The text is no JSON object.
    #[error("a wallet is a JSON Web Key (JSON with a field \"kty\"), and this text is none: {0}")]
    Json(String),
    /// A kind of key that cannot sign items here.
    #[error("the wallet has a key of kind {0:?}; known are RSA (4096 bits), OKP (Ed25519) and EC (secp256k1)")]
    Kind(String),
    /// A field is missing.
    #[error("the wallet has no field {0:?}; is it a public key only?")]
    Missing(&'static str),
    /// A field is no number in base64url, or has the wrong length.
    #[error("the field {0:?} of the wallet is not base64url of the right length")]
    Field(&'static str),
    /// The numbers are no key, or not of one key.
    #[error("the numbers in the wallet do not belong together: the file is damaged or not a wallet")]
    Inconsistent,
    /// An RSA key of another size or exponent than Arweave's.
    #[error("an RSA wallet has 4096 bits and the exponent 65537 (\"AQAB\"), this one has another")]
    RsaParameters,
    /// The system has no randomness, or the cryptography library failed.
    #[error("the cryptography library failed while {0}; try again")]
    Library(&'static str),
}

impl Wallet {
    /// A new wallet. An RSA key takes seconds to find.
    pub fn generate(kind: WalletKind) -> Result<Self, WalletError> {
        let key = match kind {
            WalletKind::Rsa4096 => Key::Rsa(RsaKey::generate()?),
            WalletKind::Ed25519 => Key::Ed25519(ed25519_dalek::SigningKey::from_bytes(&*random_bytes()?)),
            WalletKind::Secp256k1 => Key::Secp256k1(random_secp256k1()?),
        };
        Ok(Self(Arc::new(key)))
    }

    /// Reads a wallet from its text: a JSON Web Key of kind RSA, OKP (Ed25519) or EC (secp256k1).
    pub fn from_jwk(text: &str) -> Result<Self, WalletError> {
        Ok(Self(Arc::new(jwk::read(text)?)))
    }

    /// The wallet as text. It is the private key: whoever has it is the wallet.
    pub fn to_jwk(&self) -> Zeroizing<String> {
        jwk::write(&self.0)
    }

    /// Which key it holds.
    pub fn kind(&self) -> WalletKind {
        match &*self.0 {
            Key::Rsa(_) => WalletKind::Rsa4096,
            Key::Ed25519(_) => WalletKind::Ed25519,
            Key::Secp256k1(_) => WalletKind::Secp256k1,
        }
    }

    /// The scheme of its signatures.
    pub fn signature_type(&self) -> SignatureType {
        match &*self.0 {
            Key::Rsa(_) => SignatureType::Arweave,
            Key::Ed25519(_) => SignatureType::Ed25519,
            Key::Secp256k1(_) => SignatureType::Ethereum,
        }
    }

    /// The public key as it stands in items.
    pub fn owner(&self) -> Vec<u8> {
        match &*self.0 {
            Key::Rsa(key) => key.modulus().to_vec(),
            Key::Ed25519(key) => key.verifying_key().to_bytes().to_vec(),
            Key::Secp256k1(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
        }
    }

    /// The address: SHA-256 of the owner.
    pub fn address(&self) -> Id {
        sha256(&self.owner())
    }

    /// Signs a message, which for items is their deep hash, in the scheme [`Wallet::signature_type`].
    pub fn sign(&self, message: &[u8]) -> Result<Vec<u8>, WalletError> {
        match &*self.0 {
            Key::Rsa(key) => key.sign(message),
            Key::Ed25519(key) => Ok(key.sign(message).to_bytes().to_vec()),
            Key::Secp256k1(key) => Ok(sign_personal_message(key, message)),
        }
    }
}

impl fmt::Debug for Wallet {
    /// The address and nothing of the key.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Wallet({:?} {})", self.kind(), self.address())
    }
}

/// Signs as an Ethereum wallet: deterministic (RFC 6979), s in the lower half, then 27 or 28.
fn sign_personal_message(key: &k256::ecdsa::SigningKey, message: &[u8]) -> Vec<u8> {
    let (signature, recovery) = key.sign_prehash_recoverable(&personal_message_hash(message));
    let mut bytes = signature.to_bytes().to_vec();
    bytes.push(27 + u8::from(recovery.is_y_odd()));
    bytes
}

fn random_bytes() -> Result<Zeroizing<[u8; 32]>, WalletError> {
    let mut bytes = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(&mut *bytes).map_err(|_| WalletError::Library("drawing random numbers"))?;
    Ok(bytes)
}

/// Not every 32 bytes are a key of secp256k1; all but one in 2^128 are, so the first draw does.
fn random_secp256k1() -> Result<k256::ecdsa::SigningKey, WalletError> {
    let bytes = random_bytes()?;
    k256::ecdsa::SigningKey::from_slice(&*bytes).map_err(|_| WalletError::Library("making a secp256k1 key"))
}
