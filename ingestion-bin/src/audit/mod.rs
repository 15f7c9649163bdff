//! The audit of a signal log: duplicates, order, numbering, chain, and whether every break was declared.
//!
//! Pure: fed one signal after the other in the order of the log, told the gap records, asked for the report. It trusts nothing
//! of the writer's state; it only knows the published rules. Positions are the caller's, already rounded as positions are.

mod chain;
mod report;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashSet};

pub use chain::{Chain, Link};
pub use report::{Finding, Report};
use rust_decimal::Decimal;

/// What the audit needs of one signal.
#[derive(Clone, Debug)]
pub struct Entry {
    /// `signalId`.
    pub signal_id: String,
    /// `influencerId` and `market`.
    pub key: (String, String),
    /// `epoch`.
    pub epoch: u64,
    /// `seq`.
    pub seq: u64,
    /// `timestamp`, venue ms.
    pub time: i64,
    /// Position before; `None` where the market has no strict chain.
    pub before: Option<Decimal>,
    /// Position after.
    pub after: Decimal,
    /// `late`.
    pub late: bool,
    /// `gapId` is there.
    pub gap_id: Option<String>,
    /// `sourceEventId`, to name it in findings.
    pub source_event_id: String,
}

/// What the audit remembers of one influencer and market.
#[derive(Debug, Default)]
struct Market {
    epoch: u64,
    seq: u64,
    chain: Chain,
    time: i64,
    seen: bool,
}

/// The audit in progress.
#[derive(Debug, Default)]
pub struct Audit {
    ids: HashSet<String>,
    markets: BTreeMap<(String, String), Market>,
    gaps: BTreeMap<String, String>,
    report: Report,
}

impl Audit {
    /// Takes a gap record: its id and its state (`opened`, `repaired`, `unfillable`, `reset`). The last one counts.
    pub fn gap(&mut self, gap_id: &str, state: &str) {
        if state != "reset" {
            self.gaps.insert(gap_id.to_owned(), state.to_owned());
        }
    }

    /// Takes the next signal of the log.
    pub fn signal(&mut self, entry: &Entry) {
        self.report.signals += 1;
        if !self.ids.insert(entry.signal_id.clone()) {
            self.report.duplicates += 1;
            self.report.find(entry, "the same signalId again".to_owned());
            return;
        }
        let market = self.markets.entry(entry.key.clone()).or_default();
        if !market.seen || entry.epoch > market.epoch {
            if entry.seq != 1 {
                self.report.order_breaks += 1;
                self.report.find(entry, format!("epoch {} begins with seq {}", entry.epoch, entry.seq));
            }
        } else if entry.epoch < market.epoch {
            self.report.order_breaks += 1;
            self.report.find(entry, format!("epoch {} after epoch {}", entry.epoch, market.epoch));
        } else if entry.seq != market.seq + 1 {
            self.report.order_breaks += 1;
            self.report.find(entry, format!("seq {} after seq {}", entry.seq, market.seq));
        }
        (market.epoch, market.seq, market.seen) = (entry.epoch, entry.seq, true);
        if entry.late {
            return;
        }
        if entry.time < market.time {
            self.report.order_breaks += 1;
            self.report.find(entry, format!("time {} after {} and not late", entry.time, market.time));
        }
        market.time = entry.time;
        let Some(before) = entry.before else { return };
        let link = market.chain.follow(before, entry.after);
        self.report.pairs += u64::from(link != Link::First);
        if let Link::Broken { expected } = link {
            self.report.chain_breaks += 1;
            let declared = entry.gap_id.clone().filter(|id| self.gaps.contains_key(id));
            let finding = match &declared {
                Some(gap) => format!("position {before}, but {expected} was left; declared by gap {gap}"),
                None => format!("position {before}, but {expected} was left; no gap says why"),
            };
            self.report.undeclared += u64::from(declared.is_none());
            self.report.name(|| Finding::of(entry, finding, declared));
        }
    }

    /// Ends the audit.
    #[must_use]
    pub fn finish(mut self) -> Report {
        let open = self.gaps.values().filter(|state| *state != "repaired").count();
        self.report.declared_gaps = u64::try_from(open).unwrap_or(u64::MAX);
        self.report
    }
}
