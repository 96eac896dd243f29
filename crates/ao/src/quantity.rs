//! Amounts of a token in its smallest unit (for wrapped AR: winston, 10^-12 wAR).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Digits of `u128::MAX`; a longer text cannot be a quantity and is refused before it is read.
const DIGITS_MAX: usize = 39;

/// An amount of a token in its smallest unit. On the wire it is a decimal string.
///
/// Arithmetic is checked: there is no `+` that could wrap.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(u128);

/// Why a text is not a quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Anything but decimal digits without a leading zero.
    #[error("a quantity is a whole number in decimal digits, without sign, point, exponent, spaces or leading zeros")]
    Grammar,
    /// Larger than `u128::MAX`.
    #[error("the quantity is larger than 2^128 - 1, the most this node can hold")]
    TooLarge,
}

impl Quantity {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// The largest quantity.
    pub const MAX: Self = Self(u128::MAX);

    /// A quantity from its number of smallest units.
    pub const fn new(units: u128) -> Self {
        Self(units)
    }

    /// The number of smallest units.
    pub const fn units(self) -> u128 {
        self.0
    }

    /// Whether this is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, or nothing if it does not fit.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or nothing if `other` is larger.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The sum of all, or nothing if it does not fit.
    pub fn checked_sum(quantities: impl IntoIterator<Item = Self>) -> Option<Self> {
        quantities.into_iter().try_fold(Self::ZERO, Self::checked_add)
    }

    /// The quantity in whole tokens for a person to read, as `1000.5`: `denomination` digits after the point, trailing
    /// zeros left out.
    pub fn to_decimal(self, denomination: u32) -> String {
        let Some(unit) = 10_u128.checked_pow(denomination) else { return self.to_string() };
        let (whole, rest) = (self.0 / unit, self.0 % unit);
        if rest == 0 {
            return whole.to_string();
        }
        let digits = format!("{rest:0width$}", width = denomination as usize);
        format!("{whole}.{}", digits.trim_end_matches('0'))
    }

    /// Reads whole tokens as a person writes them, as `1000.5`.
    pub fn from_decimal(text: &str, denomination: u32) -> Result<Self, QuantityError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let fits = fraction.len() <= denomination as usize && (text.contains('.') != fraction.is_empty());
        if whole.is_empty() || !fits || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(QuantityError::Grammar);
        }
        let whole = whole.parse::<Self>()?.0;
        let unit = 10_u128.checked_pow(denomination).ok_or(QuantityError::TooLarge)?;
        let padded = format!("{fraction:0<width$}", width = denomination as usize);
        let rest = if padded.is_empty() { 0 } else { padded.parse().map_err(|_| QuantityError::TooLarge)? };
        let units = whole.checked_mul(unit).and_then(|units| units.checked_add(rest));
        units.map(Self).ok_or(QuantityError::TooLarge)
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || (text.len() > 1 && text.starts_with('0')) {
            return Err(QuantityError::Grammar);
        }
        if text.len() > DIGITS_MAX {
            return Err(QuantityError::TooLarge);
        }
        text.parse().map(Self).map_err(|_| QuantityError::TooLarge)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Serialize for Quantity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Quantity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_plain_decimal_digits_are_a_quantity() {
        for text in ["", "-5", "+5", " 7", "7 ", "1e3", "0x10", "1.0", "007", "00", "٣", "1_000", "NaN"] {
            assert_eq!(text.parse::<Quantity>(), Err(QuantityError::Grammar), "{text:?}");
        }
        let over = "340282366920938463463374607431768211456";
        assert_eq!(over.parse::<Quantity>(), Err(QuantityError::TooLarge));
        assert_eq!("9".repeat(1_000_000).parse::<Quantity>(), Err(QuantityError::TooLarge));
        assert_eq!("340282366920938463463374607431768211455".parse(), Ok(Quantity::MAX));
        assert_eq!("0".parse(), Ok(Quantity::ZERO));
    }

    #[test]
    fn whole_tokens_are_read_and_written_as_people_do() {
        let quantity = Quantity::from_decimal("1000.5", 12).unwrap();
        assert_eq!(quantity, Quantity::new(1_000_500_000_000_000));
        assert_eq!(quantity.to_decimal(12), "1000.5");
        assert_eq!(Quantity::new(1).to_decimal(12), "0.000000000001");
        for text in ["", ".", ".5", "1.", "1.0000000000001", "-1", "1.-5", "1,5"] {
            assert!(Quantity::from_decimal(text, 12).is_err(), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trips(units: u128) {
            let quantity = Quantity::new(units);
            prop_assert_eq!(quantity.to_string().parse(), Ok(quantity));
            prop_assert_eq!(Quantity::from_decimal(&quantity.to_decimal(12), 12), Ok(quantity));
        }
    }
}
