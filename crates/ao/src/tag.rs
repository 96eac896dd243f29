//! Tags: the ordered names and values of an item, and their Avro encoding inside ANS-104.

use serde::{Deserialize, Serialize};

/// One name with its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Tag {
    /// The name; compared without regard to ASCII case, as aos does when it title-cases names.
    pub name: String,
    /// The value.
    pub value: String,
}

/// The tags of an item in the order in which they were signed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Tags(Vec<Tag>);

impl Tag {
    /// A tag.
    pub fn new(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self { name: name.into(), value: value.into() }
    }

    /// Whether this tag has the name, without regard to ASCII case.
    pub fn is_named(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

impl Tags {
    /// No tags.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// The value of the first tag of that name, without regard to ASCII case.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|tag| tag.is_named(name)).map(|tag| tag.value.as_str())
    }

    /// The values of all tags of that name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |tag| tag.is_named(name)).map(|tag| tag.value.as_str())
    }

    /// Appends a tag.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.0.push(Tag::new(name, value));
    }

    /// The same tags with one more at the end.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.push(name, value);
        self
    }

    /// Removes every tag of that name.
    pub fn remove(&mut self, name: &str) {
        self.0.retain(|tag| !tag.is_named(name));
    }

    /// The tags in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Tag> {
        self.0.iter()
    }

    /// How many tags there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tags whose names begin with `X-`: those that a token forwards to the receiver of a transfer.
    pub fn forwarded(&self) -> impl Iterator<Item = &Tag> {
        self.0.iter().filter(|tag| tag.name.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("X-")))
    }
}

impl<'a> IntoIterator for &'a Tags {
    type Item = &'a Tag;
    type IntoIter = std::slice::Iter<'a, Tag>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl FromIterator<Tag> for Tags {
    fn from_iter<T: IntoIterator<Item = Tag>>(tags: T) -> Self {
        Self(tags.into_iter().collect())
    }
}

impl From<Vec<Tag>> for Tags {
    fn from(tags: Vec<Tag>) -> Self {
        Self(tags)
    }
}

impl Extend<Tag> for Tags {
    fn extend<T: IntoIterator<Item = Tag>>(&mut self, tags: T) {
        self.0.extend(tags);
    }
}
