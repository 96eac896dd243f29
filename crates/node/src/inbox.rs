//! What lies at an address: the messages that processes sent to a wallet.

use std::sync::Arc;
use std::time::Duration;

use ao::Id;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::core::InboxPage;
use crate::error::{LogError, ReadError};
use crate::limits;
use crate::log::{Body, Log, Stream};

/// Reads a page of an inbox.
pub(crate) fn read(log: &dyn Log, address: &Id, from: u64, limit: usize) -> Result<InboxPage, ReadError> {
    let stream = Stream::inbox(*address);
    let records = log.read(&stream, from, limit.clamp(1, limits::PAGE_MAX))?;
    let end = log.head(&stream)?.map_or(0, |head| head + 1);
    let mut page = InboxPage { messages: Vec::with_capacity(records.len()), next: from, end };
    for record in records {
        let damaged = |reason: String| LogError::Damaged { position: record.position, reason };
        let message = Body::decode(&record.body).and_then(|body| body.into_message(&record)).map_err(damaged)?;
        page.next = record.slot + 1;
        page.messages.push(message);
    }
    Ok(page)
}

/// Reads a page of an inbox; an empty one is waited for. `commits` changes with every commit of the log.
pub(crate) async fn read_or_wait(
    log: Arc<dyn Log>,
    address: Id,
    from: u64,
    limit: usize,
    wait: Duration,
    mut commits: watch::Receiver<u64>,
) -> Result<InboxPage, ReadError> {
    let end = Instant::now() + wait;
    loop {
        commits.mark_unchanged();
        let reader = Arc::clone(&log);
        let page = tokio::task::spawn_blocking(move || read(&*reader, &address, from, limit)).await;
        let page = page.map_err(|_| LogError::Stopped("reading it failed".to_owned()))??;
        if !page.messages.is_empty() || Instant::now() >= end {
            return Ok(page);
        }
        // A commit of another stream wakes this one too; a look at its end is all that costs.
        let _ = tokio::time::timeout_at(end, commits.changed()).await;
    }
}
