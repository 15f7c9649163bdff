//! A figure of the venue: its own text beside its exact value. Never a float, never rounded.
//!
//! Accepted text: `-?digits[.digits]`, as the venue writes it. Exponents, `+`, `_`, blanks, `NaN` and `Infinity` are no numbers;
//! more than 28 digits or 96 bits are out of range (rust_decimal would round them silently in `from_str`, so that is not used).

use rust_decimal::Decimal;

/// A figure as written and as computed with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Number<'a> {
    /// The venue's text, trailing zeros and float noise included.
    pub text: &'a str,
    /// Its exact value.
    pub value: Decimal,
}

/// Why a text is no figure we can hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum NumberError {
    /// Not `-?digits[.digits]`.
    #[error("not a plain decimal number")]
    NotANumber,
    /// A number, but not one 96 bits and 28 decimals hold exactly.
    #[error("more digits than can be held exactly")]
    OutOfRange,
}

impl<'a> Number<'a> {
    /// Reads a figure exactly.
    ///
    /// # Errors
    /// [`NumberError`] tells text that is no number from a number that does not fit.
    pub fn parse(text: &'a str) -> Result<Self, NumberError> {
        let bytes = text.as_bytes();
        let (negative, digits) = match bytes.split_first() {
            Some((b'-', rest)) => (true, rest),
            _ => (false, bytes),
        };
        let mut mantissa = 0_i64;
        let mut point = None;
        for (at, byte) in digits.iter().enumerate() {
            match byte {
                // May wrap for long texts; those are not read from it.
                b'0'..=b'9' => mantissa = mantissa.wrapping_mul(10).wrapping_add(i64::from(byte - b'0')),
                b'.' if point.is_none() && at > 0 => point = Some(at),
                _ => return Err(NumberError::NotANumber),
            }
        }
        let decimals = match point {
            None if digits.is_empty() => return Err(NumberError::NotANumber),
            None => 0,
            Some(at) if at + 1 == digits.len() => return Err(NumberError::NotANumber),
            Some(at) => digits.len() - at - 1,
        };
        let value = match u32::try_from(decimals) {
            // 18 digits and a point: the mantissa fits i64 and the scale fits a Decimal.
            Ok(scale) if digits.len() <= 18 => {
                Decimal::new(if negative { -mantissa } else { mantissa }, scale)
            }
            _ => Decimal::from_str_exact(text).map_err(|_| NumberError::OutOfRange)?,
        };
        Ok(Self { text, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_that_is_no_number() {
        for text in [
            "", "-", ".", "1.", ".5", "-.5", "+1", "1_000", "1e5", "1E5", " 1", "1 ", "NaN", "Infinity",
            "--1", "1.2.3", "0x1", "٣",
        ] {
            assert_eq!(Number::parse(text), Err(NumberError::NotANumber), "{text:?}");
        }
    }

    #[test]
    fn numbers_that_do_not_fit() {
        for text in
            ["1".repeat(40), format!("0.{}1", "0".repeat(28)), "79228162514264337593543950336".to_owned()]
        {
            assert_eq!(Number::parse(&text), Err(NumberError::OutOfRange), "{text}");
        }
    }

    #[test]
    fn float_noise_and_trailing_zeros_are_kept() {
        for text in [
            "3130537.6000000001",
            "-3695042.8999999999",
            "1699341329.5351579189",
            "80461.0",
            "0.0",
            "999999999999999999",
        ] {
            assert_eq!(Number::parse(text).unwrap().value.to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn agrees_with_rust_decimal(text in "-?[0-9]{1,20}(\\.[0-9]{1,12})?") {
            match (Number::parse(&text), Decimal::from_str_exact(&text)) {
                (Ok(ours), Ok(theirs)) => {
                    prop_assert_eq!(ours.value, theirs);
                    prop_assert_eq!(ours.value.scale(), theirs.scale());
                }
                (Err(NumberError::OutOfRange), Err(_)) => {}
                (ours, theirs) => prop_assert!(false, "{:?} {:?}", ours, theirs),
            }
        }

        #[test]
        fn never_panics(text in ".{0,40}") {
            let _ = Number::parse(&text);
        }
    }
}
