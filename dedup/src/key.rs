//! A fill's identity as 128 bits, its content as 64.
//!
//! Both are XXH3 (seed 0) over an encoding fixed below, so they are the same on every machine, in every process and in
//! every version: they stand in journals and checkpoints. Golden values in the tests pin them; changing one needs a
//! new journal version.
//!
//! Odds: two different fills among `n` share a key with probability about `n² / 2^129`: 6e-29 for the 200,000 keys of
//! an account, 1e-15 for a thousand billion fills. XXH3 is not cryptographic; the venue makes the ids, a trader does
//! not choose them.
//!
//! Encoding (integers little-endian): form `1` (trade): `1`, account (20), time (8), tid (8), side (1), coin.
//! Form `2` (row, for tid 0): `2`, account (20), time (8), oid (8), side (1), then coin, size and start, each of
//! the last three with its length (4) before it.

use std::fmt;

use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// What tells one fill from every other of the same account, coin, millisecond and side.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Identity<'a> {
    /// The venue's trade id; never zero.
    Trade {
        /// The id both sides of the trade share.
        tid: u64,
    },
    /// For rows to which the venue gives no trade id (`tid` 0): the order and the row's own numbers, as the venue
    /// wrote them.
    Row {
        /// The order's id.
        oid: u64,
        /// Size in the venue's text.
        size: &'a str,
        /// Position before the fill in the venue's text.
        start: &'a str,
    },
}

/// The canonical parts of a key, borrowed from wherever they arrived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KeyParts<'a> {
    /// The account's 20 bytes: both sides of one trade share a `tid`, and both may be followed.
    pub account: &'a [u8; 20],
    /// The venue's name of the market.
    pub coin: &'a str,
    /// Venue time in milliseconds.
    pub time_ms: i64,
    /// `b'B'` or `b'A'`: a self-trade has both under one `tid`.
    pub side: u8,
    /// The rest.
    pub identity: Identity<'a>,
}

/// A fill's identity.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FillKey(pub u128);

impl FillKey {
    /// Hashes the parts; about 45 bytes, no allocation below 128.
    #[must_use]
    pub fn of(parts: &KeyParts<'_>) -> Self {
        if let Identity::Trade { tid } = parts.identity
            && let Some(key) = Self::of_short_trade(parts, tid)
        {
            return key;
        }
        let mut text = Encoder::default();
        match parts.identity {
            Identity::Trade { tid } => {
                text.head(1, parts, tid);
                text.put(parts.coin.as_bytes());
            }
            Identity::Row { oid, size, start } => {
                text.head(2, parts, oid);
                text.sized(parts.coin);
                text.sized(size);
                text.sized(start);
            }
        }
        Self(xxh3_128(text.bytes()))
    }

    /// The same bytes as the general way, laid out at fixed places: nearly every fill there is.
    #[inline]
    fn of_short_trade(parts: &KeyParts<'_>, tid: u64) -> Option<Self> {
        const HEAD: usize = 38;
        let mut bytes = [0; HEAD + 26];
        let (head, tail) = bytes.split_first_chunk_mut::<HEAD>()?;
        let coin = parts.coin.as_bytes();
        tail.get_mut(..coin.len())?.copy_from_slice(coin);
        head[0] = 1;
        head[1..21].copy_from_slice(parts.account);
        head[21..29].copy_from_slice(&parts.time_ms.to_le_bytes());
        head[29..37].copy_from_slice(&tid.to_le_bytes());
        head[37] = parts.side;
        Some(Self(xxh3_128(bytes.get(..HEAD + coin.len())?)))
    }

    /// The two halves, low first: what a table needs.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "taking the halves is the point")]
    pub(crate) fn halves(self) -> [u64; 2] {
        [self.0 as u64, (self.0 >> 64) as u64]
    }

    pub(crate) fn from_halves([low, high]: [u64; 2]) -> Self {
        Self((u128::from(high) << 64) | u128::from(low))
    }
}

impl fmt::Debug for FillKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// A fill's content: equal keys must have equal digests, or one of the two copies is wrong.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Digest(pub u64);

impl Digest {
    /// Of side, price, size and position before, in the caller's canonical text: every source of one fill must be
    /// brought to the same text first (the venue itself writes it alike everywhere). Each part is prefixed by its
    /// length; an absent start has a length no text can have.
    #[must_use]
    pub fn of(side: u8, price: &str, size: &str, start: Option<&str>) -> Self {
        let mut text = Encoder::default();
        text.put(&[side]);
        text.sized(price);
        text.sized(size);
        match start {
            Some(start) => text.sized(start),
            None => text.put(&u32::MAX.to_le_bytes()),
        }
        Self(xxh3_64(text.bytes()))
    }
}

/// A buffer on the stack that moves to the heap when a name is longer than any the venue has.
#[derive(Debug)]
struct Encoder {
    stack: [u8; Self::STACK],
    len: usize,
    heap: Vec<u8>,
}

impl Default for Encoder {
    fn default() -> Self {
        Self { stack: [0; Self::STACK], len: 0, heap: Vec::new() }
    }
}

impl Encoder {
    const STACK: usize = 128;

    fn head(&mut self, form: u8, parts: &KeyParts<'_>, id: u64) {
        self.put(&[form]);
        self.put(parts.account);
        self.put(&parts.time_ms.to_le_bytes());
        self.put(&id.to_le_bytes());
        self.put(&[parts.side]);
    }

    fn sized(&mut self, text: &str) {
        let len = u32::try_from(text.len()).unwrap_or(u32::MAX - 1);
        self.put(&len.to_le_bytes());
        self.put(text.as_bytes());
    }

    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        if self.heap.is_empty() {
            if let Some(place) = self.stack.get_mut(self.len..self.len + bytes.len()) {
                place.copy_from_slice(bytes);
                self.len += bytes.len();
                return;
            }
            self.heap.extend_from_slice(self.stack.get(..self.len).unwrap_or(&[]));
        }
        self.heap.extend_from_slice(bytes);
    }

    fn bytes(&self) -> &[u8] {
        if self.heap.is_empty() { self.stack.get(..self.len).unwrap_or(&[]) } else { &self.heap }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ACCOUNT: [u8; 20] = [0xab; 20];

    fn trade(coin: &str, time_ms: i64, tid: u64, side: u8) -> FillKey {
        FillKey::of(&KeyParts { account: &ACCOUNT, coin, time_ms, side, identity: Identity::Trade { tid } })
    }

    fn row(coin: &str, size: &str, start: &str) -> FillKey {
        let identity = Identity::Row { oid: 560_000_000_001, size, start };
        FillKey::of(&KeyParts { account: &ACCOUNT, coin, time_ms: 1_790_000_000_123, side: b'A', identity })
    }

    #[test]
    fn golden_values_never_change() {
        let got = [
            trade("ETH", 1_790_000_000_123, 512_345_678_901_234, b'B').0,
            trade(&"X".repeat(300), 1, 2, b'A').0,
            row("xyz:TSLA", "0.5", "-1.25").0,
        ];
        assert_eq!(got, GOLDEN_KEYS, "persisted keys would no longer be found: {got:#x?}");
        let digests =
            [Digest::of(b'B', "2400.5", "0.5", Some("-1.25")).0, Digest::of(b'B', "2400.5", "0.5", None).0];
        assert_eq!(digests, GOLDEN_DIGESTS, "{digests:#x?}");
    }

    const GOLDEN_KEYS: [u128; 3] = [
        0x6430_4612_2e2f_1406_cc5b_aab1_3e1a_9e80,
        0xadf2_a905_b5a9_db9f_e5dd_09b4_2efc_8848,
        0x400b_3e77_fd0f_3803_708c_b0aa_19d6_835e,
    ];
    const GOLDEN_DIGESTS: [u64; 2] = [5_705_550_733_943_767_060, 10_204_085_456_463_703_468];

    #[test]
    fn parts_do_not_run_into_each_other() {
        assert_ne!(row("ab", "c", "d"), row("a", "bc", "d"));
        assert_ne!(row("a", "bc", "d"), row("a", "b", "cd"));
        assert_ne!(Digest::of(b'B', "1", "23", None), Digest::of(b'B', "12", "3", None));
        assert_ne!(Digest::of(b'B', "1", "2", Some("")), Digest::of(b'B', "1", "2", None));
    }

    proptest! {
        #[test]
        fn every_part_counts(coin in "[a-zA-Z:@#]{1,140}", time in any::<i64>(), tid in 1_u64.., other in 1_u64..) {
            let key = trade(&coin, time, tid, b'B');
            prop_assert_eq!(key, trade(&coin, time, tid, b'B'));
            prop_assert_ne!(key, trade(&coin, time, tid, b'A'));
            prop_assert_ne!(key, trade(&coin, time ^ 1, tid, b'B'));
            prop_assert_ne!(key, trade(&format!("{coin}x"), time, tid, b'B'));
            prop_assert_eq!(key == trade(&coin, time, other, b'B'), tid == other);
            prop_assert_eq!(FillKey::from_halves(key.halves()), key);
        }
    }
}
