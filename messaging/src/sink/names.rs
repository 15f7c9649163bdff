//! File names of a stream: the journal position of the first line, 20 digits, so that names sort as positions do.

use std::io;

use crate::storage::Storage;

const SUFFIX: &str = ".ndjson";
const DIGITS: usize = 20;

/// The name of the file whose first line came from `position`, below `dir`.
pub(super) fn file_name(dir: &str, position: u64) -> String {
    let separator = if dir.is_empty() { "" } else { "/" };
    format!("{dir}{separator}{position:020}{SUFFIX}")
}

/// The position in a name; `None` when the file is none of ours.
pub(super) fn position_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(SUFFIX)?;
    let ours = digits.len() == DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    if ours { digits.parse().ok() } else { None }
}

/// The stream's files, oldest first. Other names in the directory are left alone.
pub(super) fn list(storage: &dyn Storage, dir: &str) -> io::Result<Vec<u64>> {
    let mut found: Vec<u64> = storage.list(dir)?.iter().filter_map(|name| position_of(name)).collect();
    found.sort_unstable();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_sort_as_positions_do_and_others_are_none_of_ours() {
        let names: Vec<String> =
            [0, 9, 10, 1_800_000_000_000_000_000, u64::MAX].map(|at| file_name("", at)).to_vec();
        assert!(names.is_sorted());
        assert_eq!(position_of(&names[4]), Some(u64::MAX));
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
            assert_eq!(position_of(foreign), None, "{foreign}");
        }
    }
}
