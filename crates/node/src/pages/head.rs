//! What every dataset says of itself, whether models or sets of documents compete on it: the head of its page.

use ao::Id;
use serde::Deserialize;

use super::format::{address, name};

/// The part of a dataset's `Info` that every dataset has.
#[derive(Debug, Deserialize)]
pub(super) struct Head {
    title: String,
    license: String,
    pub(super) synthetic: bool,
    pub(super) questions: u64,
    pub(super) frozen: bool,
    pub(super) content_hash: Option<String>,
    pub(super) protocol: String,
    owner: Id,
}

impl Head {
    /// Its title, or one made of its id.
    pub(super) fn title(&self, id: Id) -> String {
        let title = name(&self.title);
        if title.trim().is_empty() { format!("Dataset {}", id.short()) } else { title }
    }

    pub(super) fn license(&self) -> String {
        let license = name(&self.license);
        if license.trim().is_empty() { "not stated".to_owned() } else { license }
    }

    pub(super) fn owner(&self) -> String {
        address(self.owner)
    }
}
