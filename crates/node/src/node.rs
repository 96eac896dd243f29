//! A node: its parts put together, started and stopped.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use ao::{Id, MessageKind, Tags, hash_parts};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::actors::{self, Actors};
use crate::clock::Clock;
use crate::config::Config;
use crate::core::{self, Core};
use crate::cron::{self, Cron};
use crate::disk::Disk;
use crate::error::{LogError, NodeError};
use crate::gateway::{Gateway, GatewayLimits};
use crate::keys::DataDirectory;
use crate::log::{
    AoChain, Append, Body, Committed, Follower, Log, LogSettings, Pushed, SqliteLog, Stream, StreamKind, verify_all,
};
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::runtime::{self, Programs, Runtime};
use crate::{admission, genesis, http, limits, wasm};

/// How often [`NodeHandle::idle`] looks.
const IDLE_LOOK: Duration = Duration::from_millis(2);
/// How long HTTP requests may take to end when the node stops.
const HTTP_STOP_WAIT: Duration = Duration::from_secs(5);

/// One AO node.
#[derive(Debug, Clone, Copy)]
pub struct Node;

/// A running node. Dropping it stops the node and frees its port.
pub struct NodeHandle {
    parts: Option<Running>,
    url: String,
    address: Id,
    /// Keeps a temporary data directory alive.
    _config: Config,
}

/// The parts of a running node, in the order in which they end.
struct Running {
    core: Arc<Core>,
    log: Arc<SqliteLog>,
    _follower: Follower,
    runtime: Arc<Runtime>,
    actors: Arc<Actors>,
    cron: Arc<Cron>,
    clock: Arc<Clock>,
    stop: watch::Sender<bool>,
    server: JoinHandle<()>,
    _directory: DataDirectory,
}

/// Those who are told of commits; known only after the log is open. They hold the log, so the log must not hold them.
#[derive(Default)]
struct Listeners {
    runtime: OnceLock<Weak<Runtime>>,
    actors: OnceLock<Weak<Actors>>,
    node: OnceLock<Id>,
}

impl Node {
    /// Starts a node and returns once it answers requests.
    pub async fn start(config: Config) -> Result<NodeHandle, NodeError> {
        let listener = TcpListener::bind(config.listen)
            .await
            .map_err(|error| NodeError::Listen { address: config.listen, reason: error.to_string() })?;
        let bound = listener
            .local_addr()
            .map_err(|error| NodeError::Listen { address: config.listen, reason: error.to_string() })?;
        let settings = config.clone();
        let open = tokio::task::spawn_blocking(move || Opened::open(&settings)).await;
        let opened =
            open.map_err(|error| NodeError::Data { path: config.data.clone(), reason: error.to_string() })??;
        let (stop, stopping) = watch::channel(false);
        let core = Arc::clone(&opened.core);
        let mut ended = stopping.clone();
        let server = tokio::spawn(async move {
            let shutdown = async move {
                let _ = ended.wait_for(|stop| *stop).await;
            };
            if let Err(error) = http::serve(listener, core, stopping, shutdown).await {
                tracing::error!(%error, "the HTTP server ended");
            }
        });
        let address = opened.core.address();
        let parts = Running {
            core: opened.core,
            log: opened.log,
            _follower: opened.follower,
            runtime: opened.runtime,
            actors: opened.actors,
            cron: opened.cron,
            clock: opened.clock,
            stop,
            server,
            _directory: opened.directory,
        };
        Ok(NodeHandle { parts: Some(parts), url: format!("http://{bound}"), address, _config: config })
    }
}

/// Everything of a node but its HTTP server.
struct Opened {
    core: Arc<Core>,
    log: Arc<SqliteLog>,
    follower: Follower,
    runtime: Arc<Runtime>,
    actors: Arc<Actors>,
    cron: Arc<Cron>,
    clock: Arc<Clock>,
    directory: DataDirectory,
}

impl Opened {
    fn open(config: &Config) -> Result<Self, NodeError> {
        let directory = DataDirectory::take(&config.data)?;
        let key = directory.node_wallet()?;
        let operator = operator(config, &directory)?;
        let metrics = Arc::new(Metrics::new());
        let clock = Arc::new(Clock::new(config.clock, 0));
        let listeners = Arc::new(Listeners::default());
        let _ = listeners.node.set(key.address());
        let (committed, commits) = committed(&listeners, &metrics);
        let settings = LogSettings { path: directory.log(), clock: Arc::clone(&clock), committed };
        let log = Arc::new(SqliteLog::open(settings)?);
        let shared: Arc<dyn Log> = Arc::clone(&log) as Arc<dyn Log>;
        verify_tails(&*shared)?;
        let ao_chain = Arc::new(AoChain::open(&directory.ao_chain(), Arc::clone(&shared), directory.node_wallet()?)?);
        let follower = Follower::start(Arc::clone(&ao_chain), commits.clone())?;
        clock.warp(warped_ms(&*shared, key.address())?);

        let owner = operator.unwrap_or_else(|| key.address());
        let gateway = Gateway::open(&directory.gateway(), GatewayLimits::new(config.limits.upload_bytes_max));
        let gateway =
            gateway.map_err(|error| NodeError::Data { path: directory.gateway(), reason: error.to_string() })?;
        let gateway = Arc::new(gateway);
        let host = Arc::new(wasm::Host::new(&config.data, Some(Arc::clone(&gateway)), config.wasm));
        let programs = Arc::new(Programs::new(config.modules.clone(), host));
        let genesis = genesis::spawn(&config.genesis, &*shared, key.address(), owner, &programs)?;
        let outbox = Outbox::new(Arc::clone(&shared), key.address(), Arc::clone(&programs));
        let runtime = Arc::new(Runtime::new(runtime::Parts {
            log: Arc::clone(&shared),
            files: runtime::ProcessFiles::new(directory.processes()),
            programs: Arc::clone(&programs),
            node: key.address(),
            outbox,
            metrics: Arc::clone(&metrics),
        }));
        let _ = listeners.runtime.set(Arc::downgrade(&runtime));
        let actors = Arc::new(Actors::start(actors::Parts {
            log: Arc::clone(&shared),
            gateway: Arc::clone(&gateway),
            inspector: config.inspector.clone(),
            node: key.address(),
        })?);
        let _ = listeners.actors.set(Arc::downgrade(&actors));
        runtime.start(config.limits.runtime_threads)?;
        let cron = Arc::new(Cron::start(cron::Parts {
            log: Arc::clone(&shared),
            clock: Arc::clone(&clock),
            runtime: Arc::clone(&runtime),
            metrics: Arc::clone(&metrics),
        })?);
        watch_clocks(&runtime, &cron);
        let core = Arc::new(Core::new(core::Parts {
            log: shared,
            ao_chain,
            runtime: Arc::clone(&runtime),
            gateway,
            clock: Arc::clone(&clock),
            cron: Arc::clone(&cron),
            metrics,
            key,
            operator: operator.filter(|_| config.dev),
            genesis,
            programs,
            commits,
            disk: Disk::new(config.data.clone(), config.limits.disk_bytes_kept),
            verifications_max: config.limits.verifications_max,
        }));
        Ok(Self { core, log, follower, runtime, actors, cron, clock, directory })
    }
}

/// The clocks are looked at again whenever one may be due at another time, for a process has set its alarm.
fn watch_clocks(runtime: &Arc<Runtime>, cron: &Arc<Cron>) {
    let cron = Arc::downgrade(cron);
    runtime.on_clocks_changed(move || {
        if let Some(cron) = cron.upgrade() {
            cron.wake();
        }
    });
}

fn operator(config: &Config, directory: &DataDirectory) -> Result<Option<Id>, NodeError> {
    match config.operator {
        Some(operator) => Ok(Some(operator)),
        None if config.dev => Ok(Some(directory.operator_wallet()?.address())),
        None => Ok(None),
    }
}

/// Tells the parts of the node what each commit has brought.
fn committed(listeners: &Arc<Listeners>, metrics: &Arc<Metrics>) -> (Committed, watch::Receiver<u64>) {
    let (sender, receiver) = watch::channel(0);
    let (listeners, metrics) = (Arc::clone(listeners), Arc::clone(metrics));
    let committed = move |heads: &BTreeMap<Stream, u64>, records: usize| {
        metrics.log_committed(records);
        for (stream, head) in heads {
            match stream.kind {
                StreamKind::Process => {
                    if let Some(runtime) = listeners.runtime.get().and_then(Weak::upgrade) {
                        runtime.advance(stream.id, *head);
                    }
                }
                StreamKind::Inbox if listeners.node.get() == Some(&stream.id) => {
                    if let Some(actors) = listeners.actors.get().and_then(Weak::upgrade) {
                        actors.wake();
                    }
                }
                StreamKind::Inbox | StreamKind::Clock | StreamKind::Delivered => {}
            }
        }
        sender.send_modify(|commits| *commits += 1);
    };
    (Box::new(committed), receiver)
}

/// Verifies the end of the log of each process: damage is found before anything is built on it.
fn verify_tails(log: &dyn Log) -> Result<(), NodeError> {
    for (process, head) in log.streams(StreamKind::Process)? {
        verify_all(log, &Stream::process(process), (head + 1).saturating_sub(limits::STARTUP_TAIL))?;
    }
    Ok(())
}

/// The sum of all warps.
fn warped_ms(log: &dyn Log, node: Id) -> Result<u64, LogError> {
    let (mut sum, mut next) = (0_u64, 0);
    loop {
        let records = log.read(&Stream::clock(node), next, limits::PAGE_MAX)?;
        let Some(last) = records.last() else { return Ok(sum) };
        next = last.slot + 1;
        for record in &records {
            let damaged = |reason: String| LogError::Damaged { position: record.position, reason };
            let message = Body::decode(&record.body).and_then(|body| body.into_message(record)).map_err(damaged)?;
            let by_ms: u64 = message.tag("Milliseconds").and_then(|value| value.parse().ok()).unwrap_or(0);
            sum = sum.saturating_add(by_ms);
        }
    }
}

impl NodeHandle {
    /// Where the node answers.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The address of the node's key.
    pub const fn address(&self) -> Id {
        self.address
    }

    /// A process of the genesis by its name.
    pub fn process(&self, name: &str) -> Option<Id> {
        self.parts.as_ref().and_then(|parts| parts.core.genesis().get(name).copied())
    }

    /// Lets the clock jump ahead. The jump is in the log, so a restart does not turn time back.
    pub async fn advance(&self, duration: Duration) -> Result<(), NodeError> {
        let Some(parts) = &self.parts else { return Ok(()) };
        let by_ms = u64::try_from(duration.as_millis()).unwrap_or(admission::WARP_MS_MAX).min(admission::WARP_MS_MAX);
        let stream = Stream::clock(self.address);
        let next = parts.log.head(&stream)?.map_or(0, |head| head + 1);
        let identity = hash_parts(&[b"aobench warp", self.address.as_bytes(), &next.to_le_bytes()]);
        let body = Body::Pushed(Pushed {
            from: self.address,
            slot: next,
            index: 0,
            pushed_for: identity,
            hops: 0,
            anchor: String::new(),
            tags: Tags::new().with("Action", "Warp").with("Milliseconds", by_ms.to_string()),
            data: Vec::new(),
        });
        let append = Append { stream, identity, kind: MessageKind::Pushed, body: body.encode() };
        let pending = parts.log.try_append(vec![append])?;
        pending.await.map_err(|_| LogError::Stopped("its writer has ended".to_owned()))??;
        parts.clock.warp(by_ms);
        parts.cron.wake();
        Ok(())
    }

    /// Waits until nothing is under way: everything in the log is handled and delivered, every request to the node is
    /// answered, and no tick is due.
    pub async fn idle(&self) {
        let Some(parts) = &self.parts else { return };
        loop {
            let quiet = || {
                parts.log.pending() == 0
                    && parts.actors.is_idle()
                    && parts.cron.is_idle()
                    && parts.runtime.entries().iter().all(|entry| entry.is_idle())
            };
            // Twice, for a message may have been between two of the places that were looked at.
            if quiet() && quiet() {
                return;
            }
            tokio::time::sleep(IDLE_LOOK).await;
        }
    }

    /// Stops the node: requests in progress end, batches in hand are committed, the port is free.
    pub async fn shutdown(mut self) {
        let Some(mut parts) = self.parts.take() else { return };
        let _ = parts.stop.send(true);
        if tokio::time::timeout(HTTP_STOP_WAIT, &mut parts.server).await.is_err() {
            parts.server.abort();
        }
        let stopped = tokio::task::spawn_blocking(move || parts.stop_threads()).await;
        if stopped.is_err() {
            tracing::error!("a part of the node panicked while it stopped");
        }
    }
}

impl Running {
    fn stop_threads(&self) {
        self.cron.stop();
        self.actors.stop();
        self.runtime.stop();
    }
}

impl Drop for NodeHandle {
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take() {
            let _ = parts.stop.send(true);
            parts.server.abort();
            parts.stop_threads();
        }
    }
}

impl std::fmt::Debug for NodeHandle {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("NodeHandle")
            .field("url", &self.url)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}
