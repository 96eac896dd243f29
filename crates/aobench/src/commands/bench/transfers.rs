//! `aobench bench transfers`: pre-signed token transfers through the HTTP of a real node, until the last notice lies in the
//! last inbox, beside what verifying their signatures alone costs on the same machine.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ao::{DataItem, Id, Quantity, Tags, Wallet};
use clap::Args;
use client::Client;
use node::{Genesis, GenesisProcess, Node};
use serde::Serialize;

use crate::commands::wallet::Kind;
use crate::output::{Column, Output, table};

/// Requests at one time.
const CONNECTIONS: usize = 64;
/// How long the last notice may take.
const DELIVERY_WAIT: Duration = Duration::from_mins(2);

/// How many transfers, and of what kind of wallet.
#[derive(Debug, Args)]
pub(crate) struct TransferArguments {
    /// How many transfers
    #[arg(long, default_value_t = 5000)]
    transfers: usize,
    /// The sender's key
    #[arg(long, value_enum, default_value_t = Kind::Rsa)]
    kind: Kind,
    /// A folder on the disk to measure; a temporary one if left out
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct TransferBench {
    transfers: usize,
    kind: String,
    /// Posted, verified, durable and acknowledged.
    acknowledged_per_second: f64,
    /// The same, and applied, and both notices of each in their inboxes.
    delivered_per_second: f64,
    /// The signatures alone, verified on as many threads as there are cores.
    verified_per_second: f64,
    /// `delivered_per_second / verified_per_second`.
    ratio: f64,
}

pub(crate) async fn run(arguments: &TransferArguments, output: Output) -> anyhow::Result<()> {
    let folder = super::temporary(arguments.data.as_ref())?;
    let wallet = Wallet::generate(arguments.kind.into())?;
    let recipient = Wallet::generate(ao::wallet::WalletKind::Ed25519)?.address();
    let mut config = node::Config::new(folder.path().to_owned());
    config.listen = ([127, 0, 0, 1], 0).into();
    config.genesis = genesis(&wallet.address())?;
    let node = Node::start(config).await?;
    let client = Client::new(&node.url(), Some(wallet))?;
    let token = *client.genesis().await?.get("token").context("the node has no token")?;

    let bar = output.bar(arguments.transfers as u64, "signing");
    let items = sign(&client, token, recipient, arguments.transfers, |done| bar.set_position(done))?;
    bar.finish_and_clear();
    let spinner = output.spinner("verifying alone");
    let verified = verify(Arc::clone(&items)).await?;
    spinner.set_message("posting");
    let began = Instant::now();
    post(&client, &items).await?;
    let acknowledged = began.elapsed();
    await_notices(&client, &recipient, items.len()).await?;
    let delivered = began.elapsed();
    spinner.finish_and_clear();
    node.shutdown().await;

    let per_second = |duration: Duration| items.len() as f64 / duration.as_secs_f64();
    let bench = TransferBench {
        transfers: items.len(),
        kind: format!("{:?}", arguments.kind),
        acknowledged_per_second: per_second(acknowledged),
        delivered_per_second: per_second(delivered),
        verified_per_second: per_second(verified),
        ratio: verified.as_secs_f64() / delivered.as_secs_f64(),
    };
    output.result(&bench, describe)
}

fn genesis(holder: &Id) -> anyhow::Result<Genesis> {
    let balances = BTreeMap::from([(*holder, Quantity::new(u128::from(u64::MAX)))]);
    let token = GenesisProcess {
        name: "token".to_owned(),
        module: "token".to_owned(),
        tags: Tags::new().with("Name", "Bench").with("Ticker", "BENCH").with("Denomination", "0"),
        data: serde_json::to_vec(&balances)?,
        ..GenesisProcess::default()
    };
    Ok(Genesis { processes: vec![token] })
}

fn sign(
    client: &Client,
    token: Id,
    recipient: Id,
    count: usize,
    done: impl Fn(u64),
) -> anyhow::Result<Arc<Vec<DataItem>>> {
    let tags = Tags::new()
        .with("Data-Protocol", "ao")
        .with("Type", "Message")
        .with("Variant", "ao.TN.1")
        .with("Action", "Transfer")
        .with("Recipient", recipient.to_string())
        .with("Quantity", "1");
    let mut items = Vec::with_capacity(count);
    for number in 0..count {
        items.push(client.sign(Some(token), tags.clone(), Vec::new())?);
        done(number as u64);
    }
    Ok(Arc::new(items))
}

/// How long verifying all signatures takes on all cores.
async fn verify(items: Arc<Vec<DataItem>>) -> anyhow::Result<Duration> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let began = Instant::now();
    let mut tasks = Vec::new();
    for core in 0..cores {
        let items = Arc::clone(&items);
        tasks.push(tokio::task::spawn_blocking(move || {
            items.iter().skip(core).step_by(cores).try_for_each(DataItem::verify)
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(began.elapsed())
}

async fn post(client: &Client, items: &Arc<Vec<DataItem>>) -> anyhow::Result<()> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut tasks = Vec::new();
    for _ in 0..CONNECTIONS {
        let (client, items, next) = (client.clone(), Arc::clone(items), Arc::clone(&next));
        tasks.push(tokio::spawn(async move {
            while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
                client.post(item).await?;
            }
            anyhow::Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(())
}

/// Waits until the recipient's inbox, the last to be filled, holds all notices.
async fn await_notices(client: &Client, recipient: &Id, count: usize) -> anyhow::Result<()> {
    let end = Instant::now() + DELIVERY_WAIT;
    let last = count.saturating_sub(1) as u64;
    while client.inbox(recipient, last, Duration::from_secs(1)).await?.messages.is_empty() {
        if Instant::now() > end {
            bail!("the notices were not delivered within {} s", DELIVERY_WAIT.as_secs());
        }
    }
    Ok(())
}

fn describe(bench: &TransferBench) -> String {
    let columns = [Column::Text("transfers"), Column::Number("per second"), Column::Number("of verification alone")];
    let row = |what: &str, rate: f64| {
        vec![what.to_owned(), format!("{rate:.0}"), format!("{:.2}", rate / bench.verified_per_second)]
    };
    let rows = [
        row("signatures verified, nothing else", bench.verified_per_second),
        row("posted, verified, durable, acknowledged", bench.acknowledged_per_second),
        row("and applied, and all notices delivered", bench.delivered_per_second),
    ];
    table(&columns, rows)
}
