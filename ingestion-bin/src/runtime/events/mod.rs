//! What happens in the service, one struct each: log line and count together. What is counted besides, and all declarations, are in
//! the files beside this one.

mod catalogue;
mod meters;

use std::time::Duration;

use hyperliquid_client::decode::Drift;
use messaging::journal::{PassedOver, Pressure};
use observability::event::{Counted, Event};
use observability::metrics::{Counter, Definition};
use signal_domain::{InfluencerId, Uuid};
use tracing::{debug, info, warn};

use super::core::Followed;
use crate::account::{Gap, GapKind, GapState, Position};
#[cfg(feature = "kafka")]
use catalogue::AUDIT_DIFFERENCES;
use catalogue::{
    CONNECT_FAILURES, CONNECTED, CONTRADICTED, DRIFT, ENDED, FAILOVERS, FOLLOWED, FRAMES_REFUSED, GAPS, INFO,
    INFO_WEIGHT, JOURNAL_DAMAGE, LIMITS_LEARNED, PINGS_UNANSWERED, RECONNECTS, RECYCLED, REFUSALS, REPAIRS,
    REPLACEMENTS, ROTATIONS, ROWS_SHED, SHEDDING_CHANGES, SUBSCRIPTIONS_REFUSED, UNFOLLOWED,
    UNKNOWN_CHANNELS, VENUE_ERRORS, WALL_CLOCK_STEPS,
};
pub use catalogue::{catalogue, totals};
#[cfg(feature = "redis")]
pub(super) use meters::show_shared;
pub(super) use meters::{Meters, show_completeness, show_journal, show_list, show_shedding, show_sink};
#[cfg(feature = "kafka")]
pub(super) use meters::{show_audit, show_kafka, socket_to_ack};

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
event! { /// A sink's target will never take a record; it is a dead letter now.
    RecordRejected<'a> { target: &'a str, position: u64, why: &'a str }
    REFUSALS ["rejected_by_sink"], |this| {
        warn!(target_name = this.target, position = this.position, why = this.why, "a record is refused for good and kept as a dead letter");
    }
}
#[cfg(feature = "kafka")]
event! { /// A topic has lost what it acknowledged, or has something else in its place.
    TopicDiffers<'a> { difference: &'a messaging::kafka::Difference }
    AUDIT_DIFFERENCES [&this.difference.stream] x this.difference.records, |this| {
        let messaging::kafka::Difference { topic, partition, offsets: (first, last), records, differs, .. } = this.difference;
        tracing::error!(topic, partition, first, last, records, "acknowledged records are {differs}");
    }
}
event! { /// A request to take the rows of a repaired dead letter ended.
    RepairEnded<'a> { outcome: &'static str, id: Uuid, why: &'a str }
    REPAIRS [this.outcome], |this| {
        info!(letter = %this.id, outcome = this.outcome, why = this.why, "the rows of a repaired dead letter");
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
event! { /// No room for this one, so that there is for more important ones.
    FrameShed { rows: usize }
    ROWS_SHED [] x this.rows as u64, |this| { debug!(rows = this.rows, "shed: a frame is refused, history will bring its rows"); }
}
event! { /// A sink is behind, further or less than before, and influencers are shed for it.
    SheddingChanged { pressure: Pressure, below: i32, influencers: usize }
    SHEDDING_CHANGES [match this.pressure { Pressure::Low => "nothing", Pressure::High => "signals", Pressure::Highest => "rows" }], |this| {
        let (below, influencers) = (this.below, this.influencers);
        match this.pressure {
            Pressure::Low => info!(below, influencers, "no longer shed: the journal has room"),
            Pressure::High => warn!(below, influencers, "shed: influencers of a lower priority make no signals, a sink is too far behind"),
            Pressure::Highest => warn!(below, influencers, "shed: nothing of influencers of a lower priority is taken any more, a sink is too far behind"),
        }
    }
}
event! { /// A listener missed something.
    ListenerRecycled<'a> { listener: &'a str, influencer: &'a InfluencerId }
    RECYCLED [], |this| {
        warn!(listener = this.listener, influencer = %this.influencer, "the listener did not show what another source did of this influencer: its connection is made anew");
    }
}
event! { /// The primary of a cell was late or down, and is another one.
    Failover<'a> { from: &'a str, to: &'a str, reason: &'static str, by: Option<Duration> }
    FAILOVERS [this.reason], |this| {
        warn!(from = this.from, to = this.to, reason = this.reason, by = ?this.by, "another listener is the primary");
    }
}
event! { /// An old connection is replaced.
    Replaced<'a> { listener: &'a str, way: &'static str }
    REPLACEMENTS [this.way], |this| { info!(listener = this.listener, way = this.way, "an old connection is replaced"); }
}
event! { /// Healthy listeners take turns.
    Rotated<'a> { from: &'a str, to: &'a str }
    ROTATIONS [], |this| { info!(from = this.from, to = this.to, "it is another listener's turn to be the primary"); }
}
event! { /// Somebody set our wall clock, or the machine slept.
    WallClockSet { by_ms: i64 }
    WALL_CLOCK_STEPS [], |this| {
        warn!(by_ms = this.by_ms, "the wall clock was set; only labels (receivedAt) are off by it");
    }
}
event! { /// A listener has another connection.
    Reconnected<'a> { listener: &'a str, role: &'static str }
    RECONNECTS [this.role], |this| { debug!(listener = this.listener, role = this.role, "connected again"); }
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
event! { /// The venue complains, and not of a subscription that waits for its answer.
    VenueErrored<'a> { listener: &'a str, kind: &'static str, text: &'a str }
    VENUE_ERRORS [this.kind], |this| {
        warn!(listener = this.listener, kind = this.kind, venue = this.text, "venue error");
    }
}
event! { /// A public address is allowed fewer users or connections than it is configured to, as the refusal of one shows.
    LimitLearned<'a> { limit: &'static str, address: &'a str, refused: &'a str, allowed: u32, configured: u32 }
    LIMITS_LEARNED [this.limit], |this| {
        warn!(
            address = this.address,
            refused = this.refused,
            allowed = this.allowed,
            configured = this.configured,
            "the venue allows fewer {}: planned anew",
            this.limit
        );
    }
}
event! { /// The venue shows another position than the chain of fills.
    Contradicted<'a> { influencer: &'a InfluencerId, market: &'a str, expected: Position, found: Position, time: i64 }
    CONTRADICTED [], |this| {
        let (expected, found) = (this.expected.0.to_string(), this.found.0.to_string());
        warn!(influencer = %this.influencer, market = this.market, expected, found, time = this.time,
            "the venue contradicts the chain of fills: history is read, the position is in doubt");
    }
}
event! { /// Followed from now on.
    InfluencerAdded<'a> { followed: &'a Followed }
    FOLLOWED ["added"], |this| {
        info!(influencer = %this.followed.influencer, account = %this.followed.account, "following");
    }
}
event! { /// Followed in another way from now on.
    InfluencerChanged<'a> { followed: &'a Followed }
    FOLLOWED ["changed"], |this| {
        info!(influencer = %this.followed.influencer, settings = %this.followed.listed, "followed in another way");
    }
}
event! { /// Followed from another time on, or not yet.
    StartChanged<'a> { followed: &'a Followed, begins_anew: bool }
    FOLLOWED ["start_changed"], |this| {
        let influencer = &this.followed.influencer;
        if this.begins_anew {
            info!(%influencer, start = this.followed.start, "the start is another one: nothing happened yet, it begins anew there");
        } else {
            warn!(%influencer, start = this.followed.start, "the start is another one, and something is out already: it holds once the influencer is removed and added again, and from the removal on at the earliest");
        }
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
            GapKind::Silent => "silent",
            GapKind::Shed => "shed",
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
