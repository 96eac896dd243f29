//! The inside of a JSON string, byte by byte: whole characters of UTF-8, and escapes that stand for one character each.

/// What is written of a string, after its opening quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Text {
    /// Characters that it must have.
    pub(super) least: u32,
    /// Characters that it may have.
    pub(super) most: u32,
    /// Characters that have begun.
    begun: u32,
    pending: Pending,
}

/// What the last character still needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    Nothing,
    /// What comes after a backslash.
    Escape,
    /// Digits of `\uXXXX`: how many, and whether the next one must keep it from being half of a pair.
    Digits(u8, bool),
    /// Bytes of a character: how many, and between which bounds the next one lies.
    Bytes(u8, u8, u8),
}

/// What a byte does to a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextStep {
    Goes,
    Ends,
    Refused,
}

impl Text {
    pub(super) fn new(least: u32, most: u32) -> Self {
        Self { least, most, begun: 0, pending: Pending::Nothing }
    }

    pub(super) fn step(&mut self, byte: u8) -> TextStep {
        let pending = match self.pending {
            Pending::Nothing if byte == b'"' => {
                return if self.begun >= self.least { TextStep::Ends } else { TextStep::Refused };
            }
            Pending::Nothing if self.begun == self.most => return TextStep::Refused,
            Pending::Nothing => {
                self.begun += 1;
                begin(byte)
            }
            Pending::Escape => match byte {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(Pending::Nothing),
                b'u' => Some(Pending::Digits(4, false)),
                _ => None,
            },
            Pending::Digits(left, is_low) => match byte {
                b'8'..=b'9' | b'a'..=b'f' | b'A'..=b'F' if is_low => None,
                b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' if left == 1 => Some(Pending::Nothing),
                b'd' | b'D' if left == 4 => Some(Pending::Digits(3, true)),
                b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F' => Some(Pending::Digits(left - 1, false)),
                _ => None,
            },
            Pending::Bytes(left, low, high) if (low..=high).contains(&byte) => {
                Some(if left == 1 { Pending::Nothing } else { Pending::Bytes(left - 1, 0x80, 0xbf) })
            }
            Pending::Bytes(..) => None,
        };
        let Some(pending) = pending else { return TextStep::Refused };
        self.pending = pending;
        TextStep::Goes
    }

    /// The fewest bytes that end the string, its quote among them.
    pub(super) fn rest(&self, bytes: &mut Vec<u8>) {
        match self.pending {
            Pending::Nothing => {}
            Pending::Escape => bytes.push(b'n'),
            Pending::Digits(left, _) => bytes.extend((0..left).map(|_| b'0')),
            Pending::Bytes(left, low, _) => {
                bytes.push(low);
                bytes.extend((1..left).map(|_| 0x80));
            }
        }
        bytes.extend((self.begun..self.least).map(|_| b'-'));
        bytes.push(b'"');
    }
}

/// What the first byte of a character needs after it (the table of well-formed UTF-8 in the Unicode standard, 3-7).
fn begin(byte: u8) -> Option<Pending> {
    Some(match byte {
        b'\\' => Pending::Escape,
        0x20..=0x7f => Pending::Nothing,
        0xc2..=0xdf => Pending::Bytes(1, 0x80, 0xbf),
        0xe0 => Pending::Bytes(2, 0xa0, 0xbf),
        0xed => Pending::Bytes(2, 0x80, 0x9f),
        0xe1..=0xef => Pending::Bytes(2, 0x80, 0xbf),
        0xf0 => Pending::Bytes(3, 0x90, 0xbf),
        0xf4 => Pending::Bytes(3, 0x80, 0x8f),
        0xf1..=0xf3 => Pending::Bytes(3, 0x80, 0xbf),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(least: u32, most: u32, bytes: &[u8]) -> TextStep {
        let mut text = Text::new(least, most);
        for (place, &byte) in bytes.iter().enumerate() {
            match text.step(byte) {
                TextStep::Goes => {}
                TextStep::Ends if place + 1 == bytes.len() => return TextStep::Ends,
                _ => return TextStep::Refused,
            }
        }
        let mut rest = Vec::new();
        text.rest(&mut rest);
        let whole = [b"\"", bytes, &rest].concat();
        serde_json::from_slice::<String>(&whole).unwrap();
        TextStep::Goes
    }

    #[test]
    fn strings_are_those_of_json_and_characters_are_counted() {
        for (bytes, expected) in [
            (&b"abc\""[..], TextStep::Ends),
            (b"ab\"", TextStep::Ends),
            (b"a\"", TextStep::Refused),
            (b"abcd", TextStep::Refused),
            ("äöü\"".as_bytes(), TextStep::Ends),
            ("🦀🦀🦀\"".as_bytes(), TextStep::Ends),
            (br#"\n\"\u00e9""#, TextStep::Ends),
            (br"\u00", TextStep::Goes),
            (br"\ud7ff", TextStep::Goes),
            (br"\ud8", TextStep::Refused),
            (br"\x", TextStep::Refused),
            (b"a\nb", TextStep::Refused),
            (b"\xc3", TextStep::Goes),
            (b"\xc3a", TextStep::Refused),
            (b"\xed\xa0", TextStep::Refused),
            (b"\xff", TextStep::Refused),
        ] {
            assert_eq!(outcome(2, 3, bytes), expected, "{:?}", String::from_utf8_lossy(bytes));
        }
    }
}
