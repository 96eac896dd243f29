//! The part of some data that a request asks for: the header `Range` of HTTP, one range at a time.

use axum::http::header::{IF_RANGE, RANGE};
use axum::http::{HeaderMap, HeaderValue};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Everything.
    Whole,
    /// From the first byte up to, and not with, the second.
    Part(u64, u64),
    /// A part that is not there.
    Nothing,
}

/// What a request asks for of data with `total` bytes and this entity tag.
pub(super) fn wanted(headers: &HeaderMap, total: u64, etag: &str) -> Wanted {
    // If-Range: the part only if the data is still what the asker has the beginning of.
    if headers.get(IF_RANGE).is_some_and(|given| given.as_bytes() != etag.as_bytes()) {
        return Wanted::Whole;
    }
    headers.get(RANGE).map_or(Wanted::Whole, |value| range(value, total))
}

/// Several ranges at once, and other units, are answered with the whole, as HTTP allows.
fn range(value: &HeaderValue, total: u64) -> Wanted {
    let Some(text) = value.to_str().ok().and_then(|text| text.strip_prefix("bytes=")) else { return Wanted::Whole };
    let Some((first, last)) = text.split_once('-') else { return Wanted::Whole };
    let (first, last) = (first.trim(), last.trim());
    let (start, end) = match (number(first), number(last)) {
        (Some(start), Some(last)) if start <= last => (start, last.saturating_add(1).min(total)),
        (Some(start), None) if last.is_empty() => (start, total),
        (None, Some(suffix)) if first.is_empty() => (total.saturating_sub(suffix), total),
        _ => return Wanted::Whole,
    };
    if start >= total { Wanted::Nothing } else { Wanted::Part(start, end) }
}

/// Digits only: Rust also reads a plus sign.
fn number(text: &str) -> Option<u64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_at_their_edges() {
        for (text, total, expected) in [
            ("bytes=0-0", 10, Wanted::Part(0, 1)),
            ("bytes=0-", 10, Wanted::Part(0, 10)),
            ("bytes=9-9", 10, Wanted::Part(9, 10)),
            ("bytes=5-99", 10, Wanted::Part(5, 10)),
            ("bytes=-3", 10, Wanted::Part(7, 10)),
            ("bytes=-99", 10, Wanted::Part(0, 10)),
            ("bytes=0-18446744073709551615", 10, Wanted::Part(0, 10)),
            ("bytes=10-", 10, Wanted::Nothing),
            ("bytes=10-12", 10, Wanted::Nothing),
            ("bytes=0-", 0, Wanted::Nothing),
            ("bytes=-0", 10, Wanted::Nothing),
            ("bytes=18446744073709551615-", 10, Wanted::Nothing),
            ("bytes=5-2", 10, Wanted::Whole),
            ("bytes=0-1,3-4", 10, Wanted::Whole),
            ("bytes=+1-3", 10, Wanted::Whole),
            ("bytes=-", 10, Wanted::Whole),
            ("bytes=99999999999999999999-", 10, Wanted::Whole),
            ("lines=0-1", 10, Wanted::Whole),
            ("bytes=a-b", 10, Wanted::Whole),
        ] {
            let headers = HeaderMap::from_iter([(RANGE, HeaderValue::from_static(text))]);
            assert_eq!(wanted(&headers, total, "\"x\""), expected, "{text}");
        }
    }

    #[test]
    fn a_part_of_other_data_is_not_given() {
        let range = (RANGE, HeaderValue::from_static("bytes=5-"));
        for (etag, expected) in [("\"x\"", Wanted::Part(5, 10)), ("\"y\"", Wanted::Whole)] {
            let headers = HeaderMap::from_iter([range.clone(), (IF_RANGE, HeaderValue::from_static(etag))]);
            assert_eq!(wanted(&headers, 10, "\"x\""), expected);
        }
    }
}
