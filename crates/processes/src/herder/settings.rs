//! What the owner of a herder fixed when it was spawned.

use ao::{Id, Quantity, Tags};

use crate::Fault;
use crate::payload::quoted;

use super::limits::{LEASE_SECONDS_DEFAULT, LEASE_SECONDS_MAX, LEASE_SECONDS_MIN};

/// The settings of a herder, from the tags of the item that spawned it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings {
    /// The token in which fees are paid; without one, paid inference is refused.
    pub(super) token: Option<Id>,
    /// Whether anybody may register as worker whom the owner has not forbidden.
    pub(super) open: bool,
    /// The workers that are allowed from the start.
    pub(super) workers: Vec<Id>,
    /// The least fee for each token asked for.
    pub(super) fee_per_token: Quantity,
    /// The fee for a prompt, whatever its tokens. Where both are 0, inference is free.
    pub(super) fee_per_prompt: Quantity,
    /// How long a worker has for a job, milliseconds.
    pub(super) lease_ms: i64,
}

impl Settings {
    /// Reads the tags; a tag that cannot be used is a fault, so that no herder is spawned with settings that its owner
    /// did not mean.
    pub(super) fn read(tags: &Tags) -> Result<Self, Fault> {
        let token = tags.get("Token").map(|text| read_id("Token", text)).transpose()?;
        let listed = tags.get("Workers").unwrap_or_default();
        let open = listed.eq_ignore_ascii_case("open");
        let workers = if open { Vec::new() } else { read_ids("Workers", listed)? };
        let lease = tags.get("Lease-Seconds");
        let lease_seconds = match lease.map(str::parse) {
            None => LEASE_SECONDS_DEFAULT,
            Some(Ok(seconds)) if (LEASE_SECONDS_MIN..=LEASE_SECONDS_MAX).contains(&seconds) => seconds,
            Some(_) => {
                let range = format!("a lease lasts {LEASE_SECONDS_MIN} to {LEASE_SECONDS_MAX} whole seconds");
                return Err(bad_tag("Lease-Seconds", lease.unwrap_or_default(), &range));
            }
        };
        Ok(Self {
            token,
            open,
            workers,
            fee_per_token: fee(tags, "Fee-Per-Token")?,
            fee_per_prompt: fee(tags, "Fee-Per-Prompt")?,
            lease_ms: lease_seconds as i64 * 1_000,
        })
    }

    /// Whether anybody may ask without paying.
    pub(super) fn is_free(&self) -> bool {
        self.fee_per_token.is_zero() && self.fee_per_prompt.is_zero()
    }

    /// The least that a prompt with so many tokens costs, units of the token; nothing if no quantity can be so large.
    pub(super) fn fee(&self, tokens: u32) -> Option<u128> {
        let tokens = self.fee_per_token.units().checked_mul(u128::from(tokens))?;
        tokens.checked_add(self.fee_per_prompt.units())
    }
}

fn fee(tags: &Tags, name: &'static str) -> Result<Quantity, Fault> {
    let text = tags.get(name).unwrap_or("0");
    text.parse().map_err(|error| bad_tag(name, text, &error))
}

/// A fault about the value of a tag.
pub(super) fn bad_tag(name: &'static str, value: &str, reason: &impl ToString) -> Fault {
    Fault::BadTag { name, value: quoted(value), reason: reason.to_string() }
}

/// The value of a tag as an id.
pub(super) fn read_id(name: &'static str, text: &str) -> Result<Id, Fault> {
    text.parse().map_err(|error| bad_tag(name, text, &error))
}

/// The value of a tag as a comma-separated list of ids, sorted, each once.
pub(super) fn read_ids(name: &'static str, text: &str) -> Result<Vec<Id>, Fault> {
    let mut ids = text
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| read_id(name, part))
        .collect::<Result<Vec<_>, _>>()?;
    ids.sort_unstable();
    ids.dedup();
    Ok(ids)
}
