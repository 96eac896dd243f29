//! An assignment: the place of a message in the log of its process, and the hash chain that binds the places together.

use serde::{Deserialize, Serialize};

use crate::{DataItem, Id, ItemError, Tags, Wallet, sha256};

/// The hash chain of a process: each link commits to the assignment before it and so to the whole history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct HashChain(pub Id);

impl HashChain {
    /// The chain of a new process: SHA-256 of its id (the rule of AO's scheduler unit).
    pub fn seed(process: &Id) -> Self {
        Self(sha256(process.as_bytes()))
    }

    /// The chain after an assignment: SHA-256 of that assignment's id followed by the chain it carried (the rule of AO's
    /// scheduler unit).
    #[must_use]
    pub fn next(self, previous_assignment: &Id) -> Self {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(previous_assignment.as_bytes());
        bytes[32..].copy_from_slice(self.0.as_bytes());
        Self(sha256(&bytes))
    }
}

/// Where and when a message stands in the log of its process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assignment {
    /// The process.
    pub process: Id,
    /// Its slot (AO: Nonce); 0 is the item that spawned the process.
    pub slot: u64,
    /// The message assigned.
    pub message: Id,
    /// Milliseconds since 1970; strictly increasing within a process.
    pub timestamp_ms: u64,
    /// Block height.
    pub block_height: u64,
    /// The chain up to, and not with, this assignment.
    pub hash_chain: HashChain,
}

impl Assignment {
    /// The assignment as AO's scheduler units publish it: an item without data, signed by the node. With an Ed25519
    /// wallet the same assignment is the same item, and so has the same id, whenever it is made.
    pub fn to_item(&self, wallet: &Wallet) -> Result<DataItem, ItemError> {
        let mut tags = Tags::new()
            .with("Process", self.process.to_string())
            .with("Epoch", "0")
            .with("Nonce", self.slot.to_string())
            .with("Hash-Chain", self.hash_chain.0.to_string())
            .with("Block-Height", self.block_height.to_string())
            .with("Timestamp", self.timestamp_ms.to_string())
            .with("Data-Protocol", "ao")
            .with("Type", "Assignment")
            .with("Variant", "ao.TN.1");
        // The item that spawned a process is the process: its own assignment names it once.
        if self.message != self.process {
            tags.push("Message", self.message.to_string());
        }
        DataItem::sign(wallet, None, None, tags, Vec::new())
    }
}
