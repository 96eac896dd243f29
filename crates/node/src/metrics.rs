//! What a node counts about itself, as Prometheus reads it.

use std::fmt;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// Labels of a counter by reason.
type Reason = [(&'static str, &'static str); 1];

/// The counters of one node; each node has its own.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    accepted: Counter,
    repeated: Counter,
    refused: Family<Reason, Counter>,
    commits: Counter,
    batch_records: Histogram,
    applied: Counter,
    faults: Counter,
    apply_seconds: Histogram,
    delivered: Counter,
    run_again: Counter,
    ticks: Counter,
    /// Appends that wait for the log.
    pub log_queue: Gauge,
    /// Processes of this node.
    pub processes: Gauge,
    /// Slots that are in the log and not yet applied.
    pub apply_backlog: Gauge,
    /// Slots that are applied and whose messages are not yet delivered.
    pub outbox_backlog: Gauge,
}

impl Metrics {
    /// All at nothing.
    pub(crate) fn new() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("aobench"),
            accepted: Counter::default(),
            repeated: Counter::default(),
            refused: Family::default(),
            commits: Counter::default(),
            batch_records: Histogram::new(exponential_buckets(1.0, 2.0, 11)),
            applied: Counter::default(),
            faults: Counter::default(),
            apply_seconds: Histogram::new(exponential_buckets(0.000_1, 4.0, 9)),
            delivered: Counter::default(),
            run_again: Counter::default(),
            ticks: Counter::default(),
            log_queue: Gauge::default(),
            processes: Gauge::default(),
            apply_backlog: Gauge::default(),
            outbox_backlog: Gauge::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("items_accepted", "Items from outside that have a slot", self.accepted.clone());
        registry.register("items_repeated", "Items from outside that had a slot already", self.repeated.clone());
        registry.register("items_refused", "Items from outside that were refused, by reason", self.refused.clone());
        registry.register("log_commits", "Transactions of the log", self.commits.clone());
        registry.register("log_batch_records", "Records in a transaction of the log", self.batch_records.clone());
        registry.register("messages_applied", "Messages that processes have handled", self.applied.clone());
        registry.register("messages_faulted", "Messages that ended in a fault", self.faults.clone());
        registry.register_with_unit(
            "apply",
            "From taking a batch of messages to its commit",
            Unit::Seconds,
            self.apply_seconds.clone(),
        );
        registry.register("messages_delivered", "Messages of processes that were delivered", self.delivered.clone());
        let help = "Messages that modules were given again since their last snapshot";
        registry.register("messages_run_again", help, self.run_again.clone());
        registry.register("ticks", "Ticks written for processes", self.ticks.clone());
        registry.register("log_queue_appends", "Appends that wait for the log", self.log_queue.clone());
        registry.register("processes", "Processes of this node", self.processes.clone());
        registry.register("apply_backlog_slots", "Slots not yet applied", self.apply_backlog.clone());
        registry.register(
            "outbox_backlog_slots",
            "Slots whose messages are not yet delivered",
            self.outbox_backlog.clone(),
        );
    }

    /// The text that Prometheus reads.
    pub(crate) fn render(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(fmt::Error) => String::new(),
        }
    }

    /// An item has a slot.
    pub(crate) fn item_accepted(&self, fresh: bool) {
        if fresh {
            self.accepted.inc()
        } else {
            self.repeated.inc()
        };
    }

    /// An item was refused.
    pub(crate) fn item_refused(&self, code: &'static str) {
        self.refused.get_or_create(&[("reason", code)]).inc();
    }

    /// The log committed.
    pub(crate) fn log_committed(&self, records: usize) {
        self.commits.inc();
        self.batch_records.observe(records as f64);
    }

    /// A process committed a batch.
    pub(crate) fn batch_applied(&self, messages: usize, faults: usize, seconds: f64) {
        self.applied.inc_by(messages as u64);
        self.faults.inc_by(faults as u64);
        self.apply_seconds.observe(seconds);
    }

    /// Messages of processes have slots.
    pub(crate) fn messages_delivered(&self, messages: usize) {
        self.delivered.inc_by(messages as u64);
    }

    /// A module was given messages again, which it had handled after its last snapshot.
    pub(crate) fn messages_run_again(&self, messages: usize) {
        self.run_again.inc_by(messages as u64);
    }

    /// Ticks were written.
    pub(crate) fn ticks_written(&self, ticks: usize) {
        self.ticks.inc_by(ticks as u64);
    }
}
