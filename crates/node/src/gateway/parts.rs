//! Uploads in parts, as Turbo's clients send large items: parts come in any order into a file, which then goes the way of
//! every upload. Nothing of it is kept over a restart: it was not acknowledged.

use std::collections::BTreeMap;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ao::Id;
use tempfile::NamedTempFile;
use tokio_util::io::ReaderStream;

use super::{Gateway, GatewayError, RECEIVING_PREFIX, Stored};

/// Uploads in parts at one time, finished ones that may still be asked for counted.
const OPEN_MAX: usize = 64;

/// After so long without a part, or without a question, an upload in parts is forgotten when another one needs its place.
const IDLE_MAX: Duration = Duration::from_mins(10);

/// How far beyond what has come a part may lie: clients send a few parts at a time. Room is set aside up to the end of
/// the last part, and one byte far out must not take it from everybody.
const AHEAD_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// Bytes of the file that are read at a time.
const PIECE_BYTES: usize = 128 * 1024;

/// The uploads in parts.
#[derive(Debug, Default)]
pub(super) struct PartUploads {
    open: Mutex<BTreeMap<Id, PartUpload>>,
}

#[derive(Debug)]
struct PartUpload {
    state: State,
    touched: Instant,
}

#[derive(Debug)]
enum State {
    /// Parts come: how many bytes did, and how many are set aside for it.
    Open { file: NamedTempFile, received: u64, length: u64 },
    /// It is being verified.
    Verifying,
    /// It is an upload.
    Finished(Box<Stored>),
}

/// How far an upload in parts is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PartStatus {
    /// Parts may come.
    Open,
    /// It is an upload.
    Finished(Box<Stored>),
}

impl PartUploads {
    fn open(&self) -> MutexGuard<'_, BTreeMap<Id, PartUpload>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Gateway {
    /// Begins an upload in parts: its id, which only its sender knows.
    pub(crate) fn begin_parts(&self) -> Result<Id, GatewayError> {
        let failed = |source| GatewayError::disk("beginning an upload", source);
        let mut id = [0; 32];
        getrandom::fill(&mut id).map_err(|error| failed(std::io::Error::other(error.to_string())))?;
        let file = tempfile::Builder::new().prefix(RECEIVING_PREFIX).tempfile_in(&self.files).map_err(failed)?;
        self.forget_idle_parts();
        let mut open = self.parts.open();
        if open.len() >= OPEN_MAX {
            return Err(GatewayError::TooManyParts);
        }
        let upload = PartUpload { state: State::Open { file, received: 0, length: 0 }, touched: Instant::now() };
        open.insert(Id::new(id), upload);
        Ok(Id::new(id))
    }

    /// Forgets the uploads in parts for which nothing came for long, and gives back what was set aside for them.
    pub(super) fn forget_idle_parts(&self) {
        self.parts.open().retain(|_, upload| {
            let is_kept = upload.touched.elapsed() < IDLE_MAX || matches!(upload.state, State::Verifying);
            if !is_kept && let State::Open { length, .. } = &upload.state {
                self.bytes.fetch_sub(*length, Ordering::AcqRel);
            }
            is_kept
        });
    }

    /// Writes a part where it belongs. Room is set aside up to its end.
    pub(crate) fn put_part(&self, id: &Id, offset: u64, bytes: &[u8]) -> Result<(), GatewayError> {
        let failed = |source| GatewayError::disk("writing an upload", source);
        let mut open = self.parts.open();
        let upload = open.get_mut(id).ok_or(GatewayError::UnknownParts)?;
        let State::Open { file, received, length } = &mut upload.state else {
            return Err(GatewayError::UnknownParts);
        };
        upload.touched = Instant::now();
        let end = offset.saturating_add(bytes.len() as u64);
        if end > self.limits.item_bytes_max {
            return Err(GatewayError::TooLarge { bytes: end, bytes_max: self.limits.item_bytes_max });
        }
        if offset > received.saturating_add(AHEAD_BYTES_MAX) {
            return Err(GatewayError::PartAhead { offset, received: *received, ahead_max: AHEAD_BYTES_MAX });
        }
        *received = received.saturating_add(bytes.len() as u64);
        if end > *length {
            self.reserve(end - *length)?.keep();
            *length = end;
        }
        file.as_file_mut().seek(SeekFrom::Start(offset)).map_err(failed)?;
        file.as_file_mut().write_all(bytes).map_err(failed)
    }

    /// Makes an upload of the parts, also if nobody waits for that any more. One that is no item with a good signature is
    /// gone with all its parts.
    pub(crate) async fn finish_parts(self: &Arc<Self>, id: Id, received_ms: u64) -> Result<Stored, GatewayError> {
        let gateway = Arc::clone(self);
        let finishing = tokio::spawn(async move { gateway.finish(&id, received_ms).await });
        finishing.await.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()))
    }

    async fn finish(self: &Arc<Self>, id: &Id, received_ms: u64) -> Result<Stored, GatewayError> {
        let (file, length) = match self.part_for_finishing(id)? {
            Ok(open) => open,
            Err(stored) => return Ok(*stored),
        };
        self.bytes.fetch_sub(length, Ordering::AcqRel);
        let received = async {
            let reading = tokio::fs::File::open(file.path()).await;
            let reading = reading.map_err(|source| GatewayError::disk("reading an upload", source))?;
            let pieces = ReaderStream::with_capacity(reading, PIECE_BYTES);
            self.receive(pieces, length, received_ms).await
        };
        let received = received.await;
        let mut open = self.parts.open();
        match received {
            Ok(upload) => {
                let state = State::Finished(Box::new(upload.stored.clone()));
                open.insert(*id, PartUpload { state, touched: Instant::now() });
                Ok(upload.stored)
            }
            Err(error) => {
                open.remove(id);
                Err(error)
            }
        }
    }

    /// The file of an upload in parts that nobody finishes yet; or what it is already.
    fn part_for_finishing(&self, id: &Id) -> Result<Result<(NamedTempFile, u64), Box<Stored>>, GatewayError> {
        let mut open = self.parts.open();
        let upload = open.get_mut(id).ok_or(GatewayError::UnknownParts)?;
        match std::mem::replace(&mut upload.state, State::Verifying) {
            State::Open { file, length, .. } => Ok(Ok((file, length))),
            State::Verifying => Err(GatewayError::UnknownParts),
            State::Finished(stored) => {
                upload.state = State::Finished(stored.clone());
                Ok(Err(stored))
            }
        }
    }

    /// How far an upload in parts is.
    pub(crate) fn part_status(&self, id: &Id) -> Result<PartStatus, GatewayError> {
        let mut open = self.parts.open();
        let upload = open.get_mut(id).ok_or(GatewayError::UnknownParts)?;
        upload.touched = Instant::now();
        Ok(match &upload.state {
            State::Open { .. } | State::Verifying => PartStatus::Open,
            State::Finished(stored) => PartStatus::Finished(stored.clone()),
        })
    }
}
