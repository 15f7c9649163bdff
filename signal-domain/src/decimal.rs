//! Exact decimals: what the venue prints, without rounding.
//!
//! A [`Decimal`] is always in its one canonical form (no trailing zeros, no `-0`), so equal values are equal in every
//! respect: comparison, hash, text. Range: 96 bits of digits (28 digits always fit) with at most 28 of them after the
//! point. What does not fit is an error, in parsing and in arithmetic; nothing here rounds unless its name says so.
//!
//! Storage and parsing are `rust_decimal`'s; its arithmetic is not used, because at the edge of the range it rounds
//! silently (`MAX + 0.1 == MAX`).

mod text;

use std::fmt;

pub use text::DecimalText;

use crate::Reason;

/// Significant digits a float64 always keeps.
const FLOAT64_DIGITS: u32 = 15;

/// An exact decimal number in canonical form.
///
/// Parsing accepts an optional `-`, digits, and an optional point followed by digits. It refuses what other parsers let
/// through: `+1`, `1_000`, `1e5`, `.5`, `5.`, blanks, `NaN`.
///
/// ```
/// use signal_domain::Decimal;
///
/// let start = Decimal::parse("-1.250")?;
/// let after = start.checked_add(Decimal::parse("0.5")?)?;
/// assert_eq!(after.to_string(), "-0.75");
/// assert!(Decimal::parse("1e5").is_err());
/// # Ok::<(), signal_domain::DecimalError>(())
/// ```
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Decimal(rust_decimal::Decimal);

/// Why a number was refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DecimalError {
    /// Not a plain decimal number: text, `NaN`, an exponent, a plus sign, nothing at all.
    #[error("{text:?} is not a plain decimal number")]
    NotANumber {
        /// What was given, cut to a length fit for a log line.
        text: Box<str>,
    },
    /// A number that cannot be held exactly.
    #[error("{text:?} does not fit 28 digits exactly")]
    OutOfRange {
        /// What was given or computed, cut to a length fit for a log line.
        text: Box<str>,
    },
    /// A number below zero where only a quantity makes sense.
    #[error("{text:?} is negative, a size never is")]
    Negative {
        /// What was given.
        text: Box<str>,
    },
}

impl DecimalError {
    /// The dead-letter reason of a fill with such a number.
    pub const fn reason(&self) -> Reason {
        match self {
            Self::NotANumber { .. } => Reason::NotANumber,
            Self::OutOfRange { .. } | Self::Negative { .. } => Reason::NumberOutOfRange,
        }
    }

    fn not_a_number(text: &str) -> Self {
        Self::NotANumber { text: shortened(text) }
    }

    fn out_of_range(text: &str) -> Self {
        Self::OutOfRange { text: shortened(text) }
    }

    pub(crate) fn negative(text: &str) -> Self {
        Self::Negative { text: shortened(text) }
    }
}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self(rust_decimal::Decimal::ZERO);
    /// The largest value: 2^96 - 1.
    pub const MAX: Self = Self(rust_decimal::Decimal::MAX);

    /// Reads the venue's text exactly.
    ///
    /// # Errors
    /// [`DecimalError::NotANumber`] when it is not a plain decimal number, [`DecimalError::OutOfRange`] when it is one
    /// that would have to be rounded, or is longer than any number of this range needs to be (31 bytes).
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        if !is_plain_number(text.as_bytes()) {
            return Err(DecimalError::not_a_number(text));
        }
        if text.len() > DecimalText::CAPACITY {
            return Err(DecimalError::out_of_range(text));
        }
        let shortest =
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text };
        match rust_decimal::Decimal::from_str_exact(shortest) {
            Ok(value) if value.is_zero() => Ok(Self::ZERO),
            Ok(value) => Ok(Self(value)),
            Err(_) => Err(DecimalError::out_of_range(text)),
        }
    }

    /// `digits` times ten to the minus `scale`.
    ///
    /// # Errors
    /// [`DecimalError::OutOfRange`] when the value does not fit exactly.
    pub fn from_parts(digits: i128, scale: u32) -> Result<Self, DecimalError> {
        let (mut digits, mut scale) = (digits, scale);
        while scale > 0 && digits % 10 == 0 {
            if digits == 0 {
                return Ok(Self::ZERO);
            }
            digits /= 10;
            scale -= 1;
        }
        match rust_decimal::Decimal::try_from_i128_with_scale(digits, scale) {
            Ok(value) => Ok(Self(value)),
            Err(_) => Err(DecimalError::out_of_range(&format!("{digits}e-{scale}"))),
        }
    }

    /// The signed digits and how many of them are after the point: the least that express the value.
    pub const fn parts(self) -> (i128, u32) {
        (self.0.mantissa(), self.0.scale())
    }

    /// The exact sum.
    ///
    /// # Errors
    /// [`DecimalError::OutOfRange`] when the exact sum does not fit; it is never rounded to fit.
    pub fn checked_add(self, other: Self) -> Result<Self, DecimalError> {
        let (a, b) = (self.parts(), other.parts());
        let scale = a.1.max(b.1);
        // At different scales the longer one ends in a digit that is not zero, and so does the sum: nothing can be
        // trimmed afterwards, and a product beyond i128 is beyond 96 bits by more than the other term can undo.
        let sum = match (widened(a, scale), widened(b, scale)) {
            (Some(a), Some(b)) => a.checked_add(b),
            _ => None,
        };
        match sum {
            Some(digits) => Self::from_parts(digits, scale),
            None => Err(DecimalError::out_of_range(&format!("{self} + {other}"))),
        }
    }

    /// The exact difference.
    ///
    /// # Errors
    /// [`DecimalError::OutOfRange`] when the exact difference does not fit.
    pub fn checked_sub(self, other: Self) -> Result<Self, DecimalError> {
        self.checked_add(other.negated())
    }

    /// The value with the other sign; zero stays zero.
    #[must_use]
    pub fn negated(self) -> Self {
        if self.is_zero() { self } else { Self(-self.0) }
    }

    /// The value without its sign.
    #[must_use]
    pub fn abs(self) -> Self {
        Self(self.0.abs())
    }

    /// Whether this is zero.
    pub const fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    /// Whether this is below zero.
    pub const fn is_negative(self) -> bool {
        self.0.is_sign_negative()
    }

    /// Rounds half to even to at most 15 significant digits: those of a float64 that can be trusted.
    #[must_use]
    pub fn round_to_float64(self) -> Self {
        let (value, scale) = self.parts();
        let has = value.unsigned_abs().checked_ilog10().map_or(1, |log| log + 1);
        let Some(drop @ 1..) = has.checked_sub(FLOAT64_DIGITS) else {
            return self;
        };
        let kept = drop_digits(value, drop);
        match scale.checked_sub(drop) {
            Some(scale) => rounded(kept, scale),
            None => rounded(kept * 10_i128.pow(drop - scale), 0),
        }
    }

    /// Rounds half to even to at most `places` digits after the point.
    #[must_use]
    pub fn round_places(self, places: u32) -> Self {
        let (value, scale) = self.parts();
        match scale.checked_sub(places) {
            None | Some(0) => self,
            Some(drop) => rounded(drop_digits(value, drop), places),
        }
    }

    /// The canonical text, without an allocation: plain notation, no trailing zeros, `0` for zero.
    pub fn text(self) -> DecimalText {
        let (digits, scale) = self.parts();
        DecimalText::format(digits, scale)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.text().as_str())
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

impl std::str::FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// `-?[0-9]+(\.[0-9]+)?`, nothing else.
fn is_plain_number(text: &[u8]) -> bool {
    let unsigned = text.strip_prefix(b"-").unwrap_or(text);
    let mut digits_since_break = 0_usize;
    let mut points = 0_usize;
    for byte in unsigned {
        match byte {
            b'0'..=b'9' => digits_since_break += 1,
            b'.' if digits_since_break > 0 && points == 0 => {
                points = 1;
                digits_since_break = 0;
            }
            _ => return false,
        }
    }
    digits_since_break > 0
}

/// The digits at a larger scale, if i128 can hold them.
fn widened((digits, scale): (i128, u32), to: u32) -> Option<i128> {
    digits.checked_mul(10_i128.checked_pow(to - scale)?)
}

/// The value without its last `count` digits, rounded half to even. `count` is at most 28.
fn drop_digits(value: i128, count: u32) -> i128 {
    let unit = 10_i128.pow(count);
    let (kept, rest) = (value / unit, (value % unit).abs() * 2);
    if rest > unit || (rest == unit && kept % 2 != 0) { kept + value.signum() } else { kept }
}

fn rounded(digits: i128, scale: u32) -> Decimal {
    // Dropping a digit after the point leaves room to round up. Whole numbers have at most 29 digits, and the largest of
    // those, `MAX`, rounds down at 15 digits.
    Decimal::from_parts(digits, scale).expect("what is rounded stays in range: see above")
}

fn shortened(text: &str) -> Box<str> {
    const KEPT: usize = 48;
    match text.char_indices().nth(KEPT) {
        None => text.into(),
        Some((at, _)) => {
            let mut short = text.get(..at).unwrap_or_default().to_owned();
            short.push('…');
            short.into_boxed_str()
        }
    }
}

#[cfg(test)]
mod tests;
