//! The task files that come with the program.

use crate::TaskError;

/// The built-in tasks, by name.
const BUILT_IN: &[(&str, &str)] = &[
    ("siqa", include_str!("siqa.yaml")),
    ("social_iqa", include_str!("social_iqa.yaml")),
    ("demo", include_str!("demo.yaml")),
];

/// The task file of a task that comes with the program.
pub fn built_in(name: &str) -> Result<&'static str, TaskError> {
    let found = BUILT_IN.iter().find(|(known, _)| *known == name);
    found.map(|(_, text)| *text).ok_or_else(|| TaskError::UnknownTask {
        name: name.chars().take(80).collect(),
        known: names().collect::<Vec<_>>().join(", "),
    })
}

/// The names of the tasks that come with the program.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// The built-in task files as files that another one may include: `siqa.yaml`.
pub fn file(path: &str) -> Option<String> {
    built_in(path.strip_suffix(".yaml")?).ok().map(str::to_owned)
}
