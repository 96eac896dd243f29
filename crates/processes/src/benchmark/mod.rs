//! The benchmark process.

use ao::{Effects, Message};

use crate::{Env, Fault, Module, Store};

/// The benchmark module.
#[derive(Debug, Clone, Copy)]
pub struct Benchmark;

impl Module for Benchmark {
    fn name(&self) -> &'static str {
        "benchmark"
    }

    fn spawn(&self, _store: &mut Store<'_>, _message: &Message, _env: &Env) -> Result<Effects, Fault> {
        Ok(Effects::none())
    }

    fn handle(&self, _store: &mut Store<'_>, _message: &Message, _env: &Env) -> Result<Effects, Fault> {
        Ok(Effects::none())
    }
}
