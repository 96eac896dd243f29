//! The Avro encoding of tags inside an item (ANS-104 §1.2): blocks of name and value, each with its length in front.
//!
//! What comes from outside is read leniently where Avro allows several spellings (blocks with a negative count, numbers
//! with needless bytes): the signature covers the bytes as they were sent, and they are kept. What is written has one
//! spelling, the one of arbundles.

use crate::limits::{TAG_NAME_BYTES_MAX, TAG_VALUE_BYTES_MAX, TAGS_BYTES_MAX, TAGS_MAX};
use crate::{Tag, Tags};

/// Bytes of the longest encoding of a 64-bit number.
const NUMBER_BYTES_MAX: usize = 10;

/// Why tags cannot be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagsError {
    /// More tags than ANS-104 allows.
    #[error("an item has at most {TAGS_MAX} tags, this one has {0}")]
    TooMany(u64),
    /// More bytes of tags than the most tags of the largest size need.
    #[error("the tags of an item take at most {TAGS_BYTES_MAX} bytes, these take {0}")]
    TooLarge(u64),
    /// The name of a tag is too long.
    #[error("the name of tag {index} has {bytes} bytes, at most {TAG_NAME_BYTES_MAX} are allowed")]
    Name {
        /// Place of the tag, from 0.
        index: usize,
        /// Length of its name.
        bytes: u64,
    },
    /// The value of a tag is too long.
    #[error("the value of tag {index} has {bytes} bytes, at most {TAG_VALUE_BYTES_MAX} are allowed")]
    Value {
        /// Place of the tag, from 0.
        index: usize,
        /// Length of its value.
        bytes: u64,
    },
    /// A name or value that is no text.
    #[error("tag {0} is not UTF-8 text")]
    Text(usize),
    /// The encoding ends too early.
    #[error("the tags end in the middle of a tag")]
    Truncated,
    /// A number with more than 64 bits, or a negative length.
    #[error("the tags hold a count or length that is negative or larger than 64 bits")]
    Number,
    /// A block that states another size in bytes than it has.
    #[error("a block of tags states another size than it has")]
    BlockSize,
    /// Bytes after the last block.
    #[error("there are {0} bytes after the end of the tags")]
    Trailing(usize),
}

/// The encoding of tags; no bytes at all where there is no tag.
pub(crate) fn encode_tags(tags: &Tags) -> Result<Vec<u8>, TagsError> {
    if tags.is_empty() {
        return Ok(Vec::new());
    }
    if tags.len() > TAGS_MAX {
        return Err(TagsError::TooMany(tags.len() as u64));
    }
    let mut bytes = Vec::new();
    write_number(&mut bytes, tags.len());
    for (index, tag) in tags.iter().enumerate() {
        check_sizes(index, tag.name.len() as u64, 0)?;
        check_sizes(index, 0, tag.value.len() as u64)?;
        for text in [&tag.name, &tag.value] {
            write_number(&mut bytes, text.len());
            bytes.extend_from_slice(text.as_bytes());
        }
    }
    write_number(&mut bytes, 0);
    Ok(bytes)
}

/// The tags that some bytes encode; all bytes must belong to them.
pub(crate) fn decode_tags(bytes: &[u8]) -> Result<Tags, TagsError> {
    if bytes.is_empty() {
        return Ok(Tags::new());
    }
    if bytes.len() > TAGS_BYTES_MAX {
        return Err(TagsError::TooLarge(bytes.len() as u64));
    }
    let mut reader = Reader { bytes };
    let mut tags = Vec::new();
    loop {
        let count = reader.number()?;
        if count == 0 {
            break;
        }
        // A negative count is followed by the size of the block, for readers that skip it.
        let size = if count < 0 { Some(reader.length()?) } else { None };
        let total = count.unsigned_abs().saturating_add(tags.len() as u64);
        if total > TAGS_MAX as u64 {
            return Err(TagsError::TooMany(total));
        }
        let before = reader.bytes.len();
        for _ in 0..count.unsigned_abs() {
            tags.push(reader.tag(tags.len())?);
        }
        if size.is_some_and(|size| size != (before - reader.bytes.len()) as u64) {
            return Err(TagsError::BlockSize);
        }
    }
    if reader.bytes.is_empty() { Ok(Tags::from(tags)) } else { Err(TagsError::Trailing(reader.bytes.len())) }
}

fn check_sizes(index: usize, name: u64, value: u64) -> Result<(), TagsError> {
    if name > TAG_NAME_BYTES_MAX as u64 {
        return Err(TagsError::Name { index, bytes: name });
    }
    if value > TAG_VALUE_BYTES_MAX as u64 {
        return Err(TagsError::Value { index, bytes: value });
    }
    Ok(())
}

/// Writes a count or length: seven bits to a byte, least first, after doubling it (Avro keeps the sign in the lowest bit).
fn write_number(bytes: &mut Vec<u8>, number: usize) {
    let mut rest = (number as u64) << 1;
    while rest >= 0x80 {
        bytes.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    bytes.push(rest as u8);
}

/// What is still to be read.
struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    fn number(&mut self) -> Result<i64, TagsError> {
        let mut number = 0_u64;
        for index in 0..NUMBER_BYTES_MAX {
            let (&byte, rest) = self.bytes.split_first().ok_or(TagsError::Truncated)?;
            self.bytes = rest;
            let bits = u64::from(byte & 0x7f);
            let shift = 7 * index as u32;
            if bits << shift >> shift != bits {
                return Err(TagsError::Number);
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok((number >> 1) as i64 ^ -((number & 1) as i64));
            }
        }
        Err(TagsError::Number)
    }

    fn length(&mut self) -> Result<u64, TagsError> {
        u64::try_from(self.number()?).map_err(|_| TagsError::Number)
    }

    fn tag(&mut self, index: usize) -> Result<Tag, TagsError> {
        let name_bytes = self.length()?;
        check_sizes(index, name_bytes, 0)?;
        let name = self.text(index, name_bytes)?;
        let value_bytes = self.length()?;
        check_sizes(index, 0, value_bytes)?;
        let value = self.text(index, value_bytes)?;
        Ok(Tag::new(name, value))
    }

    /// The next bytes as text. Their number was checked against a limit, so the conversion keeps it.
    fn text(&mut self, index: usize, bytes: u64) -> Result<&'a str, TagsError> {
        let (text, rest) = self.bytes.split_at_checked(bytes as usize).ok_or(TagsError::Truncated)?;
        self.bytes = rest;
        std::str::from_utf8(text).map_err(|_| TagsError::Text(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_block_may_state_its_size_and_numbers_may_be_long() {
        let tags = Tags::new().with("a", "b");
        assert_eq!(encode_tags(&tags).unwrap(), [2, 2, b'a', 2, b'b', 0]);
        for bytes in [
            &[2, 2, b'a', 2, b'b', 0][..],
            &[1, 8, 2, b'a', 2, b'b', 0],
            &[0x82, 0x80, 0x00, 2, b'a', 2, b'b', 0],
            &[2, 2, b'a', 2, b'b', 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00],
        ] {
            assert_eq!(decode_tags(bytes), Ok(tags.clone()), "{bytes:x?}");
        }
    }

    #[test]
    fn every_defect_has_its_error() {
        let largest = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        let smallest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        for (bytes, error) in [
            (&[2][..], TagsError::Truncated),
            (&[2, 2, b'a', 2], TagsError::Truncated),
            (&[2, 2, b'a', 2, b'b'], TagsError::Truncated),
            (&[2, 2, b'a', 2, b'b', 0, 0], TagsError::Trailing(1)),
            (&[1, 6, 2, b'a', 2, b'b', 0], TagsError::BlockSize),
            (&[1, 1, 2, b'a', 2, b'b', 0], TagsError::Number),
            (&[2, 1, b'a', 2, b'b', 0], TagsError::Number),
            (&[2, 2, 0xc3, 2, b'b', 0], TagsError::Text(0)),
            (&[2, 0x82, 0x10], TagsError::Name { index: 0, bytes: 1025 }),
            (&[2, 0, 0x82, 0x30], TagsError::Value { index: 0, bytes: 3073 }),
            (&[0x82, 0x02], TagsError::TooMany(129)),
            (&largest, TagsError::TooMany(i64::MAX as u64)),
            (&[&smallest[..], &[0]].concat(), TagsError::TooMany(1 << 63)),
            (&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x02], TagsError::Number),
            (&[0x80; 11], TagsError::Number),
        ] {
            assert_eq!(decode_tags(bytes), Err(error), "{bytes:x?}");
        }
    }

    proptest! {
        #[test]
        fn tags_are_the_same_after_writing_and_reading(texts: Vec<(String, String)>) {
            let tags: Tags = texts.into_iter().take(TAGS_MAX).map(|(name, value)| Tag::new(name, value)).collect();
            prop_assert_eq!(decode_tags(&encode_tags(&tags).unwrap()), Ok(tags));
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
            if let Ok(tags) = decode_tags(&bytes) {
                prop_assert!(tags.len() <= TAGS_MAX);
            }
        }
    }
}
