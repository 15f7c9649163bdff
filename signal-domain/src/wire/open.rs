//! A member of an open set: one we know, or the text of one we do not know yet.

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A known member, or another text. What we write is always known; what we read may come from a newer version.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Open<T> {
    /// A member this version knows.
    Known(T),
    /// Another text.
    Other(Box<str>),
}

impl<T: Copy> Open<T> {
    /// The member, if this version knows it.
    pub const fn known(&self) -> Option<T> {
        match self {
            Self::Known(member) => Some(*member),
            Self::Other(_) => None,
        }
    }
}

impl<T: AsRef<str>> Open<T> {
    /// The text on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(member) => member.as_ref(),
            Self::Other(text) => text,
        }
    }
}

impl<T> From<T> for Open<T> {
    fn from(member: T) -> Self {
        Self::Known(member)
    }
}

impl<T: AsRef<str>> Serialize for Open<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de, T: FromStr> Deserialize<'de> for Open<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyText<T>(PhantomData<T>);

        impl<T: FromStr> de::Visitor<'_> for AnyText<T> {
            type Value = Open<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(text.parse().map_or_else(|_| Open::Other(text.into()), Open::Known))
            }
        }

        deserializer.deserialize_str(AnyText(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Origin;

    #[test]
    fn an_unknown_member_survives() {
        let read = |json| serde_json::from_str::<Open<Origin>>(json).unwrap();
        assert_eq!(read("\"live\""), Open::Known(Origin::Live));
        assert_eq!(read("\"telepathy\"").as_str(), "telepathy");
        assert_eq!(read("\"telepathy\"").known(), None);
        assert_eq!(serde_json::to_string(&read("\"telepathy\"")).unwrap(), "\"telepathy\"");
        assert!(serde_json::from_str::<Open<Origin>>("1").is_err());
    }
}
