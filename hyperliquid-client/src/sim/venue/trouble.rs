//! Scripted faults that befall the whole venue or its sockets when their time comes. Those that befall single frames
//! and answers are asked for where these are made (`push.rs`, `info.rs`).

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::fault::{Due, FaultSpec, Injection, Moment, injection};
use super::Venue;
use super::outbox::{ConnId, Out};

impl Venue {
    /// Whether a new TCP connection is cut at once.
    pub(in crate::sim) fn is_down(&self, now: Duration) -> bool {
        self.faults.outage(now)
    }

    /// Takes a fault into force now.
    pub(in crate::sim) fn add_fault(&mut self, spec: FaultSpec, now: Duration) {
        self.faults.add(spec, now);
        self.handle_timeout(now);
    }

    /// Ends all faults; limits and caps they changed stay as they are.
    pub(in crate::sim) fn clear_faults(&mut self) {
        self.faults.clear();
        self.in_outage = false;
    }

    pub(in crate::sim) fn fault_counts(&self) -> BTreeMap<&'static str, u64> {
        self.faults.counts().clone()
    }

    pub(super) fn apply_outage(&mut self, now: Duration) {
        let down = self.faults.outage(now);
        if down && !self.in_outage {
            self.faults.applied("outage");
            self.close_all(None, &Out::Abort, now);
        }
        self.in_outage = down;
    }

    pub(super) fn apply(&mut self, due: &Due, now: Duration) {
        let targets: Vec<ConnId> = self.ids().into_iter().filter(|id| due.reaches(*id)).collect();
        match &due.moment {
            Moment::Inject(kind) => return self.apply_injection(due, *kind, &targets, now),
            Moment::CloseOne => {
                let next = targets.iter().find(|id| **id > self.next_close).or_else(|| targets.first());
                let Some(id) = next.copied() else { return };
                self.next_close = id;
                self.close(id, Out::Close(1000, ""), now);
            }
            Moment::CloseAll(_) if targets.is_empty() => return self.faults.retry(due, now),
            Moment::CloseAll(code) => {
                for id in targets {
                    let how = if *code == 1006 { Out::Abort } else { Out::Close(*code, "") };
                    self.close(id, how, now);
                }
            }
            Moment::TooManyUsers(n) => self.config.limits.users = *n,
            Moment::Limit(limit, n) => {
                self.config.limits.set(limit, *n);
            }
            // The next three are counted where they bite: per row, per page.
            Moment::InfoLag(lag) => {
                (self.config.index_lag, self.lag_is_fault) = ((Duration::ZERO, *lag), true);
                return;
            }
            Moment::PageCap(rows) => {
                (self.config.page_cap, self.cap_is_fault) = (*rows, true);
                return;
            }
            Moment::TwapPageCap(rows) => {
                (self.config.twap_page_cap, self.twap_cap_is_fault) = (*rows, true);
                return;
            }
            Moment::Retention(rows) => {
                self.config.retention = *rows;
                self.book.set_retention(*rows);
            }
        }
        self.faults.applied(due.moment.name());
    }

    /// Sends a frame of nonsense to every target that follows somebody; waits for one where there is none.
    fn apply_injection(&mut self, due: &Due, kind: Injection, targets: &[ConnId], now: Duration) {
        let time = self.status.venue_time;
        let mut hit = false;
        for id in targets.iter().copied().filter(|id| self.follows_someone(*id)).collect::<Vec<_>>() {
            let out = match (kind, injection(kind, time, self.faults.rng())) {
                (Injection::PingFlood(n), _) => Out::Pings(n),
                (_, bytes) => Out::Bytes(bytes.unwrap_or_default().into()),
            };
            self.outbox.push(id, out, now);
            self.faults.applied(due.moment.name());
            hit = true;
        }
        if !hit {
            self.faults.retry(due, now);
        }
    }
}
