//! What a retrieval process was told when it was spawned.

use ao::Id;
use tasks::judge::{JUDGES_MAX, protocol};

use super::limits::{DOCUMENTS_FOUND, DOCUMENTS_JUDGED_DEFAULT};
use crate::payload::quoted;
use crate::{Env, Fault, readable};

/// The settings of a retrieval process, from the tags of the item that spawned it.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// The herder whose workers judge.
    pub(super) herder: Id,
    /// The knowledge process that holds the sets of documents.
    pub(super) knowledge: Id,
    /// The benchmark process whose pools may be created on it.
    pub(super) benchmark: Option<Id>,
    /// Judges of each answer; their median counts.
    pub(super) judges: u32,
    /// Documents that they read.
    pub(super) documents: usize,
    /// What people call it.
    pub(super) title: String,
    /// The licence of the questions.
    pub(super) license: String,
    /// Whether the questions were made by a program.
    pub(super) synthetic: bool,
}

impl Settings {
    /// Reads the spawn tags.
    pub(super) fn read(env: &Env) -> Result<Self, Fault> {
        let tag = |name: &str| env.tags.get(name);
        let title = tag("Title").or_else(|| tag("Name")).unwrap_or("Retrieval");
        let documents = number(env, "Documents", DOCUMENTS_JUDGED_DEFAULT as u32, DOCUMENTS_FOUND as u32)?;
        Ok(Self {
            herder: id(env, "Herder")?.ok_or(Fault::MissingTag("Herder"))?,
            knowledge: id(env, "Knowledge")?.ok_or(Fault::MissingTag("Knowledge"))?,
            benchmark: id(env, "Benchmark")?,
            judges: number(env, "Judges", 1, JUDGES_MAX)?,
            documents: documents as usize,
            title: readable::title(title),
            license: readable::title(tag("License").unwrap_or_default()),
            synthetic: tag("Synthetic").is_some_and(|value| value.eq_ignore_ascii_case("true")),
        })
    }

    /// Under what a score was made: scores under different protocols cannot be compared.
    pub(super) fn protocol(&self) -> String {
        format!("{}/judges-{}/documents-{}", protocol(), self.judges, self.documents)
    }
}

fn id(env: &Env, name: &'static str) -> Result<Option<Id>, Fault> {
    let Some(text) = env.tags.get(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|error: ao::IdError| bad(name, text, error.to_string()))
}

fn number(env: &Env, name: &'static str, default: u32, most: u32) -> Result<u32, Fault> {
    let Some(text) = env.tags.get(name) else { return Ok(default) };
    let number = text.parse().ok().filter(|number| (1..=most).contains(number));
    number.ok_or_else(|| bad(name, text, format!("it is a whole number from 1 to {most}")))
}

fn bad(name: &'static str, value: &str, reason: String) -> Fault {
    Fault::BadTag { name, value: quoted(value), reason }
}
