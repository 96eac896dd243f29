//! What a dataset was told when it was spawned.

use ao::{Id, Message};
use tasks::{PoolTask, Profile};

use crate::payload::quoted;
use crate::{Env, Fault, Store, readable};

/// The processes that a dataset works with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// The herder that is asked for inference. Without one the dataset can be looked at, and not evaluated.
    pub(super) herder: Option<Id>,
    /// The benchmark process whose pools may be created on this dataset.
    pub(super) benchmark: Option<Id>,
}

impl Settings {
    /// Reads the spawn tags.
    pub(super) fn read(env: &Env) -> Result<Self, Fault> {
        Ok(Self { herder: id(env, "Herder")?, benchmark: id(env, "Benchmark")? })
    }
}

fn id(env: &Env, name: &'static str) -> Result<Option<Id>, Fault> {
    let Some(text) = env.tags.get(name) else { return Ok(None) };
    let bad = |error: ao::IdError| Fault::BadTag { name, value: quoted(text), reason: error.to_string() };
    text.parse().map(Some).map_err(bad)
}

/// Writes the one row of a new dataset: its task file is the data of the item that spawned it, or else the built-in
/// task that the tag `Task` names.
pub(super) fn keep(store: &mut Store<'_>, message: &Message, env: &Env) -> Result<(), Fault> {
    let settings = Settings::read(env)?;
    let text = crate::payload::text(message)?.trim();
    let yaml =
        if text.is_empty() { tasks::built_in(env.tags.get("Task").unwrap_or("siqa")).map_err(refused)? } else { text };
    let task = PoolTask::from_yaml(yaml).map_err(refused)?;
    let tag = |name: &str| env.tags.get(name);
    let title = readable::title(tag("Title").or_else(|| tag("Name")).unwrap_or(task.title()));
    let license = readable::title(tag("License").or(task.license()).unwrap_or_default());
    let synthetic = task.is_synthetic() || tag("Synthetic").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let herder = settings.herder.map(|herder| herder.to_string());
    let protocol = task.protocol(Profile::Exact);
    store.execute(
        "INSERT INTO dataset (only, task, title, license, synthetic, herder, protocol) VALUES (1, ?, ?, ?, ?, ?, ?)",
        (yaml, title, license, synthetic, herder, protocol),
    )?;
    Ok(())
}

/// The task of the dataset.
pub(super) fn task(store: &Store<'_>) -> Result<PoolTask, Fault> {
    let yaml: String = store.value("SELECT task FROM dataset", [])?;
    PoolTask::from_yaml(&yaml).map_err(refused)
}

pub(super) fn refused(error: tasks::TaskError) -> Fault {
    Fault::BadData(error.to_string())
}
