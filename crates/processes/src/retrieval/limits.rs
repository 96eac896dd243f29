//! Every limit of a retrieval process, with its reason. What is over a limit is refused with an error that names it.

/// Questions of one process: each is searched and judged for every entry.
pub const QUESTIONS_MAX: u64 = 10_000;

/// Bytes of a question, and of an expected response: what a judge reads of them.
pub const TEXT_BYTES_MAX: usize = tasks::judge::QUESTION_BYTES_MAX;

/// Pieces of evidence of one question.
pub const EVIDENCE_MAX: usize = 20;

/// Bytes of one piece of evidence.
pub const EVIDENCE_BYTES_MAX: usize = 1_000;

/// Points of a question: the highest score of a judge.
pub const POINTS: u32 = tasks::judge::SCORE_MAX as u32;

/// Documents that are found for a question: what nDCG@10 looks at.
pub const DOCUMENTS_FOUND: u64 = 10;

/// Documents that a judge reads if nothing is said.
pub const DOCUMENTS_JUDGED_DEFAULT: usize = 5;

/// Entries of all pools.
pub const ENTRIES_MAX: u64 = 10_000;

/// Sets of documents that are looked at, at a time.
pub const INSPECTIONS_MAX: u64 = 1_000;

/// Searches that are with the knowledge process, which takes 64 of one asker.
pub const SEARCHES_IN_FLIGHT_MAX: u64 = 48;

/// Questions that are with the judges; each can be five jobs of a herder, which takes 2,048 of one requester.
pub const JUDGED_IN_FLIGHT_MAX: u64 = 256;

/// Times that a question is tried for an entry. Then the evaluation of the entry has failed, with the reason; the question
/// never counts as zero points.
pub const ATTEMPTS_MAX: u64 = 6;

/// How long a question waits after its first failure, milliseconds; after each further one twice as long.
pub const RETRY_MS: u64 = 30_000;

/// How long a set is waited for whose documents have no vectors yet, milliseconds.
pub const PENDING_MS: u64 = 60_000;

/// Rows in one answer to Results.
pub const RESULTS_PAGE_MAX: u64 = 500;

/// Bytes sent while one message is handled: 1 MiB, the limit of the node, less some room for tags.
pub const SENT_BYTES_MAX: usize = 900 * 1024;
