//! What an audit found.

use serde::Serialize;

use super::Entry;

/// Findings kept with their words; all are counted.
const FINDINGS_MAX: usize = 10_000;

/// The counts, and the findings by name.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Signals read.
    pub signals: u64,
    /// Ids that came again.
    pub duplicates: u64,
    /// Breaks of time, epoch or numbering.
    pub order_breaks: u64,
    /// Positions that do not follow, declared or not.
    pub chain_breaks: u64,
    /// Gaps on record that are not repaired.
    pub declared_gaps: u64,
    /// Chain breaks that no gap record explains.
    pub undeclared: u64,
    /// The findings, at most 10,000 of them.
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
}

impl Report {
    /// Whether the log keeps its promises; with `strict`, whether nothing at all is missing.
    #[must_use]
    pub const fn clean(&self, strict: bool) -> bool {
        self.duplicates == 0
            && self.order_breaks == 0
            && self.undeclared == 0
            && (!strict || self.declared_gaps == 0)
    }

    pub(super) fn find(&mut self, entry: &Entry, finding: String) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding {
                influencer_id: entry.key.0.clone(),
                market: entry.key.1.clone(),
                timestamp: entry.time,
                source_event_id: entry.source_event_id.clone(),
                finding,
            });
        }
    }
}
