//! What the machine knows of a fill: enough to tell it from others, to order it and to link it. Everything else
//! travels as the caller's payload.

use std::fmt;
use std::sync::Arc;

use dedup::{Digest, FillKey, Link};
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// One of the two streams of an account; each has its own history.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Stream {
    /// Fills.
    Fills,
    /// Slices of TWAP orders.
    Twap,
}

impl Stream {
    /// Both, in the order in which state is kept.
    pub const ALL: [Self; 2] = [Self::Fills, Self::Twap];

    pub(super) fn lane(self) -> u8 {
        match self {
            Self::Fills => 0,
            Self::Twap => 1,
        }
    }
}

/// One value per stream.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize, Deserialize)]
pub struct PerStream<T>([T; 2]);

impl<T> PerStream<T> {
    pub(super) fn from_fn(mut make: impl FnMut(Stream) -> T) -> Self {
        Self(Stream::ALL.map(&mut make))
    }

    /// Both values.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter()
    }
}

impl<T> std::ops::Index<Stream> for PerStream<T> {
    type Output = T;
    fn index(&self, stream: Stream) -> &T {
        let [fills, twap] = &self.0;
        match stream {
            Stream::Fills => fills,
            Stream::Twap => twap,
        }
    }
}

impl<T> std::ops::IndexMut<Stream> for PerStream<T> {
    fn index_mut(&mut self, stream: Stream) -> &mut T {
        let [fills, twap] = &mut self.0;
        match stream {
            Stream::Fills => fills,
            Stream::Twap => twap,
        }
    }
}

/// A market's name as signals carry it; cheap to clone.
#[derive(Clone, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Market(Arc<str>);

impl Market {
    /// The name is not checked here.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self(name.into())
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Arc<str>> for Market {
    fn from(name: Arc<str>) -> Self {
        Self(name)
    }
}

impl fmt::Debug for Market {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Market {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Market {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|name| Self(name.into()))
    }
}

/// A position or a difference of two, rounded by the caller as positions are compared.
#[derive(Clone, Copy, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Position(pub Decimal);

impl Position {
    /// `self + other`, saturating where the range ends (far beyond what the venue can hold).
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0).normalize())
    }

    /// `self - other`, likewise.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0).normalize())
    }
}

impl dedup::Position for Position {
    fn is_flat(self) -> bool {
        self.0.is_zero()
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Serialize for Position {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.normalize().serialize().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <[u8; 16]>::deserialize(deserializer).map(|bytes| Self(Decimal::deserialize(bytes)))
    }
}

/// What becomes of an event; every fate but `Signal` is kept with the venue's bytes and makes no signal.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize, Deserialize)]
pub enum Fate {
    /// Makes a signal and has a `seq`.
    Signal,
    /// Happened before we followed.
    Baseline,
    /// The configuration does not want this market or stream.
    Filtered,
    /// The position is the same after rounding.
    NoChange,
    /// It would have made one, and a sink was too far behind: declared as a `shed` gap.
    Shed,
}

/// One fill as a listener's frame or a page of history shows it.
#[derive(Clone, Debug)]
pub struct Row {
    /// Identity, the same from every source.
    pub key: FillKey,
    /// Content: side, price, size and position before.
    pub digest: Digest,
    /// The market.
    pub market: Market,
    /// Whether positions of this market form a chain (perps do; spot and outcomes do not).
    pub strict: bool,
    /// Venue time in milliseconds.
    pub time: i64,
    /// Position before and after, where the source has it.
    pub link: Option<Link<Position>>,
    /// What becomes of it when it is an event: `Signal`, `Filtered` or `NoChange`.
    pub fate: Fate,
}
