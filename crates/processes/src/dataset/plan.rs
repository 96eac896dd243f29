//! What to ask next: which of the questions that wait go into which batch. Pure.

use std::ops::Range;

use crate::limits::{BATCH_BYTES_MAX, EVALUATIONS_PER_BATCH};

/// How much may be asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    /// Questions for this model before the next tick.
    pub(super) inferences: usize,
    /// Messages that still fit into the answer to this message.
    pub(super) messages: usize,
    /// Bytes that still fit.
    pub(super) bytes: usize,
}

/// The batches of the questions that wait, in their order; `sizes` has the bytes of each as JSON. What does not fit
/// into the room is left for later.
pub(super) fn batches(sizes: &[usize], room: Room) -> Vec<Range<usize>> {
    let askable = sizes.len().min(room.inferences);
    let mut batches = Vec::new();
    let (mut start, mut bytes_left) = (0, room.bytes);
    while start < askable && batches.len() < room.messages {
        let most = BATCH_BYTES_MAX.min(bytes_left);
        let (mut end, mut bytes) = (start, 0);
        while end < askable && end - start < EVALUATIONS_PER_BATCH && bytes + sizes[end] <= most {
            bytes += sizes[end];
            end += 1;
        }
        if end == start {
            break;
        }
        batches.push(start..end);
        bytes_left -= bytes;
        start = end;
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const ROOM: Room = Room { inferences: 1_000, messages: 100, bytes: 900_000 };

    #[test]
    fn a_thousand_questions_are_fifteen_full_batches_and_a_rest() {
        let planned = batches(&[300; 1_954], ROOM);
        assert_eq!(planned.len(), 16);
        assert_eq!((planned[0].clone(), planned[15].clone()), (0..64, 960..1_000));
    }

    #[test]
    fn long_prompts_make_small_batches() {
        let ends = |bytes: usize| {
            let planned = batches(&[150_000; 6], Room { bytes, ..ROOM });
            planned.iter().map(|batch| batch.end).collect::<Vec<_>>()
        };
        assert_eq!(ends(900_000), [2, 4, 6]);
        assert_eq!(ends(400_000), [2]);
        assert!(ends(100_000).is_empty());
    }

    proptest! {
        #[test]
        fn every_batch_is_within_the_room_and_no_question_is_left_out_between(
            sizes in prop::collection::vec(1_usize..BATCH_BYTES_MAX, 0..300),
            inferences in 0_usize..400, messages in 0_usize..10, bytes in 0_usize..1_000_000,
        ) {
            let planned = batches(&sizes, Room { inferences, messages, bytes });
            let mut next = 0;
            for batch in &planned {
                prop_assert_eq!(batch.start, next);
                prop_assert!(!batch.is_empty() && batch.len() <= EVALUATIONS_PER_BATCH);
                prop_assert!(sizes[batch.clone()].iter().sum::<usize>() <= BATCH_BYTES_MAX);
                next = batch.end;
            }
            prop_assert!(planned.len() <= messages && next <= inferences);
            prop_assert!(sizes[..next].iter().sum::<usize>() <= bytes);
        }
    }
}
