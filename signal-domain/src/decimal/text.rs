//! The text of a decimal, kept inline: at most 31 ASCII bytes, no allocation, `Copy`.

use std::fmt;

/// ASCII text of one number: digits, a sign, a point.
///
/// 31 bytes are enough for every canonical number of the range (`-`, a point, 29 digits).
#[derive(Clone, Copy)]
pub struct DecimalText {
    /// Where the text begins; it ends at the end of `bytes`.
    start: u8,
    bytes: [u8; Self::CAPACITY],
}

impl DecimalText {
    /// Bytes of the longest text.
    pub const CAPACITY: usize = 31;

    /// The text.
    pub fn as_str(&self) -> &str {
        let text = self.bytes.get(usize::from(self.start)..).unwrap_or_default();
        as_ascii(text)
    }

    /// Keeps `text` as it is, if it is ASCII and short enough.
    pub(crate) fn verbatim(text: &str) -> Option<Self> {
        let start = Self::CAPACITY.checked_sub(text.len())?;
        let mut kept = Self { start: u8::try_from(start).ok()?, bytes: [0; Self::CAPACITY] };
        if !text.is_ascii() {
            return None;
        }
        kept.bytes.get_mut(start..)?.copy_from_slice(text.as_bytes());
        Some(kept)
    }

    /// Writes `digits` with `scale` of them after the point.
    pub(super) fn format(digits: i128, scale: u32) -> Self {
        let mut text = Self { start: Self::CAPACITY as u8, bytes: [0; Self::CAPACITY] };
        let mut left = digits.unsigned_abs();
        let mut written = 0;
        loop {
            // Almost every value fits 64 bits, where division is several times cheaper.
            let digit = match u64::try_from(left) {
                Ok(small) => {
                    left = u128::from(small / 10);
                    small % 10
                }
                Err(_) => {
                    let digit = (left % 10) as u64;
                    left /= 10;
                    digit
                }
            };
            text.prepend(b'0' + digit as u8);
            written += 1;
            if written == scale {
                text.prepend(b'.');
            }
            if left == 0 && written > scale {
                break;
            }
        }
        if digits < 0 {
            text.prepend(b'-');
        }
        text
    }

    fn prepend(&mut self, byte: u8) {
        let at = self.start.saturating_sub(1);
        if let Some(slot) = self.bytes.get_mut(usize::from(at)) {
            *slot = byte;
            self.start = at;
        }
    }
}

/// Only ASCII is ever stored, so this is the identity.
fn as_ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes)
        .expect("only ASCII is stored: `verbatim` checks it and `format` writes nothing else")
}

impl std::ops::Deref for DecimalText {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Display for DecimalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for DecimalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl PartialEq for DecimalText {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for DecimalText {}

impl std::hash::Hash for DecimalText {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}
