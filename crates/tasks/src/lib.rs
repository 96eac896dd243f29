//! What a benchmark is, as data and pure functions: questions, the task that turns a question into a prompt and an
//! output into an answer, and the statistics of scores.
//!
//! There is no clock, no file, no randomness here, so a score is the same wherever it is computed.
#![forbid(unsafe_code)]

pub mod statistics;
