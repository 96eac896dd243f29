//! `aobench demo`: a funder's money becomes a trainer's payout, on this machine, through real inference.

pub(crate) mod assets;
mod report;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ao::{Id, Quantity};
use clap::Args;
use inference::InstructionSet;
use node::{Node, NodeHandle};

use crate::commands::model::upload;
use crate::commands::money::Money;
use crate::commands::pool::{self, CreateArguments};
use crate::commands::{up, warp};
use crate::contest::{Leaderboard, Pool};
use crate::development::{self, DevelopmentWallet, WorkerSettings, Workers};
use crate::model_inspector::GgufInspector;
use crate::output::Output;
use crate::session::{Session, action};
use report::{Report, Seconds, Supply};

/// What the pool of the demo holds, whole wAR.
const POOL_AMOUNT: &str = "1000";
/// Workers of the demo: one for each of two cores.
const WORKERS: usize = 2;
/// Prompts in flight of each worker.
const WORKER_CAPACITY: u32 = 64;
/// Memory of the child that holds a model; the models have a megabyte.
const WORKER_MEMORY_BYTES_MAX: u64 = 2 << 30;
/// How often progress is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long the evaluation may take before the demo gives up.
const EVALUATION_WAIT: Duration = Duration::from_mins(10);
/// How long payouts may take.
const PAYOUT_WAIT: Duration = Duration::from_mins(1);

/// What can be typed after `aobench demo`.
#[derive(Debug, Args)]
pub(crate) struct DemoArguments {
    /// Leave the node and its pages up at the end
    #[arg(long)]
    serve: bool,
    /// Keep everything in this folder instead of a temporary one
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
    /// The port of the node; a free one if left out
    #[arg(long, default_value_t = 0)]
    port: u16,
}

/// Everything that runs during the demo.
struct Stage {
    node: NodeHandle,
    workers: Workers,
    operator: Session,
    wallets: Vec<DevelopmentWallet>,
    money: Money,
    benchmark: Id,
    output: Output,
}

pub(crate) async fn run(arguments: &DemoArguments, output: Output) -> anyhow::Result<()> {
    let temporary = tempfile::tempdir().context("no temporary folder can be made")?;
    let folder = arguments.data.clone().unwrap_or_else(|| temporary.path().to_owned());
    let mut seconds = Seconds::start();
    let mut stage = Stage::open(arguments, &folder, output).await?;
    seconds.start = seconds.lap();

    let supply_before = stage.supply().await?;
    let pool = stage.fund().await?;
    seconds.fund = seconds.lap();
    stage.enter_models(&pool, &folder.join("models")).await?;
    seconds.join = seconds.lap();
    let board = stage.evaluate(&pool).await?;
    seconds.evaluate = seconds.lap();
    output.text(format_args!("\n{}\n", board.table(&stage.money)));
    let settled = stage.settle(&pool).await?;
    seconds.settle = seconds.lap();
    let supply = Supply { before: supply_before, after: stage.supply().await? };
    let balances = development::balances(&stage.operator, &stage.wallets).await?;
    seconds.finish();

    let report = Report::new(&settled, supply, seconds);
    output.text(report::payouts(&settled, &stage.wallets, &balances, &stage.money));
    output.result(&report, |report| report.proof(&stage.money))?;
    report.check()?;
    if arguments.serve {
        output.talk(format_args!("\nthe node and its pages are up at {}; stop with Ctrl-C", stage.node.url()));
        up::stopped().await?;
    }
    stage.close().await;
    Ok(())
}

impl Stage {
    /// Starts the node, loads the questions, starts the workers.
    async fn open(arguments: &DemoArguments, folder: &Path, output: Output) -> anyhow::Result<Self> {
        let data = folder.join("node");
        let wallets = development::wallets(&data.join("wallets"))?;
        let mut settings = node::Config::new(data.clone());
        settings.listen = ([127, 0, 0, 1], arguments.port).into();
        settings.dev = true;
        settings.inspector = Some(Arc::new(GgufInspector));
        settings.genesis = development::genesis(&wallets)?;
        let node = Node::start(settings).await?;
        output.talk(format_args!("node         {} with token, benchmark, dataset and herder", node.url()));
        let operator = development::operator_session(&node, &data).await?;
        let questions = development::load_questions(&operator, output).await?;
        output.talk(format_args!("dataset      {questions} questions, \"{}\"", assets::DATASET_TITLE));
        let workers = WorkerSettings {
            count: WORKERS,
            data: data.join("workers"),
            capacity: WORKER_CAPACITY,
            threads: 1,
            instructions: InstructionSet::Widest,
            memory_bytes_max: WORKER_MEMORY_BYTES_MAX,
            model_space_bytes_max: WORKER_MEMORY_BYTES_MAX,
            model: None,
        };
        let workers = development::start_workers(&operator, &workers).await?;
        output.talk(format_args!("workers      {WORKERS}, each with llama.cpp in a child process without keys"));
        let money = Money::of(&operator, &operator.process("token")?).await?;
        let benchmark = operator.process("benchmark")?;
        Ok(Self { node, workers, operator, wallets, money, benchmark, output })
    }

    fn wallet(&self, name: &str) -> anyhow::Result<Session> {
        let found = self.wallets.iter().find(|wallet| wallet.name == name);
        let wallet = found.with_context(|| format!("there is no wallet {name}"))?;
        Ok(self.operator.with_wallet(crate::session::read_wallet(&wallet.path)?))
    }

    async fn supply(&self) -> anyhow::Result<Quantity> {
        let result = self.operator.client.dry_run(&self.money.token, action("Total-Supply"), "").await?;
        Ok(result.output.data.parse()?)
    }

    async fn fund(&self) -> anyhow::Result<Pool> {
        let funder = self.wallet("funder")?;
        let arguments = CreateArguments {
            dataset: "dataset".to_owned(),
            amount: POOL_AMOUNT.to_owned(),
            allocation: "ArithmeticDecrease".to_owned(),
            ties: "split".to_owned(),
            duration: "30-days".to_owned(),
            title: Some("Demo".to_owned()),
            tags: Vec::new(),
        };
        let pool = pool::create(&funder, &self.money, &arguments, self.output).await?;
        self.output.talk(format_args!("pool         {} holds {}", pool.id, self.money.show(pool.funds)));
        Ok(pool)
    }

    /// Four trainers upload a model each and join.
    async fn enter_models(&self, pool: &Pool, folder: &Path) -> anyhow::Result<()> {
        std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        for (number, (name, bytes)) in assets::MODELS.iter().enumerate() {
            let file = folder.join(name);
            std::fs::write(&file, bytes).with_context(|| format!("{} cannot be written", file.display()))?;
            let trainer = self.wallet(&format!("trainer-{}", number + 1))?;
            let model = upload(&trainer, &file, self.output).await?;
            pool::join(&trainer, &pool.id.to_string(), &model.to_string(), self.output).await?;
            self.output.talk(format_args!("trainer-{}    {name} is {model} and has joined", number + 1));
        }
        Ok(())
    }

    /// Follows the evaluation until every entry is complete.
    async fn evaluate(&mut self, pool: &Pool) -> anyhow::Result<Leaderboard> {
        let total = pool.questions * assets::MODELS.len() as u64;
        let bar = self.output.bar(total, "evaluating");
        let end = Instant::now() + EVALUATION_WAIT;
        loop {
            let board = Leaderboard::read(&self.operator, &self.benchmark, &pool.id.to_string()).await?;
            bar.set_position(board.leaderboard.iter().map(|line| line.answered).sum());
            if board.leaderboard.len() == assets::MODELS.len()
                && board.leaderboard.iter().all(|line| line.total > 0 && line.answered == line.total)
            {
                bar.finish_and_clear();
                self.output.talk(format_args!("evaluated    {total} answers"));
                return Ok(board);
            }
            if let Some(failure) = self.workers.failure().await {
                return Err(failure);
            }
            if Instant::now() > end {
                bail!("the evaluation did not end within {} s: {board:?}", EVALUATION_WAIT.as_secs());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Lets the clock jump to the pool's end and waits for the payouts.
    async fn settle(&self, pool: &Pool) -> anyhow::Result<Leaderboard> {
        warp::send(&self.operator, Duration::from_millis(pool.end.saturating_sub(pool.start))).await?;
        self.output.talk("clock        warped to the end of the pool");
        let end = Instant::now() + PAYOUT_WAIT;
        loop {
            let board = Leaderboard::read(&self.operator, &self.benchmark, &pool.id.to_string()).await?;
            if board.pool.is_over() {
                return Ok(board);
            }
            if Instant::now() > end {
                bail!("the pool is still {} after {} s", board.pool.status, PAYOUT_WAIT.as_secs());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    async fn close(self) {
        self.workers.stop().await;
        self.node.shutdown().await;
    }
}
