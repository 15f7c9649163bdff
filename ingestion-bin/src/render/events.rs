//! An accepted row read again: bytes to fill, fill to signal.

use std::borrow::Cow;
use std::sync::Arc;

use hyperliquid_client::decode::Decoder;
use signal_domain::{
    Account, Context, Decimal, Emission, Fill, GapKind, InfluencerId, Market, Network, Origin, Signal, Uuid,
    ids,
};

use crate::account::{self, GapId};
use crate::record::{ContextBody, EventBody, RowKind, Stamp};
use crate::translate;

/// Reads rows again. Keeps its buffers.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    decoder: Decoder,
    page: Vec<u8>,
}

/// A record that passed every check when it was accepted and does not now: damage or a bug, never the venue's.
#[derive(Debug, thiserror::Error)]
#[error("the accepted row cannot be read again: {0}")]
pub(crate) struct Unreadable(String);

impl Unreadable {
    fn because(error: impl std::fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl EventReader {
    /// The fill in these bytes.
    pub(crate) fn fill(&mut self, row: RowKind, raw: &[u8]) -> Result<Fill, Unreadable> {
        self.page.clear();
        self.page.push(b'[');
        self.page.extend_from_slice(raw);
        self.page.push(b']');
        match row {
            RowKind::Fill => {
                let page = self.decoder.fills_page(&self.page).map_err(Unreadable::because)?;
                let row = page.rows.into_iter().next().ok_or_else(|| Unreadable::because("no row"))?;
                translate::fill(&row.map_err(Unreadable::because)?, None).map_err(Unreadable::because)
            }
            RowKind::Slice => {
                let page = self.decoder.twap_fills_page(&self.page).map_err(Unreadable::because)?;
                let row = page.rows.into_iter().next().ok_or_else(|| Unreadable::because("no row"))?;
                let slice = row.map_err(Unreadable::because)?;
                translate::fill(&slice.fill, Some(slice.twap_id)).map_err(Unreadable::because)
            }
        }
    }

    /// The signal of an event; `None` for an event without one.
    pub(crate) fn signal(
        &mut self,
        stamp: &Stamp<'_>,
        event: &EventBody<'_>,
    ) -> Result<Option<Signal>, Unreadable> {
        let Some(seq) = event.seq else { return Ok(None) };
        let fill = self.fill(event.row, event.raw)?;
        let influencer = InfluencerId::parse(stamp.influencer).map_err(Unreadable::because)?;
        let network: Network = stamp.network.parse().map_err(Unreadable::because)?;
        let mut emission =
            Emission::new(influencer.clone(), Account::from_bytes(stamp.account), network, origin(event));
        emission.received_at_ms = event.received_at_ns / 1_000_000;
        emission.epoch = stamp.epoch;
        emission.seq = seq;
        emission.more = event.more;
        emission.late = event.late;
        // A signal names the break of its own chain, which begins at a signal before it.
        emission.gap_id = event.gap.as_ref().map(|gap| gap_id(&influencer, gap, venue_ms(gap.from)));
        emission.listener = Some(listener_name(event.listener));
        emission.revision = event.revision;
        emission.supersedes = event.supersedes_signal.map(Uuid::from_bytes);
        emission.context = event.context.as_ref().map(context);
        Signal::from_fill(fill, emission).map_err(Unreadable::because)
    }
}

/// Texts were numbers when they were recorded.
fn context(recorded: &ContextBody<'_>) -> Context {
    let decimal = |text: &Option<Cow<'_, str>>| text.as_deref().and_then(|text| Decimal::parse(text).ok());
    Context {
        account_value: decimal(&recorded.account_value),
        leverage: recorded.leverage.and_then(|times| Decimal::from_parts(times.into(), 0).ok()),
        margin_mode: recorded.margin_mode.as_deref().map(Into::into),
        entry_price: decimal(&recorded.entry_price),
        as_of: recorded.as_of,
    }
}

/// The path by which the row came.
pub(super) const fn origin(event: &EventBody<'_>) -> Origin {
    match event.origin {
        0 => Origin::Live,
        1 => Origin::Snapshot,
        _ => Origin::Backfill,
    }
}

/// `a`, `b`, ... for listeners, `info` for the info API.
pub(super) fn listener_name(listener: u8) -> Arc<str> {
    match listener {
        0..=25 => char::from(b'a' + listener).to_string().into(),
        u8::MAX => "info".into(),
        other => other.to_string().into(),
    }
}

/// The published id of a gap that begins at `from_ms`.
pub(crate) fn gap_id(influencer: &InfluencerId, gap: &GapId, from_ms: u64) -> Uuid {
    let market = gap.market.as_ref().and_then(|market| Market::from_name(market.as_str()).ok());
    let expected = gap.expected.and_then(decimal);
    ids::gap_id(influencer, market.as_ref(), gap_kind(gap.kind), from_ms, expected)
}

pub(crate) const fn gap_kind(kind: account::GapKind) -> GapKind {
    match kind {
        account::GapKind::Chain => GapKind::Chain,
        account::GapKind::Outage => GapKind::Outage,
        account::GapKind::Conflict => GapKind::Conflict,
        account::GapKind::History => GapKind::History,
        account::GapKind::Silent => GapKind::Silent,
        account::GapKind::Shed => GapKind::Shed,
    }
}

/// A position as our decimal. Positions are rounded when they are made, so they always fit.
pub(super) fn decimal(position: account::Position) -> Option<Decimal> {
    Decimal::parse(&position.0.normalize().to_string()).ok()
}

/// Venue ms as published; "before everything" is 0.
pub(crate) fn venue_ms(time: i64) -> u64 {
    u64::try_from(time).unwrap_or(0)
}
