//! A node with as many pools and entries as a measurement wants, and evaluations that go on while it measures.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use ao::wallet::WalletKind;
use ao::{DataItem, Id, Quantity, Tags, Wallet, sha256};
use client::Client;
use node::{Genesis, GenesisProcess, ModelFacts, ModelInspector, Node, NodeHandle};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::scripted::{CHOICES, SLOW_OF, ScriptedHerder};
use crate::session::action;

/// Wallets: each may fund and enter a hundred.
const WALLETS: usize = 40;
/// Items on their way at one time.
const AT_ONE_TIME: usize = 64;
/// How often evaluations come further.
const STEP_EVERY: Duration = Duration::from_millis(200);
/// Questions in one message.
const ROWS_AT_ONE_TIME: u64 = 500;
/// How long nothing may come further before a measurement is given up.
const STANDSTILL: Duration = Duration::from_mins(2);

/// A prompt as short as one can be: what is measured does not depend on it.
const TASK: &str = "
task: bench
output_type: multiple_choice
doc_to_text: '{{question}}'
doc_to_choice: [a, b, c]
doc_to_target: answer
metric_list: [{metric: acc}]
metadata: {title: Bench, license: CC0-1.0, synthetic: true}
";

/// Takes any upload for a model.
struct AnyFile;

impl ModelInspector for AnyFile {
    fn inspect(&self, mut file: std::fs::File, offset: u64, length: u64) -> Result<ModelFacts, String> {
        use std::io::{Read as _, Seek as _, SeekFrom};
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(offset)).map_err(|error| error.to_string())?;
        file.take(length).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
        let hash = sha256(&bytes).to_hex();
        Ok(ModelFacts {
            content_hash: hash.clone(),
            file_hash: hash,
            bytes: length,
            architecture: "scripted".to_owned(),
            name: String::from_utf8_lossy(&bytes).into_owned(),
            parameters: 1,
        })
    }
}

/// A running node, and who pays and enters.
pub(super) struct Stage {
    node: NodeHandle,
    clients: Vec<Client>,
    names: BTreeMap<String, Id>,
}

/// Evaluations that go on until they are stopped.
pub(super) struct Evaluations {
    stop: watch::Sender<bool>,
    task: JoinHandle<anyhow::Result<u64>>,
}

impl Stage {
    pub(super) async fn open(folder: &Path) -> anyhow::Result<Self> {
        let wallets = (0..WALLETS).map(|_| Wallet::generate(WalletKind::Ed25519)).collect::<Result<Vec<_>, _>>()?;
        let mut config = node::Config::new(folder.to_owned());
        config.listen = ([127, 0, 0, 1], 0).into();
        config.genesis = genesis(&wallets)?;
        config.modules = vec![&ScriptedHerder];
        config.inspector = Some(Arc::new(AnyFile));
        let node = Node::start(config).await?;
        let clients = wallets.into_iter().map(|wallet| Client::new(&node.url(), Some(wallet)));
        let clients = clients.collect::<Result<Vec<_>, _>>()?;
        let names = clients.first().context("there is no wallet")?.genesis().await?;
        Ok(Self { node, clients, names })
    }

    pub(super) fn url(&self) -> &str {
        self.clients.first().map_or("", |client| client.url())
    }

    fn process(&self, name: &str) -> anyhow::Result<Id> {
        self.names.get(name).copied().with_context(|| format!("the node has no {name}"))
    }

    fn client(&self, number: u64) -> anyhow::Result<&Client> {
        self.clients.get(number as usize % self.clients.len()).context("there is no wallet")
    }

    /// Funds pools.
    pub(super) async fn fund(&self, pools: u64, done: impl Fn(u64)) -> anyhow::Result<()> {
        let (token, benchmark) = (self.process("token")?, self.process("benchmark")?);
        let dataset = self.process("dataset")?;
        let mut items = Vec::new();
        for number in 0..pools {
            let tags = standard(action("Transfer"))
                .with("Recipient", benchmark.to_string())
                .with("Quantity", (1000 + number).to_string())
                .with("X-Dataset", dataset.to_string())
                .with("X-Allocation", "ArithmeticDecrease")
                .with("X-Title", format!("Pool number {number}"));
            items.push(self.client(number)?.sign(Some(token), tags, Vec::new())?);
        }
        self.post(items, &done).await?;
        self.node.idle().await;
        Ok(())
    }

    pub(super) fn dataset(&self) -> anyhow::Result<Id> {
        self.process("dataset")
    }

    /// Enters models in a pool of their own, and waits until all but the slow ones are complete; the pool. `done` is told how
    /// many have joined, and then how many questions are answered.
    pub(super) async fn join(&self, entries: u64, questions: u64, done: impl Fn(u64)) -> anyhow::Result<Id> {
        let (benchmark, dataset) = (self.process("benchmark")?, self.process("dataset")?);
        let first = self.client(0)?;
        let transfer = action("Transfer")
            .with("Recipient", benchmark.to_string())
            .with("Quantity", "1000000000000")
            .with("X-Dataset", dataset.to_string())
            .with("X-Allocation", "ArithmeticDecrease")
            .with("X-Title", "The large pool");
        let payer = self.clients.last().context("there is no wallet")?;
        payer.request(self.process("token")?, transfer, "").await?;
        self.node.idle().await;
        let found = first.dry_run(&benchmark, action("Get-Pools").with("Limit", "1"), "").await?;
        let pools: Value = serde_json::from_str(&found.output.data)?;
        let Some(pool) = pools[0]["id"].as_str() else { bail!("no pool was opened: {}", found.output.data) };
        let mut joins = Vec::new();
        for number in 0..entries {
            let client = self.client(number)?;
            let model = client.sign(None, Tags::new(), format!("model number {number}").into_bytes())?;
            let data = json!({ "dataset": pool, "model": model.id() }).to_string();
            upload(self.url(), &model).await?;
            joins.push(client.sign(Some(benchmark), standard(action("Join-Pool")), data.into_bytes())?);
        }
        self.post(joins, &done).await?;
        self.node.idle().await;
        let complete = entries - entries / SLOW_OF;
        self.evaluate_all(dataset, complete * questions, |answered| done(entries + answered / questions.max(1)))
            .await?;
        Ok(pool.parse()?)
    }

    /// Loads questions; the right answer of question `n` (from 1) is choice number `n % CHOICES`.
    pub(super) async fn load(&self, questions: u64) -> anyhow::Result<()> {
        let (client, dataset) = (self.client(0)?, self.process("dataset")?);
        let numbers: Vec<u64> = (1..=questions).collect();
        for numbers in numbers.chunks(ROWS_AT_ONE_TIME as usize) {
            let row = |number: &u64| json!({ "question": format!("{number}?"), "answer": number % CHOICES });
            let rows: Vec<Value> = numbers.iter().map(row).collect();
            client.request(dataset, action("Load-Data"), serde_json::to_vec(&rows)?).await?;
        }
        Ok(())
    }

    /// Lets the dataset ask until so many questions are answered: it asks a part between two ticks of its clock, which its
    /// owner can do in the clock's place.
    async fn evaluate_all(&self, dataset: Id, questions: u64, done: impl Fn(u64)) -> anyhow::Result<()> {
        let (client, herder) = (self.client(0)?, self.process("herder")?);
        let (mut answered, mut moved) = (0, Instant::now());
        while answered < questions {
            client.send(dataset, action("Evaluate"), "").await?;
            self.node.idle().await;
            let now: u64 = client.dry_run(&herder, action("Answered"), "").await?.output.data.parse()?;
            if now > answered {
                (answered, moved) = (now, Instant::now());
            } else if moved.elapsed() > STANDSTILL {
                bail!("{answered} of {questions} questions are answered, and no more come");
            }
            done(answered);
        }
        Ok(())
    }

    async fn post(&self, items: Vec<DataItem>, done: &impl Fn(u64)) -> anyhow::Result<()> {
        let client = self.client(0)?;
        let mut posted = 0;
        for items in items.chunks(AT_ONE_TIME) {
            let posts = items.iter().cloned().map(|item| {
                let client = client.clone();
                tokio::spawn(async move { client.post(&item).await })
            });
            let posts: Vec<_> = posts.collect();
            for post in posts {
                post.await??;
                posted += 1;
                done(posted);
            }
        }
        Ok(())
    }

    /// Lets the slow evaluations come further some times a second, whatever is asked meanwhile.
    pub(super) fn evaluate(&self) -> Evaluations {
        let (stop, stopped) = watch::channel(false);
        let client = self.clients.first().cloned();
        let herder = self.process("herder");
        let task = tokio::spawn(async move {
            let (client, herder) = (client.context("there is no wallet")?, herder?);
            let mut steps = 0;
            while !*stopped.borrow() {
                client.send(herder, action("Let-Go"), "").await?;
                steps += 1;
                tokio::time::sleep(STEP_EVERY).await;
            }
            Ok(steps)
        });
        Evaluations { stop, task }
    }

    pub(super) async fn close(self) {
        self.node.shutdown().await;
    }
}

impl Evaluations {
    /// How often evaluations came further.
    pub(super) async fn stop(self) -> anyhow::Result<u64> {
        self.stop.send_replace(true);
        self.task.await?
    }
}

fn standard(tags: Tags) -> Tags {
    tags.with("Data-Protocol", "ao").with("Type", "Message").with("Variant", "ao.TN.1")
}

async fn upload(url: &str, item: &DataItem) -> anyhow::Result<()> {
    let answer = reqwest::Client::new().post(format!("{url}/tx")).body(item.to_bytes()).send().await?;
    if !answer.status().is_success() {
        bail!("the upload of a model was answered with {}", answer.status());
    }
    Ok(())
}

fn genesis(wallets: &[Wallet]) -> anyhow::Result<Genesis> {
    let balance = |wallet: &Wallet| (wallet.address(), Quantity::new(u128::from(u64::MAX)));
    let balances: BTreeMap<Id, Quantity> = wallets.iter().map(balance).collect();
    let process = |name: &str, module: &str, tags: Tags, data: Vec<u8>| GenesisProcess {
        name: name.to_owned(),
        module: module.to_owned(),
        tags,
        data,
        ..GenesisProcess::default()
    };
    let token = Tags::new().with("Name", "Bench").with("Ticker", "wAR").with("Denomination", "12");
    let owner = wallets.first().map(Wallet::address);
    let dataset = Tags::new().with("Herder", "${herder}").with("Benchmark", "${benchmark}");
    Ok(Genesis {
        processes: vec![
            process("token", "token", token, serde_json::to_vec(&balances)?),
            process("benchmark", "benchmark", Tags::new().with("Token", "${token}"), Vec::new()),
            process("herder", "scripted-herder", Tags::new(), Vec::new()),
            GenesisProcess { owner, ..process("dataset", "dataset", dataset, TASK.into()) },
        ],
    })
}
