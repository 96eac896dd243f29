//! Items whose data passes by in pieces.

use super::vectors::VECTORS;
use crate::item::{StreamSigner, StreamVerifier};
use crate::{DataItem, Id, ItemError, ItemHeader, SignatureError, Tags};

fn stream_verify(bytes: &[u8], piece: usize) -> Result<(), SignatureError> {
    let header = ItemHeader::parse(bytes).unwrap().unwrap();
    let data = &bytes[header.data_offset()..];
    let mut verifier = StreamVerifier::new(header, data.len() as u64);
    data.chunks(piece).for_each(|piece| verifier.update(piece));
    verifier.finish()
}

#[test]
fn an_item_verifies_in_pieces_of_any_size() {
    for vector in &VECTORS.items {
        for piece in [1, 3, 1000] {
            assert_eq!(stream_verify(&vector.bytes(), piece), Ok(()), "{}", vector.name);
        }
    }
}

#[test]
fn another_length_than_announced_is_refused() {
    let vector = VECTORS.items.iter().find(|vector| vector.name.ends_with("full")).unwrap();
    let item = DataItem::parse(&vector.bytes()).unwrap();
    for declared in [0, 3, 5, u64::MAX] {
        let mut verifier = StreamVerifier::new(item.header().clone(), declared);
        verifier.update(item.data());
        assert_eq!(verifier.finish(), Err(SignatureError::DataLength { declared, given: 4 }));
    }
}

#[test]
fn an_item_signed_in_pieces_verifies_whole() {
    let data: Vec<u8> = (0..100_000_u32).map(|byte| byte as u8).collect();
    let tags = Tags::new().with("Type", "Model").with("Name", "größer");
    for wallet in VECTORS.wallets() {
        let length = data.len() as u64;
        let mut signer =
            StreamSigner::new(&wallet, Some(Id::new([7; 32])), Some([8; 32]), tags.clone(), length).unwrap();
        data.chunks(777).for_each(|piece| signer.update(piece));
        let mut bytes = signer.finish().unwrap();
        bytes.extend_from_slice(&data);
        let item = DataItem::parse(&bytes).unwrap();
        assert_eq!(item.verify(), Ok(()), "{wallet:?}");
        assert_eq!((item.address(), item.tags(), item.data()), (wallet.address(), &tags, data.as_slice()));
    }
}

#[test]
fn a_signer_wants_all_the_data_that_was_announced() {
    let mut signer = StreamSigner::new(&VECTORS.wallet("ed25519"), None, None, Tags::new(), 10).unwrap();
    signer.update(b"short");
    assert_eq!(signer.finish(), Err(ItemError::DataLength { declared: 10, given: 5 }));
}
