//! A development network in one process: the genesis with token, benchmark, herder and the demo dataset, funded wallets,
//! and workers. `aobench up --dev` and `aobench demo` both run on it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use ao::wallet::WalletKind;
use ao::{Id, Quantity, Tags, Wallet};
use inference::InstructionSet;
use node::{Genesis, GenesisProcess, NodeHandle};
use serde::Deserialize;
use serde_json::json;
use tasks::Question;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::commands::wallet::create;
use crate::commands::{dataset, model, token};
use crate::demo::assets;
use crate::output::Output;
use crate::session::{Session, action, read_wallet};
use crate::worker::{self, Service, WorkerConfig};

/// Decimals of wrapped AR.
const DENOMINATION: u32 = 12;
/// What each development wallet has, whole wAR.
const WALLET_FUNDS: &[(&str, u64)] =
    &[("funder", 10_000), ("trainer-1", 10), ("trainer-2", 10), ("trainer-3", 10), ("trainer-4", 10)];
/// The ids under which the original's processes were known, so that its commands work as they were printed.
const WRAPPED_AR: &str = "xU9zFkq3X2ZQ6olwNVvr1vUWIjc3kXTWr7xKQD6dh10";
const BENCHMARK: &str = "DLJoP8Xtdat6SKz3kqYGZPaa7DJBG6etF1jRLQCwquo";
const DATASET: &str = "XUw5NtwUzk7hf_dE4ifEFD2rHfXffMLb8s2QfnZEvg4";
/// The herder of evaluations and chats, which the benchmark uses too: free of charge.
const HERDER: &str = "jaSRY9nVTdUE48QMg9SMuKbW8T9yk8Vi1FNZpau9M2A";
/// The herder of prompts that are paid for, with the original's fees.
const LLAMA_HERDER: &str = "wh5vB2IbqmIBUqgodOaTvByNFDPr73gbUq1bVOUtCrw";
const KNOWLEDGE: &str = "hMEUOgWi97d9rGT-lHNCbm937bTypMq7qxMWeaUnMLo";
/// The package registry that aos asks when it loads its blueprint `apm`.
const PACKAGES: &str = "RLvG3tclmALLBCrwc17NqzNFqZCrUf3-RKZ5v8VRHiU";
/// The package through which processes of aos reach the herder of prompts, and what is written about it.
const LLAMA_PACKAGE: [&str; 2] =
    [include_str!("../packages/llama-herder.lua"), include_str!("../packages/llama-herder.md")];

/// A wallet of the development network.
pub(crate) struct DevelopmentWallet {
    /// Its name, which is also the name of its file.
    pub(crate) name: String,
    /// Where it is kept.
    pub(crate) path: PathBuf,
    /// The wallet.
    pub(crate) wallet: Wallet,
    /// What it has at genesis.
    pub(crate) funds: Quantity,
}

/// The workers of a development network; stopped when dropped.
pub(crate) struct Workers {
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<anyhow::Result<()>>>,
}

/// How workers of a development network are made.
#[derive(Debug, Clone)]
pub(crate) struct WorkerSettings {
    /// How many.
    pub(crate) count: usize,
    /// Where they keep their wallets and models.
    pub(crate) data: PathBuf,
    /// Prompts in flight of each.
    pub(crate) capacity: u32,
    /// Threads of each engine.
    pub(crate) threads: u32,
    /// What each engine computes with.
    pub(crate) instructions: InstructionSet,
    /// Memory of each child that holds a model, bytes.
    pub(crate) memory_bytes_max: u64,
    /// Bytes that the fetched models of each may take.
    pub(crate) model_space_bytes_max: u64,
    /// The model with which they judge and chat; without one they do not.
    pub(crate) model: Option<PathBuf>,
}

impl WorkerSettings {
    fn services(&self) -> BTreeSet<Service> {
        let own = if self.model.is_some() { &[Service::Evaluate, Service::Chat][..] } else { &[] };
        [Service::Llama, Service::Embed].iter().chain(own).copied().collect()
    }
}

/// Writes the best shipped model into a folder: a development network judges and chats with it, which says more about the
/// network than about anything that is judged.
pub(crate) fn shipped_model(folder: &Path) -> anyhow::Result<PathBuf> {
    let (name, bytes) = assets::MODELS[assets::MODELS.len() - 1];
    let path = folder.join(name);
    std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, bytes))?;
    Ok(path)
}

/// Uploads an embedding model and names it to the knowledge process, unless one is named already.
pub(crate) async fn name_embedding_model(operator: &Session, path: &Path, output: Output) -> anyhow::Result<()> {
    let process = operator.process("knowledge")?;
    let info: KnowledgeInfo = operator.read(&process, action("Info"), "").await?;
    if info.model.is_some() {
        return Ok(());
    }
    let file_hash = worker::file_hash(path)?;
    let model = model::upload(operator, path, output).await?;
    let tags = action("Set-Model").with("Model", model.to_string()).with("File-Hash", file_hash);
    operator.client.request(process, tags, "").await?;
    Ok(())
}

/// The wallets of the network, made in `folder` on first use.
pub(crate) fn wallets(folder: &Path) -> anyhow::Result<Vec<DevelopmentWallet>> {
    let wallet = |(name, tokens): &(&str, u64)| {
        let path = folder.join(format!("{name}.json"));
        let wallet = open_or_create(&path)?;
        let funds = Quantity::from_decimal(&tokens.to_string(), DENOMINATION)?;
        Ok(DevelopmentWallet { name: (*name).to_owned(), path, wallet, funds })
    };
    WALLET_FUNDS.iter().map(wallet).collect()
}

fn open_or_create(path: &Path) -> anyhow::Result<Wallet> {
    if path.exists() { read_wallet(path) } else { create(path, WalletKind::Ed25519) }
}

/// The processes of the network. The questions of the dataset are loaded by its owner once the node runs.
pub(crate) fn genesis(wallets: &[DevelopmentWallet]) -> anyhow::Result<Genesis> {
    let balances: BTreeMap<Id, Quantity> =
        wallets.iter().map(|wallet| (wallet.wallet.address(), wallet.funds)).collect();
    let token =
        Tags::new().with("Name", "Wrapped AR").with("Ticker", "wAR").with("Denomination", DENOMINATION.to_string());
    let dataset = Tags::new()
        .with("Name", assets::DATASET_TITLE)
        .with("License", "CC0-1.0")
        .with("Synthetic", "true")
        .with("Task", "demo")
        .with("Benchmark", "${benchmark}")
        .with("Herder", "${herder}");
    let llama_herder = Tags::new()
        .with("Name", "Llama-Herder")
        .with("Token", "${token}")
        .with("Fee-Per-Prompt", "1")
        .with("Fee-Per-Token", "1");
    Ok(Genesis {
        processes: vec![
            process("token", "token", WRAPPED_AR, token, serde_json::to_vec(&balances)?)?,
            process(
                "benchmark",
                "benchmark",
                BENCHMARK,
                Tags::new().with("Token", "${token}").with("Herder", "${herder}"),
                Vec::new(),
            )?,
            process("herder", "herder", HERDER, Tags::new().with("Token", "${token}"), Vec::new())?,
            process("llama-herder", "herder", LLAMA_HERDER, llama_herder, Vec::new())?,
            process("dataset", "dataset", DATASET, dataset, Vec::new())?,
            process("knowledge", "knowledge", KNOWLEDGE, Tags::new().with("Herder", "${herder}"), Vec::new())?,
            process("packages", "packages", PACKAGES, Tags::new(), serde_json::to_vec(&packages())?)?,
        ],
    })
}

/// What the package registry begins with.
fn packages() -> serde_json::Value {
    let [source, readme] = LLAMA_PACKAGE;
    json!([{
        "name": "@sam/Llama-Herder",
        "version": "1.0.3",
        "description": "Inference from aos: Llama.run(prompt, tokens, callback, fees)",
        "license": "MIT OR Apache-2.0",
        "source": source,
        "readme": readme,
    }])
}

fn process(name: &str, module: &str, id: &str, tags: Tags, data: Vec<u8>) -> anyhow::Result<GenesisProcess> {
    Ok(GenesisProcess {
        name: name.to_owned(),
        module: module.to_owned(),
        id: Some(id.parse()?),
        owner: None,
        tags,
        data,
    })
}

/// A session with the rights of the operator, who owns the processes of the genesis.
pub(crate) async fn operator_session(node: &NodeHandle, data: &Path) -> anyhow::Result<Session> {
    let wallet = read_wallet(&data.join("operator.json")).context("the node made no operator's wallet")?;
    Session::open(&node.url(), Some(wallet)).await
}

#[derive(Debug, Deserialize)]
struct KnowledgeInfo {
    model: Option<Id>,
}

#[derive(Debug, Deserialize)]
struct DatasetInfo {
    questions: u64,
}

/// Loads the demo questions, unless they are there.
pub(crate) async fn load_questions(operator: &Session, output: Output) -> anyhow::Result<u64> {
    let process = operator.process("dataset")?;
    let info: DatasetInfo = operator.read(&process, action("Info"), "").await?;
    if info.questions > 0 {
        return Ok(info.questions);
    }
    operator.client.request(process, action("Init"), "").await?;
    dataset::load(operator, &process, &Question::all_from(assets::QUESTIONS.as_bytes())?, output).await
}

/// Lets one more worker answer the prompts that are paid for, with a shipped model where a prompt names none.
pub(crate) async fn serve_prompts(
    operator: &Session,
    settings: &WorkerSettings,
    workers: &mut Workers,
    output: Output,
) -> anyhow::Result<()> {
    let herder = operator.process("llama-herder")?;
    // The other workers read this file by now, so it is not written again.
    let file = settings.model.as_deref().context("the workers were given no model")?;
    let bytes = std::fs::metadata(file)?.len();
    let operator_address = operator.client.address().context("the operator has no wallet")?;
    let known = operator.client.models().await?.into_iter();
    let mut known = known.filter(|known| known.owner == operator_address && known.bytes == bytes);
    let model = if let Some(known) = known.next() { known.id } else { model::upload(operator, file, output).await? };
    operator.client.request(herder, action("loadModel").with("Model", model.to_string()), "").await?;
    let config = allowed_worker(operator, settings, herder, "worker-llama").await?;
    workers.begin(config);
    Ok(())
}

/// Starts workers in this process; the models run in children of it.
pub(crate) async fn start_workers(operator: &Session, settings: &WorkerSettings) -> anyhow::Result<Workers> {
    let herder = operator.process("herder")?;
    let mut workers = Workers { stop: watch::channel(false).0, tasks: Vec::new() };
    for number in 1..=settings.count {
        let config = allowed_worker(operator, settings, herder, &format!("worker-{number}")).await?;
        workers.begin(config);
    }
    Ok(workers)
}

/// A worker with a wallet and a folder of its own, which the herder lets in.
async fn allowed_worker(
    operator: &Session,
    settings: &WorkerSettings,
    herder: Id,
    name: &str,
) -> anyhow::Result<WorkerConfig> {
    let data = settings.data.join(name);
    let wallet = open_or_create(&data.join("wallet.json"))?;
    let tags = action("Allow-Worker").with("Worker", wallet.address().to_string());
    operator.client.request(herder, tags, "").await?;
    Ok(WorkerConfig {
        url: operator.client.url().to_owned(),
        wallet,
        herder,
        data,
        capacity: settings.capacity,
        threads: settings.threads,
        instructions: settings.instructions,
        memory_bytes_max: settings.memory_bytes_max,
        services: settings.services(),
        model: settings.model.clone(),
        model_space_bytes_max: settings.model_space_bytes_max,
        serving: None,
    })
}

impl Workers {
    fn begin(&mut self, config: WorkerConfig) {
        let mut stopped = self.stop.subscribe();
        let worker = config.wallet.address();
        self.tasks.push(tokio::spawn(async move {
            // The sender's end counts as a stop as well.
            let stop = async move { drop(stopped.wait_for(|stop| *stop).await) };
            let ended = worker::run(config, stop).await;
            if let Err(error) = &ended {
                tracing::error!(%worker, "a worker of this node has ended: {error:#}");
            }
            ended
        }));
    }

    /// Stops them and waits for the last, but not for ever.
    pub(crate) async fn stop(self) {
        let _ = self.stop.send(true);
        for task in self.tasks {
            let _ = tokio::time::timeout(Duration::from_secs(10), task).await;
        }
    }

    /// The error of a worker that ended by itself, if one did.
    pub(crate) async fn failure(&mut self) -> Option<anyhow::Error> {
        for task in self.tasks.iter_mut().filter(|task| task.is_finished()) {
            match task.await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Some(error.context("a worker stopped")),
                Err(error) => return Some(anyhow::Error::new(error).context("a worker stopped")),
            }
        }
        None
    }
}

/// Balances of all wallets of the network, in their order.
pub(crate) async fn balances(session: &Session, wallets: &[DevelopmentWallet]) -> anyhow::Result<Vec<Quantity>> {
    let process = session.process("token")?;
    let mut balances = Vec::new();
    for wallet in wallets {
        balances.push(token::balance(session, &process, &wallet.wallet.address()).await?);
    }
    Ok(balances)
}
