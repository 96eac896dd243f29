//! `aobench pool`: fund, join, follow and settle contests.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use ao::{Id, Quantity};
use clap::{Args, Subcommand};
use serde_json::json;

use super::model::upload_to_enter;
use super::money::Money;
use super::token::send_money;
use crate::arguments::GlobalArguments;
use crate::contest::{Leaderboard, Pool};
use crate::output::{Column, Output, table};
use crate::session::{Session, action};

/// How long the answer of the benchmark process is waited for.
const ANSWER_WAIT: Duration = Duration::from_mins(2);
/// How long the inspection of a model may take: a large file is read whole.
const JOIN_WAIT: Duration = Duration::from_mins(30);

/// Hexadecimal digits of the name of a set of documents.
const HASH_DIGITS: usize = 40;

/// What can be typed after `aobench pool`.
#[derive(Debug, Subcommand)]
pub(crate) enum PoolCommand {
    /// Fund a pool on a dataset
    Create(CreateArguments),
    /// Enter a model, or a set of documents
    Join {
        /// The pool (or a dataset that has one pool)
        pool: String,
        /// The model: its data transaction id, or a GGUF file to upload; or the hash of a set of documents
        model: String,
    },
    /// List the pools
    List,
    /// Show a pool
    Show {
        /// The pool
        pool: String,
    },
    /// Show the leaderboard of a pool
    Leaderboard {
        /// The pool
        pool: String,
    },
    /// Ask for the payout check of pools that have ended (the node does it by itself, too)
    Settle {
        /// The pool
        pool: String,
    },
}

/// What a funder decides.
#[derive(Debug, Args)]
pub(crate) struct CreateArguments {
    /// The dataset process, by id or by its name at the node
    #[arg(long)]
    pub(crate) dataset: String,
    /// How many whole tokens, as 1000.5
    #[arg(long)]
    pub(crate) amount: String,
    /// How it is divided: ArithmeticDecrease, WinnerTakesAll, EqualTop10, Proportional, GeometricDecrease, FixedTable
    #[arg(long, default_value = "ArithmeticDecrease")]
    pub(crate) allocation: String,
    /// How ties are paid: split, earliest, significance
    #[arg(long, default_value = "split")]
    pub(crate) ties: String,
    /// How long it is open, as 30-days or 12-hours
    #[arg(long, default_value = "30-days")]
    pub(crate) duration: String,
    /// A title
    #[arg(long)]
    pub(crate) title: Option<String>,
    /// Another X- tag, as X-Metric=lenient
    #[arg(long = "tag", value_name = "NAME=VALUE", value_parser = super::send::parse_tag)]
    pub(crate) tags: Vec<ao::Tag>,
}

pub(crate) async fn run(global: &GlobalArguments, command: PoolCommand, output: Output) -> anyhow::Result<()> {
    match command {
        PoolCommand::Create(arguments) => {
            let session = Session::signing(global).await?;
            let money = Money::of(&session, &session.process("token")?).await?;
            let pool = create(&session, &money, &arguments, output).await?;
            output.result(&pool, |pool| describe(pool, &money))
        }
        PoolCommand::Join { pool, model } => {
            let session = Session::signing(global).await?;
            let is_hash = model.len() == HASH_DIGITS && model.bytes().all(|byte| byte.is_ascii_hexdigit());
            let model = match model.parse::<Id>() {
                _ if is_hash => model,
                Ok(id) => id.to_string(),
                Err(_) => upload_to_enter(&session, Path::new(&model), output).await?.to_string(),
            };
            join(&session, &pool, &model, output).await?;
            output.result(&json!({ "pool": pool, "model": model }), |_| format!("{model} entered the pool {pool}"))
        }
        PoolCommand::List => {
            let session = Session::reading(global).await?;
            let money = Money::of(&session, &session.process("token")?).await?;
            let pools: Vec<Pool> = session.read(&session.process("benchmark")?, action("Get-Pools"), "").await?;
            output.result(&pools, |pools| list(pools, &money))
        }
        PoolCommand::Show { pool } => show(global, &pool, output, describe_board).await,
        PoolCommand::Leaderboard { pool } => show(global, &pool, output, Leaderboard::table).await,
        PoolCommand::Settle { pool } => settle(global, &pool, output).await,
    }
}

async fn show(
    global: &GlobalArguments,
    pool: &str,
    output: Output,
    describe: fn(&Leaderboard, &Money) -> String,
) -> anyhow::Result<()> {
    let session = Session::reading(global).await?;
    let money = Money::of(&session, &session.process("token")?).await?;
    let board = Leaderboard::read(&session, &session.process("benchmark")?, pool).await?;
    output.result(&board, |board| describe(board, &money))
}

/// Funds a pool and waits until it is open; if the money comes back, the reason is the error.
pub(crate) async fn create(
    session: &Session,
    money: &Money,
    arguments: &CreateArguments,
    output: Output,
) -> anyhow::Result<Pool> {
    let benchmark = session.process("benchmark")?;
    let dataset = session.process(&arguments.dataset)?;
    let quantity = money.parse(&arguments.amount)?;
    let mut tags = action("Transfer")
        .with("Recipient", benchmark.to_string())
        .with("Quantity", quantity.to_string())
        .with("X-Dataset", dataset.to_string())
        .with("X-Allocation", &arguments.allocation)
        .with("X-Ties", &arguments.ties)
        .with("X-Duration", &arguments.duration);
    if let Some(title) = &arguments.title {
        tags.push("X-Title", title);
    }
    tags.extend(arguments.tags.iter().cloned());
    let spinner = output.spinner("waiting for the pool to open");
    let from = session.client.inbox_end().await?;
    let message = send_money(session, money, tags).await?;
    let notice = session.client.await_notice(from, &message, &["Pool-Created", "Pool-Error"], ANSWER_WAIT).await;
    spinner.finish_and_clear();
    let notice = notice?;
    if notice.from != benchmark {
        bail!("{} answered in the name of the benchmark process {benchmark}", notice.from);
    }
    if notice.action() == "Pool-Error" {
        let reason = notice.tags.get("Error").unwrap_or("no reason given");
        bail!("the pool was not created and the money is on its way back: {reason}");
    }
    let pool = notice.tags.get("Pool").context("the benchmark process named no pool")?.to_owned();
    read(session, &benchmark, &pool).await
}

/// A pool, read from the benchmark process.
pub(crate) async fn read(session: &Session, benchmark: &Id, pool: &str) -> anyhow::Result<Pool> {
    Ok(Leaderboard::read(session, benchmark, pool).await?.pool)
}

/// Enters a model and waits until the benchmark process has taken or refused it.
pub(crate) async fn join(session: &Session, pool: &str, model: &str, output: Output) -> anyhow::Result<()> {
    let benchmark = session.process("benchmark")?;
    let data = json!({ "dataset": pool, "model": model }).to_string();
    let spinner = output.spinner("waiting for the model to be checked");
    let from = session.client.inbox_end().await?;
    let (message, result) = session.client.request(benchmark, action("Join-Pool"), data).await?;
    if let Some(error) = result.output.error {
        bail!("the model was not entered: {error}");
    }
    let notice = session.client.await_notice(from, &message, &["Join-Response", "Join-Error"], JOIN_WAIT).await;
    spinner.finish_and_clear();
    let notice = notice?;
    if notice.action() == "Join-Error" {
        bail!("the model was not entered: {}", notice.tags.get("Error").unwrap_or("no reason given"));
    }
    Ok(())
}

async fn settle(global: &GlobalArguments, pool: &str, output: Output) -> anyhow::Result<()> {
    let session = Session::signing(global).await?;
    let benchmark = session.process("benchmark")?;
    session.client.request(benchmark, action("Allocate-Rewards"), "").await?;
    let money = Money::of(&session, &session.process("token")?).await?;
    let board = Leaderboard::read(&session, &benchmark, pool).await?;
    output.result(&board, |board| describe_board(board, &money))
}

fn list(pools: &[Pool], money: &Money) -> String {
    let columns = [
        Column::Text("pool"),
        Column::Text("title"),
        Column::Text("dataset"),
        Column::Number("funds"),
        Column::Text("allocation"),
        Column::Text("status"),
        Column::Number("entries"),
        Column::Text("end"),
    ];
    let rows = pools.iter().map(|pool| {
        vec![
            pool.id.to_string(),
            title(pool),
            pool.dataset.short(),
            money.show(pool.funds),
            pool.allocation.clone(),
            pool.status.clone(),
            pool.entries.to_string(),
            time(pool.end),
        ]
    });
    table(&columns, rows)
}

fn title(pool: &Pool) -> String {
    if pool.synthetic { format!("{} (synthetic)", pool.title) } else { pool.title.clone() }
}

/// A pool for people.
pub(crate) fn describe(pool: &Pool, money: &Money) -> String {
    let synthetic = if pool.synthetic { " (synthetic questions)" } else { "" };
    [
        format!("pool        {}", pool.id),
        format!("title       {}", title(pool)),
        format!("dataset     {}{synthetic}", pool.dataset),
        format!("questions   {}", pool.questions),
        format!("protocol    {}", pool.protocol),
        format!("funder      {}", pool.funder),
        format!("funds       {}", money.show(pool.funds)),
        format!("allocation  {}, ties: {}, metric: {}", pool.allocation, pool.ties, pool.metric),
        format!("open        {} to {}", time(pool.start), time(pool.end)),
        format!("status      {}, {} entries", pool.status, pool.entries),
    ]
    .join("\n")
}

/// A pool with its leaderboard and payouts for people.
pub(crate) fn describe_board(board: &Leaderboard, money: &Money) -> String {
    let mut text = format!("{}\n\n{}", describe(&board.pool, money), board.table(money));
    if !board.payouts.is_empty() {
        let columns =
            [Column::Number("rank"), Column::Text("participant"), Column::Number("payout"), Column::Text("status")];
        let rows = board.payouts.iter().map(|payout| {
            vec![
                payout.rank.map_or_else(|| "back".to_owned(), |rank| rank.to_string()),
                payout.participant.to_string(),
                money.show(payout.quantity),
                payout.status.clone(),
            ]
        });
        text.push_str("\n\n");
        text.push_str(&table(&columns, rows));
    }
    text
}

/// A time for people, in UTC.
pub(crate) fn time(milliseconds: u64) -> String {
    let time = i64::try_from(milliseconds).ok().and_then(|time| jiff::Timestamp::from_millisecond(time).ok());
    time.map_or_else(|| milliseconds.to_string(), |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// The sum of payouts.
pub(crate) fn paid(board: &Leaderboard) -> Option<Quantity> {
    Quantity::checked_sum(board.payouts.iter().map(|payout| payout.quantity))
}
