//! How well documents were found, beside how well they answer: by the evidence of a question, texts that a right document
//! holds. Each piece of evidence is graded by itself and all pieces count the same, so that a set in which one document
//! holds two of them is neither better nor worse than one in which two documents do.
//!
//! Recall@k is the share of the pieces that the first k documents hold; MRR the reciprocal of the first right rank; nDCG@10
//! the mean over the pieces of 1 / log2(rank + 1), which for one piece is the usual one. Whole millionths, from a table, so
//! that they are the same on every machine.

/// The unit in which metrics are added up.
pub(super) const MILLION: u64 = 1_000_000;

/// 1 / log2(rank + 1) in millionths, for the ranks 1 to 10.
const DISCOUNTS: [u64; 10] =
    [1_000_000, 630_930, 500_000, 430_677, 386_853, 356_207, 333_333, 315_465, 301_030, 289_065];

/// Sums over questions, millionths.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    /// Questions with evidence.
    pub(super) questions: u64,
    pub(super) recall: u64,
    pub(super) reciprocal_rank: u64,
    pub(super) gain: u64,
}

/// Of each piece of evidence the rank (from 1) of the first document that holds it. Upper and lower case, and how much
/// white space is between words, make no difference.
pub(super) fn ranks(evidence: &[String], contents: &[String]) -> Vec<Option<u64>> {
    let contents: Vec<String> = contents.iter().map(|content| plain(content)).collect();
    let rank = |piece: &String| {
        let piece = plain(piece);
        (1..).zip(&contents).find(|(_, content)| content.contains(&piece)).map(|(rank, _)| rank)
    };
    evidence.iter().map(rank).collect()
}

fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

impl Sums {
    /// Adds a question; `first` documents count for recall.
    pub(super) fn add(&mut self, ranks: &[Option<u64>], first: u64) {
        let pieces = ranks.len() as u64;
        if pieces == 0 {
            return;
        }
        let found = || ranks.iter().flatten().copied();
        self.questions += 1;
        self.recall += found().filter(|rank| *rank <= first).count() as u64 * MILLION / pieces;
        self.reciprocal_rank += found().min().map_or(0, |rank| MILLION / rank);
        let discount = |rank: u64| DISCOUNTS.get(rank as usize - 1).copied().unwrap_or_default();
        self.gain += found().map(discount).sum::<u64>() / pieces;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn evidence_is_found_where_a_document_holds_it() {
        let contents = texts(&["Rain falls.", "The  SUN\nshines brightly.", "rain falls. the sun shines"]);
        let evidence = texts(&["sun shines", "rain falls.", "snow"]);
        assert_eq!(ranks(&evidence, &contents), [Some(2), Some(1), None]);
    }

    #[test]
    fn the_table_is_that_of_the_formula() {
        for (discount, rank) in DISCOUNTS.iter().zip(1_u32..) {
            let exact = 1.0 / f64::from(rank + 1).log2();
            assert!((*discount as f64 / 1e6 - exact).abs() < 1e-6, "rank {rank}");
        }
    }

    #[test]
    fn metrics_are_means_over_evidence() {
        let mut sums = Sums::default();
        sums.add(&[Some(2)], 5);
        assert_eq!(sums, Sums { questions: 1, recall: 1_000_000, reciprocal_rank: 500_000, gain: 630_930 });
        sums.add(&[], 5);
        sums.add(&[Some(7), None], 5);
        assert_eq!(sums, Sums { questions: 2, recall: 1_000_000, reciprocal_rank: 642_857, gain: 630_930 + 166_666 });
    }
}
