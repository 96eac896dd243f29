//! What an item from outside must be before it may have a place in the log. Everything that can be refused is refused
//! here, before it is acknowledged.

use ao::{DataItem, Id, Tags};

use crate::error::SubmitError;
use crate::limits;
use crate::runtime::Entry;

/// Characters of a name or value from outside that an error repeats.
const QUOTED_CHARS_MAX: usize = 64;

/// What a well-formed item asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Request {
    /// A message to a process, or to the node.
    Message(Id),
    /// A new process, of the module with this id or name.
    Spawn(String),
}

/// Reads what an item asks for, or says what it lacks. The rules are those of AO's scheduler units.
pub(crate) fn request(item: &DataItem) -> Result<Request, SubmitError> {
    let tags = item.tags();
    forbidden(tags)?;
    if !tags.all("Data-Protocol").any(|protocol| protocol == "ao") {
        return Err(match tags.get("Data-Protocol") {
            Some(other) => bad("Data-Protocol", format!("it is '{}', and this node speaks 'ao'", quoted(other))),
            None => SubmitError::MissingTag("Data-Protocol", "every item for AO carries Data-Protocol=ao"),
        });
    }
    // An item may be of several protocols, each with its own Type: the first that is one of AO's decides.
    let mut types = tags.all("Type").filter(|kind| matches!(*kind, "Message" | "Process"));
    match types.next().or_else(|| tags.get("Type")) {
        Some("Message") => item.target().map(Request::Message).ok_or(SubmitError::NoTarget),
        Some("Process") => {
            let module =
                tags.get("Module").ok_or(SubmitError::MissingTag("Module", "it names what the process runs"))?;
            Ok(Request::Spawn(module.to_owned()))
        }
        Some(other) => Err(bad("Type", format!("it is '{}', and must be Message or Process", quoted(other)))),
        None => Err(SubmitError::MissingTag("Type", "it is Message or Process")),
    }
}

/// A process that is far behind, or stopped, takes nothing more: what is acknowledged must be handled in bounded time.
pub(crate) fn refuse_backlog(entry: &Entry) -> Result<(), SubmitError> {
    let view = entry.view();
    if let Some(reason) = view.stopped {
        return Err(SubmitError::Busy(format!("the process stopped: {reason}")));
    }
    let behind = view.head.saturating_sub(view.progress.applied.unwrap_or(0));
    if behind > limits::PROCESS_BACKLOG_MAX {
        return Err(SubmitError::Busy(format!("the process has {behind} messages to handle")));
    }
    Ok(())
}

/// The milliseconds of a warp.
pub(crate) fn warp_ms(item: &DataItem) -> Result<u64, SubmitError> {
    let value = item.tags().get("Milliseconds").ok_or(SubmitError::MissingTag("Milliseconds", "how far to warp"))?;
    match value.parse::<u64>() {
        Ok(by_ms) if (1..=WARP_MS_MAX).contains(&by_ms) => Ok(by_ms),
        _ => Err(bad("Milliseconds", format!("'{}' is not a number from 1 to {WARP_MS_MAX}", quoted(value)))),
    }
}

/// The longest single warp: a hundred years.
pub(crate) const WARP_MS_MAX: u64 = 100 * 366 * 24 * 3_600_000;

/// Tags that AO's scheduler refuses: `+link` marks links of HyperBEAM, which would be followed on other nodes.
fn forbidden(tags: &Tags) -> Result<(), SubmitError> {
    for tag in tags {
        if tag.name.ends_with("+link") || tag.value.ends_with("+link") {
            return Err(bad(&tag.name, "names and values that end in '+link' are reserved".to_owned()));
        }
    }
    Ok(())
}

fn bad(name: &str, reason: String) -> SubmitError {
    SubmitError::BadTag { name: quoted(name), reason }
}

/// A text from outside as an error repeats it.
pub(crate) fn quoted(text: &str) -> String {
    text.chars().take(QUOTED_CHARS_MAX).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use ao::{Wallet, WalletKind};

    use super::*;

    #[test]
    fn what_an_item_lacks_is_named() {
        let wallet = Wallet::generate(WalletKind::Ed25519).unwrap();
        let target = Some(Id::new([1; 32]));
        let ao = || Tags::new().with("Data-Protocol", "ao");
        for (target, tags, code) in [
            (target, Tags::new(), "missing-tag"),
            (target, Tags::new().with("Data-Protocol", "other").with("Type", "Message"), "bad-tag"),
            (target, ao(), "missing-tag"),
            (target, ao().with("Type", "Assignment"), "bad-tag"),
            (None, ao().with("Type", "Message"), "no-target"),
            (None, ao().with("Type", "Process"), "missing-tag"),
            (target, ao().with("Type", "Message").with("data+link", "x"), "bad-tag"),
            (target, ao().with("Type", "Message").with("Data", "x+link"), "bad-tag"),
        ] {
            let item = DataItem::sign(&wallet, target, None, tags.clone(), Vec::new()).unwrap();
            assert_eq!(request(&item).unwrap_err().code(), code, "{tags:?}");
        }
        let good = DataItem::sign(&wallet, target, None, ao().with("Type", "Message"), Vec::new()).unwrap();
        assert_eq!(request(&good).unwrap(), Request::Message(Id::new([1; 32])));
    }

    #[test]
    fn an_item_may_be_of_another_protocol_too() {
        let wallet = Wallet::generate(WalletKind::Ed25519).unwrap();
        // As aoconnect signs a message of a collection: its own protocol first, then that of AO.
        let collection = Tags::new().with("Data-Protocol", "Collection").with("Type", "Document");
        let tags = collection.with("Data-Protocol", "ao").with("Variant", "ao.TN.1").with("Type", "Message");
        let item = DataItem::sign(&wallet, Some(Id::new([1; 32])), None, tags, Vec::new()).unwrap();
        assert_eq!(request(&item).unwrap(), Request::Message(Id::new([1; 32])));
    }
}
