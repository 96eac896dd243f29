//! A running child as the parent holds it: threads that write, read and listen, so that no pipe can block a request
//! past its time limit.

use std::io::{BufReader, Read, Write as _};
use std::ops::ControlFlow;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::frame;
use super::message::{News, Order, Reply};
use crate::error::InferenceError;
use crate::limits::LAST_WORDS_BYTES_MAX;

/// A child process with its threads. Killed when dropped.
#[derive(Debug)]
pub(super) struct RunningChild {
    process: Child,
    orders: Option<Sender<Vec<u8>>>,
    replies: Receiver<std::io::Result<Reply>>,
    last_words: Arc<Mutex<Vec<u8>>>,
    listener: Option<JoinHandle<()>>,
    started: Instant,
}

impl RunningChild {
    /// Starts the command with an empty environment.
    pub(super) fn start(mut command: Command) -> Result<Self, InferenceError> {
        command.env_clear();
        // Without it a failed assertion in ggml would try to start a debugger.
        command.env("GGML_NO_BACKTRACE", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let program = command.get_program().into();
        let refused = |reason: String| InferenceError::ChildStart { program, reason };
        let mut process = match command.spawn() {
            Ok(process) => process,
            Err(error) => return Err(refused(error.to_string())),
        };
        let pipes = (process.stdin.take(), process.stdout.take(), process.stderr.take());
        let (Some(input), Some(output), Some(errors)) = pipes else {
            return Err(refused("its pipes are missing".to_owned()));
        };
        let (orders, order_queue) = channel();
        let (reply_queue, replies) = channel();
        let last_words = Arc::new(Mutex::new(Vec::new()));
        thread::spawn(move || write_orders(input, &order_queue));
        thread::spawn(move || read_replies(output, &reply_queue));
        let words = Arc::clone(&last_words);
        let listener = Some(thread::spawn(move || listen(errors, &words)));
        Ok(Self { process, orders: Some(orders), replies, last_words, listener, started: Instant::now() })
    }

    /// How long it has been running.
    pub(super) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Its process number.
    pub(super) fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Sends an order and waits for its reply; what comes before it goes to `hear`, until that wants no more: then the order is
    /// stopped, and its reply is on its way. After an error of the process itself (not a `Failed` reply) the child is of no use any more.
    pub(super) fn ask(
        &mut self,
        order: &Order,
        limit: Duration,
        mut hear: impl FnMut(News) -> ControlFlow<()>,
    ) -> Result<Reply, InferenceError> {
        self.send(order)?;
        let deadline = Instant::now() + limit;
        let mut is_stopped = false;
        loop {
            let news = match self.replies.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Ok(Reply::Progress(progress))) => News::Progress(progress),
                Ok(Ok(Reply::Part(part))) => News::Part(part),
                Ok(Ok(reply)) => return Ok(reply),
                Ok(Err(error)) => return Err(InferenceError::Protocol { reason: error.to_string() }),
                Err(RecvTimeoutError::Timeout) => return Err(InferenceError::Timeout { seconds: limit.as_secs() }),
                Err(RecvTimeoutError::Disconnected) => return Err(self.obituary()),
            };
            if !is_stopped && hear(news).is_break() {
                is_stopped = true;
                self.send(&Order::Stop)?;
            }
        }
    }

    fn send(&self, order: &Order) -> Result<(), InferenceError> {
        let bytes = frame::encode(order).map_err(|error| InferenceError::Request { reason: error.to_string() })?;
        if let Some(orders) = &self.orders {
            // If the writer is gone, so is the child, which the reply will tell.
            let _ = orders.send(bytes);
        }
        Ok(())
    }

    /// Waits for the end of a child whose output has ended, and says how it died.
    fn obituary(&mut self) -> InferenceError {
        self.orders = None;
        // Its output is closed; should it still run, it is of no use.
        let deadline = Instant::now() + Duration::from_millis(500);
        let status = loop {
            match self.process.try_wait() {
                Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
                Ok(Some(status)) => break Some(status),
                _ => break None,
            }
        };
        let how = status.map_or_else(|| "it closed its output".to_owned(), describe);
        self.end();
        let words = self.last_words.lock().unwrap_or_else(PoisonError::into_inner);
        let last_words = last_lines(&String::from_utf8_lossy(&words));
        InferenceError::ChildDied { how, last_words }
    }

    fn end(&mut self) {
        self.orders = None;
        // Fails if it has ended already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

impl Drop for RunningChild {
    fn drop(&mut self) {
        self.end();
    }
}

fn write_orders(mut input: ChildStdin, orders: &Receiver<Vec<u8>>) {
    while let Ok(order) = orders.recv() {
        if input.write_all(&order).and_then(|()| input.flush()).is_err() {
            break;
        }
    }
}

fn read_replies(output: ChildStdout, replies: &Sender<std::io::Result<Reply>>) {
    let mut output = BufReader::new(output);
    while let Some(reply) = frame::read(&mut output).transpose() {
        let is_error = reply.is_err();
        if replies.send(reply).is_err() || is_error {
            break;
        }
    }
}

/// Keeps the end of what the child says on its standard error, and logs it line by line.
fn listen(mut errors: ChildStderr, last_words: &Mutex<Vec<u8>>) {
    let mut piece = [0; 1024];
    let mut line = Vec::new();
    while let Ok(count @ 1..) = errors.read(&mut piece) {
        for &byte in &piece[..count] {
            if byte == b'\n' || line.len() == LAST_WORDS_BYTES_MAX {
                tracing::debug!(target: "inference::child", "{}", String::from_utf8_lossy(&line));
                line.clear();
            } else {
                line.push(byte);
            }
        }
        let mut words = last_words.lock().unwrap_or_else(PoisonError::into_inner);
        words.extend_from_slice(&piece[..count]);
        let surplus = words.len().saturating_sub(LAST_WORDS_BYTES_MAX);
        words.drain(..surplus);
    }
}

/// The last lines, in one. Failed assertions name a source file by its path on the machine that compiled it; only the
/// file's name is kept, because errors are sent to others.
fn last_lines(words: &str) -> String {
    let without_folders = |line: &str| match line.split_once(' ') {
        Some((place, rest)) => format!("{} {rest}", place.rsplit('/').next().unwrap_or(place)),
        None => line.to_owned(),
    };
    let lines: Vec<String> =
        words.lines().map(str::trim).filter(|line| !line.is_empty()).map(without_folders).collect();
    lines[lines.len().saturating_sub(3)..].join("; ")
}

fn describe(status: ExitStatus) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::process::ExitStatusExt as _;
        if let Some(signal) = status.signal() {
            let meaning = match signal {
                libc::SIGABRT => ": it gave up on the model",
                libc::SIGKILL => ": killed, perhaps for want of memory",
                libc::SIGSEGV | libc::SIGBUS => ": a memory error",
                libc::SIGILL => ": an instruction this processor lacks",
                libc::SIGSYS => ": a forbidden system call",
                libc::SIGXCPU => ": out of processor time",
                _ => "",
            };
            return format!("signal {signal}{meaning}");
        }
    }
    status.to_string()
}
