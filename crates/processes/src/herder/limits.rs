//! Every limit of the herder and of the inference messages, with its reason. What is over a limit is refused with an
//! error that names it, and money that came along goes back to its payer.

/// Prompts of one request. A batch is worth having because its prompts share a prefix; 256 questions keep a one-thread
/// worker busy for about half a minute, which a lease can wait for.
pub const PROMPTS_MAX: usize = 256;

/// Prompts of one request for vectors: so many of [`DIMENSIONS_MAX`] numbers fit into a response.
pub const EMBEDDINGS_MAX: usize = 16;

/// Numbers of one vector. Models in use have 384 to 4096.
pub const DIMENSIONS_MAX: usize = 4096;

/// Bytes of one prompt or system prompt.
pub const PROMPT_BYTES_MAX: usize = 32 * 1024;

/// Continuations of one prompt: the choices of a question.
pub const CONTINUATIONS_MAX: usize = 64;

/// Bytes of one continuation.
pub const CONTINUATION_BYTES_MAX: usize = 4 * 1024;

/// Stop texts of one request.
pub const STOPS_MAX: usize = 16;

/// Bytes of one stop text.
pub const STOP_BYTES_MAX: usize = 256;

/// Tokens that may be asked for: more would not fit into [`OUTPUT_BYTES_MAX`].
pub const TOKENS_MAX: u32 = 1024;

/// Bytes of one output. A longer one is not an answer to a benchmark's question.
pub const OUTPUT_BYTES_MAX: usize = 4 * 1024;

/// Bytes of the data of a whole request, and of a whole response: a node sends at most 1 MiB for one message that it
/// handles, and an answer passed on and the next job must fit into it.
pub const PAYLOAD_BYTES_MAX: usize = 480 * 1024;

/// Bytes of one text of a receipt (engine, build, profile, instruction set).
pub const RECEIPT_TEXT_BYTES_MAX: usize = 256;

/// Bytes of a requester's reference.
pub const REFERENCE_BYTES_MAX: usize = 256;

/// Bytes of an error text that a worker gives.
pub const ERROR_TEXT_BYTES_MAX: usize = 512;

/// Jobs of one requester that wait or run. A dataset with a hundred entries plans about 1,600 batches at a tick.
pub const JOBS_PER_REQUESTER_MAX: i64 = 2_048;

/// Jobs in total.
pub const JOBS_MAX: i64 = 16_384;

/// Bytes of all jobs of one requester.
pub const JOB_BYTES_PER_REQUESTER_MAX: i64 = 64 * 1024 * 1024;

/// Bytes of all jobs.
pub const JOB_BYTES_MAX: i64 = 512 * 1024 * 1024;

/// Workers that are registered at a time.
pub const WORKERS_MAX: i64 = 1_024;

/// Addresses that the owner allows or forbids.
pub const PERMISSIONS_MAX: i64 = 4_096;

/// Prompts in flight that a worker may declare.
pub const CAPACITY_MAX: u64 = 4_096;

/// Prompts in flight of a worker that declares nothing.
pub const CAPACITY_DEFAULT: u64 = 64;

/// Models that a worker lists.
pub const MODELS_LISTED_MAX: usize = 64;

/// Failed attempts after which a job is given up.
pub const FAILURES_MAX: i64 = 3;

/// Attempts of a job, with those that were given back without fault (a worker that was shut down). A worker that comes
/// and goes could otherwise hold a job for ever.
pub const ATTEMPTS_MAX: i64 = 12;

/// Lease times that a worker may hold one job by saying in its heartbeats that it works on it.
pub const LEASE_TIMES_MAX: i64 = 20;

/// Lease times without a sign of life after which a worker is dropped.
pub const SILENT_LEASE_TIMES_MAX: i64 = 3;

/// Failures in a row after which a worker rests for a lease time. A worker that fails at once is always the one with
/// the least workload, and would take every job.
pub const FAILURES_IN_ROW_MAX: i64 = 3;

/// How long a job waits for a worker, milliseconds, before it is given up: a day.
pub const WAIT_MS_MAX: i64 = 24 * 3_600 * 1_000;

/// Each such time waited (milliseconds) counts as much as a doubled fee per token: no fee, however high, goes before a
/// job that has waited 128 of them longer, about twenty minutes.
pub const AGEING_MS_PER_DOUBLING: u64 = 10_000;

/// Each such time waited (milliseconds) makes a free job count as one prompt less of its requester's share.
pub const AGEING_MS_PER_PROMPT: u64 = 1_000;

/// Jobs given out while one message is handled. The node sends at most 100 messages for one; the rest follows by alarm.
pub const DISPATCHES_PER_MESSAGE_MAX: usize = 40;

/// Bytes sent while one message is handled, after which no further job is given out: 1 MiB less some room for tags.
pub const SENT_BYTES_PER_MESSAGE_MAX: usize = 960 * 1024;

/// Leases or waiting jobs ended while one message is handled; each sends at most two messages.
pub const ENDINGS_PER_MESSAGE_MAX: i64 = 20;

/// Failed jobs that are kept for the owner to read.
pub const FAILED_JOBS_KEPT_MAX: i64 = 1_000;

/// How often a payment is sent again after the token refused it.
pub const PAYMENT_ATTEMPTS_MAX: i64 = 5;

/// How long after a refusal, milliseconds.
pub const PAYMENT_RETRY_MS: i64 = 3_600 * 1_000;

/// The lease time of a herder whose owner says nothing, seconds, and its bounds.
pub const LEASE_SECONDS_DEFAULT: u64 = 120;
/// The shortest lease: an answer must have time to travel.
pub const LEASE_SECONDS_MIN: u64 = 5;
/// The longest lease: a dead worker is noticed after three of them.
pub const LEASE_SECONDS_MAX: u64 = 3_600;
