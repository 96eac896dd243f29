//! The text form of wallets: JSON Web Keys (RFC 7517, 8037, 8812), for RSA with the fields of Arweave's key files.

use aws_lc_rs::rsa::{KeyPairComponents, PublicKeyComponents};
use aws_lc_rs::signature::RsaKeyPair;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use zeroize::{Zeroize, Zeroizing};

use super::rsa_key::RsaKey;
use super::{Key, WalletError};

/// The numbers of an RSA key by their names in a JSON Web Key, in the order of RFC 8017.
const RSA_NAMES: [&str; 8] = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];

/// Room for the text of an RSA key, so that no copy of it is left behind where a text grows.
const TEXT_BYTES: usize = 4096;

/// The fields of a key, as text. Which of them are there depends on `kty`.
#[derive(Default, Deserialize, Zeroize)]
#[serde(default)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    d: Option<String>,
    p: Option<String>,
    q: Option<String>,
    dp: Option<String>,
    dq: Option<String>,
    qi: Option<String>,
}

/// Reads a key and checks that its numbers belong together.
pub(super) fn read(text: &str) -> Result<Key, WalletError> {
    // The place is told, the text is not: it may be a damaged private key.
    let jwk: Zeroizing<Jwk> = serde_json::from_str(text)
        .map(Zeroizing::new)
        .map_err(|error| WalletError::Json(format!("line {}, column {}", error.line(), error.column())))?;
    match (jwk.kty.as_str(), jwk.crv.as_deref()) {
        ("RSA", _) => read_rsa(&jwk).map(Key::Rsa),
        ("OKP", Some("Ed25519")) => read_ed25519(&jwk).map(Key::Ed25519),
        ("EC", Some("secp256k1")) => read_secp256k1(&jwk).map(Key::Secp256k1),
        (kind, None) => Err(WalletError::Kind(kind.to_owned())),
        (kind, Some(curve)) => Err(WalletError::Kind(format!("{kind} {curve}"))),
    }
}

/// The text of a key. Its fields are base64url and names, which need no escapes in JSON.
pub(super) fn write(key: &Key) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(TEXT_BYTES));
    match key {
        Key::Rsa(key) => {
            text.push_str("{\"kty\":\"RSA\"");
            for (name, number) in RSA_NAMES.iter().zip(key.numbers()) {
                push_number(&mut text, name, number);
            }
        }
        Key::Ed25519(key) => {
            text.push_str("{\"kty\":\"OKP\",\"crv\":\"Ed25519\"");
            push_number(&mut text, "x", key.verifying_key().as_bytes());
            push_number(&mut text, "d", key.as_bytes());
        }
        Key::Secp256k1(key) => {
            let point = key.verifying_key().to_sec1_point(false);
            let (x, y) = point.as_bytes()[1..].split_at(32);
            text.push_str("{\"kty\":\"EC\",\"crv\":\"secp256k1\"");
            push_number(&mut text, "x", x);
            push_number(&mut text, "y", y);
            push_number(&mut text, "d", &*Zeroizing::new(<[u8; 32]>::from(key.to_bytes())));
        }
    }
    text.push('}');
    text
}

fn push_number(text: &mut String, name: &str, number: &[u8]) {
    let digits = Zeroizing::new(URL_SAFE_NO_PAD.encode(number));
    for part in [",\"", name, "\":\"", &digits, "\""] {
        text.push_str(part);
    }
}

fn read_rsa(jwk: &Jwk) -> Result<RsaKey, WalletError> {
    let modulus = decode("n", jwk.n.as_ref())?;
    let exponent = decode("e", jwk.e.as_ref())?;
    let components = KeyPairComponents {
        public_key: PublicKeyComponents { n: &*modulus, e: &*exponent },
        d: &*decode("d", jwk.d.as_ref())?,
        p: &*decode("p", jwk.p.as_ref())?,
        q: &*decode("q", jwk.q.as_ref())?,
        dP: &*decode("dp", jwk.dp.as_ref())?,
        dQ: &*decode("dq", jwk.dq.as_ref())?,
        qInv: &*decode("qi", jwk.qi.as_ref())?,
    };
    RsaKey::new(RsaKeyPair::from_components(&components).map_err(|_| WalletError::Inconsistent)?)
}

fn read_ed25519(jwk: &Jwk) -> Result<ed25519_dalek::SigningKey, WalletError> {
    let key = ed25519_dalek::SigningKey::from_bytes(&*decode_32("d", jwk.d.as_ref())?);
    let public = decode_32("x", jwk.x.as_ref())?;
    if key.verifying_key().as_bytes() == &*public { Ok(key) } else { Err(WalletError::Inconsistent) }
}

fn read_secp256k1(jwk: &Jwk) -> Result<k256::ecdsa::SigningKey, WalletError> {
    let secret = decode_32("d", jwk.d.as_ref())?;
    let key = k256::ecdsa::SigningKey::from_slice(&*secret).map_err(|_| WalletError::Inconsistent)?;
    let (x, y) = (decode_32("x", jwk.x.as_ref())?, decode_32("y", jwk.y.as_ref())?);
    let point = key.verifying_key().to_sec1_point(false);
    if point.as_bytes()[1..] == [*x, *y].concat() { Ok(key) } else { Err(WalletError::Inconsistent) }
}

fn decode(name: &'static str, text: Option<&String>) -> Result<Zeroizing<Vec<u8>>, WalletError> {
    let text = text.ok_or(WalletError::Missing(name))?;
    URL_SAFE_NO_PAD.decode(text).map(Zeroizing::new).map_err(|_| WalletError::Field(name))
}

fn decode_32(name: &'static str, text: Option<&String>) -> Result<Zeroizing<[u8; 32]>, WalletError> {
    let bytes = decode(name, text)?;
    bytes.as_slice().try_into().map(Zeroizing::new).map_err(|_| WalletError::Field(name))
}
