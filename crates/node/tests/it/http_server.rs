//! The server under senders that misbehave, and its end.

use std::time::{Duration, Instant};

use ao::Id;
use reqwest::Method;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::running::Running;

#[tokio::test]
async fn a_node_that_stops_does_not_wait_for_those_who_wait() {
    let running = Running::start().await;
    let path = format!("/inbox/{}?wait=25", Id::new([5; 32]));
    let waiting = tokio::spawn(running.request(Method::GET, &path).send());
    tokio::time::sleep(Duration::from_millis(200)).await;
    let url = running.node.url();
    let started = Instant::now();
    running.node.shutdown().await;
    let answer = waiting.await.unwrap().unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    assert!(TcpStream::connect(url.replace("http://", "")).await.is_err(), "the port is still open");
}

#[tokio::test]
async fn a_header_without_end_is_cut_off() {
    let running = Running::start().await;
    let mut stream = TcpStream::connect(running.node.url().replace("http://", "")).await.unwrap();
    let header = format!("GET / HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "y".repeat(100 * 1024));
    // The node may close before it has read everything.
    let _ = stream.write_all(header.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(15), stream.read_to_end(&mut answer)).await.unwrap();
    let answer = String::from_utf8_lossy(&answer);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    assert_eq!(running.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn requests_are_numbered() {
    let running = Running::start().await;
    let numbers = [running.get("/healthz").await, running.get("/healthz").await];
    let [first, second] = numbers.map(|answer| answer.header("x-request-id").parse::<u64>().unwrap());
    assert!(first < second);
}

#[tokio::test]
async fn a_node_in_a_storm_answers_or_says_that_it_is_busy() {
    let running = Running::start().await;
    let items: Vec<_> = (0..200).map(|number| running.transfer(number, &Id::new([5; 32]))).collect();
    let head = running.head().await;
    let answers = futures_util::future::join_all(items.iter().map(|item| running.post("/", item.to_bytes()))).await;
    let taken = answers.iter().filter(|answer| answer.status == 202).count() as u64;
    for answer in answers.iter().filter(|answer| answer.status != 202) {
        assert_eq!((answer.refusal(), answer.header("retry-after")), ((503, "busy"), "1"));
    }
    assert_eq!(running.head().await, head + taken);
}

#[tokio::test]
async fn bodies_that_are_only_announced_keep_nobody_out() {
    let running = Running::start().await;
    let address = running.node.url().replace("http://", "");
    let mut held = Vec::new();
    for _ in 0..100 {
        let mut stream = TcpStream::connect(&address).await.unwrap();
        let header = "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 10485760\r\n\r\nx";
        stream.write_all(header.as_bytes()).await.unwrap();
        held.push(stream);
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let answer = running.post("/", running.transfer(1, &Id::new([5; 32])).to_bytes()).await;
    assert_eq!(answer.status, 202, "{}", answer.json);
    drop(held);
}

#[tokio::test]
async fn a_node_whose_disk_is_nearly_full_takes_nothing_new_and_goes_on_with_the_rest() {
    let running = Running::with(|config| config.limits.disk_bytes_kept = u64::MAX).await;
    let answer = running.post("/", running.transfer(1, &Id::new([5; 32])).to_bytes()).await;
    assert_eq!(answer.refusal(), (507, "disk-full"));
    assert_eq!(running.head().await, 0);
    assert_eq!(running.get(&format!("/{}/now/total-supply", running.token)).await.body, b"1000");
}
