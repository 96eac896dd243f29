//! Every limit and waiting time of the client, with its reason.

use std::time::Duration;

/// How long a connection may take to be made: longer is a node that is not there.
pub const CONNECT_WAIT: Duration = Duration::from_secs(5);

/// How long an answer may take where the node does not wait for anything.
pub const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// How long a node may hold a result back until its message is applied, and an inbox until something comes; a little
/// more than the longest that a node waits.
pub const LONG_ANSWER_WAIT: Duration = Duration::from_mins(1);

/// The longest that one question to an inbox is left open at the node.
pub const INBOX_WAIT: Duration = Duration::from_secs(20);

/// Messages of an inbox that are asked for at once.
pub const INBOX_PAGE: usize = 500;

/// Bytes of an answer that is read into memory: more than the largest result or inbox page of a node.
pub const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Bytes of an error text that is repeated to the user.
pub const ERROR_TEXT_BYTES_MAX: usize = 4096;

/// Bytes of a file that are read, hashed and sent at a time.
pub const FILE_PIECE_BYTES: usize = 256 * 1024;

/// Bytes of a model file that a person downloads, so that no server fills the disk: more than any that fits on one machine.
pub const MODEL_BYTES_MAX: u64 = 1 << 40;

/// How long an upload or download may stand still before it counts as broken.
pub const STANDSTILL: Duration = Duration::from_mins(1);

/// How long a node may take to verify and store an upload after its last byte: a disk that flushes 5 GB is slow.
pub const UPLOAD_ANSWER_WAIT: Duration = Duration::from_mins(5);

/// The longest pause between two tries.
pub const PAUSE_MAX: Duration = Duration::from_secs(5);
