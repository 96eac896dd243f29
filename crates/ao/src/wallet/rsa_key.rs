//! RSA keys of 4096 bits, made and used by aws-lc-rs.

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{RSA_PSS_SHA256, RsaKeyPair};
use zeroize::Zeroizing;

use super::WalletError;
use super::der::rsa_numbers;
use crate::signature::RSA_BYTES;

pub(super) struct RsaKey {
    pair: RsaKeyPair,
    /// n, e, d, p, q, d mod p-1, d mod q-1, q^-1 mod p: the order of RFC 8017, big endian without leading zeros.
    numbers: [Zeroizing<Vec<u8>>; 8],
}

impl RsaKey {
    pub(super) fn generate() -> Result<Self, WalletError> {
        let pair = RsaKeyPair::generate(KeySize::Rsa4096).map_err(|_| WalletError::Library("making an RSA key"))?;
        Self::new(pair)
    }

    /// A key with 4096 bits and the exponent 65537.
    pub(super) fn new(pair: RsaKeyPair) -> Result<Self, WalletError> {
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| WalletError::Library("reading an RSA key"))?;
        let numbers = rsa_numbers(der.as_ref()).ok_or(WalletError::Inconsistent)?;
        let [modulus, exponent, ..] = numbers;
        if modulus.len() != RSA_BYTES || modulus[0] & 0x80 == 0 || exponent != [1, 0, 1] {
            return Err(WalletError::RsaParameters);
        }
        let numbers = numbers.map(|number| Zeroizing::new(number.to_vec()));
        Ok(Self { pair, numbers })
    }

    pub(super) fn modulus(&self) -> &[u8] {
        &self.numbers[0]
    }

    /// All numbers of the private key, in the order of RFC 8017.
    pub(super) fn numbers(&self) -> &[Zeroizing<Vec<u8>>; 8] {
        &self.numbers
    }

    /// Signs with a salt of 32 bytes, which every verifier accepts.
    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, WalletError> {
        let mut signature = vec![0; RSA_BYTES];
        let signed = self.pair.sign(&RSA_PSS_SHA256, &SystemRandom::new(), message, &mut signature);
        signed.map_err(|_| WalletError::Library("signing"))?;
        Ok(signature)
    }
}
