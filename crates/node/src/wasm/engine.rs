//! The settings under which modules are compiled and run. Whatever they forbid would make a replay differ.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use wasmtime::{Config, Engine, OptLevel};

/// How often the time limit of an evaluation is looked at.
pub(super) const EPOCH: Duration = Duration::from_millis(50);

/// Bytes of the machine stack that a module may use: nested calls of Lua stay far below, and the threads that run modules
/// have at least twice as much.
const STACK_BYTES_MAX: usize = 1024 * 1024;

/// A compiler with its clock.
pub(super) struct Machine {
    /// The engine of wasmtime.
    pub engine: Engine,
    /// Whether each instruction is counted.
    pub metering: bool,
    ending: Arc<AtomicBool>,
    ticker: Mutex<Option<JoinHandle<()>>>,
}

impl Machine {
    /// An engine, and the thread that counts its epochs.
    pub(super) fn start(metering: bool) -> Result<Self, String> {
        let engine = Engine::new(&config(metering)).map_err(|error| format!("wasmtime cannot be set up: {error:#}"))?;
        let ending = Arc::new(AtomicBool::new(false));
        let (ticking, stop) = (engine.clone(), Arc::clone(&ending));
        let ticker = std::thread::Builder::new().name("wasm-epochs".to_owned()).spawn(move || {
            while !stop.load(Ordering::Acquire) {
                std::thread::park_timeout(EPOCH);
                ticking.increment_epoch();
            }
        });
        let ticker = ticker.map_err(|error| format!("the system gave no thread: {error}"))?;
        Ok(Self { engine, metering, ending, ticker: Mutex::new(Some(ticker)) })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Release);
        if let Some(ticker) = self.ticker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            ticker.thread().unpark();
            if ticker.join().is_err() {
                tracing::error!("the thread of the epochs panicked");
            }
        }
    }
}

fn config(metering: bool) -> Config {
    let mut config = Config::new();
    config
        .consume_fuel(metering)
        .epoch_interruption(true)
        .max_wasm_stack(STACK_BYTES_MAX)
        // Each longjmp of Lua is an error on its way through the host, and nobody reads its backtrace.
        .wasm_backtrace_max_frames(None)
        .generate_address_map(false)
        .wasm_memory64(true)
        // What is left out is not in AO's modules: relaxed arithmetic does not replay, and a second memory is not kept.
        .wasm_multi_memory(false)
        .wasm_relaxed_simd(false)
        .cranelift_opt_level(OptLevel::Speed)
        .cranelift_nan_canonicalization(true)
        // Pages of an instance that were never written must be absent, so that they can be told from those that were.
        .memory_init_cow(false);
    config
}
