//! What other nodes deliver here for their processes. A node that crashed signs again what it had sent, and each signature
//! makes another item of the same message. So these are known by what they say, as to AO's scheduler unit, and the log has
//! for each process a stream of what was delivered to it.
//!
//! Only what an authority of the process signed is known so: what anybody else signs again is another message of his, and
//! nobody can stand in the way of a message by saying the same before.

use std::sync::Arc;

use ao::{DataItem, DeepHash, Id, MessageKind, Tag, Tags, deep_hash, hash_parts};
use tokio::sync::Mutex;

use crate::core::Submitted;
use crate::error::{LogError, SubmitError};
use crate::log::{Append, Body, Log, Pushed, Receipt, Stream};

/// The tag that names the message which began it all. A node that sends again may name another.
const PUSHED_FOR: &str = "Pushed-For";

/// Takes what other nodes deliver, each message once.
pub(crate) struct Deliveries {
    log: Arc<dyn Log>,
    /// Held from the look into the log to the entry in it: of two signatures of one message, one is the first.
    one: Mutex<()>,
}

impl Deliveries {
    pub(crate) fn new(log: Arc<dyn Log>) -> Self {
        Self { log, one: Mutex::default() }
    }

    /// Appends a message of an item that an authority of its receiver signed. If it was delivered before, under whatever
    /// signature, it is the message that is there.
    pub(crate) async fn append(&self, item: &DataItem, message: Append) -> Result<Submitted, SubmitError> {
        let (stream, said) = (Stream::delivered(message.stream.id), said(item));
        let _one = self.one.lock().await;
        if let Some((id, slot)) = self.first(&stream, &message.stream, &said)? {
            return Ok(submitted(id, Receipt { slot, fresh: false }));
        }
        let id = message.identity;
        let note = Append { stream, identity: said, kind: MessageKind::Pushed, body: note(item.address(), id) };
        // One submission is one transaction: neither is there without the other.
        let pending = self.log.try_append(vec![message, note])?;
        let placed = pending.await.map_err(|_| LogError::Stopped("its writer has ended".to_owned()))??;
        let receipt = placed.into_iter().next().ok_or_else(|| LogError::Stopped("it gave no answer".to_owned()))?;
        Ok(submitted(id, receipt?))
    }

    /// The message that says the same, and its slot in the log of its process.
    fn first(&self, stream: &Stream, process: &Stream, said: &Id) -> Result<Option<(Id, u64)>, LogError> {
        let Some(slot) = self.log.slot_of(stream, said)? else { return Ok(None) };
        let Some(record) = self.log.read(stream, slot, 1)?.pop() else { return Ok(None) };
        let Ok(Body::Pushed(Pushed { pushed_for: id, .. })) = Body::decode(&record.body) else { return Ok(None) };
        Ok(self.log.slot_of(process, &id)?.map(|slot| (id, slot)))
    }
}

fn submitted(id: Id, Receipt { slot, fresh }: Receipt) -> Submitted {
    Submitted { id, process: None, slot, fresh, unbelieved: None }
}

/// A record that names the message and who signed it.
fn note(signer: Id, message: Id) -> Vec<u8> {
    let (anchor, tags, data) = (String::new(), Tags::new(), Vec::new());
    Body::Pushed(Pushed { from: signer, slot: 0, index: 0, pushed_for: message, hops: 0, anchor, tags, data }).encode()
}

/// What an item says, whoever signed it: its target, its anchor, its tags in any order, and its data.
fn said(item: &DataItem) -> Id {
    let mut tags: Vec<&Tag> = item.tags().iter().filter(|tag| tag.name != PUSHED_FOR).collect();
    tags.sort();
    let target = item.target();
    let hash = deep_hash(&DeepHash::List(vec![
        DeepHash::Blob(target.as_ref().map_or(&[][..], |target| target.as_bytes())),
        DeepHash::Blob(item.anchor().unwrap_or_default()),
        DeepHash::List(tags.into_iter().map(pair).collect()),
        DeepHash::Blob(item.data()),
    ]));
    hash_parts(&[b"aobench delivered", &hash])
}

fn pair(tag: &Tag) -> DeepHash<'_> {
    DeepHash::List(vec![DeepHash::Blob(tag.name.as_bytes()), DeepHash::Blob(tag.value.as_bytes())])
}
