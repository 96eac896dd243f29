//! The sketches of a dataset, block by block, and if there is room the vectors themselves. A search needs all sketches, so
//! they are read from the tables once and then kept in memory, each block with its digest. That digest is of all records of
//! the dataset up to the end of the block, and a record has one vector: if it is the digest in the tables, the block is as
//! it is there, whatever was rolled back or rebuilt in the meantime. What differs, usually the last block, is read again.

use std::sync::Arc;

use ao::Id;
use rusqlite::Row;

use super::sketch::{Block, RECORDS_PER_BLOCK};
use crate::{Fault, Store};

/// The sketches of a dataset as they are kept.
#[derive(Debug)]
pub(super) struct Sketches {
    dimensions: usize,
    blocks: Vec<(Id, Arc<Block>)>,
}

/// What is read of a dataset.
#[derive(Debug, Clone, Copy)]
struct Scope {
    dataset: i64,
    /// Numbers of a vector.
    dimensions: usize,
    /// Also the vectors themselves.
    with_vectors: bool,
}

/// Shows every block of a dataset, whose vectors have so many numbers, in order: from memory, or from the tables if there is
/// no room in memory. What is kept is given back.
pub(super) fn each(
    store: &Store<'_>,
    process: Id,
    dataset: i64,
    dimensions: usize,
    mut show: impl FnMut(&Block),
) -> Result<Option<Arc<Sketches>>, Fault> {
    let sql = "SELECT digest FROM sketches WHERE dataset = ? ORDER BY block DESC LIMIT 1";
    let Some(digest) = store.first(sql, [dataset], |row| Ok(Id::new(row.get(0)?)))? else { return Ok(None) };
    let key = (process, dataset);
    let mut kept = store.memo().get::<Sketches>(key);
    if kept.as_ref().is_none_or(|kept| kept.digest() != Some(digest)) {
        kept = Scope::that_fits(store, dataset, dimensions)?
            .map(|scope| Sketches::read(store, scope, kept.as_deref()).map(Arc::new))
            .transpose()?;
        if let Some(kept) = &kept {
            store.memo().keep(key, Arc::clone(kept), kept.bytes());
        }
    }
    match &kept {
        Some(kept) => kept.blocks.iter().for_each(|(_, block)| show(block)),
        None => {
            store.all("SELECT bytes FROM sketches WHERE dataset = ? ORDER BY block", [dataset], |row| {
                show(&Block::read(row.get_ref(0)?.as_blob()?, dimensions));
                Ok(())
            })?;
        }
    }
    Ok(kept)
}

impl Scope {
    /// The most of a dataset that there is room for in memory.
    fn that_fits(store: &Store<'_>, dataset: i64, dimensions: usize) -> Result<Option<Self>, Fault> {
        let sql = "SELECT count(*), coalesce(sum(length(bytes)), 0), coalesce(sum(records), 0)
                   FROM sketches WHERE dataset = ?";
        let sums = store.first(sql, [dataset], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        let (blocks, bytes, records): (usize, usize, usize) = sums.unwrap_or_default();
        let sketches = bytes + blocks * (size_of::<Block>() + size_of::<(Id, Arc<Block>)>());
        let vectors = records * dimensions * size_of::<f32>();
        let scope = |with_vectors| Self { dataset, dimensions, with_vectors };
        let has_room = |bytes| store.memo().has_room(bytes);
        Ok(if has_room(sketches + vectors) { Some(scope(true)) } else { has_room(sketches).then(|| scope(false)) })
    }
}

impl Sketches {
    /// Reads a dataset, except for the blocks that are known.
    fn read(store: &Store<'_>, scope: Scope, known: Option<&Self>) -> Result<Self, Fault> {
        let sql = "SELECT block, digest FROM sketches WHERE dataset = ? ORDER BY block";
        let digests = store.all(sql, [scope.dataset], |row| Ok((row.get::<_, i64>(0)?, Id::new(row.get(1)?))))?;
        let mut known = known.map_or(&[][..], |known| known.blocks.as_slice()).iter();
        let mut blocks = Vec::with_capacity(digests.len());
        for (number, digest) in digests {
            let same =
                |known: &&(Id, Arc<Block>)| known.0 == digest && known.1.vectors.is_empty() != scope.with_vectors;
            let block = match known.next().filter(same) {
                Some((_, block)) => Arc::clone(block),
                None => Arc::new(read_block(store, scope, number)?),
            };
            blocks.push((digest, block));
        }
        Ok(Self { dimensions: scope.dimensions, blocks })
    }

    /// The digest of all of them.
    fn digest(&self) -> Option<Id> {
        self.blocks.last().map(|(digest, _)| *digest)
    }

    fn bytes(&self) -> usize {
        self.blocks.iter().map(|(_, block)| block.bytes() + size_of::<(Id, Arc<Block>)>()).sum()
    }

    /// The vector in this place, as it is stored, if vectors are kept.
    pub(super) fn vector(&self, place: usize) -> Option<&[u8]> {
        let (_, block) = self.blocks.get(place / RECORDS_PER_BLOCK)?;
        block.vectors.chunks_exact(self.dimensions * size_of::<f32>()).nth(place % RECORDS_PER_BLOCK)
    }
}

fn read_block(store: &Store<'_>, scope: Scope, number: i64) -> Result<Block, Fault> {
    let sql = "SELECT bytes FROM sketches WHERE dataset = ? AND block = ?";
    let read = |row: &Row<'_>| Ok(Block::read(row.get_ref(0)?.as_blob()?, scope.dimensions));
    let mut block = store.first(sql, (scope.dataset, number), read)?.unwrap_or_default();
    if scope.with_vectors {
        let mut vectors = Vec::with_capacity(block.documents.len() * scope.dimensions * size_of::<f32>());
        let sql = "SELECT vector FROM vectors WHERE dataset = ? AND number = ?";
        for document in &block.documents {
            store.first(sql, (scope.dataset, document), |row| {
                vectors.extend_from_slice(row.get_ref(0)?.as_blob()?);
                Ok(())
            })?;
        }
        block.vectors = vectors;
    }
    Ok(block)
}
