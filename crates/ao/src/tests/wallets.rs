//! Wallets: their text form, what they sign, and what is no wallet.

use super::vectors::VECTORS;
use crate::{Assignment, DataItem, HashChain, Id, SignatureType, Tags, Wallet, WalletError, WalletKind, sha256};

#[test]
fn a_wallet_is_the_same_after_writing_and_reading() {
    for (name, kind) in
        [("rsa", WalletKind::Rsa4096), ("ed25519", WalletKind::Ed25519), ("secp256k1", WalletKind::Secp256k1)]
    {
        let wallet = VECTORS.wallet(name);
        assert_eq!(wallet.kind(), kind);
        assert_eq!(wallet.address(), sha256(&wallet.owner()));
        let fields = |text: &str| serde_json::from_str::<serde_json::Map<_, _>>(text).unwrap();
        let (mut written, mut given) = (fields(&wallet.to_jwk()), fields(&VECTORS.key(name)));
        written.sort_keys();
        given.sort_keys();
        assert_eq!(written, given, "the key files of Node are written again field by field");
        assert_eq!(Wallet::from_jwk(&wallet.to_jwk()).unwrap().address(), wallet.address());
    }
}

#[test]
fn a_new_wallet_of_every_kind_signs_items_that_verify() {
    for kind in [WalletKind::Rsa4096, WalletKind::Ed25519, WalletKind::Secp256k1] {
        let wallet = Wallet::generate(kind).unwrap();
        assert_ne!(wallet.address(), VECTORS.wallet("rsa").address());
        let item = DataItem::sign(&wallet, None, None, Tags::new().with("Action", "Info"), b"data".to_vec()).unwrap();
        let again = DataItem::parse(&item.to_bytes()).unwrap();
        assert_eq!(again, item);
        assert_eq!(again.verify(), Ok(()));
        assert_eq!(again.address(), wallet.address());
        let read = Wallet::from_jwk(&wallet.to_jwk()).unwrap();
        assert_eq!((read.kind(), read.owner()), (kind, wallet.owner()));
    }
}

#[test]
fn what_is_no_wallet_is_refused_with_the_reason() {
    let without = |name: &str, field: &str| {
        let mut key: serde_json::Map<_, _> = serde_json::from_str(&VECTORS.key(name)).unwrap();
        key.remove(field);
        serde_json::Value::Object(key).to_string()
    };
    let with = |name: &str, field: &str, value: &str| {
        let mut key: serde_json::Map<_, _> = serde_json::from_str(&VECTORS.key(name)).unwrap();
        key.insert(field.to_owned(), value.into());
        serde_json::Value::Object(key).to_string()
    };
    for (text, error) in [
        (String::new(), WalletError::Json("line 1, column 0".to_owned())),
        ("{}".to_owned(), WalletError::Kind(String::new())),
        (VECTORS.refused_key("rsa_2048"), WalletError::RsaParameters),
        (VECTORS.refused_key("rsa_exponent_3"), WalletError::RsaParameters),
        (VECTORS.refused_key("p256"), WalletError::Kind("EC P-256".to_owned())),
        (VECTORS.refused_key("x25519"), WalletError::Kind("OKP X25519".to_owned())),
        (without("rsa", "d"), WalletError::Missing("d")),
        (without("rsa", "qi"), WalletError::Missing("qi")),
        (without("ed25519", "d"), WalletError::Missing("d")),
        (without("secp256k1", "y"), WalletError::Missing("y")),
        (with("rsa", "p", "AAAA"), WalletError::Inconsistent),
        (with("rsa", "p", "*"), WalletError::Field("p")),
        (with("ed25519", "d", "AAAA"), WalletError::Field("d")),
        (with("ed25519", "d", &"A".repeat(43)), WalletError::Inconsistent),
        (with("secp256k1", "d", &"A".repeat(43)), WalletError::Inconsistent),
        (with("secp256k1", "x", &"A".repeat(43)), WalletError::Inconsistent),
    ] {
        assert_eq!(Wallet::from_jwk(&text).err(), Some(error), "{text}");
    }
}

#[test]
fn debug_output_shows_the_address_and_nothing_of_the_key() {
    for wallet in VECTORS.wallets() {
        assert_eq!(format!("{wallet:?}"), format!("Wallet({:?} {})", wallet.kind(), wallet.address()));
    }
}

/// Errors of a damaged key file end up in logs.
#[test]
fn errors_never_quote_the_key_file() {
    let key = VECTORS.key("ed25519");
    let error = Wallet::from_jwk(&key[..key.len() - 2]).unwrap_err().to_string();
    assert_eq!(
        error,
        "a wallet is a JSON Web Key (JSON with a field \"kty\"), and this text is none: line 1, column 127"
    );
}

#[test]
fn an_assignment_is_the_same_item_whenever_it_is_made() {
    let wallet = VECTORS.wallet("ed25519");
    let process = Id::new([1; 32]);
    let assignment = Assignment {
        process,
        slot: 7,
        message: Id::new([2; 32]),
        timestamp_ms: 1_700_000_000_000,
        block_height: 1_234_567,
        hash_chain: HashChain::seed(&process),
    };
    let item = assignment.to_item(&wallet).unwrap();
    assert_eq!(item, assignment.to_item(&wallet).unwrap());
    assert_eq!(item.signature_type(), SignatureType::Ed25519);
    assert_eq!(item.verify(), Ok(()));
    let tags: Vec<_> = item.tags().iter().map(|tag| format!("{}: {}", tag.name, tag.value)).collect();
    insta::assert_snapshot!(tags.join("\n"), @"
    Process: AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE
    Epoch: 0
    Nonce: 7
    Hash-Chain: cs1uhCLEB_ttCYaQ8RMLfe1-wvf14dML2dUh8BU2N5M
    Block-Height: 1234567
    Timestamp: 1700000000000
    Data-Protocol: ao
    Type: Assignment
    Variant: ao.TN.1
    Message: AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI
    ");
    let spawn = Assignment { slot: 0, message: process, ..assignment };
    assert_eq!(spawn.to_item(&wallet).unwrap().tags().get("Message"), None);
}
