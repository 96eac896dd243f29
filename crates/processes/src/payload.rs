//! Reading tags and data of a message, each failure with its own fault.

use std::str::FromStr;

use ao::{Id, Message, Quantity};
use serde::de::DeserializeOwned;

use crate::Fault;
use crate::limits::QUOTED_CHARS_MAX;

/// A value from outside as an error message repeats it: shortened, control characters made visible.
pub(crate) fn quoted(value: &str) -> String {
    let mut text: String = value.chars().take(QUOTED_CHARS_MAX).flat_map(char::escape_debug).collect();
    if value.chars().nth(QUOTED_CHARS_MAX).is_some() {
        text.push('…');
    }
    text
}

/// A tag that must be there.
pub(crate) fn required<'a>(message: &'a Message, name: &'static str) -> Result<&'a str, Fault> {
    message.tag(name).ok_or(Fault::MissingTag(name))
}

/// A tag that must be there and be of a type.
pub(crate) fn parsed<T>(message: &Message, name: &'static str) -> Result<T, Fault>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    let value = required(message, name)?;
    value.parse().map_err(|error: T::Err| Fault::BadTag { name, value: quoted(value), reason: error.to_string() })
}

/// A tag that may be absent, and is of a type if it is there.
pub(crate) fn optional<T>(message: &Message, name: &'static str) -> Result<Option<T>, Fault>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    if message.tag(name).is_none() { Ok(None) } else { parsed(message, name).map(Some) }
}

/// The quantity of a transfer: it must be there and more than nothing.
pub(crate) fn quantity(message: &Message) -> Result<Quantity, Fault> {
    let quantity: Quantity = parsed(message, "Quantity")?;
    if quantity.is_zero() {
        let reason = "a quantity must be more than 0".to_owned();
        return Err(Fault::BadTag { name: "Quantity", value: "0".to_owned(), reason });
    }
    Ok(quantity)
}

/// The data as JSON of a type.
pub(crate) fn json<T: DeserializeOwned>(message: &Message) -> Result<T, Fault> {
    serde_json::from_slice(&message.data)
        .map_err(|error| Fault::BadData(format!("it is not the JSON expected ({error})")))
}

/// What AO's clients send as data where none is given: aoconnect in a dry-run and in mainnet mode, and the `Spawn` of aos.
const FILLERS: [&[u8]; 3] = [b"1234", b"1984", b"NODATA"];

/// Whether a message has data of its own.
pub(crate) fn has_data(message: &Message) -> bool {
    let data = message.data.trim_ascii();
    !data.is_empty() && !FILLERS.contains(&data)
}

/// The data as text; an empty one where a client only filled something in.
pub(crate) fn text(message: &Message) -> Result<&str, Fault> {
    if !has_data(message) {
        return Ok("");
    }
    message.text().ok_or_else(|| Fault::BadData("it is not UTF-8 text".to_owned()))
}

/// Only `allowed` may go on.
pub(crate) fn only(message: &Message, allowed: &Id, who: &'static str, action: &'static str) -> Result<(), Fault> {
    if message.from == *allowed { Ok(()) } else { Err(Fault::NotAllowed { action, allowed: who, from: message.from }) }
}
