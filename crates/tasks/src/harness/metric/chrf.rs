//! chrF and chrF++ (Popović, 2015 and 2017) of a corpus: F2 over runs of up to 6 characters, and for chrF++ of up to 2
//! words, with the defaults of sacrebleu.

use std::collections::BTreeMap;

use crate::python::text::words;

const CHARACTERS: usize = 6;
const WORDS: usize = 2;

/// How much more recall counts than precision, squared.
const BETA_SQUARED: f64 = 4.0;

/// For each order: runs of the answer, of the reference, and of both. Those of all answers are added up.
#[derive(Debug, Clone, Default)]
pub(in super::super) struct Counts(Vec<[u64; 3]>);

/// Counts one answer against the reference with which it scores best, the first of equals.
pub(in super::super) fn counts(answer: &str, references: &[&str], with_words: bool) -> Counts {
    let mut best: Option<(f64, Counts)> = None;
    for reference in references {
        let counts = against(answer, reference, with_words);
        let score = f_score(&counts.0);
        if best.as_ref().is_none_or(|(highest, _)| score > *highest) {
            best = Some((score, counts));
        }
    }
    best.map(|(_, counts)| counts).unwrap_or_default()
}

fn against(answer: &str, reference: &str, with_words: bool) -> Counts {
    let characters = |text: &str| words(text).flat_map(str::chars).collect::<Vec<char>>();
    let (answer_characters, reference_characters) = (characters(answer), characters(reference));
    let mut all: Vec<[u64; 3]> =
        (1..=CHARACTERS).map(|order| matched(&answer_characters, &reference_characters, order)).collect();
    if with_words {
        let (answer_words, reference_words) = (separated(answer), separated(reference));
        all.extend((1..=WORDS).map(|order| matched(&answer_words, &reference_words, order)));
    }
    Counts(all)
}

fn matched<T: Ord>(answer: &[T], reference: &[T], order: usize) -> [u64; 3] {
    let count = |items: &[T]| (items.len() + 1).saturating_sub(order) as u64;
    let mut left: BTreeMap<&[T], u64> = BTreeMap::new();
    for run in reference.windows(order) {
        *left.entry(run).or_default() += 1;
    }
    let mut both = 0;
    for run in answer.windows(order) {
        if let Some(count) = left.get_mut(run).filter(|count| **count > 0) {
            *count -= 1;
            both += 1;
        }
    }
    // Runs of the answer do not count where the reference is too short to have any.
    let of_reference = count(reference);
    [if of_reference == 0 { 0 } else { count(answer) }, of_reference, both]
}

/// The words of a text, with one sign of punctuation at the end, or else at the beginning, as a word of its own.
fn separated(text: &str) -> Vec<&str> {
    let mut out = Vec::new();
    for word in words(text) {
        let last = word.char_indices().next_back().map_or(0, |(place, _)| place);
        if last == 0 {
            out.push(word);
        } else if word.ends_with(|character: char| character.is_ascii_punctuation()) {
            out.extend([&word[..last], &word[last..]]);
        } else if word.starts_with(|character: char| character.is_ascii_punctuation()) {
            out.extend([&word[..1], &word[1..]]);
        } else {
            out.push(word);
        }
    }
    out
}

/// The score of the answers whose counts these are, from 0 to 100.
pub(in super::super) fn score<'a>(all: impl Iterator<Item = &'a Counts>) -> f64 {
    let mut sum: Vec<[u64; 3]> = Vec::new();
    for counts in all {
        sum.resize(sum.len().max(counts.0.len()), [0; 3]);
        for (total, added) in sum.iter_mut().zip(&counts.0) {
            (0..3).for_each(|place| total[place] += added[place]);
        }
    }
    f_score(&sum)
}

fn f_score(counts: &[[u64; 3]]) -> f64 {
    let (mut precision, mut recall, mut orders) = (0.0, 0.0, 0.0);
    for [answer, reference, both] in counts {
        if *answer > 0 && *reference > 0 {
            precision += *both as f64 / *answer as f64;
            recall += *both as f64 / *reference as f64;
            orders += 1.0;
        }
    }
    if precision + recall == 0.0 {
        return 0.0;
    }
    let (precision, recall) = (precision / orders, recall / orders);
    100.0 * ((1.0 + BETA_SQUARED) * precision * recall / (BETA_SQUARED * precision + recall))
}
