//! Why a task file or a question cannot be used.

/// Why a task file or a question cannot be used. The texts are read by the person who wrote the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskError {
    /// The file is no YAML, or holds something that is not understood here: the text names key and line.
    #[error("the task file cannot be read: {0}")]
    Yaml(String),
    /// The file needs Python.
    #[error("the task file uses '!function', which needs Python; only declarative tasks can be run")]
    Python,
    /// The parts of the file do not fit together.
    #[error("the task file says {key}: {value}, {reason}")]
    Key {
        /// Which key.
        key: &'static str,
        /// What it says, shortened.
        value: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// A template that is no template, or does what is not allowed here.
    #[error("the template '{key}' cannot be used: {reason}")]
    Template {
        /// The key of the task file it stands at.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// A template that cannot be filled in with a question.
    #[error("'{key}' cannot be made from this question: {reason}")]
    Render {
        /// The key of the task file.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// A question that is none.
    #[error("{0}")]
    Question(String),
    /// A row of a list of questions that is none.
    #[error("row {row}: {reason}")]
    Row {
        /// Which row; the first is 1.
        row: usize,
        /// What is wrong.
        reason: String,
    },
    /// Something is over its limit.
    #[error("{what} has {actual}, and {limit} is allowed")]
    OverLimit {
        /// What, with its unit.
        what: &'static str,
        /// How much there is.
        actual: usize,
        /// How much is allowed.
        limit: usize,
    },
    /// No built-in task of that name.
    #[error("there is no built-in task '{name}'; there is {known}")]
    UnknownTask {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
}

/// Fails if `actual` is more than `limit`.
pub(crate) fn within(what: &'static str, actual: usize, limit: usize) -> Result<(), TaskError> {
    if actual > limit { Err(TaskError::OverLimit { what, actual, limit }) } else { Ok(()) }
}
