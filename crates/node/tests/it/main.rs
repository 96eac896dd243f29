//! A real node, spoken to over HTTP as any client does.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails, and one that is skipped says so"
)]

mod place;
mod recovery;
mod transfers;
mod untrusted;
