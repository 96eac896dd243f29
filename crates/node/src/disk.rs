//! How much room the disk has. A log that cannot be written stops the node, with messages that are acknowledged and not
//! handled; so what strangers send is refused while there is still room for what it has led to.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::error::SubmitError;

/// How long an answer of the operating system holds.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// The disk under a folder.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: PathBuf,
    bytes_kept: u64,
    seen: Mutex<Option<(Instant, bool)>>,
}

impl Disk {
    /// The disk under a folder, of which so many bytes are kept free.
    pub(crate) fn new(folder: PathBuf, bytes_kept: u64) -> Self {
        Self { folder, bytes_kept, seen: Mutex::default() }
    }

    /// Refuses what comes from outside where there is no more room than is kept.
    pub(crate) fn check(&self) -> Result<(), SubmitError> {
        if self.has_room() { Ok(()) } else { Err(SubmitError::DiskFull) }
    }

    /// Whether more than is kept free is free. A disk that cannot be asked is taken to have room: writing to it will tell.
    fn has_room(&self) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        match *seen {
            Some((at, has_room)) if at.elapsed() < LOOK_EVERY => has_room,
            _ => {
                let has_room = free_bytes(&self.folder).map_or(true, |bytes| bytes >= self.bytes_kept);
                *seen = Some((Instant::now(), has_room));
                has_room
            }
        }
    }
}

/// Bytes of the disk under a folder that are free for this program.
#[cfg(unix)]
pub(crate) fn free_bytes(folder: &Path) -> std::io::Result<u64> {
    let disk = rustix::fs::statvfs(folder)?;
    Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Other systems say when it is full.
#[cfg(not(unix))]
pub(crate) fn free_bytes(_folder: &Path) -> std::io::Result<u64> {
    Ok(u64::MAX)
}
