//! A schema as what a document is written by: nodes that come after those they are made of, so that nothing is recursive.

use super::SchemaError;
use super::number::{Digits, Range};
use super::read::place;
use super::text::Text;
use crate::limits::{SCHEMA_DEPTH_MAX, SCHEMA_NODES_MAX, SCHEMA_SHORTEST_BYTES_MAX};

/// The place of a node among its nodes.
pub(super) type NodeId = usize;

/// What a value may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// One of these texts, in order; none is empty.
    Literal(Vec<String>),
    /// A number.
    Number(Range),
    /// A string: characters that it must and may have.
    Text(u32, u32),
    /// A list: what its items are, and how many it must and may have.
    Array(NodeId, u32, u32),
    /// An object with these properties, in their order.
    Object(Vec<Property>),
    /// An object with names of its own: what its values are, and how many it may have.
    Map(NodeId, u32),
    /// One of several, each of which begins with another byte.
    Either(Vec<NodeId>),
}

/// A property of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Property {
    /// Its name as JSON, in quotes.
    pub(super) key: String,
    pub(super) value: NodeId,
    pub(super) is_required: bool,
}

/// The nodes of a schema.
#[derive(Debug, Default)]
pub(super) struct Nodes {
    nodes: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    node: Node,
    /// The shortest text of it.
    shortest: Vec<u8>,
    /// The bytes with which it may begin, all of ASCII, as bits.
    begins: u128,
    /// How deep lists and objects lie in it.
    depth: u32,
}

impl Nodes {
    pub(super) fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id).map(|known| &known.node)
    }

    pub(super) fn shortest(&self, id: NodeId) -> &[u8] {
        self.nodes.get(id).map_or(&[], |known| &known.shortest)
    }

    pub(super) fn begins_with(&self, id: NodeId, byte: u8) -> bool {
        self.begins(id) & bit(byte) != 0
    }

    fn begins(&self, id: NodeId) -> u128 {
        self.nodes.get(id).map_or(0, |known| known.begins)
    }

    fn depth(&self, id: NodeId) -> u32 {
        self.nodes.get(id).map_or(0, |known| known.depth)
    }

    /// Adds a node. `at` is where it stands in the schema.
    pub(super) fn add(&mut self, node: Node, at: &str) -> Result<NodeId, SchemaError> {
        let refused = |reason: String| SchemaError::Unusable { at: place(at), reason };
        if self.nodes.len() == SCHEMA_NODES_MAX {
            return Err(refused(format!("the schema has more than {SCHEMA_NODES_MAX} parts")));
        }
        let (depth, begins) = match &node {
            Node::Literal(texts) => {
                (0, texts.iter().filter_map(|text| text.bytes().next()).fold(0, |all, byte| all | bit(byte)))
            }
            Node::Number(range) => {
                let starts = |byte: &u8| range.with(&Digits::default(), *byte).is_some();
                (0, b"-0123456789".iter().filter(|byte| starts(byte)).fold(0, |all, byte| all | bit(*byte)))
            }
            Node::Text(..) => (0, bit(b'"')),
            Node::Array(item, ..) => (self.depth(*item) + 1, bit(b'[')),
            Node::Map(value, _) => (self.depth(*value) + 1, bit(b'{')),
            Node::Object(properties) => {
                let deepest = properties.iter().map(|property| self.depth(property.value)).max().unwrap_or(0);
                (deepest + 1, bit(b'{'))
            }
            Node::Either(nodes) => {
                let mut begins = 0;
                for &node in nodes {
                    if begins & self.begins(node) != 0 {
                        let reason = "alternatives must begin differently (a string, a number, an object, …), so that \
                                      the first byte tells which one it is";
                        return Err(refused(reason.to_owned()));
                    }
                    begins |= self.begins(node);
                }
                (nodes.iter().map(|&node| self.depth(node)).max().unwrap_or(0), begins)
            }
        };
        if depth > SCHEMA_DEPTH_MAX {
            return Err(refused(format!("lists and objects lie more than {SCHEMA_DEPTH_MAX} deep")));
        }
        let shortest = self.shortest_of(&node);
        let shortest = shortest
            .ok_or_else(|| refused(format!("its shortest document has more than {SCHEMA_SHORTEST_BYTES_MAX} bytes")))?;
        self.nodes.push(Known { node, shortest, begins, depth });
        Ok(self.nodes.len() - 1)
    }

    /// The shortest text of a node; `None` if that is too long.
    fn shortest_of(&self, node: &Node) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        match node {
            Node::Literal(texts) => bytes.extend_from_slice(texts.iter().min_by_key(|text| text.len())?.as_bytes()),
            Node::Number(range) => bytes.extend_from_slice(range.rest(&Digits::default())?.as_bytes()),
            Node::Text(least, most) => {
                bytes.push(b'"');
                if *least as usize > SCHEMA_SHORTEST_BYTES_MAX {
                    return None;
                }
                Text::new(*least, *most).rest(&mut bytes);
            }
            Node::Array(item, least, _) => {
                bytes.push(b'[');
                if (*least as usize).saturating_mul(self.shortest(*item).len() + 1) > SCHEMA_SHORTEST_BYTES_MAX {
                    return None;
                }
                self.rest_of_array(*item, *least, true, &mut bytes);
            }
            Node::Object(properties) => {
                bytes.push(b'{');
                self.rest_of_object(properties, true, &mut bytes);
            }
            Node::Map(..) => bytes.extend_from_slice(b"{}"),
            Node::Either(nodes) => {
                bytes.extend_from_slice(nodes.iter().map(|&node| self.shortest(node)).min_by_key(|text| text.len())?);
            }
        }
        (bytes.len() <= SCHEMA_SHORTEST_BYTES_MAX).then_some(bytes)
    }

    /// So many more items and the end of a list.
    pub(super) fn rest_of_array(&self, item: NodeId, more: u32, is_first: bool, bytes: &mut Vec<u8>) {
        for place in 0..more {
            if place > 0 || !is_first {
                bytes.push(b',');
            }
            bytes.extend_from_slice(self.shortest(item));
        }
        bytes.push(b']');
    }

    /// Those of these properties that are required, and the end of the object.
    pub(super) fn rest_of_object(&self, properties: &[Property], is_first: bool, bytes: &mut Vec<u8>) {
        let mut is_first = is_first;
        for property in properties.iter().filter(|property| property.is_required) {
            if !is_first {
                bytes.push(b',');
            }
            is_first = false;
            bytes.extend_from_slice(property.key.as_bytes());
            bytes.push(b':');
            bytes.extend_from_slice(self.shortest(property.value));
        }
        bytes.push(b'}');
    }
}

fn bit(byte: u8) -> u128 {
    if byte < 128 { 1 << byte } else { 0 }
}
