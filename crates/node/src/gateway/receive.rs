//! Taking an upload: pieces come from the network, a thread for blocking work hashes and writes them, and the file gets
//! its name when the last byte is there and the signature holds. Memory holds a few pieces, whatever the size.

use std::io::Write as _;
use std::sync::Arc;

use ao::item::{ItemHeader, StreamVerifier};
use futures_util::{Stream, StreamExt as _};
use tempfile::NamedTempFile;
use tokio::sync::mpsc;

use super::index::IndexRow;
use super::unpack::{is_bundle, unpack};
use super::{Gateway, GatewayError, RECEIVING_PREFIX, Reservation, Stored};

/// Pieces that wait between the network and the disk. A slow disk slows the sender down instead of filling memory.
pub(super) const PIECES_WAITING_MAX: usize = 4;

/// An upload that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upload {
    /// The item.
    pub stored: Stored,
    /// False if the gateway had it already.
    pub fresh: bool,
}

impl Gateway {
    /// Receives an item of `stated` bytes from `pieces`. When this returns it is on disk and its signature was verified.
    /// An item that is here already is not written again.
    pub(crate) async fn receive<P, E>(
        self: &Arc<Self>,
        mut pieces: impl Stream<Item = Result<P, E>> + Unpin,
        stated: u64,
        received_ms: u64,
    ) -> Result<Upload, GatewayError>
    where
        P: AsRef<[u8]> + Send + 'static,
        E: std::fmt::Display,
    {
        let (sender, receiver) = mpsc::channel(PIECES_WAITING_MAX);
        let gateway = Arc::clone(self);
        let writer = tokio::task::spawn_blocking(move || gateway.write(receiver, stated, received_ms));
        let mut broken = None;
        while let Some(piece) = pieces.next().await {
            match piece {
                Ok(piece) => {
                    // A writer that is gone has the item already, or a reason to refuse it.
                    if sender.send(piece).await.is_err() {
                        break;
                    }
                }
                Err(error) => {
                    broken = Some(GatewayError::Broken(error.to_string()));
                    break;
                }
            }
        }
        drop(sender);
        let written = writer.await.unwrap_or_else(|failure| std::panic::resume_unwind(failure.into_panic()));
        match (written, broken) {
            (Err(GatewayError::Truncated { .. }), Some(reason)) => Err(reason),
            (written, _) => written,
        }
    }

    /// The blocking half of [`Gateway::receive`]. The pieces end when the sender is dropped, for whatever reason; only
    /// the stated length makes an upload whole.
    fn write<P: AsRef<[u8]>>(
        &self,
        mut pieces: mpsc::Receiver<P>,
        stated: u64,
        received_ms: u64,
    ) -> Result<Upload, GatewayError> {
        self.forget_idle_parts();
        self.check_room(stated)?;
        let mut reservation = self.reserve(0)?;
        let (header, begin) = read_header(&mut pieces, stated)?;
        let row = IndexRow::of(&header, stated.saturating_sub(header.data_offset() as u64));
        if let Some(stored) = self.find(&header.id())? {
            return Ok(Upload { stored, fresh: false });
        }
        let is_a_bundle = is_bundle(&header);
        let file = self.write_verified(&mut pieces, header, &begin, (stated, &mut reservation))?;
        let within = if is_a_bundle { unpack(&mut reopened(&file)?, &row)? } else { Vec::new() };
        let path = self.path(&row.id);
        file.persist(&path).map_err(|error| GatewayError::disk("naming an upload", error.error))?;
        self.flush_directory()?;
        let fresh = self.index.insert(&row, &within, received_ms)?;
        if fresh {
            reservation.keep();
        }
        Ok(Upload { stored: row.at(path), fresh })
    }

    /// Writes all pieces to a temporary file, on disk when this returns, and verifies the signature on the way. A file
    /// that is refused is removed when it is dropped.
    fn write_verified<P: AsRef<[u8]>>(
        &self,
        pieces: &mut mpsc::Receiver<P>,
        header: ItemHeader,
        begin: &[u8],
        (stated, reservation): (u64, &mut Reservation<'_>),
    ) -> Result<NamedTempFile, GatewayError> {
        let failed = |source| GatewayError::disk("writing an upload", source);
        let offset = header.data_offset();
        let mut verifier = StreamVerifier::new(header, stated.saturating_sub(offset as u64));
        let file = tempfile::Builder::new().prefix(RECEIVING_PREFIX).tempfile_in(&self.files).map_err(failed)?;
        file.as_file().write_all(begin).map_err(failed)?;
        verifier.update(&begin[offset..]);
        let mut received = begin.len() as u64;
        reservation.cover(received, stated)?;
        while let Some(piece) = pieces.blocking_recv() {
            let piece = piece.as_ref();
            received += piece.len() as u64;
            if received > stated {
                return Err(GatewayError::Longer { stated });
            }
            reservation.cover(received, stated)?;
            file.as_file().write_all(piece).map_err(failed)?;
            verifier.update(piece);
        }
        if received < stated {
            return Err(GatewayError::Truncated { received, stated });
        }
        verifier.finish()?;
        file.as_file().sync_all().map_err(failed)?;
        Ok(file)
    }

    /// Puts the names in the directory on disk: without it a file that was flushed may still be lost with its name.
    fn flush_directory(&self) -> Result<(), GatewayError> {
        let failed = |source| GatewayError::disk("flushing its directory", source);
        std::fs::File::open(&self.files).and_then(|directory| directory.sync_all()).map_err(failed)
    }
}

/// The file to be read from its beginning.
fn reopened(file: &NamedTempFile) -> Result<std::fs::File, GatewayError> {
    file.reopen().map_err(|source| GatewayError::disk("reading an upload", source))
}

/// Takes pieces until the header is whole; the header, and all bytes taken so far.
fn read_header<P: AsRef<[u8]>>(
    pieces: &mut mpsc::Receiver<P>,
    stated: u64,
) -> Result<(ItemHeader, Vec<u8>), GatewayError> {
    let mut begin = Vec::new();
    loop {
        let Some(piece) = pieces.blocking_recv() else {
            return Err(GatewayError::Truncated { received: begin.len() as u64, stated });
        };
        begin.extend_from_slice(piece.as_ref());
        if begin.len() as u64 > stated {
            return Err(GatewayError::Longer { stated });
        }
        if let Some(header) = ItemHeader::parse(&begin)? {
            return Ok((header, begin));
        }
        if begin.len() > ao::limits::HEADER_BYTES_MAX {
            return Err(GatewayError::Truncated { received: begin.len() as u64, stated });
        }
    }
}
