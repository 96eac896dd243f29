//! One request and its answer: errors in words, waiting, and trying again.

use std::time::Duration;

use reqwest::header::RETRY_AFTER;
use reqwest::{RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::ClientError;
use crate::limits::{ANSWER_BYTES_MAX, ERROR_TEXT_BYTES_MAX, PAUSE_MAX};

/// How often a request is tried. Only requests that may safely be sent twice go through here, and that is all of them:
/// reads, and signed items, which a node takes once however often they come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Tries in all; at least one is made.
    pub attempts: u32,
    /// The pause after the first failure; it doubles with each.
    pub first_pause: Duration,
}

impl Default for Retry {
    /// Four tries in about a second and a half: bridges the restart of a node, and does not keep a person waiting who
    /// mistyped its address.
    fn default() -> Self {
        Self { attempts: 4, first_pause: Duration::from_millis(200) }
    }
}

impl Retry {
    /// One try.
    pub const NONE: Self = Self { attempts: 1, first_pause: Duration::ZERO };

    /// The pause after failure number `failures` (1 is the first), with up to a quarter added at random so that a
    /// hundred workers do not all come back in the same moment.
    pub(crate) fn pause(self, failures: u32) -> Duration {
        let pause = self.first_pause.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(PAUSE_MAX);
        let mut random = [0; 1];
        // Without random numbers the pause is just not spread.
        let _ = getrandom::fill(&mut random);
        pause + pause * u32::from(random[0]) / 1024
    }
}

/// A node's error: `{"error": text, "code": code}`.
#[derive(Debug, Default, Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    code: String,
}

/// Sends a request until it is answered; an answer that is an error becomes one.
pub(crate) async fn send(request: &RequestBuilder, url: &str, retry: Retry) -> Result<Response, ClientError> {
    let mut failures = 0;
    loop {
        let (error, wait) = match once(request, url).await {
            Ok(response) => return Ok(response),
            Err(failed) => failed,
        };
        failures += 1;
        if !error.is_passing() || failures >= retry.attempts {
            return Err(error);
        }
        let pause = wait.unwrap_or_default().min(PAUSE_MAX).max(retry.pause(failures));
        tracing::debug!(%error, failures, ?pause, "asking again");
        tokio::time::sleep(pause).await;
    }
}

/// One try; on failure also how long the node asks to be left alone.
async fn once(request: &RequestBuilder, url: &str) -> Result<Response, (ClientError, Option<Duration>)> {
    let Some(request) = request.try_clone() else {
        let reason = "a streamed request cannot be sent twice".to_owned();
        return Err((ClientError::BadAnswer { url: url.to_owned(), reason }, None));
    };
    let response = request.send().await.map_err(|error| (ClientError::from_request(&error, url), None))?;
    if response.status().is_success() {
        return Ok(response);
    }
    let wait = retry_after(&response);
    Err((refusal(response).await, wait))
}

/// The answer of a node that said no.
pub(crate) async fn refusal(response: Response) -> ClientError {
    let status = response.status();
    let url = response.url().to_string();
    let body = match read_at_most(response, ERROR_TEXT_BYTES_MAX, &url).await {
        Ok(body) => body,
        Err(error) => return error,
    };
    let Refusal { error: text, code } = serde_json::from_slice(&body)
        .unwrap_or_else(|_| Refusal { error: plain_text(&body, status), code: String::new() });
    ClientError::Refused { status: status.as_u16(), code, text }
}

/// The answer as JSON of a type.
pub(crate) async fn json<T: DeserializeOwned>(response: Response, url: &str) -> Result<T, ClientError> {
    let body = read_at_most(response, ANSWER_BYTES_MAX, url).await?;
    serde_json::from_slice(&body).map_err(|error| ClientError::BadAnswer {
        url: url.to_owned(),
        reason: format!("not the JSON expected: {error}"),
    })
}

/// The answer as a short text.
pub(crate) async fn text(response: Response, url: &str) -> Result<String, ClientError> {
    let body = read_at_most(response, ERROR_TEXT_BYTES_MAX, url).await?;
    String::from_utf8(body)
        .map_err(|_| ClientError::BadAnswer { url: url.to_owned(), reason: "not UTF-8 text".to_owned() })
}

/// Reads an answer into memory, and no more of it than `bytes_max`.
async fn read_at_most(mut response: Response, bytes_max: usize, url: &str) -> Result<Vec<u8>, ClientError> {
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|error| ClientError::from_request(&error, url))? {
        if body.len() + piece.len() > bytes_max {
            let reason = format!("it is longer than {bytes_max} bytes");
            return Err(ClientError::BadAnswer { url: url.to_owned(), reason });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// What an error page that is not of an AO node says, on one line.
fn plain_text(body: &[u8], status: StatusCode) -> String {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    if text.is_empty() || text.starts_with('<') {
        return status.canonical_reason().unwrap_or("no reason given").to_owned();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_are_spread_by_a_quarter_at_most() {
        let retry = Retry { attempts: 9, first_pause: Duration::from_millis(200) };
        for (failures, milliseconds) in [(1, 200), (2, 400), (3, 800), (9, 5000), (99, 5000)] {
            let pause = retry.pause(failures).as_millis();
            assert!((milliseconds..=milliseconds * 5 / 4).contains(&pause), "{failures}: {pause}");
        }
        assert_eq!(Retry::NONE.pause(1), Duration::ZERO);
    }

    #[test]
    fn an_error_page_of_something_else_is_told_in_one_line() {
        assert_eq!(plain_text(b"<html>...</html>", StatusCode::BAD_GATEWAY), "Bad Gateway");
        assert_eq!(plain_text(b"", StatusCode::NOT_FOUND), "Not Found");
        assert_eq!(plain_text(b" not\n whitelisted ", StatusCode::FORBIDDEN), "not whitelisted");
    }
}
