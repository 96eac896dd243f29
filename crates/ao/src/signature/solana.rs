//! Type 4: Ed25519 as Solana wallets sign: over the message in lower-case hexadecimal, since they refuse raw bytes.

use super::{SignatureError, SignatureType, ed25519};

pub(super) fn verify(owner: &[u8], message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
    ed25519::verify(SignatureType::Solana, owner, &hexadecimal(message), signature)
}

fn hexadecimal(message: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    message.iter().flat_map(|byte| [byte >> 4, byte & 0xf]).map(|digit| DIGITS[usize::from(digit)]).collect()
}
