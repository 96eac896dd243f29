//! A real node, spoken to over HTTP as any client does.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, and one that is skipped says so"
)]

mod chains;
mod http_documents;
mod http_gateway;
mod http_graphql;
mod http_hyperbeam;
mod http_inbox;
mod http_messages;
mod http_pages;
mod http_reads;
mod http_server;
mod place;
mod recovery;
mod running;
mod transfers;
mod untrusted;
mod wasm_aos;
mod wasm_assign;
mod wasm_gateway;
mod wasm_hostile;
mod wasm_modules;
mod wasm_packages;
mod wasm_place;
mod wasm_published;
mod wasm_semantics;
