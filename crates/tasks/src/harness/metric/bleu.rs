//! BLEU (Papineni et al., 2002) of a corpus, with the tokenizer `13a` and the exponential smoothing of mteval-v13a, the
//! defaults of sacrebleu.

use std::collections::BTreeMap;

use crate::python::text::{strip_end, words};

/// The longest run of words that is counted.
const ORDER: usize = 4;

/// What is counted in one answer; those of all answers are added up.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct Counts {
    answer_words: u64,
    reference_words: u64,
    matched: [u64; ORDER],
    total: [u64; ORDER],
}

/// Counts one answer against its references.
pub(in super::super) fn counts(answer: &str, references: &[&str]) -> Counts {
    let answer = tokens(answer);
    let references: Vec<Vec<String>> = references.iter().map(|reference| tokens(reference)).collect();
    // The reference whose length is closest; of equally close ones the shorter.
    let closest = references.iter().map(Vec::len).min_by_key(|length| (length.abs_diff(answer.len()), *length));
    let mut counts = Counts {
        answer_words: answer.len() as u64,
        reference_words: closest.unwrap_or_default() as u64,
        ..Counts::default()
    };
    for order in 1..=ORDER {
        let mut allowed: BTreeMap<&[String], u64> = BTreeMap::new();
        for reference in &references {
            for (run, count) in runs(reference, order) {
                let most = allowed.entry(run).or_default();
                *most = (*most).max(count);
            }
        }
        for (run, count) in runs(&answer, order) {
            counts.total[order - 1] += count;
            counts.matched[order - 1] += count.min(allowed.get(run).copied().unwrap_or_default());
        }
    }
    counts
}

/// The score of the answers whose counts these are, from 0 to 100.
pub(in super::super) fn score<'a>(all: impl Iterator<Item = &'a Counts>) -> f64 {
    let mut sum = Counts::default();
    for counts in all {
        sum.answer_words += counts.answer_words;
        sum.reference_words += counts.reference_words;
        for order in 0..ORDER {
            sum.matched[order] += counts.matched[order];
            sum.total[order] += counts.total[order];
        }
    }
    if sum.matched.iter().all(|count| *count == 0) {
        return 0.0;
    }
    let brevity = match sum.answer_words {
        0 => 0.0,
        words if words < sum.reference_words => (1.0 - sum.reference_words as f64 / words as f64).exp(),
        _ => 1.0,
    };
    let mut smoothing = 1.0;
    let mut logarithms = 0.0;
    for order in 0..ORDER {
        let total = sum.total[order] as f64;
        let precision = match (sum.matched[order], sum.total[order]) {
            (_, 0) => 0.0,
            (0, _) => {
                smoothing *= 2.0;
                100.0 / (smoothing * total)
            }
            (matched, _) => 100.0 * matched as f64 / total,
        };
        // The logarithm of nothing is a very small number there.
        logarithms += if precision == 0.0 { -9_999_999_999.0 } else { precision.ln() };
    }
    brevity * (logarithms / ORDER as f64).exp()
}

fn runs(words: &[String], order: usize) -> BTreeMap<&[String], u64> {
    let mut counts = BTreeMap::new();
    for run in words.windows(order) {
        *counts.entry(run).or_default() += 1;
    }
    counts
}

/// The words of a text after the rules of mteval-v13a: punctuation stands alone, but for points and commas between
/// digits.
fn tokens(text: &str) -> Vec<String> {
    let mut line = strip_end(text).replace("<skipped>", "").replace("-\n", "").replace('\n', " ");
    if line.contains('&') {
        line = line.replace("&quot;", "\"").replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">");
    }
    let mut spaced: Vec<char> = Vec::with_capacity(line.len() * 2);
    for character in format!(" {line} ").chars() {
        if is_separate(character) {
            spaced.extend([' ', character, ' ']);
        } else {
            spaced.push(character);
        }
    }
    let point = |character: &char| matches!(character, '.' | ',');
    let digit = |character: &char| character.is_ascii_digit();
    let spaced = replaced(&spaced, |first, second| {
        (!digit(&first) && point(&second)).then_some([first, ' ', second, ' '].to_vec())
    });
    let spaced = replaced(&spaced, |first, second| {
        (point(&first) && !digit(&second)).then_some([' ', first, ' ', second].to_vec())
    });
    let spaced =
        replaced(&spaced, |first, second| (digit(&first) && second == '-').then_some([first, ' ', '-', ' '].to_vec()));
    words(&spaced.into_iter().collect::<String>()).map(str::to_owned).collect()
}

/// Punctuation and signs of ASCII without `'`, `,`, `-` and `.`, and without digits and letters.
fn is_separate(character: char) -> bool {
    matches!(character, '{'..='~' | '['..='`' | ' '..='&' | '('..='+' | ':'..='@' | '/')
}

/// Replaces pairs of neighbours from left to right; no character is in two pairs.
fn replaced(text: &[char], rule: impl Fn(char, char) -> Option<Vec<char>>) -> Vec<char> {
    let mut out = Vec::with_capacity(text.len() + 8);
    let mut place = 0;
    while let Some(first) = text.get(place) {
        if let Some(new) = text.get(place + 1).and_then(|second| rule(*first, *second)) {
            out.extend(new);
            place += 2;
        } else {
            out.push(*first);
            place += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_mteval() {
        let joined = |text| tokens(text).join(" ");
        assert_eq!(
            joined("Hello, \"world\"! It's 3.14, or 1,000-2; a-b.\n"),
            "Hello , \" world \" ! It's 3.14 , or 1,000 - 2 ; a-b ."
        );
        assert_eq!(joined("&lt;b&gt; .. x"), "< b > . . x");
    }
}
