//! Answers part by part, as server-sent events, while the engine computes them. Until the first part comes, the connection
//! is kept alive.

use std::collections::VecDeque;
use std::convert::Infallible;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::{Stream, stream};
use inference::{Finish, Generated, Part};
use serde_json::{Value, json};
use tokio::sync::mpsc::UnboundedReceiver;

use super::Answer;
use super::error::Refusal;
use super::wire::{Head, Kind, finish_reason, usage};

/// What ends a stream.
const DONE: &str = "[DONE]";

/// The stream of an answer whose parts come out of `parts`.
pub(super) fn respond(head: Head, wants_usage: bool, parts: UnboundedReceiver<Part>, answer: Answer) -> Response {
    let streamed =
        Streamed { head, wants_usage, parts, answer: Some(answer), begun: Vec::new(), ready: VecDeque::new() };
    Sse::new(streamed.events()).keep_alive(KeepAlive::default()).into_response()
}

/// An answer on its way.
struct Streamed {
    head: Head,
    wants_usage: bool,
    parts: UnboundedReceiver<Part>,
    /// The answer as a whole, until it is there.
    answer: Option<Answer>,
    /// How far the choice of each prompt is.
    begun: Vec<Begun>,
    /// What is to be sent.
    ready: VecDeque<String>,
}

/// How far a choice is.
#[derive(Debug, Clone, Copy, Default)]
struct Begun {
    /// Its role was sent.
    role: bool,
    /// Something was sent that is no white space; before that, a chat leaves white space out.
    text: bool,
}

impl Streamed {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        stream::unfold(self, |mut streamed| async move {
            let text = streamed.next().await?;
            Some((Ok(Event::default().data(text)), streamed))
        })
    }

    /// What is sent next.
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(text) = self.ready.pop_front() {
                return Some(text);
            }
            match self.parts.recv().await {
                Some(part) => self.take(part.prompt, &part.text),
                None => self.end().await?,
            }
        }
    }

    fn push(&mut self, choice: &Value) {
        self.ready.push_back(self.head.part(&json!([choice]), &Value::Null).to_string());
    }

    fn begin(&mut self, index: usize) -> Begun {
        if self.begun.len() <= index {
            self.begun.resize(index + 1, Begun::default());
        }
        let begun = self.begun.get(index).copied().unwrap_or_default();
        if self.head.kind == Kind::Chat && !begun.role {
            let role = json!({ "role": "assistant", "content": "" });
            self.push(&json!({ "index": index, "delta": role, "finish_reason": null }));
        }
        Begun { role: true, ..begun }
    }

    fn take(&mut self, index: usize, text: &str) {
        let mut begun = self.begin(index);
        let text = if self.head.kind == Kind::Chat && !begun.text { text.trim_start() } else { text };
        if !text.is_empty() {
            begun.text = true;
            let choice = match self.head.kind {
                Kind::Chat => json!({ "index": index, "delta": { "content": text }, "finish_reason": null }),
                Kind::Text => json!({ "index": index, "text": text, "finish_reason": null }),
            };
            self.push(&choice);
        }
        if let Some(known) = self.begun.get_mut(index) {
            *known = begun;
        }
    }

    /// All parts are there, and the answer is, or will be in a moment. Nothing if it was sent already.
    async fn end(&mut self) -> Option<()> {
        match self.answer.take()?.texts().await.and_then(fitting) {
            Ok((generated, prompt_tokens)) => {
                for (index, generated) in generated.iter().enumerate() {
                    self.begin(index);
                    let finish = finish_reason(generated.finish);
                    let choice = match self.head.kind {
                        Kind::Chat => json!({ "index": index, "delta": {}, "finish_reason": finish }),
                        Kind::Text => json!({ "index": index, "text": "", "finish_reason": finish }),
                    };
                    self.push(&choice);
                }
                if self.wants_usage {
                    self.ready.push_back(self.head.part(&json!([]), &usage(&generated, prompt_tokens)).to_string());
                }
            }
            Err(refusal) => self.ready.push_back(refusal.json().to_string()),
        }
        self.ready.push_back(DONE.to_owned());
        Some(())
    }
}

/// The answers, if every prompt fits into the context of the model.
fn fitting(answer: (Vec<Generated>, u32)) -> Result<(Vec<Generated>, u32), Refusal> {
    if answer.0.iter().any(|generated| generated.finish == Finish::ContextExceeded) {
        return Err(Refusal::too_long());
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::{Semaphore, mpsc, oneshot};

    use super::*;
    use crate::worker::call::Answered;

    type Reply = oneshot::Sender<Result<Answered, (super::super::Blame, String)>>;

    fn streamed(kind: Kind) -> (Streamed, mpsc::UnboundedSender<Part>, Reply) {
        let (sender, parts) = mpsc::unbounded_channel();
        let (reply, answer) = oneshot::channel();
        let place = Arc::new(Semaphore::new(1)).try_acquire_owned().unwrap();
        let answer = Some(Answer { answer, _place: place });
        let head = Head { kind, id: "x".to_owned(), created: 1, model: "m".to_owned() };
        let (begun, ready) = (Vec::new(), VecDeque::new());
        (Streamed { head, wants_usage: true, parts, answer, begun, ready }, sender, reply)
    }

    fn part(prompt: usize, text: &str) -> Part {
        Part { prompt, text: text.to_owned() }
    }

    fn generated(text: &str, finish: Finish) -> Generated {
        Generated { text: text.to_owned(), tokens: 2, finish }
    }

    async fn next(streamed: &mut Streamed) -> Value {
        serde_json::from_str(&streamed.next().await.unwrap()).unwrap()
    }

    #[tokio::test]
    async fn parts_are_sent_while_the_answer_is_still_computed() {
        let (mut streamed, sender, reply) = streamed(Kind::Chat);
        sender.send(part(0, " \n")).unwrap();
        assert_eq!(next(&mut streamed).await["choices"][0]["delta"]["role"], "assistant");
        for text in [" one", " two"] {
            sender.send(part(0, text)).unwrap();
            let sent = next(&mut streamed).await;
            assert_eq!(sent["object"], "chat.completion.chunk");
            assert_eq!(sent["choices"][0]["delta"]["content"], if text == " one" { "one" } else { text });
        }
        drop(sender);
        reply.send(Ok(Answered::Texts(vec![generated(" \n one two", Finish::Length)], 7))).ok().unwrap();
        assert_eq!(next(&mut streamed).await["choices"][0]["finish_reason"], "length");
        assert_eq!(next(&mut streamed).await["usage"]["total_tokens"], 9);
        assert_eq!(streamed.next().await.as_deref(), Some(DONE));
        assert_eq!(streamed.next().await, None);
    }

    #[tokio::test]
    async fn several_texts_have_their_own_places_and_an_empty_one_ends_too() {
        let (mut streamed, sender, reply) = streamed(Kind::Text);
        sender.send(part(1, " b")).unwrap();
        drop(sender);
        let answers = vec![generated("", Finish::Stop), generated(" b", Finish::Stop)];
        reply.send(Ok(Answered::Texts(answers, 7))).ok().unwrap();
        let first = next(&mut streamed).await;
        assert_eq!((&first["choices"][0]["index"], &first["choices"][0]["text"]), (&json!(1), &json!(" b")));
        for index in 0..2 {
            let ended = next(&mut streamed).await;
            assert_eq!(
                (&ended["choices"][0]["index"], &ended["choices"][0]["finish_reason"]),
                (&json!(index), &json!("stop"))
            );
        }
    }

    #[tokio::test]
    async fn what_fails_in_the_middle_is_told_and_ends_the_stream() {
        let too_long = Answered::Texts(vec![generated("", Finish::ContextExceeded)], 0);
        for (answer, code) in [
            (Some(too_long), "context_length_exceeded"),
            (Some(Answered::Refused("no room".to_owned())), "invalid_request"),
            (None, "server_error"),
        ] {
            let (mut streamed, sender, reply) = streamed(Kind::Chat);
            drop(sender);
            match answer {
                Some(answer) => reply.send(Ok(answer)).ok().unwrap(),
                None => drop(reply),
            }
            assert_eq!(next(&mut streamed).await["error"]["code"], code);
            assert_eq!(streamed.next().await.as_deref(), Some(DONE));
        }
    }
}
