//! What parent and child say to each other.

use serde::{Deserialize, Serialize};

use crate::engine::{Description, EngineOptions, LoadedModel, ModelFile};
use crate::error::InferenceError;
use crate::request::{Embedded, GenerateRequest, Generated, Likelihood, Part, Progress, ScoreRequest, Scored};
use crate::sandbox::Limits;

/// From the parent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Order {
    /// Always the first, and only the first: the child confines itself to this file.
    Load { model: ModelFile, options: EngineOptions, limits: Limits },
    /// What is the engine?
    Describe,
    /// Tokens of a text.
    Tokenize(String),
    /// Log-likelihoods.
    Score(ScoreRequest),
    /// Log-likelihoods of whole texts.
    Roll(Vec<String>),
    /// Texts.
    Generate(GenerateRequest),
    /// Texts, part by part.
    GenerateInParts(GenerateRequest),
    /// Vectors.
    Embed(Vec<String>),
    /// Nobody wants the answer to the order before any more. It has no reply of its own.
    Stop,
    /// Try what the confinement forbids.
    Probe,
    /// Die as llama.cpp dies of a failed assertion.
    Abort,
}

/// From the child. Every order but `Stop` is answered by any number of `Progress` and `Part` and one other reply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Reply {
    Progress(Progress),
    Part(Part),
    Loaded(LoadedModel),
    Description(Description),
    Tokens(Vec<i32>),
    Scored(Vec<Scored>),
    Rolled(Vec<Likelihood>),
    Generated(Vec<Generated>),
    Embedded(Vec<Embedded>),
    Probed(Probed),
    Failed(Failure),
}

/// What comes before a reply.
#[derive(Debug)]
pub(super) enum News {
    Progress(Progress),
    Part(Part),
}

/// What a confined process could do. Everything but reading the model should have failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// Opened `/etc/passwd`, or what the system said.
    pub opened_other_file: Result<(), String>,
    /// Created a file in the directory for temporary files.
    pub created_file: Result<(), String>,
    /// Connected to, or was refused by, a port of this machine: it had a socket.
    pub used_socket: Result<(), String>,
    /// Started a program.
    pub started_program: Result<(), String>,
    /// Names of environment variables.
    pub environment: Vec<String>,
    /// Bytes it could allocate at once, of 1 TiB tried.
    pub allocated: bool,
}

/// An error on its way from the child to the parent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Failure {
    EngineNotBuilt,
    Unsupported(String),
    NoModel,
    ModelFile(String),
    Model(String),
    HashMismatch { expected: String, found: String },
    Request(String),
    Compute(String),
    Stopped,
}

impl From<InferenceError> for Failure {
    fn from(error: InferenceError) -> Self {
        match error {
            InferenceError::EngineNotBuilt => Self::EngineNotBuilt,
            InferenceError::Unsupported { what } => Self::Unsupported(what),
            InferenceError::NoModel => Self::NoModel,
            InferenceError::ModelFile { reason, .. } => Self::ModelFile(reason),
            InferenceError::Gguf(error) if error.is_io() => Self::ModelFile(error.to_string()),
            InferenceError::Gguf(error) => Self::Model(format!("the file is no valid GGUF model: {error}")),
            InferenceError::Model { reason } => Self::Model(reason),
            InferenceError::HashMismatch { expected, found } => Self::HashMismatch { expected, found },
            InferenceError::Request { reason } => Self::Request(reason),
            InferenceError::Stopped => Self::Stopped,
            other => Self::Compute(other.to_string()),
        }
    }
}

impl Failure {
    /// The error for the parent's caller.
    pub(super) fn into_error(self, model: Option<&ModelFile>) -> InferenceError {
        match self {
            Self::EngineNotBuilt => InferenceError::EngineNotBuilt,
            Self::Unsupported(what) => InferenceError::Unsupported { what },
            Self::NoModel => InferenceError::NoModel,
            Self::ModelFile(reason) => {
                InferenceError::ModelFile { path: model.map(|model| model.path.clone()).unwrap_or_default(), reason }
            }
            Self::Model(reason) => InferenceError::Model { reason },
            Self::HashMismatch { expected, found } => InferenceError::HashMismatch { expected, found },
            Self::Request(reason) => InferenceError::Request { reason },
            Self::Compute(reason) => InferenceError::Compute { reason },
            Self::Stopped => InferenceError::Stopped,
        }
    }
}
