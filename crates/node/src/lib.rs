//! One AO node: the log, the runtime of its processes, delivery, clock, gateway and HTTP. The only crate with clocks, disk
//! and server sockets.
//!
//! - `log` is the truth: append-only, durable before anything is acknowledged, one slot per message identity.
//! - `runtime` turns the log into process files, `outbox` delivers what processes send, `cron` writes the ticks.
//! - `wasm` runs the WebAssembly modules of AO for the runtime, beside the native ones.
//! - `core` is the face of all that to HTTP; `http` is the only place that knows wire formats.

mod actors;
mod admission;
mod assign;
mod audit;
mod authority;
pub mod bench;
mod clock;
mod config;
mod console;
mod core;
mod cron;
mod delivered;
mod disk;
mod dry_runs;
mod error;
mod gateway;
mod genesis;
mod http;
mod inbox;
mod keys;
pub mod limits;
mod log;
mod metrics;
mod node;
mod outbox;
mod pages;
mod runtime;
pub mod wasm;

pub use actors::{ModelFacts, ModelInspector};
pub use audit::{AuditReport, Finding, audit};
pub use config::{ClockConfig, Config, Genesis, GenesisProcess, Limits};
pub use error::{LogError, NodeError, ReadError, SubmitError};
pub use node::{Node, NodeHandle};
