//! What a benchmark process was spawned with.

use ao::{Id, Quantity};

use crate::payload::quoted;
use crate::{Env, Fault};

/// Hours after the end of a pool in which evaluations may still be completed, where the spawn tags do not say.
const GRACE_HOURS_DEFAULT: u64 = 24;

/// The longest grace, hours: a month.
const GRACE_HOURS_MAX: u64 = 31 * 24;

/// The configuration of a benchmark process, from its spawn tags.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    /// The token in which pools are funded and paid.
    pub(super) token: Id,
    /// The least that makes a pool.
    pub(super) minimum_fund: Quantity,
    /// How long after its end a pool waits for the last evaluations, milliseconds.
    pub(super) grace_ms: u64,
}

impl Settings {
    /// Reads the spawn tags.
    pub(super) fn read(env: &Env) -> Result<Self, Fault> {
        let token = env.tags.get("Token").ok_or(Fault::MissingTag("Token"))?;
        let token = token.parse().map_err(|error: ao::IdError| bad("Token", token, error.to_string()))?;
        let minimum_fund = env.tags.get("Minimum-Fund").unwrap_or("1");
        let minimum_fund = minimum_fund
            .parse()
            .map_err(|error: ao::QuantityError| bad("Minimum-Fund", minimum_fund, error.to_string()))?;
        let grace_hours = match env.tags.get("Grace-Hours") {
            None => GRACE_HOURS_DEFAULT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|hours| *hours <= GRACE_HOURS_MAX)
                .ok_or_else(|| bad("Grace-Hours", text, format!("it is a whole number up to {GRACE_HOURS_MAX}")))?,
        };
        Ok(Self { token, minimum_fund, grace_ms: grace_hours * 3_600_000 })
    }
}

fn bad(name: &'static str, value: &str, reason: String) -> Fault {
    Fault::BadTag { name, value: quoted(value), reason }
}
