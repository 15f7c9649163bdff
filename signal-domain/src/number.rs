//! A number of the venue: its exact value together with the text it was written in.
//!
//! Ids and metadata quote the venue's text (`"80461.0"`), arithmetic and the published decimals use the value. Both are
//! inline: a [`Number`] is 48 bytes, `Copy`, and costs no allocation.

use crate::{Decimal, DecimalError, DecimalText};

/// A decimal number with the text the venue wrote it in. Equal when the texts are equal.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Number {
    value: Decimal,
    text: DecimalText,
}

impl Number {
    /// Reads the venue's text.
    ///
    /// # Errors
    /// As [`Decimal::parse`].
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        let value = Decimal::parse(text)?;
        // A text that parses is short ASCII, so the fallback is never taken.
        Ok(Self { value, text: DecimalText::verbatim(text).unwrap_or_else(|| value.text()) })
    }

    /// The exact value.
    pub const fn value(&self) -> Decimal {
        self.value
    }

    /// What the venue wrote.
    pub fn as_str(&self) -> &str {
        self.text.as_str()
    }
}

impl From<Decimal> for Number {
    /// A number of our own, written canonically.
    fn from(value: Decimal) -> Self {
        Self { value, text: value.text() }
    }
}

/// A fill size in base-asset units: a [`Number`] that is never negative.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Size(Number);

impl Size {
    /// Reads the venue's text.
    ///
    /// # Errors
    /// As [`Decimal::parse`], and [`DecimalError::Negative`] below zero.
    pub fn parse(text: &str) -> Result<Self, DecimalError> {
        Self::new(Number::parse(text)?)
    }

    /// Takes a number already read.
    ///
    /// # Errors
    /// [`DecimalError::Negative`] below zero.
    pub fn new(number: Number) -> Result<Self, DecimalError> {
        if number.value().is_negative() {
            return Err(DecimalError::negative(number.as_str()));
        }
        Ok(Self(number))
    }

    /// The exact value.
    pub const fn value(&self) -> Decimal {
        self.0.value()
    }

    /// What the venue wrote.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_keeps_the_text_and_the_value() {
        let number = Number::parse("80461.0").unwrap();
        assert_eq!(number.as_str(), "80461.0");
        assert_eq!(number.value().to_string(), "80461");
        assert_ne!(number, Number::parse("80461").unwrap());
        assert_eq!(Number::from(number.value()).as_str(), "80461");
    }

    #[test]
    fn a_size_is_never_negative() {
        assert_eq!(Size::parse("0.50").unwrap().as_str(), "0.50");
        assert_eq!(Size::parse("-0.0").unwrap().value(), Decimal::ZERO);
        assert_eq!(Size::parse("-0.5").unwrap_err(), DecimalError::Negative { text: "-0.5".into() });
        assert!(matches!(Size::parse("x"), Err(DecimalError::NotANumber { .. })));
    }

    #[test]
    fn a_number_is_small() {
        assert_eq!(size_of::<Number>(), 48);
    }
}
