//! A part of a file as the only thing that can be read: every read is checked against its end first.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use super::error::GgufError;
use crate::limits::{METADATA_BYTES_MAX, STRING_BYTES_MAX};

/// Bytes that are read from the file at once.
const WINDOW_BYTES: u64 = 64 << 10;

/// A byte range of a file. Reading does not move the file's own position, so that one file can be read by many.
#[derive(Debug, Clone, Copy)]
pub(super) struct Region<'file> {
    file: &'file File,
    offset: u64,
    length: u64,
}

impl<'file> Region<'file> {
    /// The `length` bytes from `offset` on; fails if the file is shorter.
    pub(super) fn new(file: &'file File, offset: u64, length: u64) -> Result<Self, GgufError> {
        let end = offset.checked_add(length).ok_or_else(|| GgufError::malformed("the model lies beyond any file"))?;
        let size = file.metadata()?.len();
        if end > size {
            return Err(GgufError::Truncated { what: "the model".to_owned(), length: size, needed: end });
        }
        Ok(Self { file, offset, length })
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Fills `buffer` from position `at`.
    pub(super) fn read_at(&self, at: u64, buffer: &mut [u8], what: &str) -> Result<(), GgufError> {
        self.contains(at, buffer.len() as u64, what)?;
        Ok(self.file.read_exact_at(buffer, self.offset + at)?)
    }

    /// Fails if not all of the `count` bytes from `at` on are here.
    pub(super) fn contains(&self, at: u64, count: u64, what: &str) -> Result<(), GgufError> {
        match at.checked_add(count) {
            Some(end) if end <= self.length => Ok(()),
            end => Err(GgufError::Truncated {
                what: what.to_owned(),
                length: self.length,
                needed: end.unwrap_or(u64::MAX),
            }),
        }
    }
}

/// Reads little-endian values one after the other. What it has read in all is limited to [`METADATA_BYTES_MAX`]: the
/// tensors are not read through it.
#[derive(Debug)]
pub(super) struct Cursor<'file> {
    region: Region<'file>,
    position: u64,
    window: Vec<u8>,
    window_start: u64,
}

impl<'file> Cursor<'file> {
    pub(super) fn new(region: Region<'file>) -> Self {
        Self { region, position: 0, window: Vec::new(), window_start: 0 }
    }

    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Steps over `count` bytes.
    pub(super) fn skip(&mut self, count: u64, what: &str) -> Result<(), GgufError> {
        self.region.contains(self.position, count, what)?;
        let position = self.position + count;
        super::error::within("the metadata in bytes", position, METADATA_BYTES_MAX)?;
        self.position = position;
        Ok(())
    }

    pub(super) fn bytes<const COUNT: usize>(&mut self, what: &str) -> Result<[u8; COUNT], GgufError> {
        let mut bytes = [0; COUNT];
        self.fill(&mut bytes, what)?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self, what: &str) -> Result<u32, GgufError> {
        self.bytes(what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, what: &str) -> Result<u64, GgufError> {
        self.bytes(what).map(u64::from_le_bytes)
    }

    /// A string of at most `limit` bytes. Memory is taken only after the file was seen to hold that many.
    pub(super) fn string(&mut self, what: &str, limit: u64) -> Result<String, GgufError> {
        let length = self.string_length(what, limit)?;
        let mut bytes = vec![0; length as usize];
        self.fill(&mut bytes, what)?;
        String::from_utf8(bytes).map_err(|_| GgufError::malformed(format!("{what} is no UTF-8 text")))
    }

    /// Steps over a string: what is in it is not looked at.
    pub(super) fn skip_string(&mut self, what: &str) -> Result<(), GgufError> {
        let length = self.string_length(what, STRING_BYTES_MAX)?;
        self.skip(length, what)
    }

    fn string_length(&mut self, what: &str, limit: u64) -> Result<u64, GgufError> {
        let length = self.u64(what)?;
        super::error::within(&format!("{what} in bytes"), length, limit)?;
        self.region.contains(self.position, length, what)?;
        Ok(length)
    }

    fn fill(&mut self, target: &mut [u8], what: &str) -> Result<(), GgufError> {
        let start = self.position;
        self.skip(target.len() as u64, what)?;
        if target.len() as u64 > WINDOW_BYTES {
            return self.region.read_at(start, target, what);
        }
        let end = start + target.len() as u64;
        if start < self.window_start || end > self.window_start + self.window.len() as u64 {
            let count = WINDOW_BYTES.min(self.region.length() - start);
            self.window.resize(count as usize, 0);
            self.region.read_at(start, &mut self.window, what)?;
            self.window_start = start;
        }
        let from = (start - self.window_start) as usize;
        target.copy_from_slice(&self.window[from..from + target.len()]);
        Ok(())
    }
}
