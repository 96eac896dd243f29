//! Transfer: the one way in which money changes hands.

use ao::{Effects, Id, Message, Outgoing, Quantity};

use super::ledger;
use crate::payload::{parsed, quantity};
use crate::{Fault, Store};

/// Moves a quantity from the sender to `Recipient`. Both are told by notices, which carry the `X-` tags of the request,
/// unless the tag `Cast` asks for silence. A sender who has too little is told by a Transfer-Error.
pub(super) fn transfer(store: &mut Store<'_>, message: &Message) -> Result<Effects, Fault> {
    let recipient: Id = parsed(message, "Recipient")?;
    let quantity = quantity(message)?;
    if !ledger::debit(store, &message.from, quantity)? {
        return Ok(insufficient(message, "Transfer-Error"));
    }
    ledger::credit(store, &recipient, quantity)?;
    let effects = Effects::output(format!("Transferred {quantity} to {recipient}"));
    if message.tag("Cast").is_some() {
        return Ok(effects);
    }
    Ok(effects.and(debit_notice(message, &recipient, quantity)).and(credit_notice(message, &recipient, quantity)))
}

/// What the receiver of money is told.
pub(super) fn credit_notice(message: &Message, recipient: &Id, quantity: Quantity) -> Outgoing {
    let text = format!("You received {quantity} from {}", message.from);
    let mut notice = Outgoing::new(*recipient, "Credit-Notice").tag("Sender", message.from).tag("Quantity", quantity);
    notice.tags.extend(message.tags.forwarded().cloned());
    notice.data(text)
}

fn debit_notice(message: &Message, recipient: &Id, quantity: Quantity) -> Outgoing {
    let text = format!("You transferred {quantity} to {recipient}");
    let mut notice = Outgoing::new(message.from, "Debit-Notice").tag("Recipient", recipient).tag("Quantity", quantity);
    notice.tags.extend(message.tags.forwarded().cloned());
    // aos answers a request that carries a Reference with X-Reference, by which the waiting caller knows its answer.
    if let (Some(reference), None) = (message.tag("Reference"), message.tag("X-Reference")) {
        notice.tags.push("X-Reference", reference);
    }
    notice.data(text)
}

/// The answer to a sender who has too little.
pub(super) fn insufficient(message: &Message, action: &str) -> Effects {
    refusal(message, action, "Insufficient Balance!")
}

/// An answer that says why nothing was done, as the token standard words it: the id of the request and the error.
pub(super) fn refusal(message: &Message, action: &str, error: &str) -> Effects {
    let mut answer = Outgoing::new(message.from, action).tag("Message-Id", message.id).tag("Error", error);
    answer.tags.extend(message.tags.forwarded().cloned());
    let mut effects = Effects::message(answer);
    effects.output.error = Some(error.to_owned());
    effects
}
