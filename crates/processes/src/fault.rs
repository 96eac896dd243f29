//! Why a message was not carried out. The text of a fault is what its sender reads in the result.

/// Why a message was not carried out: nothing was changed and nothing was sent.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// No handler for the action.
    #[error("this process has no action '{action}'; it has {known}")]
    UnknownAction {
        /// What was asked for.
        action: String,
        /// The actions there are.
        known: String,
    },
    /// A tag that the action needs is absent.
    #[error("the tag '{0}' is missing")]
    MissingTag(&'static str),
    /// A tag that is there and cannot be used.
    #[error("the tag '{name}' is '{value}': {reason}")]
    BadTag {
        /// Which tag.
        name: &'static str,
        /// What it says, shortened.
        value: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// The data cannot be used.
    #[error("the data of the message cannot be used: {0}")]
    BadData(String),
    /// The sender may not do this.
    #[error("{action} is for {allowed} only, and this message is from {from}")]
    NotAllowed {
        /// The action.
        action: &'static str,
        /// Who may.
        allowed: &'static str,
        /// Who asked.
        from: ao::Id,
    },
    /// Something named does not exist.
    #[error("there is no {what} '{name}' here")]
    NotFound {
        /// What kind of thing.
        what: &'static str,
        /// Its name or id, shortened.
        name: String,
    },
    /// The request is well formed, but the state of things forbids it.
    #[error("{0}")]
    Refused(String),
    /// The store failed.
    #[error("the store of the process failed: {0}")]
    Store(#[from] rusqlite::Error),
}

impl Fault {
    /// Whether the machine failed and not the message: disk full, file damaged. Such a fault is not the same on every
    /// replay, so it must stop the process and never become the result of a message.
    pub fn is_of_the_machine(&self) -> bool {
        use rusqlite::ErrorCode::{
            CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, FileLockingProtocolFailed,
            NotADatabase, OperationInterrupted, OutOfMemory, PermissionDenied, ReadOnly, SystemIoFailure,
        };
        let Self::Store(error) = self else { return false };
        matches!(
            error.sqlite_error_code(),
            Some(
                CannotOpen
                    | DatabaseBusy
                    | DatabaseCorrupt
                    | DatabaseLocked
                    | DiskFull
                    | FileLockingProtocolFailed
                    | NotADatabase
                    | OperationInterrupted
                    | OutOfMemory
                    | PermissionDenied
                    | ReadOnly
                    | SystemIoFailure
            )
        )
    }
}
