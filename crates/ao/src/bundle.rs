//! Bundles: many items in one, as ANS-104 lays them out, and bundles within bundles.

use crate::item::{DataItem, ItemError};
use crate::limits::{BUNDLE_DEPTH_MAX, BUNDLE_ITEMS_MAX};
use crate::{Id, Tags};

/// Bytes of the count of items, and of each length: a number in little endian.
const NUMBER_BYTES: usize = 32;

/// Bytes per item in the table at the start: its length and its id.
const ENTRY_BYTES: usize = NUMBER_BYTES + 32;

/// Why bytes are no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The bundle ends within its table or within an item.
    #[error("the bundle ends too early: it has {given} bytes and announces more")]
    Truncated {
        /// Bytes of the bundle.
        given: usize,
    },
    /// Too many items, nested ones included.
    #[error("a bundle has at most {BUNDLE_ITEMS_MAX} items, those of bundles within it included")]
    TooMany,
    /// Bundles lie too deep within each other.
    #[error("bundles lie at most {BUNDLE_DEPTH_MAX} deep within each other")]
    TooDeep,
    /// Bytes after the last item.
    #[error("there are {0} bytes after the last item of the bundle")]
    Trailing(usize),
    /// The table names an item by another id than its signature gives.
    #[error("item {index} of the bundle is listed as {listed}, and its signature makes it {actual}")]
    Id {
        /// Place of the item, from 0.
        index: usize,
        /// Its id in the table.
        listed: Id,
        /// The hash of its signature.
        actual: Id,
    },
    /// An item that cannot be read.
    #[error("item {index} of the bundle: {error}")]
    Item {
        /// Place of the item, from 0.
        index: usize,
        /// What is wrong with it.
        error: ItemError,
    },
}

/// The tags by which an item says that its data is a bundle (ANS-104).
pub fn bundle_tags() -> Tags {
    Tags::new().with("Bundle-Format", "binary").with("Bundle-Version", "2.0.0")
}

/// Whether the data of an item is a bundle by its tags.
pub fn is_bundle(item: &DataItem) -> bool {
    bundle_tags().iter().all(|tag| item.tags().get(&tag.name) == Some(tag.value.as_str()))
}

/// A bundle of these items.
pub fn encode(items: &[DataItem]) -> Vec<u8> {
    let encoded: Vec<Vec<u8>> = items.iter().map(DataItem::to_bytes).collect();
    let mut bytes = number(items.len()).to_vec();
    for (item, encoded) in items.iter().zip(&encoded) {
        bytes.extend_from_slice(&number(encoded.len()));
        bytes.extend_from_slice(item.id().as_bytes());
    }
    bytes.extend(encoded.iter().flatten());
    bytes
}

/// Reads a bundle. Ids are checked against the signatures, the signatures themselves are not verified.
pub fn parse(bytes: &[u8]) -> Result<Vec<DataItem>, BundleError> {
    let truncated = BundleError::Truncated { given: bytes.len() };
    let (count, rest) = bytes.split_first_chunk::<NUMBER_BYTES>().ok_or_else(|| truncated.clone())?;
    let count = read_number(count).filter(|&count| count <= BUNDLE_ITEMS_MAX).ok_or(BundleError::TooMany)?;
    let (table, mut rest) = rest.split_at_checked(count * ENTRY_BYTES).ok_or_else(|| truncated.clone())?;
    let mut items = Vec::new();
    for (index, entry) in table.as_chunks::<ENTRY_BYTES>().0.iter().enumerate() {
        let (length, id) = entry.split_at(NUMBER_BYTES);
        let item_bytes = read_number(length).and_then(|length| rest.split_at_checked(length));
        let (item_bytes, after) = item_bytes.ok_or_else(|| truncated.clone())?;
        rest = after;
        let item = DataItem::parse(item_bytes).map_err(|error| BundleError::Item { index, error })?;
        if item.id().as_bytes() != id {
            let mut listed = [0; 32];
            listed.copy_from_slice(id);
            return Err(BundleError::Id { index, listed: Id::new(listed), actual: item.id() });
        }
        items.push(item);
    }
    if rest.is_empty() { Ok(items) } else { Err(BundleError::Trailing(rest.len())) }
}

/// Reads a bundle and the bundles within it: every item, each bundle item followed by the items in it.
pub fn parse_nested(bytes: &[u8]) -> Result<Vec<DataItem>, BundleError> {
    let mut items = Vec::new();
    collect(bytes, 1, &mut items)?;
    Ok(items)
}

fn collect(bytes: &[u8], depth: usize, items: &mut Vec<DataItem>) -> Result<(), BundleError> {
    if depth > BUNDLE_DEPTH_MAX {
        return Err(BundleError::TooDeep);
    }
    for item in parse(bytes)? {
        if items.len() == BUNDLE_ITEMS_MAX {
            return Err(BundleError::TooMany);
        }
        items.push(item.clone());
        if is_bundle(&item) {
            collect(item.data(), depth + 1, items)?;
        }
    }
    Ok(())
}

fn number(value: usize) -> [u8; NUMBER_BYTES] {
    let mut bytes = [0; NUMBER_BYTES];
    bytes[..8].copy_from_slice(&(value as u64).to_le_bytes());
    bytes
}

/// A number that fits in memory, or nothing.
fn read_number(bytes: &[u8]) -> Option<usize> {
    let (low, high) = bytes.split_first_chunk::<8>()?;
    if high.iter().any(|&byte| byte != 0) {
        return None;
    }
    usize::try_from(u64::from_le_bytes(*low)).ok()
}
