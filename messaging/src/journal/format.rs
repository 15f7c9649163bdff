//! The bytes of a segment, version 1: `docs/journal-format.md` in code. Little-endian; checksums are CRC-32C.
//!
//! A checksum also covers what the bytes do not say: a batch header its journal and its offset, a record its journal
//! and its position. So neither a stale block nor a piece of a journal quoted in a body passes for the real thing.

use std::fmt;

use uuid::Uuid;

use super::record::Record;

pub(crate) const MAGIC: [u8; 8] = *b"INGSEG\0\x01";
pub(crate) const BATCH_MAGIC: [u8; 4] = *b"BTCH";
pub(crate) const VERSION: u16 = 1;
pub(crate) const SEGMENT_HEADER: usize = 64;
pub(crate) const BATCH_HEADER: usize = 40;
pub(crate) const RECORD_HEADER: usize = 28;

/// The most records one batch holds.
pub const MAX_BATCH_RECORDS: usize = 4_096;
/// The most bytes of records one batch holds, unless it is a single larger record.
pub const MAX_BATCH_BYTES: usize = 4 << 20;
/// The largest body.
pub const MAX_BODY_BYTES: usize = 64 << 20;

fn u64_of(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|field| field.try_into().ok()).map_or(0, u64::from_le_bytes)
}

fn u32_of(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|field| field.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn u16_of(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).and_then(|field| field.try_into().ok()).map_or(0, u16::from_le_bytes)
}

/// Who a journal is: made once, kept in every file of it.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct JournalId(pub(crate) Uuid);

impl JournalId {
    pub(crate) fn random() -> Self {
        Self(Uuid::new_v4())
    }

    /// The identity as a UUID.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        self.0
    }

    pub(crate) fn salt(self) -> Salt {
        Salt(crc32c::crc32c(self.0.as_bytes()))
    }
}

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Ties checksums to one journal.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Salt(u32);

impl Salt {
    fn seal(self, crc: u32, place: u64) -> u32 {
        let mut tail = [0; 12];
        tail[..8].copy_from_slice(&place.to_le_bytes());
        tail[8..].copy_from_slice(&self.0.to_le_bytes());
        crc32c::crc32c_append(crc, &tail)
    }
}

/// The first 64 bytes of a segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct SegmentHeader {
    pub(crate) journal: JournalId,
    pub(crate) checkpoint_bytes: u64,
    pub(crate) first: u64,
    pub(crate) created_ns: u64,
}

/// What 64 bytes turned out to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum HeaderRead {
    Good(SegmentHeader),
    /// Whole, but written by a later version: not ours to judge.
    Newer(u16),
    Bad,
}

impl SegmentHeader {
    pub(crate) fn encode(&self) -> [u8; SEGMENT_HEADER] {
        let mut out = [0; SEGMENT_HEADER];
        out[0..8].copy_from_slice(&MAGIC);
        out[8..10].copy_from_slice(&VERSION.to_le_bytes());
        out[12..20].copy_from_slice(&self.checkpoint_bytes.to_le_bytes());
        out[20..36].copy_from_slice(self.journal.0.as_bytes());
        out[36..44].copy_from_slice(&self.first.to_le_bytes());
        out[44..52].copy_from_slice(&self.created_ns.to_le_bytes());
        let crc = crc32c::crc32c(&out[..60]);
        out[60..64].copy_from_slice(&crc.to_le_bytes());
        out
    }

    pub(crate) fn parse(raw: &[u8]) -> HeaderRead {
        let Some(raw) = raw.first_chunk::<SEGMENT_HEADER>() else { return HeaderRead::Bad };
        if raw[0..8] != MAGIC || crc32c::crc32c(&raw[..60]) != u32_of(raw, 60) {
            return HeaderRead::Bad;
        }
        let (version, flags, reserved) = (u16_of(raw, 8), u16_of(raw, 10), u64_of(raw, 52));
        if version != VERSION || flags != 0 || reserved != 0 {
            return HeaderRead::Newer(version);
        }
        let mut id = [0; 16];
        id.copy_from_slice(&raw[20..36]);
        HeaderRead::Good(Self {
            journal: JournalId(Uuid::from_bytes(id)),
            checkpoint_bytes: u64_of(raw, 12),
            first: u64_of(raw, 36),
            created_ns: u64_of(raw, 44),
        })
    }

    /// Where the batches begin: header, checksum of the checkpoint, checkpoint.
    pub(crate) fn batches_at(&self) -> u64 {
        (SEGMENT_HEADER as u64 + 4).saturating_add(self.checkpoint_bytes)
    }
}

/// The 40 bytes in front of a batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct BatchHeader {
    pub(crate) first: u64,
    pub(crate) mark: u64,
    pub(crate) count: u32,
    pub(crate) bytes: u32,
    pub(crate) previous: u64,
}

impl BatchHeader {
    /// The header, if these bytes are one that was written at this offset of this journal.
    pub(crate) fn parse(raw: &[u8], offset: u64, salt: Salt) -> Option<Self> {
        let raw = raw.first_chunk::<BATCH_HEADER>()?;
        if raw[0..4] != BATCH_MAGIC || salt.seal(crc32c::crc32c(&raw[8..]), offset) != u32_of(raw, 4) {
            return None;
        }
        let header = Self {
            first: u64_of(raw, 8),
            mark: u64_of(raw, 16),
            count: u32_of(raw, 24),
            bytes: u32_of(raw, 28),
            previous: u64_of(raw, 32),
        };
        let records = header.count as usize;
        let sane = (1..=MAX_BATCH_RECORDS).contains(&records)
            && header.bytes as usize >= records * RECORD_HEADER
            && header.bytes as usize <= MAX_BODY_BYTES + RECORD_HEADER
            && header.first >= header.previous
            && header.mark <= header.previous
            && header.first.checked_add(u64::from(header.count)).is_some();
        sane.then_some(header)
    }

    /// The position behind the batch's last record.
    pub(crate) fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }
}

/// The labels of a record, and where it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RecordHead {
    pub(crate) body_bytes: usize,
    crc: u32,
}

impl RecordHead {
    pub(crate) fn parse(raw: &[u8]) -> Option<Self> {
        (raw.len() >= RECORD_HEADER)
            .then(|| Self { body_bytes: u32_of(raw, 0) as usize, crc: u32_of(raw, 4) })
    }

    pub(crate) fn whole_bytes(&self) -> usize {
        RECORD_HEADER + self.body_bytes
    }
}

/// The record in `raw`, which is exactly one record, if its checksum says it is the one at `position`.
pub(crate) fn parse_record(raw: &[u8], position: u64, salt: Salt) -> Option<Record<'_>> {
    let head = RecordHead::parse(raw)?;
    if raw.len() != head.whole_bytes() || salt.seal(labels_crc(raw), position) != head.crc {
        return None;
    }
    Some(unchecked_record(raw, position))
}

fn labels_crc(raw: &[u8]) -> u32 {
    let len = crc32c::crc32c(raw.get(0..4).unwrap_or_default());
    crc32c::crc32c_append(len, raw.get(8..).unwrap_or_default())
}

pub(crate) fn unchecked_record(raw: &[u8], position: u64) -> Record<'_> {
    Record {
        position,
        kind: raw.get(8).copied().unwrap_or_default(),
        partition: raw.get(9).copied().unwrap_or_default(),
        key: u64_of(raw, 12),
        time: i64::from_le_bytes(u64_of(raw, 20).to_le_bytes()),
        body: raw.get(RECORD_HEADER..).unwrap_or_default(),
    }
}

/// Appends one record whose checksum still lacks its position and its journal.
pub(crate) fn put_record(out: &mut Vec<u8>, record: &super::record::NewRecord<'_>, body_bytes: u32) {
    let start = out.len();
    out.extend_from_slice(&body_bytes.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&[record.kind, record.partition, 0, 0]);
    out.extend_from_slice(&record.key.to_le_bytes());
    out.extend_from_slice(&record.time.to_le_bytes());
    out.extend_from_slice(record.body);
    let Some(raw) = out.get_mut(start..) else { return };
    let crc = labels_crc(raw);
    if let Some(field) = raw.get_mut(4..8) {
        field.copy_from_slice(&crc.to_le_bytes());
    }
}

/// Writes count and bytes into the 40 bytes in front of a batch's records; the rest is the writer's.
pub(crate) fn put_batch_sizes(header: &mut [u8; BATCH_HEADER], count: u32, bytes: u32) {
    header[0..4].copy_from_slice(&BATCH_MAGIC);
    header[24..28].copy_from_slice(&count.to_le_bytes());
    header[28..32].copy_from_slice(&bytes.to_le_bytes());
}

/// Gives every record of a group of batches its position, once. Returns the position behind the last.
pub(crate) fn number(group: &mut [u8], end: u64, next: u64, salt: Salt) -> u64 {
    let (mut end, mut next) = (end, next);
    each_batch(group, |_, header, records| {
        header[8..16].copy_from_slice(&next.to_le_bytes());
        header[32..40].copy_from_slice(&end.to_le_bytes());
        let mut rest = records;
        while let Some(head) = RecordHead::parse(rest) {
            let Some((raw, behind)) = std::mem::take(&mut rest).split_at_mut_checked(head.whole_bytes())
            else {
                break;
            };
            let crc = salt.seal(head.crc, next);
            if let Some(field) = raw.get_mut(4..8) {
                field.copy_from_slice(&crc.to_le_bytes());
            }
            next += 1;
            rest = behind;
        }
        end = next;
    });
    end
}

/// Makes a numbered group ready to be written at `offset`; done again for every place it is written to.
pub(crate) fn stamp(group: &mut [u8], offset: u64, mark: u64, salt: Salt) {
    each_batch(group, |inside, header, _| {
        header[16..24].copy_from_slice(&mark.to_le_bytes());
        let crc = salt.seal(crc32c::crc32c(&header[8..]), offset + inside as u64);
        header[4..8].copy_from_slice(&crc.to_le_bytes());
    });
}

/// Walks the batches of a group that we built ourselves.
fn each_batch(group: &mut [u8], mut visit: impl FnMut(usize, &mut [u8; BATCH_HEADER], &mut [u8])) {
    let (mut rest, mut inside) = (group, 0);
    while let Some((header, tail)) = rest.split_first_chunk_mut::<BATCH_HEADER>() {
        let bytes = u32_of(header, 28) as usize;
        let Some((records, behind)) = tail.split_at_mut_checked(bytes) else { break };
        visit(inside, header, records);
        inside += BATCH_HEADER + bytes;
        rest = behind;
    }
}

/// The records of a numbered group, each with its batch's offset in the group and the position in front of that batch.
pub(crate) fn each_record(group: &[u8], mut visit: impl FnMut(usize, u64, &Record<'_>)) {
    let (mut rest, mut inside) = (group, 0);
    while let Some((header, tail)) = rest.split_first_chunk::<BATCH_HEADER>() {
        let (mut position, previous, bytes) =
            (u64_of(header, 8), u64_of(header, 32), u32_of(header, 28) as usize);
        let Some((mut records, behind)) = tail.split_at_checked(bytes) else { break };
        while let Some(head) = RecordHead::parse(records) {
            let Some((raw, after)) = records.split_at_checked(head.whole_bytes()) else { break };
            visit(inside, previous, &unchecked_record(raw, position));
            position += 1;
            records = after;
        }
        inside += BATCH_HEADER + bytes;
        rest = behind;
    }
}
