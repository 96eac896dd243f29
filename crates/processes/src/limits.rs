//! Every limit of the native processes, with its reason. What is over a limit is refused with an error that names it, and
//! money that came along goes back to its payer.

/// Characters of a title or a name that a person reads.
pub const TITLE_CHARS_MAX: usize = 64;

/// Characters of a value from outside that an error message repeats.
pub const QUOTED_CHARS_MAX: usize = 80;

/// Accounts in one answer to Balances where the question sets no limit, and the most that a question can ask for: an answer
/// is one message, and a token can have any number of accounts.
pub const BALANCES_PAGE: u32 = 1_000;

/// The most accounts that a question can ask for in one answer to Balances.
pub const BALANCES_PAGE_MAX: u32 = 5_000;

/// The denomination beyond which one whole token would be more than a quantity can hold.
pub const DENOMINATION_MAX: u32 = 38;
