//! `aobench bench embed`: texts a second that become vectors, beside what Python has for the same model in the same run.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, bail};
use clap::Args;
use inference::{ChildEngine, ChildOptions, ChildProgram, Embedded, Engine, ModelFile};
use serde::{Deserialize, Serialize};

use crate::output::{Column, Output, table};

/// The other side, with what is installed: llama-cpp-python on the same file, or sentence-transformers on the model of
/// the same name. One thread, as ours.
const PYTHON: &str = "
import json, sys, time
path, name, texts = sys.argv[1], sys.argv[2], json.load(sys.stdin)
try:
    from llama_cpp import Llama
    model = Llama(path, embedding=True, n_threads=1, n_threads_batch=1, verbose=False)
    tool, embed = 'llama-cpp-python', lambda texts: model.embed(texts)
except ImportError:
    import torch
    from sentence_transformers import SentenceTransformer
    torch.set_num_threads(1)
    model = SentenceTransformer(name)
    tool, embed = 'sentence-transformers', lambda texts: model.encode(texts, batch_size=32)
embed(texts[:8])
began = time.perf_counter()
embed(texts)
print(json.dumps({'tool': tool, 'texts_per_second': len(texts) / (time.perf_counter() - began)}))
";

/// What can be typed after `aobench bench embed`.
#[derive(Debug, Args)]
pub(crate) struct EmbedArguments {
    /// The embedding model, a GGUF file
    #[arg(long, value_name = "FILE")]
    model: PathBuf,
    /// Texts to embed
    #[arg(long, default_value_t = 256)]
    texts: usize,
    /// A Python with llama-cpp-python or sentence-transformers
    #[arg(long, value_name = "FILE", env = "AOBENCH_PYTHON")]
    python: Option<PathBuf>,
    /// The model's name for sentence-transformers
    #[arg(long, default_value = "sentence-transformers/all-MiniLM-L6-v2")]
    name: String,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Measured {
    texts: usize,
    texts_per_second: f64,
    other: Option<Other>,
    /// Ours over the other.
    ratio: Option<f64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Other {
    tool: String,
    texts_per_second: f64,
}

pub(super) fn run(arguments: &EmbedArguments, output: Output) -> anyhow::Result<()> {
    if arguments.texts == 0 {
        bail!("--texts is at least 1");
    }
    let texts: Vec<String> = (0..arguments.texts).map(text).collect();
    let mut engine = ChildEngine::new(ChildProgram::this()?, ChildOptions::default());
    engine.load(&ModelFile::at(&arguments.model))?;
    engine.embed(&texts[..texts.len().min(8)], &mut |_| ())?;
    let bar = output.bar(texts.len() as u64, "embedding");
    let began = Instant::now();
    let vectors = engine.embed(&texts, &mut |progress| bar.set_position(progress.finished as u64))?;
    let texts_per_second = texts.len() as f64 / began.elapsed().as_secs_f64();
    bar.finish_and_clear();
    if vectors.contains(&Embedded::ContextExceeded) {
        bail!("the model is too small for the texts of this benchmark");
    }
    let other = arguments.python.as_ref().map(|python| other(python, arguments, &texts)).transpose()?;
    let ratio = other.as_ref().map(|other| texts_per_second / other.texts_per_second);
    let measured = Measured { texts: texts.len(), texts_per_second, other, ratio };
    output.result(&measured, describe)
}

fn describe(measured: &Measured) -> String {
    let columns = [Column::Text("what"), Column::Number("texts/s")];
    let mut rows = vec![vec!["aobench, one thread".to_owned(), format!("{:.1}", measured.texts_per_second)]];
    if let Some(other) = &measured.other {
        rows.push(vec![format!("{}, one thread", other.tool), format!("{:.1}", other.texts_per_second)]);
    }
    if let Some(ratio) = measured.ratio {
        rows.push(vec!["ratio".to_owned(), format!("{ratio:.2}")]);
    }
    table(&columns, rows)
}

fn other(python: &PathBuf, arguments: &EmbedArguments, texts: &[String]) -> anyhow::Result<Other> {
    let folder = tempfile::tempdir()?;
    let input = folder.path().join("texts.json");
    std::fs::write(&input, serde_json::to_vec(texts)?)?;
    let output = Command::new(python)
        .args(["-c", PYTHON])
        .arg(&arguments.model)
        .arg(&arguments.name)
        .stdin(std::fs::File::open(&input)?)
        .output()
        .with_context(|| format!("{} cannot be run", python.display()))?;
    if !output.status.success() {
        bail!("{} failed: {}", python.display(), String::from_utf8_lossy(&output.stderr));
    }
    serde_json::from_slice(&output.stdout).context("what Python measured cannot be read")
}

/// A text of about forty words, each time another one.
fn text(number: usize) -> String {
    const WORDS: [&str; 12] = [
        "rain", "river", "market", "teacher", "window", "silver", "garden", "train", "letter", "winter", "music",
        "road",
    ];
    let word = |place: usize| WORDS[(number * 7 + place * (number % 11 + 1)) % WORDS.len()];
    (0..40).map(word).collect::<Vec<_>>().join(" ")
}
