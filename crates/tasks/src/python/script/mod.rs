//! The part of Python that functions of task files are written in, run without Python: `doc_to_text`, `doc_to_target`,
//! `doc_to_choice` and `process_docs`. A function is taken only if all that it uses is understood; there is nothing outside
//! that it could reach, neither files nor chance nor a clock, and how long it may run is counted.

mod builtins;
mod expression;
mod machine;
mod methods;
mod object;
mod operators;
mod parser;
mod program;
mod tokens;
mod tree;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde_json::{Map, Value};

use self::machine::Machine;
use self::object::Object;
use self::program::Program;

/// A function of a file of Python.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    program: Arc<Program>,
    function: String,
}

impl Script {
    /// Reads a file; fails with what is not understood of the function. One that is not for rows must not change its
    /// document, because another function sees the same.
    pub(crate) fn read(text: &str, function: &str, for_rows: bool) -> Result<Self, String> {
        let program = Program::read(text)?;
        program.check(function, for_rows)?;
        Ok(Self { program: Arc::new(program), function: function.to_owned() })
    }

    /// What the function makes of a document.
    pub(crate) fn value(&self, document: &Map<String, Value>) -> Result<Value, String> {
        let mut machine = Machine::new(Arc::clone(&self.program));
        let document = machine.memory.read(&Value::Object(document.clone()));
        let function = machine.global(&self.function)?;
        let value = machine.call(&function, vec![document], Vec::new())?;
        machine.memory.write(&value)
    }

    /// What the function makes of the rows of a dataset.
    pub(crate) fn rows(&self, documents: Vec<Map<String, Value>>) -> Result<Vec<Map<String, Value>>, String> {
        let mut machine = Machine::new(Arc::clone(&self.program));
        let rows = documents.into_iter().map(|document| machine.memory.read(&Value::Object(document))).collect();
        let function = machine.global(&self.function)?;
        let Object::List(place) = machine.memory.list(rows) else { return Ok(Vec::new()) };
        let made = machine.call(&function, vec![Object::Rows(place)], Vec::new())?;
        let Object::Rows(place) = made else { return Err(format!("it made a {} of a Dataset", made.kind())) };
        let row = |row: &Object| match machine.memory.write(row)? {
            Value::Object(fields) => Ok(fields),
            _ => Err("a row is not a mapping".to_owned()),
        };
        machine.memory.items(place).iter().map(row).collect()
    }
}
