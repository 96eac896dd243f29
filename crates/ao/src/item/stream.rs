//! Items whose data does not fit in memory: verified and signed while the data passes by.

use super::signed_hash::SignedHash;
use super::{ItemError, ItemHeader};
use crate::{Id, SignatureError, Tags, Wallet};

/// Verifies an item whose data comes in pieces.
#[derive(Debug)]
pub struct StreamVerifier {
    header: ItemHeader,
    hash: SignedHash,
}

/// Signs an item whose data comes in pieces. The header is known at the end, so the data is passed twice: through the
/// signer, and then after the header to wherever the item goes.
#[derive(Debug)]
pub struct StreamSigner {
    wallet: Wallet,
    header: ItemHeader,
    hash: SignedHash,
}

impl StreamVerifier {
    /// A verifier of the item with this header and `data_length` bytes of data.
    pub fn new(header: ItemHeader, data_length: u64) -> Self {
        let hash = SignedHash::new(&header, data_length);
        Self { header, hash }
    }

    /// Takes the next bytes of data.
    pub fn update(&mut self, data: &[u8]) {
        self.hash.update(data);
    }

    /// Checks that all data came, and that the owner signed it with this header.
    pub fn finish(self) -> Result<(), SignatureError> {
        let hash = self.hash.finish();
        let hash = hash.map_err(|wrong| SignatureError::DataLength { declared: wrong.declared, given: wrong.given })?;
        self.header.verify_hash(&hash)
    }
}

impl StreamSigner {
    /// A signer of an item with `data_length` bytes of data.
    pub fn new(
        wallet: &Wallet,
        target: Option<Id>,
        anchor: Option<[u8; 32]>,
        tags: Tags,
        data_length: u64,
    ) -> Result<Self, ItemError> {
        let header = ItemHeader::unsigned(wallet, target, anchor, tags)?;
        let hash = SignedHash::new(&header, data_length);
        Ok(Self { wallet: wallet.clone(), header, hash })
    }

    /// Takes the next bytes of data.
    pub fn update(&mut self, data: &[u8]) {
        self.hash.update(data);
    }

    /// Signs, if all data came. Gives the bytes of the item before its data.
    pub fn finish(mut self) -> Result<Vec<u8>, ItemError> {
        let hash = self.hash.finish();
        let hash = hash.map_err(|wrong| ItemError::DataLength { declared: wrong.declared, given: wrong.given })?;
        self.header.set_signature(self.wallet.sign(&hash)?);
        Ok(self.header.to_bytes())
    }
}
