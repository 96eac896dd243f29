//! Uploaded data: signed items of any size, kept as files and found by id.
//!
//! An upload is streamed to a temporary file while its signature is verified, flushed to disk, and only then given its
//! name and its row in the index; so a file under `files` is always a whole item whose signature holds. Items are never
//! changed, which makes an upload that comes twice the same upload.

mod error;
mod feed;
mod index;
mod parts;
mod query;
mod receive;
mod stored;
#[cfg(test)]
mod tests;
mod transactions;
mod unpack;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ao::Id;

pub(crate) use self::error::GatewayError;
pub(crate) use self::feed::{AddedModule, enter_modules};
use self::index::Index;
pub(crate) use self::parts::PartStatus;
use self::parts::PartUploads;
pub(crate) use self::query::{Position, Query, TagFilter};
pub(crate) use self::stored::{Stored, UNKNOWN_TYPE};
pub(crate) use self::transactions::{Held, Transaction, Transactions};
use crate::disk::free_bytes;
use crate::limits::UPLOADS_DISK_BYTES_KEPT;

/// Bytes of all uploads together: the operator's disk is not the world's. An upload that would not fit is refused before
/// its first byte.
pub(crate) const TOTAL_BYTES_MAX: u64 = 1024 * 1024 * 1024 * 1024;

/// Bytes that are set aside at a time for an upload that comes.
const RESERVED_STEP_BYTES: u64 = 16 * 1024 * 1024;

/// Names of files that are being received begin with this; what is found at the start was left by a crash.
const RECEIVING_PREFIX: &str = "receiving-";

/// What a gateway takes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GatewayLimits {
    /// Bytes of one item.
    pub item_bytes_max: u64,
    /// Bytes of all items.
    pub total_bytes_max: u64,
    /// Bytes of the disk that no upload may use.
    pub disk_bytes_kept: u64,
}

impl GatewayLimits {
    /// The limits of a gateway that takes items up to that size.
    pub(crate) fn new(item_bytes_max: u64) -> Self {
        Self { item_bytes_max, total_bytes_max: TOTAL_BYTES_MAX, disk_bytes_kept: UPLOADS_DISK_BYTES_KEPT }
    }
}

/// The store of uploaded items. Its methods other than [`Gateway::receive`] block for a short read of a local file.
#[derive(Debug)]
pub(crate) struct Gateway {
    files: PathBuf,
    index: Index,
    transactions: Transactions,
    parts: PartUploads,
    limits: GatewayLimits,
    /// Bytes stored and bytes promised to uploads in progress.
    bytes: AtomicU64,
}

impl Gateway {
    /// Opens the gateway in its directory, made if it is absent, and removes what uploads left that a crash broke off.
    pub(crate) fn open(directory: &Path, limits: GatewayLimits) -> Result<Self, GatewayError> {
        let files = directory.join("files");
        std::fs::create_dir_all(&files).map_err(|source| GatewayError::disk("making its directory", source))?;
        let index = Index::open(&directory.join("gateway.sqlite"))?;
        let transactions = Transactions::open(&directory.join("transactions.sqlite"))?;
        remove_leftovers(&files, &index)?;
        let bytes = AtomicU64::new(index.total_bytes()?);
        Ok(Self { files, index, transactions, parts: PartUploads::default(), limits, bytes })
    }

    /// The item with that id, if its data is here.
    pub(crate) fn find(&self, id: &Id) -> Result<Option<Stored>, GatewayError> {
        let Some(row) = self.index.find(id)? else { return Ok(None) };
        let path = self.path(&row.file());
        let stored = row.at(path);
        if stored.data_path.is_file() {
            return Ok(Some(stored));
        }
        tracing::warn!(%id, path = %stored.data_path.display(), "the file of an upload is gone");
        Ok(None)
    }

    /// Bytes of one item, at most.
    pub(crate) const fn item_bytes_max(&self) -> u64 {
        self.limits.item_bytes_max
    }

    /// What queries for transactions find.
    pub(crate) fn transactions(&self) -> &Transactions {
        &self.transactions
    }

    /// The newest items of a content type.
    pub(crate) fn of_type(&self, content_type: &str, limit: usize) -> Result<Vec<Stored>, GatewayError> {
        let ids = self.index.of_type(content_type, limit)?;
        let found = ids.iter().map(|id| self.find(id)).collect::<Result<Vec<_>, _>>()?;
        Ok(found.into_iter().flatten().collect())
    }

    /// The file of an item: named by hexadecimal digits only, so no text from outside is ever part of a path.
    fn path(&self, id: &Id) -> PathBuf {
        self.files.join(id.to_hex())
    }

    /// Sets bytes aside for an upload, or says that there is no room. What the log and the processes need of the disk is
    /// left to them: without it the node stops.
    fn reserve(&self, bytes: u64) -> Result<Reservation<'_>, GatewayError> {
        self.check_room(bytes)?;
        let fits = |held: u64| held.checked_add(bytes).filter(|sum| *sum <= self.limits.total_bytes_max);
        match self.bytes.fetch_update(Ordering::AcqRel, Ordering::Acquire, fits) {
            Ok(_) => Ok(Reservation { gateway: self, bytes }),
            Err(held) => Err(GatewayError::Full { bytes, held, bytes_max: self.limits.total_bytes_max }),
        }
    }

    /// Whether an upload of so many bytes would fit now; nothing is set aside for it.
    fn check_room(&self, bytes: u64) -> Result<(), GatewayError> {
        if bytes > self.limits.item_bytes_max {
            return Err(GatewayError::TooLarge { bytes, bytes_max: self.limits.item_bytes_max });
        }
        let held = self.bytes.load(Ordering::Acquire);
        if held.saturating_add(bytes) > self.limits.total_bytes_max {
            return Err(GatewayError::Full { bytes, held, bytes_max: self.limits.total_bytes_max });
        }
        let free = free_bytes(&self.files).map_err(|error| GatewayError::disk("looking at the disk", error))?;
        if free.saturating_sub(bytes) < self.limits.disk_bytes_kept {
            return Err(GatewayError::DiskFull);
        }
        Ok(())
    }
}

/// The id of the block at a height. There is no chain: it only has to be the same for everyone who asks.
pub(crate) fn block_id(height: u64) -> Id {
    ao::hash_parts(&[b"aobench block", &height.to_le_bytes()])
}

/// Bytes that were set aside; given back when dropped.
struct Reservation<'a> {
    gateway: &'a Gateway,
    bytes: u64,
}

impl Reservation<'_> {
    /// Sets aside what so many bytes need, of `stated` in all: what is only announced takes nothing from others.
    fn cover(&mut self, received: u64, stated: u64) -> Result<(), GatewayError> {
        if received <= self.bytes {
            return Ok(());
        }
        let wanted = received.saturating_add(RESERVED_STEP_BYTES).min(stated).max(received);
        let more = self.gateway.reserve(wanted - self.bytes)?;
        self.bytes = wanted;
        more.keep();
        Ok(())
    }

    /// The bytes are now those of a stored item.
    fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        self.gateway.bytes.fetch_sub(self.bytes, Ordering::AcqRel);
    }
}

/// Removes files that no row speaks of: uploads that broke off, and those whose crash came between name and row. None of
/// them was acknowledged.
fn remove_leftovers(files: &Path, index: &Index) -> Result<(), GatewayError> {
    let known = index.ids()?;
    let failed = |source| GatewayError::disk("cleaning up", source);
    for entry in std::fs::read_dir(files).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name();
        let is_ours = name.to_str().is_some_and(|name| name.starts_with(RECEIVING_PREFIX) || is_hex_of_id(name));
        let is_known = name.to_str().is_some_and(|name| known.contains(name));
        if is_ours && !is_known {
            tracing::info!(file = %entry.path().display(), "removing an upload that was never finished");
            std::fs::remove_file(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}

fn is_hex_of_id(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
