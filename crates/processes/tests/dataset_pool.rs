//! A pool from its funding to the payout with the real benchmark, dataset and herder; only the worker is played. It
//! says for a model what the model's name says it would.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by a panic")]

mod harness;
mod study;

use ao::Id;
use harness::contest::Contest;
use harness::money::balance;
use harness::{DAY_MS, Letter, upload, wallet};
use processes::herder::wire::{Answer, InferenceRequest, Prompt};
use serde_json::json;
use study::{Batch, response, right, rows, text};

/// Questions of the dataset: more than one tick asks for.
const QUESTIONS: usize = 1_100;

struct Pool {
    contest: Contest,
    herder: Id,
    done: usize,
}

impl Pool {
    fn new() -> Self {
        let mut contest = Contest::new();
        let worker = wallet("worker").to_string();
        let herder = contest.world.spawn("herder", wallet("owner"), &[("Workers", worker.as_str())], "");
        let (herder_text, benchmark) = (herder.to_string(), contest.benchmark.to_string());
        let tags = [("Herder", herder_text.as_str()), ("Benchmark", benchmark.as_str()), ("Title", "Feelings")];
        contest.dataset = contest.world.spawn("dataset", wallet("owner"), &tags, "");
        let load = [("Action", "Load-Data")];
        contest.world.send(wallet("owner"), contest.dataset, &load, rows(QUESTIONS)).unwrap();
        Self { contest, herder, done: 0 }
    }

    /// The worker says that it is there, and answers what it was given until there is nothing left.
    fn work(&mut self) {
        let register = [("Action", "Register-Worker"), ("Capacity", "256")];
        self.contest.world.send(wallet("worker"), self.herder, &register, "").unwrap();
        loop {
            self.contest.world.advance(100);
            let jobs: Vec<Letter> = self.contest.world.inbox(wallet("worker"))[self.done..].to_vec();
            if jobs.is_empty() {
                return;
            }
            self.done += jobs.len();
            for job in jobs.iter().filter(|job| job.action() == "Inference") {
                self.answer(job);
            }
        }
    }

    fn answer(&mut self, job: &Letter) {
        let tag = |name: &str| job.tag(name).unwrap().to_owned();
        let (model, file_hash) = (tag("Model"), tag("File-Hash"));
        let request = InferenceRequest::read(&job.data).unwrap();
        let batch = Batch { reference: String::new(), model: model.clone(), file_hash, request };
        let data = serde_json::to_vec(&response(&batch, |prompt| said(&model, prompt))).unwrap();
        let (number, attempt) = (tag("Job"), tag("Attempt"));
        let pairs = [("Action", "Inference-Response"), ("Job", number.as_str()), ("Attempt", attempt.as_str())];
        self.contest.world.send(wallet("worker"), self.herder, &pairs, data).unwrap();
    }
}

/// What a model says to a question, by its name.
fn said(model: &str, prompt: &Prompt) -> Answer {
    match prompt.id {
        id if model == upload("always right").to_string() => text(right(id)),
        _ if model == upload("always a").to_string() => text(" A"),
        _ => text("Once upon a"),
    }
}

#[test]
fn a_pool_runs_from_funding_to_payout() {
    let mut pool = Pool::new();
    let id = pool.contest.fund("fiona", 1_000, &[("X-Duration", "2-days")]);
    assert_eq!(pool.contest.status(id), "Open");
    for (participant, model) in [("adam", "always a"), ("rita", "always right"), ("tim", "tells stories")] {
        pool.contest.join(id, participant, model).unwrap();
    }
    pool.work();
    let board = |pool: &mut Pool| {
        let text = id.to_string();
        pool.contest.world.read(pool.contest.benchmark, &[("Action", "Leaderboard")], text)["leaderboard"].clone()
    };
    assert_eq!(board(&mut pool)[0]["total"], QUESTIONS);
    pool.contest.world.advance(DAY_MS / 24);
    pool.work();
    let rows = board(&mut pool);
    let row = |place: usize| {
        let row = &rows[place];
        (row["participant"].clone(), row["correct"].clone(), row["answered"].clone(), row["unparsed"].clone())
    };
    let expected =
        |name: &str, correct: u64, unparsed: u64| (json!(wallet(name)), json!(correct), json!(1_100), json!(unparsed));
    assert_eq!(row(0), expected("rita", 1_100, 0));
    assert_eq!(row(1), expected("adam", 367, 0));
    assert_eq!(row(2), expected("tim", 0, 1_100));
    pool.contest.world.advance(2 * DAY_MS);
    assert_eq!(pool.contest.status(id), "Settled");
    let paid = |name: &str| balance(&pool.contest.world, pool.contest.token, wallet(name));
    assert_eq!(paid("rita") + paid("adam") + paid("tim"), 1_000);
    assert!(paid("rita") > paid("adam") && paid("adam") >= paid("tim"));
}
