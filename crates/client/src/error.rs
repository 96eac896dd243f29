//! What can go wrong between a client and a node, in words for the person who waits for the answer.

use std::path::PathBuf;
use std::time::Duration;

/// Why a request did not give what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The text given as the address of the node is none.
    #[error("'{url}' is not the address of a node ({reason}); an address looks like http://localhost:4000")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Nobody answers there.
    #[error("no node answers at {url} ({reason}); is it running? 'aobench up' starts one, '--url' names another")]
    Unreachable {
        /// The address of the node.
        url: String,
        /// What the operating system said.
        reason: String,
    },
    /// The node answered, and the answer is no.
    #[error("the node refused: {text} ({code}, HTTP {status})")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The node's code for the error, such as `unknown-process`; empty if it gave none.
        code: String,
        /// The node's own words.
        text: String,
    },
    /// The answer did not come in time.
    #[error("{what} did not come within {} s", .after.as_secs())]
    Timeout {
        /// What was waited for.
        what: String,
        /// How long.
        after: Duration,
    },
    /// The node answered something that this client cannot read.
    #[error("{url} gave an answer that is not AO's ({reason}); is it an AO node, and of this version?")]
    BadAnswer {
        /// What was asked.
        url: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// A process did not carry the message out: nothing changed there.
    #[error("the process refused the message: {text}")]
    Fault {
        /// The message.
        message: ao::Id,
        /// The process's own words.
        text: String,
    },
    /// Sending needs a key.
    #[error("this needs a wallet to sign with; name one with '--wallet', or make one with 'aobench wallet new'")]
    NoWallet,
    /// The item cannot be made: too many tags, too much data.
    #[error("the message cannot be made: {0}")]
    Item(#[from] ao::ItemError),
    /// A file here cannot be read or written.
    #[error("{}: {source}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file changed while it was read.
    #[error("{} changed while it was uploaded; upload it again", .0.display())]
    FileChanged(PathBuf),
    /// A download that is larger than is taken.
    #[error("{id} has {bytes} bytes or more, and {bytes_max} are taken here; nothing of it was kept")]
    TooLarge {
        /// The item.
        id: ao::Id,
        /// How many bytes were announced, or came.
        bytes: u64,
        /// How many are taken.
        bytes_max: u64,
    },
    /// A file is not the data of an item.
    #[error("{} is not the data of {id}: {reason}; the node or the way to it is not to be trusted", .path.display())]
    NotTheData {
        /// The item.
        id: ao::Id,
        /// The file.
        path: PathBuf,
        /// What does not hold.
        reason: String,
    },
    /// The machine gives no random numbers.
    #[error("the operating system gives no random numbers: {0}")]
    Random(String),
}

impl ClientError {
    /// The node's code for a refusal, such as `unknown-process`, or nothing for every other error.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Refused { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Whether the same question may get another answer later: the node is away, busy or slow. A daemon goes on after
    /// such an error, and stops after every other.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Timeout { .. } => true,
            Self::Refused { status, .. } => matches!(status, 429 | 502 | 503 | 504),
            _ => false,
        }
    }

    /// What a failed request of `reqwest` is for the user.
    pub(crate) fn from_request(error: &reqwest::Error, url: &str) -> Self {
        if error.is_timeout() && !error.is_connect() {
            let after = crate::limits::ANSWER_WAIT;
            return Self::Timeout { what: format!("an answer of {url}"), after };
        }
        if error.is_decode() {
            return Self::BadAnswer { url: url.to_owned(), reason: deepest(error) };
        }
        Self::Unreachable { url: url.to_owned(), reason: deepest(error) }
    }
}

/// The innermost cause of an error: the outer ones only say that a request was sent.
fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
