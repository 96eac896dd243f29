//! Spans of time as a funder writes them: `30-days`, `12-hours`, `90-minutes`.

const MINUTE_MS: u64 = 60_000;

/// The milliseconds of a span, or nothing if the text is none.
pub(super) fn parse(text: &str) -> Option<u64> {
    let (count, unit) = text.split_once('-')?;
    let unit_ms = match unit {
        "minute" | "minutes" => MINUTE_MS,
        "hour" | "hours" => 60 * MINUTE_MS,
        "day" | "days" => 24 * 60 * MINUTE_MS,
        _ => return None,
    };
    let digits = !count.is_empty() && count.len() <= 9 && count.bytes().all(|byte| byte.is_ascii_digit());
    if !digits || (count.len() > 1 && count.starts_with('0')) {
        return None;
    }
    count.parse::<u64>().ok()?.checked_mul(unit_ms)
}

/// A span as a person reads it, in the largest unit that gives a whole number.
pub(super) fn text(span_ms: u64) -> String {
    let units = [("days", 24 * 60 * MINUTE_MS), ("hours", 60 * MINUTE_MS), ("minutes", MINUTE_MS)];
    let fitting = units.into_iter().find(|(_, unit_ms)| span_ms.is_multiple_of(*unit_ms));
    fitting.map_or_else(|| format!("{span_ms} ms"), |(unit, unit_ms)| format!("{} {unit}", span_ms / unit_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_as_they_are_written() {
        for (text, span_ms) in [
            ("30-days", Some(2_592_000_000)),
            ("1-day", Some(86_400_000)),
            ("12-hours", Some(43_200_000)),
            ("90-minutes", Some(5_400_000)),
            ("0-days", Some(0)),
            ("30 days", None),
            ("30", None),
            ("-days", None),
            ("-1-days", None),
            ("1.5-days", None),
            ("007-days", None),
            ("1e3-days", None),
            ("3-weeks", None),
            ("9999999999-days", None),
            ("", None),
        ] {
            assert_eq!(parse(text), span_ms, "{text:?}");
        }
        assert_eq!(text(2_592_000_000), "30 days");
        assert_eq!(text(90 * MINUTE_MS), "90 minutes");
    }
}
