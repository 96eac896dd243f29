//! Which examples stand before which document.

use super::config::Config;
use super::ports::Document;
use crate::TaskError;
use crate::python::random::Random;

/// The examples that are drawn for all documents, in the order of the documents: one stream of random numbers serves
/// them all, so leaving documents out or taking them in another order changes every prompt.
pub(super) fn drawn(
    config: &Config,
    pool: &[Document],
    documents: &[Document],
    count: usize,
    seed: u64,
) -> Result<Vec<Vec<usize>>, TaskError> {
    if count == 0 {
        return Ok(vec![Vec::new(); documents.len()]);
    }
    let mut random = Random::new(seed);
    documents
        .iter()
        .map(|document| {
            // lm-evaluation-harness takes the document itself out only if the examples' split is the test split; that
            // is also so if neither is given.
            let itself = (config.fewshot.split == config.test_split).then_some(document);
            if config.fewshot.first_n { first(pool, count, itself) } else { sample(&mut random, pool, count, itself) }
        })
        .collect()
}

fn too_few(needed: usize, pool: usize) -> TaskError {
    TaskError::Key {
        key: "num_fewshot",
        value: needed.to_string(),
        reason: format!("and there are {pool} documents to draw examples from"),
    }
}

fn first(pool: &[Document], count: usize, itself: Option<&Document>) -> Result<Vec<usize>, TaskError> {
    let others = (0..pool.len()).filter(|place| Some(&pool[*place]) != itself);
    let chosen: Vec<usize> = others.take(count).collect();
    if chosen.len() < count { Err(too_few(count, pool.len())) } else { Ok(chosen) }
}

fn sample(
    random: &mut Random,
    pool: &[Document],
    count: usize,
    itself: Option<&Document>,
) -> Result<Vec<usize>, TaskError> {
    let Some(itself) = itself else {
        return random.sample(pool.len(), count).ok_or_else(|| too_few(count, pool.len()));
    };
    // One more is drawn, and the document itself is left out, or else the last one.
    let drawn = random.sample(pool.len(), count + 1).ok_or_else(|| too_few(count + 1, pool.len()))?;
    let mut others: Vec<usize> = drawn.into_iter().filter(|place| pool[*place] != *itself).collect();
    others.truncate(count);
    if others.len() < count {
        // The pool holds the document more than once.
        let rest: Vec<usize> = (0..pool.len()).filter(|place| pool[*place] != *itself).collect();
        let drawn = random.sample(rest.len(), count).ok_or_else(|| too_few(count, rest.len()))?;
        others = drawn.into_iter().map(|place| rest[place]).collect();
    }
    Ok(others)
}
