//! Translation edit rate (Snover et al., 2006): edits of words and shifts of runs of words that turn an answer into a
//! reference, per word of the reference. Which shifts are tried, and which one is taken, are those of Tercom as
//! sacrebleu has them by default (small letters, no other tokenizing).

use std::cmp::Reverse;
use std::collections::BTreeMap;

use crate::python::text::{strip_end, words};

/// The longest run that is shifted.
const SHIFT_WORDS_MAX: usize = 10;

/// How far apart a run and its match may begin.
const SHIFT_DISTANCE_MAX: usize = 50;

/// Shifts that are tried for one answer.
const SHIFTS_TRIED_MAX: usize = 1000;

/// Columns to each side of the diagonal that are looked at.
const BEAM: usize = 25;

/// Edits, and words of the references on average; those of all answers are added up.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct Counts {
    edits: f64,
    words: f64,
}

/// Counts one answer against the reference that takes the fewest edits.
pub(in super::super) fn counts(answer: &str, references: &[&str]) -> Counts {
    let answer = tokens(answer);
    let references: Vec<Vec<String>> = references.iter().map(|reference| tokens(reference)).collect();
    let edits = references.iter().map(|reference| edits(&answer, reference)).min();
    let words: usize = references.iter().map(Vec::len).sum();
    Counts {
        edits: edits.unwrap_or_default() as f64,
        words: if references.is_empty() { 0.0 } else { words as f64 / references.len() as f64 },
    }
}

/// The rate of the answers whose counts these are, in percent.
pub(in super::super) fn score<'a>(all: impl Iterator<Item = &'a Counts>) -> f64 {
    let (mut edits, mut words) = (0.0, 0.0);
    for counts in all {
        edits += counts.edits;
        words += counts.words;
    }
    if words > 0.0 {
        100.0 * (edits / words)
    } else if edits > 0.0 {
        100.0
    } else {
        0.0
    }
}

fn tokens(text: &str) -> Vec<String> {
    words(&strip_end(text).to_lowercase()).map(str::to_owned).collect()
}

/// One step of turning an answer into a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Keep,
    Replace,
    /// A word of the reference that the answer lacks.
    Insert,
    /// A word of the answer that the reference lacks.
    Delete,
}

/// Words as numbers, so that comparing them is cheap.
fn edits(answer: &[String], reference: &[String]) -> usize {
    if reference.is_empty() {
        return answer.len();
    }
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut number = |word| {
        let next = numbers.len();
        *numbers.entry(word).or_insert(next)
    };
    let mut current: Vec<usize> = answer.iter().map(|word| number(word.as_str())).collect();
    let reference: Vec<usize> = reference.iter().map(|word| number(word.as_str())).collect();
    let (mut shifts, mut tried) = (0, 0);
    loop {
        let (gain, shifted) = best_shift(&current, &reference, &mut tried);
        // The shift of a round that reaches the limit is not taken, whatever it gains.
        if tried >= SHIFTS_TRIED_MAX || gain <= 0 {
            break;
        }
        shifts += 1;
        current = shifted;
    }
    shifts + distance(&current, &reference).0
}

/// What a shift gains, how long it is, where it is from and where it goes.
type Rank = (i64, usize, Reverse<usize>, Reverse<usize>);

/// The shift that gains most, of equals the longest, then the one from furthest ahead, then to furthest ahead; what it
/// gains, and the words after it.
fn best_shift(answer: &[usize], reference: &[usize], tried: &mut usize) -> (i64, Vec<usize>) {
    let (before, steps) = distance(answer, reference);
    let alignment = Alignment::new(&steps);
    let mut best: Option<(Rank, Vec<usize>)> = None;
    for (start, target, length) in matching_runs(answer, reference) {
        let wrong_answer = alignment.answer_wrong[start..start + length].iter().any(|wrong| *wrong);
        let wrong_reference = alignment.reference_wrong[target..target + length].iter().any(|wrong| *wrong);
        let place = alignment.place[target];
        let within = place >= start as i64 && place < (start + length) as i64;
        if !wrong_answer || !wrong_reference || within {
            continue;
        }
        let mut previous = None;
        for offset in 0..=length {
            // Behind the word that stands for the reference's word before; at the beginning if there is none.
            let to = match (target + offset).checked_sub(1) {
                None => 0,
                Some(before) => match alignment.place.get(before) {
                    Some(place) => (place + 1) as usize,
                    None => break,
                },
            };
            if previous == Some(to) {
                continue;
            }
            previous = Some(to);
            let shifted = shifted(answer, start, length, to);
            let gain = before as i64 - distance(&shifted, reference).0 as i64;
            *tried += 1;
            let rank = (gain, length, Reverse(start), Reverse(to));
            if best.as_ref().is_none_or(|(highest, _)| rank > *highest) {
                best = Some((rank, shifted));
            }
        }
        if *tried >= SHIFTS_TRIED_MAX {
            break;
        }
    }
    best.map_or_else(|| (0, answer.to_vec()), |((gain, ..), shifted)| (gain, shifted))
}

/// Where each word of the reference stands in the answer, and which words of both are wrong.
struct Alignment {
    /// -1 before the first word of the answer.
    place: Vec<i64>,
    answer_wrong: Vec<bool>,
    reference_wrong: Vec<bool>,
}

impl Alignment {
    fn new(steps: &[Step]) -> Self {
        let mut alignment = Self { place: Vec::new(), answer_wrong: Vec::new(), reference_wrong: Vec::new() };
        let mut place = -1;
        for step in steps {
            if matches!(step, Step::Keep | Step::Replace | Step::Delete) {
                place += 1;
                alignment.answer_wrong.push(*step != Step::Keep);
            }
            if matches!(step, Step::Keep | Step::Replace | Step::Insert) {
                alignment.place.push(place);
                alignment.reference_wrong.push(*step != Step::Keep);
            }
        }
        alignment
    }
}

/// The runs that answer and reference share: where they begin in each, and how long they are.
fn matching_runs<'a>(answer: &'a [usize], reference: &'a [usize]) -> impl Iterator<Item = (usize, usize, usize)> + 'a {
    (0..answer.len()).flat_map(move |start| {
        let near = (0..reference.len()).filter(move |target| target.abs_diff(start) <= SHIFT_DISTANCE_MAX);
        near.flat_map(move |target| {
            let pairs = answer[start..].iter().zip(&reference[target..]).take(SHIFT_WORDS_MAX);
            let longest = pairs.take_while(|(word, other)| word == other).count();
            (1..=longest).map(move |length| (start, target, length))
        })
    })
}

/// The words with a run moved to another place.
fn shifted(words: &[usize], start: usize, length: usize, to: usize) -> Vec<usize> {
    let run = &words[start..start + length];
    let (before, behind) = (&words[..start], &words[start + length..]);
    if to < start {
        [&words[..to], run, &words[to..start], behind].concat()
    } else if to > start + length {
        [before, &words[start + length..to], run, &words[to..]].concat()
    } else {
        // Within itself it moves on by so many words as it was to be moved.
        let end = (length + to).min(words.len());
        [before, &words[start + length..end], run, &words[end..]].concat()
    }
}

/// The edit distance along the diagonal, and its steps.
fn distance(answer: &[usize], reference: &[usize]) -> (usize, Vec<Step>) {
    const FAR: usize = usize::MAX / 2;
    let columns = reference.len() + 1;
    let mut table = vec![(FAR, None); (answer.len() + 1) * columns];
    for (column, cell) in table.iter_mut().take(columns).enumerate() {
        *cell = (column, Some(Step::Insert));
    }
    let ratio = if answer.is_empty() { 1.0 } else { reference.len() as f64 / answer.len() as f64 };
    let half = ratio / 2.0;
    let beam = if (BEAM as f64) < half { (half + BEAM as f64).ceil() as usize } else { BEAM };
    for row in 1..=answer.len() {
        let diagonal = (row as f64 * ratio).floor() as usize;
        let last = if row == answer.len() { columns } else { columns.min(diagonal + beam) };
        for column in diagonal.saturating_sub(beam)..last {
            let above = table[(row - 1) * columns + column].0;
            let mut cell = table[row * columns + column];
            if column == 0 {
                cell = (above + 1, Some(Step::Delete));
            } else {
                let same = answer[row - 1] == reference[column - 1];
                let step = if same { Step::Keep } else { Step::Replace };
                let ways = [
                    (table[(row - 1) * columns + column - 1].0 + usize::from(!same), step),
                    (above + 1, Step::Delete),
                    (table[row * columns + column - 1].0 + 1, Step::Insert),
                ];
                for (cost, step) in ways {
                    if cell.0 > cost {
                        cell = (cost, Some(step));
                    }
                }
            }
            table[row * columns + column] = cell;
        }
    }
    let steps = traced(&table, answer.len(), reference.len());
    (table[table.len() - 1].0, steps)
}

fn traced(table: &[(usize, Option<Step>)], answer: usize, reference: usize) -> Vec<Step> {
    let (mut row, mut column) = (answer, reference);
    let mut steps = Vec::new();
    while row > 0 || column > 0 {
        let Some(step) = table[row * (reference + 1) + column].1 else { break };
        steps.push(step);
        row -= usize::from(step != Step::Insert);
        column -= usize::from(step != Step::Delete);
    }
    steps.reverse();
    steps
}
