//! What was read, and the fold of it that notices any difference in content, order or place.

use crate::journal::start;
use crate::journal::{Fold, Record};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Seen {
    Record(u64, u64),
    Damage(u64, u64),
}

/// A fold that notices any difference in content, order or place.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct Chain(u64);

impl Chain {
    fn mix(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29);
    }
}

impl Fold for Chain {
    fn apply(&mut self, record: &Record<'_>) {
        self.mix(record.position);
        self.mix(id_of(record));
    }
    fn damage(&mut self, from: u64, to: u64) {
        self.mix(u64::MAX - from);
        self.mix(to);
    }
    fn save(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        out.write_all(&self.0.to_le_bytes())
    }
}

pub(super) fn fold_of(seen: &[Seen]) -> Chain {
    let mut chain = Chain::default();
    for seen in seen {
        match *seen {
            Seen::Record(at, id) => {
                chain.mix(at);
                chain.mix(id);
            }
            Seen::Damage(from, to) => chain.damage(from, to),
        }
    }
    chain
}

pub(super) fn restore(saved: Option<&[u8]>) -> Result<Chain, start::Reason> {
    Ok(Chain(saved.map_or(Ok(0), |bytes| bytes.try_into().map(u64::from_le_bytes))?))
}

pub(super) fn id_of(record: &Record<'_>) -> u64 {
    u64::from_le_bytes(record.body[..8].try_into().unwrap())
}
