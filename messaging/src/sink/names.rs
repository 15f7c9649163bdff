//! File names of a stream: the journal position of the first line, 20 digits, so that names sort as positions do.

use std::io;

use crate::storage::Storage;

const LINES: &str = ".ndjson";
const MARK: &str = ".cut";
const DELETED: &str = "older.deleted";
const DIGITS: usize = 20;

/// The name of the file whose first line came from `position`, below `dir`.
pub(super) fn file_name(dir: &str, position: u64) -> String {
    name(dir, position, LINES)
}

/// The stream's files, oldest first. Other names in the directory are left alone.
pub(super) fn list(storage: &dyn Storage, dir: &str) -> io::Result<Vec<u64>> {
    positions(storage, dir, LINES)
}

/// The name of a mark: lines from `position` on were cut and are not all written again yet.
pub(super) fn mark_name(dir: &str, position: u64) -> String {
    name(dir, position, MARK)
}

/// The marks there are.
pub(super) fn marks(storage: &dyn Storage, dir: &str) -> io::Result<Vec<u64>> {
    positions(storage, dir, MARK)
}

/// The name of an empty file that says: there were lines older than the oldest file; they, or their records, are deleted.
pub(super) fn deleted_name(dir: &str) -> String {
    below(dir, DELETED)
}

/// Whether that file is there.
pub(super) fn older_deleted(storage: &dyn Storage, dir: &str) -> io::Result<bool> {
    Ok(storage.list(dir)?.iter().any(|name| name == DELETED))
}

fn name(dir: &str, position: u64, suffix: &str) -> String {
    below(dir, &format!("{position:020}{suffix}"))
}

fn below(dir: &str, name: &str) -> String {
    let separator = if dir.is_empty() { "" } else { "/" };
    format!("{dir}{separator}{name}")
}

fn positions(storage: &dyn Storage, dir: &str, suffix: &str) -> io::Result<Vec<u64>> {
    let mut found: Vec<u64> =
        storage.list(dir)?.iter().filter_map(|name| position_of(name, suffix)).collect();
    found.sort_unstable();
    Ok(found)
}

/// The position in a name; `None` when the file is none of ours.
fn position_of(name: &str, suffix: &str) -> Option<u64> {
    let digits = name.strip_suffix(suffix)?;
    let ours = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if ours { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_positions_do_and_others_are_none_of_ours() {
        let names: Vec<String> =
            [0, 9, 10, 1_800_000_000_000_000_000, u64::MAX].map(|at| file_name("", at)).to_vec();
        assert!(names.is_sorted());
        assert_eq!(position_of(&names[4], LINES), Some(u64::MAX));
        for foreign in [
            "",
            ".ndjson",
            "1.ndjson",
            "00000000000000000001.ndjson.gz",
            "+0000000000000000001.ndjson",
            "99999999999999999999.ndjson",
            "0000000000000000000x.ndjson",
            "00000000000000000001",
        ] {
            assert_eq!(position_of(foreign, LINES), None, "{foreign}");
        }
    }
}
