//! The clocks that a process asks for in the tags of its spawn: `Cron-Interval`, then the `Cron-Tag-…` of its ticks. AO's
//! compute unit stops a process whose clocks it cannot read; here it is not spawned.

use ao::Tags;

use crate::limits::CRON_PERIOD_MS_MIN;

/// Clocks of one process.
const CRONS_MAX: usize = 16;
/// A day, milliseconds.
const DAY_MS: u64 = 86_400_000;
/// How a tag of a tick begins.
const TAG_PREFIX: &str = "Cron-Tag-";

/// A clock of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cron {
    /// Its name, the action of its ticks in the log.
    pub name: String,
    /// Its period, milliseconds.
    pub every_ms: u64,
    /// The tags of its ticks as the process is given them.
    pub tags: Tags,
}

/// The clocks of a process; one that cannot be understood is left out, and the node says so in its log.
pub(super) fn of(tags: &Tags) -> Vec<Cron> {
    let mut crons: Vec<Option<Cron>> = Vec::new();
    for tag in tags {
        if tag.is_named("Cron-Interval") {
            let number = crons.len();
            let every_ms = period_ms(&tag.value).filter(|_| number < CRONS_MAX);
            if every_ms.is_none() {
                tracing::warn!(interval = %tag.value, "a clock of a process is not one that this node has");
            }
            crons.push(every_ms.map(|every_ms| Cron {
                name: format!("Cron-{number}-{every_ms}"),
                every_ms,
                tags: Tags::new(),
            }));
        } else if let (Some(name), Some(Some(cron))) = (strip(&tag.name), crons.last_mut()) {
            cron.tags.push(name, &tag.value);
        }
    }
    crons.into_iter().flatten().collect()
}

/// Why the clocks in the tags of a spawn cannot be: the tag, and what is wrong with it.
pub(crate) fn check(tags: &Tags) -> Result<(), (String, String)> {
    let mut count = 0;
    for tag in tags {
        if tag.is_named("Cron-Interval") {
            count += 1;
            if period_ms(&tag.value).is_none() {
                let units = "seconds, minutes, hours, days, weeks, years or blocks";
                let reason = format!(
                    "'{:.40}' is no period: it is a number and its unit, as in 5-minutes, of {units}",
                    tag.value
                );
                return Err((tag.name.clone(), reason));
            }
            if count > CRONS_MAX {
                return Err((tag.name.clone(), format!("a process has at most {CRONS_MAX} clocks")));
            }
        } else if strip(&tag.name).is_some() && count == 0 {
            return Err((
                tag.name.clone(),
                "it stands before any Cron-Interval, and belongs to the one before it".to_owned(),
            ));
        }
    }
    Ok(())
}

/// The tags of the clock of that name.
pub(super) fn tags_of<'a>(crons: &'a [Cron], name: &str) -> Option<&'a Tags> {
    crons.iter().find(|cron| cron.name == name).map(|cron| &cron.tags)
}

fn strip(name: &str) -> Option<&str> {
    let (start, rest) = name.split_at_checked(TAG_PREFIX.len())?;
    start.eq_ignore_ascii_case(TAG_PREFIX).then_some(rest)
}

/// `5-minutes` in milliseconds, with the units that AO's compute unit understands. AO's client also takes months, of which
/// that unit knows nothing.
fn period_ms(text: &str) -> Option<u64> {
    let (number, unit) = text.split_once('-')?;
    let unit_ms: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "s" | "sec" | "secs" | "second" | "seconds" => 1000,
        "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000,
        "d" | "day" | "days" => DAY_MS,
        "w" | "week" | "weeks" => 7 * DAY_MS,
        // A year there is 365 days and a quarter.
        "y" | "yr" | "yrs" | "year" | "years" => 1461 * DAY_MS / 4,
        "block" | "blocks" => crate::limits::BLOCK_MS,
        _ => return None,
    };
    let every_ms = number.trim().parse::<u64>().ok()?.checked_mul(unit_ms)?;
    (every_ms > 0).then_some(every_ms.max(CRON_PERIOD_MS_MIN))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_read_in_order_with_their_tags() {
        let tags = Tags::new()
            .with("Cron-Interval", "5-minutes")
            .with("Cron-Tag-Action", "Tick")
            .with("Cron-Interval", "1-eon")
            .with("Cron-Tag-Action", "Never")
            .with("Cron-Interval", "1-hour")
            .with("Cron-Tag-Action", "Hour");
        assert_eq!(check(&tags).unwrap_err().0, "Cron-Interval");
        let crons = of(&tags);
        assert_eq!(crons.iter().map(|cron| cron.every_ms).collect::<Vec<_>>(), [300_000, 3_600_000]);
        assert_eq!(tags_of(&crons, &crons[1].name).unwrap().get("Action"), Some("Hour"));
    }

    #[test]
    fn what_is_no_clock_is_named() {
        let clock = |value: &str| Tags::new().with("Cron-Interval", value);
        for good in ["1-second", "10-blocks", "2-weeks", "1-year", "10-Minutes", "2-hrs", "30 - secs"] {
            assert_eq!(check(&clock(good)), Ok(()), "{good}");
        }
        for bad in ["1-month", "0-minutes", "minutes", "-5-minutes", "5 minutes", "1.5-hours"] {
            assert!(check(&clock(bad)).unwrap_err().1.contains("5-minutes"), "{bad}");
        }
        let early = Tags::new().with("cron-tag-Action", "Tick").with("Cron-Interval", "5-minutes");
        assert!(check(&early).unwrap_err().1.contains("before any Cron-Interval"));
        let many: Tags = (0..=CRONS_MAX).map(|_| ao::Tag::new("Cron-Interval", "5-minutes")).collect();
        assert!(check(&many).unwrap_err().1.contains("at most 16"));
    }
}
