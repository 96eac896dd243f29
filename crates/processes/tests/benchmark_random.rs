//! The random life of a benchmark: funders, trainers, a dataset that answers well or badly, forgers, messages that come
//! twice, late and in any order, and a clock that jumps. After every message the money adds up (the harness checks it);
//! what is forged changes nothing; and in the end everything is paid out or back, as the rule of each pool says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;

use std::collections::BTreeMap;

use ao::{Id, Quantity};
use harness::contest::{Contest, FUNDS, QUESTIONS, partial, report};
use harness::{DAY_MS, HOUR_MS, MINUTE_MS, facts, upload, wallet};
use processes::benchmark::allocation::{Allocation, Place, allocate};
use proptest::prelude::*;
use serde_json::json;

const FUNDERS: [&str; 2] = ["fiona", "felix"];
const TRAINERS: [&str; 4] = ["tom", "tina", "ted", "tara"];
const RULES: [&[(&str, &str)]; 9] = [
    &[("X-Allocation", "ArithmeticDecrease")],
    &[("X-Allocation", "WinnerTakesAll"), ("X-Ties", "earliest")],
    &[("X-Allocation", "EqualTop10"), ("X-Duration", "2-hours")],
    &[("X-Allocation", "Proportional"), ("X-Duration", "90-minutes")],
    &[("X-Allocation", "GeometricDecrease"), ("X-Ties", "split"), ("X-Duration", "1-day")],
    &[("X-Allocation", "FixedTable"), ("X-Table", "5,3,3,0"), ("X-Duration", "1-hour")],
    &[("X-Allocation", "Everything"), ("X-Duration", "1-hour")],
    &[("X-Allocation", "EqualTop10"), ("X-Duration", "never")],
    &[("X-Refund", "elsewhere")],
];

#[derive(Debug, Clone)]
enum Step {
    Fund { funder: usize, quantity: u128, rules: usize },
    TopUp { funder: usize, quantity: u128, pool: usize },
    DatasetAnswers { pool: usize, questions: u32 },
    Join { trainer: usize, model: usize, pool: usize, is_copy: bool },
    Report { model: usize, pool: usize, correct: u32, answered: u32 },
    Forge { kind: usize, pool: usize, model: usize },
    Repeat { place: usize },
    Delay { place: usize },
    Release,
    Deliver { place: usize },
    Ask,
    Pass { minutes: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let place = || 0..6_usize;
    let pool = || 0..5_usize;
    let model = || 0..6_usize;
    prop_oneof![
        4 => (0..2_usize, 1..5_000_u128, 0..RULES.len())
            .prop_map(|(funder, quantity, rules)| Step::Fund { funder, quantity, rules }),
        1 => (0..2_usize, 1..5_000_u128, pool())
            .prop_map(|(funder, quantity, pool)| Step::TopUp { funder, quantity, pool }),
        5 => (pool(), prop_oneof![9 => Just(QUESTIONS), 1 => Just(0)])
            .prop_map(|(pool, questions)| Step::DatasetAnswers { pool, questions }),
        7 => (0..4_usize, model(), pool(), prop::bool::weighted(0.2))
            .prop_map(|(trainer, model, pool, is_copy)| Step::Join { trainer, model, pool, is_copy }),
        8 => (model(), pool(), 0..=QUESTIONS, prop_oneof![3 => Just(QUESTIONS), 1 => 0..=QUESTIONS])
            .prop_map(|(model, pool, correct, answered)| Step::Report { model, pool, correct, answered }),
        2 => (0..7_usize, pool(), model()).prop_map(|(kind, pool, model)| Step::Forge { kind, pool, model }),
        2 => place().prop_map(|place| Step::Repeat { place }),
        2 => place().prop_map(|place| Step::Delay { place }),
        1 => Just(Step::Release),
        14 => place().prop_map(|place| Step::Deliver { place }),
        1 => Just(Step::Ask),
        3 => prop_oneof![1..20_u64, 60..600_u64].prop_map(|minutes| Step::Pass { minutes }),
    ]
}

/// A contest with the ids of the pools that were funded, and who first entered what.
struct Life {
    contest: Contest,
    owners: BTreeMap<i64, String>,
}

impl Life {
    fn new() -> Self {
        let mut contest = Contest::new();
        contest.world.repeats.insert(contest.benchmark);
        Self { contest, owners: BTreeMap::new() }
    }

    /// The pools in the order in which they were made; a place beyond them is no pool.
    fn pool(&self, place: usize) -> Id {
        let connection = self.contest.world.connection(self.contest.benchmark);
        let mut statement = connection.prepare_cached("SELECT id FROM pools ORDER BY created_slot").unwrap();
        let ids: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        ids.get(place).map_or_else(|| upload("no pool"), |id| id.parse().unwrap())
    }

    fn take(&mut self, step: &Step) {
        let (token, benchmark, dataset) = (self.contest.token, self.contest.benchmark, self.contest.dataset);
        match step {
            Step::Fund { funder, quantity, rules } => {
                let (dataset, quantity, recipient) = (dataset.to_string(), quantity.to_string(), benchmark.to_string());
                let mut pairs = vec![("Action", "Transfer"), ("Recipient", &*recipient), ("Quantity", &*quantity)];
                pairs.push(("X-Dataset", &*dataset));
                pairs.extend_from_slice(RULES[*rules]);
                self.contest.world.post(wallet(FUNDERS[*funder]), token, &pairs, "");
            }
            Step::TopUp { funder, quantity, pool } => {
                let (pool, quantity) = (self.pool(*pool).to_string(), quantity.to_string());
                let recipient = benchmark.to_string();
                let pairs =
                    [("Action", "Transfer"), ("Recipient", &*recipient), ("Quantity", &*quantity), ("X-Pool", &*pool)];
                self.contest.world.post(wallet(FUNDERS[*funder]), token, &pairs, "");
            }
            Step::DatasetAnswers { pool, questions } => {
                let data = json!({ "questions": questions, "content_hash": "c", "protocol": "p" }).to_string();
                let pairs = [("Action", "Dataset-Frozen"), ("Pool", &*self.pool(*pool).to_string())];
                self.contest.world.post_from_process(dataset, benchmark, &pairs, data);
            }
            Step::Join { trainer, model, pool, is_copy } => self.join(*trainer, *model, *pool, *is_copy),
            Step::Report { model, pool, correct, answered } => {
                let data = report_of(*correct, *answered).to_string();
                let (pool, model) = (self.pool(*pool).to_string(), name(*model));
                let model = upload(&model).to_string();
                let pairs = [("Action", "Score-Response"), ("Pool", &*pool), ("Model", &*model)];
                self.contest.world.post_from_process(dataset, benchmark, &pairs, data);
            }
            Step::Forge { kind, pool, model } => self.forge(*kind, *pool, *model),
            Step::Repeat { place } => self.contest.world.duplicate_at(*place),
            Step::Delay { place } => self.contest.world.delay_at(*place),
            Step::Release => self.contest.world.release(),
            Step::Deliver { place } => {
                self.contest.world.deliver_at(*place);
            }
            Step::Ask => {
                self.contest.world.post(wallet("mallory"), benchmark, &[("Action", "Allocate-Rewards")], "");
            }
            Step::Pass { minutes } => self.contest.world.advance(minutes * MINUTE_MS),
        }
        self.check_owners();
    }

    fn join(&mut self, trainer: usize, model: usize, pool: usize, is_copy: bool) {
        let content = name(model);
        let file = if is_copy { format!("copy of {content}") } else { content.clone() };
        self.contest.world.put_model(upload(&file), Ok(facts(&content, &file)));
        let data = json!({ "dataset": self.pool(pool), "model": upload(&file) }).to_string();
        self.contest.world.post(wallet(TRAINERS[trainer]), self.contest.benchmark, &[("Action", "Join-Pool")], data);
    }

    /// Mallory speaks in the name of others. Nothing changes, and she is told no.
    fn forge(&mut self, kind: usize, pool: usize, model: usize) {
        let (token, benchmark) = (self.contest.token.to_string(), self.contest.benchmark);
        let (pool, model) = (self.pool(pool).to_string(), upload(&name(model)).to_string());
        let mallory = wallet("mallory").to_string();
        let (dataset, payout) = (self.contest.dataset.to_string(), format!("{pool}:1"));
        let pairs: &[(&str, &str)] = match kind {
            0 => &[
                ("Action", "Credit-Notice"),
                ("Sender", &mallory),
                ("Quantity", "999"),
                ("X-Dataset", &dataset),
                ("X-Allocation", "WinnerTakesAll"),
                ("From-Process", &token),
            ],
            1 => &[("Action", "Debit-Notice"), ("Recipient", &mallory), ("Quantity", "999"), ("X-Payout", &payout)],
            2 => &[("Action", "Transfer-Error"), ("Message-Id", &model), ("Error", "no")],
            3 => &[("Action", "Dataset-Frozen"), ("Pool", &pool), ("From-Process", &dataset)],
            4 => &[("Action", "Score-Response"), ("Pool", &pool), ("Model", &model), ("From-Process", &dataset)],
            5 => &[("Action", "Model-Facts"), ("Model", &model), ("Reference", "1"), ("Error", "no")],
            _ => &[("Action", "Wake")],
        };
        let before = self.contest.tables();
        let data = report_of(100, QUESTIONS).to_string();
        let id = self.contest.world.post(wallet("mallory"), benchmark, pairs, data);
        let last = self.contest.world.queue().len() - 1;
        self.contest.world.deliver_at(last);
        let outcome = self.contest.world.outcome(benchmark, id).unwrap();
        assert!(outcome.is_err(), "{pairs:?} was accepted: {outcome:?}");
        assert_eq!(self.contest.tables(), before);
    }

    fn check_owners(&mut self) {
        let connection = self.contest.world.connection(self.contest.benchmark);
        let mut statement = connection.prepare_cached("SELECT id, pool || model || participant FROM entries").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, String>(1)?))).unwrap();
        for (id, owner) in rows.map(Result::unwrap) {
            assert_eq!(self.owners.entry(id).or_insert_with(|| owner.clone()), &owner, "an entry changed hands");
        }
    }

    /// Lets everything arrive, and time pass until every pool has ended.
    fn end(&mut self) {
        self.contest.world.release();
        self.contest.world.run();
        self.contest.world.advance(33 * DAY_MS);
        self.contest.world.advance(HOUR_MS);
    }

    /// Everything is paid out or back, to the last unit and as the rules say.
    fn check_end(&mut self) {
        let token = self.contest.token;
        let books =
            self.contest.world.tables(self.contest.benchmark, |store| processes::benchmark::audit(store, &token));
        let books = books.unwrap();
        for pool in &books.pools {
            assert_eq!(pool.credited, Quantity::checked_sum([pool.paid, pool.refunded]).unwrap(), "{pool:?}");
            assert!(pool.paid.is_zero() || pool.refunded.is_zero());
            let status = self.contest.status(pool.pool);
            assert_eq!(status, if pool.paid.is_zero() { "Refunded" } else { "Settled" });
            if status == "Settled" {
                self.check_payouts(pool.pool, pool.credited);
            }
        }
        assert_eq!((books.returning.units(), books.held.units()), (0, self.contest.escrow()));
        let people = FUNDERS.iter().chain(&TRAINERS).map(|name| self.contest.balance(name)).sum::<u128>();
        assert_eq!(people + self.contest.escrow(), 2 * FUNDS);
        assert_eq!(self.contest.balance("mallory"), 0);
    }

    /// The payouts are the allocation of the frozen ranking, which anybody can compute again.
    fn check_payouts(&mut self, pool: Id, funds: Quantity) {
        let board = self.contest.leaderboard(pool);
        let rule = &board["pool"];
        let rule = Allocation::parse(rule["allocation"].as_str().unwrap(), rule["weights"].as_str()).unwrap();
        let ranked = board["leaderboard"].as_array().unwrap().iter().filter(|row| !row["rank"].is_null());
        let places: Vec<Place> = ranked
            .map(|row| Place {
                correct: row["correct"].as_u64().unwrap() as u32,
                group: row["group"].as_u64().unwrap() as u32,
            })
            .collect();
        assert!(places.is_sorted_by(|above, below| above.correct >= below.correct));
        let due = allocate(&rule, funds, &places).into_iter().filter(|share| !share.is_zero());
        let due: Vec<String> = due.map(|share| share.to_string()).collect();
        let paid: Vec<&str> =
            board["payouts"].as_array().unwrap().iter().map(|row| row["quantity"].as_str().unwrap()).collect();
        assert_eq!(paid, due);
    }
}

fn name(model: usize) -> String {
    format!("model {model}")
}

fn report_of(correct: u32, answered: u32) -> serde_json::Value {
    if answered == QUESTIONS { report(correct, QUESTIONS) } else { partial(correct.min(answered), answered, QUESTIONS) }
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None,
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(96),
        ..ProptestConfig::default()
    })]

    #[test]
    fn every_life_ends_with_the_escrow_paid_out_or_back(steps in prop::collection::vec(step(), 1..160)) {
        let mut life = Life::new();
        for step in &steps {
            life.take(step);
        }
        life.end();
        life.check_end();
    }
}
