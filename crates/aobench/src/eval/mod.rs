//! Scoring models on tasks, without a node or a pool: `aobench eval`.
//!
//! - `source`, `groups`: task files and documents; `model`: model files and their engines.
//! - `chat`: contexts in the words of a model's chat template.
//! - `ask`: from requests to answers; `journal`: what was answered already.
//! - `report`: the table and files of lm-evaluation-harness; `compare`: two results side by side.

mod ask;
mod chat;
pub(crate) mod compare;
mod groups;
mod journal;
mod model;
#[cfg(feature = "parquet")]
mod parquet;
mod report;
pub(crate) mod source;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, anyhow, bail};
use ao::sha256;
use indicatif::ProgressBar;
use inference::openai::ServerOptions;
use inference::{Engine, EngineOptions};
use serde_json::Value;
use tasks::harness::{self, Options, Response, Sample};
use tasks::{Profile, TaskError};

use self::ask::{Answers, Asked, ask};
use self::chat::ModelChat;
use self::journal::Journal;
use self::model::LocalModel;
use self::report::{GroupReport, RunFacts, TaskReport};
use self::source::{DataArgument, Found, FoundTask};
use crate::output::Output;

/// Documents of one request to the engine at most, where nothing else is said. Results of the profile `exact` do not
/// depend on it.
const BATCH_DOCUMENTS_MAX: usize = 128;
/// And at least, where there are as many left: what the profile `fast` computes at once.
const BATCH_DOCUMENTS_MIN_FAST: usize = 6;
/// In the profile `exact` a document is computed alone, and the last engine at work should have little left.
const BATCH_DOCUMENTS_MIN_EXACT: usize = 2;

/// What is evaluated, and how.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// The models, as they were named.
    pub(crate) models: Vec<String>,
    /// The tasks, as they were named.
    pub(crate) tasks: Vec<String>,
    /// Files with documents.
    pub(crate) data: Vec<DataArgument>,
    /// What a task file leaves open.
    pub(crate) options: Options,
    /// Documents of one request to the engine; nothing for what is best.
    pub(crate) batch: Option<usize>,
    /// Engines that work side by side.
    pub(crate) workers: usize,
    /// Tokens of context at most.
    pub(crate) context_tokens: u32,
    /// The server that has the models, instead of files.
    pub(crate) server: Option<ServerOptions>,
    /// What engines may compute together.
    pub(crate) profile: inference::Profile,
    /// What engines compute with.
    pub(crate) instructions: inference::InstructionSet,
    /// Whether contexts are written by the model's chat template; and then whether each example is a question and an
    /// answer of its own.
    pub(crate) chat: Option<bool>,
    /// Resamples for standard errors that have no formula.
    pub(crate) resamples: usize,
    /// Where results go.
    pub(crate) output: PathBuf,
    /// Whether each answer is written down.
    pub(crate) log_samples: bool,
    /// The node that uploaded models are fetched from.
    pub(crate) url: String,
}

/// What came of one model.
#[derive(Debug)]
pub(crate) struct Evaluated {
    /// The object of `results_*.json`.
    pub(crate) results: Value,
    /// The table for people.
    pub(crate) table: String,
    /// Where the results are.
    pub(crate) path: PathBuf,
}

/// The engines of one model, all with the model loaded.
struct Engines {
    engines: Vec<Box<dyn Engine>>,
    description: inference::Description,
    loaded: inference::LoadedModel,
}

/// Evaluates every task on every model.
pub(crate) async fn run(plan: Plan, output: Output) -> anyhow::Result<Vec<Evaluated>> {
    // Everything that can be wrong with tasks and documents is found before the first model is loaded.
    let mut found = Found { tasks: Vec::new(), groups: Vec::new() };
    for name in &plan.tasks {
        let more = source::find(name)?;
        found.groups.extend(more.groups);
        found.tasks.extend(more.tasks);
    }
    for (place, task) in found.tasks.iter().enumerate() {
        if found.tasks[..place].iter().any(|other| other.name == task.name) {
            bail!("the task '{}' is named twice; results are told apart by their task's name", task.name);
        }
        check(task, &plan, output).with_context(|| format!("the task '{}'", task.name))?;
    }
    let (plan, found) = (Arc::new(plan), Arc::new(found));
    let mut evaluated = Vec::new();
    for name in &plan.models {
        let model = match &plan.server {
            Some(server) => LocalModel::served(name, server),
            None => LocalModel::find(name, &plan.url, &plan.output.join("models"), output).await?,
        };
        let (plan, found) = (Arc::clone(&plan), Arc::clone(&found));
        let outcome = tokio::task::spawn_blocking(move || evaluate(&plan, &model, &found, output)).await;
        evaluated.push(outcome.context("the evaluation panicked")??);
    }
    Ok(evaluated)
}

/// Refuses a task under which a score would mean nothing, and tells of what looks wrong.
fn check(task: &FoundTask, plan: &Plan, output: Output) -> anyhow::Result<()> {
    let (splits, _) = source::documents(task, &plan.data)?;
    for finding in task.task.evaluation(&splits, &plan.options)?.lint() {
        if finding.fatal {
            bail!("{:?}: {}; 'aobench task lint' shows all of it", finding.problem, finding.message);
        }
        output.talk(format_args!("{}: {:?}: {}", task.name, finding.problem, finding.message));
    }
    Ok(())
}

fn evaluate(plan: &Plan, model: &LocalModel, found: &Found, output: Output) -> anyhow::Result<Evaluated> {
    let folder = plan.output.join(report::sanitized(&model.name));
    std::fs::create_dir_all(&folder).with_context(|| format!("the folder {} cannot be made", folder.display()))?;
    let began_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_millis() as u64);
    let began = Instant::now();
    let chat = match plan.chat {
        Some(_) if plan.server.is_some() => bail!(
            "the chat template is in a model's file, and of a server the file is not known: a server that only chats applies \
             its own template; leave out --apply-chat-template"
        ),
        Some(multiturn) => Some(ModelChat::of(&model.path, model.bytes, multiturn)?),
        None => None,
    };
    let spinner = output.spinner(format!("loading {}", model.name));
    let engines = Engines::start(plan, model);
    spinner.finish_and_clear();
    let mut engines = engines?;
    let mut reports = Vec::with_capacity(found.tasks.len());
    for task in &found.tasks {
        reports.push(evaluate_task(plan, model, &mut engines, task, chat.as_ref(), &folder, output)?);
    }
    let facts = RunFacts {
        model: model.name.clone(),
        file_hash: model.file_hash.clone(),
        limit: plan.options.limit,
        batch: plan.batch.map_or_else(|| "auto".to_owned(), |batch| batch.to_string()),
        seed: plan.options.seed,
        resamples: plan.resamples,
        system_instruction: plan.options.system_instruction.clone(),
        chat_template: chat.map(|chat| (chat.template, chat.multiturn)),
        engine: engines.description,
        loaded: engines.loaded,
        model_source: model.source(),
        began_ms,
        seconds: began.elapsed().as_secs_f64(),
    };
    let groups = GroupReport::all(&found.groups, &reports);
    let results = report::results(&facts, &reports, &groups);
    let path = report::write(&folder, &results, &reports, began_ms, plan.log_samples)?;
    Ok(Evaluated { results, table: report::markdown(&reports, &groups), path })
}

fn evaluate_task(
    plan: &Plan,
    model: &LocalModel,
    engines: &mut Engines,
    found: &FoundTask,
    chat: Option<&ModelChat>,
    folder: &Path,
    output: Output,
) -> anyhow::Result<TaskReport> {
    let began = Instant::now();
    let (splits, data_hash) = source::documents(found, &plan.data)?;
    let evaluation = found.task.evaluation(&splits, &plan.options)?;
    let asked = |document| -> Result<Asked, TaskError> {
        Ok(Asked { document, requests: chat::requests(&evaluation, document, chat)? })
    };
    let asked = (0..evaluation.len()).map(asked).collect::<Result<Vec<_>, _>>()?;
    let template = chat.map(|chat| (chat.template.as_str(), chat.multiturn));
    let protocol = evaluation.protocol(profile_of(plan), template);
    let key = journal_key(&protocol, &data_hash, model, &engines.description);
    let name = report::sanitized(&found.name);
    let mut journal = Journal::open(&folder.join(format!("answers_{name}_{key}.jsonl")))?;
    let missing: Vec<Asked> = asked.iter().filter(|asked| journal.answers(asked).is_none()).cloned().collect();
    let bar = output.bar(asked.len() as u64, "evaluating");
    bar.set_message(found.name.clone());
    bar.inc((asked.len() - missing.len()) as u64);
    let waiting = cut(&missing, plan.batch, plan.workers, plan.profile);
    let outcome = engines.ask_all(waiting, &mut journal, &bar);
    bar.finish_and_clear();
    outcome?;
    let answers: Vec<Answers> = asked
        .iter()
        .map(|asked| journal.answers(asked).ok_or_else(|| anyhow!("document {} was not answered", asked.document)))
        .collect::<Result<_, _>>()?;
    let repeats = found.task.config().repeats.max(1);
    let repeated = |answers: &Answers| answers.iter().map(|answer| vec![answer.clone(); repeats]).collect();
    let responses: Vec<Vec<Vec<Response>>> = answers.iter().map(repeated).collect();
    let judged = evaluation.judge(&responses)?;
    let ties = evaluation.ties(&responses);
    if ties > 0 {
        output.talk(format_args!(
            "{}: in {ties} of {} documents several choices were the likeliest, and the first of them was taken",
            found.name,
            evaluation.len()
        ));
    }
    let line = |sample: &Sample| chat::sample_line(&evaluation, sample, &responses[sample.document], chat);
    let samples = judged.iter().map(line).collect::<Result<_, _>>()?;
    let aggregates = evaluation.aggregate(&judged, plan.resamples)?;
    let config = found.task.config();
    let original = splits.get(config.evaluated_split().unwrap_or_default()).map_or(0, Vec::len);
    Ok(TaskReport {
        name: found.name.clone(),
        alias: config.alias.clone().unwrap_or_else(|| found.name.clone()),
        version: config.metadata.get("version").cloned().unwrap_or_else(|| Value::from("Yaml")),
        num_fewshot: evaluation.examples(0)?.len(),
        original,
        effective: evaluation.len(),
        protocol,
        entry: harness::results_entry(config, &aggregates),
        aggregates,
        samples,
        ties,
        seconds: began.elapsed().as_secs_f64(),
    })
}

/// What was answered counts for the same questions to the same file under the same protocol and engine.
fn journal_key(protocol: &str, data_hash: &str, model: &LocalModel, engine: &inference::Description) -> String {
    let (file, served) = (&model.file_hash, model.served_name());
    let inference::Description { engine, profile, instruction_set, .. } = engine;
    let key = format!("{protocol} {data_hash} {file}{served} {engine} {profile} {instruction_set}");
    sha256(key.as_bytes()).to_hex()[..16].to_owned()
}

/// The profile as a protocol names it. What a server computes together is unknown.
fn profile_of(plan: &Plan) -> Profile {
    match (&plan.server, plan.profile) {
        (None, inference::Profile::Exact) => Profile::Exact,
        _ => Profile::Fast,
    }
}

/// Cuts the documents into requests: of the size that was asked for, or large ones first and small ones at the end, so
/// that no engine is long without work.
fn cut(documents: &[Asked], batch: Option<usize>, engines: usize, profile: inference::Profile) -> VecDeque<&[Asked]> {
    if let Some(batch) = batch {
        return documents.chunks(batch.max(1)).collect();
    }
    let least = match profile {
        inference::Profile::Exact => BATCH_DOCUMENTS_MIN_EXACT,
        inference::Profile::Fast => BATCH_DOCUMENTS_MIN_FAST,
    };
    let mut requests = VecDeque::new();
    let mut rest = documents;
    while !rest.is_empty() {
        let size = (rest.len() / (2 * engines.max(1))).clamp(least, BATCH_DOCUMENTS_MAX);
        let (request, later) = rest.split_at(size.min(rest.len()));
        requests.push_back(request);
        rest = later;
    }
    requests
}

impl Engines {
    fn start(plan: &Plan, model: &LocalModel) -> anyhow::Result<Self> {
        let options = EngineOptions {
            threads: 1,
            context_tokens: plan.context_tokens,
            profile: plan.profile,
            reads_marks: plan.chat.is_some(),
            instructions: plan.instructions,
        };
        // A server gets several requests at one time from one engine.
        let workers = if plan.server.is_some() { 1 } else { plan.workers.max(1) };
        let started = std::thread::scope(|scope| {
            let starting: Vec<_> = (0..workers).map(|_| scope.spawn(|| model.engine(&options))).collect();
            let joined = starting.into_iter().map(|thread| match thread.join() {
                Ok(started) => started,
                Err(_) => bail!("a thread that loads the model panicked"),
            });
            joined.collect::<anyhow::Result<Vec<_>>>()
        })?;
        let (mut engines, loaded): (Vec<_>, Vec<_>) = started.into_iter().unzip();
        let description = engines.first_mut().context("there is no engine")?.describe()?;
        let loaded = loaded.into_iter().next().context("there is no engine")?;
        Ok(Self { engines, description, loaded })
    }

    /// Asks about all documents, several engines side by side; each answer is in the journal as soon as it is there.
    fn ask_all(&mut self, waiting: VecDeque<&[Asked]>, journal: &mut Journal, bar: &ProgressBar) -> anyhow::Result<()> {
        let waiting = Mutex::new(waiting);
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let (sender, receiver) = mpsc::channel();
            for engine in &mut self.engines {
                let (sender, waiting, stop) = (sender.clone(), &waiting, &stop);
                scope.spawn(move || {
                    while !stop.load(Ordering::Relaxed) {
                        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                        let Some(chunk) = next else { return };
                        if sender.send((chunk, ask(&mut **engine, chunk))).is_err() {
                            return;
                        }
                    }
                });
            }
            drop(sender);
            let mut outcome = Ok(());
            for (chunk, answers) in receiver {
                let kept = answers.and_then(|answers| journal.add(chunk, &answers));
                bar.inc(chunk.len() as u64);
                if let Err(error) = kept {
                    stop.store(true, Ordering::Relaxed);
                    outcome = outcome.and(Err(error));
                }
            }
            outcome
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_hold_every_document_once_and_get_smaller_to_the_end() {
        let documents: Vec<Asked> = (0..1000).map(|document| Asked { document, requests: Vec::new() }).collect();
        let (exact, fast) = (inference::Profile::Exact, inference::Profile::Fast);
        for (batch, engines, profile) in [(None, 1, exact), (None, 2, fast), (None, 64, exact), (Some(7), 2, fast)] {
            let requests = cut(&documents, batch, engines, profile);
            let all: Vec<usize> = requests.iter().flat_map(|request| request.iter().map(|one| one.document)).collect();
            assert_eq!(all, (0..1000).collect::<Vec<_>>());
            assert!(requests.iter().all(|request| request.len() <= BATCH_DOCUMENTS_MAX));
            assert!(requests.iter().zip(requests.iter().skip(1)).all(|(one, next)| one.len() >= next.len()));
        }
    }
}
