//! The token process: accounts of whole numbers, transfers with notices to both sides, and a supply that only the owner
//! can make larger. It speaks AO's token standard, so any AO client can use it and any AO process can be paid with it.

mod ledger;
mod reads;
mod supply;
mod transfer;

use ao::{Effects, Message};

use crate::{Env, Fault, Module, Publication, Store};

/// The actions of a token, as an error names them.
const ACTIONS: &str = "Info, Balance, Balances, Total-Supply, Transfer, Mint and Burn";

/// The token module.
#[derive(Debug, Clone, Copy)]
pub struct Token;

impl Module for Token {
    fn name(&self) -> &'static str {
        "token"
    }

    fn spawn(&self, store: &mut Store<'_>, message: &Message, _env: &Env) -> Result<Effects, Fault> {
        ledger::create(store, message)?;
        Ok(Effects::none())
    }

    fn handle(&self, store: &mut Store<'_>, message: &Message, env: &Env) -> Result<Effects, Fault> {
        match message.action() {
            "Info" => reads::info(store, message),
            "Balance" => reads::balance(store, message),
            "Balances" => reads::balances(store, message),
            "Total-Supply" => reads::total_supply(store, message, env),
            "Transfer" => transfer::transfer(store, message),
            "Mint" => supply::mint(store, message, env),
            "Burn" => supply::burn(store, message),
            other => Err(Fault::UnknownAction { action: crate::payload::quoted(other), known: ACTIONS.to_owned() }),
        }
    }

    fn publications(&self) -> &'static [Publication] {
        &[
            Publication { path: &["balances", "*"], action: "Balance", argument: Some("Recipient"), part: None },
            Publication { path: &["balances"], action: "Balances", argument: None, part: None },
            Publication { path: &["total-supply"], action: "Total-Supply", argument: None, part: None },
            Publication { path: &[], action: "Info", argument: None, part: None },
        ]
    }
}
