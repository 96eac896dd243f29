//! Reading items from strangers: every limit has its error, nothing panics, what is read is written again.

use proptest::prelude::*;

use super::vectors::VECTORS;
use crate::limits::{
    HEADER_BYTES_MAX, ITEM_BYTES_MAX, TAG_NAME_BYTES_MAX, TAG_VALUE_BYTES_MAX, TAGS_BYTES_MAX, TAGS_MAX,
};
use crate::{DataItem, ItemError, ItemHeader, Tag, Tags, TagsError, bundle};

/// An Ed25519 item with nothing but these bytes after its owner.
fn unsigned(rest: &[u8]) -> Vec<u8> {
    [&[2, 0][..], &[0; 64], &[0; 32], rest].concat()
}

/// The same with neither target nor anchor, so many tags in so many bytes, and then `rest`.
fn with_tags(count: u64, size: u64, rest: &[u8]) -> Vec<u8> {
    unsigned(&[&[0, 0][..], &count.to_le_bytes(), &size.to_le_bytes(), rest].concat())
}

#[test]
fn every_limit_has_its_error() {
    for (bytes, error) in [
        (vec![0; ITEM_BYTES_MAX + 1], ItemError::TooLarge(ITEM_BYTES_MAX + 1)),
        (Vec::new(), ItemError::Truncated(0)),
        (vec![1, 0], ItemError::Truncated(2)),
        (vec![0, 0], ItemError::SignatureType(0)),
        (vec![5, 0], ItemError::SignatureType(5)),
        (vec![1, 1], ItemError::SignatureType(257)),
        (unsigned(&[2]), ItemError::Presence { field: "target", byte: 2 }),
        (unsigned(&[0, 255]), ItemError::Presence { field: "anchor", byte: 255 }),
        (unsigned(&[1, 0, 0]), ItemError::Truncated(101)),
        (with_tags(129, 0, &[]), TagsError::TooMany(129).into()),
        (with_tags(u64::MAX, u64::MAX, &[]), TagsError::TooMany(u64::MAX).into()),
        (with_tags(1, u64::MAX, &[]), TagsError::TooLarge(u64::MAX).into()),
        (with_tags(1, TAGS_BYTES_MAX as u64, &[]), ItemError::Truncated(116)),
        (with_tags(1, 0, &[]), ItemError::TagCount { declared: 1, given: 0 }),
        (with_tags(0, 6, &[2, 2, b'a', 2, b'b', 0]), ItemError::TagCount { declared: 0, given: 1 }),
        (with_tags(1, 6, &[2, 2, 0xff, 2, b'b', 0]), TagsError::Text(0).into()),
    ] {
        assert_eq!(DataItem::parse(&bytes), Err(error));
    }
}

#[test]
fn the_largest_tags_fit_and_one_byte_more_does_not() {
    let wallet = VECTORS.wallet("ed25519");
    let sign = |tags: Tags| DataItem::sign(&wallet, None, None, tags, Vec::new());
    let (name, value) = ("n".repeat(TAG_NAME_BYTES_MAX), "v".repeat(TAG_VALUE_BYTES_MAX));
    let most: Tags = (0..TAGS_MAX).map(|_| Tag::new(name.clone(), value.clone())).collect();
    let item = sign(most.clone()).unwrap();
    assert!(item.header().data_offset() <= HEADER_BYTES_MAX);
    assert_eq!(DataItem::parse(&item.to_bytes()).unwrap().verify(), Ok(()));

    assert_eq!(sign(most.with("", "")), Err(TagsError::TooMany(129).into()));
    let one = Tags::new().with("first", "");
    let long_name = one.clone().with(format!("{name}n"), "");
    assert_eq!(sign(long_name), Err(TagsError::Name { index: 1, bytes: 1025 }.into()));
    let long_value = one.with("", format!("{value}v"));
    assert_eq!(sign(long_value), Err(TagsError::Value { index: 1, bytes: 3073 }.into()));
}

#[test]
fn a_header_is_read_from_the_first_bytes_that_hold_it() {
    for vector in &VECTORS.items {
        let bytes = vector.bytes();
        let header = ItemHeader::parse(&bytes).unwrap().unwrap();
        for length in 0..header.data_offset() {
            assert_eq!(ItemHeader::parse(&bytes[..length]), Ok(None), "{length} bytes of {}", vector.name);
        }
        assert_eq!(ItemHeader::parse(&bytes[..header.data_offset()]), Ok(Some(header.clone())));
        assert_eq!(header.to_bytes(), bytes[..header.data_offset()]);
    }
}

fn reads_without_panic(bytes: &[u8]) -> Result<(), TestCaseError> {
    if let Ok(item) = DataItem::parse(bytes) {
        prop_assert_eq!(item.to_bytes(), bytes);
        let _ = item.verify();
    }
    let _ = bundle::parse_nested(bytes);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes: Vec<u8>) {
        reads_without_panic(&bytes)?;
    }

    #[test]
    fn arbitrary_bytes_after_a_good_start_never_panic(
        rest: Vec<u8>, count in 0..4_u64, size in 0..200_u64, code in 0..6_u8,
    ) {
        let mut bytes = with_tags(count, size, &rest);
        bytes[0] = code;
        reads_without_panic(&bytes)?;
    }

    #[test]
    fn mutated_items_never_panic(
        vector in 0..VECTORS.items.len(),
        changes in prop::collection::vec(any::<(prop::sample::Index, u8)>(), 1..6),
        cut: Option<prop::sample::Index>,
    ) {
        let mut bytes = VECTORS.items[vector].bytes();
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        bytes.truncate(cut.map_or(bytes.len(), |cut| cut.index(bytes.len())));
        reads_without_panic(&bytes)?;
    }

    #[test]
    fn mutated_bundles_never_panic(
        vector in 0..VECTORS.bundles.len(), place: prop::sample::Index, early: bool, byte: u8,
    ) {
        let mut bytes = VECTORS.bundles[vector].bytes();
        let length = if early { bytes.len().min(256) } else { bytes.len() };
        bytes[place.index(length)] = byte;
        reads_without_panic(&bytes)?;
    }
}
