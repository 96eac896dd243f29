//! The text that grows token by token, and where it stops.

use crate::request::{Finish, GenerateRequest};

/// The bytes generated so far. Tokens may end in the middle of a character, so text is made at the end.
#[derive(Debug)]
pub(super) struct OutputText<'request> {
    bytes: Vec<u8>,
    stop: &'request [String],
    bytes_max: usize,
}

impl<'request> OutputText<'request> {
    pub(super) fn new(request: &'request GenerateRequest) -> Self {
        Self { bytes: Vec::new(), stop: &request.stop, bytes_max: request.max_bytes as usize }
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

#[cfg(test)]
mod tests {
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
}
