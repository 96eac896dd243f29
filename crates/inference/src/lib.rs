//! Make a model answer.
//!
//! [`Engine`] is what the rest of the program sees: load a model, continue prompts, say how likely continuations are.
//! Four engines exist: [`llama::LlamaEngine`] runs llama.cpp in this process, [`child::ChildEngine`] runs it in a
//! sandboxed child process that holds no key (what a worker uses, because a model file comes from a stranger),
//! [`openai::ServerEngine`] asks a server, and [`scripted::ScriptedEngine`] answers from a table in tests.
//!
//! [`gguf`] reads model files without llama.cpp: it refuses malformed files before any C++ sees them and says what a
//! model is (its content hash, architecture and size).
//!
//! [`grammar`] forces an output into a form of few members, [`schema`] into a document that fits a JSON schema.
//!
//! This is the only crate with unsafe code and C++. Every file that needs `unsafe` says so in its first lines.

#![deny(unsafe_op_in_unsafe_fn)]

pub mod child;
pub mod engine;
pub mod error;
pub mod gguf;
pub mod grammar;
pub mod limits;
#[cfg(feature = "llama")]
pub mod llama;
pub mod marks;
pub mod openai;
pub mod prefix;
pub mod random_model;
pub mod request;
pub mod sandbox;
pub mod schema;
pub mod scripted;

pub use child::{ChildEngine, ChildOptions, ChildProgram};
pub use engine::{Description, Engine, EngineOptions, InstructionSet, LoadedModel, ModelFile, Profile};
pub use error::{Blame, InferenceError};
pub use grammar::{Choice, Grammar};
pub use request::{
    Embedded, Finish, GenerateRequest, Generated, Likelihood, Part, Progress, ScorePrompt, ScoreRequest, Scored,
};
pub use schema::{Schema, SchemaError};

/// The engine that runs models in this process, where the crate was built with one.
///
/// # Errors
/// [`InferenceError::EngineNotBuilt`] without the feature `llama`; [`InferenceError::Unsupported`] on a processor that
/// lacks the instructions llama.cpp was compiled for.
pub fn local_engine(options: &EngineOptions) -> Result<Box<dyn Engine>, InferenceError> {
    #[cfg(feature = "llama")]
    return Ok(Box::new(llama::LlamaEngine::new(options)?));
    #[cfg(not(feature = "llama"))]
    {
        let _ = options;
        Err(InferenceError::EngineNotBuilt)
    }
}
