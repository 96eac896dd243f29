//! The sketches of a dataset, block by block. A search needs all of them, so they are read from the tables once and then
//! kept in memory, each block with its digest. That digest is of all records of the dataset up to the end of the block: if
//! it is the one in the tables, so is the block, whatever was rolled back or rebuilt in the meantime. What differs, usually
//! the last block, is read again.

use std::sync::Arc;

use ao::Id;

use super::sketch::Block;
use crate::{Fault, Store};

/// The sketches of a dataset as they are kept.
#[derive(Debug)]
struct Sketches {
    blocks: Vec<(Id, Arc<Block>)>,
}

/// Shows every block of a dataset, whose vectors have so many numbers: from memory, or from the tables if there is no room
/// in memory.
pub(super) fn each(
    store: &Store<'_>,
    process: Id,
    dataset: i64,
    dimensions: usize,
    mut show: impl FnMut(&Block),
) -> Result<(), Fault> {
    let sql = "SELECT digest FROM sketches WHERE dataset = ? ORDER BY block DESC LIMIT 1";
    let Some(digest) = store.first(sql, [dataset], |row| Ok(Id::new(row.get(0)?)))? else { return Ok(()) };
    let key = (process, dataset);
    let known = store.memo().get::<Sketches>(key);
    if let Some(known) = known.as_deref().filter(|known| known.digest() == Some(digest)) {
        known.blocks.iter().for_each(|(_, block)| show(block));
        return Ok(());
    }
    let bytes = store.value("SELECT coalesce(sum(length(bytes)), 0) FROM sketches WHERE dataset = ?", [dataset])?;
    if !store.memo().has_room(bytes) {
        store.all("SELECT bytes FROM sketches WHERE dataset = ? ORDER BY block", [dataset], |row| {
            show(&Block::read(row.get_ref(0)?.as_blob()?, dimensions));
            Ok(())
        })?;
        return Ok(());
    }
    let sketches = Sketches::read(store, dataset, dimensions, known.as_deref())?;
    sketches.blocks.iter().for_each(|(_, block)| show(block));
    let bytes = sketches.bytes();
    store.memo().keep(key, Arc::new(sketches), bytes);
    Ok(())
}

impl Sketches {
    /// Reads a dataset, except for the blocks that are known.
    fn read(store: &Store<'_>, dataset: i64, dimensions: usize, known: Option<&Self>) -> Result<Self, Fault> {
        let sql = "SELECT block, digest FROM sketches WHERE dataset = ? ORDER BY block";
        let digests = store.all(sql, [dataset], |row| Ok((row.get::<_, i64>(0)?, Id::new(row.get(1)?))))?;
        let mut known = known.map_or(&[][..], |known| known.blocks.as_slice()).iter();
        let mut blocks = Vec::with_capacity(digests.len());
        for (number, digest) in digests {
            if let Some((_, block)) = known.next().filter(|(known, _)| *known == digest) {
                blocks.push((digest, Arc::clone(block)));
                continue;
            }
            let sql = "SELECT bytes FROM sketches WHERE dataset = ? AND block = ?";
            let read = |row: &rusqlite::Row<'_>| Ok(Block::read(row.get_ref(0)?.as_blob()?, dimensions));
            let block = store.first(sql, (dataset, number), read)?.unwrap_or_default();
            blocks.push((digest, Arc::new(block)));
        }
        Ok(Self { blocks })
    }

    /// The digest of all of them.
    fn digest(&self) -> Option<Id> {
        self.blocks.last().map(|(digest, _)| *digest)
    }

    fn bytes(&self) -> usize {
        self.blocks.iter().map(|(_, block)| block.bytes() + size_of::<(Id, Arc<Block>)>()).sum()
    }
}
