//! The model in a process of its own.
//!
//! A model file comes from a stranger and llama.cpp may die of it, or worse. The parent ([`ChildEngine`]) starts a child
//! ([`run`]) that holds no key, no environment and no open file, confines itself ([`crate::sandbox`]), loads the model
//! and answers requests. Both talk in frames over the child's standard input and output. The death of the child is an
//! error of one request; the next request starts another child.

mod frame;
mod message;
mod orders;
mod parent;
mod serve;
mod watch;

pub use message::Probed;
pub use parent::{ChildEngine, ChildOptions, ChildProgram};
pub use serve::run;

/// The hidden first argument by which a program lets its child know what it is: its `main` must then call [`run`] and
/// nothing else.
pub const SUBCOMMAND: &str = "model-child";
