//! A token, a benchmark and a dataset that the test plays, with the steps of a pool's life in one line each.

use ao::{Id, MessageKind};
use serde_json::{Value, json};

use super::money::balance;
use super::{Outcome, World, facts, upload, wallet};

/// What Fiona, the funder, and Felix, another one, have at the beginning.
pub const FUNDS: u128 = 1_000_000;
/// Questions of the dataset.
pub const QUESTIONS: u32 = 100;

/// A world with a token, a benchmark on it, and a dataset that the test plays.
pub struct Contest {
    pub world: World,
    pub token: Id,
    pub benchmark: Id,
    pub dataset: Id,
}

impl Default for Contest {
    fn default() -> Self {
        Self::new()
    }
}

impl Contest {
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// A contest whose benchmark has these spawn tags beside `Token`.
    pub fn with(pairs: &[(&str, &str)]) -> Self {
        let mut world = World::new();
        let balances =
            json!({ wallet("fiona").to_string(): FUNDS.to_string(), wallet("felix").to_string(): FUNDS.to_string() });
        let token = world.spawn("token", wallet("owner"), &[("Ticker", "wAR")], &balances.to_string());
        let text = token.to_string();
        let mut tags = vec![("Token", text.as_str())];
        tags.extend_from_slice(pairs);
        let benchmark = world.spawn("benchmark", wallet("owner"), &tags, "");
        let dataset = world.stand_in("dataset");
        Self { world, token, benchmark, dataset }
    }

    /// Transfers money to the benchmark with these `X-` tags. The id of the Credit-Notice: the id of the pool, if it
    /// becomes one.
    pub fn pay(&mut self, from: &str, quantity: &str, pairs: &[(&str, &str)]) -> Id {
        let recipient = self.benchmark.to_string();
        let mut tags = vec![("Action", "Transfer"), ("Recipient", recipient.as_str()), ("Quantity", quantity)];
        tags.extend_from_slice(pairs);
        let transfer = self.world.post(wallet(from), self.token, &tags, "");
        self.world.run();
        self.notice_of(transfer)
    }

    /// The Credit-Notice that a transfer caused.
    pub fn notice_of(&self, transfer: Id) -> Id {
        let notice = self
            .world
            .history(self.benchmark)
            .find(|(message, _)| message.pushed_for == transfer && message.action() == "Credit-Notice");
        notice.expect("a notice").0.id
    }

    /// Funds a pool on the dataset; it waits for the dataset's answer.
    pub fn fund(&mut self, from: &str, quantity: u128, pairs: &[(&str, &str)]) -> Id {
        let dataset = self.dataset.to_string();
        let mut tags = vec![("X-Dataset", dataset.as_str())];
        if !pairs.iter().any(|(name, _)| *name == "X-Allocation") {
            tags.push(("X-Allocation", "ArithmeticDecrease"));
        }
        tags.extend_from_slice(pairs);
        self.pay(from, &quantity.to_string(), &tags)
    }

    /// The dataset answers that it is frozen with so many questions.
    pub fn frozen(&mut self, pool: Id, questions: u32) -> Outcome {
        let data = json!({
            "questions": questions, "content_hash": "c0", "protocol": "p1", "title": "Feelings", "synthetic": true,
        });
        let pairs = [("Action", "Dataset-Frozen"), ("Pool", &*pool.to_string())];
        self.world.send_from_process(self.dataset, self.benchmark, &pairs, data.to_string())
    }

    /// A pool that is open: funded by Fiona, on [`QUESTIONS`] questions.
    pub fn open(&mut self, quantity: u128, pairs: &[(&str, &str)]) -> Id {
        let pool = self.fund("fiona", quantity, pairs);
        self.frozen(pool, QUESTIONS).expect("an open pool");
        assert_eq!(self.status(pool), "Open");
        pool
    }

    /// Enters a model whose tensors are its name.
    pub fn join(&mut self, pool: Id, participant: &str, model: &str) -> Outcome {
        self.world.put_model(upload(model), Ok(facts(model, model)));
        self.join_as_is(pool, participant, model)
    }

    /// Enters a model that the node may or may not have.
    pub fn join_as_is(&mut self, pool: Id, participant: &str, model: &str) -> Outcome {
        let data = json!({ "dataset": pool, "model": upload(model) }).to_string();
        self.world.send(wallet(participant), self.benchmark, &[("Action", "Join-Pool")], data)
    }

    /// The dataset reports a complete score.
    pub fn score(&mut self, pool: Id, model: &str, correct: u32) -> Outcome {
        self.report(pool, model, &report(correct, QUESTIONS))
    }

    /// The dataset reports something.
    pub fn report(&mut self, pool: Id, model: &str, report: &Value) -> Outcome {
        let (pool, model) = (pool.to_string(), upload(model).to_string());
        let pairs = [("Action", "Score-Response"), ("Pool", &*pool), ("Model", &*model)];
        self.world.send_from_process(self.dataset, self.benchmark, &pairs, report.to_string())
    }

    /// The clock of a moment later: the alarm of the benchmark has rung.
    pub fn moment(&mut self) {
        self.world.advance(1_000);
    }

    pub fn pool(&mut self, pool: Id) -> Value {
        self.world.read(self.benchmark, &[("Action", "Get-Pool")], pool.to_string())
    }

    pub fn status(&mut self, pool: Id) -> String {
        self.pool(pool)["status"].as_str().unwrap().to_owned()
    }

    pub fn leaderboard(&mut self, pool: Id) -> Value {
        self.world.read(self.benchmark, &[("Action", "Leaderboard")], pool.to_string())
    }

    /// The names of the models on the board, best first, with rank (0 for none) and correct answers.
    pub fn board(&mut self, pool: Id) -> Vec<(String, u64, u64)> {
        let board = self.leaderboard(pool);
        let rows = board["leaderboard"].as_array().unwrap().iter();
        rows.map(|row| {
            let name = row["name"].as_str().unwrap().to_owned();
            (name, row["rank"].as_u64().unwrap_or_default(), row["correct"].as_u64().unwrap())
        })
        .collect()
    }

    pub fn balance(&self, name: &str) -> u128 {
        balance(&self.world, self.token, wallet(name))
    }

    /// What the token says the benchmark has.
    pub fn escrow(&self) -> u128 {
        balance(&self.world, self.token, self.benchmark)
    }

    /// Everything that the tables of the benchmark hold, as text: the same before and after means that nothing changed.
    pub fn tables(&self) -> String {
        let connection = self.world.connection(self.benchmark);
        let mut text = String::new();
        for table in ["pools", "pool_funding", "entries", "leaderboards", "payouts", "held"] {
            let mut statement = connection.prepare(&format!("SELECT * FROM {table}")).unwrap();
            let columns = statement.column_count();
            let mut rows = statement.query([]).unwrap();
            while let Some(row) = rows.next().unwrap() {
                let values: Vec<_> = (0..columns).map(|index| format!("{:?}", row.get_ref(index).unwrap())).collect();
                text.extend([table, ": ", &values.join(" | "), "\n"]);
            }
        }
        text
    }

    /// Messages of that action that the benchmark has sent to the dataset.
    pub fn asked(&self, action: &str) -> usize {
        self.world.inbox(self.dataset).iter().filter(|letter| letter.action() == action).count()
    }
}

/// A complete report.
pub fn report(correct: u32, total: u32) -> Value {
    json!({
        "correct": correct, "lenient_correct": correct, "answered": total, "unparsed": 0, "unevaluated": 0,
        "total": total, "complete": true,
    })
}

/// A report of so many answers.
pub fn partial(correct: u32, answered: u32, total: u32) -> Value {
    json!({
        "correct": correct, "lenient_correct": correct, "answered": answered, "unparsed": 0,
        "unevaluated": total - answered, "total": total, "complete": false,
    })
}

/// A kind of message that comes from no wallet.
pub const fn pushed() -> MessageKind {
    MessageKind::Pushed
}
