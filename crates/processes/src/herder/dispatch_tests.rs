//! Tests of the placing of jobs: who gets what, and that nothing waits for ever.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::limits::AGEING_MS_PER_DOUBLING;
use super::super::queue::{order_free, order_paid};
use super::*;

fn worker(address: &str, capacity: u64, workload: u64) -> Candidate {
    Candidate {
        address: address.to_owned(),
        types: BTreeSet::from(["Llama".to_owned()]),
        models: None,
        loaded: BTreeSet::new(),
        capacity,
        workload,
        last_assigned: 0,
    }
}

fn job(number: i64, model: &str, prompts: u64) -> QueuedJob {
    QueuedJob {
        job: number,
        requester: "dataset".to_owned(),
        worker_type: "Llama".to_owned(),
        model: model.to_owned(),
        prompts,
        bytes: 1,
        queued_ms: 0,
        fee_per_token: None,
        last_worker: None,
    }
}

fn paid(number: i64, prompts: u64) -> QueuedJob {
    QueuedJob { fee_per_token: Some(7), ..job(number, "", prompts) }
}

fn places(workers: Vec<Candidate>, waiting: Waiting) -> Vec<(i64, String)> {
    plan(workers, waiting, 100).into_iter().map(|placement| (placement.job.job, placement.worker)).collect()
}

fn free(jobs: Vec<QueuedJob>) -> Waiting {
    Waiting { free: jobs, ..Waiting::default() }
}

fn at(number: i64, worker: &str) -> (i64, String) {
    (number, worker.to_owned())
}

#[test]
fn the_worker_with_the_least_workload_gets_the_job() {
    let workers = vec![worker("busy", 128, 64), worker("idle", 128, 0)];
    let jobs = (1..=4).map(|number| job(number, "", 32)).collect();
    assert_eq!(places(workers, free(jobs)), [at(1, "idle"), at(2, "idle"), at(3, "busy"), at(4, "idle")]);
}

#[test]
fn of_equal_workers_the_one_that_has_the_model_loaded_is_next() {
    let mut second = worker("second", 128, 0);
    second.loaded = BTreeSet::from(["phi".to_owned()]);
    assert_eq!(places(vec![worker("first", 128, 0), second], free(vec![job(1, "phi", 8)])), [at(1, "second")]);
}

#[test]
fn a_worker_gets_only_models_and_kinds_of_work_it_can_do() {
    let mut narrow = worker("narrow", 128, 0);
    narrow.models = Some(BTreeSet::from(["phi".to_owned()]));
    let mut chat = job(3, "phi", 1);
    chat.worker_type = "Chat".to_owned();
    assert_eq!(places(vec![narrow], free(vec![job(1, "llama", 1), job(2, "phi", 1), chat])), [at(2, "narrow")]);
}

#[test]
fn capacity_is_counted_in_prompts_and_an_idle_worker_takes_a_batch_larger_than_it() {
    assert!(places(vec![worker("w", 100, 40)], free(vec![job(1, "", 64)])).is_empty());
    assert_eq!(places(vec![worker("w", 8, 0)], free(vec![job(1, "", 256)])), [at(1, "w")]);
}

#[test]
fn who_failed_a_job_gets_it_again_only_where_nobody_else_is_there() {
    let failed = QueuedJob { last_worker: Some("first".to_owned()), ..job(1, "", 8) };
    let both = vec![worker("first", 64, 0), worker("second", 64, 60)];
    assert!(places(both, free(vec![failed.clone()])).is_empty(), "it waits for the second, which is full now");
    assert_eq!(places(vec![worker("first", 64, 0)], free(vec![failed])), [at(1, "first")]);
}

#[test]
fn small_jobs_do_not_pass_a_large_one_for_ever() {
    let jobs = vec![job(1, "", 64), job(2, "", 1), job(3, "", 1)];
    assert!(
        places(vec![worker("w", 64, 1)], free(jobs.clone())).is_empty(),
        "the only worker is kept for the large one"
    );
    let two = vec![worker("a", 64, 1), worker("b", 64, 2)];
    assert_eq!(places(two, free(jobs)), [at(2, "b"), at(3, "b")], "one worker is kept, the other goes on");
}

#[test]
fn paid_jobs_have_at_most_half_of_the_capacity_while_free_ones_wait() {
    let waiting = Waiting {
        free: vec![job(1, "", 64)],
        paid: (2..9).map(|number| paid(number, 16)).collect(),
        free_in_flight: 0,
        paid_in_flight: 48,
        last_was_paid: false,
    };
    // One more paid job reaches the half; the free batch does not fit yet and keeps the rest.
    let placed = places(vec![worker("w", 100, 48)], waiting.clone());
    assert!(placed.is_empty(), "{placed:?}");
    let roomy = places(vec![worker("w", 128, 48)], waiting);
    assert_eq!(roomy[0], at(1, "w"), "the free side has less in flight");
}

#[test]
fn a_worker_with_room_for_one_prompt_takes_paid_and_free_in_turn() {
    let mut waiting =
        Waiting { free: vec![job(1, "", 1), job(2, "", 1)], paid: vec![paid(3, 1), paid(4, 1)], ..Waiting::default() };
    let mut order = Vec::new();
    while let Some(placed) = plan(vec![worker("w", 1, 0)], waiting.clone(), 1).pop() {
        order.push(placed.job.job);
        waiting.last_was_paid = placed.job.fee_per_token.is_some();
        waiting.free.retain(|job| job.job != placed.job.job);
        waiting.paid.retain(|job| job.job != placed.job.job);
    }
    assert_eq!(order, [3, 1, 4, 2]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// A stream of richer and newer jobs never ends; the patient one (free or paid, of any size) still gets its turn
    /// within a number of rounds: those that come before its age makes up for the fee, each waiting for a turn of the other
    /// side. A round is one ageing time, in which every worker finishes what it has.
    #[test]
    fn every_job_gets_its_turn(
        patient_pays: bool,
        size in 1..300_u64,
        capacities in prop::collection::vec(1..200_u64, 1..4),
        doublings in 0..12_u32,
        stream in prop::collection::vec((any::<bool>(), 1..200_u64), 1..6),
    ) {
        let mut jobs = vec![QueuedJob { fee_per_token: patient_pays.then_some(0), ..job(0, "", size) }];
        let mut next = 1;
        let (mut last_was_paid, mut served) = (true, false);
        let rounds_max = 2 * (u64::from(doublings) + 2) * stream.len() as u64 + 2;
        for round in 0..=rounds_max {
            let now_ms = round * AGEING_MS_PER_DOUBLING;
            for (pays, prompts) in &stream {
                let requester = format!("new {next}");
                let fee_per_token = pays.then_some(1_u128 << doublings);
                jobs.push(QueuedJob { requester, fee_per_token, queued_ms: now_ms, ..job(next, "", *prompts) });
                next += 1;
            }
            let (paid, free): (Vec<_>, Vec<_>) = jobs.iter().cloned().partition(|job| job.fee_per_token.is_some());
            let (paid, free) = (order_paid(paid, now_ms), order_free(free, &BTreeMap::new(), now_ms));
            let waiting = Waiting { free, paid, last_was_paid, ..Waiting::default() };
            let workers = capacities.iter().enumerate().map(|(n, capacity)| worker(&n.to_string(), *capacity, 0)).collect();
            for placed in plan(workers, waiting, 40) {
                last_was_paid = placed.job.fee_per_token.is_some();
                jobs.retain(|job| job.job != placed.job.job);
            }
            served = jobs.iter().all(|job| job.job != 0);
            if served {
                break;
            }
        }
        prop_assert!(served, "the job waited more than {} rounds", rounds_max);
    }
}
