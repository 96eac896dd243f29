//! What a knowledge process was told when it was spawned.

use ao::Id;

use super::model::EmbeddingModel;
use crate::payload::quoted;
use crate::{Env, Fault, readable};

/// The settings of a knowledge process: the tags of the item that spawned it, and the model that its owner named.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// The herder that is asked for vectors.
    pub(super) herder: Id,
    /// The model that makes them; none until the owner names one.
    pub(super) model: Option<EmbeddingModel>,
    /// What people call it.
    pub(super) title: String,
}

impl Settings {
    /// Reads the spawn tags.
    pub(super) fn read(env: &Env) -> Result<Self, Fault> {
        let herder = env.tags.get("Herder").ok_or(Fault::MissingTag("Herder"))?;
        let title = env.tags.get("Title").or_else(|| env.tags.get("Name")).unwrap_or("Knowledge");
        Ok(Self {
            herder: herder.parse().map_err(|error: ao::IdError| bad("Herder", herder, &error.to_string()))?,
            model: EmbeddingModel::read(&env.tags)?,
            title: readable::title(title),
        })
    }
}

/// A fault about the value of a tag.
pub(super) fn bad(name: &'static str, value: &str, reason: &str) -> Fault {
    Fault::BadTag { name, value: quoted(value), reason: reason.to_owned() }
}
