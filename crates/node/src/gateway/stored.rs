//! An item that the gateway has.

use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;

use ao::item::ItemHeader;
use ao::{Id, Tags};

use super::GatewayError;

/// The type of bytes of which nothing is known.
pub(crate) const UNKNOWN_TYPE: &str = "application/octet-stream";

/// An item that the gateway has: where its data lies, and what the index knows of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stored {
    /// Its id.
    pub id: Id,
    /// The address that signed it.
    pub owner: Id,
    /// Its target, if it has one.
    pub target: Option<Id>,
    /// Its tags.
    pub tags: Tags,
    /// The file of the item, or of the bundle that it came in.
    pub data_path: PathBuf,
    /// Where in the file it begins.
    pub begin: u64,
    /// Where in the file its data begins.
    pub data_offset: u64,
    /// Bytes of its data.
    pub data_length: u64,
}

impl Stored {
    /// Its `Content-Type` tag, or [`UNKNOWN_TYPE`].
    pub(crate) fn content_type(&self) -> &str {
        self.tags.get("Content-Type").unwrap_or(UNKNOWN_TYPE)
    }

    /// Opens the file of the item.
    pub(crate) fn open(&self) -> Result<File, GatewayError> {
        File::open(&self.data_path).map_err(|source| GatewayError::disk("opening an upload", source))
    }

    /// The header of the item: everything but its data.
    pub(crate) fn header(&self) -> Result<ItemHeader, GatewayError> {
        let (mut prefix, mut file) = (Vec::new(), self.open()?);
        let length = self.data_offset.saturating_sub(self.begin);
        file.seek(SeekFrom::Start(self.begin))
            .and_then(|_| file.take(length.min(ao::limits::HEADER_BYTES_MAX as u64)).read_to_end(&mut prefix))
            .map_err(|source| GatewayError::disk("reading an upload", source))?;
        let cut = GatewayError::Truncated { received: prefix.len() as u64, stated: length };
        ItemHeader::parse(&prefix)?.ok_or(cut)
    }
}
