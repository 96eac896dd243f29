//! The two tables of a token: what it is, and who has how much of it.

use std::collections::BTreeMap;
use std::fmt;

use ao::{Id, Message, Quantity};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

use crate::limits::DENOMINATION_MAX;
use crate::{Fault, Store, column};

/// Digits after the point of a whole token where the spawn tags do not say (wrapped AR has as many).
const DENOMINATION_DEFAULT: u32 = 12;

/// Quantities are texts: SQLite's integers hold 64 bits, a quantity has 128.
const TABLES: &str = "
CREATE TABLE token (
    name         TEXT NOT NULL,
    ticker       TEXT NOT NULL,
    denomination INTEGER NOT NULL,
    logo         TEXT NOT NULL,
    supply       TEXT NOT NULL
);
CREATE TABLE balances (
    account  TEXT PRIMARY KEY,
    quantity TEXT NOT NULL
) WITHOUT ROWID;
";

/// What a token is.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) name: String,
    pub(super) ticker: String,
    pub(super) denomination: u32,
    pub(super) logo: String,
    pub(super) supply: Quantity,
}

/// Makes the tables, and fills them with the initial balances that the spawn item's data may carry as a JSON map from
/// address to quantity.
pub(super) fn create(store: &mut Store<'_>, message: &Message) -> Result<(), Fault> {
    let denomination = denomination(message)?;
    let balances = initial_balances(message)?;
    let supply = Quantity::checked_sum(balances.values().copied())
        .ok_or_else(|| Fault::BadData("the initial balances add up to more than 2^128 - 1".to_owned()))?;
    store.execute_batch(TABLES)?;
    let text = |name| message.tag(name).unwrap_or_default();
    store.execute(
        "INSERT INTO token (name, ticker, denomination, logo, supply) VALUES (?, ?, ?, ?, ?)",
        (text("Name"), text("Ticker"), denomination, text("Logo"), supply.to_string()),
    )?;
    for (account, quantity) in &balances {
        set_balance(store, account, *quantity)?;
    }
    Ok(())
}

fn denomination(message: &Message) -> Result<u32, Fault> {
    let denomination = crate::payload::optional(message, "Denomination")?.unwrap_or(DENOMINATION_DEFAULT);
    if denomination > DENOMINATION_MAX {
        let reason = format!("at most {DENOMINATION_MAX} digits fit behind the point");
        return Err(Fault::BadTag { name: "Denomination", value: denomination.to_string(), reason });
    }
    Ok(denomination)
}

fn initial_balances(message: &Message) -> Result<BTreeMap<Id, Quantity>, Fault> {
    if !crate::payload::has_data(message) {
        return Ok(BTreeMap::new());
    }
    crate::payload::json::<InitialBalances>(message).map(|InitialBalances(balances)| balances)
}

/// A JSON map from address to quantity in which an address that is named twice is an error, and not the last one silently
/// winning.
struct InitialBalances(BTreeMap<Id, Quantity>);

impl<'de> Deserialize<'de> for InitialBalances {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(InitialBalancesVisitor)
    }
}

struct InitialBalancesVisitor;

impl<'de> Visitor<'de> for InitialBalancesVisitor {
    type Value = InitialBalances;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a map from address to quantity, each quantity a text as \"1000\"")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InitialBalances, A::Error> {
        let mut balances = BTreeMap::new();
        while let Some((account, quantity)) = map.next_entry::<Id, Quantity>()? {
            if balances.insert(account, quantity).is_some() {
                return Err(serde::de::Error::custom(format!("the address {account} is named twice")));
            }
        }
        Ok(InitialBalances(balances))
    }
}

/// What the token is.
pub(super) fn description(store: &Store<'_>) -> Result<Description, Fault> {
    let found = store.first("SELECT name, ticker, denomination, logo, supply FROM token", (), |row| {
        Ok(Description {
            name: row.get(0)?,
            ticker: row.get(1)?,
            denomination: row.get(2)?,
            logo: row.get(3)?,
            supply: column::parsed(row, 4)?,
        })
    })?;
    found.ok_or(Fault::NotFound { what: "token", name: "description".to_owned() })
}

/// What an account has.
pub(super) fn balance(store: &Store<'_>, account: &Id) -> Result<Quantity, Fault> {
    let sql = "SELECT quantity FROM balances WHERE account = ?";
    let found = store.first(sql, [account.to_string()], |row| column::parsed(row, 0))?;
    Ok(found.unwrap_or_default())
}

/// Takes from an account; whether it had enough. If it had not, nothing changes.
pub(super) fn debit(store: &mut Store<'_>, account: &Id, quantity: Quantity) -> Result<bool, Fault> {
    let Some(rest) = balance(store, account)?.checked_sub(quantity) else { return Ok(false) };
    set_balance(store, account, rest)?;
    Ok(true)
}

/// Gives to an account.
pub(super) fn credit(store: &mut Store<'_>, account: &Id, quantity: Quantity) -> Result<(), Fault> {
    // A balance is never more than the supply, and the supply is checked where it grows.
    let sum = balance(store, account)?.checked_add(quantity).ok_or_else(too_much)?;
    set_balance(store, account, sum)
}

/// Sets the supply.
pub(super) fn set_supply(store: &mut Store<'_>, supply: Quantity) -> Result<(), Fault> {
    store.execute("UPDATE token SET supply = ?", [supply.to_string()])?;
    Ok(())
}

/// The fault of a sum that does not fit.
pub(super) fn too_much() -> Fault {
    Fault::Refused("the supply would be more than 2^128 - 1, the most that this token can hold".to_owned())
}

/// An account with nothing has no row, so that dust accounts do not pile up.
fn set_balance(store: &mut Store<'_>, account: &Id, quantity: Quantity) -> Result<(), Fault> {
    if quantity.is_zero() {
        store.execute("DELETE FROM balances WHERE account = ?", [account.to_string()])?;
    } else {
        let sql = "INSERT INTO balances (account, quantity) VALUES (?, ?)
                   ON CONFLICT (account) DO UPDATE SET quantity = excluded.quantity";
        store.execute(sql, (account.to_string(), quantity.to_string()))?;
    }
    Ok(())
}
