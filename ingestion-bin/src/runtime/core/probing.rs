//! Listeners watched: what their frames say of how late they are, probes of the labels, and what `/status` shows of each.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use hyperliquid_client::io::Received;
use serde::Serialize;

use super::Core;
use super::frames::From;
use super::lines::{Line, Stand};
use super::primary::Why;
use crate::runtime::events::{Failover, Reconnected, Rotated};

/// Further apart than this, our wall clock and the venue's do not measure a delay.
const CLOCKS_APART_MS: i64 = 600_000;

/// One listener of a cell.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerStatus {
    /// As in the log: `a` and `b` of the first cell, `a2` and `b2` of the second.
    pub name: String,
    /// The endpoint it listens at, with the egress where there are several.
    pub endpoint: String,
    /// Whether its connection is open.
    pub connected: bool,
    /// `primary` or `secondary`.
    pub role: &'static str,
    /// How much later than the first copy it shows events: the middle of its newest frames, or how long it owes one. `None`: not connected.
    pub lag_ms: Option<u64>,
    /// The same of the latest of these.
    pub skew_ms: Option<u64>,
    /// How much later than the venue's time events come, by our wall clock; `None` where the two clocks are too far apart.
    pub venue_lag_ms: Option<u64>,
    /// How often it lost the label because it was late or down.
    pub failovers: u64,
    /// Connections after the first one.
    pub reconnects: u64,
    /// How old its connection is. `None`: not connected.
    pub age_seconds: Option<u64>,
}

/// Something of every listener with one role.
#[derive(Clone, Copy, Debug, Default)]
struct Worst {
    connected: usize,
    lag: Duration,
    skew: Duration,
}

impl Core {
    /// What a live frame of an account's rows tells of the listeners that carry it.
    pub(super) fn measure(&mut self, from: From, account: [u8; 20], newest: Option<i64>, at: Received) {
        let Some((slot, line)) = self.slots.get(&account).zip(self.lines.get(&from.line)) else { return };
        if line.stand != Stand::Serves {
            return;
        }
        let Some(cell) = self.primaries.get_mut(&line.cell) else { return };
        let showing = slot.machine.showing();
        let Some(leg) = cell.leg_mut(line.leg) else { return };
        match showing.behind {
            Some(behind) => leg.showed_copy(behind, at.at),
            None if showing.first => leg.showed_first(),
            None => return,
        }
        let received_ms = i64::try_from(at.unix_ns / 1_000_000).unwrap_or(i64::MAX);
        let delay = newest.map(|time| received_ms.saturating_sub(time));
        if let Some(delay) = delay.filter(|delay| delay.abs() <= CLOCKS_APART_MS) {
            leg.came_after(Duration::from_millis(delay.max(0).unsigned_abs()));
        }
        if showing.first {
            let others = slot.seats.iter().filter(|(_, other)| **other != from.line);
            for (_, other) in others.filter(|(seat, _)| slot.machine.is_live_on(**seat)) {
                let Some(other) = self.lines.get(other).filter(|other| other.stand == Stand::Serves) else {
                    continue;
                };
                if let Some(leg) =
                    self.primaries.get_mut(&other.cell).and_then(|cell| cell.leg_mut(other.leg))
                {
                    leg.owes(at.at);
                }
            }
        }
    }

    /// A listener has a new connection.
    pub(super) fn begin_measuring(&mut self, line: usize) {
        let Some(line) = self.lines.get(&line).filter(|line| line.stand == Stand::Serves) else { return };
        let Some(cell) = self.primaries.get_mut(&line.cell) else { return };
        let role = role(cell.is_holder(line.leg));
        let Some(leg) = cell.leg_mut(line.leg) else { return };
        leg.begin_anew();
        leg.connections += 1;
        if leg.connections > 1 {
            self.telemetry.emit(&Reconnected { listener: &line.name, role });
        }
    }

    /// Probes are due at this instant; never where nobody listens.
    pub(super) fn probe_due(&self) -> Option<Instant> {
        self.probe_at.filter(|_| !self.primaries.is_empty())
    }

    /// Looks at the listeners of every cell, where it is time.
    pub(super) fn handle_probes(&mut self, now: Instant) {
        if self.probe_due().is_none_or(|at| at > now) {
            return;
        }
        let config = self.config.primary;
        self.probe_at = Some(now + config.probe_interval);
        self.compare_clocks(now);
        let delivering = self.delivering();
        for (cell, lines) in self.cells() {
            let listener = |leg: usize| {
                let line = |number: &usize| self.lines.get(number).filter(|line| line.leg == leg);
                lines.iter().find_map(|number| Some((*number, line(number)?)))
            };
            let is_live = |leg: usize| listener(leg).is_some_and(|(number, _)| delivering.contains(&number));
            let Some(moved) =
                self.primaries.get_mut(&cell).and_then(|primary| primary.probe(&config, is_live, now))
            else {
                continue;
            };
            let name = |leg: usize| listener(leg).map_or("", |(_, line)| line.name.as_str());
            let (from, to) = (name(moved.from), name(moved.to));
            match moved.why {
                Why::Lag(by) => self.telemetry.emit(&Failover { from, to, reason: "lag", by: Some(by) }),
                Why::Down => self.telemetry.emit(&Failover { from, to, reason: "down", by: None }),
                Why::Turn => self.telemetry.emit(&Rotated { from, to }),
            }
        }
        self.show_roles(now);
    }

    /// Lines that are connected and show somebody live, or carry nobody.
    fn delivering(&self) -> BTreeSet<usize> {
        let (mut seated, mut live) = (BTreeSet::new(), BTreeSet::new());
        for slot in self.slots.values() {
            seated.extend(slot.seats.values().copied());
            let shown = slot.seats.iter().filter(|(seat, _)| slot.machine.is_live_on(**seat));
            live.extend(shown.map(|(_, line)| *line));
        }
        let delivers = |(number, line): (&usize, &Line)| {
            let is = line.connection.is_some() && (live.contains(number) || !seated.contains(number));
            is.then_some(*number)
        };
        self.lines.iter().filter_map(delivers).collect()
    }

    fn show_roles(&self, now: Instant) {
        let mut roles = [Worst::default(); 2];
        for line in self.lines.values() {
            let Some(cell) = self.primaries.get(&line.cell).filter(|_| line.stand == Stand::Serves) else {
                continue;
            };
            let [primary, secondary] = &mut roles;
            let worst = if cell.is_holder(line.leg) { primary } else { secondary };
            if let Some(leg) = cell.leg(line.leg).filter(|_| line.connection.is_some()) {
                worst.connected += 1;
                (worst.lag, worst.skew) = (worst.lag.max(leg.lag(now)), worst.skew.max(leg.skew(now)));
            }
        }
        for (meters, worst) in self.meters.roles.iter().zip(roles) {
            meters.connected.set_count(worst.connected);
            meters.lag.set(worst.lag.as_secs_f64());
            meters.skew.set(worst.skew.as_secs_f64());
        }
    }

    /// Every listener, those of the first cell first.
    pub(super) fn listener_status(&self, now: Instant) -> Vec<ListenerStatus> {
        let mut lines: Vec<&Line> = self.lines.values().filter(|line| line.stand == Stand::Serves).collect();
        lines.sort_by_key(|line| (line.cell, line.leg));
        let millis = |lag: Duration| u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
        let shown = |line: &Line| {
            let cell = self.primaries.get(&line.cell);
            let leg = cell.and_then(|cell| cell.leg(line.leg));
            let open = leg.filter(|_| line.connection.is_some());
            ListenerStatus {
                name: line.name.clone(),
                endpoint: self.config.endpoints.get(line.route).cloned().unwrap_or_default(),
                connected: line.connection.is_some(),
                role: role(cell.is_some_and(|cell| cell.is_holder(line.leg))),
                lag_ms: open.map(|leg| millis(leg.lag(now))),
                skew_ms: open.map(|leg| millis(leg.skew(now))),
                venue_lag_ms: open.and_then(|leg| leg.venue_lag().map(millis)),
                failovers: leg.map_or(0, |leg| leg.failovers),
                reconnects: leg.map_or(0, |leg| leg.connections.saturating_sub(1)),
                age_seconds: line.since.map(|since| now.saturating_duration_since(since).as_secs()),
            }
        };
        lines.into_iter().map(shown).collect()
    }
}

/// As labels of metrics; a listener that is not the primary is secondary, also where nobody is the primary yet.
pub(in crate::runtime) const ROLES: [&str; 2] = ["primary", "secondary"];

fn role(is_primary: bool) -> &'static str {
    let [primary, secondary] = ROLES;
    if is_primary { primary } else { secondary }
}
