//! What a node is told when it starts.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use ao::{Id, Tags};
use processes::Module;
use tempfile::TempDir;

use crate::actors::ModelInspector;
use crate::limits;
use crate::wasm::WasmSettings;

/// The port on which a node listens when it is told nothing else.
pub(crate) const PORT: u16 = 4000;

/// Milliseconds since 1970 at which the paused clock of [`Config::test`] stands: the first of January 2026, UTC.
pub(crate) const TEST_CLOCK_MS: u64 = 1_767_225_600_000;

/// Everything that a node is told when it starts.
#[derive(Clone)]
pub struct Config {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Its data directory. One directory belongs to one running node.
    pub data: PathBuf,
    /// Its clock.
    pub clock: ClockConfig,
    /// Development: an operator wallet is made in the data directory, and its owner may warp the clock.
    pub dev: bool,
    /// The wallet that may warp the clock of a development node; without it the one in the data directory.
    pub operator: Option<Id>,
    /// The processes that it has from the start.
    pub genesis: Genesis,
    /// Limits that an operator may set.
    pub limits: Limits,
    /// Who looks into uploaded model files. Without one, `Inspect-Model` is answered with an error.
    pub inspector: Option<Arc<dyn ModelInspector>>,
    /// Modules beyond those of the `processes` crate.
    pub modules: Vec<&'static dyn Module>,
    /// How WebAssembly modules run.
    pub wasm: WasmSettings,
    /// A temporary data directory that is removed with the last copy of this configuration.
    pub temporary: Option<Arc<TempDir>>,
}

/// Which clock a node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockConfig {
    /// The clock of the machine. Warps move it forward for good.
    Real,
    /// A clock that stands at this time (milliseconds since 1970) and moves only when it is told to.
    Paused(u64),
}

/// The processes that a node has from the start.
#[derive(Debug, Clone, Default)]
pub struct Genesis {
    /// In the order in which they are spawned.
    pub processes: Vec<GenesisProcess>,
}

/// A process that a node has from the start.
#[derive(Debug, Clone, Default)]
pub struct GenesisProcess {
    /// The name under which `GET /genesis` and configuration know it.
    pub name: String,
    /// The name of its module.
    pub module: String,
    /// Its id; without one it follows from the node and the name.
    pub id: Option<Id>,
    /// Its owner; without one the operator of a development node, else the node itself.
    pub owner: Option<Id>,
    /// Its tags. `${name}` in a value stands for the id of the genesis process of that name, `${node}` for the address of
    /// the node.
    pub tags: Tags,
    /// Its data.
    pub data: Vec<u8>,
}

/// Limits that an operator may set; all others are constants in [`crate::limits`].
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of an upload to the gateway.
    pub upload_bytes_max: u64,
    /// Bytes of the disk that no message from outside may use.
    pub disk_bytes_kept: u64,
    /// Signatures verified at one time.
    pub verifications_max: usize,
    /// Threads that run processes.
    pub runtime_threads: usize,
}

impl Config {
    /// A node for a test: a free port of this machine, a temporary data directory, a paused clock, an operator.
    ///
    /// # Panics
    /// If the system gives no temporary directory.
    #[expect(clippy::expect_used, reason = "for tests only, which cannot go on without a directory")]
    pub fn test() -> Self {
        let directory = Arc::new(TempDir::new().expect("a temporary directory for the test"));
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data: directory.path().to_owned(),
            clock: ClockConfig::Paused(TEST_CLOCK_MS),
            dev: true,
            temporary: Some(directory),
            ..Self::new(PathBuf::new())
        }
    }

    /// A node with its data in `data`, listening on this machine only, with the clock of the machine.
    pub fn new(data: PathBuf) -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)),
            data,
            clock: ClockConfig::Real,
            dev: false,
            operator: None,
            genesis: Genesis::default(),
            limits: Limits::default(),
            inspector: None,
            modules: Vec::new(),
            wasm: WasmSettings::default(),
            temporary: None,
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Config")
            .field("listen", &self.listen)
            .field("data", &self.data)
            .field("clock", &self.clock)
            .field("dev", &self.dev)
            .field("genesis", &self.genesis)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Default for Limits {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            upload_bytes_max: limits::UPLOAD_BYTES_MAX,
            disk_bytes_kept: limits::DISK_BYTES_KEPT,
            verifications_max: cores,
            runtime_threads: cores.clamp(2, limits::RUNTIME_THREADS_MAX),
        }
    }
}
