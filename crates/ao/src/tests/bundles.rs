//! Bundles: those of arbundles are read and written byte by byte, damaged ones are refused.

use super::vectors::VECTORS;
use crate::bundle::{BundleError, bundle_tags, encode, is_bundle, parse, parse_nested};
use crate::limits::{BUNDLE_DEPTH_MAX, BUNDLE_ITEMS_MAX};
use crate::{DataItem, Id, Tags, Wallet, WalletKind};

fn ids(items: &[DataItem]) -> Vec<Id> {
    items.iter().map(DataItem::id).collect()
}

#[test]
fn bundles_of_arbundles_are_read_and_written_again() {
    for vector in &VECTORS.bundles {
        let items = parse(&vector.bytes()).unwrap();
        assert_eq!(ids(&items), vector.ids, "{}", vector.name);
        assert_eq!(encode(&items), vector.bytes(), "{}", vector.name);
        let nested = parse_nested(&vector.bytes()).unwrap();
        assert_eq!(ids(&nested), vector.nested_ids, "{}", vector.name);
        assert!(nested.iter().all(|item| item.verify().is_ok()), "{}", vector.name);
    }
}

#[test]
fn a_damaged_bundle_is_refused() {
    let vector = VECTORS.bundles.iter().find(|vector| vector.name == "three").unwrap();
    let bytes = vector.bytes();
    for length in 0..bytes.len() {
        assert!(parse(&bytes[..length]).is_err(), "cut at {length}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert_eq!(parse(&longer), Err(BundleError::Trailing(1)));
    let mut listed_wrong = bytes.clone();
    listed_wrong[64] ^= 1;
    assert!(matches!(parse(&listed_wrong), Err(BundleError::Id { index: 0, .. })));
    for byte in [8, 31, 40, 63] {
        let mut huge = bytes.clone();
        huge[byte] = 0xff;
        assert!(parse(&huge).is_err(), "a number of more than 64 bits at {byte}");
    }
    let mut many = [0; 32];
    many[..8].copy_from_slice(&(BUNDLE_ITEMS_MAX as u64 + 1).to_le_bytes());
    assert_eq!(parse(&many), Err(BundleError::TooMany));
}

#[test]
fn bundles_lie_only_so_deep_within_each_other() {
    let wallet = Wallet::generate(WalletKind::Ed25519).unwrap();
    let mut item = DataItem::sign(&wallet, None, None, Tags::new(), b"core".to_vec()).unwrap();
    for depth in 1..=BUNDLE_DEPTH_MAX {
        let bytes = encode(std::slice::from_ref(&item));
        assert_eq!(parse_nested(&bytes).unwrap().len(), depth);
        item = DataItem::sign(&wallet, None, None, bundle_tags(), bytes).unwrap();
        assert!(is_bundle(&item));
    }
    assert_eq!(parse_nested(&encode(&[item])), Err(BundleError::TooDeep));
}
