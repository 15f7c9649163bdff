//! The name an influencer goes by: in signals, topics' keys and ids.

use std::{fmt, sync::Arc};

use crate::Account;

/// An influencer's id: 1 to 64 of `A-Z a-z 0-9 _ . -`. By default the lower-case address. Cheap to clone.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct InfluencerId(Arc<str>);

/// A text that cannot be an influencer's id.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} is no influencer id: 1 to 64 of A-Z a-z 0-9 _ . -")]
pub struct InfluencerIdError {
    /// What was given, cut to a length fit for a log line.
    pub text: Box<str>,
}

impl InfluencerId {
    /// Bytes of the longest id.
    pub const MAX_LEN: usize = 64;

    /// Checks and takes an id.
    ///
    /// # Errors
    /// [`InfluencerIdError`] when it is empty, too long, or holds another character.
    pub fn parse(text: &str) -> Result<Self, InfluencerIdError> {
        let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-".contains(byte);
        if text.is_empty() || text.len() > Self::MAX_LEN || !text.as_bytes().iter().all(allowed) {
            return Err(InfluencerIdError { text: text.chars().take(80).collect() });
        }
        Ok(Self(text.into()))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Account> for InfluencerId {
    /// The default id: the lower-case address.
    fn from(account: Account) -> Self {
        Self(account.to_string().into())
    }
}

impl std::str::FromStr for InfluencerId {
    type Err = InfluencerIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl fmt::Display for InfluencerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for InfluencerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_plain_names() {
        for good in ["a", "whale-1", "A_b.C-9", &"x".repeat(64), "0x00000000000000000000000000000000000000aa"]
        {
            assert_eq!(InfluencerId::parse(good).unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a|b", "a/b", "wal\u{e9}", "a\n", &"x".repeat(65)] {
            assert!(InfluencerId::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_default_is_the_address() {
        let account = Account::from_bytes([0xAB; 20]);
        let id = InfluencerId::from(account);
        assert_eq!(id.as_str(), account.to_string());
        assert_eq!(InfluencerId::parse(id.as_str()).unwrap(), id);
    }
}
