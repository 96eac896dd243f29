//! Type 1: RSA-PSS with SHA-256 and keys of 4096 bits, as Arweave wallets sign.
//!
//! The length of the salt is the signer's choice: browsers take 32 bytes, Node takes all that fits (478), and a verifier
//! that expects one length refuses the other's wallets.

use aws_lc_rs::signature::{RSA_PSS_2048_8192_SHA256, RsaParameters, RsaPssSaltLength, RsaPublicKeyComponents};
use rsa::pss::{Signature, VerifyingKey};
use rsa::signature::Verifier as _;
use rsa::{BoxedUint, RsaPublicKey};
use sha2::Sha256;

use super::{SignatureError, SignatureType};

/// Bytes of the modulus, and so of owner and signature.
pub(crate) const RSA_BYTES: usize = 512;

/// The public exponent of every Arweave key, 65537, big endian. It is not part of an item.
const EXPONENT: [u8; 3] = [1, 0, 1];

const SCHEME: SignatureType = SignatureType::Arweave;

/// The salts of nearly all wallets, first that of programs, which send the most. aws-lc-rs verifies one of them in a quarter
/// of the time that finding out the length takes.
static USUAL_SALTS: [RsaParameters; 2] =
    [RSA_PSS_2048_8192_SHA256.with_pss_salt_length(RsaPssSaltLength::Max), RSA_PSS_2048_8192_SHA256];

/// Verifies with whatever salt length the signature has. The modulus must have all its 4096 bits and be odd, the
/// signature must be below it: s + n would fit as well.
pub(super) fn verify(owner: &[u8], message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    if owner.len() != RSA_BYTES || owner[0] & 0x80 == 0 || owner[RSA_BYTES - 1] & 1 == 0 {
        return Err(SignatureError::Owner(SCHEME));
    }
    // Big-endian numbers of one length compare like their bytes.
    if signature.len() != RSA_BYTES || signature >= owner {
        return Err(SignatureError::NonCanonical(SCHEME));
    }
    let key = RsaPublicKeyComponents { n: owner, e: &EXPONENT[..] };
    if USUAL_SALTS.iter().any(|parameters| key.verify(parameters, message, signature).is_ok()) {
        return Ok(());
    }
    verify_any_salt(owner, message, signature)
}

fn verify_any_salt(owner: &[u8], message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    let modulus = BoxedUint::from_be_slice_vartime(owner);
    let exponent = BoxedUint::from_be_slice_vartime(&EXPONENT);
    let key = RsaPublicKey::new(modulus, exponent).map_err(|_| SignatureError::Owner(SCHEME))?;
    let signature = Signature::try_from(signature).map_err(|_| SignatureError::NonCanonical(SCHEME))?;
    let verifier = VerifyingKey::<Sha256>::new_with_auto_salt_len(key);
    verifier.verify(message, &signature).map_err(|_| SignatureError::Mismatch)
}
