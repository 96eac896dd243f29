//! The chain of the log itself: each record commits to the one before it, so that history cannot be changed without
//! changing everything after it. AO's own hash chain, which needs a signature for each link, is in `ao_chain`.

use ao::{Id, hash_parts};

use super::{Log, Logged, Stream, schema};
use crate::error::LogError;
use crate::limits;

/// What the first record of a stream carries.
pub(super) fn first_link(stream: &Stream) -> Id {
    hash_parts(&[b"aobench stream", &[stream.kind.number()], stream.id.as_bytes()])
}

/// What the record after this one carries: a hash of this record's link, identity and checksum. The checksum stands for
/// place and content, the identity for the content as its sender signed it.
pub(super) fn next_link(logged: &Logged, crc32c: u32) -> Id {
    hash_parts(&[b"aobench record", logged.link.as_bytes(), logged.identity.as_bytes(), &crc32c.to_le_bytes()])
}

/// Checks that records follow each other and, if `before` is given, follow it; the first of a stream begins its chain.
pub(crate) fn verify_records(before: Option<&Logged>, records: &[Logged]) -> Result<(), LogError> {
    let mut before = before;
    for record in records {
        let damaged = |reason: String| LogError::Damaged { position: record.position, reason };
        match before {
            Some(previous) => {
                if record.slot != previous.slot + 1 {
                    return Err(damaged(format!("slot {} follows slot {}", record.slot, previous.slot)));
                }
                if record.timestamp_ms <= previous.timestamp_ms {
                    return Err(damaged("its time is not after that of the record before it".to_owned()));
                }
                if record.link != next_link(previous, schema::checksum(previous)) {
                    return Err(damaged("its hash chain does not fit the record before it".to_owned()));
                }
            }
            None if record.slot == 0 && record.link != first_link(&record.stream) => {
                return Err(damaged("its hash chain does not begin with its stream".to_owned()));
            }
            None => {}
        }
        before = Some(record);
    }
    Ok(())
}

/// Checks a stream from a slot to its end; how many records it has seen.
pub(crate) fn verify_all(log: &dyn Log, stream: &Stream, from_slot: u64) -> Result<u64, LogError> {
    let mut before: Option<Logged> = None;
    let mut seen = 0;
    loop {
        let next = before.as_ref().map_or(from_slot, |record| record.slot + 1);
        let mut records = log.read(stream, next, limits::PAGE_MAX)?;
        verify_records(before.as_ref(), &records)?;
        seen += records.len() as u64;
        match records.pop() {
            Some(last) => before = Some(last),
            None => return Ok(seen),
        }
    }
}
