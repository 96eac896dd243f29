//! The token process.

use ao::{Effects, Message};

use crate::{Env, Fault, Module, Store};

/// The token module.
#[derive(Debug, Clone, Copy)]
pub struct Token;

impl Module for Token {
    fn name(&self) -> &'static str {
        "token"
    }

    fn spawn(&self, _store: &mut Store<'_>, _message: &Message, _env: &Env) -> Result<Effects, Fault> {
        Ok(Effects::none())
    }

    fn handle(&self, _store: &mut Store<'_>, _message: &Message, _env: &Env) -> Result<Effects, Fault> {
        Ok(Effects::none())
    }
}
