//! What a server's answers say.

use serde_json::Value;

use crate::error::InferenceError;
use crate::request::{Finish, GenerateRequest, Generated, IMPOSSIBLE, Likelihood};

/// The text of a completion.
pub(super) fn completion(answer: &Value) -> Option<&str> {
    let choice = &answer["choices"][0];
    choice["text"].as_str().or_else(|| choice["message"]["content"].as_str())
}

/// The log-likelihood of `continuation` in an echo of the whole text with one generated token after it.
///
/// The tokens of the continuation are counted from the end, because some servers put a start token before the text and
/// some do not. A token that began in the context and ends in the continuation belongs to the continuation.
pub(super) fn likelihood(answer: &Value, context: &str, continuation: &str) -> Result<Likelihood, String> {
    let logprobs = &answer["choices"][0]["logprobs"];
    let list = |name: &str| logprobs[name].as_array().ok_or_else(|| format!("there is no '{name}'"));
    let (tokens, values) = (list("tokens")?, list("token_logprobs")?);
    if tokens.len() != values.len() {
        return Err(format!("{} tokens have {} log-probabilities", tokens.len(), values.len()));
    }
    let generated = answer["usage"]["completion_tokens"].as_u64().unwrap_or(1) as usize;
    let end = tokens.len().checked_sub(generated).ok_or("there are fewer tokens than were generated")?;
    let text = |token: &Value| token.as_str().map(str::to_owned).ok_or("a token is no text");
    let mut spelled = String::new();
    let mut first = end;
    while spelled.len() < continuation.len() {
        first = first.checked_sub(1).ok_or("the text is not echoed")?;
        spelled.insert_str(0, &text(&tokens[first])?);
    }
    if !spelled.ends_with(continuation) || !format!("{context}{continuation}").ends_with(&spelled) {
        return Err(format!("the last tokens of the text spell {spelled:?} and not {continuation:?}"));
    }
    let mut likelihood = Likelihood { log_probability: 0.0, is_greedy: true };
    for place in first..end {
        let value = values[place].as_f64().ok_or("a token of the continuation has none")?;
        likelihood.log_probability += value.clamp(IMPOSSIBLE, 0.0);
        let others = logprobs["top_logprobs"][place].as_object();
        let highest = others.into_iter().flat_map(|others| others.values()).filter_map(Value::as_f64);
        likelihood.is_greedy &= highest.fold(f64::NEG_INFINITY, f64::max) <= value;
    }
    Ok(likelihood)
}

/// The generated text up to a stop text and within the limits of the request.
pub(super) fn generated(answer: &Value, request: &GenerateRequest) -> Result<Generated, InferenceError> {
    let text = completion(answer);
    let text = text.ok_or_else(|| InferenceError::Protocol { reason: "the server sent no text".to_owned() })?;
    let mut finish = match answer["choices"][0]["finish_reason"].as_str() {
        Some("length") => Finish::Length,
        _ => Finish::Stop,
    };
    let stops = request.stop.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| text.find(stop.as_str()));
    let mut end = text.len();
    if let Some(first) = stops.min() {
        (end, finish) = (first, Finish::Stop);
    }
    if end > request.max_bytes as usize {
        (end, finish) = (text.floor_char_boundary(request.max_bytes as usize), Finish::Length);
    }
    let tokens = answer["usage"]["completion_tokens"].as_u64().unwrap_or(0).min(u64::from(request.max_tokens));
    Ok(Generated { text: text[..end].to_owned(), tokens: tokens as u32, finish })
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "the values are sums of what the test gives")]
mod tests {
    use serde_json::json;

    use super::*;

    fn echoed(tokens: &[&str], values: &[Option<f64>], top: &[f64]) -> Value {
        let top: Vec<Value> = top.iter().map(|value| json!({ "x": value })).collect();
        json!({
            "choices": [{ "text": "", "logprobs": { "tokens": tokens, "token_logprobs": values, "top_logprobs": top } }],
            "usage": { "completion_tokens": 1 }
        })
    }

    #[test]
    fn the_tokens_of_the_continuation_are_summed_and_the_generated_one_is_not() {
        let answer = echoed(
            &["<s>", "The", " sky", " is", " blue", "."],
            &[None, Some(-5.0), Some(-4.0), Some(-1.0), Some(-0.5), Some(-0.1)],
            &[0.0, -1.0, -1.0, -0.5, -0.5, -0.1],
        );
        let one = likelihood(&answer, "The sky is", " blue").unwrap();
        assert_eq!((one.log_probability, one.is_greedy), (-0.5, true));
        let two = likelihood(&answer, "The sky", " is blue").unwrap();
        assert_eq!((two.log_probability, two.is_greedy), (-1.5, false));
        // A token that ends in the continuation belongs to it.
        assert_eq!(likelihood(&answer, "The sky is b", "lue").unwrap().log_probability, -0.5);
        assert_eq!(likelihood(&answer, "The sky is blue", "").unwrap().log_probability, 0.0);
    }

    #[test]
    fn what_only_looks_like_an_echo_is_refused() {
        // A server that answers with the generated token alone.
        let alone = echoed(&[" blue"], &[Some(-0.1)], &[-0.1]);
        assert!(likelihood(&alone, "The sky is", " blue").is_err());
        let other = echoed(&["Le", " ciel", " bleu", "."], &[None, Some(-1.0), Some(-1.0), Some(-1.0)], &[0.0; 4]);
        assert!(likelihood(&other, "The sky is", " blue").is_err());
        assert!(likelihood(&json!({ "choices": [{ "logprobs": { "content": [] } }] }), "a", "b").is_err());
        let none = echoed(&["a", "b", "c"], &[None, None, None], &[0.0; 3]);
        assert!(likelihood(&none, "a", "b").is_err());
    }

    #[test]
    fn texts_end_at_stop_texts_and_limits_whatever_the_server_does() {
        let answer =
            json!({ "choices": [{ "message": { "content": "one two\n\nthree" }, "finish_reason": "length" }] });
        let mut request = GenerateRequest::new(Vec::new(), 5);
        assert_eq!(generated(&answer, &request).unwrap().finish, Finish::Length);
        request.stop = vec!["three".to_owned(), "\n\n".to_owned()];
        let stopped = generated(&answer, &request).unwrap();
        assert_eq!((stopped.text.as_str(), stopped.finish), ("one two", Finish::Stop));
        request.max_bytes = 3;
        let cut = generated(&answer, &request).unwrap();
        assert_eq!((cut.text.as_str(), cut.finish), ("one", Finish::Length));
        assert!(generated(&json!({ "error": "no" }), &request).is_err());
    }
}
