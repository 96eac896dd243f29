//! A knowledge process with its herder, for tests: either a real herder with a worker that embeds by a function of the
//! test, or a process that the test lets answer as a herder would.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

pub mod weather;

use ao::{Id, Message, hash_parts};
use processes::herder::wire::{Answer, Finish, InferenceRequest, InferenceResponse};
use serde_json::{Value, json};

pub use self::weather::{by_words, file_hash, response, unit, vector};

use crate::harness::{Letter, Outcome, World, upload, wallet};

/// The four documents of the original documentation, and the hash that is printed there.
pub const ORIGINAL_HASH: &str = "673322f20121f3dc36538578295819386f1ef2b8";
pub const ORIGINAL: &str = r#"{"hash":"673322f20121f3dc36538578295819386f1ef2b8","list":[{"content":"This contains variable declarations","meta":{"title":"one"}},{"content":"This contains another sort of variable declarations","meta":{"title":"two"}},{"content":"This has nothing to do with variable declarations","meta":{"title":"three"}},{"content":"A random doc","meta":{"title":"four"}}]}"#;

/// How the worker of a test embeds.
pub type Embed = fn(&str) -> Vec<f32>;

/// A knowledge process with its surroundings.
pub struct Library {
    pub world: World,
    pub herder: Id,
    pub knowledge: Id,
    embed: Embed,
    answered: usize,
}

/// What was asked of the herder.
#[derive(Debug, Clone)]
pub struct Batch {
    pub reference: String,
    pub request: InferenceRequest,
}

/// A direction that is another one for each text, of 64 numbers.
pub fn by_hash(text: &str) -> Vec<f32> {
    let blocks = [b"one", b"two"].map(|salt| hash_parts(&[salt, text.as_bytes()]));
    let bytes = blocks.iter().flat_map(|block| block.as_bytes().to_vec());
    unit(bytes.map(|byte| f32::from(byte) - 127.5).collect())
}

/// The answer to a text that the model cannot take.
pub fn too_long() -> Answer {
    Answer::Generated { output: String::new(), tokens: 0, finish: Finish::ContextExceeded }
}

/// The name of a list of contents.
pub fn name_of(contents: &[&str]) -> String {
    use sha1::Digest as _;
    sha1::Sha1::digest(contents.concat()).iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// The data of `Create-Dataset` for these contents; the meta of each is its number.
pub fn dataset(contents: &[&str]) -> String {
    let list: Vec<Value> =
        contents.iter().zip(1..).map(|(content, number)| json!({ "content": content, "meta": number })).collect();
    json!({ "hash": name_of(contents), "list": list }).to_string()
}

impl Library {
    /// With a herder and one worker that embeds so, when it is told to.
    pub fn with_worker(embed: Embed) -> Self {
        let mut world = World::new();
        let worker = wallet("worker").to_string();
        let pairs = [("Workers", worker.as_str()), ("Lease-Seconds", "3600")];
        let herder = world.spawn("herder", wallet("herder's owner"), &pairs, "");
        let pairs = [("Action", "Register-Worker"), ("WorkerType", "Embed"), ("Capacity", "16")];
        world.send(wallet("worker"), herder, &pairs, "").unwrap();
        Self::beside(world, herder, embed)
    }

    /// With a herder that the test plays: a process that understands nothing it is sent.
    pub fn with_played_herder() -> Self {
        let mut world = World::new();
        let herder = world.spawn("token", wallet("herder's owner"), &[], "");
        Self::beside(world, herder, by_words)
    }

    fn beside(mut world: World, herder: Id, embed: Embed) -> Self {
        let (herder_text, model, hash) = (herder.to_string(), upload("model").to_string(), file_hash());
        let pairs = [("Herder", herder_text.as_str()), ("Model", &model), ("File-Hash", &hash), ("Title", "Library")];
        let knowledge = world.spawn("knowledge", wallet("operator"), &pairs, "");
        Self { world, herder, knowledge, embed, answered: 0 }
    }

    pub fn say(&mut self, from: &str, action: &str, data: impl Into<Vec<u8>>) -> Outcome {
        self.world.send(wallet(from), self.knowledge, &[("Action", action)], data)
    }

    /// Creates a dataset of these contents; what its creator was answered.
    pub fn create(&mut self, from: &str, contents: &[&str]) -> Result<Value, String> {
        let effects = self.say(from, "Create-Dataset", dataset(contents))?;
        Ok(serde_json::from_str(&effects.output.data).unwrap())
    }

    /// Deletes a dataset.
    pub fn delete(&mut self, from: &str, hash: &str) -> Outcome {
        self.say(from, "Delete-Dataset", json!({ "dataset_hash": hash }).to_string())
    }

    /// Asks for a search, with a reference.
    pub fn ask(&mut self, from: &str, reference: &str, data: &Value) -> Outcome {
        let pairs = [("Action", "Search-Prompt"), ("Reference", reference)];
        self.world.send(wallet(from), self.knowledge, &pairs, data.to_string())
    }

    /// Searches, lets the worker work, and reads what was found.
    pub fn search(&mut self, hash: &str, prompt: &str, limit: u64) -> Value {
        let asked = json!({ "dataset_hash": hash, "prompt": prompt, "limit": limit });
        self.ask("reader", prompt, &asked).unwrap();
        self.work();
        let letter = self.answers("reader").pop().unwrap();
        assert_eq!(letter.tag("Reference"), Some(prompt), "{letter:?}");
        serde_json::from_slice(&letter.data).unwrap_or_else(|error| panic!("{error}: {letter:?}"))
    }

    /// The numbers of the documents that a search finds, the best one first.
    pub fn numbers(&mut self, hash: &str, prompt: &str, limit: u64) -> Vec<u64> {
        let found = self.search(hash, prompt, limit);
        found["documents"].as_array().unwrap().iter().map(|document| document["number"].as_u64().unwrap()).collect()
    }

    /// Every answer to searches of somebody, oldest first.
    pub fn answers(&self, asker: &str) -> Vec<Letter> {
        let letters = self.world.inbox(wallet(asker)).iter();
        letters.filter(|letter| letter.action() == "Search-Prompt-Response").cloned().collect()
    }

    /// The worker answers all jobs, also those that follow.
    pub fn work(&mut self) {
        while self.work_once() {}
    }

    /// The worker answers its next job. Whether there was one.
    pub fn work_once(&mut self) -> bool {
        let jobs = self.jobs();
        let Some(job) = jobs.get(self.answered) else { return false };
        self.answered += 1;
        let request = InferenceRequest::read(&job.data).unwrap();
        let embed = self.embed;
        let data = serde_json::to_vec(&response(&request, |prompt| vector(embed(&prompt.prompt)))).unwrap();
        let named = |name: &str| job.tag(name).unwrap().to_owned();
        let (number, attempt) = (named("Job"), named("Attempt"));
        let pairs = [("Action", "Inference-Response"), ("Job", number.as_str()), ("Attempt", attempt.as_str())];
        self.world.send(wallet("worker"), self.herder, &pairs, data).unwrap();
        true
    }

    /// The jobs that the worker was given, oldest first.
    pub fn jobs(&self) -> Vec<Letter> {
        let letters = self.world.inbox(wallet("worker")).iter();
        letters.filter(|letter| letter.action() == "Inference").cloned().collect()
    }

    /// Every batch that the played herder was asked for, oldest first.
    pub fn batches(&self) -> Vec<Batch> {
        let asked = self.world.history(self.herder).map(|(message, _)| message);
        asked.filter(|message| message.action() == "Inference").map(batch).collect()
    }

    pub fn last_batch(&self) -> Batch {
        self.batches().pop().unwrap()
    }

    /// The played herder answers a batch as it should be.
    pub fn answer(&mut self, batch: &Batch) -> Outcome {
        self.reply(batch, &[], &response(&batch.request, |prompt| vector(by_words(&prompt.prompt))))
    }

    pub fn reply(&mut self, batch: &Batch, pairs: &[(&str, &str)], response: &InferenceResponse) -> Outcome {
        let mut all = vec![("Action", "Inference-Response"), ("Reference", batch.reference.as_str())];
        all.extend_from_slice(pairs);
        let data = serde_json::to_vec(response).unwrap();
        self.world.send_from_process(self.herder, self.knowledge, &all, data)
    }

    /// The played herder says that a batch came to nothing.
    pub fn fail(&mut self, batch: &Batch, fault: &str, error: &str) -> Outcome {
        let all = [
            ("Action", "Inference-Response"),
            ("Reference", batch.reference.as_str()),
            ("Fault", fault),
            ("Error", error),
        ];
        self.world.send_from_process(self.herder, self.knowledge, &all, "")
    }

    pub fn info(&mut self) -> Value {
        self.world.read(self.knowledge, &[("Action", "Info")], "")
    }

    /// The rows of Get-Datasets.
    pub fn datasets(&mut self) -> Vec<Value> {
        let all = self.world.read(self.knowledge, &[("Action", "Get-Datasets")], "");
        all.as_array().unwrap().clone()
    }

    /// Documents, embedded, pending and failed of a dataset.
    pub fn progress(&mut self, hash: &str) -> [u64; 4] {
        let rows = self.world.read(self.knowledge, &[("Action", "Get-Datasets"), ("Dataset-Hash", hash)], "");
        assert_eq!(rows.as_array().unwrap().len(), 1);
        ["documents", "embedded", "pending", "failed"].map(|name| rows[0][name].as_u64().unwrap())
    }

    /// One value of the tables.
    pub fn count(&self, sql: &str) -> i64 {
        self.world.connection(self.knowledge).query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

fn batch(message: &Message) -> Batch {
    let tag = |name: &str| message.tag(name).unwrap_or_else(|| panic!("no {name} in {message:?}")).to_owned();
    assert_eq!(tag("WorkerType"), "Embed");
    assert_eq!((tag("Model"), tag("File-Hash")), (upload("model").to_string(), file_hash()));
    let request = InferenceRequest::read(&message.data).expect("a request that a herder takes");
    Batch { reference: tag("Reference"), request }
}
