//! Why the gateway did not take or give an upload.

use std::io::{Error, ErrorKind};

/// Why the gateway did not take or give an upload. Whatever it is, nothing of the upload is kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GatewayError {
    /// The body does not begin with an item.
    #[error("the upload is not an ANS-104 data item: {0}")]
    Item(#[from] ao::ItemError),
    /// The signature is not the owner's over this data.
    #[error("the upload is refused: {0}")]
    Signature(#[from] ao::SignatureError),
    /// Its tags say that it is a bundle, and its data is none.
    #[error("the upload says that it is a bundle, and is none: {0}")]
    Bundle(String),
    /// The body ended before its stated length.
    #[error("the upload broke off after {received} of {stated} bytes; send it again, nothing was kept")]
    Truncated {
        /// Bytes that came.
        received: u64,
        /// Bytes that were announced.
        stated: u64,
    },
    /// The body went on after its stated length.
    #[error("the upload is longer than the {stated} bytes that were stated; nothing was kept")]
    Longer {
        /// Bytes that were announced.
        stated: u64,
    },
    /// The connection failed.
    #[error("the upload broke off ({0}); send it again, nothing was kept")]
    Broken(String),
    /// Larger than the node takes.
    #[error("the upload has {bytes} bytes and this node takes {bytes_max}; its operator can raise upload_bytes_max")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// The gateway holds as much as it may.
    #[error(
        "the gateway is full: {bytes} bytes more than the {held} it holds would be over {bytes_max}; use another node"
    )]
    Full {
        /// Size of the upload.
        bytes: u64,
        /// Bytes held.
        held: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// The disk of the node is full.
    #[error("the disk of the node is full; nothing was kept. Its operator has to make room")]
    DiskFull,
    /// The disk of the node fails.
    #[error("the gateway's disk failed while {doing}: {source}")]
    Disk {
        /// What was being done.
        doing: &'static str,
        /// What the operating system said.
        source: Error,
    },
    /// Too many uploads in parts.
    #[error("too many uploads in parts are under way: try again in a few minutes, or upload in one request")]
    TooManyParts,
    /// A part that lies far beyond those that came.
    #[error(
        "a part at {offset} comes too early: {received} bytes have come, and a part may lie {ahead_max} beyond them; send \
         the parts about in their order"
    )]
    PartAhead {
        /// Where it begins.
        offset: u64,
        /// Bytes that have come.
        received: u64,
        /// How far beyond them a part may lie.
        ahead_max: u64,
    },
    /// Not, or no longer, an upload in parts.
    #[error("there is no such upload in parts: it was never begun, took too long, or is being finished")]
    UnknownParts,
    /// A query that finds too slowly.
    #[error("the query takes too long: narrow it by owner, id or a rarer tag")]
    SlowQuery,
    /// The index fails.
    #[error("the gateway's index failed: {0}")]
    Index(rusqlite::Error),
}

impl GatewayError {
    /// What an error of the operating system is.
    pub(super) fn disk(doing: &'static str, source: Error) -> Self {
        match source.kind() {
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Disk { doing, source },
        }
    }

    /// The error in one word, for programs.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Item(_) => "bad-item",
            Self::Signature(_) => "bad-signature",
            Self::Bundle(_) => "bad-bundle",
            Self::Truncated { .. } | Self::Broken(_) => "truncated",
            Self::Longer { .. } => "bad-length",
            Self::TooLarge { .. } => "upload-too-large",
            Self::Full { .. } => "gateway-full",
            Self::DiskFull => "disk-full",
            Self::Disk { .. } => "disk",
            Self::TooManyParts => "busy",
            Self::PartAhead { .. } => "part-ahead",
            Self::UnknownParts => "unknown-upload",
            Self::SlowQuery => "slow-query",
            Self::Index(_) => "index",
        }
    }
}

impl From<rusqlite::Error> for GatewayError {
    fn from(error: rusqlite::Error) -> Self {
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull) {
            return Self::DiskFull;
        }
        Self::Index(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_named_as_such() {
        for kind in [ErrorKind::StorageFull, ErrorKind::QuotaExceeded] {
            assert_eq!(GatewayError::disk("writing", Error::from(kind)).code(), "disk-full");
        }
        assert_eq!(GatewayError::disk("writing", Error::from(ErrorKind::PermissionDenied)).code(), "disk");
    }
}
