//! What is counted without a log line: row by row where it happens, or set from the side.

use hyperliquid_client::decode::Frame;
use messaging::journal::Progress;
use messaging::sink::SinkStatus;
use observability::Telemetry;
use observability::event::failures;
#[cfg(feature = "kafka")]
use observability::metrics::Definition;
use observability::metrics::{Counter, Gauge};

#[cfg(feature = "kafka")]
use super::catalogue::{
    AUDIT_FOREIGN, AUDIT_LAG, AUDIT_SKIPPED, AUDITED, KAFKA_BROKERS, KAFKA_QUEUED, KAFKA_RETRIES,
    KAFKA_ROUND_TRIP, KAFKA_TIMEOUTS, NOT_AUDITABLE, SOCKET_TO_ACK,
};
use super::catalogue::{
    BLOCKED, CERTIFIED_BEHIND, COMPLETENESS, EVENTS, JOURNAL_BYTES, JOURNAL_FAILING, JOURNAL_NEARLY_FULL,
    JOURNAL_WANTS, LATE, LIST_REFUSED, LIST_STALE, LISTED, LISTENER_LAG, LISTENER_SKEW, MESSAGES, MISSING,
    OPEN, PASSED_OVER, ROWS, SHED_INFLUENCERS, SINK_LAG, SINK_LINES, SINK_REJECTED, WALL_CLOCK_AHEAD,
};
#[cfg(feature = "redis")]
use super::catalogue::{LEASED, SHARED_WAITING, SHARED_WRITTEN};
use crate::account::Fate;
use crate::completeness::Complete;
use crate::runtime::ListStatus;
use crate::runtime::core::{ROLES, WorkerStatus};

/// Handles of what happens per row: one atomic operation each.
pub(in crate::runtime) struct Meters {
    signal: Counter,
    baseline: Counter,
    filtered: Counter,
    no_change: Counter,
    shed: Counter,
    late: Counter,
    pub(in crate::runtime) passed_over: Counter,
    live_rows: Counter,
    snapshot_rows: Counter,
    pub(in crate::runtime) history_rows: Counter,
    pub(in crate::runtime) blocked: Gauge,
    pub(in crate::runtime) wall_ahead: Gauge,
    pub(in crate::runtime) roles: [RoleMeters; 2],
    messages: [Counter; 12],
}

/// Of the listeners of one role; see [`ROLES`].
pub(in crate::runtime) struct RoleMeters {
    pub(in crate::runtime) connected: Gauge,
    pub(in crate::runtime) lag: Gauge,
    pub(in crate::runtime) skew: Gauge,
}

/// In the order of [`Meters::message`].
const CHANNELS: [&str; 12] = [
    "fills",
    "twap_fills",
    "states",
    "user_events",
    "order_updates",
    "trades",
    "ack",
    "error",
    "pong",
    "post",
    "greeting",
    "unknown",
];

impl Meters {
    pub(in crate::runtime) fn new(telemetry: &Telemetry) -> Self {
        let metrics = telemetry.metrics();
        Self {
            signal: metrics.get(&EVENTS, ["signal"]),
            baseline: metrics.get(&EVENTS, ["baseline"]),
            filtered: metrics.get(&EVENTS, ["filtered"]),
            no_change: metrics.get(&EVENTS, ["no_change"]),
            shed: metrics.get(&EVENTS, ["shed"]),
            late: metrics.get(&LATE, []),
            passed_over: metrics.get(&PASSED_OVER, []),
            live_rows: metrics.get(&ROWS, ["live"]),
            snapshot_rows: metrics.get(&ROWS, ["snapshot"]),
            history_rows: metrics.get(&ROWS, ["history"]),
            blocked: metrics.get(&BLOCKED, []),
            wall_ahead: metrics.get(&WALL_CLOCK_AHEAD, []),
            roles: ROLES.map(|role| RoleMeters {
                connected: metrics.get(&OPEN, [role]),
                lag: metrics.get(&LISTENER_LAG, [role]),
                skew: metrics.get(&LISTENER_SKEW, [role]),
            }),
            messages: CHANNELS.map(|channel| metrics.get(&MESSAGES, [channel])),
        }
    }

    /// A message was decoded.
    pub(in crate::runtime) fn message(&self, frame: &Frame<'_>) {
        let channel = match frame {
            Frame::Fills(_) => 0,
            Frame::TwapFills(_) => 1,
            Frame::AllStates { .. } | Frame::State { .. } => 2,
            Frame::UserEvents(_) => 3,
            Frame::OrderUpdates(_) => 4,
            Frame::Trades(_) => 5,
            Frame::Ack { .. } => 6,
            Frame::VenueError(_) => 7,
            Frame::Pong => 8,
            Frame::Post { .. } => 9,
            Frame::Greeting(_) => 10,
            Frame::Unknown { .. } => 11,
        };
        if let Some(counter) = self.messages.get(channel) {
            counter.inc();
        }
    }

    pub(in crate::runtime) fn event(&self, fate: Fate, late: bool) {
        match fate {
            Fate::Signal => self.signal.inc(),
            Fate::Baseline => self.baseline.inc(),
            Fate::Filtered => self.filtered.inc(),
            Fate::NoChange => self.no_change.inc(),
            Fate::Shed => self.shed.inc(),
        }
        // Rows that make no signal are late for nobody.
        if late && fate == Fate::Signal {
            self.late.inc();
        }
    }

    pub(in crate::runtime) fn rows(&self, snapshot: bool, count: usize) {
        let counter = if snapshot { &self.snapshot_rows } else { &self.live_rows };
        counter.add(count as u64);
    }
}

/// Whose signals, or rows too, are held back.
pub(in crate::runtime) fn show_shedding(telemetry: &Telemetry, worker: &WorkerStatus) {
    for (shed, count) in [("signals", worker.shed_signals), ("rows", worker.shed_rows)] {
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        telemetry.metrics().get(&SHED_INFLUENCERS, [shed]).set(count as f64);
    }
}

/// How the list of influencers stands.
pub(in crate::runtime) fn show_list(telemetry: &Telemetry, list: &ListStatus) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    let (listed, refused) = (list.listed as f64, list.refused as f64);
    telemetry.metrics().get(&LISTED, []).set(listed);
    telemetry.metrics().get(&LIST_REFUSED, []).set(refused);
    telemetry.metrics().get(&LIST_STALE, []).set(f64::from(u8::from(list.stale.is_some())));
}

/// What the sinks and the journal count themselves, set from the side.
pub(in crate::runtime) fn show_sink(telemetry: &Telemetry, stream: &str, status: &SinkStatus) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; 2^53 lines are out of reach")]
    let [lag, lines, rejected] = [status.lag, status.tally.lines, status.tally.rejected].map(|n| n as f64);
    telemetry.metrics().get(&SINK_LAG, [stream]).set(lag);
    telemetry.metrics().get(&SINK_LINES, [stream]).set(lines);
    telemetry.metrics().get(&SINK_REJECTED, [stream]).set(rejected);
    failures(telemetry, &format!("sink_{stream}")).raise_to(status.failures);
}

#[cfg(feature = "kafka")]
pub(in crate::runtime) fn show_kafka(
    telemetry: &Telemetry,
    stream: &str,
    figures: &messaging::kafka::Figures,
) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    let set = |gauge: &'static Definition<Gauge, 1>, value: u64, scale: f64| {
        telemetry.metrics().get(gauge, [stream]).set(value as f64 / scale);
    };
    set(&KAFKA_BROKERS, figures.brokers_up, 1.0);
    set(&KAFKA_QUEUED, figures.queued, 1.0);
    set(&KAFKA_RETRIES, figures.retries, 1.0);
    set(&KAFKA_TIMEOUTS, figures.timeouts, 1.0);
    set(&KAFKA_ROUND_TRIP, figures.round_trip_p99_us, 1e6);
}

/// Counts how long acknowledged lines of a stream took, given now and when the bytes of each were read, unix ns.
#[cfg(feature = "kafka")]
pub(in crate::runtime) fn socket_to_ack(
    telemetry: &Telemetry,
    stream: &str,
) -> impl FnMut(u64, &[u64]) + Send + use<> {
    let histogram = telemetry.metrics().get(&SOCKET_TO_ACK, [stream]);
    move |now_ns, received| {
        for at in received {
            #[expect(clippy::cast_precision_loss, reason = "2^53 ns are 104 days")]
            histogram.observe(now_ns.saturating_sub(*at) as f64 / 1e9);
        }
    }
}

/// How the shared state stands.
#[cfg(feature = "redis")]
pub(in crate::runtime) fn show_shared(telemetry: &Telemetry, status: &crate::shared::SharedStatus) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    let (waiting, written) = (status.waiting as f64, status.written as f64);
    telemetry.metrics().get(&LEASED, []).set(f64::from(u8::from(status.leased)));
    telemetry.metrics().get(&SHARED_WAITING, []).set(waiting);
    telemetry.metrics().get(&SHARED_WRITTEN, []).set(written);
}

#[cfg(feature = "kafka")]
pub(in crate::runtime) fn show_audit(
    telemetry: &Telemetry,
    stream: &str,
    status: &messaging::kafka::AuditStatus,
) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; 2^53 records are out of reach")]
    let set = |gauge: &'static Definition<Gauge, 1>, value: u64| {
        telemetry.metrics().get(gauge, [stream]).set(value as f64);
    };
    set(&AUDITED, status.audited);
    set(&AUDIT_LAG, status.lag);
    set(&AUDIT_SKIPPED, status.skipped);
    set(&NOT_AUDITABLE, status.not_auditable);
    set(&AUDIT_FOREIGN, status.foreign);
    failures(telemetry, &format!("kafka_audit_{stream}")).raise_to(status.failures);
}

pub(in crate::runtime) fn show_journal(telemetry: &Telemetry, progress: &Progress) {
    let (counters, alarms) = (progress.counters(), progress.alarms());
    let flag = |on: bool| f64::from(u8::from(on));
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    let (bytes, wanted) = (counters.disk_bytes as f64, alarms.too_small.unwrap_or(0) as f64);
    telemetry.metrics().get(&JOURNAL_BYTES, []).set(bytes);
    telemetry.metrics().get(&JOURNAL_WANTS, []).set(wanted);
    telemetry.metrics().get(&JOURNAL_FAILING, []).set(flag(alarms.failing.is_some()));
    telemetry.metrics().get(&JOURNAL_NEARLY_FULL, []).set(flag(alarms.nearly_full));
    failures(telemetry, "journal_write").raise_to(counters.failures);
}

pub(in crate::runtime) fn show_completeness(telemetry: &Telemetry, total: &Complete) {
    for (over, share) in [("start", total.since_start), ("hour", total.last_hour)] {
        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge is a float; gaps are at most 1,000 an account"
        )]
        let missing = share.missing as f64;
        telemetry.metrics().get(&COMPLETENESS, [over]).set(share.ratio());
        telemetry.metrics().get(&MISSING, [over]).set(missing);
    }
    #[expect(clippy::cast_precision_loss, reason = "2^53 ms are out of reach")]
    let behind = total.behind_ms.map_or(-1.0, |ms| ms as f64 / 1_000.0);
    telemetry.metrics().get(&CERTIFIED_BEHIND, []).set(behind);
}

#[cfg(test)]
mod tests {
    use super::super::catalogue;
    use super::*;

    #[test]
    fn only_signals_are_late_for_somebody() {
        let telemetry = Telemetry::new(&catalogue()).expect("a good catalogue");
        let meters = Meters::new(&telemetry);
        [Fate::Baseline, Fate::Filtered, Fate::NoChange, Fate::Shed]
            .iter()
            .for_each(|fate| meters.event(*fate, true));
        assert_eq!(meters.late.value(), 0);
        meters.event(Fate::Signal, true);
        assert_eq!(meters.late.value(), 1);
    }
}
