//! Which process files are open: a node has more processes than a program may have files.

use std::collections::{BTreeMap, HashMap};

use ao::Id;

/// The open files by the time of their last use.
#[derive(Debug)]
pub(super) struct OpenFiles {
    most: usize,
    uses: u64,
    used: HashMap<Id, u64>,
    order: BTreeMap<u64, Id>,
}

impl OpenFiles {
    /// None is open; at most so many should be.
    pub(super) fn new(most: usize) -> Self {
        Self { most, uses: 0, used: HashMap::new(), order: BTreeMap::new() }
    }

    /// A file is used, and so open. Gives the one that was not used for longest, if there are too many now; it counts as
    /// closed.
    pub(super) fn touch(&mut self, process: Id) -> Option<Id> {
        self.uses += 1;
        if let Some(before) = self.used.insert(process, self.uses) {
            self.order.remove(&before);
        }
        self.order.insert(self.uses, process);
        if self.used.len() <= self.most {
            return None;
        }
        let (_, oldest) = self.order.pop_first()?;
        self.used.remove(&oldest);
        Some(oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_was_not_used_for_longest_is_closed_first() {
        let id = |number: u8| Id::new([number; 32]);
        let mut files = OpenFiles::new(2);
        assert_eq!([1, 2, 1].map(|number| files.touch(id(number))), [None; 3]);
        assert_eq!(files.touch(id(3)), Some(id(2)), "1 was used after 2");
        assert_eq!(files.touch(id(2)), Some(id(1)));
        assert_eq!(files.touch(id(3)), None);
    }
}
