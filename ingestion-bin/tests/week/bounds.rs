//! What each directory may hold, as it is configured, and what it holds.

use std::path::Path;

/// Section, directory, bytes together, bytes of a file; KiB.
const SINKS: [(&str, &str, u64, u64); 5] = [
    ("signals", "signals", 16 << 10, 1 << 10),
    ("raw", "raw", 16 << 10, 1 << 10),
    ("gaps", "gaps", 64, 4),
    ("positions", "state", 256, 32),
    ("dead_letters", "dead_letters", 256, 16),
];
/// The journal and a segment of it, KiB.
const JOURNAL: (u64, u64) = (48 << 10, 2 << 10);
/// Beside journal and streams: the list, locks, cursors.
const REST: u64 = 1 << 20;
/// What a sink writes at once; then it deletes.
const BATCH: u64 = 1 << 20;

/// Bounds that hold so many times the least.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds(pub(crate) u64);

impl Bounds {
    /// Tables of the configuration.
    pub(crate) fn configuration(self, retention_s: i64) -> String {
        let (most, segment) = (self.journal(), self.of(JOURNAL.1));
        let mut text = format!("[journal]\nmax_bytes = {most}\nsegment_bytes = {segment}\n");
        for (section, _, most, file) in SINKS {
            let (most, file) = (self.of(most), self.of(file));
            text.push_str(&format!(
                "[{section}]\nsink = \"file\"\nmax_bytes = {most}\nrotate_bytes = {file}\n"
            ));
            if section == "raw" {
                text.push_str(&format!("retention_s = {retention_s}\n"));
            }
        }
        text
    }

    fn of(self, kib: u64) -> u64 {
        self.0 * (kib << 10)
    }

    /// Of the journal alone.
    pub(crate) fn journal(self) -> u64 {
        self.of(JOURNAL.0)
    }

    /// Every directory that has a bound, with it: while its sinks write, or at rest.
    pub(crate) fn all(self, at_rest: bool) -> Vec<(&'static str, u64)> {
        let batch = if at_rest { 0 } else { BATCH };
        let mut all: Vec<_> =
            SINKS.iter().map(|(_, name, most, _)| (*name, self.of(*most) + batch)).collect();
        // The reserve is of a segment and a checkpoint, for what is not a fill; a checkpoint is less than a segment here.
        all.push(("journal", self.journal() + if at_rest { 0 } else { 2 * self.of(JOURNAL.1) }));
        let together = all.iter().map(|(_, most)| most).sum::<u64>() + REST;
        all.push(("", together));
        all
    }
}

/// Bytes below a directory; what is deleted meanwhile does not count.
pub(crate) fn size(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else { return 0 };
    let of = |entry: std::io::Result<std::fs::DirEntry>| {
        let entry = entry.ok()?;
        let found = entry.metadata().ok()?;
        Some(if found.is_dir() { size(&entry.path()) } else { found.len() })
    };
    entries.filter_map(of).sum()
}
