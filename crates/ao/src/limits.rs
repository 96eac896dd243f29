//! Every limit of the protocol, with its reason. What is over a limit is refused with an error that names it.

/// Bytes of an item that a node takes as a message (AO's scheduler unit has the same limit). Uploads to the gateway are
/// streamed and have the gateway's own limit.
pub const ITEM_BYTES_MAX: usize = 10 * 1024 * 1024;

/// Tags of an item (ANS-104).
pub const TAGS_MAX: usize = 128;

/// Bytes of a tag's name (ANS-104).
pub const TAG_NAME_BYTES_MAX: usize = 1024;

/// Bytes of a tag's value (ANS-104).
pub const TAG_VALUE_BYTES_MAX: usize = 3072;

/// Bytes of all tags of an item in their Avro encoding: the most tags of the largest size, and ample room for the length in
/// front of each text. A bound that is checked before anything is allocated.
pub const TAGS_BYTES_MAX: usize = TAGS_MAX * (TAG_NAME_BYTES_MAX + TAG_VALUE_BYTES_MAX + 32);

/// Bytes before the data of an item, at most: type, signature, owner, target, anchor, and tags with their two counts. Who
/// has read as many and has no header yet need not read on.
pub const HEADER_BYTES_MAX: usize = 2 + 512 + 512 + 33 + 33 + 16 + TAGS_BYTES_MAX;

/// Items in a bundle.
pub const BUNDLE_ITEMS_MAX: usize = 10_000;

/// How deep bundles may lie within bundles.
pub const BUNDLE_DEPTH_MAX: usize = 4;
