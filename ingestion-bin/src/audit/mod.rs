//! The audit of a signal log: duplicates, order, numbering, chain, and whether every break was declared.
//!
//! Pure: fed one signal after the other in the order of the log, told the gap records, asked for the report. It trusts nothing
//! of the writer's state; it only knows the published rules. Positions are the caller's, already rounded as positions are.

mod against;
mod chain;
mod holes;
mod report;
#[cfg(test)]
mod tests;
mod timeline;

use std::collections::{BTreeMap, HashSet};

pub use against::{Against, Beside, Logged, Window};
pub use chain::{Chain, Link};
pub use holes::{Holes, Part, Unreadable};
pub use report::{Finding, Report};
use rust_decimal::Decimal;
pub use timeline::{HistoryRow, Told, timeline};

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

/// What the audit needs of one gap record.
#[derive(Clone, Debug)]
pub struct Declared {
    /// `gapId`.
    pub gap_id: String,
    /// `influencerId`.
    pub influencer_id: String,
    /// `market`; `None`: all of the influencer's.
    pub market: Option<String>,
    /// `kind`.
    pub kind: String,
    /// `state`.
    pub state: String,
    /// `fromTime` and `toTime`, venue ms.
    pub span: (i64, i64),
}

/// What the audit remembers of one influencer and market.
#[derive(Debug, Default)]
struct Market {
    epoch: u64,
    seq: u64,
    chain: Chain,
    /// The newest signal's event, and the chain before it: a correction of it takes its place.
    newest: (String, Chain),
    time: i64,
    seen: bool,
}

/// The audit in progress.
#[derive(Debug, Default)]
pub struct Audit {
    ids: HashSet<String>,
    markets: BTreeMap<(String, String), Market>,
    gaps: BTreeMap<String, Declared>,
    /// `history` gaps by influencer and market. Only what a sink lost is one of a single market: the venue's history is one for all.
    lost: BTreeMap<(String, Option<String>), Vec<Declared>>,
    older_deleted: bool,
    older_gaps_deleted: bool,
    journal_is_whole: bool,
    /// The first epoch in the log, by influencer.
    began: BTreeMap<String, u64>,
    /// What a topic refused, by market, epoch and number: kept as dead letters.
    refused: BTreeMap<((String, String), u64, u64), Entry>,
    /// Ids of those of them that the log has not shown (yet).
    absent: HashSet<String>,
    /// Ids of signals that the log has lost once, and that were sent to it again.
    resent: HashSet<String>,
    report: Report,
}

impl Audit {
    /// Older parts of the log were deleted: what was numbered before its first line is not missed.
    pub fn older_deleted(&mut self) {
        self.older_deleted = true;
    }

    /// Older gap records were deleted: a gap that a signal names may have been one of them.
    pub fn older_gaps_deleted(&mut self) {
        self.older_gaps_deleted = true;
    }

    /// The journal from which the log was made has all its records: no sink ever had to pass any, so no number may be missing.
    pub fn journal_is_whole(&mut self) {
        self.journal_is_whole = true;
    }

    /// Takes a gap record. The last one of an id counts.
    pub fn gap(&mut self, gap: Declared) {
        if gap.state == "reset" {
            return;
        }
        if gap.kind == "history" {
            let key = (gap.influencer_id.clone(), gap.market.clone());
            let lost = self.lost.entry(key).or_default();
            lost.retain(|known| known.gap_id != gap.gap_id);
            lost.push(gap.clone());
        }
        self.gaps.insert(gap.gap_id.clone(), gap);
    }

    /// Takes a signal that the log's topic refused and that is a dead letter, before any of the log: its number and its step of the chain
    /// count as if it were there. It may come all the same, at any place behind: sent again by hand.
    pub fn refused(&mut self, entry: Entry) {
        // A record that is refused twice has two letters.
        if self.absent.insert(entry.signal_id.clone()) {
            self.report.refused += 1;
            self.refused.insert((entry.key.clone(), entry.epoch, entry.seq), entry);
        }
    }

    /// Takes a signal that the log had lost and that was sent to it again, before any of the log: likewise it may come at any place.
    pub fn resent(&mut self, entry: Entry) {
        self.resent.insert(entry.signal_id.clone());
        if self.absent.insert(entry.signal_id.clone()) {
            self.refused.insert((entry.key.clone(), entry.epoch, entry.seq), entry);
        }
    }

    /// A signal came again, with the same content: at-least-once delivery may do that.
    pub fn repeated(&mut self) {
        self.report.repeats += 1;
    }

    /// Takes the next signal of the log.
    pub fn signal(&mut self, entry: &Entry) {
        self.report.signals += 1;
        if self.absent.remove(&entry.signal_id) {
            let is_resent = self.resent.contains(&entry.signal_id);
            *(if is_resent { &mut self.report.resent } else { &mut self.report.redriven }) += 1;
            // Its letter took its place.
            if self.ids.contains(&entry.signal_id) {
                return;
            }
        }
        while let Some(refused) = self.refused_before(entry) {
            self.take(&refused);
        }
        self.take(entry);
    }

    /// The next of those that were refused in front of this one.
    fn refused_before(&mut self, entry: &Entry) -> Option<Entry> {
        if self.refused.is_empty() {
            return None;
        }
        let market = self.markets.get(&entry.key).filter(|market| market.seen);
        let next = market.map(|market| (market.epoch, market.seq + 1));
        let ahead = next.filter(|&next| next < (entry.epoch, entry.seq));
        let first = Some((entry.epoch, 1)).filter(|_| next.is_none_or(|(epoch, _)| epoch < entry.epoch));
        let first = first.filter(|_| entry.seq > 1);
        let mut take = |(epoch, seq)| self.refused.remove(&(entry.key.clone(), epoch, seq));
        ahead.and_then(&mut take).or_else(|| first.and_then(&mut take))
    }

    fn take(&mut self, entry: &Entry) {
        if !self.ids.insert(entry.signal_id.clone()) {
            self.report.duplicates += 1;
            self.report.find(entry, "the same signalId again".to_owned());
            return;
        }
        let market = self.markets.entry(entry.key.clone()).or_default();
        let began = *self.began.entry(entry.key.0.clone()).or_insert(entry.epoch);
        // An epoch that began inside the log is there from its first number on.
        let cut_off = self.older_deleted && !market.seen && entry.epoch == began;
        let follows = if market.seen && entry.epoch == market.epoch { market.seq + 1 } else { 1 };
        let may_jump = entry.seq > follows && !self.journal_is_whole;
        let lost = lost_before(&self.lost, entry, market, may_jump);
        let begins_anew = market.seen && entry.epoch > market.epoch;
        // What was lost while nobody was followed, or with a journal, breaks no numbering: the next epoch begins at 1.
        let untold = if begins_anew { lost_before(&self.lost, entry, market, true) } else { lost.clone() };
        if !market.seen || entry.epoch > market.epoch {
            if entry.seq != 1 && lost.is_none() && !cut_off {
                self.report.order_breaks += 1;
                self.report.find(entry, format!("epoch {} begins with seq {}", entry.epoch, entry.seq));
            }
        } else if entry.epoch < market.epoch {
            self.report.order_breaks += 1;
            self.report.find(entry, format!("epoch {} after epoch {}", entry.epoch, market.epoch));
        } else if entry.seq != market.seq + 1 && !(entry.seq > market.seq && lost.is_some()) {
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
        if market.newest.0 == entry.source_event_id {
            market.chain = market.newest.1;
        }
        market.newest = (entry.source_event_id.clone(), market.chain);
        let link = market.chain.follow(before, entry.after);
        self.report.pairs += u64::from(link != Link::First);
        if let Link::Broken { expected } = link {
            self.report.chain_breaks += 1;
            let named = entry.gap_id.clone();
            let named = named.filter(|id| self.older_gaps_deleted || self.gaps.contains_key(id));
            let declared = named.or(untold);
            let finding = match &declared {
                Some(gap) => format!("position {before}, but {expected} was left; declared by gap {gap}"),
                None => format!("position {before}, but {expected} was left; no gap says why"),
            };
            self.report.undeclared += u64::from(declared.is_none());
            self.report.name(|| Finding::of(entry, finding, declared));
        }
    }

    /// Takes a signal that the journal has and that was written into the log, once all of the log was taken.
    pub fn written(&mut self, entry: &Entry) {
        let is_refused = self.refused.contains_key(&(entry.key.clone(), entry.epoch, entry.seq));
        let is_there = match self.resent.contains(&entry.signal_id) {
            true => !self.absent.contains(&entry.signal_id),
            false => self.ids.contains(&entry.signal_id) || is_refused,
        };
        if !is_there {
            self.report.lost += 1;
            self.report
                .find(entry, "it was written, and is in the journal, and is not in the log".to_owned());
        }
    }

    /// Ends the audit.
    #[must_use]
    pub fn finish(mut self) -> Report {
        let open = self.gaps.values().filter(|gap| gap.state != "repaired").count();
        self.report.declared_gaps = u64::try_from(open).unwrap_or(u64::MAX);
        self.report
    }
}

/// The gap that says that signals between the last one and this one never reached the log. Signals behind lost ones cannot name it
/// themselves: they were written before the loss was known.
///
/// A gap of all markets says so only where it is asked for (`all_markets`): what the venue's history does not tell breaks no numbering, so
/// of numbers it says so only where they jump and may.
fn lost_before(
    lost: &BTreeMap<(String, Option<String>), Vec<Declared>>,
    entry: &Entry,
    market: &Market,
    all_markets: bool,
) -> Option<String> {
    if lost.is_empty() {
        return None;
    }
    let since = if market.seen { market.time } else { i64::MIN };
    let between = |gap: &&Declared| since <= gap.span.1 && (entry.late || gap.span.0 <= entry.time);
    let of =
        |market: Option<&String>| lost.get(&(entry.key.0.clone(), market.cloned())).into_iter().flatten();
    let wide = of(None).filter(|_| all_markets);
    of(Some(&entry.key.1)).chain(wide).find(between).map(|gap| gap.gap_id.clone())
}
