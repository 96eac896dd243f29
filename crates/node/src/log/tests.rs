//! The log under its promises: one slot for an identity, nothing acknowledged that is not on disk, damage refused.

use std::sync::Arc;

use ao::{Assignment, HashChain, Id, MessageKind, Tags, Wallet, WalletKind, sha256};
use tempfile::TempDir;

use super::{AoChain, Append, Body, Log, LogSettings, Logged, Pushed, SqliteLog, Stream, verify_all};
use crate::clock::Clock;
use crate::config::ClockConfig;
use crate::error::LogError;

struct Place {
    log: SqliteLog,
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { log: open(&folder), folder }
    }

    fn place(&self, appends: Vec<Append>) -> Result<Vec<Result<super::Receipt, LogError>>, LogError> {
        self.log.append(appends)?.blocking_recv().unwrap()
    }

    fn slot(&self, append: Append) -> (u64, bool) {
        let receipt = self.place(vec![append]).unwrap().remove(0).unwrap();
        (receipt.slot, receipt.fresh)
    }
}

fn open(folder: &TempDir) -> SqliteLog {
    let settings = LogSettings {
        path: folder.path().join("log.sqlite"),
        clock: Arc::new(Clock::new(ClockConfig::Paused(1_000), 0)),
        committed: Box::new(|_, _| ()),
    };
    SqliteLog::open(settings).unwrap()
}

fn append(stream: Stream, number: u64, kind: MessageKind) -> Append {
    let identity = sha256(&number.to_le_bytes());
    let body = Body::Pushed(Pushed {
        from: Id::new([1; 32]),
        slot: number,
        index: 0,
        pushed_for: identity,
        hops: 0,
        anchor: String::new(),
        tags: Tags::new().with("Action", "Test"),
        data: Vec::new(),
    });
    Append { stream, identity, kind, body: body.encode() }
}

const PROCESS: Stream = Stream::process(Id::new([7; 32]));

#[test]
fn an_identity_has_one_slot_in_a_stream_for_ever() {
    let place = Place::new();
    assert_eq!(place.slot(append(PROCESS, 0, MessageKind::Spawn)), (0, true));
    assert_eq!(place.slot(append(PROCESS, 1, MessageKind::Pushed)), (1, true));
    assert_eq!(place.slot(append(PROCESS, 1, MessageKind::Pushed)), (1, false));
    // Twice in one submission, and in another stream.
    let both =
        place.place(vec![append(PROCESS, 2, MessageKind::Pushed), append(PROCESS, 2, MessageKind::Pushed)]).unwrap();
    let slots: Vec<(u64, bool)> = both.into_iter().map(|receipt| receipt.map(|r| (r.slot, r.fresh)).unwrap()).collect();
    assert_eq!(slots, [(2, true), (2, false)]);
    assert_eq!(place.slot(append(Stream::inbox(Id::new([7; 32])), 2, MessageKind::Pushed)), (0, true));
    let Place { log, folder } = place;
    drop(log);
    let again = Place { log: open(&folder), folder };
    assert_eq!(again.slot(append(PROCESS, 1, MessageKind::Pushed)), (1, false));
    assert_eq!(again.slot(append(PROCESS, 3, MessageKind::Pushed)), (3, true));
    assert_eq!(verify_all(&again.log, &PROCESS, 0).unwrap(), 4);
}

#[test]
fn a_process_begins_with_its_spawn_and_only_once() {
    let place = Place::new();
    let early = place.place(vec![append(PROCESS, 1, MessageKind::Pushed)]).unwrap().remove(0);
    assert!(matches!(early, Err(LogError::NoSuchStream(_))), "{early:?}");
    place.slot(append(PROCESS, 0, MessageKind::Spawn));
    let twice = place.place(vec![append(PROCESS, 9, MessageKind::Spawn)]).unwrap().remove(0);
    assert!(matches!(twice, Err(LogError::StreamExists(_))), "{twice:?}");
}

#[test]
fn times_increase_although_the_clock_stands() {
    let place = Place::new();
    for number in 0..4 {
        place.slot(append(PROCESS, number, if number == 0 { MessageKind::Spawn } else { MessageKind::Pushed }));
    }
    let times: Vec<u64> = place.log.read(&PROCESS, 0, 10).unwrap().iter().map(|record| record.timestamp_ms).collect();
    assert_eq!(times, [1_000, 1_001, 1_002, 1_003]);
}

#[test]
fn nothing_is_acknowledged_after_a_commit_failed() {
    let place = Place::new();
    place.slot(append(PROCESS, 0, MessageKind::Spawn));
    place.log.fail_next_commit();
    let failed = place.place(vec![append(PROCESS, 1, MessageKind::Pushed)]);
    assert!(matches!(failed, Err(LogError::Stopped(_))), "{failed:?}");
    let after = place.place(vec![append(PROCESS, 2, MessageKind::Pushed)]);
    assert!(matches!(after, Err(LogError::Stopped(_))), "{after:?}");
    assert!(place.log.stopped().is_some());
    assert_eq!(place.log.head(&PROCESS).unwrap(), Some(0), "readers go on");
    let Place { log, folder } = place;
    drop(log);
    let again = Place { log: open(&folder), folder };
    assert_eq!(again.slot(append(PROCESS, 1, MessageKind::Pushed)), (1, true));
}

#[test]
fn many_senders_at_once_get_slots_without_gaps() {
    let place = Place::new();
    place.slot(append(PROCESS, 0, MessageKind::Spawn));
    let mut slots: Vec<u64> = std::thread::scope(|scope| {
        let place = &place;
        let senders: Vec<_> = (1..=8_u64)
            .map(|sender| {
                scope.spawn(move || {
                    let number = |n: u64| sender * 1_000 + n;
                    (0..50).map(|n| place.slot(append(PROCESS, number(n), MessageKind::Pushed)).0).collect::<Vec<u64>>()
                })
            })
            .collect();
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    slots.sort_unstable();
    assert_eq!(slots, (1..=400).collect::<Vec<u64>>());
    assert_eq!(verify_all(&place.log, &PROCESS, 0).unwrap(), 401);
}

#[test]
fn any_byte_of_a_record_that_changes_is_found() {
    let place = Place::new();
    for number in 0..3 {
        place.slot(append(PROCESS, number, if number == 0 { MessageKind::Spawn } else { MessageKind::Pushed }));
    }
    let path = place.folder.path().join("log.sqlite");
    for change in [
        "UPDATE records SET slot = slot + 10 WHERE slot = 2",
        "UPDATE records SET timestamp = timestamp + 1 WHERE slot = 1",
        "UPDATE records SET height = height + 1 WHERE slot = 1",
        "UPDATE records SET kind = 1 WHERE slot = 1",
        "UPDATE records SET link = zeroblob(32) WHERE slot = 1",
        "UPDATE records SET message = zeroblob(32) WHERE slot = 1",
        "UPDATE records SET body = CAST(x'00' || substr(body, 2) AS BLOB) WHERE slot = 1",
        "UPDATE records SET body = substr(body, 1, length(body) - 1) WHERE slot = 1",
    ] {
        let copy = tempfile::tempdir().unwrap();
        rusqlite::Connection::open(&path)
            .unwrap()
            .execute("VACUUM INTO ?", [copy.path().join("log.sqlite").to_str()])
            .unwrap();
        let connection = rusqlite::Connection::open(copy.path().join("log.sqlite")).unwrap();
        connection.execute(change, ()).unwrap();
        drop(connection);
        let log = open(&copy);
        let outcome = verify_all(&log, &PROCESS, 0);
        assert!(matches!(outcome, Err(LogError::Damaged { .. })), "{change}: {outcome:?}");
    }
}

/// What AO's rule says of a log, made in the plainest way: from the seed, one signed assignment after the other.
fn chain_by_hand(records: &[Logged], scheduler: &Wallet) -> Vec<Id> {
    let mut chain = HashChain::seed(&PROCESS.id);
    let by_hand = |record: &Logged| {
        let assignment = Assignment {
            process: PROCESS.id,
            slot: record.slot,
            message: record.identity,
            timestamp_ms: record.timestamp_ms,
            block_height: record.block_height,
            hash_chain: chain,
        };
        let id = assignment.to_item(scheduler).unwrap().id();
        chain = chain.next(&id);
        id
    };
    records.iter().map(by_hand).collect()
}

#[test]
fn the_chain_of_ao_is_the_same_from_any_slot_and_after_its_file_is_gone_or_stale() {
    let place = Place::new();
    for number in 0..200 {
        place.slot(append(PROCESS, number, if number == 0 { MessageKind::Spawn } else { MessageKind::Pushed }));
    }
    let log: Arc<dyn Log> = Arc::new(place.log);
    let scheduler = Wallet::generate(WalletKind::Ed25519).unwrap();
    let records = log.read(&PROCESS, 0, 200).unwrap();
    let expected = chain_by_hand(&records, &scheduler);
    let path = place.folder.path().join("ao-chain.sqlite");
    let open = || AoChain::open(&path, Arc::clone(&log), scheduler.clone()).unwrap();
    let ids = |chain: &AoChain, from: usize, to: usize| -> Vec<Id> {
        chain.assignments(&records[from..to]).unwrap().iter().map(|(_, item)| item.id()).collect()
    };
    let chain = open();
    for (from, to) in [(150, 200), (0, 1), (63, 66), (199, 200), (64, 64), (128, 129), (0, 200)] {
        assert_eq!(ids(&chain, from, to), expected[from..to], "slots {from} to {to}");
    }
    drop(chain);
    // What was kept is used after a restart, and not if it is of another log.
    let kept = rusqlite::Connection::open(&path).unwrap();
    assert_eq!(kept.query_row("SELECT count(*) FROM links", (), |row| row.get::<_, i64>(0)).unwrap(), 3);
    kept.execute("UPDATE links SET chain = zeroblob(32) WHERE slot = 64", ()).unwrap();
    assert_ne!(ids(&open(), 64, 66), expected[64..66], "a kept link is taken as it is");
    kept.execute("UPDATE links SET record = zeroblob(32)", ()).unwrap();
    assert_eq!(ids(&open(), 190, 200), expected[190..200]);
    drop(kept);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(ids(&open(), 70, 140), expected[70..140]);
}

#[test]
fn an_identity_is_found_in_memory_in_its_table_and_after_a_restart() {
    let place = Place::new();
    place.slot(append(PROCESS, 0, MessageKind::Spawn));
    let many = |from: u64, to: u64| (from..to).map(|number| append(PROCESS, number, MessageKind::Pushed)).collect();
    let all: Vec<_> = place.place(many(1, 20_000)).unwrap();
    assert!(all.iter().all(|receipt| receipt.as_ref().is_ok_and(|receipt| receipt.fresh)));
    place.place(many(20_000, 20_100)).unwrap();
    let path = place.folder.path().join("log.sqlite");
    let in_table = || -> u64 {
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.query_row("SELECT count(*) FROM identities", (), |row| row.get(0)).unwrap()
    };
    assert_eq!(in_table(), 20_000, "many at a time, and the last few not yet");
    let numbers = [1, 19_999, 20_000, 20_099];
    for number in numbers {
        assert_eq!(place.slot(append(PROCESS, number, MessageKind::Pushed)), (number, false));
        assert_eq!(place.log.slot_of(&PROCESS, &sha256(&number.to_le_bytes())).unwrap(), Some(number));
    }
    let Place { log, folder } = place;
    drop(log);
    let again = Place { log: open(&folder), folder };
    for number in numbers {
        assert_eq!(again.slot(append(PROCESS, number, MessageKind::Pushed)), (number, false));
    }
    assert_eq!(again.slot(append(PROCESS, 20_100, MessageKind::Pushed)), (20_100, true));
    assert_eq!(verify_all(&again.log, &PROCESS, 0).unwrap(), 20_101);
}
