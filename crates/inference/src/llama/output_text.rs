//! The text that grows token by token, and where it stops.

use crate::request::{Finish, GenerateRequest};

/// The bytes generated so far. Tokens may end in the middle of a character, so text is made at the end.
#[derive(Debug)]
pub(super) struct OutputText<'request> {
    bytes: Vec<u8>,
    stop: &'request [String],
    bytes_max: usize,
    /// Bytes that were given out as parts, and how many they are as text.
    given: usize,
    given_text: usize,
}

impl<'request> OutputText<'request> {
    pub(super) fn new(request: &'request GenerateRequest) -> Self {
        Self { bytes: Vec::new(), stop: &request.stop, bytes_max: request.max_bytes as usize, given: 0, given_text: 0 }
    }

    /// Appends the bytes of a token. Says why generation ends here, if it does.
    pub(super) fn push(&mut self, piece: &[u8]) -> Option<Finish> {
        let before = self.bytes.len();
        self.bytes.extend_from_slice(piece);
        let found = self.stop.iter().filter_map(|stop| self.find(stop.as_bytes(), before)).min();
        if let Some(position) = found.filter(|&position| position <= self.bytes_max) {
            self.bytes.truncate(position);
            return Some(Finish::Stop);
        }
        if self.bytes.len() > self.bytes_max {
            self.bytes.truncate(self.bytes_max);
            self.drop_cut_character();
            return Some(Finish::Length);
        }
        None
    }

    /// Where a stop text begins that ends in what was appended after `before`.
    fn find(&self, stop: &[u8], before: usize) -> Option<usize> {
        if stop.is_empty() {
            return None;
        }
        let start = (before + 1).saturating_sub(stop.len());
        self.bytes[start..].windows(stop.len()).position(|window| window == stop).map(|position| start + position)
    }

    /// How many bytes there are.
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// What has become certain since the last call: whole characters that no stop text can take back.
    pub(super) fn part(&mut self) -> String {
        let certain = self.bytes.len() - self.longest_begun_stop();
        let mut part = String::new();
        let mut end = self.given;
        for chunk in self.bytes.get(self.given..certain).unwrap_or_default().utf8_chunks() {
            part.push_str(chunk.valid());
            end += chunk.valid().len();
            // The last one may be a character whose other bytes are to come.
            let is_cut = end + chunk.invalid().len() == certain && is_beginning(chunk.invalid());
            if !chunk.invalid().is_empty() && !is_cut {
                part.push(char::REPLACEMENT_CHARACTER);
                end += chunk.invalid().len();
            }
        }
        // U+FFFD is longer than what it stands for: what is over the limit is cut in the whole text, too.
        if self.given_text + part.len() > self.bytes_max {
            return String::new();
        }
        self.given = end;
        self.given_text += part.len();
        part
    }

    /// The text, and what of it was not yet given out.
    pub(super) fn into_text_and_part(self) -> (String, String) {
        let given = self.given_text;
        let text = self.into_text();
        let part = text.get(given..).unwrap_or_default().to_owned();
        (text, part)
    }

    /// How many bytes at the end are the beginning of a stop text, at most.
    fn longest_begun_stop(&self) -> usize {
        let begun = |stop: &String| {
            let longest = (stop.len().saturating_sub(1)).min(self.bytes.len());
            (1..=longest).rev().find(|&length| self.bytes.ends_with(stop.as_bytes().get(..length).unwrap_or_default()))
        };
        self.stop.iter().filter_map(begun).max().unwrap_or(0)
    }

    fn drop_cut_character(&mut self) {
        if let Err(error) = std::str::from_utf8(&self.bytes)
            && error.error_len().is_none()
        {
            self.bytes.truncate(error.valid_up_to());
        }
    }

    /// The text; what is no UTF-8 becomes U+FFFD, within the limit of bytes.
    pub(super) fn into_text(self) -> String {
        let mut text = String::from_utf8_lossy(&self.bytes).into_owned();
        // U+FFFD has three bytes and may stand for one.
        let mut end = self.bytes_max.min(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text
    }
}

/// Whether more bytes could make a character of these.
fn is_beginning(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn run(pieces: &[&[u8]], stop: &[&str], max_bytes: u32) -> (String, Option<Finish>) {
        let request = GenerateRequest {
            max_bytes,
            stop: stop.iter().map(|&stop| stop.to_owned()).collect(),
            ..GenerateRequest::new(Vec::new(), 1)
        };
        let mut output = OutputText::new(&request);
        let finish = pieces.iter().find_map(|piece| output.push(piece));
        (output.into_text(), finish)
    }

    #[test]
    fn a_stop_text_across_tokens_ends_the_output_before_it() {
        assert_eq!(run(&[b"A.", b"\n", b"\nB"], &["\n\n"], 99), ("A.".to_owned(), Some(Finish::Stop)));
        assert_eq!(run(&[b"xENDyyST"], &["ST", "END"], 99), ("x".to_owned(), Some(Finish::Stop)));
        assert_eq!(run(&[b"A"], &["", "B"], 99), ("A".to_owned(), None));
    }

    #[test]
    fn a_character_that_comes_in_two_tokens_is_whole() {
        assert_eq!(run(&[b"\xc3", b"\xa9!"], &[], 99).0, "é!");
        assert_eq!(run(&[b"a\xc3"], &[], 99).0, "a\u{fffd}");
    }

    #[test]
    fn the_limit_of_bytes_cuts_between_characters() {
        assert_eq!(run(&["abé".as_bytes()], &[], 3), ("ab".to_owned(), Some(Finish::Length)));
        assert_eq!(run(&[b"\xff\xff\xff"], &[], 4), ("\u{fffd}".to_owned(), None));
    }

    /// The parts that are given out, the last one among them, and the whole.
    fn parts(pieces: &[&[u8]], stop: &[String], max_bytes: u32) -> (Vec<String>, String) {
        let stop = stop.to_vec();
        let request = GenerateRequest { max_bytes, stop, ..GenerateRequest::new(Vec::new(), 1) };
        let mut output = OutputText::new(&request);
        let mut parts = Vec::new();
        for piece in pieces {
            let ends = output.push(piece).is_some();
            if ends {
                break;
            }
            parts.push(output.part());
        }
        let (text, last) = output.into_text_and_part();
        parts.push(last);
        (parts, text)
    }

    #[test]
    fn a_part_holds_whole_characters_and_nothing_that_a_stop_text_takes_back() {
        let stop = ["END".to_owned()];
        assert_eq!(parts(&[b"a\xc3", b"\xa9b"], &[], 99).0, ["a", "éb", ""]);
        assert_eq!(parts(&[b"one E", b"N", b"D two"], &stop, 99).0, ["one ", "", ""]);
        assert_eq!(parts(&[b"one E", b"N", b"Ding"], &stop, 99).0, ["one ", "", ""]);
        assert_eq!(parts(&[b"one E", b"N", b"ough"], &stop, 99).0, ["one ", "", "ENough", ""]);
        assert_eq!(parts(&[b"a\xff", b"b\xc3"], &[], 99).0, ["a\u{fffd}", "b", "\u{fffd}"]);
    }

    proptest! {
        #[test]
        fn the_parts_of_an_output_are_the_output(
            pieces in prop::collection::vec(
                prop::collection::vec(prop::sample::select(b"ab\n\xc3\xa9\xf0\x9f\xa6\x80\xff".to_vec()), 0..4), 0..12
            ),
            stop in prop::collection::vec("[ab\n]{1,3}", 0..3),
            max_bytes in 0u32..30,
        ) {
            let pieces: Vec<&[u8]> = pieces.iter().map(Vec::as_slice).collect();
            let (parts, text) = parts(&pieces, &stop, max_bytes);
            prop_assert_eq!(parts.concat(), text);
        }
    }
}
