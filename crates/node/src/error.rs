//! What can go wrong in a node, by what was asked of it. Each text says what happened, why, and what to do.

use std::path::PathBuf;

use ao::Id;

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The data directory or a file in it could not be used.
    #[error("{} cannot be used: {reason}", path.display())]
    Data {
        /// Which file or directory.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Another node runs on the same data directory.
    #[error("another node is running on {}: stop it, or give this one another data directory", .0.display())]
    Locked(PathBuf),
    /// A file with a private key can be read by others.
    #[error("{} holds a private key and may be read by others (mode {mode:o}): run `chmod 600 {}`", path.display(), path.display())]
    KeyExposed {
        /// Which file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A key file that is not what this node wrote.
    #[error("{} is not a usable key file: {reason}", path.display())]
    Key {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The genesis file asks for something that cannot be.
    #[error("genesis process '{name}': {reason}")]
    Genesis {
        /// Which process.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// The port could not be opened.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// Where.
        address: std::net::SocketAddr,
        /// What the system said.
        reason: String,
    },
    /// A thread could not be started.
    #[error("the system gave no thread: {0}")]
    Thread(std::io::Error),
}

/// Why the log did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LogError {
    /// The log stopped accepting after a failed commit; what was not acknowledged may or may not be there.
    #[error("the log accepts nothing more since a commit failed ({0}): check the disk, then restart the node")]
    Stopped(String),
    /// Too much is waiting to be written.
    #[error("the log is busy: {queued} appends are waiting; try again in a moment")]
    Busy {
        /// How many wait.
        queued: usize,
    },
    /// The stream has not been started by a spawn.
    #[error("there is no process {0} on this node")]
    NoSuchStream(Id),
    /// The stream has been started already, by another item.
    #[error("the process {0} exists already")]
    StreamExists(Id),
    /// What was read is not what was written.
    #[error("the log is damaged at position {position}: {reason}; restore it from a backup, nothing is guessed")]
    Damaged {
        /// The position of the record.
        position: i64,
        /// What does not fit.
        reason: String,
    },
    /// The database under the log failed.
    #[error("the log's database failed: {0}")]
    Database(String),
}

/// Why an item was not taken.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// It is no data item.
    #[error(transparent)]
    BadItem(#[from] ao::ItemError),
    /// Its signature is not its owner's.
    #[error(transparent)]
    BadSignature(#[from] ao::SignatureError),
    /// Its target is no process of this node.
    #[error("there is no process {0} on this node: check the id, or spawn it first")]
    UnknownProcess(Id),
    /// It has no target.
    #[error("the item has no target: a message names the process it is for")]
    NoTarget,
    /// It is over [`ao::limits::ITEM_BYTES_MAX`].
    #[error("the item has {bytes} bytes, and a message may have {max}: upload large data through /tx and send its id")]
    ItemTooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// A process item names a module that is not here.
    #[error("there is no module '{module}' that this node can run: {reason}")]
    UnknownModule {
        /// What was asked for.
        module: String,
        /// What there is, and how to add what is not.
        reason: String,
    },
    /// A tag that the protocol demands is absent.
    #[error("the tag '{0}' is missing: {1}")]
    MissingTag(&'static str, &'static str),
    /// A tag that the protocol does not allow.
    #[error("the tag '{name}' cannot be taken: {reason}")]
    BadTag {
        /// Its name, shortened.
        name: String,
        /// Why.
        reason: String,
    },
    /// The signer may not ask this of the node.
    #[error("{0}")]
    NotAllowed(String),
    /// Too much is waiting.
    #[error("the node is busy ({0}): try again in a moment")]
    Busy(String),
    /// The disk is kept for what was taken before.
    #[error(
        "the disk of the node is nearly full, and what is left is kept for what it has taken already; its operator has to make room"
    )]
    DiskFull,
    /// The node accepts nothing more.
    #[error(transparent)]
    Log(LogError),
}

/// Why something could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// No such process.
    #[error("there is no process {0} on this node")]
    UnknownProcess(Id),
    /// No such message in the log of the process.
    #[error("the process {process} has no message {message}")]
    UnknownMessage {
        /// The process.
        process: Id,
        /// The message.
        message: Id,
    },
    /// The log of the process ends before that slot.
    #[error("the process {process} has no slot {slot}: its last is {head}")]
    UnknownSlot {
        /// The process.
        process: Id,
        /// What was asked for.
        slot: u64,
        /// Its last slot.
        head: u64,
    },
    /// The process has not come so far within the time that was given.
    #[error("the process {process} has applied slot {applied} of {wanted}: ask again in a moment")]
    NotYet {
        /// The process.
        process: Id,
        /// How far it is.
        applied: u64,
        /// What was asked for.
        wanted: u64,
    },
    /// Too many ask for dry-runs at one time.
    #[error("too many dry-runs wait for their turn, one of the process {0} among them: ask again in a moment")]
    Busy(Id),
    /// The process stopped because the machine under it failed.
    #[error("the process {process} stopped: {reason}; restart the node when the cause is mended")]
    Stopped {
        /// The process.
        process: Id,
        /// Why.
        reason: String,
    },
    /// The log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The file of the process could not be read.
    #[error("the file of process {process} could not be read: {reason}")]
    Store {
        /// The process.
        process: Id,
        /// What the database said.
        reason: String,
    },
}

impl SubmitError {
    /// The error in one word, for programs and for counting.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadItem(_) => "bad-item",
            Self::BadSignature(_) => "bad-signature",
            Self::UnknownProcess(_) => "unknown-process",
            Self::NoTarget => "no-target",
            Self::ItemTooLarge { .. } => "item-too-large",
            Self::UnknownModule { .. } => "unknown-module",
            Self::MissingTag(..) => "missing-tag",
            Self::BadTag { .. } => "bad-tag",
            Self::NotAllowed(_) => "not-allowed",
            Self::Busy(_) => "busy",
            Self::DiskFull => "disk-full",
            Self::Log(_) => "log-stopped",
        }
    }
}

impl ReadError {
    /// The error in one word, for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownProcess(_) => "unknown-process",
            Self::UnknownMessage { .. } => "unknown-message",
            Self::UnknownSlot { .. } => "unknown-slot",
            Self::NotYet { .. } => "not-yet",
            Self::Busy(_) => "busy",
            Self::Stopped { .. } => "process-stopped",
            Self::Log(_) => "log",
            Self::Store { .. } => "store",
        }
    }
}

impl From<LogError> for SubmitError {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Busy { .. } => Self::Busy(error.to_string()),
            LogError::NoSuchStream(process) => Self::UnknownProcess(process),
            other => Self::Log(other),
        }
    }
}

impl From<rusqlite::Error> for LogError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.to_string())
    }
}
