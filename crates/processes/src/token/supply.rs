//! Mint and Burn: the only records that change the supply.

use ao::{Effects, Id, Message, Outgoing};

use super::{ledger, transfer};
use crate::payload::{optional, quantity};
use crate::{Env, Fault, Store};

/// The owner makes new money, for `Recipient` or for itself.
pub(super) fn mint(store: &mut Store<'_>, message: &Message, env: &Env) -> Result<Effects, Fault> {
    if message.from != env.owner {
        let error = format!("Only the owner of this token, {}, can mint.", env.owner);
        return Ok(transfer::refusal(message, "Mint-Error", &error));
    }
    let quantity = quantity(message)?;
    let recipient: Id = optional(message, "Recipient")?.unwrap_or(message.from);
    let Some(supply) = ledger::description(store)?.supply.checked_add(quantity) else {
        return Ok(transfer::refusal(message, "Mint-Error", &ledger::too_much().to_string()));
    };
    ledger::set_supply(store, supply)?;
    ledger::credit(store, &recipient, quantity)?;
    let text = format!("Minted {quantity} for {recipient}");
    let success = Outgoing::new(message.from, "Mint-Success")
        .tag("Recipient", recipient)
        .tag("Quantity", quantity)
        .data(text.clone());
    let effects = Effects::output(text).and(success);
    if recipient == message.from {
        return Ok(effects);
    }
    // A receiver that is a process keeps books by its notices: money that came without one would belong to nobody.
    Ok(effects.and(transfer::credit_notice(message, &recipient, quantity)))
}

/// The sender destroys money of its own.
pub(super) fn burn(store: &mut Store<'_>, message: &Message) -> Result<Effects, Fault> {
    let quantity = quantity(message)?;
    if !ledger::debit(store, &message.from, quantity)? {
        return Ok(transfer::insufficient(message, "Burn-Error"));
    }
    let supply = ledger::description(store)?.supply.checked_sub(quantity).ok_or_else(ledger::too_much)?;
    ledger::set_supply(store, supply)?;
    let text = format!("Burned {quantity}");
    let success = Outgoing::new(message.from, "Burn-Success").tag("Quantity", quantity).data(text.clone());
    Ok(Effects::output(text).and(success))
}
