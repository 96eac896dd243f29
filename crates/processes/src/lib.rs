//! The native processes of aobench as pure state machines: what each does with a message is a function of its tables and
//! the message, and of nothing else.
//!
//! A handler is given a [`Store`] (the tables of its own process), a [`Message`](ao::Message) and an [`Env`], and returns
//! [`Effects`](ao::Effects) or a [`Fault`]. It has no clock, no files, no sockets and no randomness; time is the
//! timestamp of the message. The node runs it inside a savepoint: a fault leaves everything as it was.
//!
//! Money that cannot be used is not a fault: a fault sends no messages, and the money would stay. Such a handler returns
//! effects that send it back to its payer, and says so in [`Output::error`](ao::Output::error).
#![forbid(unsafe_code)]

pub mod benchmark;
mod column;
pub mod dataset;
mod fault;
pub mod herder;
pub mod knowledge;
pub mod limits;
mod memo;
mod module;
pub mod packages;
mod payload;
mod readable;
pub mod retrieval;
mod store;
pub mod token;
mod turn;

pub use fault::Fault;
pub use memo::Memo;
pub use module::{Cron, Env, MODULES, Module, Publication, module_by_id, module_by_name, module_id};
pub use store::{Database, Store};
