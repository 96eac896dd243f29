//! The one thread that writes the log: it takes everything that is waiting, gives each append its slot, time and link, or
//! the slot that its identity has already, writes all of it in one transaction, and answers all senders once it is on the
//! disk. While it waits for the disk the next batch gathers (group commit).

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use ao::{Id, MessageKind};
use rusqlite::{CachedStatement, Connection};
use tokio::sync::mpsc::error::TryRecvError;
use tokio::sync::{mpsc, oneshot};

use super::identities::{Identities, Key};
use super::{Append, Logged, Placed, Receipt, Stream, StreamKind, reader, schema, verify};
use crate::clock::Clock;
use crate::error::LogError;
use crate::limits;

/// Streams whose ends are remembered.
const TAILS_KEPT: usize = 100_000;

/// Appends on their way to the writer.
pub(super) struct Submission {
    pub appends: Vec<Append>,
    pub reply: oneshot::Sender<Result<Placed, LogError>>,
}

/// Told of the new last slots of streams after each commit, before the senders are answered.
pub(crate) type Committed = Box<dyn Fn(&BTreeMap<Stream, u64>, usize) + Send>;

/// What the writer and its senders share.
#[derive(Default)]
pub(super) struct Shared {
    /// Appends that were submitted and not yet answered.
    pub pending: AtomicUsize,
    stopped: Mutex<Option<String>>,
    #[cfg(test)]
    pub fail_next_commit: std::sync::atomic::AtomicBool,
}

impl Shared {
    /// Why the log accepts nothing more.
    pub(super) fn stopped(&self) -> Option<String> {
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn stop(&self, error: &LogError) {
        tracing::error!(%error, "the log stopped");
        self.stopped.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(|| error.to_string());
    }
}

/// The end of a stream: what the next record in it carries.
struct Tail {
    number: i64,
    slot: u64,
    last_ms: u64,
    link: Id,
}

/// The writer of the log.
pub(super) struct Writer {
    connection: Connection,
    shared: Arc<Shared>,
    identities: Arc<Identities>,
    committed: Committed,
    places: Places,
}

/// Where the next records go.
struct Places {
    clock: Arc<Clock>,
    tails: HashMap<Stream, Tail>,
    next_stream: i64,
    next_position: i64,
}

/// The records of one transaction.
#[derive(Default)]
struct Written {
    heads: BTreeMap<Stream, u64>,
    identities: HashMap<Key, u64>,
    bytes: usize,
}

/// A submission that is written, and its answer.
struct Answer {
    placed: Placed,
    count: usize,
    reply: oneshot::Sender<Result<Placed, LogError>>,
}

impl Writer {
    pub(super) fn new(
        connection: Connection,
        shared: Arc<Shared>,
        identities: Arc<Identities>,
        clock: Arc<Clock>,
        committed: Committed,
    ) -> Result<Self, LogError> {
        let next = |sql| connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
        let next_stream = next("SELECT max(number) FROM streams")?.unwrap_or(0) + 1;
        let next_position = next("SELECT max(position) FROM records")?.unwrap_or(0) + 1;
        let places = Places { clock, tails: HashMap::new(), next_stream, next_position };
        Ok(Self { connection, shared, identities, committed, places })
    }

    /// Works until every sender is gone.
    pub(super) fn run(mut self, mut submissions: mpsc::Receiver<Submission>) {
        let mut last = LastCommit::default();
        while let Some(first) = submissions.blocking_recv() {
            if self.places.tails.len() > TAILS_KEPT {
                self.places.tails.clear();
            }
            let mut answers = Vec::new();
            let began = Instant::now();
            match self.write(first, &mut submissions, &last, &mut answers) {
                Ok(written) => {
                    last = LastCommit { took: began.elapsed(), answers: answers.len() };
                    let records = written.identities.len();
                    self.identities.add(written.identities);
                    (self.committed)(&written.heads, records);
                    for answer in answers {
                        self.answer(answer.count, answer.reply, Ok(answer.placed));
                    }
                    if self.identities.are_many()
                        && let Err(error) = self.identities.write(&mut self.connection)
                    {
                        self.shared.stop(&error);
                        break;
                    }
                }
                Err(error) => {
                    // What is on the disk now is unknown: nobody is told that it is there, and nothing follows it.
                    self.shared.stop(&error);
                    for answer in answers {
                        self.refuse(answer.count, answer.reply);
                    }
                    break;
                }
            }
        }
        // After a failure: those who wait, and those who come, hear of it until the log is dropped.
        while let Some(submission) = submissions.blocking_recv() {
            self.refuse(submission.appends.len(), submission.reply);
        }
    }

    /// Writes what is waiting in one transaction, which is on the disk when this returns.
    fn write(
        &mut self,
        first: Submission,
        submissions: &mut mpsc::Receiver<Submission>,
        last: &LastCommit,
        answers: &mut Vec<Answer>,
    ) -> Result<Written, LogError> {
        let mut written = Written::default();
        let transaction = self.connection.transaction()?;
        {
            let mut statements = Statements::prepare(&transaction)?;
            let mut next = Some(first);
            let began = Instant::now();
            while let Some(Submission { appends, reply }) = next.take() {
                let count = appends.len();
                // Known to those who must be answered before anything can fail.
                answers.push(Answer { placed: Vec::with_capacity(count), count, reply });
                for append in appends {
                    let placed = match self.places.place(append, &self.identities, &mut statements, &mut written) {
                        Err(error @ (LogError::NoSuchStream(_) | LogError::StreamExists(_))) => Err(error),
                        outcome => Ok(outcome?),
                    };
                    if let Some(answer) = answers.last_mut() {
                        answer.placed.push(placed);
                    }
                }
                if written.identities.len() < limits::LOG_BATCH_MAX && written.bytes < limits::LOG_BATCH_BYTES_MAX {
                    next = last.wait_for(submissions, answers.len(), began);
                }
            }
        }
        #[cfg(test)]
        if self.shared.fail_next_commit.swap(false, Ordering::AcqRel) {
            let full = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL);
            return Err(rusqlite::Error::SqliteFailure(full, None).into());
        }
        transaction.commit()?;
        Ok(written)
    }

    fn answer(&self, count: usize, reply: oneshot::Sender<Result<Placed, LogError>>, answer: Result<Placed, LogError>) {
        let _ = reply.send(answer);
        self.shared.pending.fetch_sub(count, Ordering::AcqRel);
    }

    fn refuse(&self, count: usize, reply: oneshot::Sender<Result<Placed, LogError>>) {
        let reason = self.shared.stopped().unwrap_or_default();
        self.answer(count, reply, Err(LogError::Stopped(reason)));
    }
}

/// How the last commit went: what the next one may wait for.
#[derive(Default)]
struct LastCommit {
    took: Duration,
    answers: usize,
}

impl LastCommit {
    /// The next submission for a transaction that has `answers` of them. Those who were answered last are likely to come
    /// again at once, and a short wait for them costs less than a commit that they have to wait out: a quarter of what a
    /// commit takes, and not for a lone writer.
    fn wait_for(
        &self,
        submissions: &mut mpsc::Receiver<Submission>,
        answers: usize,
        began: Instant,
    ) -> Option<Submission> {
        loop {
            match submissions.try_recv() {
                Ok(submission) => return Some(submission),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) if answers >= self.answers || began.elapsed() > self.took / 4 => return None,
                Err(TryRecvError::Empty) => std::thread::yield_now(),
            }
        }
    }
}

/// The statements of a transaction.
struct Statements<'a> {
    connection: &'a Connection,
    record: CachedStatement<'a>,
}

impl<'a> Statements<'a> {
    fn prepare(connection: &'a Connection) -> rusqlite::Result<Self> {
        let record = connection.prepare_cached(
            "INSERT INTO records (position, stream, slot, timestamp, height, kind, crc32c, link, message, body) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        Ok(Self { connection, record })
    }

    fn begin_stream(&self, number: i64, stream: &Stream) -> rusqlite::Result<()> {
        let mut begin = self.connection.prepare_cached("INSERT INTO streams (number, kind, id) VALUES (?1, ?2, ?3)")?;
        begin.execute((number, stream.kind.number(), stream.id.as_bytes())).map(|_| ())
    }

    fn write(&mut self, number: i64, logged: &Logged, crc32c: u32) -> rusqlite::Result<()> {
        let written = self.record.execute((
            logged.position,
            number,
            logged.slot as i64,
            logged.timestamp_ms as i64,
            logged.block_height as i64,
            schema::kind_number(logged.kind),
            crc32c,
            logged.link.as_bytes(),
            logged.identity.as_bytes(),
            &logged.body,
        ));
        written.map(|_| ())
    }
}

impl Places {
    /// Gives an append its place and writes it, or finds the place that its identity has.
    fn place(
        &mut self,
        append: Append,
        identities: &Identities,
        statements: &mut Statements<'_>,
        written: &mut Written,
    ) -> Result<Receipt, LogError> {
        let stream = append.stream;
        let is_spawn = stream.kind == StreamKind::Process && append.kind == MessageKind::Spawn;
        let begins = !self.load_tail(&stream, statements.connection)?;
        if begins {
            if stream.kind == StreamKind::Process && !is_spawn {
                return Err(LogError::NoSuchStream(stream.id));
            }
            statements.begin_stream(self.next_stream, &stream)?;
            let link = verify::first_link(&stream);
            self.tails.insert(stream, Tail { number: self.next_stream, slot: 0, last_ms: 0, link });
            self.next_stream += 1;
        }
        let Some(tail) = self.tails.get_mut(&stream) else { return Err(LogError::NoSuchStream(stream.id)) };
        let key = (tail.number, append.identity);
        let known = match written.identities.get(&key) {
            Some(slot) => Some(*slot),
            None => identities.slot_of(statements.connection, &key)?,
        };
        if let Some(slot) = known {
            return Ok(Receipt { slot, fresh: false });
        }
        if is_spawn && !begins {
            return Err(LogError::StreamExists(stream.id));
        }
        let timestamp_ms = self.clock.now_ms().max(tail.last_ms + 1);
        let logged = Logged {
            position: self.next_position,
            stream,
            slot: tail.slot,
            timestamp_ms,
            block_height: Clock::block_height_at(timestamp_ms),
            link: tail.link,
            identity: append.identity,
            kind: append.kind,
            body: append.body,
        };
        let crc32c = schema::checksum(&logged);
        statements.write(tail.number, &logged, crc32c)?;
        tail.link = verify::next_link(&logged, crc32c);
        tail.slot += 1;
        tail.last_ms = timestamp_ms;
        self.next_position += 1;
        written.heads.insert(stream, logged.slot);
        written.identities.insert(key, logged.slot);
        written.bytes += logged.body.len();
        Ok(Receipt { slot: logged.slot, fresh: true })
    }

    /// Makes sure that the end of a stream is remembered; whether there is such a stream.
    fn load_tail(&mut self, stream: &Stream, connection: &Connection) -> Result<bool, LogError> {
        let Entry::Vacant(vacant) = self.tails.entry(*stream) else { return Ok(true) };
        let Some(number) = reader::number(connection, stream)? else { return Ok(false) };
        let Some(last) = reader::last(connection, stream, number)? else { return Ok(false) };
        let link = verify::next_link(&last, schema::checksum(&last));
        vacant.insert(Tail { number, slot: last.slot + 1, last_ms: last.timestamp_ms, link });
        Ok(true)
    }
}
