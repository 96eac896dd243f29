//! Files from the web: streamed to disk, hashed on the way, taken up again where they broke off, and given their name only
//! when they are whole and are what they should be.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use indicatif::ProgressBar;
use reqwest::header::{CONTENT_RANGE, ETAG, IF_RANGE, RANGE};
use reqwest::{Client, Response, StatusCode};
use sha2::{Digest as _, Sha256};
use tokio::fs::{File, OpenOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::output::Output;

/// How long a connection may take to be made.
const CONNECT_WAIT: Duration = Duration::from_secs(10);
/// How long a download may stand still before it counts as broken.
const STANDSTILL: Duration = Duration::from_mins(1);
/// Tries without a single new byte.
const TRIES_MAX: u32 = 4;
/// The first pause between two tries; it doubles.
const PAUSE: Duration = Duration::from_millis(250);
/// Bytes of a file, so that no server fills the disk: more than any model that fits on one machine.
const BYTES_MAX: u64 = 1 << 40;
/// What every model file begins with.
const MAGIC: &[u8] = b"GGUF";

/// What is known of a file before it comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pinned<'a> {
    /// Its SHA-256, hexadecimal.
    pub(crate) file_hash: &'a str,
    /// Its length.
    pub(crate) bytes: u64,
}

/// A model file behind a URL.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WebFile<'a> {
    /// The URL.
    pub(crate) address: &'a str,
    /// Where it is to lie.
    pub(crate) path: &'a Path,
    /// What it must be, if that is known.
    pub(crate) pinned: Option<Pinned<'a>>,
}

/// Why a try failed.
enum Failed {
    /// It may go on, now or in another run.
    Broken(anyhow::Error),
    /// Another try would give the same.
    Final(anyhow::Error),
}

use Failed::{Broken, Final};

/// What there is of the file.
struct Partial {
    path: PathBuf,
    hasher: Sha256,
    bytes: u64,
}

impl WebFile<'_> {
    /// Fetches the file and lets `check` look at it before it gets its name. What broke off stays beside it and is taken up
    /// by the next call, in this run or another one; what is wrong is removed.
    pub(crate) async fn fetch(
        &self,
        check: impl FnOnce(&Path) -> anyhow::Result<()>,
        output: Output,
    ) -> anyhow::Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        }
        let client = Client::builder().connect_timeout(CONNECT_WAIT).read_timeout(STANDSTILL).build()?;
        let mut partial = Partial::open(self.beside("partial")).await?;
        let bar = output.byte_bar(self.pinned.map_or(0, |pinned| pinned.bytes), "downloading");
        let mut failures = 0;
        let outcome = loop {
            let before = partial.bytes;
            match self.attempt(&client, &mut partial, &bar).await {
                Ok(()) => break Ok(()),
                Err(Final(error)) => {
                    self.remove_partial();
                    break Err(error);
                }
                Err(Broken(error)) => {
                    failures = if partial.bytes > before { 1 } else { failures + 1 };
                    if failures >= TRIES_MAX {
                        let bytes = partial.bytes;
                        break Err(
                            error.context(format!("{bytes} bytes are here; the same command goes on from there"))
                        );
                    }
                    tracing::debug!(error = format!("{error:#}"), failures, "downloading on");
                    tokio::time::sleep(PAUSE * 2_u32.pow(failures)).await;
                }
            }
        };
        bar.finish_and_clear();
        outcome.with_context(|| format!("{} could not be downloaded", self.address))?;
        let checked = self.matches(partial).and_then(|()| check(&self.beside("partial")));
        if let Err(error) = checked {
            self.remove_partial();
            return Err(error.context(format!("what {} gave was removed", self.address)));
        }
        let _ = std::fs::remove_file(self.beside("etag"));
        std::fs::rename(self.beside("partial"), self.path)
            .with_context(|| format!("{} cannot be written", self.path.display()))
    }

    fn beside(&self, extension: &str) -> PathBuf {
        let mut path = self.path.to_owned().into_os_string();
        path.push(format!(".{extension}"));
        path.into()
    }

    fn remove_partial(&self) {
        let _ = std::fs::remove_file(self.beside("partial"));
        let _ = std::fs::remove_file(self.beside("etag"));
    }

    /// Whether the file is the one that is wanted.
    fn matches(&self, partial: Partial) -> anyhow::Result<()> {
        let Some(pinned) = self.pinned else { return Ok(()) };
        let found = partial.hasher.finalize().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        if found != pinned.file_hash {
            bail!("the file has the SHA-256 {found}, and {} is wanted: it is another file", pinned.file_hash);
        }
        Ok(())
    }

    /// One request for what is missing.
    async fn attempt(&self, client: &Client, partial: &mut Partial, bar: &ProgressBar) -> Result<(), Failed> {
        let known = std::fs::read_to_string(self.beside("etag")).ok();
        // A hash tells in the end whether two halves belong together; without one the server must say it.
        if partial.bytes > 0 && self.pinned.is_none() && known.is_none() {
            partial.start_over().await.map_err(Final)?;
        }
        let mut request = client.get(self.address);
        if partial.bytes > 0 {
            request = request.header(RANGE, format!("bytes={}-", partial.bytes));
            if let Some(known) = &known {
                request = request.header(IF_RANGE, known);
            }
        }
        let response = request.send().await.map_err(|error| self.unreachable(&error))?;
        let total = match response.status() {
            StatusCode::OK => {
                partial.start_over().await.map_err(Final)?;
                response.content_length()
            }
            StatusCode::PARTIAL_CONTENT => match content_range(&response) {
                Some((start, total)) if start == partial.bytes => Some(total),
                _ => return Err(Final(anyhow!("the server gave another part than it was asked for"))),
            },
            // Nothing lies behind the last byte here: it was all there.
            StatusCode::RANGE_NOT_SATISFIABLE if self.pinned.is_some_and(|pinned| pinned.bytes == partial.bytes) => {
                return Ok(());
            }
            StatusCode::RANGE_NOT_SATISFIABLE => {
                partial.start_over().await.map_err(Final)?;
                return Err(Broken(anyhow!("what was here is no part of the file")));
            }
            status => return Err(refusal(status)),
        };
        self.check_length(total)?;
        if let Some(etag) = response.headers().get(ETAG).and_then(|etag| etag.to_str().ok())
            && !etag.starts_with("W/")
        {
            // Without it the next run begins anew.
            let _ = std::fs::write(self.beside("etag"), etag);
        }
        bar.set_length(total.unwrap_or(0));
        partial.receive(response, total, bar).await
    }

    fn check_length(&self, total: Option<u64>) -> Result<(), Failed> {
        match (total, self.pinned) {
            (Some(total), Some(pinned)) if total != pinned.bytes => {
                Err(Final(anyhow!("the file has {total} bytes, and {} are wanted: it is another file", pinned.bytes)))
            }
            (Some(total), _) if total > BYTES_MAX => {
                Err(Final(anyhow!("the file has {total} bytes, and at most {BYTES_MAX} are taken")))
            }
            _ => Ok(()),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> Failed {
        if error.is_builder() {
            return Final(anyhow!("'{}' is no URL", self.address));
        }
        let host = error.url().and_then(|url| url.host_str()).unwrap_or(self.address);
        Broken(anyhow!("{host} cannot be reached ({}); is this machine online?", innermost(error)))
    }
}

impl Partial {
    /// What is there from before, hashed.
    async fn open(path: PathBuf) -> anyhow::Result<Self> {
        let mut partial = Self { path, hasher: Sha256::new(), bytes: 0 };
        let Ok(mut file) = File::open(&partial.path).await else { return Ok(partial) };
        let mut piece = vec![0; 256 << 10];
        loop {
            match file.read(&mut piece).await? {
                0 => return Ok(partial),
                count => {
                    partial.hasher.update(piece.get(..count).unwrap_or_default());
                    partial.bytes += count as u64;
                }
            }
        }
    }

    async fn start_over(&mut self) -> anyhow::Result<()> {
        (self.hasher, self.bytes) = (Sha256::new(), 0);
        match tokio::fs::remove_file(&self.path).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(self.failed(error)),
            _ => Ok(()),
        }
    }

    fn failed(&self, error: std::io::Error) -> anyhow::Error {
        anyhow::Error::new(error).context(format!("{} cannot be written", self.path.display()))
    }

    /// Appends an answer.
    async fn receive(&mut self, mut response: Response, total: Option<u64>, bar: &ProgressBar) -> Result<(), Failed> {
        let opened = OpenOptions::new().create(true).append(true).open(&self.path).await;
        let mut file = opened.map_err(|error| Final(self.failed(error)))?;
        loop {
            let piece = match response.chunk().await {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(error) => {
                    file.flush().await.map_err(|error| Final(self.failed(error)))?;
                    return Err(self.broken(total, &innermost(&error)));
                }
            };
            let begins = piece.get(..MAGIC.len()).unwrap_or(&piece);
            if self.bytes == 0 && !MAGIC.starts_with(begins) {
                let begins = String::from_utf8_lossy(begins).into_owned();
                return Err(Final(anyhow!("there is no GGUF file: what is there begins with {begins:?}")));
            }
            file.write_all(&piece).await.map_err(|error| Final(self.failed(error)))?;
            self.hasher.update(&piece);
            self.bytes += piece.len() as u64;
            bar.set_position(self.bytes);
            if self.bytes > BYTES_MAX {
                return Err(Final(anyhow!("the file has more than {BYTES_MAX} bytes")));
            }
        }
        file.flush().await.map_err(|error| Final(self.failed(error)))?;
        file.sync_all().await.map_err(|error| Final(self.failed(error)))?;
        match total {
            Some(total) if total != self.bytes => Err(self.broken(Some(total), "the connection ended")),
            _ => Ok(()),
        }
    }

    fn broken(&self, total: Option<u64>, reason: &str) -> Failed {
        let of = total.map_or_else(String::new, |total| format!(" of {total}"));
        Broken(anyhow!("it broke off after {}{of} bytes ({reason})", self.bytes))
    }
}

/// A status that is no file.
fn refusal(status: StatusCode) -> Failed {
    let error = match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => {
            anyhow!("there is no such file (HTTP {status}); is the address right?")
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            anyhow!(
                "the server lets nobody have it without a key (HTTP {status}); download it by hand and name the file"
            )
        }
        _ => anyhow!("the server answered HTTP {status}"),
    };
    let may_help = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
    if may_help { Broken(error) } else { Final(error) }
}

/// Where a part begins, and how long the whole is: `bytes 5-9/10`.
fn content_range(response: &Response) -> Option<(u64, u64)> {
    let (range, total) =
        response.headers().get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()?))
}

/// The innermost reason, which says what happened.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
