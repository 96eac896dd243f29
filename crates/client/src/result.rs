//! What came of a message, and what a process answers without being sent one.

use ao::{Id, Tags};
use reqwest::Url;
use serde::{Deserialize, Serialize};

use crate::client::with_standard_tags;
use crate::limits::LONG_ANSWER_WAIT;
use crate::{Client, ClientError, transport};

/// What came of a message. [`MessageResult::or_fault`] turns a message that was not carried out into an error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct MessageResult {
    /// The messages that the process sent, in order.
    #[serde(default)]
    pub messages: Vec<SentMessage>,
    /// The processes that it spawned.
    #[serde(default)]
    pub spawns: Vec<SpawnedProcess>,
    /// What it has to say to the caller.
    #[serde(default, deserialize_with = "lenient_output")]
    pub output: ao::Output,
    /// Why the message was not carried out. Nothing changed then, and nothing was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// A message that a process sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SentMessage {
    /// Whom it is for.
    pub target: Id,
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
    /// Its data.
    #[serde(default, with = "ao::data_text")]
    pub data: Vec<u8>,
}

/// A process that a process spawned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SpawnedProcess {
    /// Its tags.
    #[serde(default)]
    pub tags: Tags,
    /// Its data.
    #[serde(default, with = "ao::data_text")]
    pub data: Vec<u8>,
}

/// The results of a process, in order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ResultsPage {
    #[serde(rename = "pageInfo", default)]
    page: PageInfo,
    /// One result each.
    pub edges: Vec<ResultEdge>,
}

/// A result, and where to go on after it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ResultEdge {
    /// For `from` of the next page.
    pub cursor: String,
    /// The result.
    pub node: MessageResult,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
struct PageInfo {
    #[serde(rename = "hasNextPage", default)]
    has_next_page: bool,
}

/// The body of a dry-run, in the words of AO's compute unit.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct DryRun<'a> {
    id: &'a str,
    target: Id,
    owner: String,
    anchor: &'a str,
    data: std::borrow::Cow<'a, str>,
    tags: &'a Tags,
}

impl ResultsPage {
    /// Whether there are results after the last of these.
    pub fn has_next_page(&self) -> bool {
        self.page.has_next_page
    }
}

impl MessageResult {
    /// The result of a message that was carried out, or its fault as an error.
    pub fn or_fault(self, message: Id) -> Result<Self, ClientError> {
        match self.error {
            Some(text) => Err(ClientError::Fault { message, text }),
            None => Ok(self),
        }
    }

    /// The first message with that action.
    pub fn message(&self, action: &str) -> Option<&SentMessage> {
        self.messages.iter().find(|message| message.tags.get("Action") == Some(action))
    }
}

impl SentMessage {
    /// Its data as text, if it is UTF-8.
    pub fn text(&self) -> Option<&str> {
        std::str::from_utf8(&self.data).ok()
    }
}

impl Client {
    /// What came of a message. The node answers once it is carried out; while it is busy with others before it, this
    /// asks again.
    pub async fn result(&self, process: &Id, message: &Id) -> Result<MessageResult, ClientError> {
        let url = with_process(self.path(&["result", &message.to_string()]), process);
        let request = self.get(url.clone()).timeout(LONG_ANSWER_WAIT);
        let response = transport::send(&request, self.url(), self.retry).await?;
        transport::json(response, url.as_str()).await
    }

    /// Results of a process, oldest first (`newest_first` turns it around), after the result with the cursor `from`.
    /// Messages that were not carried out are left out, as in AO.
    pub async fn results(
        &self,
        process: &Id,
        from: Option<&str>,
        newest_first: bool,
        limit: usize,
    ) -> Result<ResultsPage, ClientError> {
        let mut url = self.path(&["results", &process.to_string()]);
        {
            let mut query = url.query_pairs_mut();
            if let Some(cursor) = from {
                query.append_pair("from", cursor);
            }
            query.append_pair("sort", if newest_first { "DESC" } else { "ASC" });
            query.append_pair("limit", &limit.to_string());
        }
        let response = transport::send(&self.get(url.clone()), self.url(), self.retry).await?;
        transport::json(response, url.as_str()).await
    }

    /// What the process would answer to a message, without sending it: the way to read from a process. The message
    /// comes from the client's wallet, if it has one; nobody verifies that, so a process must not give away anything.
    pub async fn dry_run(
        &self,
        process: &Id,
        tags: Tags,
        data: impl AsRef<[u8]>,
    ) -> Result<MessageResult, ClientError> {
        let url = with_process(self.path(&["dry-run"]), process);
        let body = DryRun {
            id: "1234",
            target: *process,
            owner: self.address().map_or_else(|| "1234".to_owned(), |address| address.to_string()),
            anchor: "0",
            data: String::from_utf8_lossy(data.as_ref()),
            tags: &with_standard_tags(tags, "Message"),
        };
        let request = self.http.post(url.clone()).timeout(LONG_ANSWER_WAIT).json(&body);
        let response = transport::send(&request, self.url(), self.retry).await?;
        let result: MessageResult = transport::json(response, url.as_str()).await?;
        result.or_fault(Id::default())
    }

    /// What a process answers to a reading action such as `Get-Pools`: the output of a dry-run.
    pub async fn read(&self, process: &Id, action: &str, data: impl AsRef<[u8]>) -> Result<String, ClientError> {
        self.dry_run(process, Tags::new().with("Action", action), data).await.map(|result| result.output.data)
    }
}

fn with_process(mut url: Url, process: &Id) -> Url {
    url.query_pairs_mut().append_pair("process-id", &process.to_string());
    url
}

/// An output as other nodes give it: an object with `data` (text, or any JSON), a bare text, an empty list, or null.
fn lenient_output<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<ao::Output, D::Error> {
    use serde_json::Value;
    let text = |value: Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text,
        other => other.to_string(),
    };
    Ok(match Value::deserialize(deserializer)? {
        Value::Object(mut fields) => ao::Output {
            data: fields.remove("data").map(text).unwrap_or_default(),
            error: fields.remove("error").map(text),
            raw: None,
        },
        Value::Array(_) | Value::Null => ao::Output::default(),
        other => ao::Output { data: text(other), ..ao::Output::default() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> MessageResult {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn results_of_every_node_are_read() {
        assert_eq!(parse("{}"), MessageResult::default());
        assert_eq!(parse(r#"{"Error":"no"}"#).error.as_deref(), Some("no"));
        assert_eq!(parse(r#"{"Output":[],"Messages":[]}"#).output.data, "");
        assert_eq!(parse(r#"{"Output":"2"}"#).output.data, "2");
        assert_eq!(parse(r#"{"Output":{"data":"2","prompt":"x> ","print":false}}"#).output.data, "2");
        assert_eq!(parse(r#"{"Output":{"data":{"output":"2"}}}"#).output.data, r#"{"output":"2"}"#);
        assert_eq!(parse(r#"{"Output":{"data":"","error":"sent back"}}"#).output.error.as_deref(), Some("sent back"));
    }

    #[test]
    fn a_fault_is_an_error_and_a_returned_payment_is_not() {
        let error = parse(r#"{"Error":"the tag 'Quantity' is missing"}"#).or_fault(Id::default()).unwrap_err();
        assert_eq!(error.to_string(), "the process refused the message: the tag 'Quantity' is missing");
        assert!(parse(r#"{"Output":{"data":"","error":"sent back"}}"#).or_fault(Id::default()).is_ok());
    }

    #[test]
    fn messages_are_found_by_their_action() {
        let target = Id::new([1; 32]);
        let json = format!(
            r#"{{"Messages":[{{"Target":"{target}","Anchor":"0","Tags":[{{"name":"Action","value":"Info"}}],"Data":"hé"}}]}}"#
        );
        let result = parse(&json);
        assert_eq!(result.message("Info").unwrap().text(), Some("hé"));
        assert_eq!(result.message("Other"), None);
    }
}
