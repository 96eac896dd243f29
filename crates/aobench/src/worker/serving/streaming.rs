//! Answers in parts, as server-sent events. The engine gives an answer when it is whole, so the parts of it come at once;
//! until then the connection is kept alive.

use std::convert::Infallible;
use std::future::Future;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::{StreamExt as _, stream};
use inference::{Finish, Generated};
use serde_json::{Value, json};

use super::error::Refusal;
use super::wire::{Head, Kind, finish_reason, usage};
use crate::worker::call::Answered;

/// What ends a stream.
const DONE: &str = "[DONE]";

/// The stream of an answer that is waited for.
pub(super) fn respond(
    head: Head,
    wants_usage: bool,
    answer: impl Future<Output = Result<Answered, Refusal>> + Send + 'static,
) -> Response {
    let events = stream::once(async move {
        let parts = match answer.await {
            Ok(Answered::Texts(generated, prompt_tokens)) => parts(&head, &generated, prompt_tokens, wants_usage),
            Ok(Answered::Vectors(..)) => Err(Refusal::internal("the engine answered another question")),
            Err(refusal) => Err(refusal),
        };
        let mut texts: Vec<String> = match parts {
            Ok(parts) => parts.iter().map(ToString::to_string).collect(),
            Err(refusal) => vec![refusal.json().to_string()],
        };
        texts.push(DONE.to_owned());
        stream::iter(texts.into_iter().map(|text| Ok::<_, Infallible>(Event::default().data(text))))
    });
    Sse::new(events.flatten()).keep_alive(KeepAlive::default()).into_response()
}

/// All parts of an answer but the mark of its end.
fn parts(head: &Head, generated: &[Generated], prompt_tokens: u32, wants_usage: bool) -> Result<Vec<Value>, Refusal> {
    if generated.iter().any(|generated| generated.finish == Finish::ContextExceeded) {
        return Err(Refusal::too_long());
    }
    let mut parts = Vec::new();
    let mut push = |choice: Value| parts.push(head.part(&json!([choice]), &Value::Null));
    for (index, generated) in (0..).zip(generated) {
        let finish = finish_reason(generated.finish);
        match head.kind {
            Kind::Chat => {
                let role = json!({ "role": "assistant", "content": "" });
                push(json!({ "index": index, "delta": role, "finish_reason": null }));
                for piece in pieces(generated.text.trim_start()) {
                    push(json!({ "index": index, "delta": { "content": piece }, "finish_reason": null }));
                }
                push(json!({ "index": index, "delta": {}, "finish_reason": finish }));
            }
            Kind::Text => {
                for piece in pieces(&generated.text) {
                    push(json!({ "index": index, "text": piece, "finish_reason": null }));
                }
                push(json!({ "index": index, "text": "", "finish_reason": finish }));
            }
        }
    }
    if wants_usage {
        parts.push(head.part(&json!([]), &usage(generated, prompt_tokens)));
    }
    Ok(parts)
}

/// A text in words, each with the white space before it.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    let mut in_word = false;
    for (place, character) in text.char_indices() {
        if character.is_whitespace() && in_word {
            pieces.push(&text[start..place]);
            start = place;
        }
        in_word = !character.is_whitespace();
    }
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_text_are_the_text() {
        for text in ["", " a", "one two\n\nthree ", "grüne Straße", "   "] {
            assert_eq!(pieces(text).concat(), text);
        }
        assert_eq!(pieces("one two\n\nthree"), ["one", " two", "\n\nthree"]);
    }
}
