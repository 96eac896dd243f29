//! What a knowledge process was told when it was spawned.

use ao::Id;

use crate::herder::limits::DIMENSIONS_MAX;
use crate::herder::wire::is_hash;
use crate::payload::quoted;
use crate::{Env, Fault, readable};

/// The settings of a knowledge process, from the tags of the item that spawned it.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// The herder that is asked for vectors.
    pub(super) herder: Id,
    /// The upload of the model that makes them.
    pub(super) model: Id,
    /// SHA-256 of its file. Vectors of different models cannot be compared, so nothing else is accepted.
    pub(super) file_hash: String,
    /// Numbers of a vector; as the first one has if not said.
    pub(super) dimensions: Option<usize>,
    /// What people call it.
    pub(super) title: String,
}

impl Settings {
    /// Reads the spawn tags.
    pub(super) fn read(env: &Env) -> Result<Self, Fault> {
        let hash = tag(env, "File-Hash")?;
        if !is_hash(hash) {
            let reason = "it is the SHA-256 of the model file, 64 lower-case hexadecimal digits";
            return Err(bad("File-Hash", hash, reason));
        }
        let dimensions = env.tags.get("Dimensions").map(|text| match text.parse() {
            Ok(dimensions) if (1..=DIMENSIONS_MAX).contains(&dimensions) => Ok(dimensions),
            _ => Err(bad("Dimensions", text, &format!("a vector has 1 to {DIMENSIONS_MAX} numbers"))),
        });
        let title = env.tags.get("Title").or_else(|| env.tags.get("Name")).unwrap_or("Knowledge");
        Ok(Self {
            herder: id(env, "Herder")?,
            model: id(env, "Model")?,
            file_hash: hash.to_owned(),
            dimensions: dimensions.transpose()?,
            title: readable::title(title),
        })
    }
}

fn tag<'a>(env: &'a Env, name: &'static str) -> Result<&'a str, Fault> {
    env.tags.get(name).ok_or(Fault::MissingTag(name))
}

fn id(env: &Env, name: &'static str) -> Result<Id, Fault> {
    let text = tag(env, name)?;
    text.parse().map_err(|error: ao::IdError| bad(name, text, &error.to_string()))
}

fn bad(name: &'static str, value: &str, reason: &str) -> Fault {
    Fault::BadTag { name, value: quoted(value), reason: reason.to_owned() }
}
