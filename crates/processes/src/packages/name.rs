//! Names and versions of packages as they are written: `@vendor/name@1.2.3`. Without a vendor a package is one of `@apm`.

use std::fmt;

use ao::Id;

use super::limits::NAME_CHARS_MAX;
use crate::Fault;
use crate::payload::quoted;

/// The vendor of packages that are published without one.
pub(super) const COMMON_VENDOR: &str = "@apm";

/// The name of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name {
    /// With its `@`.
    pub(super) vendor: String,
    pub(super) name: String,
}

/// Which version of a package is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Which {
    Newest,
    Number(Version),
    /// The id of the message that published it.
    Message(Id),
}

/// A version: three numbers. The newest is the highest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u32, pub(super) u32, pub(super) u32);

impl Name {
    /// The name of two checked parts.
    pub(super) fn new(vendor: &str, name: &str) -> Result<Self, Fault> {
        let is_short = |text: &str| !text.is_empty() && text.len() <= NAME_CHARS_MAX;
        let is_part = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_');
        if !is_short(name) || !name.chars().all(is_part) {
            return Err(Fault::BadData(format!(
                "'{}' is no name of a package: 1 to {NAME_CHARS_MAX} letters, digits, '-' and '_'",
                quoted(name)
            )));
        }
        Ok(Self { vendor: vendor_name(vendor)?, name: name.to_owned() })
    }

    /// Reads `@vendor/name`, `name`, and either with `@` and a version or the id of one.
    pub(super) fn read(text: &str) -> Result<(Self, Which), Fault> {
        let text = text.trim();
        let (vendor, rest) = match text.split_once('/') {
            Some((vendor, rest)) => (vendor, rest),
            None => (COMMON_VENDOR, text),
        };
        let (name, which) = match rest.split_once('@') {
            None => (rest, Which::Newest),
            Some((name, version)) => {
                let message = || version.parse().ok().map(Which::Message);
                let which = Version::read(version).map(Which::Number).or_else(message);
                (name, which.ok_or_else(|| bad_version(version))?)
            }
        };
        Ok((Self::new(vendor, name)?, which))
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.vendor, self.name)
    }
}

/// The name of a vendor, with its `@` whether it was written or not.
pub(super) fn vendor_name(text: &str) -> Result<String, Fault> {
    let name = text.strip_prefix('@').unwrap_or(text);
    let is_part = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.chars().all(is_part) {
        return Err(Fault::BadData(format!(
            "'{}' is no name of a vendor: '@' and 1 to {NAME_CHARS_MAX} small letters, digits and '-'",
            quoted(text)
        )));
    }
    Ok(format!("@{name}"))
}

impl Version {
    /// Reads `1.2.3`.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut numbers = text.split('.').map(|number| {
            let is_number = !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit());
            is_number.then(|| number.parse().ok()).flatten()
        });
        let version = Self(numbers.next()??, numbers.next()??, numbers.next()??);
        numbers.next().is_none().then_some(version)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// The error of a text that is no version.
pub(super) fn bad_version(text: &str) -> Fault {
    Fault::BadData(format!("'{}' is no version: three numbers, such as 1.0.3", quoted(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_apm_writes_them() {
        let id = Id::new([7; 32]);
        let sam = Name { vendor: "@sam".to_owned(), name: "Llama-Herder".to_owned() };
        let common = Name { vendor: "@apm".to_owned(), name: "a_b".to_owned() };
        for (text, expected) in [
            ("@sam/Llama-Herder", (sam.clone(), Which::Newest)),
            ("@sam/Llama-Herder@1.0.3", (sam.clone(), Which::Number(Version(1, 0, 3)))),
            (&format!("@sam/Llama-Herder@{id}"), (sam, Which::Message(id))),
            ("a_b", (common.clone(), Which::Newest)),
            (" a_b@0.10.0 ", (common, Which::Number(Version(0, 10, 0)))),
        ] {
            assert_eq!(Name::read(text).unwrap(), expected, "{text}");
        }
        for text in ["", "@sam", "@sam/", "@Sam/a", "@sam/a b", "@sam/a@1.2", "@sam/a@1.2.3.4", "@sam/a@1.+2.3", "../a"]
        {
            assert!(Name::read(text).is_err(), "{text}");
        }
        assert!(Version(1, 10, 0) > Version(1, 9, 9));
    }
}
