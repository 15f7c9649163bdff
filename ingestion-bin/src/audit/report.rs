//! What an audit found.

use serde::Serialize;

use super::{Against, Entry, Holes, Unreadable};

/// Findings kept with their words; all are counted.
const FINDINGS_MAX: usize = 10_000;

/// The counts, and the findings by name.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Signals read; of a file of fills, its fills.
    pub signals: u64,
    /// Signals whose position could be compared with the one before of their influencer and market.
    pub pairs: u64,
    /// Ids that came again.
    pub duplicates: u64,
    /// Of a topic: signals that came again with the same content, as at-least-once delivery allows.
    pub repeats: u64,
    /// Of a topic: signals it refused for good; they are dead letters.
    pub refused: u64,
    /// Of those: how many are in the topic by now, sent again by hand.
    pub redriven: u64,
    /// Of a topic: signals that it had lost, and that it has again, sent by `topics resend`.
    pub resent: u64,
    /// Breaks of time, epoch or numbering.
    pub order_breaks: u64,
    /// Positions that do not follow, declared or not.
    pub chain_breaks: u64,
    /// Gaps on record that are not repaired.
    pub declared_gaps: u64,
    /// Chain breaks that no gap record explains.
    pub undeclared: u64,
    /// Signals of the journal that were written into the log and are not there any more, although they were not the oldest.
    pub lost: u64,
    /// Parts of the journal that cannot be read.
    pub unreadable: u64,
    /// Those of them whose signals are declared.
    pub unreadable_declared: u64,
    /// There is no journal: what the files say was audited, and nothing beside it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub without_journal: bool,
    /// Those parts, at most 10,000 of them.
    pub unreadable_parts: Vec<Unreadable>,
    /// The log beside the venue's own history, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub against_info: Option<Against>,
    /// The findings and the declared chain breaks, at most 10,000 of them.
    pub findings: Vec<Finding>,
}

/// One finding.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// Influencer.
    pub influencer_id: String,
    /// Market.
    pub market: String,
    /// Venue time, ms.
    pub timestamp: i64,
    /// The event.
    pub source_event_id: String,
    /// What is wrong.
    pub finding: String,
    /// Of a chain break: the gap record that declares it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap_id: Option<String>,
}

impl Report {
    /// Whether the log keeps its promises; with `strict`, whether nothing at all is missing.
    #[must_use]
    pub fn clean(&self, strict: bool) -> bool {
        self.against_info.as_ref().is_none_or(|against| against.clean(strict))
            && self.duplicates == 0
            && self.order_breaks == 0
            && self.undeclared == 0
            && self.lost == 0
            && self.unreadable == self.unreadable_declared
            && (!strict || (self.declared_gaps == 0 && self.unreadable == 0))
    }

    /// Takes what of the journal cannot be read.
    pub fn journal(&mut self, holes: Holes) {
        let mut parts = holes.finish();
        self.unreadable = parts.len() as u64;
        self.unreadable_declared = parts.iter().filter(|part| part.declared).count() as u64;
        parts.truncate(FINDINGS_MAX);
        self.unreadable_parts = parts;
    }

    /// Adds a finding, while there is room for its words.
    pub fn name(&mut self, finding: impl FnOnce() -> Finding) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(finding());
        }
    }

    pub(super) fn find(&mut self, entry: &Entry, finding: String) {
        self.name(|| Finding::of(entry, finding, None));
    }
}

impl Finding {
    pub(super) fn of(entry: &Entry, finding: String, gap_id: Option<String>) -> Self {
        Self {
            influencer_id: entry.key.0.clone(),
            market: entry.key.1.clone(),
            timestamp: entry.time,
            source_event_id: entry.source_event_id.clone(),
            finding,
            gap_id,
        }
    }
}
