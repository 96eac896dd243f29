//! `aobench bench search`: how long a search takes in a knowledge process, beside numpy's product of the same matrix and
//! vector in the same run; and how long the message takes that the search is a part of, from the vector of its prompt to the
//! answer with the documents.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, bail};
use ao::{Effects, Id, Message, MessageKind, Tags};
use clap::Args;
use processes::herder::embedding::Embedding;
use processes::herder::wire::{Answer, InferenceRequest, InferenceResponse, PromptResult, Receipt, results_hash};
use processes::knowledge::limits::RESULTS_DEFAULT;
use processes::limits::MEMO_BYTES_MAX;
use processes::{Database, Env, Memo, Module, knowledge, module_by_name};
use rusqlite::Connection;
use serde::Serialize;
use serde_json::json;

use crate::output::{Column, Output, table};
use crate::session::action;

/// Numbers of a vector.
const DIMENSIONS: usize = 384;
/// Searches that are measured; the fastest counts, as for numpy.
const SEARCHES: usize = 20;

/// The other side: the best of twenty products of a random matrix of 32-bit floats and a vector.
const NUMPY: &str = "
import sys, time, numpy
rows, columns = int(sys.argv[1]), int(sys.argv[2])
random = numpy.random.default_rng(1)
matrix = random.standard_normal((rows, columns), dtype=numpy.float32)
matrix /= numpy.linalg.norm(matrix, axis=1, keepdims=True)
best = 1e9
for _ in range(20):
    vector = random.standard_normal(columns, dtype=numpy.float32)
    began = time.perf_counter()
    matrix @ vector
    best = min(best, time.perf_counter() - began)
print(best * 1000)
";

/// What can be typed after `aobench bench search`.
#[derive(Debug, Args)]
pub(crate) struct SearchArguments {
    /// Documents of a dataset; several may be named
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000])]
    documents: Vec<usize>,
    /// A Python with numpy; without one there is nothing to compare with
    #[arg(long, value_name = "FILE", env = "AOBENCH_PYTHON")]
    python: Option<PathBuf>,
}

/// What was measured for one dataset.
#[derive(Debug, Serialize)]
struct Measured {
    documents: usize,
    dimensions: usize,
    /// The search alone: the vector is there, the best documents are found.
    search_ms: f64,
    /// The whole message that a search is a part of.
    message_ms: f64,
    numpy_ms: Option<f64>,
    /// numpy's time over that of a search.
    ratio: Option<f64>,
    /// numpy's time over that of a message.
    ratio_message: Option<f64>,
}

/// A knowledge process on a file of its own, as a node has it.
struct Library {
    database: Database,
    module: &'static dyn Module,
    env: Env,
    herder: Id,
    slot: u64,
    seed: u64,
    /// The name of the dataset.
    hash: String,
    _folder: tempfile::TempDir,
}

pub(super) fn run(arguments: &SearchArguments, output: Output) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for &documents in &arguments.documents {
        let bar = output.bar(documents as u64, "embedding documents");
        let mut library = Library::new()?;
        library.fill(documents, &bar)?;
        bar.finish_and_clear();
        let (mut search_ms, mut message_ms) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..SEARCHES {
            message_ms = message_ms.min(library.message()?);
            search_ms = search_ms.min(library.search(documents)?);
        }
        let numpy_ms = arguments.python.as_ref().map(|python| numpy(python, documents)).transpose()?;
        let ratio = numpy_ms.map(|numpy_ms| numpy_ms / search_ms);
        let ratio_message = numpy_ms.map(|numpy_ms| numpy_ms / message_ms);
        let dimensions = DIMENSIONS;
        rows.push(Measured { documents, dimensions, search_ms, message_ms, numpy_ms, ratio, ratio_message });
    }
    output.result(&rows, |rows| describe(rows))
}

fn describe(rows: &[Measured]) -> String {
    let columns = [
        Column::Number("documents"),
        Column::Number("search, ms"),
        Column::Number("numpy matrix @ vector, ms"),
        Column::Number("ratio"),
        Column::Number("message, ms"),
        Column::Number("ratio"),
    ];
    let milliseconds = |value: f64| format!("{value:.3}");
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    table(
        &columns,
        rows.iter().map(|row| {
            vec![
                row.documents.to_string(),
                milliseconds(row.search_ms),
                row.numpy_ms.map_or_else(|| "-".to_owned(), milliseconds),
                number(row.ratio),
                milliseconds(row.message_ms),
                number(row.ratio_message),
            ]
        }),
    )
}

fn numpy(python: &PathBuf, documents: usize) -> anyhow::Result<f64> {
    let output = Command::new(python)
        .args(["-c", NUMPY, &documents.to_string(), &DIMENSIONS.to_string()])
        .output()
        .with_context(|| format!("{} cannot be run", python.display()))?;
    if !output.status.success() {
        bail!("{} failed: {}", python.display(), String::from_utf8_lossy(&output.stderr));
    }
    String::from_utf8_lossy(&output.stdout).trim().parse().context("numpy's time cannot be read")
}

impl Library {
    fn new() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let connection = Connection::open(folder.path().join("knowledge.sqlite"))?;
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536")?;
        let module = module_by_name("knowledge").context("there is no knowledge module")?;
        let (herder, model) = (Id::new([2; 32]), Id::new([3; 32]));
        let tags = Tags::new()
            .with("Herder", herder.to_string())
            .with("Model", model.to_string())
            .with("File-Hash", "0".repeat(64));
        let (process, owner, node) = (Id::new([1; 32]), Id::new([4; 32]), Id::new([5; 32]));
        let env = Env { process, owner, tags, node };
        let database = Database::new(connection, Memo::new(MEMO_BYTES_MAX))?;
        let mut library =
            Self { database, module, env, herder, slot: 0, seed: 1, hash: String::new(), _folder: folder };
        library.handle(MessageKind::Spawn, owner, Tags::new(), Vec::new())?;
        Ok(library)
    }

    /// Lets the process handle a message inside a transaction, as a node does.
    fn handle(&mut self, kind: MessageKind, from: Id, tags: Tags, data: Vec<u8>) -> anyhow::Result<Effects> {
        let id = ao::hash_parts(&[b"bench", &self.slot.to_le_bytes()]);
        let message = Message {
            id,
            from,
            owner: from,
            target: self.env.process,
            kind,
            slot: self.slot,
            timestamp_ms: 1_767_225_600_000 + self.slot,
            block_height: 0,
            pushed_for: id,
            anchor: String::new(),
            tags,
            data,
            read_only: false,
        };
        self.slot += 1;
        self.database.connection().execute_batch("BEGIN")?;
        let outcome = self.database.handle(|store| match kind {
            MessageKind::Spawn => self.module.spawn(store, &message, &self.env),
            _ => self.module.handle(store, &message, &self.env),
        });
        self.database.connection().execute_batch("COMMIT")?;
        Ok(outcome?)
    }

    /// Creates a dataset and gives every document a random vector.
    fn fill(&mut self, documents: usize, bar: &indicatif::ProgressBar) -> anyhow::Result<()> {
        let contents = contents(documents);
        self.hash = knowledge::name(contents.iter().map(String::as_str));
        let list: Vec<_> = contents.iter().map(|content| json!({ "content": content })).collect();
        let data = serde_json::to_vec(&json!({ "hash": self.hash, "list": list }))?;
        let owner = self.env.owner;
        let mut asked = self.handle(MessageKind::Item, owner, action("Create-Dataset"), data)?.messages;
        asked.retain(|message| message.target == self.herder);
        while let Some(batch) = asked.pop() {
            let reference = batch.tags.get("Reference").unwrap_or_default().to_owned();
            let (tags, data) = self.answer(&batch.data, &reference)?;
            let more = self.handle(MessageKind::Pushed, self.herder, tags, data)?.messages;
            asked.extend(more.into_iter().filter(|message| message.target == self.herder));
            bar.inc(InferenceRequest::read(&batch.data)?.prompts.len() as u64);
        }
        Ok(())
    }

    /// A search alone: milliseconds from its vector to the numbers of the best documents.
    fn search(&mut self, documents: usize) -> anyhow::Result<f64> {
        let embedding = Embedding::new(self.vector())?;
        self.database.connection().execute_batch("BEGIN")?;
        let began = Instant::now();
        let most = RESULTS_DEFAULT as usize;
        let found = self.database.handle(|store| knowledge::nearest(store, &self.env, &self.hash, &embedding, most));
        let milliseconds = began.elapsed().as_secs_f64() * 1000.0;
        self.database.connection().execute_batch("COMMIT")?;
        if found?.len() != most.min(documents) {
            bail!("the search found too few documents");
        }
        Ok(milliseconds)
    }

    /// The message of a search: milliseconds from its vector to its answer.
    fn message(&mut self) -> anyhow::Result<f64> {
        let data = json!({ "dataset_hash": self.hash, "prompt": "anything" }).to_string().into_bytes();
        let owner = self.env.owner;
        let asked = self.handle(MessageKind::Item, owner, action("Search-Prompt"), data)?.messages;
        let batch = asked.iter().find(|message| message.target == self.herder).context("no vector was asked for")?;
        let reference = batch.tags.get("Reference").unwrap_or_default().to_owned();
        let (tags, data) = self.answer(&batch.data, &reference)?;
        let began = Instant::now();
        let effects = self.handle(MessageKind::Pushed, self.herder, tags, data)?;
        let milliseconds = began.elapsed().as_secs_f64() * 1000.0;
        let is_answer = |message: &ao::Outgoing| message.target == owner && message.tags.get("Error").is_none();
        if !effects.messages.iter().any(is_answer) {
            bail!("the search was not answered: {:?}", effects.output.error);
        }
        Ok(milliseconds)
    }

    /// What a worker answers, with random vectors.
    fn answer(&mut self, data: &[u8], reference: &str) -> anyhow::Result<(Tags, Vec<u8>)> {
        let request = InferenceRequest::read(data)?;
        let mut results = Vec::new();
        for prompt in &request.prompts {
            let embedding = Embedding::new(self.vector())?;
            results.push(PromptResult { id: prompt.id, answer: Answer::Embedded { embedding } });
        }
        let receipt = Receipt {
            model_file_hash: "0".repeat(64),
            engine: "random".to_owned(),
            build: String::new(),
            profile: "exact".to_owned(),
            instruction_set: String::new(),
            prompts_hash: request.prompts_hash(),
            output_hash: results_hash(&results),
        };
        let tags = action("Inference-Response").with("Reference", reference);
        Ok((tags, serde_json::to_vec(&InferenceResponse { results, receipt })?))
    }

    /// A random vector of length 1: sums of twelve uniform numbers are as good as normal ones.
    fn vector(&mut self) -> Vec<f32> {
        let numbers: Vec<f64> = (0..DIMENSIONS).map(|_| (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0).collect();
        let length = numbers.iter().map(|number| number * number).sum::<f64>().sqrt();
        numbers.iter().map(|number| (number / length) as f32).collect()
    }

    /// A number from 0 to 1 (xorshift64*): the same in each run.
    fn uniform(&mut self) -> f64 {
        self.seed ^= self.seed >> 12;
        self.seed ^= self.seed << 25;
        self.seed ^= self.seed >> 27;
        (self.seed.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

fn contents(documents: usize) -> Vec<String> {
    let content = |number: usize| {
        let mut text = String::with_capacity(20);
        let _ = write!(text, "document {number}");
        text
    };
    (0..documents).map(content).collect()
}
