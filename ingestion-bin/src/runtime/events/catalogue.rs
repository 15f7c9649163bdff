//! Everything the service counts, declared. `docs/metrics.md` is made of these.

use observability::Telemetry;
use observability::metrics::{Counter, Definition, Family, Gauge, Histogram, Unit};

pub(super) static EVENTS: Definition<Counter, 1> =
    Definition::counter("ingestion_events_total", "Accepted rows, by what became of them.", ["disposition"])
        .known(&[["signal"], ["baseline"], ["filtered"], ["no_change"], ["shed"]]);
pub(super) static LATE: Definition<Counter, 0> =
    Definition::counter("ingestion_late_events_total", "Signals after newer ones of their market.", []);
pub(super) static PASSED_OVER: Definition<Counter, 0> = Definition::counter(
    "ingestion_rows_passed_over_total",
    "Rows of live frames dropped because they are older than what is certified: known by rule.",
    [],
);
pub(super) static ROWS: Definition<Counter, 1> = Definition::counter(
    "ingestion_rows_total",
    "Rows of frames and pages before de-duplication.",
    ["source"],
)
.known(&[["live"], ["snapshot"], ["history"]]);
pub(super) static BLOCKED: Definition<Gauge, 0> = Definition::gauge(
    "ingestion_journal_blocked",
    "1 while the journal has no room and frames are refused.",
    [],
);
pub(super) static ROWS_SHED: Definition<Counter, 0> = Definition::counter(
    "ingestion_rows_shed_total",
    "Rows refused because a sink is behind and their influencer's priority is low; both listeners' copies count, history brings them later.",
    [],
);
pub(super) static SHEDDING_CHANGES: Definition<Counter, 1> = Definition::counter(
    "ingestion_shedding_changes_total",
    "Times that more or less was shed than before, by what is shed from then on.",
    ["shed"],
)
.known(&[["nothing"], ["signals"], ["rows"]]);
pub(super) static SHED_INFLUENCERS: Definition<Gauge, 1> = Definition::gauge(
    "ingestion_shed_influencers",
    "Influencers of whom signals, or rows too, are held back while a sink is too far behind.",
    ["shed"],
)
.known(&[["signals"], ["rows"]]);
pub(super) static REFUSALS: Definition<Counter, 1> =
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
            ["rejected_by_sink"],
        ],
    );
pub(super) static REPAIRS: Definition<Counter, 1> = Definition::counter(
    "ingestion_repairs_total",
    "Requests to take the rows of a dead letter that was repaired by hand, by how they ended.",
    ["outcome"],
)
.known(&[["done"], ["refused"]]);
pub(super) static UNKNOWN_CHANNELS: Definition<Counter, 0> =
    Definition::counter("ingestion_unknown_channel_frames_total", "Frames of channels we do not know.", []);
pub(super) static DRIFT: Definition<Counter, 0> = Definition::counter(
    "ingestion_drift_total",
    "Unknown fields and unknown dir texts; nothing was lost by them.",
    [],
);
pub(super) static UNFOLLOWED: Definition<Counter, 0> =
    Definition::counter("ingestion_unfollowed_rows_total", "Rows of accounts nobody follows.", []);
pub(super) static FRAMES_REFUSED: Definition<Counter, 0> = Definition::counter(
    "ingestion_frames_refused_total",
    "Frames refused before de-duplication because there was no room; history brings their rows.",
    [],
);
pub(super) static GAPS: Definition<Counter, 2> =
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
        ["silent", "opened"],
        ["silent", "repaired"],
        ["silent", "unfillable"],
        ["shed", "opened"],
        ["shed", "repaired"],
        ["shed", "unfillable"],
    ]);
pub(super) static RECYCLED: Definition<Counter, 0> = Definition::counter(
    "ingestion_listeners_recycled_total",
    "Listeners closed because they missed something.",
    [],
);
pub(super) static MESSAGES: Definition<Counter, 1> = Definition::counter(
    "ingestion_messages_total",
    "Messages of the venue that were decoded, by what they are.",
    ["channel"],
)
.known(&[
    ["fills"],
    ["twap_fills"],
    ["states"],
    ["user_events"],
    ["order_updates"],
    ["trades"],
    ["ack"],
    ["error"],
    ["pong"],
    ["post"],
    ["greeting"],
    ["unknown"],
]);
pub(super) static OPEN: Definition<Gauge, 1> = Definition::gauge(
    "ingestion_connections_open",
    "Open connections of listeners, by the role of the listener.",
    ["role"],
)
.known(&[["primary"], ["secondary"]]);
pub(super) static RECONNECTS: Definition<Counter, 1> = Definition::counter(
    "ingestion_reconnects_total",
    "Connections of a listener after its first one, by the role it had.",
    ["role"],
)
.known(&[["primary"], ["secondary"]]);
pub(super) static LISTENER_LAG: Definition<Gauge, 1> = Definition::gauge(
    "ingestion_listener_lag_seconds",
    "How much later than the first copy the latest listener of this role shows events: the middle of its newest frames, or how long it owes one.",
    ["role"],
)
.known(&[["primary"], ["secondary"]])
.unit(Unit::Seconds);
pub(super) static LISTENER_SKEW: Definition<Gauge, 1> = Definition::gauge(
    "ingestion_listener_skew_seconds",
    "The most that a copy of these frames came later than the first one, of the listeners of this role.",
    ["role"],
)
.known(&[["primary"], ["secondary"]])
.unit(Unit::Seconds);
pub(super) static FAILOVERS: Definition<Counter, 1> = Definition::counter(
    "ingestion_failovers_total",
    "Times that the label of the primary left a listener that was late or down.",
    ["reason"],
)
.known(&[["lag"], ["down"]]);
pub(super) static ROTATIONS: Definition<Counter, 0> = Definition::counter(
    "ingestion_rotations_total",
    "Times that the label of the primary went to the next healthy listener because it was its turn.",
    [],
);
pub(super) static REPLACEMENTS: Definition<Counter, 1> = Definition::counter(
    "ingestion_replacements_total",
    "Old connections replaced: by one that was there before (overlap), by one that was on its way when they ended (ended), or closed first because no connection was free (close_first).",
    ["way"],
)
.known(&[["overlap"], ["ended"], ["close_first"]]);
pub(super) static CONNECTED: Definition<Counter, 1> =
    Definition::counter("ingestion_connections_total", "Connections opened.", ["listener"]);
pub(super) static CONNECT_FAILURES: Definition<Counter, 1> =
    Definition::counter("ingestion_connect_failures_total", "Attempts to connect that failed.", ["reason"])
        .known(&[["dial"], ["refused"], ["handshake"], ["unauthorised"]]);
pub(super) static ENDED: Definition<Counter, 1> =
    Definition::counter("ingestion_connection_ends_total", "Connections that ended, by cause.", ["cause"])
        .known(&[
            ["stopped"],
            ["recycled"],
            ["replaced"],
            ["venue"],
            ["stale"],
            ["message"],
            ["write"],
            ["protocol"],
            ["eof"],
            ["io"],
        ]);
pub(super) static PINGS_UNANSWERED: Definition<Counter, 0> = Definition::counter(
    "ingestion_pings_unanswered_total",
    "Pings the venue sent faster than they are answered.",
    [],
);
pub(super) static SUBSCRIPTIONS_REFUSED: Definition<Counter, 0> = Definition::counter(
    "ingestion_subscriptions_refused_total",
    "Subscriptions of a listener that the venue began to refuse, or refuses for another reason; asked again and refused as before does not count.",
    [],
);
pub(super) static VENUE_ERRORS: Definition<Counter, 1> = Definition::counter(
    "ingestion_venue_errors_total",
    "Error texts of the venue that refuse no subscription, by what they mean.",
    ["kind"],
)
.known(&[["too_many_messages"], ["too_many_users"], ["too_many_subscriptions"], ["invalid"], ["other"]]);
pub(super) static LIMITS_LEARNED: Definition<Counter, 1> = Definition::counter(
    "ingestion_limits_learned_total",
    "Times that the venue was found to allow a public address fewer users or connections than configured.",
    ["limit"],
)
.known(&[["users"], ["connections"]]);
pub(super) static CONTRADICTED: Definition<Counter, 0> = Definition::counter(
    "ingestion_positions_contradicted_total",
    "Times that two successive account states of the venue contradicted a position made of fills.",
    [],
);
pub(super) static FOLLOWED: Definition<Counter, 1> = Definition::counter(
    "ingestion_influencer_changes_total",
    "Influencers added, changed and removed.",
    ["change"],
)
.known(&[["added"], ["changed"], ["start_changed"], ["removed"]]);
pub(super) static LISTED: Definition<Gauge, 0> =
    Definition::gauge("ingestion_influencers_listed", "Influencers on the list that is in force.", []);
pub(super) static LIST_REFUSED: Definition<Gauge, 0> = Definition::gauge(
    "ingestion_influencer_entries_refused",
    "Entries of the list that are refused; `status` names them.",
    [],
);
pub(super) static LIST_STALE: Definition<Gauge, 0> = Definition::gauge(
    "ingestion_influencer_list_stale",
    "1 while the list is lost, out of reach, broken, suddenly empty or older than before, and the last good one is followed.",
    [],
);
pub(super) static INFO: Definition<Counter, 1> = Definition::counter(
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
pub(super) static INFO_WEIGHT: Definition<Counter, 0> =
    Definition::counter("ingestion_info_weight_total", "Info weight charged before asking.", []);
pub(super) static JOURNAL_DAMAGE: Definition<Counter, 0> =
    Definition::counter("ingestion_journal_damage_total", "Unreadable parts of the journal.", []);
pub(super) static JOURNAL_FAILING: Definition<Gauge, 0> = Definition::gauge(
    "ingestion_journal_failing",
    "1 while the journal's disk fails; what was accepted is kept in memory and written again.",
    [],
);
pub(super) static JOURNAL_NEARLY_FULL: Definition<Gauge, 0> = Definition::gauge(
    "ingestion_journal_nearly_full",
    "1 while a sink is so far behind that what it holds takes 80 % of journal.max_bytes.",
    [],
);
pub(super) static JOURNAL_WANTS: Definition<Gauge, 0> = Definition::gauge(
    "ingestion_journal_wanted_max_bytes",
    "What journal.max_bytes would have to be while it is too small for the state; else 0.",
    [],
)
.unit(Unit::Bytes);
pub(super) static SINK_LAG: Definition<Gauge, 1> = Definition::gauge(
    "ingestion_sink_lag_positions",
    "Journal positions a sink has not delivered.",
    ["stream"],
);
pub(super) static SINK_LINES: Definition<Gauge, 1> =
    Definition::gauge("ingestion_sink_lines", "Lines a sink delivered since the start.", ["stream"]);
pub(super) static SINK_REJECTED: Definition<Gauge, 1> = Definition::gauge(
    "ingestion_sink_rejected_lines",
    "Lines a sink's target refused for good since the start; each is a dead letter.",
    ["stream"],
);
pub(super) static KAFKA_BROKERS: Definition<Gauge, 1> = Definition::gauge(
    "ingestion_kafka_brokers_up",
    "Brokers the producer of a stream is connected to; this and the next four only where the stream goes to a topic.",
    ["stream"],
);
pub(super) static KAFKA_QUEUED: Definition<Gauge, 1> = Definition::gauge(
    "ingestion_kafka_queued_messages",
    "Messages handed to the producer of a stream and not acknowledged.",
    ["stream"],
);
pub(super) static KAFKA_RETRIES: Definition<Gauge, 1> = Definition::gauge(
    "ingestion_kafka_retries",
    "Requests the producer of a stream sent again; a rebuilt producer begins at 0.",
    ["stream"],
);
pub(super) static KAFKA_TIMEOUTS: Definition<Gauge, 1> = Definition::gauge(
    "ingestion_kafka_request_timeouts",
    "Requests of the producer of a stream that nobody answered in time; a rebuilt producer begins at 0.",
    ["stream"],
);
pub(super) static KAFKA_ROUND_TRIP: Definition<Gauge, 1> = Definition::gauge(
    "ingestion_kafka_round_trip_p99_seconds",
    "99th percentile of the round trip to the slowest broker.",
    ["stream"],
)
.unit(Unit::Seconds);
/// Ten to a decade, so that a percentile is known to a quarter; from 0.5 ms to 10 s.
const DELAYS: [f64; 44] = [
    0.0005, 0.00063, 0.0008, 0.001, 0.00125, 0.0016, 0.002, 0.0025, 0.00315, 0.004, 0.005, 0.0063, 0.008,
    0.01, 0.0125, 0.016, 0.02, 0.025, 0.0315, 0.04, 0.05, 0.063, 0.08, 0.1, 0.125, 0.16, 0.2, 0.25, 0.315,
    0.4, 0.5, 0.63, 0.8, 1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0, 10.0,
];
pub(super) static SOCKET_TO_ACK: Definition<Histogram, 1> = Definition::histogram(
    "ingestion_kafka_socket_to_ack_seconds",
    "From reading a fill's bytes to the acknowledgement of its signal by every in-sync broker, by our wall clock; only where signals go to a topic.",
    &DELAYS,
    ["stream"],
)
.unit(Unit::Seconds);
pub(super) static LEASED: Definition<Gauge, 0> = Definition::gauge(
    "ingestion_shared_state_leased",
    "1 while this instance is the one that writes the shared state, as far as it knows; 0 too where no state is shared.",
    [],
);
pub(super) static SHARED_WAITING: Definition<Gauge, 0> = Definition::gauge(
    "ingestion_shared_state_waiting",
    "Accounts whose shared state is older than what the sinks have acknowledged.",
    [],
);
pub(super) static SHARED_WRITTEN: Definition<Gauge, 0> = Definition::gauge(
    "ingestion_shared_state_written",
    "States written by this instance since it became the writer.",
    [],
);
pub(super) static AUDIT_DIFFERENCES: Definition<Counter, 1> = Definition::counter(
    "ingestion_kafka_audit_differences_total",
    "Acknowledged records that are not in their topic any more, or not as they were; this and the next five only where the stream goes to a topic and kafka.audit is true.",
    ["stream"],
);
pub(super) static AUDITED: Definition<Gauge, 1> = Definition::gauge(
    "ingestion_kafka_audit_records",
    "Acknowledged records that were read back and are as they were, since the start.",
    ["stream"],
);
pub(super) static AUDIT_LAG: Definition<Gauge, 1> = Definition::gauge(
    "ingestion_kafka_audit_lag_records",
    "Acknowledged records that are not read back yet.",
    ["stream"],
);
pub(super) static AUDIT_SKIPPED: Definition<Gauge, 1> = Definition::gauge(
    "ingestion_kafka_audit_skipped_records",
    "Acknowledged records that are never read back: too much waited already, or the broker did not say where they are.",
    ["stream"],
);
pub(super) static NOT_AUDITABLE: Definition<Gauge, 1> = Definition::gauge(
    "ingestion_kafka_audit_not_auditable_records",
    "Acknowledged records that their topic had deleted or compacted before they were read back.",
    ["stream"],
);
pub(super) static AUDIT_FOREIGN: Definition<Gauge, 1> = Definition::gauge(
    "ingestion_kafka_audit_foreign_records",
    "Records of others that lie between ours.",
    ["stream"],
);
pub(super) static JOURNAL_BYTES: Definition<Gauge, 0> =
    Definition::gauge("ingestion_journal_disk_bytes", "Disk used by the journal.", []).unit(Unit::Bytes);
pub(super) static COMPLETENESS: Definition<Gauge, 1> = Definition::gauge(
    "ingestion_completeness_ratio",
    "Events published of those in the venue's history, all accounts together, since the start and over the last hour; 1 only when nothing is missing.",
    ["over"],
)
.unit(Unit::Ratio)
.known(&[["start"], ["hour"]]);
pub(super) static MISSING: Definition<Gauge, 1> = Definition::gauge(
    "ingestion_missing_events",
    "Events that may be missing, at least: one for each gap that is open or unfillable, and all that were shed.",
    ["over"],
)
.known(&[["start"], ["hour"]]);
pub(super) static CERTIFIED_BEHIND: Definition<Gauge, 0> = Definition::gauge(
    "ingestion_certified_behind_seconds",
    "How far the account that is certified least is behind the venue's clock; -1 as long as one is not certified at all.",
    [],
)
.unit(Unit::Seconds);

pub(super) static WALL_CLOCK_AHEAD: Definition<Gauge, 0> = Definition::gauge(
    "ingestion_wall_clock_ahead_seconds",
    "How far our wall clock is ahead of the venue's (behind: below zero), with the way from there; when the venue's last showed another second.",
    [],
)
.unit(Unit::Seconds);
pub(super) static WALL_CLOCK_STEPS: Definition<Counter, 0> = Definition::counter(
    "ingestion_wall_clock_steps_total",
    "How often the wall clock was set by a second or more, or the machine slept. Nothing is decided on it.",
    [],
);

/// All families of the service, for `/metrics` and the documentation.
#[must_use]
pub fn catalogue() -> Vec<Family> {
    vec![
        EVENTS.family(),
        LATE.family(),
        PASSED_OVER.family(),
        ROWS.family(),
        BLOCKED.family(),
        ROWS_SHED.family(),
        SHEDDING_CHANGES.family(),
        SHED_INFLUENCERS.family(),
        REFUSALS.family(),
        REPAIRS.family(),
        UNKNOWN_CHANNELS.family(),
        DRIFT.family(),
        UNFOLLOWED.family(),
        FRAMES_REFUSED.family(),
        GAPS.family(),
        RECYCLED.family(),
        MESSAGES.family(),
        OPEN.family(),
        RECONNECTS.family(),
        LISTENER_LAG.family(),
        LISTENER_SKEW.family(),
        FAILOVERS.family(),
        ROTATIONS.family(),
        REPLACEMENTS.family(),
        CONNECTED.family(),
        CONNECT_FAILURES.family(),
        ENDED.family(),
        PINGS_UNANSWERED.family(),
        SUBSCRIPTIONS_REFUSED.family(),
        VENUE_ERRORS.family(),
        LIMITS_LEARNED.family(),
        CONTRADICTED.family(),
        FOLLOWED.family(),
        LISTED.family(),
        LIST_REFUSED.family(),
        LIST_STALE.family(),
        INFO.family(),
        INFO_WEIGHT.family(),
        JOURNAL_DAMAGE.family(),
        JOURNAL_FAILING.family(),
        JOURNAL_NEARLY_FULL.family(),
        JOURNAL_WANTS.family(),
        SINK_LAG.family(),
        SINK_LINES.family(),
        SINK_REJECTED.family(),
        KAFKA_BROKERS.family(),
        KAFKA_QUEUED.family(),
        KAFKA_RETRIES.family(),
        KAFKA_TIMEOUTS.family(),
        KAFKA_ROUND_TRIP.family(),
        SOCKET_TO_ACK.family(),
        LEASED.family(),
        SHARED_WAITING.family(),
        SHARED_WRITTEN.family(),
        AUDIT_DIFFERENCES.family(),
        AUDITED.family(),
        AUDIT_LAG.family(),
        AUDIT_SKIPPED.family(),
        NOT_AUDITABLE.family(),
        AUDIT_FOREIGN.family(),
        JOURNAL_BYTES.family(),
        COMPLETENESS.family(),
        MISSING.family(),
        CERTIFIED_BEHIND.family(),
        WALL_CLOCK_AHEAD.family(),
        WALL_CLOCK_STEPS.family(),
    ]
}

/// Counts by reason for the final summary: metric, label, total.
#[must_use]
pub fn totals(telemetry: &Telemetry) -> Vec<(&'static str, String, u64)> {
    let mut totals = Vec::new();
    for (name, family) in [
        ("events", &EVENTS),
        ("rows", &ROWS),
        ("refusals", &REFUSALS),
        ("connect failures", &CONNECT_FAILURES),
        ("ends", &ENDED),
        ("info", &INFO),
        ("venue errors", &VENUE_ERRORS),
        ("limits learned", &LIMITS_LEARNED),
    ] {
        for (labels, total) in telemetry.metrics().totals(family) {
            totals.push((name, labels.join(" "), total));
        }
    }
    for (labels, total) in telemetry.metrics().totals(&GAPS) {
        totals.push(("gaps", labels.join(" "), total));
    }
    for (name, family) in [
        ("late", &LATE),
        ("passed over", &PASSED_OVER),
        ("unfollowed", &UNFOLLOWED),
        ("drift", &DRIFT),
        ("unknown channels", &UNKNOWN_CHANNELS),
        ("frames refused", &FRAMES_REFUSED),
        ("rows shed", &ROWS_SHED),
        ("pings unanswered", &PINGS_UNANSWERED),
        ("subscriptions refused", &SUBSCRIPTIONS_REFUSED),
        ("positions contradicted", &CONTRADICTED),
        ("journal damage", &JOURNAL_DAMAGE),
    ] {
        for (_, total) in telemetry.metrics().totals(family) {
            totals.push((name, String::new(), total));
        }
    }
    totals.retain(|(_, _, total)| *total > 0);
    totals
}
