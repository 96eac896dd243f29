//! Type 2: Ed25519.

use ed25519_dalek::{Signature, VerifyingKey};

use super::{SignatureError, SignatureType};

/// The order of the group, little endian: 2^252 + 27742317777372353535851937790883648493 (RFC 8032 §5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

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
    if signature.s_bytes().iter().rev().ge(ORDER.iter().rev()) {
        return Err(SignatureError::NonCanonical(scheme));
    }
    key.verify_strict(message, &signature).map_err(|_| SignatureError::Mismatch)
}

/// Whether the coordinate in a key is below the prime 2^255 - 19: a larger one would be a second spelling.
fn is_reduced(key: &[u8; 32]) -> bool {
    key[31] & 0x7f != 0x7f || key[1..31].iter().any(|&byte| byte != 0xff) || key[0] < 0xed
}
