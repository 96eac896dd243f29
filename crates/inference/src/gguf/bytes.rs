//! Reading little-endian values from a file part, never past its end and never more than a budget.

use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};

use super::error::GgufError;

/// A place in the header of a file. Knows how far it is from the file's start, its end, and from its budget's end.
pub(super) struct Bytes<'source, S: Read> {
    source: BufReader<&'source mut S>,
    position: u64,
    length: u64,
    budget: u64,
}

impl<'source, S: Read + Seek> Bytes<'source, S> {
    /// Reads from `offset` on, at most `length` bytes, at most `budget` of them before [`Self::budget_left`] is zero.
    pub(super) fn new(source: &'source mut S, offset: u64, length: u64, budget: u64) -> Result<Self, GgufError> {
        source.seek(SeekFrom::Start(offset))?;
        Ok(Self { source: BufReader::with_capacity(64 << 10, source), position: 0, length, budget })
    }
}

impl<S: Read> Bytes<'_, S> {
    /// How many bytes were read.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    fn take(&mut self, count: u64, what: &str) -> Result<(), GgufError> {
        let needed = self.position.checked_add(count).filter(|&end| end <= self.length).ok_or_else(|| {
            let needed = self.position.saturating_add(count);
            GgufError::Truncated { what: what.to_owned(), needed, length: self.length }
        })?;
        if needed > self.budget {
            let what = "the length of the metadata in bytes".to_owned();
            return Err(GgufError::Limit { what, found: needed, limit: self.budget });
        }
        self.position = needed;
        Ok(())
    }

    /// `N` bytes.
    pub(super) fn array<const N: usize>(&mut self, what: &str) -> Result<[u8; N], GgufError> {
        self.take(N as u64, what)?;
        let mut bytes = [0; N];
        self.source.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self, what: &str) -> Result<u32, GgufError> {
        self.array(what).map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self, what: &str) -> Result<u64, GgufError> {
        self.array(what).map(u64::from_le_bytes)
    }

    /// Passes over `count` bytes.
    pub(super) fn skip(&mut self, count: u64, what: &str) -> Result<(), GgufError> {
        self.take(count, what)?;
        let mut left = count;
        while left > 0 {
            let here = self.source.fill_buf()?.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if here == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
            }
            self.source.consume(here);
            left -= here as u64;
        }
        Ok(())
    }

    /// A string of at most `limit` bytes that must be UTF-8: its length first, then its bytes.
    pub(super) fn string(&mut self, limit: u64, what: &str) -> Result<String, GgufError> {
        let count = self.string_length(limit, what)?;
        self.take(count, what)?;
        let mut bytes = vec![0; usize::try_from(count).unwrap_or(0)];
        self.source.read_exact(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| GgufError::Malformed(format!("{what} is no UTF-8 text")))
    }

    /// Passes over a string of at most `limit` bytes and says how many it has.
    pub(super) fn skip_string(&mut self, limit: u64, what: &str) -> Result<u64, GgufError> {
        let count = self.string_length(limit, what)?;
        self.skip(count, what)?;
        Ok(count)
    }

    fn string_length(&mut self, limit: u64, what: &str) -> Result<u64, GgufError> {
        let found = self.u64(what)?;
        let what = || format!("the length of {what} in bytes");
        if found > limit { Err(GgufError::Limit { what: what(), found, limit }) } else { Ok(found) }
    }
}
