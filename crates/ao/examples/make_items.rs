//! Writes items and bundles of every kind of wallet to standard output, one in base64url a line, for
//! `vectors/verify.mjs` to verify with arbundles.

use std::error::Error;
use std::io::{Write, stdout};

use ao::item::StreamSigner;
use ao::{DataItem, Id, Tags, Wallet, WalletKind, bundle};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

fn main() -> Result<(), Box<dyn Error>> {
    let contents = [
        (None, None, Tags::new(), Vec::new()),
        (Some(Id::new([1; 32])), None, Tags::new(), b"hello".to_vec()),
        (None, Some([2; 32]), Tags::new().with("Action", "Info"), vec![0, 255]),
        (
            Some(Id::new([3; 32])),
            Some([4; 32]),
            Tags::new().with("名前", "🦀 don't").with("Empty", ""),
            vec![7; 100_000],
        ),
    ];
    let mut items = Vec::new();
    for kind in [WalletKind::Rsa4096, WalletKind::Ed25519, WalletKind::Secp256k1] {
        let wallet = Wallet::generate(kind)?;
        for (target, anchor, tags, data) in contents.clone() {
            items.push(DataItem::sign(&wallet, target, anchor, tags.clone(), data.clone())?);
            let mut signer = StreamSigner::new(&wallet, target, anchor, tags, data.len() as u64)?;
            data.chunks(1000).for_each(|piece| signer.update(piece));
            items.push(DataItem::parse(&[signer.finish()?, data].concat())?);
        }
    }
    for item in &items {
        writeln!(stdout(), "item {}", URL_SAFE_NO_PAD.encode(item.to_bytes()))?;
    }
    writeln!(stdout(), "bundle {}", URL_SAFE_NO_PAD.encode(bundle::encode(&items)))?;
    Ok(())
}
