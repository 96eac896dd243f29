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
    let sketches = sketches::each(store, process, dataset, embedding.numbers().len(), |block| sieve.look_at(block))?;
    let kept = |place| sketches.as_ref().and_then(|sketches| sketches.vector(place));
    let sql = "SELECT vector FROM vectors WHERE dataset = ? AND number = ?";
    let mut best = Best::new(most);
    for candidate in sieve.left() {
        // The others are not above this one.
        if best.least().is_some_and(|least| candidate.upper < least) {
            break;
        }
        let read = |row: &Row<'_>| Ok(dot(embedding.numbers(), row.get_ref(0)?.as_blob()?));
        let score = match kept(candidate.place) {
            Some(vector) => Some(dot(embedding.numbers(), vector)),
            None => store.first(sql, (dataset, candidate.document), read)?,
        };
        if let Some(score) = score {
            best.insert(Hit { number: candidate.document, score });
        }
    }
    Ok(best.into_hits())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::Connection;

    use super::*;
    use crate::knowledge::schema;
    use crate::{Database, Memo};

    const PROCESS: Id = Id::new([7; 32]);
    const DATASET: i64 = 1;
    /// Not a multiple of what is added side by side.
    const DIMENSIONS: usize = 70;

    fn database(memo: &Memo) -> Database {
        let database = Database::new(Connection::open_in_memory().unwrap(), memo.clone()).unwrap();
        database.handle(schema::create).unwrap();
        database
    }

    fn unit(numbers: &[f32]) -> Embedding {
        let length = numbers.iter().map(|&number| f64::from(number).powi(2)).sum::<f64>().sqrt();
        Embedding::new(numbers.iter().map(|&number| (f64::from(number) / length) as f32).collect()).unwrap()
    }

    fn add(database: &Database, from: u64, embeddings: &[Embedding]) {
        let numbered: Vec<(u64, &Embedding)> = (from..).zip(embeddings).collect();
        database.handle(|store| keep(store, DATASET, &numbered)).unwrap();
    }

    fn search(database: &Database, prompt: &Embedding, most: usize) -> Vec<Hit> {
        database.handle(|store| nearest(store, PROCESS, DATASET, prompt, most)).unwrap()
    }

    /// What comparing with every vector finds, the vectors numbered from 1.
    fn by_comparing_with_all(embeddings: &[Embedding], prompt: &Embedding, most: usize) -> Vec<Hit> {
        let score = |embedding: &Embedding| dot(prompt.numbers(), &embedding.to_bytes());
        let mut hits: Vec<Hit> =
            (1..).zip(embeddings.iter().map(score)).map(|(number, score)| Hit { number, score }).collect();
        hits.sort_by(|one, other| other.score.total_cmp(&one.score).then(one.number.cmp(&other.number)));
        hits.truncate(most);
        hits
    }

    /// A vector near or far from others: the same as the first, a few last bits beside it, in one cluster with it, random,
    /// or with one number so large that the sketch of all others is coarse.
    fn vector() -> impl Strategy<Value = Embedding> {
        let noise = prop::collection::vec(-1.0_f32..1.0, DIMENSIONS);
        (0..5_u8, noise, 0..DIMENSIONS).prop_map(|(kind, noise, place)| {
            let middle = |number: usize| ((number * 37 % 101) as f32 - 50.0) / 50.0;
            let mut numbers: Vec<f32> = (0..DIMENSIONS).map(middle).collect();
            match kind {
                0 => {}
                1 => numbers[place] = numbers[place].next_up(),
                2 => numbers.iter_mut().zip(&noise).for_each(|(number, noise)| *number += noise * 1e-3),
                3 => numbers = noise,
                _ => {
                    numbers = noise.iter().map(|noise| noise * 1e-2).collect();
                    numbers[place] = 1.0;
                }
            }
            numbers[0] += 1e-6;
            unit(&numbers)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_search_finds_what_comparing_with_all_finds_with_and_without_memory(
            batches in prop::collection::vec(prop::collection::vec(vector(), 0..40), 1..14),
            prompts in prop::collection::vec(vector(), 3), most in 1_usize..60,
        ) {
            let memories = [Memo::new(0), Memo::new(10_000), Memo::new(50_000), Memo::new(1 << 20)];
            let databases = memories.each_ref().map(database);
            let mut all = Vec::new();
            for batch in &batches {
                databases.iter().for_each(|database| add(database, all.len() as u64 + 1, batch));
                all.extend_from_slice(batch);
                for prompt in &prompts {
                    let expected = by_comparing_with_all(&all, prompt, most);
                    for database in &databases {
                        prop_assert_eq!(&search(database, prompt, most), &expected);
                    }
                }
            }
            prop_assert_eq!(databases[0].handle(|store| count(store, DATASET)).unwrap(), all.len() as u64);
            prop_assert_eq!(memories[0].bytes(), 0);
            prop_assert!(memories[1].bytes() <= 10_000 && memories[2].bytes() <= 50_000);
        }
    }

    #[test]
    fn what_was_rolled_back_is_not_found_though_it_was_in_memory() {
        let memo = Memo::new(1 << 20);
        let database = database(&memo);
        let towards = |place: usize| {
            let mut numbers = vec![0.0; DIMENSIONS];
            (numbers[place], numbers[0]) = (1.0, 0.5);
            unit(&numbers)
        };
        let all: Vec<Embedding> = (1..DIMENSIONS).map(towards).collect();
        add(&database, 1, &all[..60]);
        let prompt = &all[65];
        assert_eq!(search(&database, prompt, 3), by_comparing_with_all(&all[..60], prompt, 3));

        database.connection().execute_batch("SAVEPOINT message").unwrap();
        add(&database, 61, &all[60..]);
        assert_eq!(search(&database, prompt, 1)[0].number, 66);
        database.connection().execute_batch("ROLLBACK TO message; RELEASE message").unwrap();
        assert_eq!(search(&database, prompt, 3), by_comparing_with_all(&all[..60], prompt, 3));

        // As many others in their place: the tables differ from what was in memory by nothing but the numbers.
        let others: Vec<Embedding> = all[..60].iter().chain(&all[..9]).cloned().collect();
        add(&database, 61, &others[60..]);
        assert_eq!(search(&database, prompt, 69), by_comparing_with_all(&others, prompt, 69));
        assert!(memo.bytes() > 60 * DIMENSIONS * (size_of::<i8>() + size_of::<f32>()));
        database.handle(|store| delete(store, DATASET)).unwrap();
        assert_eq!(search(&database, prompt, 3), []);
    }
}
