//! The name of an influencer: `[A-Za-z0-9_.-]{1,64}`, by default the lower-case address.

use std::{borrow::Borrow, fmt, str::FromStr, sync::Arc};

use crate::Address;

/// The most characters an [`InfluencerId`] may have.
pub const ID_CHARS_MAX: usize = 64;

/// What consumers know an influencer by. Cheap to clone; safe in a key, a topic and a file name.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InfluencerId(Arc<str>);

impl InfluencerId {
    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Address> for InfluencerId {
    /// The default id of an account: its lower-case address.
    fn from(address: &Address) -> Self {
        Self(address.as_str().into())
    }
}

impl FromStr for InfluencerId {
    type Err = BadId;

    fn from_str(text: &str) -> Result<Self, BadId> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        if text.is_empty() || text.len() > ID_CHARS_MAX || !text.bytes().all(allowed) {
            return Err(BadId);
        }
        Ok(Self(text.into()))
    }
}

impl Borrow<str> for InfluencerId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InfluencerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for InfluencerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

/// The text is no influencer id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id is 1 to {ID_CHARS_MAX} of the characters A-Z a-z 0-9 _ . -")]
pub struct BadId;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_is_kept() {
        let longest = "a".repeat(ID_CHARS_MAX);
        for good in ["whale-1", "A_b.9", "0", longest.as_str()] {
            assert_eq!(good.parse::<InfluencerId>().unwrap().as_str(), good);
        }
        let too_long = "a".repeat(ID_CHARS_MAX + 1);
        for bad in ["", "a b", "a/b", "a|b", "ä", "a\n", too_long.as_str()] {
            assert_eq!(bad.parse::<InfluencerId>(), Err(BadId), "{bad:?}");
        }
    }
}
