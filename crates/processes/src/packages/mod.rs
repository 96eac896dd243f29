//! The packages process: a registry of Lua packages in the manner of APM, which is what `apm` of aos asks.
//!
//! Publishing is free. A vendor (`@name`) belongs to whoever published or registered under it first, a package to its first
//! publisher, and a version is never changed. `@apm` belongs to nobody: anyone may publish there, except the client
//! `@apm/apm` itself, which is the owner's.
//!
//! - `name`: names and versions as they are written.
//! - `publishing`: what changes the registry.
//! - `reading`: what is asked of it; `client.lua` is the client that it gives to an aos process.

pub mod limits;
mod name;
mod publishing;
mod reading;
mod schema;
mod turn;

use ao::{Effects, Message};

use self::turn::Turn;
use crate::payload::quoted;
use crate::{Env, Fault, Module, Publication, Store};

/// The actions of a registry, as an error names them.
const ACTIONS: &str = "Info, APM.Publish, APM.RegisterVendor, APM.Transfer, APM.Download, APM.Search, APM.List, \
                       APM.Popular, APM.Info, APM.VendorOrAddressPackages and APM.Update";

/// The packages module.
#[derive(Debug, Clone, Copy)]
pub struct Packages;

impl Module for Packages {
    fn name(&self) -> &'static str {
        "packages"
    }

    /// The data of the spawn may be a list of packages that the registry begins with, which belong to its owner.
    fn spawn(&self, store: &mut Store<'_>, message: &Message, env: &Env) -> Result<Effects, Fault> {
        schema::create(store)?;
        let mut turn = Turn::new(store, message, env, ());
        publishing::begin_with(&mut turn)?;
        Ok(turn.effects)
    }

    fn handle(&self, store: &mut Store<'_>, message: &Message, env: &Env) -> Result<Effects, Fault> {
        let mut turn = Turn::new(store, message, env, ());
        match act(&mut turn) {
            Ok(()) => Ok(turn.effects),
            Err(fault) if fault.is_of_the_machine() || matches!(fault, Fault::UnknownAction { .. }) => Err(fault),
            // A client that is a process sees only messages. Every handler checks before it changes anything.
            Err(fault) => {
                turn.refuse(&fault);
                Ok(turn.effects)
            }
        }
    }

    fn publications(&self) -> &'static [Publication] {
        &[
            Publication { path: &["packages"], action: "APM.List", argument: None, part: None },
            Publication { path: &[], action: "Info", argument: None, part: None },
        ]
    }
}

fn act(turn: &mut Turn<'_, '_>) -> Result<(), Fault> {
    match turn.message.action() {
        "Info" => reading::summary(turn),
        "APM.Publish" => publishing::publish(turn),
        "APM.RegisterVendor" => publishing::register_vendor(turn),
        "APM.Transfer" => publishing::transfer(turn),
        "APM.Download" => reading::download(turn),
        "APM.Search" => reading::search(turn),
        "APM.List" => reading::list(turn),
        "APM.Popular" | "APM.GetPopular" => reading::popular(turn),
        "APM.Info" => reading::info(turn),
        "APM.VendorOrAddressPackages" => reading::of_vendor_or_owner(turn),
        "APM.Update" => reading::client(turn),
        other => Err(Fault::UnknownAction { action: quoted(other), known: ACTIONS.to_owned() }),
    }
}
