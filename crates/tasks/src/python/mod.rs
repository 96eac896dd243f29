//! What Python does where lm-evaluation-harness leaves it to Python: its random numbers, the text of its values, its
//! literals, its idea of white space, its regular expressions, and small functions. Prompts and scores are equal only if
//! these are.

pub(crate) mod literal;
pub(crate) mod random;
pub(crate) mod regex;
pub(crate) mod script;
pub(crate) mod text;
