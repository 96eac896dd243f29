//! What can go wrong when a model is asked, and who is to blame for it.

use std::path::PathBuf;

use crate::gguf::GgufError;

/// Why an engine could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum InferenceError {
    /// The crate was compiled without llama.cpp.
    #[error("this program was built without llama.cpp: build it with the feature `llama` to run models")]
    EngineNotBuilt,
    /// The engine has no such ability, or this machine lacks something it needs.
    #[error("{what} is not supported by this engine")]
    Unsupported {
        /// What was wanted.
        what: String,
    },
    /// A request came before a model was loaded.
    #[error("no model is loaded: load one first")]
    NoModel,
    /// The file of the model cannot be opened or read.
    #[error("the model file {path} cannot be read: {reason}")]
    ModelFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// Our own reader refuses the file.
    #[error("the file is no valid GGUF model: {0}")]
    Gguf(#[from] GgufError),
    /// The file holds something else than was announced.
    #[error("the model file has the hash {found}, expected was {expected}: fetch it again")]
    HashMismatch {
        /// Announced SHA-256, hexadecimal.
        expected: String,
        /// SHA-256 of the file, hexadecimal.
        found: String,
    },
    /// The engine refuses the model, although the file is well-formed.
    #[error("the model cannot be used: {reason}")]
    Model {
        /// What the engine says.
        reason: String,
    },
    /// The request itself is wrong.
    #[error("the request cannot be answered: {reason}")]
    Request {
        /// What is wrong with it.
        reason: String,
    },
    /// Computing failed.
    #[error("computing failed: {reason}")]
    Compute {
        /// What the engine says.
        reason: String,
    },
    /// A server that runs models did not answer.
    #[error("the server gave no answer: {reason}; is it running, and is the base URL right (often it ends in /v1)?")]
    Server {
        /// Which one, and what happened.
        reason: String,
    },
    /// Whoever asked did not want the answer any more.
    #[error("nobody waits for the answer any more")]
    Stopped,
    /// The child process could not be started.
    #[error("the model process {program} could not be started: {reason}")]
    ChildStart {
        /// The program.
        program: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// The child process ended in the middle of a request.
    #[error("the model process died ({how}){}", said(last_words))]
    ChildDied {
        /// Exit code or signal, with its usual meaning.
        how: String,
        /// The end of what it wrote to its standard error.
        last_words: String,
    },
    /// The child process did not answer in time and was killed.
    #[error("the model process gave no answer within {seconds} s and was stopped")]
    Timeout {
        /// The limit that passed.
        seconds: u64,
    },
    /// The child process answered with something that is no answer.
    #[error("the model process answered nonsense: {reason}")]
    Protocol {
        /// What was wrong with it.
        reason: String,
    },
}

/// Who has to act on an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The model: no other machine will do better.
    Model,
    /// The request.
    Request,
    /// This machine or this moment: another worker may succeed.
    Machine,
}

impl InferenceError {
    /// Who is to blame. The death of a child is put on the machine: memory may have been short, and whether a model
    /// always kills its process is seen by trying elsewhere.
    pub fn blame(&self) -> Blame {
        match self {
            Self::Gguf(error) if error.is_io() => Blame::Machine,
            Self::Gguf(_) | Self::Model { .. } => Blame::Model,
            Self::Request { .. } => Blame::Request,
            _ => Blame::Machine,
        }
    }
}

fn said(last_words: &str) -> String {
    if last_words.is_empty() { String::new() } else { format!(", its last words: {last_words}") }
}
