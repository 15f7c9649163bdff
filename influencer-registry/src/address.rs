//! An account address: 20 bytes, shown as `0x` and 40 lower-case hex digits.
//!
//! Text in one case is taken as it stands. Text in mixed case carries an EIP-55 checksum, and a wrong one is
//! refused: it is how a mistyped digit is noticed before a stranger is followed.

use std::{fmt, str::FromStr, sync::Arc};

use sha3::{Digest, Keccak256};

/// The account a venue knows: 20 bytes, and their lower-case text kept beside them.
///
/// Cheap to clone. Two addresses are equal when their bytes are, whatever case they were written in.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    bytes: [u8; 20],
    text: Arc<str>,
}

impl Address {
    /// The address made of these bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 20]) -> Self {
        let mut text = String::with_capacity(42);
        text.push_str("0x");
        text.extend(digits(&bytes));
        Self { bytes, text: text.into() }
    }

    /// The 20 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 20] {
        &self.bytes
    }

    /// `0x` and 40 lower-case hex digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The mixed-case form of [EIP-55](https://eips.ethereum.org/EIPS/eip-55), whose case is a checksum.
    #[must_use]
    pub fn to_checksum(&self) -> String {
        let digits = self.text.trim_start_matches("0x");
        let hash = Keccak256::digest(digits.as_bytes());
        let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
        let cased = digits.chars().zip(nibbles).map(|(c, n)| if n >= 8 { c.to_ascii_uppercase() } else { c });
        "0x".chars().chain(cased).collect()
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let digits = text.strip_prefix("0x").ok_or(AddressError::Shape)?.as_bytes();
        if digits.len() != 40 {
            return Err(AddressError::Shape);
        }
        let mut bytes = [0; 20];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            for digit in pair {
                let value = char::from(*digit).to_digit(16).ok_or(AddressError::Shape)?;
                *byte = (*byte << 4) | u8::try_from(value).map_err(|_| AddressError::Shape)?;
            }
        }
        let address = Self::from_bytes(bytes);
        let mixed = digits.iter().any(u8::is_ascii_uppercase) && digits.iter().any(u8::is_ascii_lowercase);
        if mixed && address.to_checksum() != text {
            return Err(AddressError::Checksum);
        }
        Ok(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Why a text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// Not `0x` and 40 hex digits.
    #[error("an address is 0x and 40 hex digits")]
    Shape,
    /// Mixed case whose case is not the checksum of its digits.
    #[error("its mixed case fails the EIP-55 checksum, so a digit may be mistyped")]
    Checksum,
}

fn digits(bytes: &[u8]) -> impl Iterator<Item = char> + '_ {
    bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]).filter_map(|n| char::from_digit(n.into(), 16))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The examples printed in EIP-55 itself.
    const EIP55: [&str; 8] = [
        "0x52908400098527886E0F7030069857D2E4169EE7",
        "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
        "0xde709f2102306220921060314715629080e2fb77",
        "0x27b1fdb04752bbc536007a920d24acb045561c26",
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ];

    #[test]
    fn the_examples_of_the_standard_pass() {
        for text in EIP55 {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_checksum(), text);
            assert_eq!(address.as_str(), text.to_lowercase());
        }
    }

    #[test]
    fn a_swapped_case_is_refused() {
        let wrong = "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
        assert_eq!(wrong.parse::<Address>(), Err(AddressError::Checksum));
    }

    #[test]
    fn other_shapes_are_refused() {
        let long = format!("0x{}", "a".repeat(41));
        for text in ["", "0x", "0xZZ", "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", long.as_str()] {
            assert_eq!(text.parse::<Address>(), Err(AddressError::Shape), "{text:?}");
        }
        let not_hex = format!("0x{}g", "a".repeat(39));
        assert_eq!(not_hex.parse::<Address>(), Err(AddressError::Shape));
        // 40 bytes, but not 40 characters.
        assert_eq!(format!("0x{}é", "a".repeat(38)).parse::<Address>(), Err(AddressError::Shape));
    }

    proptest! {
        #[test]
        fn every_address_reads_back_from_each_of_its_forms(bytes: [u8; 20]) {
            let address = Address::from_bytes(bytes);
            let upper = format!("0x{}", address.as_str().trim_start_matches("0x").to_uppercase());
            for text in [address.to_string(), address.to_checksum(), upper] {
                prop_assert_eq!(&text.parse::<Address>().unwrap(), &address);
            }
            prop_assert_eq!(address.as_bytes(), &bytes);
        }

        #[test]
        fn any_text_is_answered(text in ".{0,60}") {
            let _: Result<Address, AddressError> = text.parse();
        }
    }
}
