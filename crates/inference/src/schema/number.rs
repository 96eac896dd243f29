//! Numbers that lie between two bounds, digit by digit. Everything is counted in whole units of the last decimal that may
//! be written, so that no bound is missed by a rounding.

use serde_json::Number;

use crate::limits::{SCHEMA_DECIMALS, SCHEMA_INTEGER_MAX};

/// Digits before the point: more than those of any bound.
const WHOLE_DIGITS_MAX: u32 = 20;

/// The numbers that are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Range {
    /// Bounds, both allowed, in units of the last decimal.
    low: i128,
    high: i128,
    decimals: u32,
}

/// What is written of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Digits {
    is_negative: bool,
    /// All digits as one number.
    value: i128,
    /// How many stand before the point.
    whole: u32,
    /// How many stand after it, if there is one.
    decimals: Option<u32>,
}

/// Bounds as they stand in a schema.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    pub(super) low: Option<Number>,
    pub(super) above: Option<Number>,
    pub(super) high: Option<Number>,
    pub(super) below: Option<Number>,
}

impl Range {
    /// The numbers between bounds: whole ones, or those with a few decimals. `None` if there is none.
    pub(super) fn new(is_whole: bool, bounds: &Bounds) -> Option<Self> {
        let decimals = if is_whole { 0 } else { SCHEMA_DECIMALS };
        let widest = i128::from(SCHEMA_INTEGER_MAX) * unit(decimals);
        let (mut low, mut high) = (None, None);
        // What is not even written out is beyond every number that is written here.
        let beyond = |number: &Number| if is_below_zero(number) { i128::MIN } else { i128::MAX };
        if let Some(number) = &bounds.low {
            low = Some(in_units(number, decimals).map_or(beyond(number), |(floor, exact)| floor + i128::from(!exact)));
        }
        if let Some(number) = &bounds.above {
            let above = in_units(number, decimals).map_or(beyond(number), |(floor, _)| floor + 1);
            low = Some(low.map_or(above, |low| low.max(above)));
        }
        if let Some(number) = &bounds.high {
            high = Some(in_units(number, decimals).map_or(beyond(number), |(floor, _)| floor));
        }
        if let Some(number) = &bounds.below {
            let below = in_units(number, decimals).map_or(beyond(number), |(floor, exact)| floor - i128::from(exact));
            high = Some(high.map_or(below, |high| high.min(below)));
        }
        let edge = i128::from(u64::MAX) * unit(decimals);
        let low = low.unwrap_or(-widest).max(-edge);
        let high = high.unwrap_or(widest).min(edge);
        (low <= high).then_some(Self { low, high, decimals })
    }

    /// Whether a number may end here.
    pub(super) fn may_end(&self, digits: &Digits) -> bool {
        self.rest(digits).is_some_and(|rest| rest.is_empty())
    }

    /// The number with one more byte, if it can still become one that is allowed.
    pub(super) fn with(&self, digits: &Digits, byte: u8) -> Option<Digits> {
        let mut next = *digits;
        match byte {
            b'-' if *digits == Digits::default() => next.is_negative = true,
            b'.' if digits.whole > 0 && digits.decimals.is_none() && self.decimals > 0 => next.decimals = Some(0),
            b'0'..=b'9' => {
                let digit = i128::from(byte - b'0');
                match &mut next.decimals {
                    // No zero before other digits.
                    None if (digits.whole == 1 && digits.value == 0) || digits.whole == WHOLE_DIGITS_MAX => {
                        return None;
                    }
                    None => next.whole += 1,
                    Some(decimals) if *decimals == self.decimals => return None,
                    Some(decimals) => *decimals += 1,
                }
                next.value = digits.value * 10 + digit;
            }
            _ => return None,
        }
        self.rest(&next).map(|_| next)
    }

    /// The fewest bytes that make an allowed number of what is written.
    pub(super) fn rest(&self, digits: &Digits) -> Option<String> {
        if *digits == Digits::default() {
            let negative = Digits { is_negative: true, ..Digits::default() };
            let signed = self.rest_of_magnitude(&negative).map(|rest| format!("-{rest}"));
            let plain = self.rest_of_magnitude(digits);
            return [plain, signed].into_iter().flatten().min_by_key(String::len);
        }
        self.rest_of_magnitude(digits)
    }

    fn rest_of_magnitude(&self, digits: &Digits) -> Option<String> {
        let more_whole = match digits.decimals {
            // One more at least where there is none; none after a leading zero.
            None if digits.whole == 0 => 1..=WHOLE_DIGITS_MAX,
            None if digits.value > 0 => 0..=WHOLE_DIGITS_MAX - digits.whole,
            _ => 0..=0,
        };
        let mut best: Option<String> = None;
        for whole in more_whole {
            let written = digits.decimals.unwrap_or(0);
            let first = if digits.decimals.is_some() { written.max(1) } else { 0 };
            for decimals in first..=self.decimals {
                let point = u32::from(digits.decimals.is_none() && decimals > 0);
                let bytes = (whole + point + decimals - written) as usize;
                if best.as_ref().is_some_and(|best| best.len() <= bytes) {
                    continue;
                }
                best = self.completed(digits, whole, decimals).or(best);
            }
        }
        best
    }

    /// The bytes that complete what is written, with so many more digits before the point and so many after it in all.
    fn completed(&self, digits: &Digits, whole: u32, decimals: u32) -> Option<String> {
        let written = digits.decimals.unwrap_or(0);
        let open = whole + decimals - written;
        let mut low = digits.value * unit(open);
        let high = low + unit(open) - 1;
        if digits.whole == 0 && whole > 1 {
            low = unit(open - 1);
        }
        if digits.is_negative {
            // There is no minus zero.
            low = low.max(1);
        }
        let step = unit(self.decimals - decimals);
        let (least, most) = if digits.is_negative { (-self.high, -self.low) } else { (self.low, self.high) };
        let least = low.max(-(-least).div_euclid(step));
        if least > high.min(most.div_euclid(step)) {
            return None;
        }
        let all = format!("{least:0width$}", width = (digits.whole + whole + decimals) as usize);
        let (before, after) = all.split_at_checked((digits.whole + whole) as usize)?;
        let mut rest = before.get(digits.whole as usize..)?.to_owned();
        if decimals > 0 {
            if digits.decimals.is_none() {
                rest.push('.');
            }
            rest.push_str(after.get(written as usize..)?);
        }
        Some(rest)
    }
}

fn unit(decimals: u32) -> i128 {
    10_i128.pow(decimals)
}

fn is_below_zero(number: &Number) -> bool {
    number.to_string().starts_with('-')
}

/// A number in units of its last decimal, rounded down, and whether that is exact. `None` beyond all that is counted.
fn in_units(number: &Number, decimals: u32) -> Option<(i128, bool)> {
    // The shortest decimals that read as the same number are those that stand in the schema.
    let text = match (number.as_i64(), number.as_u64(), number.as_f64()) {
        (Some(whole), ..) => whole.to_string(),
        (_, Some(whole), _) => whole.to_string(),
        (.., Some(float)) => float.to_string(),
        _ => return None,
    };
    let (sign, text) = text.strip_prefix('-').map_or((1, text.as_str()), |rest| (-1, rest));
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.len() > WHOLE_DIGITS_MAX as usize {
        return None;
    }
    let cut = fraction.len().min(decimals as usize);
    let (kept, dropped) = fraction.split_at(cut);
    let padded = format!("{whole}{kept}{}", "0".repeat(decimals as usize - cut));
    let magnitude: i128 = padded.parse().ok()?;
    let is_exact = dropped.bytes().all(|digit| digit == b'0');
    let floor = if sign < 0 && !is_exact { -magnitude - 1 } else { sign * magnitude };
    Some((floor, is_exact))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(is_whole: bool, low: f64, high: f64) -> Option<Range> {
        let number = |value: f64| Number::from_f64(value);
        Range::new(is_whole, &Bounds { low: number(low), high: number(high), ..Bounds::default() })
    }

    /// All numbers that can be written, up to so many bytes.
    fn written(range: &Range, bytes: usize) -> Vec<String> {
        let mut found = Vec::new();
        let mut open = vec![(String::new(), Digits::default())];
        while let Some((text, digits)) = open.pop() {
            if range.may_end(&digits) {
                found.push(text.clone());
            }
            for byte in b"-.0123456789".iter().filter(|_| text.len() < bytes) {
                if let Some(next) = range.with(&digits, *byte) {
                    open.push((format!("{text}{}", char::from(*byte)), next));
                }
            }
        }
        found.sort_by_key(|text| (text.parse::<f64>().unwrap() * 1e6) as i64);
        found
    }

    #[test]
    fn whole_numbers_are_exactly_those_between_the_bounds() {
        for (low, high) in [(-12, 105), (0, 0), (7, 9), (-30, -28), (95, 1203), (-1, 1)] {
            let range = range(true, f64::from(low), f64::from(high)).unwrap();
            let expected: Vec<String> = (low..=high).map(|number| number.to_string()).collect();
            assert_eq!(written(&range, 5), expected, "{low} to {high}");
        }
        assert_eq!(range(true, 1.2, 1.8), None);
        assert_eq!(written(&range(true, -1.5, 1.5).unwrap(), 3), ["-1", "0", "1"]);
    }

    #[test]
    fn numbers_with_decimals_stay_between_the_bounds_and_every_beginning_can_be_ended() {
        for (low, high) in [(0.1, 0.3), (-0.25, 0.5), (9.99, 10.01), (-2.0, -1.999), (0.000_001, 0.000_002)] {
            let range = range(false, low, high).unwrap();
            let found = written(&range, 6);
            for text in &found {
                let value: f64 = text.parse().unwrap();
                assert!((low..=high).contains(&value) && !text.starts_with("-0.0000000"), "{low} to {high}: {text}");
            }
            let rest = range.rest(&Digits::default()).unwrap();
            assert!((low..=high).contains(&rest.parse::<f64>().unwrap()), "{rest}");
        }
        let tenths = written(&range(false, 0.1, 0.3).unwrap(), 3);
        assert_eq!(tenths, ["0.1", "0.2", "0.3"]);
    }

    #[test]
    fn open_bounds_leave_the_bound_out() {
        let above = |is_whole| {
            let bounds = Bounds { above: Some(1.into()), below: Some(3.into()), ..Bounds::default() };
            Range::new(is_whole, &bounds).unwrap()
        };
        assert_eq!(written(&above(true), 3), ["2"]);
        assert!(!written(&above(false), 3).iter().any(|text| matches!(text.as_str(), "1" | "1.0" | "3" | "3.0")));
        let free = Range::new(true, &Bounds::default()).unwrap();
        assert_eq!(free.rest(&Digits::default()).as_deref(), Some("0"));
        let mut digits = Digits::default();
        for byte in b"9007199254740991" {
            digits = free.with(&digits, *byte).unwrap();
        }
        assert!(free.with(&digits, b'0').is_none() && free.may_end(&digits));
        assert_eq!(range(false, 1e300, 1e301), None);
    }
}
