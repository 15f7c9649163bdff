//! What of a journal cannot be read, and whether what it held of signals is declared.
//!
//! Pure: fed what a reader meets on its way. A hole is declared when the journal says further on that the sink of the signals passed
//! it: in front of that stand gap records of every influencer and market that lost signals in it. A hole that appears behind a sink
//! that had read what lay there is declared by nobody, and so is one that no sink has come to yet.

use std::fmt;

use serde::Serialize;

/// A part of a segment.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "part")]
pub enum Part {
    /// Its header; nothing is lost by it.
    Header,
    /// Its checkpoint; nothing is lost by it as long as another one can be read.
    Checkpoint,
    /// Records.
    Records {
        /// Where in the file that begins.
        offset: u64,
        /// The first position.
        from: u64,
        /// The position behind the last.
        to: u64,
    },
}

/// A part of the journal that cannot be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Unreadable {
    /// The segment's first position, which is its file's name.
    pub segment: u64,
    /// What of it.
    #[serde(flatten)]
    pub part: Part,
    /// Whether the signals in it are declared.
    pub declared: bool,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Holes {
    parts: Vec<(u64, Part)>,
    passed: Vec<(u64, u64)>,
    begins: Option<u64>,
}

impl Holes {
    /// The next record of the journal is there and has this position.
    pub fn record(&mut self, position: u64) {
        self.begins.get_or_insert(position);
    }

    /// Whether every record from this position on is there, and was when the sink of the signals came by.
    #[must_use]
    pub fn is_whole_from(&self, position: u64) -> bool {
        self.parts.is_empty()
            && self.passed.is_empty()
            && self.begins.is_some_and(|begins| begins <= position)
    }

    /// A part cannot be read.
    pub fn unreadable(&mut self, segment: u64, part: Part) {
        self.parts.push((segment, part));
    }

    /// The journal says that the sink of the signals passed these positions, the last one not included.
    pub fn passed(&mut self, from: u64, to: u64) {
        self.passed.push((from, to));
    }

    /// What cannot be read, in the order in which it was met.
    #[must_use]
    pub fn finish(mut self) -> Vec<Unreadable> {
        self.passed.sort_unstable();
        // A sink may pass a hole in pieces.
        self.passed.dedup_by(|next, before| {
            let touches = next.0 <= before.1;
            if touches {
                before.1 = before.1.max(next.1);
            }
            touches
        });
        let declared = |part: &Part| match *part {
            Part::Header | Part::Checkpoint => false,
            Part::Records { from, to, .. } => {
                let behind = self.passed.partition_point(|passed| passed.0 <= from);
                self.passed.get(..behind).and_then(<[_]>::last).is_some_and(|passed| to <= passed.1)
            }
        };
        let parts = self.parts.iter();
        parts.map(|&(segment, part)| Unreadable { segment, part, declared: declared(&part) }).collect()
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header => f.write_str("the header"),
            Self::Checkpoint => f.write_str("the checkpoint"),
            Self::Records { offset, from, to } => write!(f, "positions {from} to {to} at offset {offset}"),
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "unreadable: {} of segment {}", self.part, self.segment)?;
        match (self.part, self.declared) {
            (Part::Records { .. }, true) => f.write_str("; the signals in it are declared"),
            (Part::Records { .. }, false) => f.write_str("; no sink has declared it"),
            (Part::Header | Part::Checkpoint, _) => f.write_str("; its records are read all the same"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(from: u64, to: u64, passed: &[(u64, u64)]) -> bool {
        let mut holes = Holes::default();
        holes.unreadable(1, Part::Records { offset: 64, from, to });
        passed.iter().for_each(|(from, to)| holes.passed(*from, *to));
        holes.finish()[0].declared
    }

    #[test]
    fn a_hole_is_declared_where_its_sink_passed_all_of_it() {
        assert!(declared(10, 20, &[(10, 20)]));
        assert!(declared(10, 20, &[(15, 30), (2, 3), (5, 15)]), "in pieces, in any order");
        for passed in [&[] as &[(u64, u64)], &[(11, 20)], &[(10, 19)], &[(10, 14), (15, 20)], &[(20, 30)]] {
            assert!(!declared(10, 20, passed), "{passed:?}");
        }
    }

    #[test]
    fn a_journal_is_whole_where_all_is_there_and_always_was() {
        let journal = |with: &dyn Fn(&mut Holes)| {
            let mut holes = Holes::default();
            with(&mut holes);
            holes.record(10);
            holes.record(20);
            holes
        };
        let whole = journal(&|_| {});
        assert!(whole.is_whole_from(10) && whole.is_whole_from(15));
        assert!(!whole.is_whole_from(9), "what was before is deleted");
        assert!(!Holes::default().is_whole_from(9));
        assert!(!journal(&|holes| holes.passed(1, 2)).is_whole_from(15));
        assert!(!journal(&|holes| holes.unreadable(10, Part::Header)).is_whole_from(15));
    }

    #[test]
    fn the_front_of_a_segment_is_declared_by_nobody() {
        let mut holes = Holes::default();
        holes.unreadable(10, Part::Checkpoint);
        holes.passed(0, u64::MAX);
        let parts = holes.finish();
        assert!(!parts[0].declared);
        let json = serde_json::to_value(parts).expect("plain fields");
        assert_eq!(json, serde_json::json!([{ "segment": 10, "part": "checkpoint", "declared": false }]));
    }
}
