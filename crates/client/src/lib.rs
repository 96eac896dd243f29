//! Talking to an AO node: sign and send items, read results and inboxes, upload and download files.
//!
//! A [`Client`] is a node's address and, for those who send, a [`Wallet`](ao::Wallet). It is cheap to clone and may be
//! used from many tasks. Everything that a client sends is a signed item, so sending one again is the same item and not
//! a second one; that is why the client tries again by itself when a node does not answer.
//!
//! - [`Client::send`], [`Client::spawn`], [`Client::request`]: messages and processes.
//! - [`Client::result`], [`Client::results`], [`Client::dry_run`]: what came of them, and reading without sending.
//! - [`Client::inbox`], [`Client::await_notice`]: what processes sent to a wallet.
//! - [`Client::upload`], [`Client::download`], [`Client::verify`]: files of any size, streamed, and whether they are what
//!   was signed.
//! - [`Client::transaction`]: what a gateway tells of a transaction, and whether a file is its data.
//! - [`Client::genesis`], [`Client::processes`]: what a node offers.
#![forbid(unsafe_code)]

mod client;
mod directory;
mod download;
mod error;
mod inbox;
pub mod limits;
mod result;
mod transaction;
mod transport;
mod upload;
mod verify;

pub use client::Client;
pub use directory::{ModelInfo, ProcessInfo};
pub use error::ClientError;
pub use inbox::{InboxMessage, InboxPage};
pub use result::{MessageResult, ResultEdge, ResultsPage, SentMessage, SpawnedProcess};
pub use transaction::Transaction;
pub use transport::Retry;
pub use upload::{Progress, Stage};
