//! `aobench bench pages`: how long a reader waits for the home page and the pages of a large pool and its dataset while
//! evaluations run, beside the time of a request that reads nothing (`/healthz`) on the same node in the same run.

mod scripted;
mod stage;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use reqwest::header::ACCEPT;
use serde::Serialize;
use tokio::sync::Mutex;

use self::stage::Stage;
use crate::output::{Column, Output, table};

/// How much there is to show, and how often it is asked for.
#[derive(Debug, Args)]
pub(crate) struct PagesArguments {
    /// Pools
    #[arg(long, default_value_t = 2000)]
    pools: u64,
    /// Entries of one of them, a twentieth of which is being evaluated
    #[arg(long, default_value_t = 1000)]
    entries: u64,
    /// Questions of its dataset
    #[arg(long, default_value_t = 2000)]
    questions: u64,
    /// Requests a second
    #[arg(long, default_value_t = 50)]
    rate: u32,
    /// Seconds of requests
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// A folder on the disk to measure; a temporary one if left out
    #[arg(long, value_name = "FOLDER")]
    data: Option<PathBuf>,
}

#[derive(Debug, Serialize)]
struct PagesBench {
    pools: u64,
    entries: u64,
    questions: u64,
    requests_per_second: f64,
    /// How often evaluations moved on during the measurement.
    reports: u64,
    /// Entries in the leaderboard as comma-separated values.
    csv_rows: u64,
    pages: Vec<PageBench>,
}

/// One page: how long from the request to its last byte.
#[derive(Debug, Serialize)]
struct PageBench {
    page: String,
    requests: usize,
    median_ms: f64,
    p99_ms: f64,
    bytes: usize,
}

/// What was measured of one page.
#[derive(Debug, Default)]
struct Measured {
    times: Vec<Duration>,
    bytes: usize,
}

pub(crate) async fn run(arguments: &PagesArguments, output: Output) -> anyhow::Result<()> {
    let folder = super::temporary(arguments.data.as_ref())?;
    let stage = Stage::open(folder.path()).await?;
    let bar = output.bar(arguments.pools + 2 * arguments.entries, "funding, joining and answering");
    stage.load(arguments.questions).await?;
    stage.fund(arguments.pools, |done| bar.set_position(done)).await?;
    let pool =
        stage.join(arguments.entries, arguments.questions, |done| bar.set_position(arguments.pools + done)).await?;
    bar.finish_and_clear();

    let spinner = output.spinner("asking for pages");
    let dataset = stage.dataset()?;
    let pages = ["/healthz".to_owned(), "/".to_owned(), format!("/pool/{pool}"), format!("/dataset/{dataset}")];
    let evaluations = stage.evaluate();
    let began = Instant::now();
    let measured = ask(stage.url(), &pages, arguments.rate, Duration::from_secs(arguments.seconds.max(1))).await?;
    let took = began.elapsed();
    let reports = evaluations.stop().await?;
    let csv_rows = rows_of_the_file(stage.url(), &pool).await?;
    spinner.finish_and_clear();
    stage.close().await;
    if csv_rows != arguments.entries {
        bail!("the file of the leaderboard has {csv_rows} rows, and there are {} entries", arguments.entries);
    }

    let requests: usize = measured.iter().map(|measured| measured.times.len()).sum();
    let bench = PagesBench {
        pools: arguments.pools,
        entries: arguments.entries,
        questions: arguments.questions,
        requests_per_second: requests as f64 / took.as_secs_f64(),
        reports,
        csv_rows,
        pages: pages.iter().zip(measured).map(|(page, measured)| measured.summary(page)).collect(),
    };
    output.result(&bench, describe)
}

/// Asks for the pages in turn at a fixed rate, whether or not the last answer has come: a slow node is not spared.
async fn ask(url: &str, pages: &[String], rate: u32, duration: Duration) -> anyhow::Result<Vec<Measured>> {
    let http = reqwest::Client::new();
    let measured: Vec<Arc<Mutex<Measured>>> = pages.iter().map(|_| Arc::default()).collect();
    let mut tick = tokio::time::interval(Duration::from_secs(1) / rate.max(1));
    let end = Instant::now() + duration;
    let mut requests = Vec::new();
    for turn in 0.. {
        tick.tick().await;
        if Instant::now() >= end {
            break;
        }
        let place = turn % pages.len();
        let (http, page, kept) = (http.clone(), format!("{url}{}", pages[place]), Arc::clone(&measured[place]));
        requests.push(tokio::spawn(async move {
            let began = Instant::now();
            let answer = http.get(&page).header(ACCEPT, "text/html").send().await?;
            let status = answer.status();
            let body = answer.bytes().await?;
            let took = began.elapsed();
            if !status.is_success() {
                bail!("{page} answered {status}");
            }
            let mut kept = kept.lock().await;
            kept.times.push(took);
            kept.bytes = kept.bytes.max(body.len());
            Ok(())
        }));
    }
    for request in requests {
        request.await??;
    }
    let taken = measured.into_iter().map(|measured| Arc::try_unwrap(measured).map(Mutex::into_inner).ok());
    taken.collect::<Option<Vec<_>>>().context("a request is still under way")
}

/// How many entries the whole leaderboard has as comma-separated values.
async fn rows_of_the_file(url: &str, pool: &ao::Id) -> anyhow::Result<u64> {
    let answer = reqwest::get(format!("{url}/pool/{pool}.csv")).await?.error_for_status()?;
    Ok(answer.text().await?.lines().count().saturating_sub(1) as u64)
}

impl Measured {
    fn summary(mut self, page: &str) -> PageBench {
        self.times.sort_unstable();
        let at = |share: f64| {
            let place = ((self.times.len().saturating_sub(1)) as f64 * share).round() as usize;
            self.times.get(place).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
        };
        let kind = ["/pool/", "/dataset/"].into_iter().find(|kind| page.starts_with(kind));
        let page = kind.map_or_else(|| page.to_owned(), |kind| format!("{kind}…"));
        PageBench { page, requests: self.times.len(), median_ms: at(0.5), p99_ms: at(0.99), bytes: self.bytes }
    }
}

fn describe(bench: &PagesBench) -> String {
    let columns = [
        Column::Text("page"),
        Column::Number("requests"),
        Column::Number("median, ms"),
        Column::Number("99 %, ms"),
        Column::Number("bytes"),
    ];
    let rows = bench.pages.iter().map(|page| {
        vec![
            page.page.clone(),
            page.requests.to_string(),
            format!("{:.1}", page.median_ms),
            format!("{:.1}", page.p99_ms),
            page.bytes.to_string(),
        ]
    });
    format!(
        "{}\n{} pools, one with {} entries x {} questions; {:.0} requests/s while evaluations moved on {} times",
        table(&columns, rows),
        bench.pools,
        bench.entries,
        bench.questions,
        bench.requests_per_second,
        bench.reports
    )
}
