//! Type 3: ECDSA on secp256k1, signed as an Ethereum wallet signs a personal message (EIP-191).

use k256::ecdsa::{RecoveryId, Signature, VerifyingKey};
use sha3::{Digest as _, Keccak256};

use super::{SignatureError, SignatureType};

const SCHEME: SignatureType = SignatureType::Ethereum;

/// The last byte of a signature: 27, plus one if the point's second coordinate is odd. arbundles does not look at it,
/// so anybody could change it there; here it must be the one that leads back to the owner.
const RECOVERY_OFFSET: u8 = 27;

/// Verifies by recovering the key: it must be the owner, byte by byte, which also fixes the owner's spelling
/// (uncompressed, 65 bytes). The scalar s must be in the lower half of its range, since n - s would fit as well.
pub(super) fn verify(owner: &[u8], message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    let (&last, scalars) = signature.split_last().ok_or(SignatureError::NonCanonical(SCHEME))?;
    let scalars = Signature::from_slice(scalars).map_err(|_| SignatureError::NonCanonical(SCHEME))?;
    let is_odd = match last.checked_sub(RECOVERY_OFFSET) {
        Some(0) => false,
        Some(1) => true,
        _ => return Err(SignatureError::NonCanonical(SCHEME)),
    };
    if scalars.normalize_s() != scalars {
        return Err(SignatureError::NonCanonical(SCHEME));
    }
    if owner.first() != Some(&0x04) {
        return Err(SignatureError::Owner(SCHEME));
    }
    let hash = personal_message_hash(message);
    let key = VerifyingKey::recover_from_prehash(&hash, &scalars, RecoveryId::new(is_odd, false))
        .map_err(|_| SignatureError::Mismatch)?;
    if key.to_sec1_point(false).as_bytes() == owner { Ok(()) } else { Err(SignatureError::Mismatch) }
}

/// What an Ethereum wallet signs for a message (EIP-191, version 0x45).
pub(crate) fn personal_message_hash(message: &[u8]) -> [u8; 32] {
    let prefix = format!("\x19Ethereum Signed Message:\n{}", message.len());
    Keccak256::new().chain_update(prefix).chain_update(message).finalize().into()
}
