//! How figures, times, ids and texts stand on a page.

use ao::{Id, Quantity};

/// Decimals of wrapped AR, in which pools are funded.
const DENOMINATION: u32 = 12;

/// Characters of a name or title from outside.
const NAME_CHARS_MAX: usize = 64;

/// Characters of an explanation from outside.
const REASON_CHARS_MAX: usize = 400;

/// An amount of wrapped AR.
pub(super) fn money(quantity: Quantity) -> String {
    format!("{} wAR", quantity.to_decimal(DENOMINATION))
}

/// A forecast of an amount of wrapped AR: four decimals, the rest left off. What is paid is shown exactly.
pub(super) fn money_about(quantity: Quantity) -> String {
    money(about(quantity))
}

fn about(quantity: Quantity) -> Quantity {
    const LEFT_OFF: u128 = 10_u128.pow(DENOMINATION - 4);
    Quantity::new(quantity.units() / LEFT_OFF * LEFT_OFF)
}

/// Amounts that stand below each other, so that their decimal points do: all have as many decimals as the longest of them, of
/// forecasts at most four.
pub(super) fn column(quantities: &[Quantity], are_forecasts: bool) -> Vec<String> {
    let shown = |quantity: &Quantity| {
        let quantity = if are_forecasts { about(*quantity) } else { *quantity };
        let text = quantity.to_decimal(DENOMINATION);
        let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
        (whole.to_owned(), decimals.to_owned())
    };
    let parts: Vec<(String, String)> = quantities.iter().map(shown).collect();
    let longest = parts.iter().map(|(_, decimals)| decimals.len()).max().unwrap_or_default();
    let padded = |(whole, decimals): &(String, String)| {
        if longest == 0 { format!("{whole} wAR") } else { format!("{whole}.{decimals:0<longest$} wAR") }
    };
    parts.iter().map(padded).collect()
}

/// Characters of a text that a page shows in full: a prompt, an output, the data of a message.
const LONG_CHARS_MAX: usize = 4_000;

/// The names of the months and days as RFC 822 has them, the days from that of 1970-01-01 on.
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];

/// A share (0 to 1) in percent with one decimal.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A difference of shares in percentage points, with its sign.
pub(super) fn points(difference: f64) -> String {
    format!("{:+.1}", difference * 100.0).replace('-', "−")
}

/// A number of bytes as people say it.
pub(super) fn bytes(count: u64) -> String {
    scaled(count, &["B", "kB", "MB", "GB", "TB"])
}

/// A number of parameters as people say it.
pub(super) fn parameters(count: u64) -> String {
    scaled(count, &["", "thousand", "million", "billion", "trillion"])
}

fn scaled(count: u64, units: &[&str]) -> String {
    let (mut value, mut unit) = (count as f64, 0);
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let decimals = usize::from(unit > 0 && value < 99.95);
    format!("{value:.decimals$} {}", units[unit]).trim_end().to_owned()
}

/// How much time there is between two times, in its two largest units.
pub(super) fn span(milliseconds: u64) -> String {
    let minutes = milliseconds / 60_000;
    let (days, hours) = (minutes / 1440, minutes / 60 % 24);
    let some = |count: u64, unit: &str| format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
    match (days, hours) {
        (0, 0) => some(minutes, "minute"),
        (0, _) => format!("{hours} h {} min", minutes % 60),
        (1..10, _) => format!("{} {hours} h", some(days, "day")),
        _ => some((minutes + 720) / 1440, "day"),
    }
}

/// The element of a time: UTC in the page, which the page's script shows in the zone of its reader.
pub(super) fn when(milliseconds: u64) -> String {
    let (hour, minute) = hour_and_minute(milliseconds);
    format!("<time datetime=\"{}T{hour:02}:{minute:02}Z\">{}</time>", day(milliseconds), time(milliseconds))
}

/// The link to everything about an address, a process or a wallet.
pub(super) fn address(id: Id) -> String {
    link("/address/", id)
}

/// The link to a model.
pub(super) fn model(id: Id) -> String {
    link("/model/", id)
}

/// The link to a message.
pub(super) fn message(id: Id) -> String {
    link("/message/", id)
}

/// The link to a process.
pub(super) fn process(id: Id) -> String {
    link("/explorer/", id)
}

fn link(path: &str, id: Id) -> String {
    format!("<a class=\"id\" href=\"{path}{id}\" title=\"{id}\">{}</a>", id.short())
}

/// A time in UTC, to the minute, as a browser writes it for a British reader: what stands there then does not move when the
/// page's script writes it anew.
fn time(milliseconds: u64) -> String {
    let (year, month, day) = date(milliseconds);
    let (hour, minute) = hour_and_minute(milliseconds);
    let month = if month == 9 { "Sept" } else { MONTHS[month as usize - 1] };
    format!("{day} {month} {year:04}, {hour:02}:{minute:02} UTC")
}

fn hour_and_minute(milliseconds: u64) -> (u64, u64) {
    (milliseconds / 3_600_000 % 24, milliseconds / 60_000 % 60)
}

/// A day in UTC.
pub(super) fn day(milliseconds: u64) -> String {
    let (year, month, day) = date(milliseconds);
    format!("{year:04}-{month:02}-{day:02}")
}

/// A time as RFC 822 writes it, for feeds.
pub(super) fn time_of_feeds(milliseconds: u64) -> String {
    let (year, month, day) = date(milliseconds);
    let (seconds, weekday) = (milliseconds / 1000, DAYS[(milliseconds / 86_400_000 % 7) as usize]);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{weekday}, {day:02} {} {year:04} {hour:02}:{minute:02}:{second:02} GMT", MONTHS[month as usize - 1])
}

/// Year, month and day of the civil calendar (the algorithm of Howard Hinnant's `civil_from_days`).
fn date(milliseconds: u64) -> (i64, i64, i64) {
    let days = (milliseconds / 86_400_000) as i64 + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// A name or title that a stranger chose: short, and without characters that turn the text around it (the template
/// escapes it as well).
pub(super) fn name(text: &str) -> String {
    shown(text, NAME_CHARS_MAX)
}

/// An explanation that repeats a stranger's words.
pub(super) fn reason(text: &str) -> String {
    shown(text, REASON_CHARS_MAX)
}

/// The beginning of a text of a stranger, in one line.
pub(super) fn excerpt(text: &str) -> String {
    shown(&text.split_whitespace().collect::<Vec<_>>().join(" "), REASON_CHARS_MAX)
}

/// A long text of a stranger, in its own lines.
pub(super) fn long(text: &str) -> String {
    let is_kept = |char: &char| *char == '\n' || *char == '\t' || !is_invisible(*char);
    let mut shown: String = text.chars().filter(is_kept).take(LONG_CHARS_MAX).collect();
    let left_out = text.chars().filter(is_kept).count().saturating_sub(LONG_CHARS_MAX);
    if left_out > 0 {
        shown = format!("{shown}… and {left_out} characters more");
    }
    shown
}

fn shown(text: &str, chars_max: usize) -> String {
    let mut shown: String = text.chars().filter(|char| !is_invisible(*char)).take(chars_max).collect();
    if text.chars().filter(|char| !is_invisible(*char)).count() > chars_max {
        shown.push('…');
    }
    shown
}

/// Control characters, and those that set the direction of writing or take no space.
fn is_invisible(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (milliseconds, text) in [
            (0, "1 Jan 1970, 00:00 UTC"),
            (951_782_400_000, "29 Feb 2000, 00:00 UTC"),
            (1_757_000_000_000, "4 Sept 2025, 15:33 UTC"),
            (1_767_225_599_999, "31 Dec 2025, 23:59 UTC"),
        ] {
            assert_eq!(time(milliseconds), text);
        }
    }

    #[test]
    fn spans_and_sizes_are_said_as_people_say_them() {
        for (minutes, text) in [(0, "0 minutes"), (1, "1 minute"), (61, "1 h 1 min"), (1440 * 2 + 60, "2 days 1 h")] {
            assert_eq!(span(minutes * 60_000), text);
        }
        assert_eq!(span(30 * 86_400_000), "30 days");
        for (count, text) in
            [(0, "0 B"), (999, "999 B"), (1_234_567, "1.2 MB"), (999_999, "1.0 MB"), (5_000_000_000, "5.0 GB")]
        {
            assert_eq!(bytes(count), text);
        }
        assert_eq!(parameters(7_000_000_000), "7.0 billion");
        assert_eq!(points(-0.012), "−1.2");
        assert_eq!(points(0.012), "+1.2");
    }

    #[test]
    fn a_time_is_an_element_and_a_feed_has_its_own_form() {
        assert_eq!(when(951_782_400_000), "<time datetime=\"2000-02-29T00:00Z\">29 Feb 2000, 00:00 UTC</time>");
        assert_eq!(time_of_feeds(951_782_400_000), "Tue, 29 Feb 2000 00:00:00 GMT");
    }

    #[test]
    fn a_long_text_keeps_its_lines_and_has_an_end() {
        assert_eq!(long("a\n\tb\u{202e}\u{0}c"), "a\n\tbc");
        assert!(long(&"x".repeat(10_000)).ends_with("… and 6000 characters more"));
    }

    #[test]
    fn names_are_short_and_cannot_turn_the_text_around() {
        assert_eq!(name("gemma\u{202e}fdg.exe\u{0}\n"), "gemmafdg.exe");
        assert_eq!(name("日本語 é"), "日本語 é");
        assert_eq!(name(&"x".repeat(65)), format!("{}…", "x".repeat(64)));
        assert_eq!(name(&"x".repeat(64)), "x".repeat(64));
    }

    #[test]
    fn amounts_below_each_other_have_their_points_below_each_other() {
        let quantities = [500_000_000_000_000, 333_333_333_333_333, 0].map(Quantity::new);
        assert_eq!(column(&quantities, true), ["500.0000 wAR", "333.3333 wAR", "0.0000 wAR"]);
        assert_eq!(column(&quantities, false), ["500.000000000000 wAR", "333.333333333333 wAR", "0.000000000000 wAR"]);
        assert_eq!(column(&quantities[..1], true), ["500 wAR"]);
    }

    #[test]
    fn money_and_shares_read_like_money_and_shares() {
        assert_eq!(money(Quantity::new(1_500_000_000_000)), "1.5 wAR");
        assert_eq!(money(Quantity::new(666_666_666_666_667)), "666.666666666667 wAR");
        assert_eq!(money_about(Quantity::new(666_666_666_666_667)), "666.6666 wAR");
        assert_eq!(percent(0.9046), "90.5 %");
    }
}
