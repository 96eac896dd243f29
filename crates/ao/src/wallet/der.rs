//! Reads the numbers of an RSA key out of PKCS #8, the only form in which aws-lc-rs gives them away.

/// Tags of the DER encoding.
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// The numbers of an RSA private key in the order of RFC 8017: n, e, d, p, q, d mod p-1, d mod q-1, q^-1 mod p; big endian
/// without leading zeros. Nothing if the bytes are something else.
pub(super) fn rsa_numbers(pkcs8: &[u8]) -> Option<[&[u8]; 8]> {
    let (key_info, _) = value(pkcs8, SEQUENCE)?;
    let (_version, rest) = value(key_info, INTEGER)?;
    let (_algorithm, rest) = value(rest, SEQUENCE)?;
    let (key, _) = value(rest, OCTET_STRING)?;
    let (key, _) = value(key, SEQUENCE)?;
    let (_version, mut rest) = value(key, INTEGER)?;
    let mut numbers = [&[][..]; 8];
    for number in &mut numbers {
        let (bytes, after) = value(rest, INTEGER)?;
        *number = bytes.strip_prefix(&[0]).unwrap_or(bytes);
        rest = after;
    }
    Some(numbers)
}

/// The contents of the element at the start of `bytes`, and what follows it.
fn value(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&[first, length], mut rest) = bytes.split_first_chunk::<2>()?;
    if first != tag {
        return None;
    }
    let mut contents = usize::from(length);
    if length >= 0x80 {
        let (digits, after) =
            rest.split_at_checked(usize::from(length & 0x7f)).filter(|(digits, _)| digits.len() <= 3)?;
        contents = digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit));
        rest = after;
    }
    rest.split_at_checked(contents)
}
