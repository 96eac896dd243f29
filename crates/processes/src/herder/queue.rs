//! In which order jobs leave the queue. Pure: jobs and a time in, an order out.
//!
//! Paid jobs go by fee per token, free ones by fair shares of their requesters, both with ageing in whole numbers, so
//! that no job waits for ever however many come after it.

use std::collections::BTreeMap;

use super::limits::{AGEING_MS_PER_DOUBLING, AGEING_MS_PER_PROMPT};

/// A job that waits, as far as its order and its place depend on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct QueuedJob {
    /// Its number; a lower one came earlier.
    pub(super) job: i64,
    /// Who wants it.
    pub(super) requester: String,
    /// What kind of worker it needs.
    pub(super) worker_type: String,
    /// The model it needs; empty for any.
    pub(super) model: String,
    /// How many prompts it has.
    pub(super) prompts: u64,
    /// Bytes of its data.
    pub(super) bytes: usize,
    /// When it came, milliseconds since 1970.
    pub(super) queued_ms: u64,
    /// Smallest units of the token for each token asked for; `None` for a free job.
    pub(super) fee_per_token: Option<u128>,
    /// Who failed it last, and gets it again only where nobody else is there.
    pub(super) last_worker: Option<String>,
}

/// The rank of a paid job: doublings of its fee per token, and as many again as it has waited ageing times.
fn paid_rank(job: &QueuedJob, now_ms: u64) -> u64 {
    let fee = job.fee_per_token.unwrap_or_default();
    let doublings = fee.checked_ilog2().map_or(0, |level| u64::from(level) + 1);
    doublings.saturating_add(now_ms.saturating_sub(job.queued_ms) / AGEING_MS_PER_DOUBLING)
}

/// Paid jobs, the next one first. Of two that waited equally long the one with the higher fee per token is first.
pub(super) fn order_paid(mut jobs: Vec<QueuedJob>, now_ms: u64) -> Vec<QueuedJob> {
    jobs.sort_by_cached_key(|job| {
        let rank = u64::MAX - paid_rank(job, now_ms);
        (rank, u128::MAX - job.fee_per_token.unwrap_or_default(), job.job)
    });
    jobs
}

/// Free jobs, the next one first. A job stands at the prompts that its requester had before it (`served`, on a common
/// scale, and its earlier jobs in the queue), less its age; so requesters with many jobs and those with few take turns.
pub(super) fn order_free(mut jobs: Vec<QueuedJob>, served: &BTreeMap<String, u64>, now_ms: u64) -> Vec<QueuedJob> {
    jobs.sort_by_key(|job| job.job);
    let mut before: BTreeMap<String, u64> = served.clone();
    let mut placed: Vec<(i128, QueuedJob)> = Vec::with_capacity(jobs.len());
    for job in jobs {
        let share = before.entry(job.requester.clone()).or_default();
        let age = now_ms.saturating_sub(job.queued_ms) / AGEING_MS_PER_PROMPT;
        placed.push((i128::from(*share) - i128::from(age), job.clone()));
        *share = share.saturating_add(job.prompts);
    }
    placed.sort_by_key(|(place, job)| (*place, job.job));
    placed.into_iter().map(|(_, job)| job).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn job(number: i64, requester: &str, queued_ms: u64, fee_per_token: Option<u128>) -> QueuedJob {
        QueuedJob {
            job: number,
            requester: requester.to_owned(),
            worker_type: "Llama".to_owned(),
            model: String::new(),
            prompts: 64,
            bytes: 1,
            queued_ms,
            fee_per_token,
            last_worker: None,
        }
    }

    fn numbers(jobs: &[QueuedJob]) -> Vec<i64> {
        jobs.iter().map(|job| job.job).collect()
    }

    #[test]
    fn the_higher_fee_per_token_goes_first_and_age_makes_up_for_it() {
        let jobs = vec![job(1, "a", 0, Some(100)), job(2, "b", 0, Some(130)), job(3, "c", 0, Some(130))];
        assert_eq!(numbers(&order_paid(jobs, 0)), [2, 3, 1]);
        let late = vec![job(1, "a", 0, Some(1)), job(2, "b", 60_000, Some(50))];
        assert_eq!(numbers(&order_paid(late.clone(), 60_000)), [1, 2], "six ageing times are worth six doublings");
        let early = vec![job(1, "a", 0, Some(1)), job(2, "b", 30_000, Some(50))];
        assert_eq!(numbers(&order_paid(early, 30_000)), [2, 1]);
    }

    #[test]
    fn a_requester_with_many_jobs_does_not_keep_out_one_with_a_single_job() {
        let mut jobs: Vec<_> = (1..=5).map(|number| job(number, "many", 0, None)).collect();
        jobs.push(job(6, "single", 0, None));
        assert_eq!(numbers(&order_free(jobs, &BTreeMap::new(), 0)), [1, 6, 2, 3, 4, 5]);
    }

    #[test]
    fn what_a_requester_had_before_counts() {
        let jobs = vec![job(1, "had much", 0, None), job(2, "had little", 0, None)];
        let served = BTreeMap::from([("had much".to_owned(), 640), ("had little".to_owned(), 64)]);
        assert_eq!(numbers(&order_free(jobs, &served, 0)), [2, 1]);
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        /// However high the fees of later jobs are, after 128 ageing times none of them goes first.
        #[test]
        fn no_fee_starves_a_paid_job(fee: u128, others in prop::collection::vec((any::<u128>(), 0..10_000_u64), 0..50)) {
            let bound = 128 * AGEING_MS_PER_DOUBLING + AGEING_MS_PER_DOUBLING;
            let mut jobs = vec![job(0, "patient", 0, Some(fee))];
            jobs.extend(others.iter().zip(1..).map(|((fee, ms), number)| job(number, "rich", bound + ms, Some(*fee))));
            prop_assert_eq!(order_paid(jobs, bound + 10_000)[0].job, 0);
        }

        /// However many new requesters come, the first job of one who already had much goes before all of them after a
        /// time that depends only on what it had.
        #[test]
        fn no_crowd_starves_a_free_job(had in 0..10_000_u64, crowd in 1..60_i64) {
            let bound = (had + 1) * AGEING_MS_PER_PROMPT;
            let mut jobs = vec![job(0, "patient", 0, None)];
            jobs.extend((1..=crowd).map(|number| job(number, &format!("new {number}"), bound, None)));
            let served = BTreeMap::from([("patient".to_owned(), had)]);
            prop_assert_eq!(order_free(jobs, &served, bound)[0].job, 0);
        }
    }
}
