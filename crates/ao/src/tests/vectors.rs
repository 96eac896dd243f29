//! Items, bundles and hashes made by arweave-js and arbundles (`vectors/make.mjs`), and that they read and verify here.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

use crate::{DataItem, DeepHash, Id, Tag, Tags, Wallet, deep_hash};

/// Everything in vectors.json.
#[derive(Deserialize)]
pub(super) struct Vectors {
    keys: BTreeMap<String, Value>,
    refused_keys: BTreeMap<String, Value>,
    pub(super) items: Vec<ItemVector>,
    pub(super) bundles: Vec<BundleVector>,
    deep_hashes: Vec<DeepHashVector>,
}

#[derive(Deserialize)]
pub(super) struct ItemVector {
    pub(super) name: String,
    bytes: String,
    pub(super) signature_type: u16,
    id: Id,
    address: Id,
    target: Option<Id>,
    anchor: Option<String>,
    tags: Vec<Tag>,
    data: String,
}

#[derive(Deserialize)]
pub(super) struct BundleVector {
    pub(super) name: String,
    bytes: String,
    pub(super) ids: Vec<Id>,
    pub(super) nested_ids: Vec<Id>,
}

#[derive(Deserialize)]
struct DeepHashVector {
    value: Value,
    hash: String,
}

pub(super) static VECTORS: LazyLock<Vectors> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../vectors/vectors.json")).unwrap());

impl Vectors {
    /// The text of a wallet: `rsa`, `ed25519` or `secp256k1`.
    pub(super) fn key(&self, name: &str) -> String {
        self.keys[name].to_string()
    }

    /// The text of a key that is no wallet.
    pub(super) fn refused_key(&self, name: &str) -> String {
        self.refused_keys[name].to_string()
    }

    pub(super) fn wallet(&self, name: &str) -> Wallet {
        Wallet::from_jwk(&self.key(name)).unwrap()
    }

    /// One wallet of every kind.
    pub(super) fn wallets(&self) -> impl Iterator<Item = Wallet> {
        self.keys.keys().map(|name| self.wallet(name))
    }
}

impl ItemVector {
    pub(super) fn bytes(&self) -> Vec<u8> {
        decode(&self.bytes)
    }
}

impl BundleVector {
    pub(super) fn bytes(&self) -> Vec<u8> {
        decode(&self.bytes)
    }
}

fn decode(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}

#[test]
fn items_of_arbundles_and_arweave_js_verify() {
    for vector in &VECTORS.items {
        let item = DataItem::parse(&vector.bytes()).unwrap();
        let name = &vector.name;
        assert_eq!(item.verify(), Ok(()), "{name}");
        assert_eq!(item.to_bytes(), vector.bytes(), "{name}");
        assert_eq!(item.signature_type().code(), vector.signature_type, "{name}");
        assert_eq!((item.id(), item.address(), item.target()), (vector.id, vector.address, vector.target), "{name}");
        assert_eq!(item.anchor().map(<[u8]>::to_vec), vector.anchor.as_deref().map(decode), "{name}");
        assert_eq!(item.tags(), &Tags::from(vector.tags.clone()), "{name}");
        assert_eq!(item.data(), decode(&vector.data), "{name}");
    }
}

#[test]
fn every_signature_type_and_salt_is_among_the_vectors() {
    let types: std::collections::BTreeSet<u16> = VECTORS.items.iter().map(|vector| vector.signature_type).collect();
    assert_eq!(types.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
    for salt in ["its own salt", "salt 0", "salt 1", "salt 32", "salt 477", "salt 478"] {
        assert!(VECTORS.items.iter().any(|vector| vector.name.contains(salt)), "{salt}");
    }
}

/// An item made here of the same contents is, with a deterministic signature, the item that arbundles made.
#[test]
fn deterministic_items_are_those_of_arbundles_byte_by_byte() {
    for (code, key) in [(2, "ed25519"), (3, "secp256k1")] {
        let wallet = VECTORS.wallet(key);
        for vector in VECTORS.items.iter().filter(|vector| vector.signature_type == code) {
            let anchor = vector.anchor.as_deref().map(|anchor| decode(anchor).try_into().unwrap());
            let tags = Tags::from(vector.tags.clone());
            let item = DataItem::sign(&wallet, vector.target, anchor, tags, decode(&vector.data)).unwrap();
            assert_eq!(item.to_bytes(), vector.bytes(), "{}", vector.name);
        }
    }
}

#[test]
fn deep_hashes_are_those_of_arbundles() {
    fn value(json: &Value) -> DeepHash<'_> {
        match json {
            Value::String(text) => DeepHash::Blob(text.as_bytes()),
            other => DeepHash::List(other.as_array().unwrap().iter().map(value).collect()),
        }
    }
    for vector in &VECTORS.deep_hashes {
        assert_eq!(deep_hash(&value(&vector.value)).to_vec(), decode(&vector.hash), "{}", vector.value);
    }
}
