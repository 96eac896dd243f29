//! The vectors of documents: kept, and compared with one.

use ao::{Id, hash_parts};
use rusqlite::Row;

use super::sieve::Sieve;
use super::similarity::{Best, Hit, dot};
use super::sketch::{RECORDS_PER_BLOCK, Sketch};
use super::sketches;
use crate::herder::embedding::Embedding;
use crate::{Fault, Store};

/// The last block of a dataset, which the next sketches go into.
struct Tail {
    block: i64,
    records: usize,
    /// Of all records of the dataset so far.
    digest: Id,
    bytes: Vec<u8>,
}

/// Keeps the vectors of documents that had none.
pub(super) fn keep(store: &mut Store<'_>, dataset: i64, vectors: &[(u64, &Embedding)]) -> Result<(), Fault> {
    if vectors.is_empty() {
        return Ok(());
    }
    let sql = "SELECT block, records, digest, bytes FROM sketches WHERE dataset = ? ORDER BY block DESC LIMIT 1";
    let read = |row: &Row<'_>| {
        let (block, records, digest) = (row.get(0)?, row.get(1)?, Id::new(row.get(2)?));
        Ok(Tail { block, records, digest, bytes: row.get(3)? })
    };
    let first = || Tail { block: 1, records: 0, digest: hash_parts(&[]), bytes: Vec::new() };
    let mut tail = store.first(sql, [dataset], read)?.unwrap_or_else(first);
    for (number, embedding) in vectors {
        let sql = "INSERT INTO vectors (dataset, number, vector) VALUES (?, ?, ?)";
        store.execute(sql, (dataset, number, embedding.to_bytes()))?;
        if tail.records >= RECORDS_PER_BLOCK {
            write(store, dataset, &tail)?;
            tail = Tail { block: tail.block + 1, records: 0, digest: tail.digest, bytes: Vec::new() };
        }
        let document = u32::try_from(*number).map_err(|_| Fault::BadData(format!("there is no document {number}")))?;
        let record = Sketch::record(document, embedding.numbers());
        tail.digest = hash_parts(&[tail.digest.as_bytes(), &record]);
        tail.records += 1;
        tail.bytes.extend_from_slice(&record);
    }
    write(store, dataset, &tail)
}

fn write(store: &mut Store<'_>, dataset: i64, tail: &Tail) -> Result<(), Fault> {
    let sql = "INSERT INTO sketches (dataset, block, records, digest, bytes) VALUES (?, ?, ?, ?, ?)
               ON CONFLICT (dataset, block) DO UPDATE
               SET records = excluded.records, digest = excluded.digest, bytes = excluded.bytes";
    store.execute(sql, (dataset, tail.block, tail.records, tail.digest.as_bytes(), &tail.bytes))?;
    Ok(())
}

/// Takes the vectors of a dataset away.
pub(super) fn delete(store: &mut Store<'_>, dataset: i64) -> Result<(), Fault> {
    store.execute("DELETE FROM vectors WHERE dataset = ?", [dataset])?;
    store.execute("DELETE FROM sketches WHERE dataset = ?", [dataset])?;
    Ok(())
}

/// How many documents of a dataset have their vector.
pub(super) fn count(store: &Store<'_>, dataset: i64) -> Result<u64, Fault> {
    let sql = "SELECT block, records FROM sketches WHERE dataset = ? ORDER BY block DESC LIMIT 1";
    let last = store.first(sql, [dataset], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, u64>(1)?)))?;
    Ok(last.map_or(0, |(block, records)| (block - 1) * RECORDS_PER_BLOCK as u64 + records))
}

/// The documents of a dataset that are most like a vector: exactly those that comparing with all of them finds.
pub(super) fn nearest(
    store: &Store<'_>,
    process: Id,
    dataset: i64,
    embedding: &Embedding,
    most: usize,
) -> Result<Vec<Hit>, Fault> {
    let mut sieve = Sieve::new(embedding.numbers(), most);
    sketches::each(store, process, dataset, embedding.numbers().len(), |block| sieve.look_at(block))?;
    let sql = "SELECT vector FROM vectors WHERE dataset = ? AND number = ?";
    let mut best = Best::new(most);
    for candidate in sieve.left() {
        // The others are not above this one.
        if best.least().is_some_and(|least| candidate.upper < least) {
            break;
        }
        let score = |row: &Row<'_>| Ok(dot(embedding.numbers(), row.get_ref(0)?.as_blob()?));
        if let Some(score) = store.first(sql, (dataset, candidate.document), score)? {
            best.insert(Hit { number: candidate.document, score });
        }
    }
    Ok(best.into_hits())
}
