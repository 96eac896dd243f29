//! Requests and answers as OpenAI's clients write and read them. What this worker cannot do is refused by name, and what
//! makes no difference to a greedy answer (`temperature`, `seed`, `user`, …) is taken and not used.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use inference::{Embedded, Finish, GenerateRequest, Generated};
use serde::Deserialize;
use serde_json::{Value, json};

use super::error::Refusal;
use super::form::ResponseFormat;

/// Tokens of an answer if nothing is said, and at most.
const TOKENS_DEFAULT: u32 = 256;
const TOKENS_MAX: u32 = 2_048;
/// Bytes of an answer.
const ANSWER_BYTES_MAX: u32 = 32 * 1024;
/// Texts of one request.
const TEXTS_MAX: usize = 256;
/// Stop texts of one request.
const STOPS_MAX: usize = 16;
/// Messages of one chat.
const MESSAGES_MAX: usize = 256;
/// What a model is told where a chat says nothing.
const SYSTEM_DEFAULT: &str = "You are a helpful assistant.";

/// What kind of text is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Chat,
    Text,
}

impl Kind {
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Chat => "chatcmpl",
            Self::Text => "cmpl",
        }
    }
}

/// One text, or several.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn texts(&self) -> Vec<String> {
        match self {
            Self::One(text) => vec![text.clone()],
            Self::Many(texts) => texts.clone(),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

/// The content of a message: a text, or parts of which only texts can be read.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Message {
    role: String,
    content: Option<Content>,
}

impl Message {
    fn text(&self) -> Result<String, Refusal> {
        match &self.content {
            None => Ok(String::new()),
            Some(Content::Text(text)) => Ok(text.clone()),
            Some(Content::Parts(parts)) => {
                let texts = parts.iter().map(|part| match (&*part.kind, &part.text) {
                    ("text", Some(text)) => Ok(text.as_str()),
                    _ => Err(Refusal::request("a message can have parts of the type 'text' only")),
                });
                texts.collect::<Result<Vec<_>, _>>().map(|texts| texts.join("\n"))
            }
        }
    }
}

/// `POST /v1/chat/completions`.
#[derive(Debug, Deserialize)]
pub(super) struct ChatCompletion {
    pub(super) model: String,
    pub(super) stream: Option<bool>,
    messages: Vec<Message>,
    max_tokens: Option<u32>,
    max_completion_tokens: Option<u32>,
    stop: Option<OneOrMany>,
    n: Option<u32>,
    tools: Option<Value>,
    response_format: Option<ResponseFormat>,
    stream_options: Option<StreamOptions>,
}

impl ChatCompletion {
    /// The question to the engine. Earlier turns stand before the last one as text: the chat template of a model is filled
    /// with one turn.
    pub(super) fn asked(&self) -> Result<GenerateRequest, Refusal> {
        if self.messages.is_empty() || self.messages.len() > MESSAGES_MAX {
            return Err(Refusal::request(&format!("a chat has 1 to {MESSAGES_MAX} messages")));
        }
        if self.tools.as_ref().is_some_and(|tools| tools.as_array().is_none_or(|tools| !tools.is_empty())) {
            return Err(Refusal::request("tools cannot be called here"));
        }
        let (mut system, mut turns) = (Vec::new(), Vec::new());
        for message in &self.messages {
            match &*message.role {
                "system" | "developer" => system.push(message.text()?),
                "user" => turns.push(("User", message.text()?)),
                "assistant" => turns.push(("Assistant", message.text()?)),
                _ => return Err(Refusal::request("a role is one of system, developer, user and assistant")),
            }
        }
        let prompt = match turns.as_slice() {
            [("User", only)] => only.clone(),
            [.., ("User", _)] => {
                let lines: Vec<String> = turns.iter().map(|(role, text)| format!("{role}: {text}")).collect();
                format!("{}\nAssistant:", lines.join("\n"))
            }
            _ => return Err(Refusal::request("the last message must be one of the role 'user'")),
        };
        let system = if system.is_empty() { SYSTEM_DEFAULT.to_owned() } else { system.join("\n\n") };
        let tokens = self.max_completion_tokens.or(self.max_tokens);
        let mut asked = question(vec![prompt], tokens, self.stop.as_ref(), self.n)?;
        ResponseFormat::apply(self.response_format.as_ref(), &mut asked)?;
        asked.system_prompt = Some(system);
        Ok(asked)
    }

    pub(super) fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage)
    }
}

/// `POST /v1/completions`.
#[derive(Debug, Deserialize)]
pub(super) struct Completion {
    pub(super) model: String,
    pub(super) stream: Option<bool>,
    prompt: OneOrMany,
    max_tokens: Option<u32>,
    stop: Option<OneOrMany>,
    n: Option<u32>,
    echo: Option<bool>,
    logprobs: Option<u32>,
    response_format: Option<ResponseFormat>,
    stream_options: Option<StreamOptions>,
}

impl Completion {
    /// The question to the engine: the prompts as they are.
    pub(super) fn asked(&self) -> Result<GenerateRequest, Refusal> {
        if self.echo == Some(true) || self.logprobs.is_some_and(|logprobs| logprobs > 0) {
            return Err(Refusal::request("'echo' and 'logprobs' are not answered here"));
        }
        let mut asked = question(self.prompt.texts(), self.max_tokens, self.stop.as_ref(), self.n)?;
        ResponseFormat::apply(self.response_format.as_ref(), &mut asked)?;
        Ok(asked)
    }

    pub(super) fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage)
    }
}

fn question(
    prompts: Vec<String>,
    tokens: Option<u32>,
    stop: Option<&OneOrMany>,
    n: Option<u32>,
) -> Result<GenerateRequest, Refusal> {
    if prompts.is_empty() || prompts.len() > TEXTS_MAX {
        return Err(Refusal::request(&format!("a request has 1 to {TEXTS_MAX} prompts")));
    }
    if n.is_some_and(|n| n != 1) {
        return Err(Refusal::request("answers are greedy, so there is one: 'n' must be 1"));
    }
    let tokens = tokens.unwrap_or(TOKENS_DEFAULT);
    if !(1..=TOKENS_MAX).contains(&tokens) {
        return Err(Refusal::request(&format!("an answer has 1 to {TOKENS_MAX} tokens")));
    }
    let stop = stop.map(OneOrMany::texts).unwrap_or_default();
    if stop.len() > STOPS_MAX || stop.iter().any(String::is_empty) {
        return Err(Refusal::request(&format!("there are at most {STOPS_MAX} stop texts, none of them empty")));
    }
    Ok(GenerateRequest { stop, max_bytes: ANSWER_BYTES_MAX, ..GenerateRequest::new(prompts, tokens) })
}

/// What all parts of an answer say of it.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) id: String,
    pub(super) created: u64,
    pub(super) model: String,
}

impl Head {
    /// The whole answer.
    pub(super) fn whole(&self, generated: &[Generated], prompt_tokens: u32) -> Result<Value, Refusal> {
        if generated.iter().any(|generated| generated.finish == Finish::ContextExceeded) {
            return Err(Refusal::too_long());
        }
        let choices = (0..).zip(generated).map(|(index, generated)| {
            let finish_reason = finish_reason(generated.finish);
            match self.kind {
                Kind::Chat => json!({
                    "index": index,
                    "message": { "role": "assistant", "content": generated.text.trim_start() },
                    "finish_reason": finish_reason,
                    "logprobs": null,
                }),
                Kind::Text => json!({
                    "index": index, "text": generated.text, "finish_reason": finish_reason, "logprobs": null,
                }),
            }
        });
        let choices: Vec<Value> = choices.collect();
        let object = match self.kind {
            Kind::Chat => "chat.completion",
            Kind::Text => "text_completion",
        };
        Ok(json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": self.model,
            "choices": choices,
            "usage": usage(generated, prompt_tokens),
        }))
    }

    /// One part of a streamed answer.
    pub(super) fn part(&self, choices: &Value, usage: &Value) -> Value {
        let object = match self.kind {
            Kind::Chat => "chat.completion.chunk",
            Kind::Text => "text_completion",
        };
        let (id, created, model) = (&self.id, self.created, &self.model);
        let mut part = json!({ "id": id, "object": object, "created": created, "model": model, "choices": choices });
        if !usage.is_null() {
            part["usage"] = usage.clone();
        }
        part
    }
}

/// How many tokens were read and written.
pub(super) fn usage(generated: &[Generated], prompt_tokens: u32) -> Value {
    let written: u32 = generated.iter().map(|generated| generated.tokens).sum();
    json!({
        "prompt_tokens": prompt_tokens,
        "completion_tokens": written,
        "total_tokens": prompt_tokens.saturating_add(written),
    })
}

/// Why an answer ended, in OpenAI's words.
pub(super) fn finish_reason(finish: Finish) -> &'static str {
    if finish == Finish::Stop { "stop" } else { "length" }
}

/// `POST /v1/embeddings`.
#[derive(Debug, Deserialize)]
pub(super) struct Embeddings {
    pub(super) model: String,
    input: OneOrMany,
    encoding_format: Option<String>,
    dimensions: Option<u32>,
}

impl Embeddings {
    /// The texts.
    pub(super) fn texts(&self) -> Result<Vec<String>, Refusal> {
        let texts = self.input.texts();
        if texts.is_empty() || texts.len() > TEXTS_MAX || texts.iter().any(|text| text.trim().is_empty()) {
            return Err(Refusal::request(&format!("there are 1 to {TEXTS_MAX} texts, none of them empty")));
        }
        if self.dimensions.is_some() {
            return Err(Refusal::request("vectors have the numbers that the model gives: leave 'dimensions' out"));
        }
        if !matches!(self.encoding_format.as_deref(), None | Some("float" | "base64")) {
            return Err(Refusal::request("'encoding_format' is 'float' or 'base64'"));
        }
        Ok(texts)
    }

    /// The answer.
    pub(super) fn response(&self, model: &str, vectors: &[Embedded], tokens: u32) -> Result<Value, Refusal> {
        let is_base64 = self.encoding_format.as_deref() == Some("base64");
        let rows = vectors.iter().enumerate().map(|(index, vector)| {
            let Embedded::Vector(numbers) = vector else { return Err(Refusal::too_long()) };
            let embedding = if is_base64 {
                let bytes: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
                json!(STANDARD.encode(bytes))
            } else {
                json!(numbers)
            };
            Ok(json!({ "object": "embedding", "index": index, "embedding": embedding }))
        });
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        let usage = json!({ "prompt_tokens": tokens, "total_tokens": tokens });
        Ok(json!({ "object": "list", "data": rows, "model": model, "usage": usage }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chat(messages: &Value) -> Result<GenerateRequest, String> {
        let request: ChatCompletion = serde_json::from_value(json!({ "model": "m", "messages": messages })).unwrap();
        request.asked().map_err(|refusal| refusal.json().to_string())
    }

    #[test]
    fn the_last_turn_is_the_prompt_and_earlier_ones_stand_before_it() {
        let one = chat(&json!([{ "role": "user", "content": [{ "type": "text", "text": "Hi" }] }])).unwrap();
        assert_eq!((one.prompts, one.system_prompt), (vec!["Hi".to_owned()], Some(SYSTEM_DEFAULT.to_owned())));
        let turns = json!([
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": "Hi" },
            { "role": "assistant", "content": "Hello" },
            { "role": "user", "content": "Who are you?" },
        ]);
        let several = chat(&turns).unwrap();
        assert_eq!(several.prompts, ["User: Hi\nAssistant: Hello\nUser: Who are you?\nAssistant:"]);
        assert_eq!(several.system_prompt.as_deref(), Some("Be brief."));
    }

    #[test]
    fn what_cannot_be_done_is_refused_by_name() {
        for (messages, part) in [
            (json!([]), "messages"),
            (json!([{ "role": "assistant", "content": "Hi" }]), "last message"),
            (json!([{ "role": "tool", "content": "Hi" }]), "role"),
            (json!([{ "role": "user", "content": [{ "type": "image_url" }] }]), "parts"),
        ] {
            let refusal = chat(&messages).unwrap_err();
            assert!(refusal.contains(part), "{messages}: {refusal}");
        }
        let text = |more: Value| {
            let mut request = json!({ "model": "m", "prompt": "x" });
            request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            serde_json::from_value::<Completion>(request).unwrap().asked().is_err()
        };
        assert!(text(json!({ "n": 2 })) && text(json!({ "max_tokens": 0 })) && text(json!({ "echo": true })));
        assert!(text(json!({ "stop": "" })) && !text(json!({ "stop": "\n", "temperature": 0.7, "seed": 1 })));
    }
}
