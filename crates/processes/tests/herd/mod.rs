//! A herder with its workers and requesters in a world, for the tests of the herder.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use std::collections::BTreeMap;

use ao::{Id, sha256};
use processes::herder::wire::{
    Answer, Finish, InferenceRequest, InferenceResponse, Prompt, PromptResult, Receipt, RequestKind, results_hash,
};
use serde_json::Value;

use crate::harness::money::balance;
use crate::harness::{Letter, Outcome, World, tags, wallet};

/// The lease time of the herders here, milliseconds.
pub const LEASE_MS: u64 = 10_000;

/// A herder in a world.
pub struct Herd {
    pub world: World,
    pub herder: Id,
    pub token: Id,
}

/// A batch of generations with these prompt ids.
pub fn batch(ids: &[u64]) -> InferenceRequest {
    let prompts = ids.iter().map(|id| Prompt { id: *id, prompt: format!("{id} + 1 ="), continuations: Vec::new() });
    let (kind, stop) = (RequestKind::Generate, vec!["\n".to_owned()]);
    InferenceRequest { kind, system_prompt: None, max_tokens: 4, stop, prompts: prompts.collect() }
}

/// The SHA-256 of a model file.
pub fn file_hash(model: &str) -> String {
    sha256(model.as_bytes()).to_hex()
}

/// What an honest worker answers to a batch.
pub fn honest(request: &InferenceRequest) -> InferenceResponse {
    let results: Vec<_> = request
        .prompts
        .iter()
        .map(|prompt| {
            let output = (prompt.id + 1).to_string();
            PromptResult { id: prompt.id, answer: Answer::Generated { output, tokens: 1, finish: Finish::Stop } }
        })
        .collect();
    let receipt = Receipt {
        model_file_hash: file_hash("model"),
        engine: "scripted".to_owned(),
        build: "test".to_owned(),
        profile: "exact".to_owned(),
        instruction_set: "none".to_owned(),
        prompts_hash: request.prompts_hash(),
        output_hash: results_hash(&results),
    };
    InferenceResponse { results, receipt }
}

/// JSON as the data of a message.
pub fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

impl Default for Herd {
    fn default() -> Self {
        Self::new(&[])
    }
}

impl Herd {
    /// A herder with these tags beside a lease of ten seconds and a token of which Alice has 1000.
    pub fn new(pairs: &[(&str, &str)]) -> Self {
        let mut world = World::new();
        let supply = format!(r#"{{"{}":"1000"}}"#, wallet("alice"));
        let token = world.spawn("token", wallet("mint"), &[("Name", "Wrapped AR")], &supply);
        let token_text = token.to_string();
        let mut all = vec![("Lease-Seconds", "10"), ("Token", token_text.as_str())];
        all.extend_from_slice(pairs);
        let herder = world.spawn("herder", wallet("owner"), &all, "");
        Self { world, herder, token }
    }

    /// A herder with workers that the owner allowed and that registered.
    pub fn with_workers(names: &[&str]) -> Self {
        let mut herd = Self::new(&[]);
        for name in names {
            herd.hire(name, &[]);
        }
        herd
    }

    pub fn say(&mut self, from: &str, pairs: &[(&str, &str)], data: impl Into<Vec<u8>>) -> Outcome {
        self.world.send(wallet(from), self.herder, pairs, data)
    }

    /// Allows a worker and lets it register.
    pub fn hire(&mut self, name: &str, pairs: &[(&str, &str)]) {
        let address = wallet(name).to_string();
        self.say("owner", &[("Action", "Allow-Worker"), ("Worker", &address)], "").unwrap();
        let mut all = vec![("Action", "Register-Worker")];
        all.extend_from_slice(pairs);
        self.say(name, &all, "").unwrap();
    }

    /// A requester asks for a batch, with its reference.
    pub fn ask(&mut self, from: &str, reference: &str, request: &InferenceRequest) -> Outcome {
        self.say(from, &[("Action", "Inference"), ("Reference", reference)], json(request))
    }

    /// Money with a prompt, through the token.
    pub fn pay(&mut self, from: &str, quantity: &str, pairs: &[(&str, &str)]) -> Outcome {
        let recipient = self.herder.to_string();
        let mut all = vec![("Action", "Transfer"), ("Recipient", recipient.as_str()), ("Quantity", quantity)];
        all.extend_from_slice(pairs);
        self.world.send(wallet(from), self.token, &all, "")
    }

    pub fn balance(&self, name: &str) -> u128 {
        balance(&self.world, self.token, wallet(name))
    }

    pub fn herder_balance(&self) -> u128 {
        balance(&self.world, self.token, self.herder)
    }

    /// The jobs that a worker was given, oldest first.
    pub fn jobs(&self, worker: &str) -> Vec<Letter> {
        let letters = self.world.inbox(wallet(worker)).iter();
        letters.filter(|letter| letter.action() == "Inference").cloned().collect()
    }

    /// The last job that a worker was given.
    pub fn last_job(&self, worker: &str) -> Letter {
        self.jobs(worker).pop().unwrap_or_else(|| panic!("{worker} was given no job"))
    }

    /// A worker answers a job with this data and these tags.
    pub fn reply(&mut self, worker: &str, job: &Letter, pairs: &[(&str, &str)], data: impl Into<Vec<u8>>) -> Outcome {
        let named = |name: &str| job.tag(name).unwrap().to_owned();
        let (number, attempt) = (named("Job"), named("Attempt"));
        let mut all = vec![("Action", "Inference-Response"), ("Job", number.as_str()), ("Attempt", attempt.as_str())];
        all.extend_from_slice(pairs);
        self.say(worker, &all, data)
    }

    /// A worker answers its last job as it should.
    pub fn work(&mut self, worker: &str) -> Outcome {
        let job = self.last_job(worker);
        let data = match InferenceRequest::read(&job.data) {
            Ok(request) => json(&honest(&request)),
            Err(_) => b"a plain answer".to_vec(),
        };
        self.reply(worker, &job, &[], data)
    }

    /// What a requester was answered, oldest first.
    pub fn answers(&self, requester: &str) -> Vec<Letter> {
        let letters = self.world.inbox(wallet(requester)).iter();
        letters.filter(|letter| letter.action() == "Inference-Response").cloned().collect()
    }

    pub fn last_answer(&self, requester: &str) -> Letter {
        self.answers(requester).pop().unwrap_or_else(|| panic!("{requester} was not answered"))
    }

    pub fn info(&mut self) -> Value {
        self.world.read(self.herder, &[("Action", "Info")], "")
    }

    /// The statistics of one worker.
    pub fn record(&mut self, worker: &str) -> Value {
        let all = self.world.read(self.herder, &[("Action", "Worker-Statistic")], "");
        let address = wallet(worker).to_string();
        let found = all["workers"].as_array().unwrap().iter().find(|worker| worker["address"] == address.as_str());
        found.cloned().unwrap_or_else(|| panic!("{worker} is not in {all}"))
    }

    /// How many jobs each worker holds.
    pub fn leases(&self) -> BTreeMap<String, i64> {
        let connection = self.world.connection(self.herder);
        let mut statement = connection.prepare("SELECT worker, count(*) FROM leases GROUP BY worker").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    }

    /// A message as if another process had sent it.
    pub fn forge(&mut self, from: Id, pairs: &[(&str, &str)]) -> Outcome {
        self.world.send_from_process(from, self.herder, pairs, "")
    }

    /// A heartbeat.
    pub fn beat(&mut self, worker: &str, pairs: &[(&str, &str)]) -> Outcome {
        let mut all = tags(&[("Action", "Heartbeat")]);
        for (name, value) in pairs {
            all.push(*name, *value);
        }
        let all: Vec<_> = all.iter().map(|tag| (tag.name.as_str(), tag.value.as_str())).collect();
        self.say(worker, &all, "")
    }
}
