//! The herder process.

pub mod limits;
pub mod wire;

use ao::{Effects, Message};

use crate::{Env, Fault, Module, Store};

/// The herder module.
#[derive(Debug, Clone, Copy)]
pub struct Herder;

impl Module for Herder {
    fn name(&self) -> &'static str {
        "herder"
    }

    fn spawn(&self, _store: &mut Store<'_>, _message: &Message, _env: &Env) -> Result<Effects, Fault> {
        Ok(Effects::none())
    }

    fn handle(&self, _store: &mut Store<'_>, _message: &Message, _env: &Env) -> Result<Effects, Fault> {
        Ok(Effects::none())
    }
}
