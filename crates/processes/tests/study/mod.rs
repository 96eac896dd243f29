//! A dataset between a herder and a benchmark process that the test plays itself. The two are processes that understand
//! none of the messages, so that what the dataset sends them can be read and answered by hand.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use ao::{Id, Message, sha256};
use processes::herder::wire::{
    Answer, Finish, InferenceRequest, InferenceResponse, Prompt, PromptResult, Receipt, RequestKind, results_hash,
};
use serde_json::{Value, json};

use crate::harness::{Outcome, World, upload, wallet};

/// A dataset with its surroundings.
pub struct Study {
    pub world: World,
    pub dataset: Id,
    pub herder: Id,
    pub benchmark: Id,
}

/// What a dataset asked of the herder.
#[derive(Debug, Clone)]
pub struct Batch {
    pub reference: String,
    pub model: String,
    pub file_hash: String,
    pub request: InferenceRequest,
}

/// A row in SIQA's fields.
pub fn row(number: usize, result: &str) -> Value {
    json!({
        "context": format!("Ana didn't like number {number}."), "question": "What's next?",
        "answerA": "go home", "answerB": "see Bo's brother", "answerC": "rest", "result": result,
    })
}

/// So many rows as JSON lines; the right answers are A, B, C, A, B, C ...
pub fn rows(count: usize) -> String {
    let rows: Vec<String> = (0..count).map(|number| row(number, ["1", "2", "3"][number % 3]).to_string()).collect();
    rows.join("\n") + "\n"
}

/// The right answer to a question of [`rows`], by its number from 1.
pub fn right(question: u64) -> &'static str {
    [" A", " B", " C"][((question - 1) % 3) as usize]
}

/// The SHA-256 that the tests take for that of a model's file.
pub fn file_hash(model: &str) -> String {
    sha256(model.as_bytes()).to_hex()
}

/// What an honest worker answers to a batch.
pub fn response(batch: &Batch, said: impl Fn(&Prompt) -> Answer) -> InferenceResponse {
    let prompts = batch.request.prompts.iter();
    let results: Vec<_> = prompts.map(|prompt| PromptResult { id: prompt.id, answer: said(prompt) }).collect();
    let receipt = Receipt {
        model_file_hash: batch.file_hash.clone(),
        engine: "scripted".to_owned(),
        build: "test".to_owned(),
        profile: "exact".to_owned(),
        instruction_set: "none".to_owned(),
        prompts_hash: batch.request.prompts_hash(),
        output_hash: results_hash(&results),
    };
    InferenceResponse { results, receipt }
}

/// A text as an answer.
pub fn text(output: &str) -> Answer {
    Answer::Generated { output: output.to_owned(), tokens: 1, finish: Finish::Stop }
}

impl Study {
    /// A dataset with the built-in task, these tags beside those of its surroundings, and this data.
    pub fn new(pairs: &[(&str, &str)], data: &str) -> Self {
        Self::try_new(pairs, data).unwrap_or_else(|fault| panic!("no dataset: {fault}"))
    }

    pub fn try_new(pairs: &[(&str, &str)], data: &str) -> Result<Self, String> {
        let mut world = World::new();
        let herder = world.spawn("token", wallet("herder's owner"), &[], "");
        let benchmark = world.spawn("token", wallet("benchmark's owner"), &[], "");
        let (herder_text, benchmark_text) = (herder.to_string(), benchmark.to_string());
        let mut all = vec![("Herder", herder_text.as_str()), ("Benchmark", benchmark_text.as_str())];
        all.extend_from_slice(pairs);
        let dataset = world.try_spawn("dataset", wallet("owner"), &all, data)?;
        Ok(Self { world, dataset, herder, benchmark })
    }

    /// A dataset with so many questions.
    pub fn of(count: usize) -> Self {
        let mut study = Self::new(&[("Title", "Study")], "");
        study.load(rows(count)).unwrap();
        study
    }

    pub fn say(&mut self, from: &str, pairs: &[(&str, &str)], data: impl Into<Vec<u8>>) -> Outcome {
        self.world.send(wallet(from), self.dataset, pairs, data)
    }

    /// The owner loads rows.
    pub fn load(&mut self, rows: impl Into<Vec<u8>>) -> Outcome {
        self.say("owner", &[("Action", "Load-Data")], rows)
    }

    /// The benchmark process freezes the dataset for a pool.
    pub fn freeze(&mut self, pool: Id) -> Outcome {
        let pool = pool.to_string();
        self.world.send_from_process(self.benchmark, self.dataset, &[("Action", "Freeze-Dataset"), ("Pool", &pool)], "")
    }

    /// The benchmark process enters a model (a name) into a pool.
    pub fn enter(&mut self, pool: Id, model: &str) -> Outcome {
        self.freeze(pool)?;
        self.enter_file(pool, model, &file_hash(model))
    }

    pub fn enter_file(&mut self, pool: Id, model: &str, file_hash: &str) -> Outcome {
        let (pool, model) = (pool.to_string(), upload(model).to_string());
        let pairs = [
            ("Action", "Benchmark"),
            ("Pool", pool.as_str()),
            ("Model", model.as_str()),
            ("Content-Hash", file_hash),
            ("File-Hash", file_hash),
        ];
        self.world.send_from_process(self.benchmark, self.dataset, &pairs, "")
    }

    /// Every batch that the herder was asked for, oldest first.
    pub fn batches(&self) -> Vec<Batch> {
        self.sent_to(self.herder, "Inference").iter().map(batch).collect()
    }

    /// Every score that the benchmark process was told, oldest first: pool, model, data.
    pub fn reports(&self) -> Vec<(String, String, Value)> {
        let messages = self.sent_to(self.benchmark, "Score-Response");
        let tag = |message: &Message, name| message.tag(name).unwrap().to_owned();
        messages.iter().map(|message| (tag(message, "Pool"), tag(message, "Model"), data(message))).collect()
    }

    /// What a process was sent.
    pub fn sent_to(&self, process: Id, action: &str) -> Vec<Message> {
        let messages = self.world.history(process).map(|(message, _)| message);
        messages.filter(|message| message.action() == action).cloned().collect()
    }

    /// The herder answers a batch.
    pub fn answer(&mut self, batch: &Batch, said: impl Fn(&Prompt) -> Answer) -> Outcome {
        self.reply(batch, &[], serde_json::to_vec(&response(batch, said)).unwrap())
    }

    /// The herder says that a batch came to nothing.
    pub fn fail(&mut self, batch: &Batch, fault: &str, error: &str) -> Outcome {
        self.reply(batch, &[("Fault", fault), ("Error", error)], "")
    }

    pub fn reply(&mut self, batch: &Batch, pairs: &[(&str, &str)], data: impl Into<Vec<u8>>) -> Outcome {
        let worker = wallet("worker").to_string();
        let mut all = vec![("Action", "Inference-Response"), ("Reference", batch.reference.as_str())];
        all.push(("Worker", worker.as_str()));
        all.extend_from_slice(pairs);
        self.world.send_from_process(self.herder, self.dataset, &all, data)
    }

    /// Time passes until the alarm that was set for at once.
    pub fn wake(&mut self) {
        self.world.advance(100);
    }

    /// The score of a model (a name).
    pub fn score(&mut self, model: &str) -> Value {
        let model = upload(model).to_string();
        self.world.read(self.dataset, &[("Action", "Score"), ("Model", &model)], "")
    }

    /// The row of a model in Get-Models, by its upload (a name).
    pub fn model(&mut self, model: &str) -> Value {
        let models = self.world.read(self.dataset, &[("Action", "Get-Models")], "");
        let id = upload(model).to_string();
        models.as_array().unwrap().iter().find(|row| row["data_tx"] == id.as_str()).cloned().unwrap_or_default()
    }

    /// One value of the tables.
    pub fn value<T: rusqlite::types::FromSql>(&self, sql: &str) -> T {
        self.world.connection(self.dataset).query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

fn batch(message: &Message) -> Batch {
    let tag = |name: &str| message.tag(name).unwrap_or_else(|| panic!("no {name} in {message:?}")).to_owned();
    assert_eq!(tag("WorkerType"), "Llama");
    let request = InferenceRequest::read(&message.data).expect("a request that a herder takes");
    assert!(request.kind == RequestKind::Loglikelihood || request.max_tokens > 0);
    Batch { reference: tag("Reference"), model: tag("Model"), file_hash: tag("File-Hash"), request }
}

/// The data of a message as JSON.
pub fn data(message: &Message) -> Value {
    serde_json::from_slice(&message.data).unwrap()
}
