//! Uploading a file to a node's gateway: read once to be signed, once to be sent, never held in memory.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ao::item::StreamSigner;
use ao::{Id, Tags, Wallet, sha256};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE};
use reqwest::{Body, StatusCode};
use serde::Deserialize;
use tokio::io::AsyncReadExt as _;
use tokio_util::io::ReaderStream;

use crate::client::random_anchor;
use crate::limits::{ANSWER_WAIT, FILE_PIECE_BYTES, UPLOAD_ANSWER_WAIT};
use crate::{Client, ClientError, transport};

/// What an upload or a download is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Reading the file to sign it.
    Signing,
    /// Sending it.
    Sending,
    /// Receiving it.
    Receiving,
}

/// How far an upload or a download is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What it is doing.
    pub stage: Stage,
    /// Bytes done in this stage.
    pub bytes_done: u64,
    /// Bytes of the whole file.
    pub bytes_total: u64,
}

/// Whom progress is told to.
pub(crate) type Listener = Arc<dyn Fn(Progress) + Send + Sync>;

/// A file that is signed and ready to be sent.
struct SignedFile {
    path: PathBuf,
    /// Everything of the item that comes before its data.
    header: Vec<u8>,
    id: Id,
    bytes: u64,
}

#[derive(Deserialize)]
struct Uploaded {
    id: Id,
}

impl Client {
    /// Uploads a file as the data of an item that the wallet signs; its data transaction id. The file may be larger than
    /// memory. An upload that breaks off is sent again from its beginning; it is the same item.
    pub async fn upload(
        &self,
        path: &Path,
        tags: Tags,
        on_progress: impl Fn(Progress) + Send + Sync + 'static,
    ) -> Result<Id, ClientError> {
        let listener: Listener = Arc::new(on_progress);
        let file = self.sign_file(path, tags, Arc::clone(&listener)).await?;
        let mut failures = 0;
        loop {
            let error = match self.send_file(&file, Arc::clone(&listener)).await {
                Ok(()) => return Ok(file.id),
                // The node stored it and the answer was lost, or it refused in the middle and stopped reading.
                Err(error) if error.is_passing() && self.has(&file.id).await.unwrap_or(false) => {
                    tracing::debug!(%error, "the node has the upload all the same");
                    return Ok(file.id);
                }
                Err(error) => error,
            };
            failures += 1;
            if !error.is_passing() || failures >= self.retry.attempts {
                return Err(error);
            }
            tracing::debug!(%error, failures, "uploading again");
            tokio::time::sleep(self.retry.pause(failures)).await;
        }
    }

    /// Whether the node's gateway has the data of an item.
    pub async fn has(&self, id: &Id) -> Result<bool, ClientError> {
        let url = self.path(&[&id.to_string()]);
        let request = self.http.head(url).timeout(ANSWER_WAIT);
        match transport::send(&request, self.url(), self.retry).await {
            Ok(_) => Ok(true),
            Err(ClientError::Refused { status: 404, .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn sign_file(&self, path: &Path, tags: Tags, listener: Listener) -> Result<SignedFile, ClientError> {
        let wallet = Arc::clone(self.wallet()?);
        let anchor = random_anchor()?;
        let path = path.to_owned();
        let work = move || sign_file(&wallet, path, anchor, tags, &listener);
        tokio::task::spawn_blocking(work)
            .await
            .unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()))
    }

    async fn send_file(&self, file: &SignedFile, listener: Listener) -> Result<(), ClientError> {
        let url = self.path(&["tx"]);
        let request = self
            .http
            .post(url.clone())
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(CONTENT_LENGTH, file.header.len() as u64 + file.bytes)
            .body(file_body(file, listener).await?);
        let wait = send_wait(file.bytes);
        let Ok(response) = tokio::time::timeout(wait, request.send()).await else {
            let what = format!("an answer of {} to the upload", self.url());
            return Err(ClientError::Timeout { what, after: wait });
        };
        let response = response.map_err(|error| ClientError::from_request(&error, self.url()))?;
        if response.status() != StatusCode::OK {
            return Err(transport::refusal(response).await);
        }
        let uploaded: Uploaded = transport::json(response, url.as_str()).await?;
        if uploaded.id == file.id {
            return Ok(());
        }
        let reason = format!("it names {} and not the item uploaded, {}", uploaded.id, file.id);
        Err(ClientError::BadAnswer { url: url.to_string(), reason })
    }
}

/// How long sending may take: slower than 64 KiB/s is a connection that is as good as dead.
fn send_wait(bytes: u64) -> std::time::Duration {
    UPLOAD_ANSWER_WAIT + std::time::Duration::from_secs(bytes / (64 * 1024))
}

/// Reads the file once and signs it.
fn sign_file(
    wallet: &Wallet,
    path: PathBuf,
    anchor: [u8; 32],
    tags: Tags,
    listener: &Listener,
) -> Result<SignedFile, ClientError> {
    let failed = |source| ClientError::File { path: path.clone(), source };
    let mut file = std::fs::File::open(&path).map_err(failed)?;
    let bytes_total = file.metadata().map_err(failed)?.len();
    let mut signer = StreamSigner::new(wallet, None, Some(anchor), tags, bytes_total)?;
    let mut piece = vec![0; FILE_PIECE_BYTES];
    let mut bytes_done = 0;
    loop {
        let length = file.read(&mut piece).map_err(failed)?;
        if length == 0 {
            break;
        }
        bytes_done += length as u64;
        if bytes_done > bytes_total {
            return Err(ClientError::FileChanged(path));
        }
        signer.update(&piece[..length]);
        listener(Progress { stage: Stage::Signing, bytes_done, bytes_total });
    }
    if bytes_done != bytes_total {
        return Err(ClientError::FileChanged(path));
    }
    let header = signer.finish()?;
    let id = id_of_header(&header)?;
    Ok(SignedFile { path, header, id, bytes: bytes_total })
}

/// The id of the item that begins with `header`.
fn id_of_header(header: &[u8]) -> Result<Id, ClientError> {
    match ao::item::ItemHeader::parse(header)? {
        Some(header) => Ok(header.id()),
        None => Ok(sha256(header)),
    }
}

/// The header and then the file, in pieces, telling how far it is.
async fn file_body(file: &SignedFile, listener: Listener) -> Result<Body, ClientError> {
    let failed = |source| ClientError::File { path: file.path.clone(), source };
    let opened = tokio::fs::File::open(&file.path).await.map_err(failed)?;
    let (bytes_total, mut bytes_done) = (file.bytes, 0);
    let pieces = ReaderStream::with_capacity(opened.take(bytes_total), FILE_PIECE_BYTES).inspect_ok(move |piece| {
        bytes_done += piece.len() as u64;
        listener(Progress { stage: Stage::Sending, bytes_done, bytes_total });
    });
    let header = stream::iter([Ok(file.header.clone().into())]);
    Ok(Body::wrap_stream(header.chain(pieces)))
}
