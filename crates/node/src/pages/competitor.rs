//! The name of what competes: the id of a model, or the hash of a set of documents.

use serde::Deserialize;

/// Letters of a name that a table shows.
const SHORT: usize = 8;

/// A name as the benchmark process writes it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Competitor(String);

impl Competitor {
    /// The first letters, for tables.
    pub(super) fn short(&self) -> String {
        self.0.chars().take(SHORT).collect()
    }
}
