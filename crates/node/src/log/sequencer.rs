//! The first stage of the log's writer: gives each append its slot, time and place in the hash chain, or the slot that its
//! identity has already. It signs the batch to come while the stage behind it waits for the disk.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use ao::{HashChain, MessageKind, Wallet};
use rusqlite::Connection;
use tokio::sync::mpsc;

use super::sqlite::Submission;
use super::writer::{Answer, Prepared, Shared};
use super::{Append, Logged, Placed, Receipt, Stream, StreamKind, reader, schema, verify};
use crate::clock::Clock;
use crate::error::LogError;

/// Streams whose ends are remembered.
const TAILS_KEPT: usize = 100_000;

/// The end of a stream: what the next record in it carries.
struct Tail {
    number: i64,
    slot: u64,
    last_ms: u64,
    chain: HashChain,
}

/// The first stage of the writer.
pub(super) struct Sequencer {
    connection: Connection,
    shared: Arc<Shared>,
    scheduler: Wallet,
    clock: Arc<Clock>,
    tails: HashMap<Stream, Tail>,
    next_stream: i64,
    next_position: i64,
}

impl Sequencer {
    pub(super) fn new(
        connection: Connection,
        shared: Arc<Shared>,
        scheduler: Wallet,
        clock: Arc<Clock>,
    ) -> Result<Self, LogError> {
        let next = |sql| connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
        let next_stream = next("SELECT max(number) FROM streams")?.unwrap_or(0) + 1;
        let next_position = next("SELECT max(position) FROM records")?.unwrap_or(0) + 1;
        Ok(Self { connection, shared, scheduler, clock, tails: HashMap::new(), next_stream, next_position })
    }

    /// Works until every sender is gone.
    pub(super) fn run(mut self, mut submissions: mpsc::Receiver<Submission>) {
        while let Some(submission) = submissions.blocking_recv() {
            let waiting = submissions.len();
            if self.tails.len() > TAILS_KEPT {
                self.shared.wait_until_written();
                self.tails.clear();
            }
            let count = submission.appends.len();
            match self.sequence(submission.appends) {
                Ok((prepared, placed)) => {
                    self.shared.push(prepared, Answer { placed, count, reply: submission.reply }, waiting);
                }
                Err(error) => {
                    self.shared.stop(&error);
                    self.shared.refuse(Answer { placed: Vec::new(), count, reply: submission.reply });
                }
            }
        }
        self.shared.close();
    }

    /// Gives each append its place.
    fn sequence(&mut self, appends: Vec<Append>) -> Result<(Vec<Prepared>, Placed), LogError> {
        let mut prepared = Vec::with_capacity(appends.len());
        let mut placed = Vec::with_capacity(appends.len());
        for append in appends {
            match self.place(append, &mut prepared) {
                Err(error @ (LogError::NoSuchStream(_) | LogError::StreamExists(_))) => placed.push(Err(error)),
                outcome => placed.push(Ok(outcome?)),
            }
        }
        Ok((prepared, placed))
    }

    fn place(&mut self, append: Append, prepared: &mut Vec<Prepared>) -> Result<Receipt, LogError> {
        let stream = append.stream;
        let begins = self.load_tail(&stream)?;
        let known = match (begins, self.shared.in_flight(&stream, &append.identity)) {
            (_, Some(slot)) => Some(slot),
            (false, None) => {
                let number = self.tails.get(&stream).map_or(0, |tail| tail.number);
                reader::slot_of(&self.connection, number, &append.identity)?
            }
            (true, None) => None,
        };
        if let Some(slot) = known {
            return Ok(Receipt { slot, fresh: false });
        }
        if stream.kind == StreamKind::Process && begins != (append.kind == MessageKind::Spawn) {
            return Err(if begins { LogError::NoSuchStream(stream.id) } else { LogError::StreamExists(stream.id) });
        }
        let slot = self.write_down(append, begins, prepared)?;
        Ok(Receipt { slot, fresh: true })
    }

    /// Makes sure that the end of a stream is remembered; whether the stream has yet to begin.
    fn load_tail(&mut self, stream: &Stream) -> Result<bool, LogError> {
        let Entry::Vacant(vacant) = self.tails.entry(*stream) else { return Ok(false) };
        let Some(number) = reader::number(&self.connection, stream)? else { return Ok(true) };
        let Some(last) = reader::last(&self.connection, stream, number)? else { return Ok(true) };
        let chain = verify::next_chain(&last, &self.scheduler)?;
        vacant.insert(Tail { number, slot: last.slot + 1, last_ms: last.timestamp_ms, chain });
        Ok(false)
    }

    /// Prepares the record of an append that is new; its slot.
    fn write_down(&mut self, append: Append, begins: bool, prepared: &mut Vec<Prepared>) -> Result<u64, LogError> {
        let next_stream = &mut self.next_stream;
        let tail = self.tails.entry(append.stream).or_insert_with(|| {
            *next_stream += 1;
            Tail { number: *next_stream - 1, slot: 0, last_ms: 0, chain: verify::seed(&append.stream) }
        });
        let timestamp_ms = self.clock.now_ms().max(tail.last_ms + 1);
        let logged = Logged {
            position: self.next_position,
            stream: append.stream,
            slot: tail.slot,
            timestamp_ms,
            block_height: Clock::block_height_at(timestamp_ms),
            chain: tail.chain,
            identity: append.identity,
            kind: append.kind,
            body: append.body,
        };
        tail.chain = verify::next_chain(&logged, &self.scheduler)?;
        tail.slot += 1;
        tail.last_ms = timestamp_ms;
        self.next_position += 1;
        self.shared.set_in_flight(&logged.stream, &logged.identity, logged.slot);
        let slot = logged.slot;
        let crc32c = schema::checksum(&logged);
        prepared.push(Prepared { logged, number: tail.number, begins, crc32c });
        Ok(slot)
    }
}
