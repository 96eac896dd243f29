//! A real node, spoken to over HTTP as any client does.

mod place;
mod recovery;
mod transfers;
mod untrusted;
