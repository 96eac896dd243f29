//! Which pages of a memory were ever written, as the kernel knows it. A page that it has not set up is zero, and need not
//! be looked at; where the kernel does not say, every page is looked at.

use super::image::PAGE_BYTES;

/// Which pages may hold something other than zero.
pub(super) struct Resident(Option<Vec<u64>>);

/// The entry of a page that is in memory (bit 63) or swapped out (bit 62).
const SET_UP: u64 = 0b11 << 62;

impl Resident {
    /// How many pages those are, where it is known.
    pub(super) fn count(&self) -> Option<usize> {
        self.0.as_ref().map(|entries| entries.iter().filter(|entry| *entry & SET_UP != 0).count())
    }

    /// Whether a page may hold something other than zero.
    pub(super) fn may_hold(&self, page: usize) -> bool {
        self.0.as_ref().is_none_or(|entries| entries.get(page).is_none_or(|entry| entry & SET_UP != 0))
    }
}

/// Asks for the pages of a memory that begins at a page and is mapped privately, without a file.
pub(super) fn pages(memory: &[u8]) -> Resident {
    Resident(read(memory))
}

/// The kernel's table for the memory. Only where its pages are known to be of the size that this reckons with.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn read(memory: &[u8]) -> Option<Vec<u64>> {
    use std::os::unix::fs::FileExt as _;
    let start = memory.as_ptr().addr();
    if !start.is_multiple_of(PAGE_BYTES) || memory.len() < 64 * PAGE_BYTES {
        return None;
    }
    let table = std::fs::File::open("/proc/self/pagemap").ok()?;
    let mut bytes = vec![0; memory.len() / PAGE_BYTES * 8];
    table.read_exact_at(&mut bytes, (start / PAGE_BYTES * 8) as u64).ok()?;
    Some(bytes.as_chunks::<8>().0.iter().map(|entry| u64::from_le_bytes(*entry)).collect())
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn read(_memory: &[u8]) -> Option<Vec<u64>> {
    None
}
