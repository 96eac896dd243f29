//! The AO protocol as data: what travels between wallets, processes and nodes, and how it is signed.
//!
//! Everything here is a value or a pure function of values. There is no IO, no clock and no `unsafe`, so this crate can
//! be fuzzed and replayed without a node.
//!
//! - [`Id`], [`Quantity`], [`Tag`]: the words of the protocol, each with one strict grammar.
//! - [`Message`], [`Assignment`], [`Effects`]: what a process is given, and what it may answer.
//! - [`item`], [`bundle`], [`wallet`]: ANS-104 data items, their bundles, and the keys that sign them.
#![forbid(unsafe_code)]

mod assignment;
mod avro;
pub mod bundle;
mod deep_hash;
mod effects;
mod hash;
mod id;
pub mod item;
pub mod limits;
mod message;
mod quantity;
mod signature;
mod tag;
#[cfg(test)]
mod tests;
pub mod wallet;

pub use assignment::{Assignment, HashChain};
pub use avro::TagsError;
pub use deep_hash::{DEEP_HASH_LENGTH, DeepHash, deep_hash};
pub use effects::{Assigned, Effects, Outgoing, Output, Spawn, data_text};
pub use hash::{hash_parts, sha256};
pub use id::{ID_TEXT_LENGTH, Id, IdError};
pub use item::{DataItem, ItemError, ItemHeader};
pub use message::{Message, MessageKind};
pub use quantity::{Quantity, QuantityError};
pub use signature::{SignatureError, SignatureType};
pub use tag::{Tag, Tags};
pub use wallet::{Wallet, WalletError, WalletKind};
