//! Tests of what the parts of the crate do together: read, verify, sign, refuse.

mod bundles;
mod malleability;
mod parsing;
mod streams;
mod vectors;
mod wallets;
