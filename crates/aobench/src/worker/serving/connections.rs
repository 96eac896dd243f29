//! The connections of the HTTP API. Those who have no key are only found out by what they send, so there are so many
//! connections at one time and none of them may say nothing: the worker needs its files for the node and its models.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// Connections at one time; further ones wait in the queue of the operating system.
const CONNECTIONS_MAX: usize = 256;

/// How long the header of a request may take, and how long a connection may be idle between two requests.
pub(super) const HEADER_WAIT: Duration = Duration::from_secs(30);

/// How long to wait before accepting again when the operating system refuses.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Answers for ever.
pub(super) async fn serve(listener: TcpListener, router: Router, header_wait: Duration) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // Nobody closes the semaphore.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let router = router.clone();
        tokio::spawn(async move {
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(header_wait)
                .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
            if let Err(error) = served.await {
                tracing::trace!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn connections_that_say_nothing_keep_nobody_out() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "here"));
        tokio::spawn(serve(listener, router, Duration::from_millis(500)));
        let mut silent = Vec::new();
        for _ in 0..CONNECTIONS_MAX {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut answer));
        read.await.expect("an answer").unwrap();
        assert!(answer.ends_with("here"), "{answer}");
        drop(silent);
    }
}
