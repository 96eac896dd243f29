//! Every limit of the native processes, with its reason. What is over a limit is refused with an error that names it, and
//! money that came along goes back to its payer.

/// Characters of a title or a name that a person reads.
pub const TITLE_CHARS_MAX: usize = 64;

/// Characters of a value from outside that an error message repeats.
pub const QUOTED_CHARS_MAX: usize = 80;
