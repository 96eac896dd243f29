//! The inbox of an address: what processes sent to a wallet.

use std::time::Duration;

use ao::{Id, Tags};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::limits::{INBOX_PAGE, INBOX_WAIT, LONG_ANSWER_WAIT};
use crate::{Client, ClientError, transport};

/// A message in an inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxMessage {
    /// Its place in the inbox.
    pub slot: u64,
    /// Its id.
    pub id: Id,
    /// The process that sent it.
    pub from: Id,
    /// The message from outside that began the chain which led to it.
    pub pushed_for: Id,
    /// When it came, milliseconds since 1970.
    pub timestamp_ms: u64,
    /// Its tags.
    pub tags: Tags,
    /// Its data.
    #[serde(with = "ao::data_text")]
    pub data: Vec<u8>,
}

/// A part of an inbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InboxPage {
    /// The messages, oldest first.
    pub messages: Vec<InboxMessage>,
    /// Where the next page begins.
    pub next: u64,
    /// The slot that the next message to come will have. A node that does not say is read from the beginning.
    #[serde(default)]
    pub end: u64,
}

impl InboxMessage {
    /// Its `Action` tag, or an empty text.
    pub fn action(&self) -> &str {
        self.tags.get("Action").unwrap_or_default()
    }

    /// Its data as text, if it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.data).ok()
    }
}

impl Client {
    /// The messages in the inbox of `address` from slot `from` on. If there is none yet the node waits for one, up to
    /// `wait`; an empty page is then the answer.
    pub async fn inbox(&self, address: &Id, from: u64, wait: Duration) -> Result<InboxPage, ClientError> {
        self.inbox_page(address, from, INBOX_PAGE, wait).await
    }

    /// Where the inbox of the client's own wallet ends now: what comes later has this slot or a higher one. For
    /// [`Client::await_notice`], asked before the message is sent whose notice is awaited.
    pub async fn inbox_end(&self) -> Result<u64, ClientError> {
        Ok(self.inbox_page(&self.wallet()?.address(), 0, 1, Duration::ZERO).await?.end)
    }

    async fn inbox_page(
        &self,
        address: &Id,
        from: u64,
        limit: usize,
        wait: Duration,
    ) -> Result<InboxPage, ClientError> {
        let mut url = self.path(&["inbox", &address.to_string()]);
        url.query_pairs_mut()
            .append_pair("from", &from.to_string())
            .append_pair("limit", &limit.to_string())
            .append_pair("wait", &whole_seconds(wait.min(INBOX_WAIT)).to_string());
        let request = self.get(url.clone()).timeout(LONG_ANSWER_WAIT);
        let response = transport::send(&request, self.url(), self.retry).await?;
        transport::json(response, url.as_str()).await
    }

    /// Waits for a message to the client's own wallet that follows from `pushed_for` (the id of a message sent before)
    /// and has one of `actions`. Messages before the slot `from` are not looked at.
    pub async fn await_notice(
        &self,
        mut from: u64,
        pushed_for: &Id,
        actions: &[&str],
        timeout: Duration,
    ) -> Result<InboxMessage, ClientError> {
        let address = self.wallet()?.address();
        let end = Instant::now() + timeout;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let page = self.inbox(&address, from, left).await?;
            let is_wanted = |message: &InboxMessage| {
                message.pushed_for == *pushed_for && actions.iter().any(|action| message.action() == *action)
            };
            let is_empty = page.messages.is_empty();
            if let Some(message) = page.messages.into_iter().find(is_wanted) {
                return Ok(message);
            }
            if is_empty && Instant::now() >= end {
                let what = format!("a message {} that answers {pushed_for}", actions.join(" or "));
                return Err(ClientError::Timeout { what, after: timeout });
            }
            from = page.next;
        }
    }
}

/// Rounded up: rounded down, the last second of waiting would be a thousand questions instead of one.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}
