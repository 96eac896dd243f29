//! Downloading the data of an item: streamed to a file, taken up again where it broke off.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ao::Id;
use reqwest::header::{CONTENT_RANGE, RANGE};
use reqwest::{Response, StatusCode};
use tokio::fs::{File, OpenOptions};
use tokio::io::AsyncWriteExt as _;

use crate::limits::STANDSTILL;
use crate::upload::{Listener, Progress, Stage};
use crate::{Client, ClientError, transport};

/// A download on its way: what there is of the file, under a name that says it is not whole.
struct Download<'a> {
    id: &'a Id,
    partial: PathBuf,
    bytes_max: u64,
    listener: Listener,
}

impl Client {
    /// Downloads the data of an item into the file `path`; how many bytes it has. The file appears under its name only
    /// when it is whole; until then, and after a failure, it is `<path>.<id>.partial`, and the next call goes on from
    /// there.
    ///
    /// More than `bytes_max` is not taken, whatever is announced. Only the length is checked. Who needs to know that the data is what its uploader signed compares a hash that
    /// comes from elsewhere.
    pub async fn download(
        &self,
        id: &Id,
        path: &Path,
        bytes_max: u64,
        on_progress: impl Fn(Progress) + Send + Sync + 'static,
    ) -> Result<u64, ClientError> {
        let mut partial = path.to_owned().into_os_string();
        partial.push(format!(".{id}.partial"));
        let download = Download { id, partial: partial.into(), bytes_max, listener: Arc::new(on_progress) };
        let mut failures = 0;
        let bytes = loop {
            let before = download.bytes_there().await;
            let error = match self.fetch(&download).await {
                Ok(bytes) => break bytes,
                Err(error) => error,
            };
            // A connection that breaks after every megabyte still gets there.
            failures = if download.bytes_there().await > before { 1 } else { failures + 1 };
            if matches!(error, ClientError::TooLarge { .. }) {
                download.start_over().await?;
            }
            if !error.is_passing() || failures >= self.retry.attempts {
                return Err(error);
            }
            tracing::debug!(%error, failures, "downloading on");
            tokio::time::sleep(self.retry.pause(failures)).await;
        };
        let failed = |source| ClientError::File { path: path.to_owned(), source };
        tokio::fs::rename(&download.partial, path).await.map_err(failed)?;
        Ok(bytes)
    }

    /// Fetches what is missing; the length of the whole.
    async fn fetch(&self, download: &Download<'_>) -> Result<u64, ClientError> {
        let there = download.bytes_there().await;
        let url = self.path(&["raw", &download.id.to_string()]);
        let mut request = self.http.get(url.clone());
        if there > 0 {
            request = request.header(RANGE, format!("bytes={there}-"));
        }
        let response = match tokio::time::timeout(STANDSTILL, request.send()).await {
            Ok(response) => response.map_err(|error| ClientError::from_request(&error, self.url()))?,
            Err(_) => return Err(download.standstill()),
        };
        match response.status() {
            StatusCode::OK => {
                let total = response.content_length();
                download.receive(response, 0, total, self.url()).await
            }
            StatusCode::PARTIAL_CONTENT => {
                let total = content_range(&response, there)
                    .ok_or_else(|| bad_range(url.as_str(), "it does not begin where it should"))?;
                download.receive(response, there, Some(total), self.url()).await
            }
            // Nothing after the last byte there: either the file is whole already, or it is not of this item.
            StatusCode::RANGE_NOT_SATISFIABLE if whole_length(&response) == Some(there) => Ok(there),
            StatusCode::RANGE_NOT_SATISFIABLE => {
                download.start_over().await?;
                Err(ClientError::Timeout { what: "a fitting part of the file".to_owned(), after: STANDSTILL })
            }
            _ => Err(transport::refusal(response).await),
        }
    }
}

impl Download<'_> {
    async fn bytes_there(&self) -> u64 {
        tokio::fs::metadata(&self.partial).await.map_or(0, |metadata| metadata.len())
    }

    /// Appends an answer to the file, which has `there` bytes that count.
    async fn receive(
        &self,
        mut response: Response,
        there: u64,
        total: Option<u64>,
        url: &str,
    ) -> Result<u64, ClientError> {
        self.check_size(total.unwrap_or(there))?;
        let mut file = self.open(there).await?;
        let mut bytes_done = there;
        loop {
            let piece = match tokio::time::timeout(STANDSTILL, response.chunk()).await {
                Ok(Ok(Some(piece))) => piece,
                Ok(Ok(None)) => break,
                Ok(Err(error)) => {
                    file.flush().await.map_err(|source| self.failed(source))?;
                    return Err(ClientError::from_request(&error, url));
                }
                Err(_) => return Err(self.standstill()),
            };
            self.check_size(bytes_done + piece.len() as u64)?;
            file.write_all(&piece).await.map_err(|source| self.failed(source))?;
            bytes_done += piece.len() as u64;
            let bytes_total = total.unwrap_or(bytes_done);
            (self.listener)(Progress { stage: Stage::Receiving, bytes_done, bytes_total });
        }
        file.flush().await.map_err(|source| self.failed(source))?;
        file.sync_all().await.map_err(|source| self.failed(source))?;
        match total {
            Some(total) if total != bytes_done => Err(self.standstill()),
            _ => Ok(bytes_done),
        }
    }

    fn check_size(&self, bytes: u64) -> Result<(), ClientError> {
        let (id, bytes_max) = (*self.id, self.bytes_max);
        if bytes > bytes_max { Err(ClientError::TooLarge { id, bytes, bytes_max }) } else { Ok(()) }
    }

    async fn open(&self, there: u64) -> Result<File, ClientError> {
        let file = OpenOptions::new().create(true).append(true).open(&self.partial).await;
        let file = file.map_err(|source| self.failed(source))?;
        file.set_len(there).await.map_err(|source| self.failed(source))?;
        Ok(file)
    }

    async fn start_over(&self) -> Result<(), ClientError> {
        match tokio::fs::remove_file(&self.partial).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(self.failed(error)),
            _ => Ok(()),
        }
    }

    fn failed(&self, source: std::io::Error) -> ClientError {
        ClientError::File { path: self.partial.clone(), source }
    }

    fn standstill(&self) -> ClientError {
        ClientError::Timeout { what: format!("the rest of {}", self.id), after: STANDSTILL }
    }
}

fn bad_range(url: &str, reason: &str) -> ClientError {
    ClientError::BadAnswer { url: url.to_owned(), reason: reason.to_owned() }
}

/// The length of the whole, if the part begins at `start`: `bytes 5-9/10`.
fn content_range(response: &Response, start: u64) -> Option<u64> {
    let text = response.headers().get(CONTENT_RANGE)?.to_str().ok()?;
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, _) = range.split_once('-')?;
    if first.parse() == Ok(start) { total.parse().ok() } else { None }
}

/// The length of the whole in a refusal of a range: `bytes */10`.
fn whole_length(response: &Response) -> Option<u64> {
    response.headers().get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes */")?.parse().ok()
}
