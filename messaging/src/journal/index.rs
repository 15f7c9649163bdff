//! The sparse index of a sealed segment: for every 64 KiB of batches which keys, labels, times and kinds may be in them.
//! Made when a segment is sealed, never trusted for anything but skipping, always reproducible from the segment.

use std::ops::RangeInclusive;

use super::format::{JournalId, SegmentHeader};
use super::record::{NO_TIME, Record};
use crate::storage::{Storage, read_small};

const MAGIC: [u8; 8] = *b"INGIDX\0\x02";
const FRONT: usize = 60;
const ENTRY: usize = 160;
const BLOCK_BYTES: u64 = 64 << 10;
/// 400,000 blocks of at least 64 KiB: far more than a segment has.
const MAX_INDEX_BYTES: usize = 400_000 * ENTRY;

pub(crate) fn name(first: u64) -> String {
    format!("{first:020}.idx")
}

/// Which records are wanted; what is empty or absent does not restrict.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Query {
    /// Any of these keys.
    pub keys: Vec<u64>,
    /// Any of these kinds.
    pub kinds: Vec<u8>,
    /// Each of these labels, of one record or another that lie together: only the fold knows which record has which, so what is
    /// yielded may lack some.
    pub labels: Vec<u64>,
    /// Venue ms; records without a time are in no span.
    pub times: Option<RangeInclusive<i64>>,
}

impl Query {
    /// Whether few records are wanted.
    pub(crate) fn looks_up(&self) -> bool {
        !self.keys.is_empty() || !self.labels.is_empty() || self.times.is_some()
    }

    /// Whether the record is wanted.
    #[must_use]
    pub fn wants(&self, record: &Record<'_>) -> bool {
        (self.keys.is_empty() || self.keys.contains(&record.key))
            && (self.kinds.is_empty() || self.kinds.contains(&record.kind))
            && self.times.as_ref().is_none_or(|times| record.time != NO_TIME && times.contains(&record.time))
    }
}

#[derive(Clone, Copy, Debug)]
struct Block {
    offset: u64,
    /// The position in front of its first batch.
    end_before: u64,
    earliest: i64,
    latest: i64,
    kinds: [u64; 4],
    keys: [u64; 8],
    labels: [u64; 4],
}

/// What a text is found by: the same for ever, because it stands in indexes.
#[must_use]
pub fn label(text: &str) -> u64 {
    u64::from(crc32c::crc32c(text.as_bytes()))
}

/// Three bits of 256 per label: those of a key, of the upper half of the words.
fn label_bits(label: u64) -> [(usize, u64); 3] {
    key_bits(label).map(|(word, bit)| (word / 2, bit))
}

/// Three bits of 512 per key.
fn key_bits(key: u64) -> [(usize, u64); 3] {
    let mixed = key.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    [mixed >> 55, (mixed >> 46) & 511, (mixed >> 37) & 511].map(|bit| ((bit >> 6) as usize, 1 << (bit & 63)))
}

fn kind_bit(kind: u8) -> (usize, u64) {
    (usize::from(kind >> 6), 1 << (kind & 63))
}

impl Block {
    fn new(offset: u64, end_before: u64) -> Self {
        Self {
            offset,
            end_before,
            earliest: i64::MAX,
            latest: NO_TIME,
            kinds: [0; 4],
            keys: [0; 8],
            labels: [0; 4],
        }
    }

    fn add(&mut self, record: &Record<'_>) {
        if record.time != NO_TIME {
            self.earliest = self.earliest.min(record.time);
            self.latest = self.latest.max(record.time);
        }
        let (word, bit) = kind_bit(record.kind);
        if let Some(word) = self.kinds.get_mut(word) {
            *word |= bit;
        }
        for (word, bit) in key_bits(record.key) {
            if let Some(word) = self.keys.get_mut(word) {
                *word |= bit;
            }
        }
    }

    fn add_label(&mut self, label: u64) {
        for (word, bit) in label_bits(label) {
            if let Some(word) = self.labels.get_mut(word) {
                *word |= bit;
            }
        }
    }

    fn may_hold(&self, query: &Query) -> bool {
        let has =
            |words: &[u64], (word, bit): (usize, u64)| words.get(word).is_some_and(|word| word & bit != 0);
        (query.keys.is_empty()
            || query.keys.iter().any(|key| key_bits(*key).iter().all(|at| has(&self.keys, *at))))
            && query.labels.iter().all(|label| label_bits(*label).iter().all(|at| has(&self.labels, *at)))
            && (query.kinds.is_empty() || query.kinds.iter().any(|kind| has(&self.kinds, kind_bit(*kind))))
            && query
                .times
                .as_ref()
                .is_none_or(|times| self.earliest <= *times.end() && self.latest >= *times.start())
    }
}

/// Grows while a segment is written.
#[derive(Debug, Default)]
pub(crate) struct IndexBuilder {
    blocks: Vec<Block>,
}

impl IndexBuilder {
    /// Takes a record of the batch at `offset`; `end_before` is the position in front of that batch.
    pub(crate) fn add(&mut self, offset: u64, end_before: u64, record: &Record<'_>) {
        if self.blocks.last().is_none_or(|block| offset - block.offset >= BLOCK_BYTES) {
            self.blocks.push(Block::new(offset, end_before));
        }
        if let Some(block) = self.blocks.last_mut() {
            block.add(record);
        }
    }

    /// A label of the record taken last.
    pub(crate) fn add_label(&mut self, label: u64) {
        if let Some(block) = self.blocks.last_mut() {
            block.add_label(label);
        }
    }

    /// The index of a segment whose batches stop at offset `stop` and position `end`.
    pub(crate) fn encode(&self, segment: &SegmentHeader, stop: u64, end: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(FRONT + self.blocks.len() * ENTRY + 4);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(segment.journal.0.as_bytes());
        for field in [segment.first, segment.created_ns, stop, end] {
            out.extend_from_slice(&field.to_le_bytes());
        }
        out.extend_from_slice(&u32::try_from(self.blocks.len()).unwrap_or(u32::MAX).to_le_bytes());
        for block in &self.blocks {
            let times = [block.earliest, block.latest].map(i64::cast_unsigned);
            let words = [block.offset, block.end_before]
                .into_iter()
                .chain(times)
                .chain(block.kinds)
                .chain(block.keys)
                .chain(block.labels);
            words.for_each(|word| out.extend_from_slice(&word.to_le_bytes()));
        }
        out.extend_from_slice(&crc32c::crc32c(&out).to_le_bytes());
        out
    }
}

/// Part of a segment that holds nothing wanted: at offset `from` one may go on at `to`, whose position is `end`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Skip {
    pub(crate) from: u64,
    pub(crate) to: u64,
    pub(crate) end: u64,
}

/// What a reader may skip in this segment; nothing when there is no index that fits it.
pub(crate) fn skips(
    storage: &dyn Storage,
    journal: JournalId,
    header: &SegmentHeader,
    query: &Query,
) -> (Vec<Skip>, u64) {
    let Ok(bytes) = read_small(storage, &name(header.first), MAX_INDEX_BYTES) else { return (Vec::new(), 0) };
    (parse(&bytes, journal, header, query).unwrap_or_default(), bytes.len() as u64)
}

fn parse(bytes: &[u8], journal: JournalId, header: &SegmentHeader, query: &Query) -> Option<Vec<Skip>> {
    let (body, crc) = bytes.split_last_chunk::<4>()?;
    let (front, blocks) = body.split_first_chunk::<FRONT>()?;
    let word = |bytes: &[u8], at: usize| {
        bytes.get(at..at + 8).and_then(|word| word.try_into().ok()).map(u64::from_le_bytes)
    };
    let fits = front.starts_with(&MAGIC)
        && front[8..24] == *journal.0.as_bytes()
        && word(front, 24)? == header.first
        && word(front, 32)? == header.created_ns
        && crc32c::crc32c(body) == u32::from_le_bytes(*crc);
    if !fits {
        return None;
    }
    let (stop, end) = (word(front, 40)?, word(front, 48)?);
    let mut skips: Vec<Skip> = Vec::new();
    let entries: Vec<&[u8]> = blocks.chunks_exact(ENTRY).collect();
    for (number, entry) in entries.iter().enumerate() {
        let mut block = Block::new(word(entry, 0)?, word(entry, 8)?);
        block.earliest = word(entry, 16)?.cast_signed();
        block.latest = word(entry, 24)?.cast_signed();
        for (at, slot) in block.kinds.iter_mut().chain(&mut block.keys).chain(&mut block.labels).enumerate() {
            *slot = word(entry, 32 + at * 8)?;
        }
        if block.may_hold(query) {
            continue;
        }
        let (to, end) = match entries.get(number + 1) {
            Some(next) => (word(next, 0)?, word(next, 8)?),
            None => (stop, end),
        };
        match skips.last_mut() {
            Some(last) if last.to == block.offset => (last.to, last.end) = (to, end),
            Some(_) | None => skips.push(Skip { from: block.offset, to, end }),
        }
    }
    Some(skips)
}
