//! Which tokens of a prompt must be computed, when the prompt before left some in the cache.
//!
//! The bits of a computed token depend on how many tokens were computed with it, so sharing a prefix must not change
//! how a prompt is cut. Every prompt is therefore cut at the same places, the multiples of a fixed chunk length, and
//! what remains (1 to `chunk` tokens, whose logits are wanted) is its tail. A chunk is a function of the tokens up to
//! its end and of nothing else; two prompts that agree on them share it to the last bit, whoever came first.

use std::ops::Range;

/// How one prompt is computed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Tokens that are taken over from the cache.
    pub reused: usize,
    /// The tail: the tokens after the last whole chunk, never empty for a prompt that is not empty.
    pub tail: Range<usize>,
    chunk: usize,
}

impl Plan {
    /// The plan for `prompt`, when the whole chunks of `cached` are in the cache.
    ///
    /// `cached` holds only tokens of whole chunks; `chunk` must not be zero.
    pub fn new(cached: &[i32], prompt: &[i32], chunk: usize) -> Self {
        let tail = prompt.len().saturating_sub(1) / chunk * chunk;
        let common = common_prefix(cached, prompt).min(tail);
        Self { reused: common / chunk * chunk, tail: tail..prompt.len(), chunk }
    }

    /// The whole chunks to be computed, in order, before the tail.
    pub fn chunks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let chunk = self.chunk;
        (self.reused..self.tail.start).step_by(chunk).map(move |start| start..start + chunk)
    }
}

/// The order in which prompts share most: the order of a walk through the trie of their tokens.
pub fn trie_order<T: AsRef<[i32]>>(prompts: &[T]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..prompts.len()).collect();
    order.sort_by(|&left, &right| prompts[left].as_ref().cmp(prompts[right].as_ref()).then(left.cmp(&right)));
    order
}

/// Length of the longest common prefix.
pub fn common_prefix(left: &[i32], right: &[i32]) -> usize {
    left.iter().zip(right).take_while(|(left, right)| left == right).count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a cache would hold: for each token the range it was computed in and all tokens up to that range's end.
    fn computed(prompt: &[i32], chunk: usize) -> Vec<(Range<usize>, Vec<i32>)> {
        let plan = Plan::new(&[], prompt, chunk);
        plan.chunks().chain([plan.tail.clone()]).map(|range| (range.clone(), prompt[..range.end].to_vec())).collect()
    }

    #[test]
    fn a_prompt_of_whole_chunks_still_has_a_tail() {
        let prompt: Vec<i32> = (0..128).collect();
        let plan = Plan::new(&[], &prompt, 64);
        assert_eq!(plan.tail, 64..128);
        assert_eq!(plan.chunks().collect::<Vec<_>>(), vec![0..64]);
        assert_eq!(Plan::new(&prompt[..64], &prompt, 64).reused, 64);
    }

    #[test]
    fn an_empty_prompt_has_nothing_to_compute() {
        let plan = Plan::new(&[1, 2], &[], 2);
        assert_eq!((plan.reused, plan.tail.len(), plan.chunks().count()), (0, 0, 0));
    }

    proptest! {
        #[test]
        fn whatever_ran_before_each_token_is_computed_in_the_same_company(
            prompts in prop::collection::vec(prop::collection::vec(0i32..3, 1..40), 1..12),
            chunk in 1usize..9,
        ) {
            let mut cached: Vec<i32> = Vec::new();
            let mut cache: Vec<(Range<usize>, Vec<i32>)> = Vec::new();
            for index in trie_order(&prompts) {
                let prompt = &prompts[index];
                let plan = Plan::new(&cached, prompt, chunk);
                prop_assert!(plan.reused <= plan.tail.start && plan.tail.start < prompt.len());
                cache.truncate(plan.reused / chunk);
                cache.extend(plan.chunks().map(|range| (range.clone(), prompt[..range.end].to_vec())));
                let tail = (plan.tail.clone(), prompt.clone());
                let mut all = cache.clone();
                all.push(tail);
                prop_assert_eq!(all, computed(prompt, chunk));
                cached = prompt[..plan.tail.start].to_vec();
            }
        }

        #[test]
        fn the_order_is_a_permutation(prompts in prop::collection::vec(prop::collection::vec(0i32..3, 0..5), 0..20)) {
            let mut order = trie_order(&prompts);
            order.sort_unstable();
            prop_assert_eq!(order, (0..prompts.len()).collect::<Vec<_>>());
        }

        #[test]
        fn in_trie_order_every_shared_chunk_is_computed_once(
            prompts in prop::collection::vec(prop::collection::vec(0i32..3, 1..20), 1..12),
            chunk in 1usize..5,
        ) {
            let mut cached: Vec<i32> = Vec::new();
            let mut computed = 0;
            let mut distinct = std::collections::BTreeSet::new();
            for index in trie_order(&prompts) {
                let plan = Plan::new(&cached, &prompts[index], chunk);
                computed += plan.chunks().count();
                let all = Plan::new(&[], &prompts[index], chunk);
                distinct.extend(all.chunks().map(|range| prompts[index][..range.end].to_vec()));
                // The cache keeps what the prompt before left, as far as this one agrees with it.
                cached = prompts[index][..plan.tail.start].to_vec();
            }
            prop_assert!(computed >= distinct.len());
            let upper: usize = prompts.iter().map(|prompt| Plan::new(&[], prompt, chunk).chunks().count()).sum();
            prop_assert!(computed <= upper);
        }
    }
}
