//! The memory of a module as the node keeps it: only the pages that are not zero, shared with the image before.
//!
//! A module of AO has 64 MiB and more of memory, and uses two to five of them. Looking at every byte after each message
//! would cost many times the message itself.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use wasmtime::Val;

use super::resident;

/// Bytes of a page: that of the machine, so that pages that were never written can be skipped.
pub(super) const PAGE_BYTES: usize = 4096;

/// Pages that may be zero and still be looked at for each image.
const RESIDUE_PAGES_MAX: usize = 1024;

/// A page that is not zero.
pub(super) type Page = [u8; PAGE_BYTES];

/// All of a module's state between two messages.
#[derive(Debug, Clone, Default)]
pub(crate) struct Image {
    /// By number. Absent pages, and those beyond the end, are zero.
    pub(super) pages: Vec<Option<Arc<Page>>>,
    /// Mutable globals as bits, in the order of their export; then what the node keeps beside them.
    pub(super) globals: Vec<u64>,
}

/// Pages of a piece of a memory.
const PIECE_PAGES: usize = 16;

impl Image {
    /// The state of a memory. `earlier` is an image of the same memory, whose pages are shared where nothing changed.
    pub(super) fn capture(memory: &[u8], globals: Vec<u64>, earlier: &Self) -> Self {
        let written = resident::pages(memory);
        let mut pages = Vec::with_capacity(memory.len() / PAGE_BYTES);
        for (number, bytes) in memory.as_chunks::<PAGE_BYTES>().0.iter().enumerate() {
            if !written.may_hold(number) {
                pages.push(None);
                continue;
            }
            pages.push(match earlier.pages.get(number).and_then(Option::as_ref) {
                Some(page) if **page == *bytes => Some(Arc::clone(page)),
                _ if is_zero(bytes) => None,
                _ => Some(Arc::new(*bytes)),
            });
        }
        Self { pages, globals }
    }

    /// Writes the state into a memory of its size; whether it did. It does not where so many other pages were written that
    /// each later image would have to look at them: a new memory is cheaper then.
    pub(super) fn restore(&self, memory: &mut [u8]) -> bool {
        let written = resident::pages(memory);
        if written.count().is_some_and(|count| count > self.held_bytes() / PAGE_BYTES + RESIDUE_PAGES_MAX) {
            return false;
        }
        for (number, bytes) in memory.as_chunks_mut::<PAGE_BYTES>().0.iter_mut().enumerate() {
            match self.pages.get(number).and_then(Option::as_ref) {
                Some(page) => *bytes = **page,
                None if written.may_hold(number) && !is_zero(bytes) => bytes.fill(0),
                None => {}
            }
        }
        true
    }

    /// The memory from its beginning, in pieces. What is zero is made when its turn comes.
    pub(crate) fn into_pieces(self) -> impl Iterator<Item = Vec<u8>> {
        (0..self.pages.len()).step_by(PIECE_PAGES).map(move |from| {
            let mut piece = Vec::with_capacity(PIECE_PAGES * PAGE_BYTES);
            for page in self.pages.iter().skip(from).take(PIECE_PAGES) {
                match page {
                    Some(page) => piece.extend_from_slice(&page[..]),
                    None => piece.resize(piece.len() + PAGE_BYTES, 0),
                }
            }
            piece
        })
    }

    /// Bytes of the memory that it was taken from.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.pages.len() * PAGE_BYTES
    }

    /// Bytes of its pages.
    pub(super) fn held_bytes(&self) -> usize {
        self.pages.iter().flatten().count() * PAGE_BYTES
    }

    /// Equal states have equal hashes, on every machine and however they came to be.
    pub(super) fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        hash.update(b"aobench wasm state");
        hash.update((self.pages.len() as u64).to_le_bytes());
        hash.update((self.globals.len() as u64).to_le_bytes());
        for global in &self.globals {
            hash.update(global.to_le_bytes());
        }
        for (number, page) in self.pages.iter().enumerate() {
            if let Some(page) = page {
                hash.update((number as u64).to_le_bytes());
                hash.update(&page[..]);
            }
        }
        hash.finalize().into()
    }
}

fn is_zero(page: &Page) -> bool {
    page.as_chunks::<64>().0.iter().all(|part| *part == [0; 64])
}

/// The bits of a number global; nothing for other kinds, which the engine does not allow in a module.
pub(super) fn bits_of(value: &Val) -> Option<u64> {
    match value {
        Val::I32(bits) => Some(u64::from(*bits as u32)),
        Val::I64(bits) => Some(*bits as u64),
        Val::F32(bits) => Some(u64::from(*bits)),
        Val::F64(bits) => Some(*bits),
        _ => None,
    }
}

/// A value of the same kind as `like`, from its bits.
pub(super) fn value_of(bits: u64, like: &Val) -> Val {
    match like {
        Val::I32(_) => Val::I32(bits as u32 as i32),
        Val::F32(_) => Val::F32(bits as u32),
        Val::F64(_) => Val::F64(bits),
        _ => Val::I64(bits as i64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_comes_back_from_its_image() {
        let mut memory = vec![0u8; 16 * PAGE_BYTES];
        memory[3 * PAGE_BYTES + 5] = 7;
        memory[15 * PAGE_BYTES] = 1;
        let first = Image::capture(&memory, vec![1], &Image::default());
        memory[3 * PAGE_BYTES + 5] = 0;
        memory[8 * PAGE_BYTES] = 9;
        let second = Image::capture(&memory, vec![1], &first);
        assert_eq!((first.held_bytes(), second.held_bytes()), (2 * PAGE_BYTES, 2 * PAGE_BYTES));
        assert_ne!(first.hash(), second.hash());
        assert!(Arc::ptr_eq(first.pages[15].as_ref().unwrap(), second.pages[15].as_ref().unwrap()));
        assert_eq!(second.clone().into_pieces().flatten().collect::<Vec<u8>>(), memory);
        assert!(first.restore(&mut memory));
        assert_eq!((memory[3 * PAGE_BYTES + 5], memory[8 * PAGE_BYTES]), (7, 0));
        assert_eq!(Image::capture(&memory, vec![1], &Image::default()).hash(), first.hash());
    }
}
