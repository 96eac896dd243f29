//! What a benchmark is, as data and pure functions: questions, the task that turns a question into a prompt and an
//! output into an answer, and the statistics of scores.
//!
//! There is no clock, no file, no randomness here, so a score is the same wherever it is computed.
//!
//! - [`Question`]: a row of a dataset. [`ContentHash`]: which rows.
//! - [`statistics`]: how sure a score is.
#![forbid(unsafe_code)]

mod error;
pub mod limits;
mod prompt;
mod question;
pub mod statistics;

pub use error::TaskError;
pub use question::{ContentHash, Question};
