//! How figures and texts stand on a page.

use ao::Quantity;

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
    const LEFT_OFF: u128 = 10_u128.pow(DENOMINATION - 4);
    money(Quantity::new(quantity.units() / LEFT_OFF * LEFT_OFF))
}

/// A share (0 to 1) in percent with one decimal.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// A time in UTC, to the minute, from the civil calendar (the algorithm of Howard Hinnant's `civil_from_days`).
pub(super) fn time(milliseconds: u64) -> String {
    let minutes = milliseconds / 60_000;
    let days = (minutes / 1440) as i64 + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", minutes / 60 % 24, minutes % 60)
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
            (0, "1970-01-01 00:00 UTC"),
            (951_782_400_000, "2000-02-29 00:00 UTC"),
            (1_767_225_600_000, "2026-01-01 00:00 UTC"),
            (1_767_225_599_999, "2025-12-31 23:59 UTC"),
        ] {
            assert_eq!(time(milliseconds), text);
        }
    }

    #[test]
    fn names_are_short_and_cannot_turn_the_text_around() {
        assert_eq!(name("gemma\u{202e}fdg.exe\u{0}\n"), "gemmafdg.exe");
        assert_eq!(name("日本語 é"), "日本語 é");
        assert_eq!(name(&"x".repeat(65)), format!("{}…", "x".repeat(64)));
        assert_eq!(name(&"x".repeat(64)), "x".repeat(64));
    }

    #[test]
    fn money_and_shares_read_like_money_and_shares() {
        assert_eq!(money(Quantity::new(1_500_000_000_000)), "1.5 wAR");
        assert_eq!(money(Quantity::new(666_666_666_666_667)), "666.666666666667 wAR");
        assert_eq!(money_about(Quantity::new(666_666_666_666_667)), "666.6666 wAR");
        assert_eq!(percent(0.9046), "90.5 %");
    }
}
