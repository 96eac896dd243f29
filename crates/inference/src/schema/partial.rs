//! A document that is being written: what is open, from the outermost to the innermost, and what each byte does to it.

use std::sync::Arc;

use super::Compiled;
use super::node::{Node, NodeId, Nodes, Property};
use super::number::Digits;
use super::text::{Text, TextStep};

/// What is written of a document that fits a schema. Every beginning that it takes can be ended.
#[derive(Debug, Clone)]
pub struct Partial {
    schema: Arc<Compiled>,
    open: Vec<Frame>,
}

/// A value that has begun and not ended, or is to begin.
#[derive(Debug, Clone, Copy)]
enum Frame {
    /// It is to begin; whether a space may come before it.
    Value(NodeId, bool),
    /// One of the texts from one place to another, of which so many bytes are written.
    Literal {
        node: NodeId,
        low: usize,
        high: usize,
        written: usize,
    },
    Number(NodeId, Digits),
    Text(Text),
    /// A list with so many items, of which the last may be open.
    Array {
        node: NodeId,
        items: u32,
        step: Step,
    },
    /// An object; the next property that may come.
    Object {
        node: NodeId,
        next: usize,
        step: Step,
    },
    /// An object with names of its own, and how many it has.
    Map {
        node: NodeId,
        entries: u32,
        step: Step,
    },
}

/// Where a list or an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// After its opening bracket.
    Opened,
    /// After a comma; whether a space may come.
    Comma(bool),
    /// In the name of a property: one that begins so, and how many bytes are written.
    Key(usize, usize),
    /// After a name.
    Colon,
    /// After a value, if that is not open.
    Entry,
}

/// What a byte does to the innermost frame.
enum Outcome {
    /// It goes on as this.
    Goes(Frame),
    /// It goes on as the first, with the second in it.
    Opens(Frame, Frame),
    /// It is another frame, which takes the byte.
    Is(Frame),
    /// It goes on as the first, with the second in it, which takes the byte.
    Holds(Frame, Frame),
    /// It ends with the byte.
    Ends,
    /// It has ended before the byte.
    Ended,
    Refused,
}

use Outcome::{Ended, Ends, Goes, Holds, Is, Opens, Refused};

impl Partial {
    pub(super) fn new(schema: Arc<Compiled>) -> Self {
        let open = vec![Frame::Value(schema.root, true)];
        Self { schema, open }
    }

    /// The document with more bytes, if they may follow.
    pub fn after(&self, bytes: &[u8]) -> Option<Self> {
        let mut next = self.clone();
        bytes.iter().all(|&byte| next.take(byte)).then_some(next)
    }

    /// Whether the document is whole and nothing can follow.
    pub fn is_whole(&self) -> bool {
        self.open.is_empty()
    }

    /// Whether the document may end here. A number that is a whole document may end and may have more digits.
    pub fn may_end(&self) -> bool {
        match self.open.as_slice() {
            [] => true,
            [Frame::Number(node, digits)] => self.number_may_end(*node, digits),
            [Frame::Literal { node, low, written, .. }] => self.literal(*node, *low).len() == *written,
            _ => false,
        }
    }

    /// The bytes that may come next, as a table.
    pub fn next_bytes(&self) -> [bool; 256] {
        let mut table = [false; 256];
        for (byte, may_come) in (0..=u8::MAX).zip(&mut table) {
            *may_come = self.clone().take(byte);
        }
        table
    }

    /// Few bytes with which the document is whole. With each of them there are fewer left.
    pub fn ending(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for frame in self.open.iter().rev() {
            self.end(frame, &mut bytes);
        }
        bytes
    }

    fn nodes(&self) -> &Nodes {
        &self.schema.nodes
    }

    fn literal(&self, node: NodeId, place: usize) -> &str {
        match self.nodes().node(node) {
            Some(Node::Literal(texts)) => texts.get(place).map_or("", String::as_str),
            _ => "",
        }
    }

    fn number_may_end(&self, node: NodeId, digits: &Digits) -> bool {
        matches!(self.nodes().node(node), Some(Node::Number(range)) if range.may_end(digits))
    }

    fn properties(&self, node: NodeId) -> &[Property] {
        match self.nodes().node(node) {
            Some(Node::Object(properties)) => properties,
            _ => &[],
        }
    }

    /// Takes a byte. After `false` the document is of no use.
    fn take(&mut self, byte: u8) -> bool {
        loop {
            let Some(&frame) = self.open.last() else { return false };
            let outcome = self.outcome(frame, byte);
            self.open.pop();
            match outcome {
                Goes(frame) => self.open.push(frame),
                Opens(outer, inner) => self.open.extend([outer, inner]),
                Is(frame) => {
                    self.open.push(frame);
                    continue;
                }
                Holds(outer, inner) => {
                    self.open.extend([outer, inner]);
                    continue;
                }
                Ends => {}
                Ended => continue,
                Refused => return false,
            }
            return true;
        }
    }

    fn outcome(&self, frame: Frame, byte: u8) -> Outcome {
        match frame {
            Frame::Value(node, true) if byte == b' ' => Goes(Frame::Value(node, false)),
            Frame::Value(node, _) => self.begin(node, byte),
            Frame::Literal { node, low, high, written } => self.in_literal(node, low, high, written, byte),
            Frame::Number(node, digits) => match self.nodes().node(node) {
                Some(Node::Number(range)) => match range.with(&digits, byte) {
                    Some(digits) => Goes(Frame::Number(node, digits)),
                    None if range.may_end(&digits) => Ended,
                    None => Refused,
                },
                _ => Refused,
            },
            Frame::Text(mut text) => match text.step(byte) {
                TextStep::Goes => Goes(Frame::Text(text)),
                TextStep::Ends => Ends,
                TextStep::Refused => Refused,
            },
            Frame::Array { node, items, step } => self.in_array(node, items, step, byte),
            Frame::Object { node, next, step } => self.in_object(node, next, step, byte),
            Frame::Map { node, entries, step } => self.in_map(node, entries, step, byte),
        }
    }

    /// The first byte of a value.
    fn begin(&self, node: NodeId, byte: u8) -> Outcome {
        let step = Step::Opened;
        match (self.nodes().node(node), byte) {
            (Some(Node::Either(nodes)), _) => {
                let chosen = nodes.iter().find(|&&node| self.nodes().begins_with(node, byte));
                chosen.map_or(Refused, |&node| Is(Frame::Value(node, false)))
            }
            (Some(Node::Literal(texts)), _) => Is(Frame::Literal { node, low: 0, high: texts.len(), written: 0 }),
            (Some(Node::Number(_)), _) => Is(Frame::Number(node, Digits::default())),
            (Some(Node::Text(least, most)), b'"') => Goes(Frame::Text(Text::new(*least, *most))),
            (Some(Node::Array(..)), b'[') => Goes(Frame::Array { node, items: 0, step }),
            (Some(Node::Object(_)), b'{') => Goes(Frame::Object { node, next: 0, step }),
            (Some(Node::Map(..)), b'{') => Goes(Frame::Map { node, entries: 0, step }),
            _ => Refused,
        }
    }

    fn in_literal(&self, node: NodeId, low: usize, high: usize, written: usize, byte: u8) -> Outcome {
        let fits = |place: &usize| self.literal(node, *place).as_bytes().get(written) == Some(&byte);
        let mut fitting = (low..high).filter(fits);
        let Some(first) = fitting.next() else {
            // Only a number can be the beginning of another.
            let may_end = written > 0 && self.literal(node, low).len() == written;
            return if may_end { Ended } else { Refused };
        };
        let last = fitting.next_back().unwrap_or(first);
        let written = written + 1;
        let ends = first == last && self.literal(node, first).len() == written;
        if ends && !byte.is_ascii_digit() {
            return Ends;
        }
        Goes(Frame::Literal { node, low: first, high: last + 1, written })
    }

    fn in_array(&self, node: NodeId, items: u32, step: Step, byte: u8) -> Outcome {
        let Some(&Node::Array(item, least, most)) = self.nodes().node(node) else { return Refused };
        let entry = Frame::Array { node, items: items + 1, step: Step::Entry };
        match (step, byte) {
            (Step::Opened | Step::Entry, b']') if items >= least => Ends,
            (Step::Opened, _) if items < most => Holds(entry, Frame::Value(item, false)),
            (Step::Entry, b',') if items < most => Opens(entry, Frame::Value(item, true)),
            _ => Refused,
        }
    }

    fn in_object(&self, node: NodeId, next: usize, step: Step, byte: u8) -> Outcome {
        let properties = self.properties(node);
        let rest = properties.get(next..).unwrap_or(&[]);
        let may_close = !rest.iter().any(|property| property.is_required);
        let object = |next, step| Frame::Object { node, next, step };
        match (step, byte) {
            (Step::Opened | Step::Entry, b'}') if may_close => Ends,
            (Step::Opened | Step::Comma(_), b'"') if !rest.is_empty() => Goes(object(next, Step::Key(next, 1))),
            (Step::Entry, b',') if !rest.is_empty() => Goes(object(next, Step::Comma(true))),
            (Step::Comma(true), b' ') => Goes(object(next, Step::Comma(false))),
            (Step::Key(place, written), _) => {
                let begun = properties.get(place).and_then(|property| property.key.as_bytes().get(..written));
                let fits = |place: &usize| {
                    let key = properties.get(*place).map_or(&[][..], |property| property.key.as_bytes());
                    key.get(..written) == begun && key.get(written) == Some(&byte)
                };
                let Some(place) = self.nameable(node, next).find(fits) else { return Refused };
                let written = written + 1;
                let is_whole = properties.get(place).is_some_and(|property| property.key.len() == written);
                if is_whole { Goes(object(place, Step::Colon)) } else { Goes(object(next, Step::Key(place, written))) }
            }
            (Step::Colon, b':') => match properties.get(next) {
                Some(property) => Opens(object(next + 1, Step::Entry), Frame::Value(property.value, true)),
                None => Refused,
            },
            _ => Refused,
        }
    }

    /// The properties that may come next: all up to the first that must.
    fn nameable(&self, node: NodeId, next: usize) -> impl Iterator<Item = usize> {
        let properties = self.properties(node);
        let required = (next..properties.len()).find(|&place| properties.get(place).is_some_and(|p| p.is_required));
        next..required.map_or(properties.len(), |place| place + 1)
    }

    fn in_map(&self, node: NodeId, entries: u32, step: Step, byte: u8) -> Outcome {
        let Some(&Node::Map(value, most)) = self.nodes().node(node) else { return Refused };
        let map = |entries, step| Frame::Map { node, entries, step };
        match (step, byte) {
            (Step::Opened | Step::Entry, b'}') => Ends,
            (Step::Opened | Step::Comma(_), b'"') if entries < most => {
                Opens(map(entries, Step::Colon), Frame::Text(Text::new(0, crate::limits::SCHEMA_NAME_CHARACTERS_MAX)))
            }
            (Step::Colon, b':') => Opens(map(entries + 1, Step::Entry), Frame::Value(value, true)),
            (Step::Entry, b',') if entries < most => Goes(map(entries, Step::Comma(true))),
            (Step::Comma(true), b' ') => Goes(map(entries, Step::Comma(false))),
            _ => Refused,
        }
    }

    /// The fewest bytes that end a frame in which nothing is open.
    fn end(&self, frame: &Frame, bytes: &mut Vec<u8>) {
        match frame {
            Frame::Value(node, _) => bytes.extend_from_slice(self.nodes().shortest(*node)),
            Frame::Literal { node, low, high, written } => {
                let texts = (*low..*high).map(|place| self.literal(*node, place));
                let shortest = texts.min_by_key(|text| text.len()).unwrap_or_default();
                bytes.extend_from_slice(shortest.as_bytes().get(*written..).unwrap_or_default());
            }
            Frame::Number(node, digits) => {
                if let Some(Node::Number(range)) = self.nodes().node(*node) {
                    bytes.extend_from_slice(range.rest(digits).unwrap_or_default().as_bytes());
                }
            }
            Frame::Text(text) => text.rest(bytes),
            Frame::Array { node, items, step } => {
                if let Some(&Node::Array(item, least, _)) = self.nodes().node(*node) {
                    self.nodes().rest_of_array(item, least.saturating_sub(*items), *step == Step::Opened, bytes);
                }
            }
            Frame::Object { node, next, step } => self.end_object(*node, *next, *step, bytes),
            Frame::Map { node, step, .. } => {
                if let Some(&Node::Map(value, _)) = self.nodes().node(*node) {
                    let (before, value): (&[u8], _) = match step {
                        Step::Opened | Step::Entry => (b"", &[][..]),
                        Step::Colon => (b":", self.nodes().shortest(value)),
                        Step::Comma(_) | Step::Key(..) => (b"\"\":", self.nodes().shortest(value)),
                    };
                    bytes.extend([before, value, b"}"].concat());
                }
            }
        }
    }

    fn end_object(&self, node: NodeId, next: usize, step: Step, bytes: &mut Vec<u8>) {
        let properties = self.properties(node);
        // With the property at `place`, of whose name so many bytes are written.
        let with = |place: usize, written: usize| {
            let mut bytes = Vec::new();
            let property = properties.get(place)?;
            bytes.extend_from_slice(property.key.as_bytes().get(written..)?);
            bytes.push(b':');
            bytes.extend_from_slice(self.nodes().shortest(property.value));
            self.nodes().rest_of_object(properties.get(place + 1..)?, false, &mut bytes);
            Some(bytes)
        };
        let shortest = match step {
            Step::Opened | Step::Entry => {
                let rest = properties.get(next..).unwrap_or(&[]);
                return self.nodes().rest_of_object(rest, step == Step::Opened, bytes);
            }
            Step::Comma(_) => self.nameable(node, next).filter_map(|place| with(place, 0)).min_by_key(Vec::len),
            Step::Key(place, written) => {
                let begun = properties.get(place).and_then(|property| property.key.as_bytes().get(..written));
                let alike = |place: &usize| {
                    properties.get(*place).is_some_and(|property| property.key.as_bytes().get(..written) == begun)
                };
                let places = self.nameable(node, next).filter(alike);
                places.filter_map(|place| with(place, written)).min_by_key(Vec::len)
            }
            Step::Colon => {
                let written = properties.get(next).map_or(0, |property| property.key.len());
                with(next, written)
            }
        };
        bytes.extend(shortest.unwrap_or_default());
    }
}
