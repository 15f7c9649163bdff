//! A signed size in eight bytes: 17 significant digits, what a double shows of a number at most. The venue's own sizes have fewer;
//! what has more is rounded to them, half away from zero, and what is beyond the range stands at its end.

use std::fmt;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::account::row::Position;

/// Decimal places take the low bits, the units what is left.
const SCALE_BITS: u32 = 5;

/// Largest number of units.
const UNITS_MAX: i64 = i64::MAX >> SCALE_BITS;

/// Kept for every key; written to checkpoints as the position it is.
#[derive(Clone, Copy, Eq, PartialEq)]
pub struct Size(i64);

impl Size {
    /// The nearest to a position that can be kept.
    #[must_use]
    pub fn of(position: Position) -> Self {
        let mut exact = position.0.normalize();
        loop {
            if let Ok(units) = i64::try_from(exact.mantissa())
                && units.unsigned_abs() <= UNITS_MAX.unsigned_abs()
            {
                return Self(units << SCALE_BITS | i64::from(exact.scale()));
            }
            let Some(places) = exact.scale().checked_sub(1) else {
                let end = if exact.is_sign_negative() { -UNITS_MAX } else { UNITS_MAX };
                return Self(end << SCALE_BITS);
            };
            exact = exact.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero).normalize();
        }
    }

    /// What is kept.
    #[must_use]
    pub fn position(self) -> Position {
        let scale = self.0 & ((1 << SCALE_BITS) - 1);
        Position(Decimal::new(self.0 >> SCALE_BITS, u32::try_from(scale).unwrap_or(0)))
    }
}

impl fmt::Debug for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.position().fmt(f)
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.position().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Position::deserialize(deserializer).map(Self::of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> String {
        Size::of(Position(text.parse().expect("a decimal"))).position().0.to_string()
    }

    #[test]
    fn what_the_venue_shows_is_kept_as_it_is() {
        for text in
            ["0", "-0.00000001", "123456789.12345678", "-288230376151711743", "0.0000000000000001234567"]
        {
            assert_eq!(kept(text), text);
        }
        assert_eq!(kept("100.000"), "100");
    }

    #[test]
    fn more_digits_are_rounded_and_the_range_ends() {
        assert_eq!(kept("123456789.1234567895"), "123456789.12345679");
        assert_eq!(kept("-288230376151711743.5"), "-288230376151711743");
        assert_eq!(kept("79228162514264337593543950335"), UNITS_MAX.to_string());
        assert_eq!(kept("-79228162514264337593543950335"), (-UNITS_MAX).to_string());
    }
}
