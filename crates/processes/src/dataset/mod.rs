//! The dataset process.

use ao::{Effects, Message};

use crate::{Env, Fault, Module, Store};

/// The dataset module.
#[derive(Debug, Clone, Copy)]
pub struct Dataset;

impl Module for Dataset {
    fn name(&self) -> &'static str {
        "dataset"
    }

    fn spawn(&self, _store: &mut Store<'_>, _message: &Message, _env: &Env) -> Result<Effects, Fault> {
        Ok(Effects::none())
    }

    fn handle(&self, _store: &mut Store<'_>, _message: &Message, _env: &Env) -> Result<Effects, Fault> {
        Ok(Effects::none())
    }
}
