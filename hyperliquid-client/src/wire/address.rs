//! An account of the venue. Case is not kept: the venue answers in lower case whatever it was asked in.
//! EIP-55 checksums are not checked here: the wire carries none; the registry checks what people type.

use std::fmt;
use std::str::FromStr;

/// An account: 20 bytes, written `0x` and 40 lower-case hex digits.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Address([u8; 20]);

/// Why a text is no account.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AddressError {
    /// Somebody shortened it for display (`0x9be9...522f`); which account it was cannot be known.
    #[error("the account {text:?} is elided")]
    Elided {
        /// The text as it came.
        text: String,
    },
    /// Not `0x` and 40 hex digits.
    #[error("{text:?} is not 0x and 40 hex digits")]
    NotAnAddress {
        /// The text as it came, cut to 64 characters.
        text: String,
    },
}

impl Address {
    /// An account from its 20 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// Its 20 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// Reads `0x` and 40 hex digits of either case.
    ///
    /// # Errors
    /// [`AddressError`] names the text, and tells an elided account from other text.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        Self::read(text).ok_or_else(|| {
            let shown: String = text.chars().take(64).collect();
            if text.contains("...") || text.contains('…') {
                AddressError::Elided { text: shown }
            } else {
                AddressError::NotAnAddress { text: shown }
            }
        })
    }

    fn read(text: &str) -> Option<Self> {
        let digits: &[u8; 40] = text.as_bytes().strip_prefix(b"0x")?.try_into().ok()?;
        // All digits at once and one branch at the end: this runs for every frame, and the compiler makes vectors of it.
        let nibbles = digits.map(nibble);
        let seen = nibbles.iter().fold(0, |seen, value| seen | value);
        let (pairs, _) = nibbles.as_chunks::<2>();
        let mut bytes = [0_u8; 20];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = (high << 4) | (low & 0x0f);
        }
        (seen < 16).then_some(Self(bytes))
    }
}

/// The value of a hex digit; at least 16 for any other byte.
const fn nibble(byte: u8) -> u8 {
    let digit = byte.wrapping_sub(b'0');
    let letter = (byte | 0x20).wrapping_sub(b'a');
    if digit < 10 {
        digit
    } else if letter < 6 {
        letter + 10
    } else {
        255
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_not_kept() {
        let text = "0xABCDEFabcdef0123456789012345678901234567";
        assert_eq!(Address::parse(text).unwrap().to_string(), text.to_lowercase());
    }

    #[test]
    fn elided_accounts_are_named() {
        let error = Address::parse("0x9be9...522f").unwrap_err();
        assert!(matches!(&error, AddressError::Elided { text } if text == "0x9be9...522f"));
    }

    #[test]
    fn other_text_is_not_an_account() {
        for text in [
            "",
            "0x",
            "mtiz",
            "0x00000000000000000000000000000000000000",
            "0x000000000000000000000000000000000000000g",
        ] {
            assert!(matches!(Address::parse(text), Err(AddressError::NotAnAddress { .. })), "{text}");
        }
    }
}
