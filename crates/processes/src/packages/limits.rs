//! Limits of a package registry, with their reasons.

/// Bytes of the source of a package: it is sent as hexadecimal digits, and one message sends at most 1 MiB.
pub const SOURCE_BYTES_MAX: usize = 256 * 1024;

/// Bytes of the readme of a package: an answer to `APM.Info` holds it beside the source, both as hexadecimal digits.
pub const README_BYTES_MAX: usize = 64 * 1024;

/// Bytes of each other field of a package (description, keywords, authors, dependencies ...).
pub const FIELD_BYTES_MAX: usize = 4 * 1024;

/// Characters of a vendor or of the name of a package.
pub const NAME_CHARS_MAX: usize = 64;

/// Versions of one package.
pub const VERSIONS_MAX: u64 = 1_000;

/// Bytes of all versions that one address has published: publishing is free, and the disk is not.
pub const OWNER_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Bytes of everything in a registry.
pub const REGISTRY_BYTES_MAX: u64 = 4 * 1024 * 1024 * 1024;

/// Vendors that one address has registered.
pub const VENDORS_PER_OWNER_MAX: u64 = 100;

/// Packages in one answer.
pub const PACKAGES_PAGE: usize = 50;

/// Versions that the answer to `APM.Info` lists: the newest.
pub const VERSIONS_SHOWN: usize = 100;
