//! What a record of the log holds beside its place, as bytes: a form, then fields in a fixed order, each variable one
//! preceded by its length.

use ao::{DataItem, Id, Message, MessageKind, Tag, Tags};

use super::Logged;
use crate::authority;

/// What a record holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    /// A signed item, as it came.
    Item {
        /// Who speaks, decided by the node when the item came.
        from: Id,
        /// The message from outside that began the chain.
        pushed_for: Id,
        /// The item.
        item: Vec<u8>,
    },
    /// A message that this node wrote for a process, or for itself.
    Pushed(Pushed),
    /// A tick of the clock.
    Tick(Tick),
    /// A message that was sent to another process.
    Assigned(Assigned),
}

/// A message that this node wrote for a process, or for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pushed {
    /// Who speaks.
    pub from: Id,
    /// The slot of the sender in which it was sent; 0 if the node speaks.
    pub slot: u64,
    /// Its place among the messages of that slot.
    pub index: u32,
    /// The message from outside that began the chain.
    pub pushed_for: Id,
    /// How many pushed messages the chain has with this one.
    pub hops: u8,
    /// The anchor that its sender gave it, or nothing.
    pub anchor: String,
    /// Its tags.
    pub tags: Tags,
    /// Its data.
    pub data: Vec<u8>,
}

/// A tick of the clock of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tick {
    /// Which clock of the process.
    pub name: String,
    /// The action of its message.
    pub action: String,
    /// When it was due, milliseconds since 1970; the last of them if several were missed.
    pub due_ms: u64,
    /// How many ticks it stands for.
    pub count: u64,
}

/// A message that was sent to another process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assigned {
    /// Whom it was sent to.
    pub target: Id,
    /// How many pushed messages the chain has with this one.
    pub hops: u8,
    /// What of it is not given.
    pub left_out: LeftOut,
    /// The record that holds it there, encoded.
    pub record: Vec<u8>,
}

/// Fields of a message that an assignment leaves out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// Its data.
    pub data: bool,
    /// Its tags.
    pub tags: bool,
    /// Its anchor.
    pub anchor: bool,
}

const FORM_ITEM: u8 = 1;
const FORM_PUSHED: u8 = 2;
const FORM_TICK: u8 = 3;
const FORM_ASSIGNED: u8 = 4;
/// A pushed message with an anchor, which most have not.
const FORM_ANCHORED: u8 = 5;

impl Body {
    /// The bytes of a record.
    pub(crate) fn encode(&self) -> Vec<u8> {
        match self {
            Self::Item { from, pushed_for, item } => {
                let mut bytes = Vec::with_capacity(65 + item.len());
                bytes.push(FORM_ITEM);
                bytes.extend_from_slice(from.as_bytes());
                bytes.extend_from_slice(pushed_for.as_bytes());
                bytes.extend_from_slice(item);
                bytes
            }
            Self::Pushed(pushed) => pushed.encode(),
            Self::Assigned(assigned) => {
                let mut bytes = vec![FORM_ASSIGNED, assigned.hops, assigned.left_out.bits()];
                bytes.extend_from_slice(assigned.target.as_bytes());
                bytes.extend_from_slice(&assigned.record);
                bytes
            }
            Self::Tick(tick) => {
                let mut bytes = vec![FORM_TICK];
                bytes.extend_from_slice(&tick.due_ms.to_le_bytes());
                bytes.extend_from_slice(&tick.count.to_le_bytes());
                put(&mut bytes, tick.name.as_bytes());
                put(&mut bytes, tick.action.as_bytes());
                bytes
            }
        }
    }

    /// A record from its bytes, or what is wrong with them.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let mut fields = Fields(bytes);
        match fields.byte()? {
            FORM_ITEM => {
                let (from, pushed_for) = (fields.id()?, fields.id()?);
                Ok(Self::Item { from, pushed_for, item: fields.0.to_vec() })
            }
            form @ (FORM_PUSHED | FORM_ANCHORED) => {
                Ok(Self::Pushed(Pushed::decode(&mut fields, form == FORM_ANCHORED)?))
            }
            FORM_TICK => {
                let (due_ms, count) = (fields.number()?, fields.number()?);
                Ok(Self::Tick(Tick { name: fields.text()?, action: fields.text()?, due_ms, count }))
            }
            FORM_ASSIGNED => {
                let (hops, left_out, target) = (fields.byte()?, LeftOut::of_bits(fields.byte()?), fields.id()?);
                Ok(Self::Assigned(Assigned { target, hops, left_out, record: fields.0.to_vec() }))
            }
            form => Err(format!("its form {form} is unknown; it may have been written by a newer version")),
        }
    }

    /// A record of a message that somebody sent: not a tick, and not itself an assignment.
    fn decode_sent(bytes: &[u8]) -> Result<Self, String> {
        match Self::decode(bytes)? {
            sent @ (Self::Item { .. } | Self::Pushed(_)) => Ok(sent),
            Self::Tick(_) | Self::Assigned(_) => Err("it assigns what is no message".to_owned()),
        }
    }

    /// How many pushed messages the chain has up to this one.
    pub(crate) const fn hops(&self) -> u8 {
        match self {
            Self::Pushed(pushed) => pushed.hops,
            Self::Assigned(assigned) => assigned.hops,
            Self::Item { .. } | Self::Tick(_) => 0,
        }
    }

    /// The message as its receiver is given it.
    pub(crate) fn into_message(self, logged: &Logged) -> Result<Message, String> {
        let mut message = Message {
            id: logged.identity,
            from: logged.stream.id,
            owner: logged.stream.id,
            target: logged.stream.id,
            kind: logged.kind,
            slot: logged.slot,
            timestamp_ms: logged.timestamp_ms,
            block_height: logged.block_height,
            pushed_for: logged.identity,
            anchor: String::new(),
            tags: Tags::new(),
            data: Vec::new(),
            read_only: false,
        };
        match self {
            Self::Item { from, pushed_for, item } => {
                let item = DataItem::parse(&item).map_err(|error| error.to_string())?;
                message.from = from;
                message.owner = item.address();
                message.pushed_for = pushed_for;
                message.anchor = item.anchor().map(anchor_text).unwrap_or_default();
                message.tags = authority::tags_of(&item, &from);
                message.data = item.into_data();
            }
            Self::Pushed(pushed) => {
                message.from = pushed.from;
                message.owner = pushed.from;
                message.pushed_for = pushed.pushed_for;
                message.anchor = pushed.anchor;
                message.tags = pushed.tags;
                message.data = pushed.data;
            }
            Self::Assigned(assigned) => {
                message = Self::decode_sent(&assigned.record)?.into_message(logged)?;
                message.target = assigned.target;
                let LeftOut { data, tags, anchor } = assigned.left_out;
                if data {
                    message.data.clear();
                }
                if tags {
                    message.tags = Tags::new();
                }
                if anchor {
                    message.anchor.clear();
                }
            }
            Self::Tick(tick) => {
                debug_assert_eq!(logged.kind, MessageKind::Cron);
                message.tags = Tags::new()
                    .with("Action", tick.action)
                    .with("Count", tick.count.to_string())
                    .with("Due", tick.due_ms.to_string());
            }
        }
        Ok(message)
    }
}

impl Assigned {
    /// The signed item of the message, if it is one.
    pub(crate) fn item(&self) -> Option<Vec<u8>> {
        match Body::decode_sent(&self.record) {
            Ok(Body::Item { item, .. }) => Some(item),
            _ => None,
        }
    }
}

impl LeftOut {
    fn bits(self) -> u8 {
        u8::from(self.data) | u8::from(self.tags) << 1 | u8::from(self.anchor) << 2
    }

    const fn of_bits(bits: u8) -> Self {
        Self { data: bits & 1 != 0, tags: bits & 2 != 0, anchor: bits & 4 != 0 }
    }
}

impl Pushed {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(96 + self.data.len() + 48 * self.tags.len());
        bytes.push(if self.anchor.is_empty() { FORM_PUSHED } else { FORM_ANCHORED });
        bytes.extend_from_slice(self.from.as_bytes());
        bytes.extend_from_slice(&self.slot.to_le_bytes());
        bytes.extend_from_slice(&self.index.to_le_bytes());
        bytes.extend_from_slice(self.pushed_for.as_bytes());
        bytes.push(self.hops);
        if !self.anchor.is_empty() {
            put(&mut bytes, self.anchor.as_bytes());
        }
        bytes.extend_from_slice(&(self.tags.len() as u32).to_le_bytes());
        for tag in &self.tags {
            put(&mut bytes, tag.name.as_bytes());
            put(&mut bytes, tag.value.as_bytes());
        }
        bytes.extend_from_slice(&self.data);
        bytes
    }

    fn decode(fields: &mut Fields<'_>, is_anchored: bool) -> Result<Self, String> {
        let from = fields.id()?;
        let slot = fields.number()?;
        let index = fields.length()?;
        let pushed_for = fields.id()?;
        let hops = fields.byte()?;
        let anchor = if is_anchored { fields.text()? } else { String::new() };
        let mut tags = Tags::new();
        for _ in 0..fields.length()? {
            tags.extend([Tag::new(fields.text()?, fields.text()?)]);
        }
        Ok(Self { from, slot, index, pushed_for, hops, anchor, tags, data: fields.0.to_vec() })
    }
}

/// An anchor as text: aos writes digits there; anything else is shown in base64url, as an id.
fn anchor_text(anchor: &[u8]) -> String {
    match std::str::from_utf8(anchor) {
        Ok(text) if text.chars().all(|character| character.is_ascii_graphic()) => text.to_owned(),
        _ => {
            use base64::Engine as _;
            base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(anchor)
        }
    }
}

/// Appends a field with its length before it.
fn put(bytes: &mut Vec<u8>, field: &[u8]) {
    bytes.extend_from_slice(&(field.len() as u32).to_le_bytes());
    bytes.extend_from_slice(field);
}

/// The fields of a record that have not been read yet. Nothing is allocated from a length before it is checked.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (field, rest) = self.0.split_at_checked(length).ok_or_else(|| "it ends within a field".to_owned())?;
        self.0 = rest;
        Ok(field)
    }

    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH], String> {
        self.take(LENGTH)?.try_into().map_err(|_| "it ends within a field".to_owned())
    }

    fn byte(&mut self) -> Result<u8, String> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn length(&mut self) -> Result<u32, String> {
        self.array().map(u32::from_le_bytes)
    }

    fn number(&mut self) -> Result<u64, String> {
        self.array().map(u64::from_le_bytes)
    }

    fn id(&mut self) -> Result<Id, String> {
        self.array().map(Id::new)
    }

    fn text(&mut self) -> Result<String, String> {
        let length = self.length()? as usize;
        let text = std::str::from_utf8(self.take(length)?).map_err(|_| "a text in it is not UTF-8".to_owned())?;
        Ok(text.to_owned())
    }
}
