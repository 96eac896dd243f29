//! The hash chain of the log: each record commits to the assignment before it, so that history cannot be changed without
//! changing everything after it.

use ao::{Assignment, DataItem, HashChain, Id, ItemError, Wallet, hash_parts};

use super::{Log, Logged, Stream, StreamKind};
use crate::error::LogError;
use crate::limits;

/// The place of a record as AO writes it.
pub(crate) fn assignment(logged: &Logged) -> Assignment {
    Assignment {
        process: logged.stream.id,
        slot: logged.slot,
        message: logged.identity,
        timestamp_ms: logged.timestamp_ms,
        block_height: logged.block_height,
        hash_chain: logged.chain,
    }
}

/// The place of a record as an item signed by the scheduler. Ed25519 signatures are deterministic, so it is made again
/// whenever it is asked for and never stored.
pub(crate) fn assignment_item(logged: &Logged, scheduler: &Wallet) -> Result<DataItem, ItemError> {
    assignment(logged).to_item(scheduler)
}

/// The chain that the first record of a stream carries.
pub(super) fn seed(stream: &Stream) -> HashChain {
    HashChain::seed(&stream.id)
}

/// The chain that the record after this one carries. In the log of a process that is AO's rule, over the id of the signed
/// assignment. Other streams have no assignments in AO: theirs is a plain hash, which spares a signature for each.
pub(super) fn next_chain(logged: &Logged, scheduler: &Wallet) -> Result<HashChain, LogError> {
    let id = match logged.stream.kind {
        StreamKind::Process => assignment_item(logged, scheduler)
            .map_err(|error| LogError::Stopped(format!("the assignment could not be signed: {error}")))?
            .id(),
        StreamKind::Inbox | StreamKind::Clock => place(logged),
    };
    Ok(logged.chain.next(&id))
}

/// The hash of the place of a record in a stream that is no process.
fn place(logged: &Logged) -> Id {
    hash_parts(&[
        b"aobench record",
        &[logged.stream.kind.number()],
        logged.stream.id.as_bytes(),
        &logged.slot.to_le_bytes(),
        &logged.timestamp_ms.to_le_bytes(),
        logged.identity.as_bytes(),
    ])
}

/// Checks that records follow each other and, if `before` is given, follow it; the first of a stream follows its seed.
pub(crate) fn verify_records(before: Option<&Logged>, records: &[Logged], scheduler: &Wallet) -> Result<(), LogError> {
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
                if record.chain != next_chain(previous, scheduler)? {
                    return Err(damaged("its hash chain does not fit the record before it".to_owned()));
                }
            }
            None if record.slot == 0 && record.chain != seed(&record.stream) => {
                return Err(damaged("its hash chain does not begin with its stream".to_owned()));
            }
            None => {}
        }
        before = Some(record);
    }
    Ok(())
}

/// Checks a stream from a slot to its end; how many records it has seen.
pub(crate) fn verify_all(log: &dyn Log, stream: &Stream, from_slot: u64, scheduler: &Wallet) -> Result<u64, LogError> {
    let mut before: Option<Logged> = None;
    let mut seen = 0;
    loop {
        let next = before.as_ref().map_or(from_slot, |record| record.slot + 1);
        let mut records = log.read(stream, next, limits::PAGE_MAX)?;
        verify_records(before.as_ref(), &records, scheduler)?;
        seen += records.len() as u64;
        match records.pop() {
            Some(last) => before = Some(last),
            None => return Ok(seen),
        }
    }
}
