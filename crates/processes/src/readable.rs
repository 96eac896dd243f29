//! Text that was written by somebody else and is shown to people: names, titles and reasons.

use crate::limits::{SENTENCE_CHARS_MAX, TITLE_CHARS_MAX};

/// The text without what a reader cannot see and what turns the reading direction of a line around (U+202E and its kin,
/// with which one name is made to look like another), white space at both ends left out.
pub(crate) fn visible(text: &str) -> String {
    let kept = text.chars().map(|character| if character.is_whitespace() { ' ' } else { character });
    kept.filter(|character| !is_invisible(*character)).collect::<String>().trim().to_owned()
}

/// The same, cut to [`TITLE_CHARS_MAX`] characters.
pub(crate) fn title(text: &str) -> String {
    cut(text, TITLE_CHARS_MAX)
}

/// The same, cut to [`SENTENCE_CHARS_MAX`] characters.
pub(crate) fn sentence(text: &str) -> String {
    cut(text, SENTENCE_CHARS_MAX)
}

fn cut(text: &str, most: usize) -> String {
    let visible = visible(text);
    if visible.chars().nth(most).is_none() {
        return visible;
    }
    visible.chars().take(most - 1).chain(['…']).collect()
}

fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}')
        || matches!(character, '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reader_cannot_see_is_left_out() {
        assert_eq!(visible("  Gol\u{202E}d\u{200B} \u{7}model\n"), "Gold model");
        assert_eq!(title(&"a".repeat(64)), "a".repeat(64));
        assert_eq!(title(&"ä".repeat(65)), format!("{}…", "ä".repeat(63)));
    }
}
