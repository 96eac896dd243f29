//! Time, which is that of the message, and the calendar. A module is in UTC everywhere.

use super::super::guest::Guest;
use super::{Import, argument};

const DAYS: [&str; 7] = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// The years that a module may ask for lie this far from 1970: far enough for every program, and no number overflows.
const YEARS_MAX: i64 = 1_000_000;

/// A moment as C's `struct tm` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Moment {
    second: i64,
    minute: i64,
    hour: i64,
    day: i64,
    /// From 0.
    month: i64,
    year: i64,
    /// Sunday is 0.
    week_day: i64,
    /// From 0.
    year_day: i64,
}

pub(super) fn find(name: &str) -> Option<Import> {
    Some(match name {
        "emscripten_date_now" | "_emscripten_date_now" | "emscripten_get_now" | "_emscripten_get_now" => {
            |guest, _| Ok((guest.state().time_ms() as f64).to_bits())
        }
        "_emscripten_get_now_is_monotonic" | "emscripten_get_now_is_monotonic" => |_, _| Ok(1),
        "clock_time_get" => |guest, arguments| {
            let now = guest.state().time_ms().saturating_mul(1_000_000);
            guest.put_i64(argument(arguments, 2), now as i64)?;
            Ok(0)
        },
        "_tzset_js" | "tzset_js" => zone,
        "_gmtime_js" | "gmtime_js" => |guest, arguments| {
            let seconds = time_of(guest, arguments)?;
            put(guest, last(arguments), &Moment::of(seconds), false)?;
            Ok(0)
        },
        "_localtime_js" | "localtime_js" => |guest, arguments| {
            let seconds = time_of(guest, arguments)?;
            put(guest, last(arguments), &Moment::of(seconds), true)?;
            Ok(0)
        },
        "_mktime_js" | "mktime_js" | "_timegm_js" => |guest, arguments| {
            let at = argument(arguments, 0);
            let seconds = get(guest, at)?.seconds();
            put(guest, at, &Moment::of(seconds), true)?;
            guest.set_upper_half((seconds >> 32) as i32)?;
            Ok(seconds as u64)
        },
        "strftime" | "strftime_l" => format,
        _ => return None,
    })
}

/// UTC has no summer time, and its name stands in both places.
fn zone(guest: &mut Guest<'_, '_>, arguments: &[u64]) -> wasmtime::Result<u64> {
    guest.put_pointer(argument(arguments, 0), 0)?;
    guest.put_i32(argument(arguments, 1), 0)?;
    guest.write(argument(arguments, 2), b"UTC\0")?;
    guest.write(argument(arguments, 3), b"UTC\0")?;
    Ok(0)
}

/// Where the calendar's fields go. It stands last: the time before it may come in two halves.
fn last(arguments: &[u64]) -> u64 {
    arguments.last().copied().unwrap_or(0)
}

/// The time itself, in two halves in a module of 32 bits, or by address in an older one.
fn time_of(guest: &Guest<'_, '_>, arguments: &[u64]) -> wasmtime::Result<i64> {
    match arguments {
        [low, high, _] => Ok((low & 0xffff_ffff | high << 32) as i64),
        [time, ..] if guest.is_wide() => Ok(*time as i64),
        [at, ..] => guest.i64(*at),
        [] => Ok(0),
    }
}

impl Moment {
    /// Of seconds since 1970.
    fn of(seconds: i64) -> Self {
        let limit = YEARS_MAX * 366 * 86400;
        let seconds = seconds.clamp(-limit, limit);
        let (days, second) = (seconds.div_euclid(86400), seconds.rem_euclid(86400));
        let (year, month, day) = civil(days);
        Self {
            second: second % 60,
            minute: second / 60 % 60,
            hour: second / 3600,
            day,
            month,
            year,
            week_day: (days + 4).rem_euclid(7),
            year_day: days - days_before(year, 0, 1),
        }
    }

    /// Seconds since 1970. Fields beyond their range count on, as C says.
    fn seconds(&self) -> i64 {
        let days = days_before(self.year, self.month, self.day);
        days * 86400 + self.hour * 3600 + self.minute * 60 + self.second
    }

    /// The year and week of ISO 8601.
    fn week(&self) -> (i64, i64) {
        let monday_based = (self.week_day + 6) % 7;
        let week = (self.year_day - monday_based + 10) / 7;
        if week < 1 {
            let last = Self::of(days_before(self.year - 1, 11, 31) * 86400);
            return (self.year - 1, last.week().1);
        }
        let next = Self::of(days_before(self.year + 1, 0, 1) * 86400);
        if week == 53 && (next.week_day + 6) % 7 <= 3 { (self.year + 1, 1) } else { (self.year, week) }
    }
}

/// Year, month from 0 and day of a number of days since 1970, in the proleptic Gregorian calendar. The year is reckoned
/// from March, so that the leap day is its last.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36524 - day / 146_096) / 365;
    let in_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * in_year + 2) / 153;
    let month = (from_march + 2) % 12;
    (year + era * 400 + i64::from(month <= 1), month, in_year - (153 * from_march + 2) / 5 + 1)
}

/// Days from 1970 to a date; the month counts from 0 and may be any number.
fn days_before(year: i64, month: i64, day: i64) -> i64 {
    let year = year + month.div_euclid(12);
    let month = month.rem_euclid(12);
    let year = if month <= 1 { year - 1 } else { year };
    let (era, in_era) = (year.div_euclid(400), year.rem_euclid(400));
    let in_year = (153 * ((month + 10) % 12) + 2) / 5 + day - 1;
    era * 146_097 + in_era * 365 + in_era / 4 - in_era / 100 + in_year - 719_468
}

fn put(guest: &mut Guest<'_, '_>, at: u64, moment: &Moment, local: bool) -> wasmtime::Result<()> {
    let Moment { second, minute, hour, day, month, year, week_day, year_day } = *moment;
    for (field, place) in [second, minute, hour, day, month, year - 1900, week_day, year_day].into_iter().zip(0u64..) {
        guest.put_i32(at + place * 4, field as i32)?;
    }
    if local {
        guest.put_i32(at + 32, 0)?;
        let zone = if guest.is_wide() { at + 40 } else { at + 36 };
        guest.put_pointer(zone, 0)?;
    }
    Ok(())
}

fn get(guest: &Guest<'_, '_>, at: u64) -> wasmtime::Result<Moment> {
    let field = |place: u64| guest.i32(at + place * 4).map(i64::from);
    Ok(Moment {
        second: field(0)?,
        minute: field(1)?,
        hour: field(2)?,
        day: field(3)?,
        month: field(4)?,
        year: (field(5)? + 1900).clamp(-YEARS_MAX, YEARS_MAX),
        week_day: field(6)?.rem_euclid(7),
        year_day: field(7)?,
    })
}

fn format(guest: &mut Guest<'_, '_>, arguments: &[u64]) -> wasmtime::Result<u64> {
    let (to, room) = (argument(arguments, 0), argument(arguments, 1));
    let pattern = guest.text(argument(arguments, 2))?;
    let text = text(&pattern, &get(guest, argument(arguments, 3))?);
    if text.len() as u64 >= room {
        return Ok(0);
    }
    guest.write(to, text.as_bytes())?;
    guest.write(to + text.len() as u64, &[0])?;
    Ok(text.len() as u64)
}

/// A moment by a pattern of C's `strftime`, in the locale "C".
fn text(pattern: &str, moment: &Moment) -> String {
    let mut out = String::new();
    let mut rest = pattern.chars();
    while let Some(character) = rest.next() {
        if character != '%' {
            out.push(character);
            continue;
        }
        let mut conversion = rest.next();
        if matches!(conversion, Some('E' | 'O')) {
            conversion = rest.next();
        }
        match conversion {
            Some(conversion) => out.push_str(&field(conversion, moment)),
            None => out.push('%'),
        }
    }
    out
}

fn field(conversion: char, moment: &Moment) -> String {
    let Moment { second, minute, hour, day, month, year, week_day, year_day } = *moment;
    let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
    let name =
        |names: &[&'static str], index: i64| usize::try_from(index).ok().and_then(|index| names.get(index).copied());
    let (day_name, month_name) = (name(&DAYS, week_day).unwrap_or("?"), name(&MONTHS, month).unwrap_or("?"));
    let short = |name: &str| name.get(..3).unwrap_or(name).to_owned();
    match conversion {
        'a' => short(day_name),
        'A' => day_name.to_owned(),
        'b' | 'h' => short(month_name),
        'B' => month_name.to_owned(),
        'c' => text("%a %b %e %H:%M:%S %Y", moment),
        'C' => format!("{:02}", year.div_euclid(100)),
        'd' => format!("{day:02}"),
        'D' | 'x' => text("%m/%d/%y", moment),
        'e' => format!("{day:2}"),
        'F' => text("%Y-%m-%d", moment),
        'g' => format!("{:02}", moment.week().0.rem_euclid(100)),
        'G' => moment.week().0.to_string(),
        'H' => format!("{hour:02}"),
        'I' => format!("{twelve:02}"),
        'j' => format!("{:03}", year_day + 1),
        'm' => format!("{:02}", month + 1),
        'M' => format!("{minute:02}"),
        'n' => "\n".to_owned(),
        'p' => if hour < 12 { "AM" } else { "PM" }.to_owned(),
        'r' => text("%I:%M:%S %p", moment),
        'R' => text("%H:%M", moment),
        's' => moment.seconds().to_string(),
        'S' => format!("{second:02}"),
        't' => "\t".to_owned(),
        'T' | 'X' => text("%H:%M:%S", moment),
        'u' => if week_day == 0 { 7 } else { week_day }.to_string(),
        'U' => format!("{:02}", (year_day + 7 - week_day) / 7),
        'V' => format!("{:02}", moment.week().1),
        'w' => week_day.to_string(),
        'W' => format!("{:02}", (year_day + 7 - (week_day + 6) % 7) / 7),
        'y' => format!("{:02}", year.rem_euclid(100)),
        'Y' => year.to_string(),
        'z' => "+0000".to_owned(),
        'Z' => "UTC".to_owned(),
        '%' => "%".to_owned(),
        other => format!("%{other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        let at = |seconds| text("%F %T %a %j %G-W%V-%u %U %W", &Moment::of(seconds));
        // As GNU date prints them.
        assert_eq!(at(0), "1970-01-01 00:00:00 Thu 001 1970-W01-4 00 00");
        assert_eq!(at(1_709_208_000), "2024-02-29 12:00:00 Thu 060 2024-W09-4 08 09");
        assert_eq!(at(1_609_459_199), "2020-12-31 23:59:59 Thu 366 2020-W53-4 52 52");
        assert_eq!(at(1_609_459_200), "2021-01-01 00:00:00 Fri 001 2020-W53-5 00 00");
        assert_eq!(at(1_735_603_200), "2024-12-31 00:00:00 Tue 366 2025-W01-2 52 53");
        assert_eq!(at(-1), "1969-12-31 23:59:59 Wed 365 1970-W01-3 52 52");
    }

    #[test]
    fn every_day_of_eight_hundred_years_comes_back() {
        for day in -150_000..150_000 {
            let moment = Moment::of(day * 86400 + 3723);
            assert_eq!(moment.seconds(), day * 86400 + 3723, "{moment:?}");
        }
    }
}
