//! Every limit of the HTTP face, with its reason. What is over a limit is refused before anything is acknowledged.

use std::time::Duration;

/// Connections at one time. Further ones wait in the queue of the operating system.
pub(crate) const CONNECTIONS_MAX: usize = 2048;

/// Connections of one address at one time: one stranger cannot take them all, nor all of what follows. A connection from
/// this machine is not counted; what stands there before the node knows its strangers itself.
pub(crate) const CONNECTIONS_PER_ADDRESS_MAX: usize = 256;

/// How long the header of a request may take, and how long a connection may be idle between two requests.
pub(crate) const HEADER_WAIT: Duration = Duration::from_secs(30);

/// Bytes of the header of a request.
pub(crate) const HEADER_BYTES_MAX: usize = 64 * 1024;

/// How long a body or a reader of an answer may stand still.
pub(crate) const STANDSTILL: Duration = Duration::from_secs(30);

/// The slowest body that is read: slower ones hold a connection for nothing.
pub(crate) const BODY_BYTES_PER_SECOND_MIN: u64 = 1024;

/// The slowest upload that is read: each holds one of [`UPLOADS_MAX`] places, and at this rate a gigabyte takes a day.
pub(crate) const UPLOAD_BYTES_PER_SECOND_MIN: u64 = 16 * 1024;

/// How long the body of a message may take: ten megabytes over a slow line.
pub(crate) const BODY_WAIT: Duration = Duration::from_mins(5);

/// Requests that are worked on at one time, waiting ones not counted.
pub(crate) const REQUESTS_MAX: usize = 512;

/// Requests that wait at one time for a result or for an inbox.
pub(crate) const WAITING_MAX: usize = 1024;

/// Uploads at one time: each has a thread and a file.
pub(crate) const UPLOADS_MAX: usize = 32;

/// Downloads of uploaded data at one time.
pub(crate) const DOWNLOADS_MAX: usize = 256;

/// Bytes of message bodies that are in memory at one time, before the node has taken them.
pub(crate) const BODIES_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Bytes that are read and thrown away of a body that is too large, so that its sender gets to read why.
pub(crate) const DISCARDED_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Bytes of an answer made of many entries; the rest is on its next page. One entry alone may be larger.
pub(crate) const RESPONSE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Results of a page if the request does not say (the number of AO's compute unit).
pub(crate) const RESULTS_DEFAULT: usize = 25;

/// Results of ticks of a page if the request does not say (the number of AO's compute unit).
pub(crate) const TICKS_DEFAULT: usize = 500;

/// Blocks back from now of which one is found by its id: nothing keeps ids of blocks, so they are reckoned.
pub(crate) const BLOCKS_BACK_MAX: u64 = 10_000;

/// Entries of a schedule or an inbox of a page if the request does not say (the number of AO's scheduler unit).
pub(crate) const PAGE_DEFAULT: usize = 100;

/// Results, entries of a schedule or messages that are read at one time to fill a page.
pub(crate) const READ_STEP: usize = 64;

/// How long a result is waited for.
pub(crate) const RESULT_WAIT: Duration = Duration::from_millis(crate::limits::WAIT_MS_MAX);

/// How long the answer to a spawn waits for a native process, whose spawn takes no longer than a message.
pub(crate) const SPAWN_WAIT: Duration = Duration::from_secs(5);

/// Bytes of a file that are read at a time.
pub(crate) const FILE_PIECE_BYTES: usize = 128 * 1024;

/// How long requests in progress may go on when the node shuts down.
pub(crate) const SHUTDOWN_WAIT: Duration = Duration::from_secs(5);

/// What `Retry-After` says when the node is busy, seconds.
pub(crate) const RETRY_AFTER_S: u64 = 1;

/// Characters of a value from outside that an error message repeats.
pub(crate) const QUOTED_CHARS_MAX: usize = 80;

/// Bytes of a GraphQL query with its variables.
pub(crate) const QUERY_BYTES_MAX: usize = 256 * 1024;

/// How deep a GraphQL query may be; the one that asks for the schema itself is 13 deep.
pub(crate) const QUERY_DEPTH_MAX: usize = 16;

/// Fields that a GraphQL query may ask for, those of each transaction of a page counted: a full page with all fields, and
/// a few more.
pub(crate) const QUERY_COMPLEXITY_MAX: usize = 10_000;

/// What a search among the transactions counts beside its fields, so that one request cannot ask for hundreds of them.
pub(crate) const SEARCH_COMPLEXITY: usize = 1_000;

/// The same of a transaction that is named by its id.
pub(crate) const LOOKUP_COMPLEXITY: usize = 100;

/// Queries that are worked on at one time: each keeps threads that everybody needs waiting for the one index.
pub(crate) const QUERIES_MAX: usize = 16;

/// Ids, addresses and values of tags that one query may name.
pub(crate) const QUERY_FILTERS_MAX: usize = 1000;

/// Transactions of a page of a query (the number of Arweave's gateways).
pub(crate) const TRANSACTIONS_MAX: usize = 100;

/// How long a query waits for the index to be up to date. What a client sent before, its query should find.
pub(crate) const INDEX_WAIT: Duration = Duration::from_secs(2);

/// Bytes of a part of an upload in parts (the least that Turbo's clients send).
pub(crate) const PART_BYTES_MAX: usize = 5 * 1024 * 1024;
