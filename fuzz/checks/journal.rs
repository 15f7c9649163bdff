//! Any bytes as a journal's segment: each is read as far as it is good, and what is missing is named in order, once, inside the file.
//!
//! A checksum written as 0 stands for the right one. Without that no mutation would ever come past the first checksum.

use messaging::journal::fuzz_open;

const SEGMENT_HEADER: usize = 64;
const BATCH_HEADER: usize = 40;
const RECORD_HEADER: usize = 28;

/// The check.
///
/// # Panics
/// When the reader breaks its word.
pub(crate) fn check(bytes: &[u8]) {
    let bytes = mended(bytes);
    let first = u64_at(&bytes, 36).unwrap_or(1_000);
    let (records, damage) = fuzz_open(first, &bytes);
    assert!(records as usize <= bytes.len() / RECORD_HEADER, "{records} records in {} bytes", bytes.len());
    let mut end = 0;
    for damage in damage {
        assert!(damage.from < damage.to && damage.from >= end, "{damage:?} after {end}");
        assert!(damage.offset <= bytes.len() as u64 && damage.segment == first, "{damage:?}");
        end = damage.to;
    }
}

/// The same bytes with the right checksum wherever there is a 0, as far as the bytes look like a segment (docs/journal-format.md).
fn mended(bytes: &[u8]) -> Vec<u8> {
    let mut segment = bytes.to_vec();
    let salt = crc32c::crc32c(segment.get(20..36).unwrap_or_default());
    put(&mut segment, 60, |all| all.get(..60).map(crc32c::crc32c));
    let checkpoint = u64_at(&segment, 12).unwrap_or(0) as usize;
    put(&mut segment, SEGMENT_HEADER, |all| {
        let behind = all.get(SEGMENT_HEADER + 4..)?;
        behind.get(..checkpoint).map(crc32c::crc32c)
    });
    let mut at = checkpoint.saturating_add(SEGMENT_HEADER + 4);
    while let Some(next) = mend_batch(&mut segment, at, salt) {
        at = next;
    }
    segment
}

/// Mends the batch at `at`; answers where the next one begins.
fn mend_batch(segment: &mut [u8], at: usize, salt: u32) -> Option<usize> {
    let header = at.checked_add(BATCH_HEADER)?;
    put(segment, at + 4, |all| {
        all.get(at + 8..header).map(|covered| sealed(crc32c::crc32c(covered), at as u64, salt))
    });
    let mut position = u64_at(segment, at + 8)?;
    let end = header.checked_add(u32_at(segment, at + 28)? as usize)?.min(segment.len());
    let mut record = header;
    while let Some(length) = u32_at(segment, record) {
        let Some(behind) =
            record.checked_add(RECORD_HEADER + length as usize).filter(|behind| *behind <= end)
        else {
            break;
        };
        put(segment, record + 4, |all| {
            let length = crc32c::crc32c(all.get(record..record + 4)?);
            let crc = crc32c::crc32c_append(length, all.get(record + 8..behind)?);
            Some(sealed(crc, position, salt))
        });
        (record, position) = (behind, position.wrapping_add(1));
    }
    Some(end)
}

fn sealed(crc: u32, place: u64, salt: u32) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc, &place.to_le_bytes()), &salt.to_le_bytes())
}

/// Writes the checksum at `at`, if it is 0 there.
fn put(segment: &mut [u8], at: usize, crc: impl FnOnce(&[u8]) -> Option<u32>) {
    if u32_at(segment, at) == Some(0)
        && let Some(crc) = crc(segment)
        && let Some(field) = segment.get_mut(at..at + 4)
    {
        field.copy_from_slice(&crc.to_le_bytes());
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_le_bytes(*four))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|eight| u64::from_le_bytes(*eight))
}
