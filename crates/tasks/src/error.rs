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
    /// A function of Python that is not one of those that were ported.
    #[error("the task file says {key}: !function {function}: {reason}")]
    Function {
        /// Which key.
        key: String,
        /// The function, with the path of its file.
        function: String,
        /// Why it cannot be used.
        reason: String,
    },
    /// A key, or a value of a key, that is not supported.
    #[error("the task file says {key}: {value}, which is not supported: {reason}")]
    Unsupported {
        /// Which key.
        key: String,
        /// What it says, shortened.
        value: String,
        /// Why not, or what is.
        reason: String,
    },
    /// A file that is included and cannot be.
    #[error("the file '{path}' cannot be included: {reason}")]
    Include {
        /// Its path.
        path: String,
        /// Why not.
        reason: String,
    },
    /// Documents or responses from which a score cannot be made.
    #[error("the score cannot be made: {what}: {reason}")]
    Score {
        /// What cannot be computed.
        what: String,
        /// Why not.
        reason: String,
    },
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
