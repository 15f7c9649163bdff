//! The judge: it knows the journal and the files, nothing of the sink.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::Judged;
use crate::day::{Day, ROTATE};
use crate::sink_support::{numbers, read_stored, truth};

impl Day {
    /// What is in the files is in the journal, also after power loss.
    pub(super) fn no_line_without_record(&self) -> Judged {
        let known: Vec<u64> = truth(self.journal(), 0).into_iter().map(|(_, number)| number).collect();
        let lines = read_stored(Arc::new(self.rig.disk.clone()), "lines")?;
        match numbers(&lines).into_iter().find(|number| known.binary_search(number).is_err()) {
            Some(number) => Err(format!("line {number} has no durable record")),
            None => Ok(()),
        }
    }

    pub(super) fn judge(&self) -> Judged {
        let expected = truth(self.journal(), self.start.unwrap_or(0));
        let lines = read_stored(Arc::new(self.rig.disk.clone()), "lines")?;
        let found = numbers(&lines);
        let wanted: Vec<u64> = expected.iter().map(|(_, number)| *number).collect();
        let kept = if self.deleted { wanted.len().saturating_sub(found.len()) } else { 0 };
        if found != wanted[kept..] {
            return Err(difference(&found, &wanted[kept..]));
        }
        let positions: BTreeMap<u64, u64> =
            expected.into_iter().map(|(position, number)| (number, position)).collect();
        let mut sizes: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
        for (file, offset, number) in &lines {
            if *offset == 0 && positions.get(number) != Some(file) {
                return Err(format!("file {file} begins with the line of {:?}", positions.get(number)));
            }
            let size = self.rig.disk.size_of(&format!("lines/{file:020}.ndjson")).unwrap();
            let entry = sizes.entry(*file).or_insert((size, 0));
            entry.1 += 1;
        }
        if let Some((file, size)) = sizes.iter().find(|(_, (bytes, count))| *bytes > ROTATE && *count > 1) {
            return Err(format!("file {file} is over its size: {size:?}"));
        }
        let total: u64 = sizes.values().map(|(bytes, _)| bytes).sum();
        let newest = sizes.last_key_value().map_or(0, |(_, (bytes, _))| *bytes);
        if total > self.max_bytes.max(newest) {
            return Err(format!("{total} bytes stored, {} allowed", self.max_bytes));
        }
        if self.deleted && total + ROTATE.max(2_100) < self.max_bytes {
            return Err(format!("only {total} bytes kept of {}", self.max_bytes));
        }
        Ok(())
    }
}

/// What is missing, double or out of order, in a few words.
fn difference(found: &[u64], wanted: &[u64]) -> String {
    let missing: Vec<_> = wanted.iter().filter(|number| !found.contains(number)).collect();
    let surplus: Vec<_> = found.iter().filter(|number| !wanted.contains(number)).collect();
    let mut seen = BTreeSet::new();
    let double: Vec<_> = found.iter().filter(|number| !seen.insert(**number)).collect();
    let back: Vec<_> = found.windows(2).filter(|pair| pair[0] >= pair[1]).collect();
    format!("missing {missing:?}, surplus {surplus:?}, double {double:?}, out of order {back:?}")
}
