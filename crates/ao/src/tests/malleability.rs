//! The id of an item is the hash of its signature: whoever could spell a valid signature in a second way would send the
//! same message twice. Nobody can, for any scheme and any part of the item.

use proptest::prelude::*;

use super::vectors::{ItemVector, VECTORS};
use crate::{DataItem, DeepHash, SignatureError, Tags, Wallet, deep_hash};

/// The order of the group of Ed25519, little endian.
const ED25519_ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

/// The order of the group of secp256k1, big endian.
const SECP256K1_ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe, 0xba, 0xae, 0xdc,
    0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
];

/// Where in an item the signature begins.
const SIGNATURE_START: usize = 2;

fn of_type(code: u16) -> impl Iterator<Item = &'static ItemVector> {
    VECTORS.items.iter().filter(move |vector| vector.signature_type == code)
}

/// Whether the bytes are an item that verifies.
fn verifies(bytes: &[u8]) -> bool {
    DataItem::parse(bytes).is_ok_and(|item| item.verify().is_ok())
}

fn with_signature(bytes: &[u8], signature: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[SIGNATURE_START..SIGNATURE_START + signature.len()].copy_from_slice(signature);
    bytes
}

/// The sum of two big-endian numbers of one length; nothing where it needs one bit more.
fn sum(left: &[u8], right: &[u8]) -> Option<Vec<u8>> {
    let mut carry = 0;
    let mut digits: Vec<u8> = Vec::new();
    for (left, right) in left.iter().rev().zip(right.iter().rev()) {
        let digit = u16::from(*left) + u16::from(*right) + carry;
        digits.push(digit as u8);
        carry = digit >> 8;
    }
    digits.reverse();
    (carry == 0).then_some(digits)
}

/// `left - right` for big-endian numbers of one length, the first the larger.
fn difference(left: &[u8], right: &[u8]) -> Vec<u8> {
    let negative: Vec<u8> = right.iter().map(|digit| !digit).collect();
    let mut borrow = 1;
    let mut digits: Vec<u8> = Vec::new();
    for (left, right) in left.iter().rev().zip(negative.iter().rev()) {
        let digit = u16::from(*left) + u16::from(*right) + borrow;
        digits.push(digit as u8);
        borrow = digit >> 8;
    }
    digits.reverse();
    digits
}

#[test]
fn rsa_signatures_plus_or_minus_the_modulus_are_refused() {
    let mut added = 0;
    for vector in of_type(1) {
        let bytes = vector.bytes();
        let item = DataItem::parse(&bytes).unwrap();
        let negative = with_signature(&bytes, &difference(item.owner(), item.signature()));
        assert!(!verifies(&negative), "n - s: {}", vector.name);
        if let Some(larger) = sum(item.signature(), item.owner()) {
            let larger = DataItem::parse(&with_signature(&bytes, &larger)).unwrap();
            assert_eq!(larger.verify(), Err(SignatureError::NonCanonical(item.signature_type())));
            added += 1;
        }
    }
    assert!(added > 0, "s + n fits in 512 bytes for about four of ten signatures of this key");
}

#[test]
fn the_other_half_of_secp256k1_is_refused() {
    for vector in of_type(3) {
        let bytes = vector.bytes();
        let item = DataItem::parse(&bytes).unwrap();
        let refused = Err(SignatureError::NonCanonical(item.signature_type()));
        let mut signature = item.signature().to_vec();
        let high = difference(&SECP256K1_ORDER, &signature[32..64]);
        signature[32..64].copy_from_slice(&high);
        for last in [27, 28] {
            signature[64] = last;
            let item = DataItem::parse(&with_signature(&bytes, &signature)).unwrap();
            assert_eq!(item.verify(), refused, "n - s, {last}: {}", vector.name);
        }
        // The last byte takes part in the id, and arbundles does not look at it.
        for last in (0..=255).filter(|last| *last != item.signature()[64]) {
            let mut signature = item.signature().to_vec();
            signature[64] = last;
            let item = DataItem::parse(&with_signature(&bytes, &signature)).unwrap();
            let expected = if matches!(last, 27 | 28) { Err(SignatureError::Mismatch) } else { refused.clone() };
            assert_eq!(item.verify(), expected, "{last}: {}", vector.name);
        }
    }
}

#[test]
fn ed25519_scalars_over_the_order_are_refused() {
    for vector in of_type(2).chain(of_type(4)) {
        let bytes = vector.bytes();
        let item = DataItem::parse(&bytes).unwrap();
        let reversed = |digits: &[u8]| digits.iter().rev().copied().collect::<Vec<u8>>();
        let order = reversed(&ED25519_ORDER);
        let mut scalar = reversed(&item.signature()[32..]);
        let mut times = 0;
        while let Some(larger) = sum(&scalar, &order) {
            scalar = larger;
            times += 1;
            let mut signature = item.signature().to_vec();
            signature[32..].copy_from_slice(&reversed(&scalar));
            let item = DataItem::parse(&with_signature(&bytes, &signature)).unwrap();
            let refused = Err(SignatureError::NonCanonical(item.signature_type()));
            assert_eq!(item.verify(), refused, "S + {times} L: {}", vector.name);
        }
        assert!(times >= 14, "S + L fits many times over in 32 bytes");
    }
}

/// With a key of small order one signature fits every message, and a key can be written in two ways.
#[test]
fn weak_and_twice_written_keys_are_refused() {
    let ones = |first: u8, last: u8| {
        let mut key = [0xff; 32];
        (key[0], key[31]) = (first, last);
        key
    };
    let mut identity = [0; 32];
    identity[0] = 1;
    let ed25519 = [identity, ones(0xee, 0x7f), ones(0xec, 0x7f), ones(0xed, 0x7f), ones(0xf0, 0xff), [0; 32]];
    for code in [2, 4] {
        let bytes = of_type(code).next().unwrap().bytes();
        for key in ed25519 {
            let mut bytes = bytes.clone();
            bytes[SIGNATURE_START..][..32].copy_from_slice(&identity);
            bytes[SIGNATURE_START + 32..][..32].fill(0);
            bytes[SIGNATURE_START + 64..][..32].copy_from_slice(&key);
            let item = DataItem::parse(&bytes).unwrap();
            assert_eq!(item.verify(), Err(SignatureError::Owner(item.signature_type())), "{key:02x?}");
        }
    }
    // A byte of 6 or 7 instead of 4 is the "hybrid" form, which libsecp256k1 reads as the same key.
    let bytes = of_type(3).next().unwrap().bytes();
    for first in [0, 2, 3, 5, 6, 7] {
        let mut bytes = bytes.clone();
        bytes[SIGNATURE_START + 65] = first;
        let item = DataItem::parse(&bytes).unwrap();
        assert_eq!(item.verify(), Err(SignatureError::Owner(item.signature_type())));
    }
    let bytes = of_type(1).next().unwrap().bytes();
    for (place, change) in [(0, 0x80), (511, 0x01)] {
        let mut bytes = bytes.clone();
        bytes[SIGNATURE_START + 512 + place] ^= change;
        let item = DataItem::parse(&bytes).unwrap();
        assert_eq!(item.verify(), Err(SignatureError::Owner(item.signature_type())), "a short or even modulus");
    }
}

/// Tags have many encodings in Avro. One that was not signed does not verify.
#[test]
fn tags_encoded_anew_do_not_verify() {
    for vector in VECTORS.items.iter().filter(|vector| vector.name.ends_with(": full")) {
        let bytes = vector.bytes();
        let item = DataItem::parse(&bytes).unwrap();
        for encoded in other_encodings(&encoded_tags(&bytes, &item)) {
            let changed = with_tags(&bytes, &item, &encoded);
            let changed_item = DataItem::parse(&changed).unwrap();
            assert_eq!(changed_item.tags(), item.tags());
            assert_eq!(changed_item.to_bytes(), changed, "what was read is written again");
            assert_eq!(changed_item.verify(), Err(SignatureError::Mismatch), "{}", vector.name);
        }
    }
}

/// Other writers than arbundles exist: an encoding that was signed as it is does verify.
#[test]
fn tags_in_another_encoding_verify_if_they_were_signed_so() {
    let wallet = VECTORS.wallet("ed25519");
    let tags = Tags::new().with("Action", "Transfer").with("Quantity", "1000");
    let item = DataItem::sign(&wallet, None, None, tags, b"data".to_vec()).unwrap();
    let bytes = item.to_bytes();
    for encoded in other_encodings(&encoded_tags(&bytes, &item)) {
        let changed = with_tags(&bytes, &item, &encoded);
        let signed = with_signature(&changed, &signature_by_hand(&wallet, &encoded, b"data"));
        let signed_item = DataItem::parse(&signed).unwrap();
        assert_eq!(signed_item.verify(), Ok(()));
        assert_eq!((signed_item.tags(), signed_item.to_bytes()), (item.tags(), signed));
    }
}

/// Signs the fields of an item without target and anchor.
fn signature_by_hand(wallet: &Wallet, tags: &[u8], data: &[u8]) -> Vec<u8> {
    let owner = wallet.owner();
    let fields = [&b"dataitem"[..], b"1", b"2", &owner, b"", b"", tags, data];
    let fields = fields.into_iter().map(DeepHash::Blob).collect();
    wallet.sign(&deep_hash(&DeepHash::List(fields))).unwrap()
}

fn encoded_tags(bytes: &[u8], item: &DataItem) -> Vec<u8> {
    let end = item.header().data_offset();
    let mut start = end;
    // The length of the encoding stands right before it.
    while bytes[start - 8..start] != ((end - start) as u64).to_le_bytes() {
        start -= 1;
    }
    bytes[start..end].to_vec()
}

fn with_tags(bytes: &[u8], item: &DataItem, encoded: &[u8]) -> Vec<u8> {
    let end = item.header().data_offset();
    let start = end - encoded_tags(bytes, item).len();
    [&bytes[..start - 8], &(encoded.len() as u64).to_le_bytes(), encoded, &bytes[end..]].concat()
}

/// The same two tags: with a needless byte in a number, as a block with its size, and as two blocks.
fn other_encodings(encoded: &[u8]) -> Vec<Vec<u8>> {
    let [count, tags @ .., end] = encoded else { panic!("no tags") };
    assert_eq!((*count, *end), (4, 0), "two tags, whose count is doubled");
    let first = 1 + usize::from(tags[0] >> 1);
    let first = first + 1 + usize::from(tags[first] >> 1);
    vec![
        [&[0x84, 0x00], tags, &[0]].concat(),
        [&[4], tags, &[0x80, 0x80, 0x00]].concat(),
        [&[3, 2 * tags.len() as u8], tags, &[0]].concat(),
        [&[2], &tags[..first], &[2], &tags[first..], &[0]].concat(),
    ]
}

#[test]
fn bytes_added_to_the_signature_or_the_end_are_refused() {
    for vector in &VECTORS.items {
        let bytes = vector.bytes();
        let item = DataItem::parse(&bytes).unwrap();
        for place in [SIGNATURE_START, SIGNATURE_START + item.signature().len(), bytes.len()] {
            let mut longer = bytes.clone();
            longer.insert(place, 0);
            assert!(!verifies(&longer), "a byte at {place}: {}", vector.name);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Every bit of an item counts, inside the signature and outside.
    #[test]
    fn no_changed_bit_goes_unnoticed(
        vector in 0..VECTORS.items.len(),
        place: prop::sample::Index,
        in_signature: bool,
        change in 1..=255_u8,
    ) {
        let mut bytes = VECTORS.items[vector].bytes();
        let item = DataItem::parse(&bytes).unwrap();
        let range = if in_signature { SIGNATURE_START..SIGNATURE_START + item.signature().len() } else { 0..bytes.len() };
        bytes[range.start + place.index(range.len())] ^= change;
        prop_assert!(!verifies(&bytes));
    }
}
