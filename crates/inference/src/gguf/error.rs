//! Why a file is refused.

/// Why a file is no GGUF model that may be loaded. Nothing of it has reached llama.cpp.
#[derive(Debug, thiserror::Error)]
pub enum GgufError {
    /// Reading failed.
    #[error("reading the file failed: {0}")]
    Io(#[from] std::io::Error),
    /// The first four bytes are not `GGUF`.
    #[error("it does not begin with `GGUF`; give a model file in GGUF format")]
    Magic,
    /// A version that is not 2 or 3.
    #[error("it has GGUF version {0}, versions 2 and 3 are understood; convert it with a current tool")]
    Version(u32),
    /// The file ends before what its header promises.
    #[error("it is cut off: {what} would end at byte {needed}, the file has {length}")]
    Truncated {
        /// What is missing.
        what: String,
        /// Where it would end.
        needed: u64,
        /// How long the file is.
        length: u64,
    },
    /// A number is over its limit.
    #[error("{what} is {found}, at most {limit} is accepted")]
    Limit {
        /// What is too much.
        what: String,
        /// What the file says.
        found: u64,
        /// What is accepted.
        limit: u64,
    },
    /// A value contradicts the format.
    #[error("{0}")]
    Malformed(String),
    /// A metadata key that every model has is not there or has another type.
    #[error("its metadata lacks `{0}`, or gives it another type")]
    Missing(String),
}

impl GgufError {
    /// Whether the disk failed and not the file.
    pub fn is_io(&self) -> bool {
        matches!(self, Self::Io(_))
    }
}
