//! Prompts that a chat template wrote: which parts of them are the template's. Special tokens, which a model takes for the
//! borders of a conversation, are read in those parts only; what came from outside is text, whatever it looks like.

/// Begins a part that the template wrote. One of Unicode's noncharacters, which are for use within a program.
pub const TEMPLATE_BEGINS: char = '\u{FDD0}';

/// Ends such a part.
pub const TEMPLATE_ENDS: char = '\u{FDD1}';

/// Whether a text from outside may stand in a marked prompt: it holds no mark itself.
pub fn is_free_of_marks(text: &str) -> bool {
    !text.contains([TEMPLATE_BEGINS, TEMPLATE_ENDS])
}

/// A text with the marks of a template around it.
pub fn marked(text: &str) -> String {
    format!("{TEMPLATE_BEGINS}{text}{TEMPLATE_ENDS}")
}

/// The parts of a marked prompt in their order, each with whether the template wrote it. Empty parts are left out.
pub fn parts(prompt: &str) -> impl Iterator<Item = (&str, bool)> {
    prompt.split(TEMPLATE_BEGINS).enumerate().flat_map(|(place, part)| {
        let (template, outside) = match part.split_once(TEMPLATE_ENDS) {
            Some((template, outside)) if place > 0 => (template, outside),
            _ => ("", part),
        };
        [(template, true), (outside, false)].into_iter().filter(|(text, _)| !text.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_apart() {
        let prompt = format!("{}Ana <s> asks{}", marked("<user>"), marked("</user>\n<model>"));
        let found: Vec<_> = parts(&prompt).collect();
        assert_eq!(found, [("<user>", true), ("Ana <s> asks", false), ("</user>\n<model>", true)]);
        assert_eq!(parts("plain").collect::<Vec<_>>(), [("plain", false)]);
        assert_eq!(parts(&marked("only")).collect::<Vec<_>>(), [("only", true)]);
        assert!(is_free_of_marks("Zoë") && !is_free_of_marks(&prompt));
    }
}
