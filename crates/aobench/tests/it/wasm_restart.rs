//! A node that is killed with many processes of aos: each is where it was, and soon.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use ao::{Id, Tags};
use client::Client;

use crate::binary::{RunningNode, free_port, repository};

/// Processes in the short form and in the long one.
const PROCESSES: usize = 8;
const PROCESSES_LONG: usize = 200;
/// Messages that each process has handled.
const MESSAGES: usize = 5;
/// How long all processes may take to answer, from the start of the node on.
const LIMIT: Duration = Duration::from_secs(5);

fn module() -> Option<PathBuf> {
    let folder = std::env::var_os("AOBENCH_WASM_MODULES")
        .map_or_else(|| repository().join("target/wasm-modules"), PathBuf::from);
    let path = folder.join("aos2_0_6.wasm");
    if !path.is_file() {
        println!("skipped: {} is absent; compat/fetch_modules.sh fetches it", path.display());
        return None;
    }
    Some(path)
}

fn eval() -> Tags {
    Tags::new().with("Action", "Eval")
}

fn count() -> Tags {
    Tags::new().with("Action", "Count")
}

/// What each process says it is, all asked at one time.
async fn counts(client: &Client, processes: &[Id]) -> Vec<String> {
    let asked: Vec<_> = processes
        .iter()
        .map(|process| {
            let (client, process) = (client.clone(), *process);
            tokio::spawn(async move {
                let result = client.dry_run(&process, count(), "").await.unwrap();
                let message = result.messages.first().unwrap_or_else(|| panic!("{result:?}"));
                String::from_utf8(message.data.clone()).unwrap()
            })
        })
        .collect();
    let mut counts = Vec::new();
    for answer in asked {
        counts.push(answer.await.unwrap());
    }
    counts
}

/// Messages that modules were given again since the start of the node.
async fn run_again(url: &str) -> u64 {
    let text = reqwest::get(format!("{url}/metrics")).await.unwrap().text().await.unwrap();
    let line = text.lines().find(|line| line.starts_with("aobench_messages_run_again_total ")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_are_where_they_were_soon_after_a_kill() {
    let Some(module) = module() else { return };
    let long = std::env::var_os("AOBENCH_LONG_TESTS").is_some();
    let many = if long { PROCESSES_LONG } else { PROCESSES };
    let folder = tempfile::tempdir().unwrap();
    let id = Id::new([77; 32]);
    node::wasm::add_module(folder.path(), id, &module, Tags::new()).unwrap();
    let port = free_port();
    let node = RunningNode::start(folder.path(), port, 0);
    let client = node.client("funder");
    let (mut processes, mut lasts) = (Vec::new(), Vec::new());
    for number in 0..many {
        let process = client.spawn(id, Tags::new().with("Name", format!("process-{number}")), "").await.unwrap();
        let code = format!(
            "N = {number}; Handlers.add('Count', 'Count', function(m) N = N + 1000; m.reply({{ Data = tostring(N) }}) end)"
        );
        client.send(process, eval(), code).await.unwrap();
        let mut last = process;
        for _ in 0..MESSAGES {
            last = client.send(process, count(), "").await.unwrap();
        }
        processes.push(process);
        lasts.push(last);
    }
    for (process, last) in processes.iter().zip(&lasts) {
        client.result(process, last).await.unwrap();
    }
    let expected: Vec<String> = (0..many).map(|number| (number + (MESSAGES + 1) * 1000).to_string()).collect();
    assert_eq!(counts(&client, &processes).await, expected);
    // At rest for a moment, so that what each has done is written down.
    tokio::time::sleep(Duration::from_millis(node::limits::WASM_SNAPSHOT_REST_MS + 2000)).await;
    // The last messages before the kill are in the log only.
    for process in processes.iter().take(4) {
        let message = client.send(*process, eval(), "N = N + 7").await.unwrap();
        client.result(process, &message).await.unwrap();
    }
    node.kill();
    let began = Instant::now();
    let node = RunningNode::start(folder.path(), port, 0);
    let client = node.client("funder");
    let answers = counts(&client, &processes).await;
    let took = began.elapsed();
    let again = run_again(&node.url).await;
    println!("{many} processes answered {took:?} after the start; {again} messages were run again");
    let expected = expected.iter().zip(0..).map(|(count, index)| {
        let count: u64 = count.parse().unwrap();
        (if index < 4 { count + 7 } else { count }).to_string()
    });
    assert_eq!(answers, expected.collect::<Vec<_>>());
    assert!(again <= 4, "only the last messages are run again, and not {again}");
    assert!(!long || took < LIMIT, "{took:?}");
}
