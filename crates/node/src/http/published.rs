//! Reads of what a process publishes, as HyperBEAM answers `now/<path>` and `compute/<path>`: a value by its path. Native
//! processes publish what they answer to Info, Balance and Balances.

use axum::Json;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};

use ao::{Effects, Id, Message, Tags};

use super::error::{HttpError, quoted};
use super::state::Shared;

/// What a path ends in when the answer is to be JSON.
const AS_JSON: &str = "serialize~json@1.0";

/// The path of balances by address.
const BALANCES: &str = "balances";

/// Keys between `now` and a value, at most.
pub(super) const KEYS_MAX: usize = 8;

/// The value at a path: a text as it is, anything with parts as JSON.
pub(super) async fn read(shared: &Shared, process: Id, keys: &[String]) -> Result<Response, HttpError> {
    let (keys, as_json) = match keys.split_last() {
        Some((last, keys)) if last == AS_JSON => (keys, true),
        _ => (keys, false),
    };
    let value = match keys {
        [first, address] if first == BALANCES => balance(shared, process, address).await?,
        [first] if first == BALANCES => balances(shared, process).await?,
        keys => {
            let mut value = information(shared, process).await?;
            for key in keys {
                value = value.get_mut(key).map(Value::take).ok_or_else(|| nothing(process, key))?;
            }
            value
        }
    };
    Ok(match value {
        Value::String(text) if !as_json => text.into_response(),
        value => Json(value).into_response(),
    })
}

/// The tags of the answer to Info, their names in lower case, and its data if that is a map.
async fn information(shared: &Shared, process: Id) -> Result<Value, HttpError> {
    let effects = ask(shared, process, Tags::new().with("Action", "Info")).await?;
    let mut values = match serde_json::from_str(&effects.output.data) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let tags = effects.messages.iter().flat_map(|answer| answer.tags.iter());
    for tag in tags.filter(|tag| !tag.is_named("Action")) {
        values.entry(tag.name.to_lowercase()).or_insert_with(|| Value::String(tag.value.clone()));
    }
    Ok(Value::Object(values))
}

async fn balance(shared: &Shared, process: Id, address: &str) -> Result<Value, HttpError> {
    let effects = ask(shared, process, Tags::new().with("Action", "Balance").with("Recipient", address)).await?;
    Ok(Value::String(effects.output.data))
}

async fn balances(shared: &Shared, process: Id) -> Result<Value, HttpError> {
    let effects = ask(shared, process, Tags::new().with("Action", "Balances")).await?;
    Ok(serde_json::from_str(&effects.output.data).unwrap_or(Value::String(effects.output.data)))
}

/// What a process answers nobody in particular.
async fn ask(shared: &Shared, process: Id, tags: Tags) -> Result<Effects, HttpError> {
    let message = Message::dry_run(Id::default(), process, tags, "");
    let answer = shared.dry_run(&process, message).await?;
    answer.map_err(|fault| HttpError::not_found(format!("the process {process} does not publish that: {fault}")))
}

fn nothing(process: Id, key: &str) -> HttpError {
    HttpError::not_found(format!("the process {process} publishes nothing at '{}'", quoted(key)))
}
