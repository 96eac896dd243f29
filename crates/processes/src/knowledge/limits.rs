//! Every limit of a knowledge process, with its reason. What is over a limit is refused with an error that names it.

/// Documents of one dataset: a search looks at every one of them.
pub const DOCUMENTS_PER_DATASET_MAX: usize = 100_000;

/// Bytes of the content of one document: the most that a herder takes as one prompt.
pub const CONTENT_BYTES_MAX: usize = crate::herder::limits::PROMPT_BYTES_MAX;

/// Bytes of the `meta` of one document, as JSON.
pub const META_BYTES_MAX: usize = 4 * 1024;

/// Datasets of one owner.
pub const DATASETS_PER_OWNER_MAX: u64 = 100;

/// Datasets of the process.
pub const DATASETS_MAX: u64 = 10_000;

/// Documents of the process.
pub const DOCUMENTS_MAX: u64 = 1_000_000;

/// Bytes of all contents and metas of the process: 4 GiB.
pub const BYTES_MAX: u64 = 4 << 30;

/// Bytes of the prompt of a search: the most that a herder takes.
pub const PROMPT_BYTES_MAX: usize = crate::herder::limits::PROMPT_BYTES_MAX;

/// Documents that a search finds if it says nothing.
pub const RESULTS_DEFAULT: u64 = 5;

/// The most documents that a search can ask for.
pub const RESULTS_MAX: u64 = 50;

/// Bytes of the documents in one answer to a search, as JSON: the node sends at most 1 MiB for one message. What does not
/// fit is counted.
pub const RESULTS_BYTES_MAX: usize = 512 * 1024;

/// Searches that wait for the vector of their prompt.
pub const SEARCHES_PENDING_MAX: u64 = 256;

/// The same of one asker, so that nobody takes all the room.
pub const SEARCHES_PENDING_PER_ASKER_MAX: u64 = 64;

/// Bytes of an asker's reference.
pub const REFERENCE_BYTES_MAX: usize = crate::herder::limits::REFERENCE_BYTES_MAX;

/// Documents in one message to the herder.
pub const DOCUMENTS_PER_BATCH: u64 = crate::herder::limits::EMBEDDINGS_MAX as u64;

/// Bytes of the contents in one message to the herder, as JSON. A herder takes up to 480 KiB with all that is around them.
pub const BATCH_BYTES_MAX: usize = 400 * 1024;

/// Batches of documents whose answers are awaited. A search waits behind them at the herder.
pub const BATCHES_IN_FLIGHT_MAX: u64 = 32;

/// Bytes sent while one message is handled: 1 MiB, the limit of the node, less some room for tags.
pub const SENT_BYTES_MAX: usize = 900 * 1024;

/// Times that the vector of a document is asked for. Then the document has failed until its owner sends it again.
pub const DOCUMENT_ATTEMPTS_MAX: u64 = 8;

/// How long a document waits after its first failure, milliseconds; after each further one twice as long.
pub const DOCUMENT_RETRY_MS: u64 = 60_000;

/// The longest such wait, milliseconds: an hour.
pub const DOCUMENT_RETRY_MS_MAX: u64 = 3_600_000;

/// Times that the vector of a prompt is asked for. Then the asker is told.
pub const SEARCH_ATTEMPTS_MAX: u64 = 3;

/// How long a search waits after a failure, milliseconds.
pub const SEARCH_RETRY_MS: u64 = 5_000;

/// Datasets in one answer to Get-Datasets: the documents of each are counted.
pub const DATASETS_PAGE_MAX: u64 = 100;

/// Failed documents of a dataset that are shown with their reasons.
pub const FAILURES_SHOWN: u64 = 10;

/// Bytes of a list of documents, as JSON, that fit into one signed message beside its signature, key and tags.
pub const LIST_BYTES_MAX: usize = ao::limits::ITEM_BYTES_MAX - 4096;
