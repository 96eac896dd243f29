//! What a benchmark is, as data and pure functions: questions, the task that turns a question into a prompt and an
//! output into an answer, and the statistics of scores.
//!
//! There is no clock, no file, no randomness here, so a score is the same wherever it is computed. Task files and
//! questions come from strangers, so everything here is bounded; see [`limits`].
//!
//! - [`Question`]: a row of a dataset; [`ContentHash`]: which rows.
//! - [`harness`]: task files of lm-evaluation-harness, from prompts to results.
//! - [`PoolTask`]: the part of them that a pool can pay for; prepares questions, extracts answers, judges them.
//! - [`builtin`]: the task files that come with the program.
//! - [`Balance`]: how far one comes without reading the questions.
//! - [`statistics`]: how sure a score is.
#![forbid(unsafe_code)]

mod balance;
pub mod builtin;
mod error;
mod extraction;
pub mod harness;
pub mod limits;
mod python;
mod question;
pub mod statistics;

pub use balance::Balance;
pub use builtin::built_in;
pub use error::TaskError;
pub use extraction::{Extracted, Extraction};
pub use harness::{PoolTask, Prepared, Profile};
pub use question::{ContentHash, Question};
