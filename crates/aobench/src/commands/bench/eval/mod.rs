//! `aobench bench eval`: questions a second that `aobench eval` scores on this machine, beside the arithmetic ceiling and
//! beside the programs that people use for it today, on one model and the same questions.

mod ao_wasm;
mod questions;
mod report;
mod rivals;
mod scaling;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, bail};
use clap::{Args, ValueEnum};
use indicatif::ProgressBar;
use inference::llama::{LlamaEngine, prompt_tokens_per_second};
use inference::random_model::{self, Quantization, Shape};
use inference::{Engine as _, EngineOptions, ModelFile, ScorePrompt, ScoreRequest};

use self::questions::{Question, SYSTEM_PROMPT};
use self::report::{EvalBench, OurRun, describe};
use self::rivals::{HarnessRun, Place};
use self::scaling::Scaling;
use crate::demo::assets;
use crate::output::Output;

/// Tokens of one computation, of which the fastest gives the ceiling.
const CEILING_BATCHES: [u32; 3] = [128, 256, 512];
/// Seconds that each of them is measured.
const CEILING_SECONDS: f64 = 1.0;

/// How the weights of a model are written, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Weights {
    /// 4 bits
    Q4_0,
    /// 8 bits
    Q8_0,
    /// Single precision
    F32,
}

impl From<Weights> for Quantization {
    fn from(weights: Weights) -> Self {
        match weights {
            Weights::Q4_0 => Self::Q4_0,
            Weights::Q8_0 => Self::Q8_0,
            Weights::F32 => Self::F32,
        }
    }
}

/// On what, and beside which programs.
#[derive(Debug, Args)]
pub(crate) struct EvalBenchArguments {
    /// A GGUF file whose vocabulary the model of random weights gets; that of the demo, which is small, if left out
    #[arg(long, value_name = "FILE")]
    vocab: Option<PathBuf>,
    /// How the weights of the model are written
    #[arg(long, value_enum, default_value_t = Weights::Q4_0)]
    quantization: Weights,
    /// A model to measure with instead
    #[arg(long, value_name = "FILE", conflicts_with_all = ["vocab", "quantization"])]
    model: Option<PathBuf>,
    /// Questions of Social IQa (JSON lines) instead of made ones
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// How many questions
    #[arg(long, default_value_t = 300)]
    questions: usize,
    /// Measure instead what ten thousand questions cost beside a thousand, with the best shipped model or the named one
    #[arg(long, conflicts_with_all = ["vocab", "data", "questions"])]
    scaling: bool,
    /// Threads of every program
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// llama.cpp's llama-perplexity
    #[arg(long, value_name = "PROGRAM")]
    llama_perplexity: Option<PathBuf>,
    /// The Python that has lm_eval, with torch, transformers and gguf for its backend hf, and llama-cpp-python[server]
    #[arg(long, value_name = "PROGRAM")]
    python: Option<PathBuf>,
    /// Questions for lm-eval's backend hf
    #[arg(long, default_value_t = 60)]
    hf_questions: usize,
    /// Questions for lm-eval over llama-cpp-python's server
    #[arg(long, default_value_t = 4)]
    gguf_questions: usize,
    /// AO's llama module (WebAssembly), which needs Node and the next two
    #[arg(long, value_name = "FILE")]
    ao_wasm: Option<PathBuf>,
    /// The folder node_modules with @permaweb/ao-loader and @permaweb/weavedrive
    #[arg(long, value_name = "FOLDER")]
    node_modules: Option<PathBuf>,
    /// A model for AO's module, like the 281k story model
    #[arg(long, value_name = "FILE")]
    story_model: Option<PathBuf>,
    /// A folder to keep models, questions and logs in; a temporary one if left out
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// The questions without and with a shared beginning, as tasks.
const PLAIN: &str = "bench_plain";
const PREFIXED: &str = "bench_prefix";

pub(crate) async fn run(arguments: EvalBenchArguments, output: Output) -> anyhow::Result<()> {
    let spinner = output.spinner("making a model");
    let shown = spinner.clone();
    if arguments.scaling {
        let scaling = tokio::task::spawn_blocking(move || scaling(&arguments, &shown)).await;
        spinner.finish_and_clear();
        return output.result(&scaling.context("the bench panicked")??, scaling::describe);
    }
    let bench = tokio::task::spawn_blocking(move || measure(&arguments, &shown)).await.context("the bench panicked")?;
    spinner.finish_and_clear();
    output.result(&bench?, describe)
}

fn scaling(arguments: &EvalBenchArguments, spinner: &ProgressBar) -> anyhow::Result<Scaling> {
    let temporary = super::temporary(None)?;
    let folder = folder(arguments, temporary.path())?;
    let shipped = folder.join("shipped.gguf");
    if arguments.model.is_none() {
        std::fs::write(&shipped, assets::MODELS[assets::MODELS.len() - 1].1)?;
    }
    let model = arguments.model.as_ref().unwrap_or(&shipped).canonicalize()?;
    let place = Place { folder: &folder, model: &model, threads: arguments.threads };
    scaling::measure(&place, "exact", |what| spinner.set_message(what))
}

/// Where models, questions and logs are kept.
fn folder(arguments: &EvalBenchArguments, temporary: &Path) -> anyhow::Result<PathBuf> {
    let folder = arguments.folder.as_deref().unwrap_or(temporary);
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    Ok(folder.canonicalize()?)
}

fn measure(arguments: &EvalBenchArguments, spinner: &ProgressBar) -> anyhow::Result<EvalBench> {
    let temporary = super::temporary(None)?;
    let folder = folder(arguments, temporary.path())?;
    let (model, parameters) = model(arguments, &folder)?;
    if arguments.questions < 10 {
        bail!("--questions is at least 10: fewer show nothing");
    }
    let questions = match &arguments.data {
        Some(file) => questions::read(file, arguments.questions)?,
        None => questions::made(arguments.questions),
    };
    questions::write_task(&folder, PLAIN, "", &questions)?;
    questions::write_task(&folder, PREFIXED, SYSTEM_PROMPT, &questions)?;
    let place = Place { folder: &folder, model: &model, threads: arguments.threads };

    spinner.set_message("prompt tokens a second");
    let before = ceiling(&place, false)?;
    let mut ours = Vec::new();
    for profile in ["fast", "exact"] {
        for task in [PLAIN, PREFIXED] {
            spinner.set_message(format!("aobench eval, {profile}, {task}"));
            ours.push(aobench(&place, profile, task, arguments.questions)?);
        }
    }
    spinner.set_message("a tenth of the questions");
    let tenth = aobench(&place, "fast", PLAIN, arguments.questions / 10)?;
    let rate = before.max(ceiling(&place, false)?);
    let flash_rate = ceiling(&place, true)?;
    let distinct = [distinct_tokens(&place, "", &questions)?, distinct_tokens(&place, SYSTEM_PROMPT, &questions)?];

    let beside = beside(arguments, &place, &questions, spinner);
    let seconds_at_least = [rate, flash_rate].map(|rate| distinct[0] as f64 / rate);
    let ratios = |plain: &OurRun, prefixed: &OurRun| beside.ratios(plain, prefixed, seconds_at_least);
    let [fast, fast_prefixed, exact, exact_prefixed] = <[OurRun; 4]>::try_from(ours).ok().context("four runs")?;
    Ok(EvalBench {
        ratios: ratios(&fast, &fast_prefixed),
        exact: ratios(&exact, &exact_prefixed),
        cost_of_ten_times: fast.seconds / tenth.seconds * (tenth.questions * 10) as f64 / fast.questions as f64,
        parameters,
        questions: arguments.questions,
        threads: arguments.threads,
        prompt_tokens_per_second: rate,
        prompt_tokens_per_second_flash: flash_rate,
        distinct_tokens: distinct[0],
        distinct_tokens_prefix: distinct[1],
        runs: vec![fast, fast_prefixed, exact, exact_prefixed, tenth],
        beside,
    })
}

fn model(arguments: &EvalBenchArguments, folder: &Path) -> anyhow::Result<(PathBuf, u64)> {
    if let Some(model) = &arguments.model {
        let file = std::fs::File::open(model).with_context(|| format!("{} cannot be read", model.display()))?;
        let length = file.metadata()?.len();
        return Ok((model.canonicalize()?, inference::gguf::Header::read(&file, 0, length)?.parameters()));
    }
    let shipped = folder.join("vocabulary.gguf");
    if arguments.vocab.is_none() {
        std::fs::write(&shipped, assets::MODELS[0].1)?;
    }
    let vocabulary = arguments.vocab.as_ref().unwrap_or(&shipped);
    let path = folder.join("random.gguf");
    let parameters = random_model::write(&path, vocabulary, &Shape::GPT_2, arguments.quantization.into())?;
    Ok((path, parameters))
}

/// The most prompt tokens a second that llama.cpp computes here: one engine with all threads, and one for each thread.
fn ceiling(place: &Place<'_>, flash_attention: bool) -> anyhow::Result<f64> {
    let mut best = 0.0;
    for context_tokens in CEILING_BATCHES {
        let alone = EngineOptions { context_tokens, ..EngineOptions::default() };
        let together = EngineOptions { threads: place.threads as u32, ..alone.clone() };
        let together = prompt_tokens_per_second(place.model, &together, flash_attention, CEILING_SECONDS)?;
        best = f64::max(best, together.max(side_by_side(place.model, place.threads, &alone, flash_attention)?));
    }
    Ok(best)
}

/// Prompt tokens a second of so many engines at one time.
fn side_by_side(model: &Path, engines: usize, options: &EngineOptions, flash_attention: bool) -> anyhow::Result<f64> {
    std::thread::scope(|scope| {
        let measure = || prompt_tokens_per_second(model, options, flash_attention, CEILING_SECONDS);
        let running: Vec<_> = (0..engines).map(|_| scope.spawn(measure)).collect();
        let mut sum = 0.0;
        for thread in running {
            sum += thread.join().map_err(|_| anyhow::anyhow!("a measurement panicked"))??;
        }
        Ok(sum)
    })
}

/// Tokens that must be computed for the questions, each shared one once.
fn distinct_tokens(place: &Place<'_>, description: &str, questions: &[Question]) -> anyhow::Result<usize> {
    let mut engine = LlamaEngine::new(&EngineOptions::default())?;
    engine.load(&ModelFile::at(place.model))?;
    let prompt = |question: &Question| ScorePrompt {
        prompt: format!("{description}Q: {} {}\nA:", question.context, question.question),
        continuations: question.answers.iter().map(|answer| format!(" {answer}")).collect(),
    };
    let prompts = questions.iter().map(prompt).collect();
    Ok(engine.distinct_tokens(&ScoreRequest { system_prompt: None, prompts })?)
}

/// The command that users type, as a process of its own.
fn aobench(place: &Place<'_>, profile: &str, task: &str, limit: usize) -> anyhow::Result<OurRun> {
    let file = |extension: &str| place.folder.join(format!("{task}.{extension}"));
    let results = super::temporary(None)?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--json").arg("eval").arg("--model").arg(place.model).arg("--task").arg(file("yaml"));
    command.arg("--data").arg(format!("test={}", file("jsonl").display())).args([
        "--profile",
        profile,
        "--log-samples",
    ]);
    command.arg("--workers").arg(place.threads.to_string()).arg("--limit").arg(limit.to_string());
    command.args(["--bootstrap", "1", "--output"]).arg(results.path());
    let began = Instant::now();
    let printed = rivals::run(command, &place.folder.join(format!("aobench-{profile}-{task}")))?;
    let seconds_whole = began.elapsed().as_secs_f64();
    let printed: serde_json::Value = serde_json::from_str(&printed).context("aobench eval printed no JSON")?;
    let seconds = printed[0]["aobench"]["seconds"][task].as_f64().context("aobench eval printed no time")?;
    Ok(OurRun::new(profile, task, limit, seconds, seconds_whole, log_likelihoods(results.path())?))
}

/// The sums for each answer of each question, from the samples that an evaluation wrote below a folder.
fn log_likelihoods(folder: &Path) -> anyhow::Result<Vec<Vec<f64>>> {
    let files = |folder: &Path| -> anyhow::Result<Vec<PathBuf>> {
        Ok(std::fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect())
    };
    let mut below = Vec::new();
    for path in files(folder)? {
        below.extend(if path.is_dir() { files(&path)? } else { vec![path] });
    }
    let is_samples = |path: &&PathBuf| {
        path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("samples_"))
    };
    let samples = std::fs::read_to_string(below.iter().find(is_samples).context("no samples were written")?)?;
    let mut sums = Vec::new();
    for line in samples.lines() {
        let line: serde_json::Value = serde_json::from_str(line)?;
        let answers = line["resps"].as_array().context("a sample holds no answers")?;
        let sum = |answer: &serde_json::Value| match &answer[0][0] {
            serde_json::Value::String(text) => text.parse().ok(),
            number => number.as_f64(),
        };
        sums.push(answers.iter().map(sum).collect::<Option<Vec<f64>>>().context("an answer holds no number")?);
    }
    Ok(sums)
}

/// Every rival in turn.
fn beside(
    arguments: &EvalBenchArguments,
    place: &Place<'_>,
    questions: &[Question],
    spinner: &ProgressBar,
) -> report::Beside {
    let mut beside = report::Beside::default();
    let perplexity = |name: &str, description: &str| -> anyhow::Result<f64> {
        let program = arguments.llama_perplexity.as_ref().context("--llama-perplexity was not given")?;
        spinner.set_message(format!("llama-perplexity, {name}"));
        rivals::perplexity(place, program, name, &questions::for_perplexity(description, questions))
    };
    let harness = |mode: &str, limit: usize| -> anyhow::Result<HarnessRun> {
        let python = arguments.python.as_ref().context("--python was not given")?;
        spinner.set_message(format!("lm-eval, {mode}"));
        rivals::harness(place, python, mode, PLAIN, limit.min(questions.len()))
    };
    beside.perplexity_seconds = beside.keep("perplexity", perplexity(PLAIN, ""));
    beside.perplexity_prefix_seconds = beside.keep("perplexity_prefix", perplexity(PREFIXED, SYSTEM_PROMPT));
    beside.lm_eval_gguf = beside.keep("lm_eval_gguf", harness("server", arguments.gguf_questions));
    beside.lm_eval_hf = beside.keep("lm_eval_hf", harness("hf", arguments.hf_questions));
    let wasm = || -> anyhow::Result<ao_wasm::WasmRun> {
        let module = arguments.ao_wasm.as_ref().context("--ao-wasm was not given")?;
        let packages = arguments.node_modules.as_ref().context("--node-modules was not given")?;
        let model = arguments.story_model.as_ref().context("--story-model was not given")?;
        spinner.set_message("AO's llama module");
        ao_wasm::measure(place, module, packages, model)
    };
    beside.ao_wasm = beside.keep("ao_wasm", wasm());
    beside
}
