//! What happens in the service, one struct each: log line and count together. The metric catalogue in `docs/metrics.md` is made of
//! these declarations.

use std::time::Duration;

use hyperliquid_client::decode::Drift;
use messaging::journal::{PassedOver, Progress};
use messaging::sink::SinkStatus;
use observability::Telemetry;
use observability::event::{Counted, Event, failures};
use observability::metrics::{Counter, Definition, Family, Gauge, Unit};
use signal_domain::InfluencerId;
use tracing::{debug, info, warn};

use super::core::Followed;
use crate::account::{Fate, Gap, GapKind, GapState};

static EVENTS: Definition<Counter, 1> =
    Definition::counter("ingestion_events_total", "Accepted rows, by what became of them.", ["disposition"])
        .known(&[["signal"], ["baseline"], ["filtered"], ["no_change"]]);
static LATE: Definition<Counter, 0> =
    Definition::counter("ingestion_late_events_total", "Signals after newer ones of their market.", []);
static ROWS: Definition<Counter, 1> = Definition::counter(
    "ingestion_rows_total",
    "Rows of frames and pages before de-duplication.",
    ["source"],
)
.known(&[["live"], ["snapshot"], ["history"]]);
static BLOCKED: Definition<Gauge, 0> = Definition::gauge(
    "ingestion_journal_blocked",
    "1 while the journal has no room and frames are refused.",
    [],
);
static REFUSALS: Definition<Counter, 1> =
    Definition::counter("ingestion_refusals_total", "Frames and rows refused, by reason.", ["reason"]).known(
        &[
            ["malformed_frame"],
            ["missing_field"],
            ["wrong_type"],
            ["number_out_of_range"],
            ["not_a_number"],
            ["frame_too_large"],
            ["decode_panic"],
            ["leg_mismatch"],
        ],
    );
static UNKNOWN_CHANNELS: Definition<Counter, 0> =
    Definition::counter("ingestion_unknown_channel_frames_total", "Frames of channels we do not know.", []);
static DRIFT: Definition<Counter, 0> = Definition::counter(
    "ingestion_drift_total",
    "Unknown fields and unknown dir texts; nothing was lost by them.",
    [],
);
static UNFOLLOWED: Definition<Counter, 0> =
    Definition::counter("ingestion_unfollowed_rows_total", "Rows of accounts nobody follows.", []);
static FRAMES_REFUSED: Definition<Counter, 0> = Definition::counter(
    "ingestion_frames_refused_total",
    "Frames refused before de-duplication because there was no room; history brings their rows.",
    [],
);
static GAPS: Definition<Counter, 2> =
    Definition::counter("ingestion_gap_changes_total", "Changes of gaps.", ["kind", "state"]).known(&[
        ["chain", "opened"],
        ["chain", "repaired"],
        ["chain", "unfillable"],
        ["outage", "opened"],
        ["outage", "repaired"],
        ["outage", "unfillable"],
        ["conflict", "opened"],
        ["conflict", "repaired"],
        ["conflict", "unfillable"],
        ["history", "opened"],
        ["history", "repaired"],
        ["history", "unfillable"],
    ]);
static RECYCLED: Definition<Counter, 0> = Definition::counter(
    "ingestion_listeners_recycled_total",
    "Listeners closed because they missed something.",
    [],
);
static CONNECTED: Definition<Counter, 1> =
    Definition::counter("ingestion_connections_total", "Connections opened.", ["listener"]);
static CONNECT_FAILURES: Definition<Counter, 1> =
    Definition::counter("ingestion_connect_failures_total", "Attempts to connect that failed.", ["reason"])
        .known(&[["dial"], ["refused"], ["handshake"], ["unauthorised"]]);
static ENDED: Definition<Counter, 1> =
    Definition::counter("ingestion_connection_ends_total", "Connections that ended, by cause.", ["cause"])
        .known(&[
            ["stopped"],
            ["recycled"],
            ["venue"],
            ["stale"],
            ["message"],
            ["write"],
            ["protocol"],
            ["eof"],
            ["io"],
        ]);
static PINGS_UNANSWERED: Definition<Counter, 0> = Definition::counter(
    "ingestion_pings_unanswered_total",
    "Pings the venue sent faster than they are answered.",
    [],
);
static SUBSCRIPTIONS_REFUSED: Definition<Counter, 0> = Definition::counter(
    "ingestion_subscriptions_refused_total",
    "Subscriptions of a listener that the venue began to refuse, or refuses for another reason; asked again and refused as before does not count.",
    [],
);
static FOLLOWED: Definition<Counter, 1> =
    Definition::counter("ingestion_influencer_changes_total", "Influencers added and removed.", ["change"])
        .known(&[["added"], ["removed"]]);
static INFO: Definition<Counter, 1> = Definition::counter(
    "ingestion_info_requests_total",
    "Questions to the info API, by outcome.",
    ["outcome"],
)
.known(&[
    ["answered"],
    ["unreadable"],
    ["unauthorised"],
    ["no_connection"],
    ["timeout"],
    ["too_many_requests"],
    ["status"],
    ["too_large"],
    ["broken"],
]);
static INFO_WEIGHT: Definition<Counter, 0> =
    Definition::counter("ingestion_info_weight_total", "Info weight charged before asking.", []);
static JOURNAL_DAMAGE: Definition<Counter, 0> =
    Definition::counter("ingestion_journal_damage_total", "Unreadable parts of the journal.", []);
static JOURNAL_FAILING: Definition<Gauge, 0> = Definition::gauge(
    "ingestion_journal_failing",
    "1 while the journal's disk fails; what was accepted is kept in memory and written again.",
    [],
);
static SINK_LAG: Definition<Gauge, 1> = Definition::gauge(
    "ingestion_sink_lag_positions",
    "Journal positions a sink has not delivered.",
    ["stream"],
);
static SINK_LINES: Definition<Gauge, 1> =
    Definition::gauge("ingestion_sink_lines", "Lines a sink delivered since the start.", ["stream"]);
static JOURNAL_BYTES: Definition<Gauge, 0> =
    Definition::gauge("ingestion_journal_disk_bytes", "Disk used by the journal.", []).unit(Unit::Bytes);

/// All families of the service, for `/metrics` and the documentation.
#[must_use]
pub fn catalogue() -> Vec<Family> {
    vec![
        EVENTS.family(),
        LATE.family(),
        ROWS.family(),
        BLOCKED.family(),
        REFUSALS.family(),
        UNKNOWN_CHANNELS.family(),
        DRIFT.family(),
        UNFOLLOWED.family(),
        FRAMES_REFUSED.family(),
        GAPS.family(),
        RECYCLED.family(),
        CONNECTED.family(),
        CONNECT_FAILURES.family(),
        ENDED.family(),
        PINGS_UNANSWERED.family(),
        SUBSCRIPTIONS_REFUSED.family(),
        FOLLOWED.family(),
        INFO.family(),
        INFO_WEIGHT.family(),
        JOURNAL_DAMAGE.family(),
        JOURNAL_FAILING.family(),
        SINK_LAG.family(),
        SINK_LINES.family(),
        JOURNAL_BYTES.family(),
    ]
}

/// Handles of what happens per row: one atomic operation each.
pub(super) struct Meters {
    signal: Counter,
    baseline: Counter,
    filtered: Counter,
    no_change: Counter,
    late: Counter,
    live_rows: Counter,
    snapshot_rows: Counter,
    pub(super) history_rows: Counter,
    pub(super) blocked: Gauge,
}

impl Meters {
    pub(super) fn new(telemetry: &Telemetry) -> Self {
        let metrics = telemetry.metrics();
        Self {
            signal: metrics.get(&EVENTS, ["signal"]),
            baseline: metrics.get(&EVENTS, ["baseline"]),
            filtered: metrics.get(&EVENTS, ["filtered"]),
            no_change: metrics.get(&EVENTS, ["no_change"]),
            late: metrics.get(&LATE, []),
            live_rows: metrics.get(&ROWS, ["live"]),
            snapshot_rows: metrics.get(&ROWS, ["snapshot"]),
            history_rows: metrics.get(&ROWS, ["history"]),
            blocked: metrics.get(&BLOCKED, []),
        }
    }

    pub(super) fn event(&self, fate: Fate, late: bool) {
        match fate {
            Fate::Signal => self.signal.inc(),
            Fate::Baseline => self.baseline.inc(),
            Fate::Filtered => self.filtered.inc(),
            Fate::NoChange => self.no_change.inc(),
        }
        // Rows that make no signal are late for nobody.
        if late && fate == Fate::Signal {
            self.late.inc();
        }
    }

    pub(super) fn rows(&self, snapshot: bool, count: usize) {
        let counter = if snapshot { &self.snapshot_rows } else { &self.live_rows };
        counter.add(count as u64);
    }
}

/// What the sinks and the journal count themselves, set from the side.
pub(super) fn show_sink(telemetry: &Telemetry, stream: &str, status: &SinkStatus) {
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; 2^53 lines are out of reach")]
    let (lag, lines) = (status.lag as f64, status.tally.lines as f64);
    telemetry.metrics().get(&SINK_LAG, [stream]).set(lag);
    telemetry.metrics().get(&SINK_LINES, [stream]).set(lines);
    failures(telemetry, &format!("sink_{stream}")).raise_to(status.failures);
}

pub(super) fn show_journal(telemetry: &Telemetry, progress: &Progress) {
    let (counters, failing) = (progress.counters(), progress.alarms().failing.is_some());
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
    telemetry.metrics().get(&JOURNAL_BYTES, []).set(counters.disk_bytes as f64);
    telemetry.metrics().get(&JOURNAL_FAILING, []).set(f64::from(u8::from(failing)));
    failures(telemetry, "journal_write").raise_to(counters.failures);
}

/// Counts by reason for the final summary: metric, label, total.
#[must_use]
pub fn totals(telemetry: &Telemetry) -> Vec<(&'static str, String, u64)> {
    let mut totals = Vec::new();
    for (name, family) in
        [("events", &EVENTS), ("rows", &ROWS), ("refusals", &REFUSALS), ("ends", &ENDED), ("info", &INFO)]
    {
        for (labels, total) in telemetry.metrics().totals(family) {
            totals.push((name, labels.join(" "), total));
        }
    }
    for (labels, total) in telemetry.metrics().totals(&GAPS) {
        totals.push(("gaps", labels.join(" "), total));
    }
    for (name, family) in [
        ("late", &LATE),
        ("unfollowed", &UNFOLLOWED),
        ("drift", &DRIFT),
        ("unknown channels", &UNKNOWN_CHANNELS),
        ("frames refused", &FRAMES_REFUSED),
        ("pings unanswered", &PINGS_UNANSWERED),
        ("subscriptions refused", &SUBSCRIPTIONS_REFUSED),
        ("journal damage", &JOURNAL_DAMAGE),
    ] {
        for (_, total) in telemetry.metrics().totals(family) {
            totals.push((name, String::new(), total));
        }
    }
    totals.retain(|(_, _, total)| *total > 0);
    totals
}

/// One struct per happening with at most one label: its fields, its counter and label, what it amounts to, its log line.
macro_rules! event {
    ($(#[$doc:meta])* $name:ident $(<$life:lifetime>)? { $($field:ident: $type:ty),* $(,)? }
     $counter:ident [] $(x $amount:expr)?, |$this:ident| $log:block) => {
        event!(@all 0, [], $(#[$doc])* $name $(<$life>)? { $($field: $type),* } $counter $(x $amount)?, |$this| $log);
    };
    ($(#[$doc:meta])* $name:ident $(<$life:lifetime>)? { $($field:ident: $type:ty),* $(,)? }
     $counter:ident [$label:expr] $(x $amount:expr)?, |$this:ident| $log:block) => {
        event!(@all 1, [$label], $(#[$doc])* $name $(<$life>)? { $($field: $type),* } $counter $(x $amount)?, |$this| $log);
    };
    (@all $n:literal, [$($label:expr)?], $(#[$doc:meta])* $name:ident $(<$life:lifetime>)? { $($field:ident: $type:ty),* }
     $counter:ident $(x $amount:expr)?, |$this:ident| $log:block) => {
        $(#[$doc])*
        pub(super) struct $name $(<$life>)? { $(pub(super) $field: $type),* }

        impl $(<$life>)? Event<$n> for $name $(<$life>)? {
            const COUNTER: &'static Definition<Counter, $n> = &$counter;
            fn labels(&self) -> [&str; $n] {
                let $this = self;
                let _ = $this;
                [$($label)?]
            }
            $(fn amount(&self) -> u64 { let $this = self; $amount })?
            fn log(&self, _: Counted) { let $this = self; let _ = $this; $log }
        }
    };
}

event! { /// Something was refused.
    Refused<'a> { reason: &'static str, detail: &'a str, raw: &'a [u8] }
    REFUSALS [this.reason], |this| {
        let shown = String::from_utf8_lossy(this.raw.get(..this.raw.len().min(200)).unwrap_or_default()).into_owned();
        warn!(reason = this.reason, detail = this.detail, bytes = this.raw.len(), shown, "refused");
    }
}
event! { /// A channel we do not know.
    UnknownChannel<'a> { channel: &'a str }
    UNKNOWN_CHANNELS [], |this| { debug!(channel = this.channel, "a frame of an unknown channel is kept"); }
}
event! { /// The venue shows something new.
    Drifted<'a> { drift: Drift<'a> }
    DRIFT [] x u64::from(this.drift.unknown_fields) + u64::from(this.drift.unknown_dirs), |this| {
        debug!(fields = this.drift.unknown_fields, dirs = this.drift.unknown_dirs, first = this.drift.first, "drift");
    }
}
event! { /// Rows of an account nobody follows.
    Unfollowed { rows: usize }
    UNFOLLOWED [] x this.rows as u64, |this| { debug!(rows = this.rows, "rows of an account nobody follows are kept"); }
}
event! { /// No room.
    FrameRefused { rows: usize }
    FRAMES_REFUSED [], |this| { debug!(rows = this.rows, "no room: a frame is refused, history will bring its rows"); }
}
event! { /// A listener missed something.
    ListenerRecycled { listener: usize }
    RECYCLED [], |this| { warn!(listener = this.listener, "the listener missed something: its connection is made anew"); }
}
event! { /// A connection is open.
    Connected<'a> { listener: &'a str, took: Duration }
    CONNECTED [this.listener], |this| { info!(listener = this.listener, took = ?this.took, "connected"); }
}
event! { /// No connection.
    ConnectFailed<'a> { listener: &'a str, reason: &'static str, error: String, retry_in: Duration }
    CONNECT_FAILURES [this.reason], |this| {
        warn!(listener = this.listener, reason = this.reason, error = this.error, retry_in = ?this.retry_in, "cannot connect");
    }
}
event! { /// The venue does not accept our credentials.
    Unauthorised<'a> { listener: &'a str, endpoint: &'a str, error: String, retry_in: Duration, news: bool }
    CONNECT_FAILURES ["unauthorised"], |this| {
        if this.news {
            refused_token(this.endpoint, &this.error, this.retry_in);
        } else {
            debug!(listener = this.listener, error = this.error, retry_in = ?this.retry_in, "our token is still not accepted");
        }
    }
}
event! { /// A connection is over.
    ConnectionEnded<'a> { listener: &'a str, cause: &'static str, detail: String, retry_in: Option<Duration> }
    ENDED [this.cause], |this| {
        info!(listener = this.listener, cause = this.cause, detail = this.detail, retry_in = ?this.retry_in, "connection ended");
    }
}
event! { /// The venue pings without end.
    PingsUnanswered<'a> { listener: &'a str, count: u64 }
    PINGS_UNANSWERED [] x this.count, |this| {
        warn!(listener = this.listener, count = this.count, "the venue pings faster than it is answered");
    }
}
event! { /// The venue refuses a subscription.
    SubscriptionRefused<'a> { subscription: String, text: &'a str }
    SUBSCRIPTIONS_REFUSED [], |this| { warn!(subscription = this.subscription, venue = this.text, "subscription refused"); }
}
event! { /// Followed from now on.
    InfluencerAdded<'a> { followed: &'a Followed }
    FOLLOWED ["added"], |this| {
        info!(influencer = %this.followed.influencer, account = %this.followed.account, "following");
    }
}
event! { /// Followed no longer.
    InfluencerRemoved<'a> { influencer: &'a InfluencerId }
    FOLLOWED ["removed"], |this| { info!(influencer = %this.influencer, "no longer followed"); }
}
event! { /// The info API does not accept our credentials.
    InfoUnauthorised<'a> { endpoint: &'a str, error: String, retry_in: Duration, news: bool }
    INFO ["unauthorised"], |this| {
        if this.news {
            refused_token(this.endpoint, &this.error, this.retry_in);
        } else {
            debug!(endpoint = this.endpoint, error = this.error, "our token is still not accepted");
        }
    }
}
event! { /// An answer of the info API, or none.
    InfoAsked<'a> { outcome: &'static str, kind: &'static str, detail: &'a str }
    INFO [this.outcome], |this| {
        if this.outcome == "answered" {
            debug!(kind = this.kind, detail = this.detail, "info answered");
        } else {
            warn!(kind = this.kind, outcome = this.outcome, detail = this.detail, "no answer from the info API");
        }
    }
}
event! { /// Weight is spent.
    InfoCharged { weight: u32 }
    INFO_WEIGHT [] x u64::from(this.weight), |this| {}
}
event! { /// Part of the journal cannot be read.
    JournalDamaged { from: u64, to: u64, segment: u64 }
    JOURNAL_DAMAGE [], |this| {
        tracing::error!(from = this.from, to = this.to, segment = this.segment, "part of the journal cannot be read");
    }
}

event! { /// The front of a segment is damaged: header or checkpoint. Its records are not.
    FrontDamaged<'a> { damaged: &'a PassedOver }
    JOURNAL_DAMAGE [], |this| {
        let part = if this.damaged.header { "header" } else { "checkpoint" };
        tracing::error!(segment = this.damaged.segment, part, "a damaged checkpoint was passed over");
    }
}

/// Said once per endpoint, whichever of its sockets or questions hears it first.
fn refused_token(endpoint: &str, error: &str, retry_in: Duration) {
    tracing::error!(endpoint, error, ?retry_in, "the venue does not accept our token");
}

/// A gap changed.
pub(super) struct GapChanged<'a> {
    pub(super) influencer: &'a InfluencerId,
    pub(super) gap: &'a Gap,
    /// Where it begins as it is told, venue ms.
    pub(super) from_ms: u64,
}

impl Event<2> for GapChanged<'_> {
    const COUNTER: &'static Definition<Counter, 2> = &GAPS;

    fn labels(&self) -> [&str; 2] {
        let kind = match self.gap.id.kind {
            GapKind::Chain => "chain",
            GapKind::Outage => "outage",
            GapKind::Conflict => "conflict",
            GapKind::History => "history",
        };
        let state = match self.gap.state {
            GapState::Opened => "opened",
            GapState::Repaired => "repaired",
            GapState::Unfillable => "unfillable",
        };
        [kind, state]
    }

    fn log(&self, _: Counted) {
        let [kind, state] = self.labels();
        let market = self.gap.id.market.as_ref().map(|market| market.as_str().to_owned());
        let (from, to) = (self.from_ms, self.gap.to.max(i64::try_from(self.from_ms).unwrap_or(i64::MAX)));
        warn!(influencer = %self.influencer, kind, state, market, from, to, "gap");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_signals_are_late_for_somebody() {
        let telemetry = Telemetry::new(&catalogue()).expect("a good catalogue");
        let meters = Meters::new(&telemetry);
        [Fate::Baseline, Fate::Filtered, Fate::NoChange].iter().for_each(|fate| meters.event(*fate, true));
        assert_eq!(meters.late.value(), 0);
        meters.event(Fate::Signal, true);
        assert_eq!(meters.late.value(), 1);
    }
}
