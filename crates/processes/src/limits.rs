//! Every limit of the native processes, with its reason. What is over a limit is refused with an error that names it, and
//! money that came along goes back to its payer.

/// Characters of a title or a name that a person reads.
pub const TITLE_CHARS_MAX: usize = 64;

/// Characters of a reason that another process or the node gives and a person reads.
pub const SENTENCE_CHARS_MAX: usize = 300;

/// Characters of a value from outside that an error message repeats.
pub const QUOTED_CHARS_MAX: usize = 80;

/// Accounts in one answer to Balances where the question sets no limit, and the most that a question can ask for: an answer
/// is one message, and a token can have any number of accounts.
pub const BALANCES_PAGE: u32 = 1_000;

/// The most accounts that a question can ask for in one answer to Balances.
pub const BALANCES_PAGE_MAX: u32 = 5_000;

/// The denomination beyond which one whole token would be more than a quantity can hold.
pub const DENOMINATION_MAX: u32 = 38;

/// Messages that one message may cause: the limit of the node on an outbox, which a process that pays many must keep by
/// itself.
pub const OUTGOING_MAX: usize = 100;

/// The shortest life of a pool, milliseconds: one minute. Shorter ones end before a model file can be looked at.
pub const POOL_DURATION_MS_MIN: u64 = 60_000;

/// The longest life of a pool, milliseconds: 366 days. Its money is bound for so long.
pub const POOL_DURATION_MS_MAX: u64 = 366 * 86_400_000;

/// How far ahead a pool may start, milliseconds: 366 days.
pub const POOL_START_AHEAD_MS_MAX: u64 = 366 * 86_400_000;

/// How long ago a pool may have started when its money arrives, milliseconds: one hour, for the clock of a funder that is
/// behind and the time that a message travels. It then starts at once.
pub const POOL_START_BEHIND_MS_MAX: u64 = 3_600_000;

/// How long a dataset may take to answer that it is frozen, milliseconds: ten minutes. Then the money goes back.
pub const POOL_OPENING_MS: u64 = 600_000;

/// Pools of one funder that have not ended: each costs the process a little for each tick of its clock.
pub const POOLS_PER_FUNDER_MAX: u32 = 100;

/// Fundings of one pool: each is a transfer of its own if the pool is refunded.
pub const FUNDINGS_PER_POOL_MAX: u32 = 1_000;

/// Pools whose time has come that one message carries on with; the others follow a millisecond later.
pub const DUE_POOLS_PER_MESSAGE: u32 = 20;

/// Entries of a pool that were not refused.
pub const ENTRIES_PER_POOL_MAX: u32 = 10_000;

/// Entries of one participant in a pool that were not refused.
pub const ENTRIES_PER_PARTICIPANT_MAX: u32 = 100;

/// Questions of a dataset that a pool can be funded on.
pub const QUESTIONS_MAX: u32 = 10_000_000;

/// Points that one question of a pool can bring.
pub const QUESTION_POINTS_MAX: u32 = 100;

/// Questions of a dataset whose pool has `X-Ties=significance`: an exact test adds that many binomial coefficients of that
/// many bits.
pub const SIGNIFICANCE_QUESTIONS_MAX: u32 = 5_000;

/// Entries with which the leader of a tie group is compared: those next below it. What is further below is not tied with it.
pub const SIGNIFICANCE_COMPARISONS_MAX: usize = 50;

/// Entries of a ranking up to which each is shown with the ranks that it may have: every pair of them is compared.
pub const RANK_RANGES_ENTRIES_MAX: usize = 50;

/// Ranks of a table of weights (`X-Table`).
pub const TABLE_RANKS_MAX: usize = 100;

/// The largest weight in a table of weights (`X-Table`).
pub const TABLE_WEIGHT_MAX: u32 = 1_000_000;

/// Times that a transfer which the token refused is sent again by the daily tick. Then it waits for the owner.
pub const TRANSFER_ATTEMPTS_MAX: u32 = 30;

/// Entries of which one Update-Leaderboard asks the datasets for the score; the others follow with the next.
pub const SCORES_ASKED_PER_TICK: usize = 50;

/// Rows of a leaderboard that are kept for each day.
pub const SNAPSHOT_ROWS_MAX: usize = 100;

/// Rows in one answer where the question sets no limit.
pub const POOL_ROWS_PAGE: u32 = 1_000;

/// Pools in one answer where the question sets no limit.
pub const POOLS_PAGE: u32 = 100;

/// Entries, payouts or fundings in one answer where the question sets no limit.
pub const LOOKUP_ROWS_PAGE: u32 = 100;

/// Held notices in the answer to a benchmark's Info.
pub const HELD_SHOWN: u32 = 50;

/// Days of the boards of the past in one answer.
pub const LOOKUP_DAYS_MAX: u64 = 60;

/// The most rows that a question can ask for in one answer.
pub const POOL_ROWS_PAGE_MAX: u32 = 5_000;

/// Questions of a dataset.
pub const DATASET_QUESTIONS_MAX: u64 = 100_000;

/// Uploads of questions that a dataset waits for at a time.
pub const LOADS_PENDING_MAX: u64 = 16;

/// Different model files that a dataset evaluates: each has a row for each question.
pub const MODEL_FILES_MAX: u64 = 10_000;

/// Inferences that a dataset asks for one model between two ticks, and the most it has in flight for it.
pub const INFERENCES_PER_TICK: u64 = 1_000;

/// Questions that a dataset puts into one message to the herder.
pub const EVALUATIONS_PER_BATCH: usize = 64;

/// Bytes of prompts in one batch, as JSON. A herder takes up to 480 KiB with all that is around them.
pub const BATCH_BYTES_MAX: usize = 400 * 1024;

/// Times that a question is asked whose inference failed by its worker. Then the evaluation of the model has failed, and
/// says why; it never counts as wrong.
pub const QUESTION_ATTEMPTS_MAX: u64 = 5;

/// Bytes that a dataset sends while it handles one message: 1 MiB, the limit of the node, less some room for tags.
pub const DATASET_SENT_BYTES_MAX: usize = 900 * 1024;

/// Scores that a dataset reports in one message; the others follow a millisecond later.
pub const REPORTS_PER_MESSAGE: usize = 50;

/// Models in one answer to Get-Models.
pub const MODELS_PAGE_MAX: u64 = 500;

/// Running evaluations of a pool in one answer to Progress.
pub const PROGRESS_MODELS_MAX: u64 = 50;

/// Questions in one answer to Get-Questions.
pub const QUESTIONS_PAGE_MAX: u64 = 50;

/// Questions in one answer to Results.
pub const RESULTS_PAGE_MAX: u64 = 500;

/// Bytes of one answer to Results, as JSON: what is over it is on the next page.
pub const RESULTS_BYTES_MAX: usize = 512 * 1024;

/// Bytes of what the processes of a node keep in memory of what they worked out from their tables: the vectors of 250,000
/// documents with 384 numbers each, and their sketches. What does not fit is read from the tables each time.
pub const MEMO_BYTES_MAX: usize = 512 * 1024 * 1024;
