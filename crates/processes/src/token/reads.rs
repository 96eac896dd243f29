//! What a token can be asked. Each answer goes to the asker as a message, and its data stands in the output as well, for
//! dry-runs.

use ao::{Effects, Id, Message, Outgoing};
use serde_json::json;

use super::ledger;
use crate::limits::{BALANCES_PAGE, BALANCES_PAGE_MAX};
use crate::payload::optional;
use crate::{Env, Fault, Store};

/// What the token is.
pub(super) fn info(store: &Store<'_>, message: &Message) -> Result<Effects, Fault> {
    let token = ledger::description(store)?;
    let data = json!({
        "name": token.name, "ticker": token.ticker, "logo": token.logo, "denomination": token.denomination,
        "supply": token.supply,
    });
    let answer = Outgoing::new(message.from, "Info-Response")
        .tag("Name", &token.name)
        .tag("Ticker", &token.ticker)
        .tag("Logo", &token.logo)
        .tag("Denomination", token.denomination)
        .tag("Supply", token.supply);
    Ok(answered(message, answer, data.to_string()))
}

/// The balance of `Recipient`, or of the asker.
pub(super) fn balance(store: &Store<'_>, message: &Message) -> Result<Effects, Fault> {
    let mut account = message.from;
    for name in ["Recipient", "Target", "Account"] {
        if let Some(named) = optional::<Id>(message, name)? {
            account = named;
            break;
        }
    }
    let balance = ledger::balance(store, &account)?;
    let answer = Outgoing::new(message.from, "Balance-Response")
        .tag("Balance", balance)
        .tag("Ticker", ledger::description(store)?.ticker)
        .tag("Account", account);
    Ok(answered(message, answer, balance.to_string()))
}

/// The balances as a JSON map in the order of the accounts: a page of at most `Limit`, after the account `Cursor`. If
/// there are more, the answer's tag `Cursor` is where the next page begins.
pub(super) fn balances(store: &Store<'_>, message: &Message) -> Result<Effects, Fault> {
    let limit = optional(message, "Limit")?.unwrap_or(BALANCES_PAGE);
    if !(1..=BALANCES_PAGE_MAX).contains(&limit) {
        let reason = format!("a page has 1 to {BALANCES_PAGE_MAX} accounts");
        return Err(Fault::BadTag { name: "Limit", value: limit.to_string(), reason });
    }
    let after = optional::<Id>(message, "Cursor")?.map(|id| id.to_string()).unwrap_or_default();
    let sql = "SELECT account, quantity FROM balances WHERE account > ? ORDER BY account LIMIT ?";
    let mut rows: Vec<(String, String)> = store.all(sql, (after, limit + 1), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let mut answer = Outgoing::new(message.from, "Balances-Response").tag("Ticker", ledger::description(store)?.ticker);
    if let (true, Some((last, _))) = (more, rows.last()) {
        answer.tags.push("Cursor", last);
    }
    let map: serde_json::Map<_, _> = rows.into_iter().map(|(account, quantity)| (account, quantity.into())).collect();
    Ok(answered(message, answer, serde_json::Value::Object(map).to_string()))
}

/// How much there is in all.
pub(super) fn total_supply(store: &Store<'_>, message: &Message, env: &Env) -> Result<Effects, Fault> {
    if message.from == env.process {
        return Err(Fault::Refused("a token cannot ask itself for its Total-Supply".to_owned()));
    }
    let token = ledger::description(store)?;
    let answer = Outgoing::new(message.from, "Total-Supply-Response")
        .tag("Total-Supply", token.supply)
        .tag("Ticker", token.ticker);
    Ok(answered(message, answer, token.supply.to_string()))
}

/// The answer as a message to the asker, with the reference by which it knows its question, and as output.
fn answered(message: &Message, mut answer: Outgoing, data: String) -> Effects {
    if let Some(reference) = message.tag("Reference") {
        answer.tags.push("X-Reference", reference);
    }
    Effects::output(data.clone()).and(answer.data(data))
}
