//! The child: confine itself, load the model, answer.

use std::fs::File;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;

use super::frame;
use super::message::{Failure, Order, Probed, Reply};
use super::orders::Orders;
use crate::engine::{Engine, EngineOptions, ModelFile};
use crate::error::InferenceError;
use crate::limits::MODEL_STACK_BYTES;
use crate::request::{Part, Progress};
use crate::sandbox::{self, Confinement, Limits};

/// The main function of the child process. Returns when the parent closes the pipe.
///
/// Must be called before the program starts threads or opens files: it closes what it inherited, and the confinement
/// binds this thread and those started after it.
pub fn run() -> ExitCode {
    sandbox::close_inherited_files();
    #[cfg(feature = "llama")]
    crate::llama::send_log_to_standard_error();
    match serve(io::stdin(), &mut io::stdout()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The parent reads this as the last words.
            let _ = writeln!(io::stderr(), "the pipe to the parent broke: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(mut input: impl Read + Send + 'static, output: &mut (impl Write + Send)) -> io::Result<()> {
    let Some(first) = frame::read(&mut input)? else { return Ok(()) };
    let Order::Load { model, options, limits } = first else {
        return frame::write(output, &Reply::Failed(Failure::NoModel));
    };
    match File::open(&model.path) {
        Ok(file) => {
            let confinement = sandbox::confine(Some(&file), limits);
            let orders = Orders::read(input)?;
            with_large_stack(|| answer_all(orders, output, &model, &file, &options, confinement))
        }
        Err(error) => frame::write(output, &Reply::Failed(Failure::ModelFile(error.to_string()))),
    }
}

/// Runs on a thread whose stack suits recursive tokenizers. The thread inherits the confinement.
fn with_large_stack(work: impl FnOnce() -> io::Result<()> + Send) -> io::Result<()> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("model".to_owned()).stack_size(MODEL_STACK_BYTES);
        thread
            .spawn_scoped(scope, work)?
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the model's thread panicked")))
    })
}

fn answer_all(
    mut orders: Orders,
    output: &mut impl Write,
    model: &ModelFile,
    file: &File,
    options: &EngineOptions,
    confinement: Confinement,
) -> io::Result<()> {
    let mut engine = match load(model, file, options) {
        Ok((engine, mut loaded)) => {
            loaded.sandbox = confinement.to_string();
            frame::write(output, &Reply::Loaded(loaded))?;
            engine
        }
        Err(error) => return frame::write(output, &Reply::Failed(error.into())),
    };
    while let Some(order) = orders.next()? {
        let reply = answer(engine.as_mut(), order, &orders, output).unwrap_or_else(|error| Reply::Failed(error.into()));
        frame::write(output, &reply)?;
    }
    Ok(())
}

fn load(
    model: &ModelFile,
    file: &File,
    options: &EngineOptions,
) -> Result<(Box<dyn Engine>, crate::LoadedModel), InferenceError> {
    let mut engine = crate::local_engine(options)?;
    let loaded = engine.load(&ModelFile { path: path_of(file, model), file_hash: model.file_hash.clone() })?;
    Ok((engine, loaded))
}

/// A path to the very file that the confinement allows.
fn path_of(file: &File, model: &ModelFile) -> std::path::PathBuf {
    #[cfg(unix)]
    {
        use std::os::fd::AsRawFd as _;
        let path = std::path::PathBuf::from(format!("/dev/fd/{}", file.as_raw_fd()));
        if path.exists() {
            return path;
        }
    }
    let _ = file;
    model.path.clone()
}

fn answer(
    engine: &mut dyn Engine,
    order: Order,
    orders: &Orders,
    output: &mut impl Write,
) -> Result<Reply, InferenceError> {
    // A broken pipe shows at the reply.
    if let Order::GenerateInParts(request) = &order {
        let mut parts = |part: Part| {
            drop(frame::write(output, &Reply::Part(part)));
            if orders.is_stopped() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        return engine.generate_in_parts(request, &mut parts).map(Reply::Generated);
    }
    let mut progress = |progress: Progress| drop(frame::write(output, &Reply::Progress(progress)));
    Ok(match order {
        Order::Load { .. } => {
            return Err(InferenceError::Request { reason: "a child process holds one model only".to_owned() });
        }
        Order::Describe => Reply::Description(engine.describe()?),
        Order::Tokenize(text) => Reply::Tokens(engine.tokenize(&text)?),
        Order::Score(request) => Reply::Scored(engine.score(&request, &mut progress)?),
        Order::Roll(texts) => Reply::Rolled(engine.score_rolling(&texts, &mut progress)?),
        Order::Generate(request) | Order::GenerateInParts(request) => {
            Reply::Generated(engine.generate(&request, &mut progress)?)
        }
        Order::Embed(texts) => Reply::Embedded(engine.embed(&texts, &mut progress)?),
        Order::Probe => Reply::Probed(probe()),
        Order::Stop => return Err(InferenceError::Stopped),
        Order::Abort => std::process::abort(),
    })
}

/// Tries what must not work.
fn probe() -> Probed {
    let text = |error: io::Error| error.to_string();
    let socket = match std::net::TcpStream::connect("127.0.0.1:9") {
        // Refused by the other side: there was a socket to be refused on.
        Err(error) if error.kind() != io::ErrorKind::ConnectionRefused => Err(error.to_string()),
        _ => Ok(()),
    };
    let mut large: Vec<u8> = Vec::new();
    Probed {
        opened_other_file: File::open("/etc/passwd").map(drop).map_err(text),
        created_file: File::create(std::env::temp_dir().join("aobench-probe")).map(drop).map_err(text),
        used_socket: socket,
        started_program: std::process::Command::new("/bin/true").spawn().map(drop).map_err(text),
        environment: std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned()).collect(),
        allocated: large.try_reserve_exact(1 << 40).is_ok(),
    }
}

/// What a child may use when the parent does not say: twice the file and 4 GiB for cache and buffers, and a day of
/// processor time for each thread.
impl Limits {
    /// Limits for a model file of this length on this many threads.
    pub fn for_model(file_bytes: u64, threads: u32) -> Self {
        let memory_bytes = file_bytes.saturating_mul(2).saturating_add(4 << 30);
        Self { memory_bytes, cpu_seconds: 24 * 3600 * u64::from(threads.max(1)) }
    }
}
