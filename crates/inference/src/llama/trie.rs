//! The trie of the texts that are computed together: a token that several texts share is one cell for all of them.

use std::collections::BTreeMap;

/// A token to be computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) token: i32,
    pub(super) position: usize,
    /// The sequences of the cache that it belongs to: those of all texts that go through it.
    pub(super) sequences: Vec<i32>,
    /// What the logits after it tell: to which result they add the probability of which token.
    pub(super) targets: Vec<(usize, i32)>,
    /// Whether its logits are wanted in any case.
    pub(super) ends_text: bool,
}

impl Node {
    pub(super) fn wants_logits(&self) -> bool {
        self.ends_text || !self.targets.is_empty()
    }
}

/// Texts that go on from the same place. Nodes come after those they follow, and the last one wants its logits.
#[derive(Debug, Default)]
pub(super) struct Trie {
    nodes: Vec<Node>,
    after: BTreeMap<(Option<usize>, i32), usize>,
}

impl Trie {
    /// The nodes in the order in which they are to be computed.
    pub(super) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Adds a context from position `base` on, for one sequence. Returns its last node.
    pub(super) fn add_context(&mut self, context: &[i32], base: usize, sequence: i32) -> Option<usize> {
        let mut last = None;
        for (position, &token) in context.iter().enumerate().skip(base) {
            last = Some(self.follow(last, token, position, sequence));
        }
        if let Some(last) = last {
            self.nodes[last].ends_text = true;
        }
        last
    }

    /// Adds what follows a context: each of its tokens is to be added to `result`, and all but the last are computed.
    pub(super) fn add_continuation(&mut self, after: Option<usize>, tokens: &[i32], sequence: i32, result: usize) {
        let mut last = after;
        for (place, &token) in tokens.iter().enumerate() {
            let Some(node) = last else { return };
            self.nodes[node].targets.push((result, token));
            if place + 1 < tokens.len() {
                let position = self.nodes[node].position + 1;
                last = Some(self.follow(last, token, position, sequence));
            }
        }
    }

    /// The node of a token after another one, which is made if it is not there.
    fn follow(&mut self, from: Option<usize>, token: i32, position: usize, sequence: i32) -> usize {
        let node = *self.after.entry((from, token)).or_insert_with(|| {
            let sequences = Vec::new();
            self.nodes.push(Node { token, position, sequences, targets: Vec::new(), ends_text: false });
            self.nodes.len() - 1
        });
        let sequences = &mut self.nodes[node].sequences;
        // A sequence is added as a whole before the next one.
        if sequences.last() != Some(&sequence) {
            sequences.push(sequence);
        }
        node
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_texts_share_is_computed_once_and_each_token_is_looked_up_after_the_one_before() {
        let mut trie = Trie::default();
        for (result, continuation) in [[7, 8, 9].as_slice(), &[7, 6], &[5]].iter().enumerate() {
            let sequence = result as i32 + 1;
            let end = trie.add_context(&[1, 2, 3], 1, sequence);
            trie.add_continuation(end, continuation, sequence, result);
        }
        let shown: Vec<_> = trie
            .nodes()
            .iter()
            .map(|node| (node.token, node.position, node.sequences.clone(), node.targets.clone()))
            .collect();
        assert_eq!(
            shown,
            [
                (2, 1, vec![1, 2, 3], vec![]),
                (3, 2, vec![1, 2, 3], vec![(0, 7), (1, 7), (2, 5)]),
                (7, 3, vec![1, 2], vec![(0, 8), (1, 6)]),
                (8, 4, vec![1], vec![(0, 9)]),
            ]
        );
        assert!(trie.nodes().last().unwrap().wants_logits());
    }
}
