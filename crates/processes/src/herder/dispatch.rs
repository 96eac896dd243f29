//! Which worker gets which job. Pure: queue and workers in, placements out.
//!
//! A job goes to the worker with the least workload among those that have its model or can fetch it, within the capacity
//! that the worker declared. Paid and free jobs share the workers: the side with fewer prompts in flight is served first.

use std::collections::BTreeSet;

use super::queue::QueuedJob;

/// A worker that can be given jobs now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    /// Its address.
    pub(super) address: String,
    /// The kinds of work it does.
    pub(super) types: BTreeSet<String>,
    /// The models it can load; `None` for any.
    pub(super) models: Option<BTreeSet<String>>,
    /// The models it holds in memory.
    pub(super) loaded: BTreeSet<String>,
    /// Prompts it may have in flight.
    pub(super) capacity: u64,
    /// Prompts it has in flight.
    pub(super) workload: u64,
    /// A number that grows with each job it gets: of equal workers the one that waited longest is next.
    pub(super) last_assigned: u64,
}

/// The jobs that wait, each side in its order, and what is in flight.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Waiting {
    /// Free jobs, the next one first.
    pub(super) free: Vec<QueuedJob>,
    /// Paid jobs, the next one first.
    pub(super) paid: Vec<QueuedJob>,
    /// Prompts of free jobs in flight.
    pub(super) free_in_flight: u64,
    /// Prompts of paid jobs in flight.
    pub(super) paid_in_flight: u64,
    /// Whether the last job given out was a paid one.
    pub(super) last_was_paid: bool,
}

/// A job and the worker that gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Placement {
    /// The job.
    pub(super) job: QueuedJob,
    /// The address of the worker.
    pub(super) worker: String,
}

impl Candidate {
    fn serves(&self, job: &QueuedJob) -> bool {
        let model = job.model.is_empty() || self.models.as_ref().is_none_or(|models| models.contains(&job.model));
        model && self.types.contains(&job.worker_type)
    }

    /// Whether the job fits now. A worker that has nothing to do takes any job, so that a batch larger than every
    /// capacity is not kept for ever.
    fn takes(&self, prompts: u64) -> bool {
        self.workload == 0 || self.workload.saturating_add(prompts) <= self.capacity
    }
}

/// One pass over the queue.
struct Pass {
    workers: Vec<Candidate>,
    /// A worker that is kept free for the first job of a side that did not fit anywhere; without it small jobs could
    /// pass a large one for ever.
    reserved: BTreeSet<String>,
    /// For each side (free, paid): whether it has reserved its worker.
    has_reserved: [bool; 2],
    waiting: Waiting,
    placements: Vec<Placement>,
}

/// Up to `limit` placements, in the order in which the jobs are to be given out.
pub(super) fn plan(workers: Vec<Candidate>, waiting: Waiting, limit: usize) -> Vec<Placement> {
    let (reserved, has_reserved, placements) = (BTreeSet::new(), [false; 2], Vec::new());
    let mut pass = Pass { workers, reserved, has_reserved, waiting, placements };
    while pass.placements.len() < limit {
        let paid_first = pass.paid_first();
        if !pass.place_one(paid_first) && !pass.place_one(!paid_first) {
            break;
        }
    }
    pass.placements
}

impl Pass {
    fn paid_first(&self) -> bool {
        let Waiting { free_in_flight, paid_in_flight, last_was_paid, .. } = self.waiting;
        if free_in_flight == paid_in_flight { !last_was_paid } else { paid_in_flight < free_in_flight }
    }

    /// Places the first job of a side that has a place. Whether there was one.
    fn place_one(&mut self, paid: bool) -> bool {
        let jobs = std::mem::take(if paid { &mut self.waiting.paid } else { &mut self.waiting.free });
        let found = jobs.iter().enumerate().find_map(|(index, job)| Some((index, self.place_for(job, paid)?)));
        let jobs = match found {
            None => jobs,
            Some((index, worker)) => {
                let mut rest = jobs;
                let job = rest.remove(index);
                self.assign(job, worker, paid);
                rest
            }
        };
        *(if paid { &mut self.waiting.paid } else { &mut self.waiting.free }) = jobs;
        found.is_some()
    }

    /// The place in `workers` where the job goes, if there is one now.
    fn place_for(&mut self, job: &QueuedJob, paid: bool) -> Option<usize> {
        if paid && self.is_over_half(job.prompts) {
            return None;
        }
        let serving: Vec<usize> = (0..self.workers.len()).filter(|index| self.workers[*index].serves(job)).collect();
        let is_last = |index: &usize| Some(&self.workers[*index].address) == job.last_worker.as_ref();
        let others: Vec<usize> = serving.iter().copied().filter(|index| !is_last(index)).collect();
        let serving = if others.is_empty() { serving } else { others };
        let least = |index: &usize| {
            let worker = &self.workers[*index];
            (worker.workload, !worker.loaded.contains(&job.model), worker.last_assigned, worker.address.clone())
        };
        let open = |index: &&usize| !self.reserved.contains(&self.workers[**index].address);
        let fitting = |index: &&usize| self.workers[**index].takes(job.prompts);
        if let Some(index) = serving.iter().filter(open).filter(fitting).min_by_key(|index| least(index)) {
            return Some(*index);
        }
        let kept = serving.iter().filter(open).min_by_key(|index| least(index)).copied();
        if let Some(index) = kept.filter(|_| !self.has_reserved[usize::from(paid)]) {
            self.has_reserved[usize::from(paid)] = true;
            self.reserved.insert(self.workers[index].address.clone());
        }
        None
    }

    /// Whether one more paid job of that size would give the paid side more than half of all capacity while a free job
    /// waits that some worker could do.
    fn is_over_half(&self, prompts: u64) -> bool {
        let capacity: u64 = self.workers.iter().map(|worker| worker.capacity).sum();
        let over = self.waiting.paid_in_flight.saturating_add(prompts).saturating_mul(2) > capacity;
        let free_waits = || self.waiting.free.iter().any(|job| self.workers.iter().any(|worker| worker.serves(job)));
        self.waiting.paid_in_flight > 0 && over && free_waits()
    }

    fn assign(&mut self, job: QueuedJob, index: usize, paid: bool) {
        let newest = self.workers.iter().map(|worker| worker.last_assigned).max().unwrap_or_default();
        let worker = &mut self.workers[index];
        worker.workload = worker.workload.saturating_add(job.prompts);
        worker.last_assigned = newest + 1;
        let in_flight = if paid { &mut self.waiting.paid_in_flight } else { &mut self.waiting.free_in_flight };
        *in_flight = in_flight.saturating_add(job.prompts);
        self.waiting.last_was_paid = paid;
        self.placements.push(Placement { job, worker: worker.address.clone() });
    }
}

#[cfg(test)]
#[path = "dispatch_tests.rs"]
mod tests;
