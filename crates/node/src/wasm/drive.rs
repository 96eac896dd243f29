//! Stored transactions that a module may read as files: AO's WeaveDrive.

use ao::{Id, Tags};

/// Where the bytes of transactions come from. A transaction never changes, so that reading it again gives the same bytes.
pub(crate) trait Drive: Send + Sync {
    /// Bytes of a transaction, if it is here.
    fn size(&self, id: &Id) -> Result<Option<u64>, String>;

    /// The bytes from `offset` on, as many as are wanted unless the transaction ends before.
    fn read(&self, id: &Id, offset: u64, wanted: usize) -> Result<Vec<u8>, String>;
}

/// The transactions that one process may read. They are fixed by the tags of its spawn, so that a replay may read the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Admissible(Vec<Id>);

impl Admissible {
    /// Nothing unless the process or its module has the tag `Extension=WeaveDrive`; then the transaction of `On-Boot` and
    /// those of the tags `WeaveDrive-Data`.
    pub(super) fn of(process: &Tags, module: &Tags) -> Self {
        let mut extensions = process.all("Extension").chain(module.all("Extension"));
        let boot = process.all("On-Boot").filter_map(|id| id.parse().ok());
        if !extensions.any(|extension| extension == "WeaveDrive") {
            return Self(boot.collect());
        }
        Self(boot.chain(process.all("WeaveDrive-Data").filter_map(|id| id.parse().ok())).collect())
    }

    /// Whether the process may read it.
    pub(super) fn admits(&self, id: &Id) -> bool {
        self.0.contains(id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_reads_what_its_spawn_named() {
        let (boot, data) = (Id::new([1; 32]), Id::new([2; 32]));
        let tags = Tags::new().with("On-Boot", boot.to_string()).with("WeaveDrive-Data", data.to_string());
        let without = Admissible::of(&tags, &Tags::new());
        assert!(without.admits(&boot) && !without.admits(&data));
        let with = Admissible::of(&tags, &Tags::new().with("Extension", "WeaveDrive"));
        assert!(with.admits(&boot) && with.admits(&data) && !with.admits(&Id::new([3; 32])));
    }
}
