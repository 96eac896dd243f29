//! The loop that accepts connections: how many, how long their headers may take, and how they end.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use super::limits::{
    CONNECTIONS_MAX, CONNECTIONS_PER_ADDRESS_MAX, HEADER_BYTES_MAX, HEADER_WAIT, SHUTDOWN_WAIT, STANDSTILL,
};
use super::timed_stream::TimedStream;

/// How long to wait before accepting again when the operating system refuses: it has run out of file descriptors, and
/// gets some back when connections end.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Who is connected, and how often.
type Addresses = Arc<Mutex<BTreeMap<IpAddr, usize>>>;

/// A place among the connections; given back when dropped.
struct Place {
    address: IpAddr,
    addresses: Addresses,
    _permit: OwnedSemaphorePermit,
}

/// Serves until `shutdown` is done; then accepts nothing more, and gives requests in progress a while to end. Dropping
/// the future drops all connections.
pub(super) async fn serve(listener: TcpListener, router: Router, shutdown: impl Future<Output = ()> + Send) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let addresses = Addresses::default();
    let (closing, closed) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        // A closed semaphore does not happen: nobody closes it.
        let accepted = async { (Arc::clone(&permits).acquire_owned().await, listener.accept().await) };
        let accepted = tokio::select! {
            accepted = accepted => accepted,
            Some(_) = connections.join_next() => continue,
            () = &mut shutdown => break,
        };
        match accepted {
            (Ok(permit), Ok((stream, peer))) => {
                let Some(place) = Place::take(peer.ip(), &addresses, permit) else {
                    tracing::warn!(%peer, "refused: too many connections from one address");
                    continue;
                };
                connections.spawn(connection(stream, router.clone(), closed.clone(), place));
            }
            (_, Err(error)) => {
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
            (Err(_), Ok(_)) => break,
        }
    }
    drop(listener);
    let _ = closing.send(true);
    let ended = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(SHUTDOWN_WAIT, ended).await.is_err() {
        tracing::warn!(open = connections.len(), "connections were cut off at shutdown");
    }
}

/// One connection until its end.
async fn connection(stream: TcpStream, router: Router, mut closed: watch::Receiver<bool>, _place: Place) {
    // Answers are small and whole: waiting to fill a packet would only delay them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::trace!(%error, "no TCP_NODELAY");
    }
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_WAIT)
        .max_header_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(TimedStream::new(stream, STANDSTILL)), TowerToHyperService::new(router));
    let mut served = std::pin::pin!(served);
    // In a block of its own: what it gives must not live while the connection is served on.
    let closing = async {
        let _ = closed.wait_for(|closed| *closed).await;
    };
    let ended = tokio::select! {
        ended = served.as_mut() => ended,
        () = closing => {
            served.as_mut().graceful_shutdown();
            served.await
        }
    };
    if let Err(error) = ended {
        tracing::trace!(%error, "a connection ended early");
    }
}

impl Place {
    fn take(address: IpAddr, addresses: &Addresses, permit: OwnedSemaphorePermit) -> Option<Self> {
        let address = holder(address);
        let mut counts = addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_insert(0);
        if *count >= CONNECTIONS_PER_ADDRESS_MAX && !address.is_loopback() {
            return None;
        }
        *count += 1;
        drop(counts);
        Some(Self { address, addresses: Arc::clone(addresses), _permit: permit })
    }
}

/// Who an address belongs to: one who has an address of the newer kind has 2^64 of them.
fn holder(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let [one, two, three, four, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(one, two, three, four, 0, 0, 0, 0))
        }
        address => address,
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_address_cannot_take_all_places() {
        let addresses = Addresses::default();
        let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let take = |address: &str| {
            let permit = Arc::clone(&permits).try_acquire_owned().unwrap();
            Place::take(address.parse().unwrap(), &addresses, permit)
        };
        let mut places: Vec<Place> = std::iter::from_fn(|| take("10.0.0.1")).collect();
        assert_eq!(places.len(), CONNECTIONS_PER_ADDRESS_MAX);
        assert!(take("::ffff:10.0.0.1").is_none(), "the same address in other words");
        assert!(take("10.0.0.2").is_some());
        places.pop();
        assert!(take("10.0.0.1").is_some());
        places.clear();
        let mut number = 0_u32;
        places.extend(std::iter::from_fn(|| {
            number += 1;
            take(&format!("2001:db8::{number:x}"))
        }));
        assert_eq!(places.len(), CONNECTIONS_PER_ADDRESS_MAX, "one subscriber has many addresses");
        assert!(take("2001:db8:0:1::1").is_some());
        places.extend((0..=CONNECTIONS_PER_ADDRESS_MAX).map_while(|_| take("127.0.0.1")));
        assert_eq!(places.len(), 2 * CONNECTIONS_PER_ADDRESS_MAX + 1, "what runs beside the node is not counted");
        places.clear();
        assert!(addresses.lock().unwrap().is_empty());
        assert_eq!(permits.available_permits(), CONNECTIONS_MAX);
    }
}
