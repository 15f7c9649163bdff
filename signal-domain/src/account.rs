//! An account of the venue: 20 bytes, written as `0x` and 40 hex digits, always lower-case when we write it.

use std::fmt;

use sha2::{Digest as _, Sha256};
use sha3::Keccak256;

/// How many partitions accounts are divided into.
pub const PARTITIONS: u8 = 64;

/// An account address.
///
/// ```
/// use signal_domain::Account;
///
/// let account: Account = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed".parse()?; // checksummed: EIP-55
/// assert_eq!(account.to_string(), "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed");
/// assert!("0x5AAeb6053F3E94C9b9A09f33669435E7Ef1BeAed".parse::<Account>().is_err());
/// # Ok::<(), signal_domain::AccountError>(())
/// ```
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Account([u8; 20]);

/// Why a text is no account.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AccountError {
    /// Not `0x` and 40 hex digits.
    #[error("{text:?} is not 0x followed by 40 hex digits")]
    Malformed {
        /// What was given, cut to a length fit for a log line.
        text: Box<str>,
    },
    /// Mixed case that is not the EIP-55 checksum: most likely a mistyped address.
    #[error("{text:?} fails its EIP-55 checksum; write it all lower-case if it is right")]
    Checksum {
        /// What was given.
        text: Box<str>,
    },
}

impl Account {
    /// Reads `0x` and 40 hex digits. All lower-case or all upper-case digits are taken as they are; mixed case must be
    /// the address's EIP-55 checksum.
    ///
    /// # Errors
    /// [`AccountError`], with the text.
    pub fn parse(text: &str) -> Result<Self, AccountError> {
        let malformed = || AccountError::Malformed { text: text.chars().take(64).collect() };
        let digits = text.strip_prefix("0x").ok_or_else(malformed)?.as_bytes();
        let bytes = from_hex(digits).ok_or_else(malformed)?;
        let account = Self(bytes);
        let lower = digits.iter().any(u8::is_ascii_lowercase);
        let upper = digits.iter().any(u8::is_ascii_uppercase);
        if lower && upper && digits != account.checksummed_digits() {
            return Err(AccountError::Checksum { text: text.into() });
        }
        Ok(account)
    }

    /// The account of these bytes.
    pub const fn from_bytes(bytes: [u8; 20]) -> Self {
        Self(bytes)
    }

    /// The 20 bytes.
    pub const fn as_bytes(&self) -> &[u8; 20] {
        &self.0
    }

    /// Which of the [`PARTITIONS`] the account belongs to, 0..=63: the first byte of SHA-256 over the 20 address bytes,
    /// modulo 64. Fixed for ever: stored state carries it.
    pub fn partition(&self) -> u8 {
        let [first, ..]: [u8; 32] = Sha256::digest(self.0).into();
        first % PARTITIONS
    }

    /// The address in EIP-55 mixed case, as wallets show it.
    pub fn checksummed(&self) -> String {
        let mut text = String::with_capacity(42);
        text.push_str("0x");
        text.extend(self.checksummed_digits().map(char::from));
        text
    }

    /// A letter is upper-case where the same digit of Keccak-256 over the lower-case digits is 8 or more.
    fn checksummed_digits(&self) -> [u8; 40] {
        let mut digits = self.hex();
        let hash: [u8; 32] = Keccak256::digest(digits).into();
        let nibbles = hash.into_iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
        for (digit, nibble) in digits.iter_mut().zip(nibbles) {
            if nibble >= 8 {
                digit.make_ascii_uppercase();
            }
        }
        digits
    }

    fn hex(&self) -> [u8; 40] {
        let mut digits = [0; 40];
        let nibbles = self.0.into_iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
        for (digit, nibble) in digits.iter_mut().zip(nibbles) {
            *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
        }
        digits
    }
}

impl std::str::FromStr for Account {
    type Err = AccountError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("0x")?;
        f.write_str(std::str::from_utf8(&self.hex()).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn from_hex(digits: &[u8]) -> Option<[u8; 20]> {
    if digits.len() != 40 {
        return None;
    }
    let mut bytes = [0; 20];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let mut nibbles = pair.iter().map(|digit| char::from(*digit).to_digit(16));
        let (high, low) = (nibbles.next()??, nibbles.next()??);
        *byte = u8::try_from(high * 16 + low).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of EIP-55 itself.
    const CHECKSUMMED: [&str; 4] = [
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ];

    #[test]
    fn checksummed_addresses_read_and_print() {
        for text in CHECKSUMMED {
            let account = Account::parse(text).unwrap();
            assert_eq!(account.to_string(), text.to_lowercase());
            assert_eq!(account.checksummed(), text);
            assert_eq!(Account::parse(&text.to_lowercase()).unwrap(), account);
            assert_eq!(Account::parse(&format!("0x{}", text[2..].to_uppercase())).unwrap(), account);
        }
    }

    #[test]
    fn one_wrong_case_is_a_mistyped_address() {
        for text in CHECKSUMMED {
            for at in 2..text.len() {
                let mut bytes = text.as_bytes().to_vec();
                if !bytes[at].is_ascii_alphabetic() {
                    continue;
                }
                bytes[at] ^= 0x20;
                let wrong = String::from_utf8(bytes).unwrap();
                assert_eq!(
                    Account::parse(&wrong),
                    Err(AccountError::Checksum { text: wrong.clone().into() })
                );
            }
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let good = "0x00000000000000000000000000000000000000aa";
        assert!(Account::parse(good).is_ok());
        for text in [
            "",
            "0x",
            &good[2..],
            &good[..41],
            &format!("{good}0"),
            &format!(" {good}"),
            &good.replace("0x", "0X"),
            &good.replace("aa", "ag"),
            &good.replace("0aa", "+aa"),
            &good.replace("00aa", "éé"),
            "0xaa...01",
        ] {
            assert!(matches!(Account::parse(text), Err(AccountError::Malformed { .. })), "{text}");
        }
    }

    #[test]
    fn partitions_never_move() {
        // Written down once; a change here strands every stored state.
        let partition = |last: u8| {
            let mut bytes = [0; 20];
            bytes[19] = last;
            Account::from_bytes(bytes).partition()
        };
        assert_eq!([0, 1, 2, 0xaa, 0xff].map(partition), [30, 41, 49, 6, 47]);
        assert_eq!(Account::parse(CHECKSUMMED[0]).unwrap().partition(), 20);
    }

    #[test]
    fn partitions_are_even() {
        let mut counts = [0_u32; PARTITIONS as usize];
        for n in 0..6_400_u32 {
            let mut bytes = [0; 20];
            bytes[16..].copy_from_slice(&n.to_be_bytes());
            counts[usize::from(Account::from_bytes(bytes).partition())] += 1;
        }
        assert!(counts.iter().all(|count| (60..=140).contains(count)), "{counts:?}");
    }
}
