//! The whole program from outside: the real binary, real nodes, real models.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, and one that is skipped says so"
)]

mod bad_input;
mod binary;
mod client_api;
mod command_line;
mod crash;
mod demo;
mod downloads;
mod eval;
mod modules;
mod own_dataset;
mod real_data;
mod services;
mod wasm_restart;
mod worker;
