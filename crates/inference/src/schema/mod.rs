//! Documents in JSON that fit a schema, byte by byte: which bytes may come next, whether the document may end, and how it
//! is ended with the fewest bytes.
//!
//! With the last of these a generation that runs out of room is led to its end, so that an output is a whole document that
//! fits its schema whatever the model would rather say and however few tokens it is given (`llama::forced`). Grammars of
//! llama.cpp and llguidance stop in the middle there, and pass over what they do not know; here, what is not supported is
//! refused by its name. There is one way from the beginning to each byte, so a step costs no search.
//!
//! Of JSON Schema these parts are known:
//! - `type` (one or several), `enum`, `const`, `anyOf` and `oneOf` of alternatives that begin differently, `allOf` of one,
//!   `$ref` to `$defs` or `definitions` without recursion;
//! - objects: `properties` (written in their order), `required`, `additionalProperties` (where there are no properties: an
//!   object with names of its own);
//! - lists: `items`, `minItems`, `maxItems`;
//! - strings: `minLength`, `maxLength`;
//! - numbers: `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`; whole ones and those with six decimals.
//!
//! A document has no white space but single spaces before it and after `:` and `,`.

mod node;
mod number;
mod partial;
mod read;
mod text;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::node::{NodeId, Nodes};
pub use self::partial::Partial;
use crate::limits::SCHEMA_BYTES_MAX;

/// A schema whose documents can be written. On the wire it is the JSON that it was read from.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub struct Schema {
    source: Arc<Value>,
    compiled: Arc<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    nodes: Nodes,
    root: NodeId,
}

/// Why a schema is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// A part of JSON Schema that is not known here.
    #[error("the schema {at} has '{what}', which is not supported")]
    Unsupported {
        /// Where it stands.
        at: String,
        /// The keyword or value.
        what: String,
    },
    /// A part that is no schema, or that no document fits, or that is too large.
    #[error("the schema {at}: {reason}")]
    Unusable {
        /// Where it stands.
        at: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl Schema {
    /// Reads a schema.
    ///
    /// # Errors
    /// [`SchemaError`] if it is none, says something that is not supported, or is fitted by no document.
    pub fn new(source: Value) -> Result<Self, SchemaError> {
        if source.to_string().len() > SCHEMA_BYTES_MAX {
            let reason = format!("it has more than {SCHEMA_BYTES_MAX} bytes");
            return Err(SchemaError::Unusable { at: read::ROOT.to_owned(), reason });
        }
        let (nodes, root) = read::read(&source)?;
        Ok(Self { source: Arc::new(source), compiled: Arc::new(Compiled { nodes, root }) })
    }

    /// Any object.
    ///
    /// # Errors
    /// None that can be met.
    pub fn any_object() -> Result<Self, SchemaError> {
        Self::new(json!({ "type": "object" }))
    }

    /// A document of which nothing is written yet.
    pub fn begin(&self) -> Partial {
        Partial::new(Arc::clone(&self.compiled))
    }

    /// Whether a text is a document that fits, written as it is written here.
    pub fn fits(&self, text: &str) -> bool {
        self.begin().after(text.as_bytes()).is_some_and(|partial| partial.may_end())
    }
}

impl PartialEq for Schema {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Schema {}

impl TryFrom<Value> for Schema {
    type Error = SchemaError;

    fn try_from(source: Value) -> Result<Self, SchemaError> {
        Self::new(source)
    }
}

impl From<Schema> for Value {
    fn from(schema: Schema) -> Self {
        Arc::unwrap_or_clone(schema.source)
    }
}

#[cfg(test)]
mod tests;
