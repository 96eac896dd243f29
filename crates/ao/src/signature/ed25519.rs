//! Type 2: Ed25519.

use ed25519_dalek::{Signature, VerifyingKey};

use super::{SignatureError, SignatureType};

/// Verifies strictly: the scalar below the group order, no key and no point of small order, and the key written in the
/// one way in which its coordinate is below the field's prime. `scheme` is named in errors.
pub(super) fn verify(
    scheme: SignatureType,
    owner: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let owner: &[u8; 32] = owner.try_into().map_err(|_| SignatureError::Owner(scheme))?;
    let key = VerifyingKey::from_bytes(owner).map_err(|_| SignatureError::Owner(scheme))?;
    if !is_reduced(owner) || key.is_weak() {
        return Err(SignatureError::Owner(scheme));
    }
    let signature = Signature::from_slice(signature).map_err(|_| SignatureError::NonCanonical(scheme))?;
    key.verify_strict(message, &signature).map_err(|_| SignatureError::Mismatch)
}

/// Whether the coordinate in a key is below the prime 2^255 - 19: a larger one would be a second spelling.
fn is_reduced(key: &[u8; 32]) -> bool {
    key[31] & 0x7f != 0x7f || key[1..31].iter().any(|&byte| byte != 0xff) || key[0] < 0xed
}
