//! `Read-Data`: the content of an upload, as a message.

use std::io::{Read as _, Seek as _, SeekFrom};

use ao::{Id, Message, Tags};

use super::Answer;
use crate::gateway::Gateway;
use crate::limits::READ_DATA_BYTES_MAX;

pub(super) fn content(message: &Message, gateway: &Gateway) -> Answer {
    let text = message.tag("Data-Tx").ok_or("the tag 'Data-Tx' is missing: it names the data transaction")?;
    let id: Id = text.parse().map_err(|error| format!("the data transaction '{text:.64}' is no id: {error}"))?;
    let stored = gateway.find(&id).map_err(|error| error.to_string())?;
    let stored = stored.ok_or_else(|| format!("there is no data {id} on this node: upload it first"))?;
    let length = stored.data_length;
    if length > READ_DATA_BYTES_MAX {
        return Err(format!(
            "the data {id} has {length} bytes, and a process can read {READ_DATA_BYTES_MAX}: split it"
        ));
    }
    let mut file = stored.open().map_err(|error| error.to_string())?;
    let mut data = Vec::new();
    let read = file.seek(SeekFrom::Start(stored.data_offset)).and_then(|_| file.take(length).read_to_end(&mut data));
    match read {
        Ok(bytes) if bytes as u64 == length => Ok((Tags::new().with("Content-Type", stored.content_type()), data)),
        Ok(_) => Err(format!("the file of {id} is shorter than it was")),
        Err(error) => Err(format!("the data {id} cannot be read: {error}")),
    }
}
