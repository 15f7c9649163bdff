//! `state.v1`.

use messaging::journal::Record;
use messaging::sink::{LineKey, Render};
use signal_domain::wire::v1::{self, InfluencerStateV1, MarketStateV1, StateV1};
use signal_domain::{Decimal, PositionSide, Uuid};
use tracing::error;

use super::events::{decimal, venue_ms};
use super::labelled::{Labelled, Labels};
use super::line_key::of_line;
use crate::account::Market;
use crate::record::{self, Body, InfluencerNotice, MarketNotice, Notice, Stamp};

/// One line for everything told of where accounts stand.
#[derive(Debug, Default)]
pub struct StateLines;

impl Labelled for StateLines {
    const SCHEMA: &'static str = v1::STATE;

    fn line<'r>(&mut self, record: &Record<'r>, line: &mut Vec<u8>) -> Option<Labels<'r>> {
        if record.kind != record::Kind::Notice as u8 {
            return None;
        }
        let Ok(Some(Body::Notice { stamp, notice })) = record::decode(record) else {
            error!(position = record.position, "a state record does not decode");
            return None;
        };
        let Some(state) = wire(&stamp, &notice) else {
            error!(position = record.position, "a state record of no known name");
            return None;
        };
        state.encode(line);
        let is_tombstone = matches!(state, StateV1::Removed(_));
        Some(Labels { is_tombstone, ..Labels::new(state.key(), None, stamp.at_ms) })
    }
}

impl Render for StateLines {
    fn render(&mut self, record: &Record<'_>, line: &mut Vec<u8>) -> Option<LineKey> {
        self.line(record, line).map(|_| of_line(line))
    }

    fn key_of_line(&self, line: &[u8]) -> Option<LineKey> {
        StateV1::decode(line).ok().map(|_| of_line(line))
    }
}

fn wire<'a>(stamp: &Stamp<'a>, notice: &'a Notice<'a>) -> Option<StateV1<'a>> {
    Some(match notice {
        Notice::Influencer(notice) => influencer(stamp, notice)?.into(),
        Notice::Market(notice) => market(stamp, notice)?.into(),
        Notice::Removed(market) => StateV1::removed(stamp.influencer, market.as_ref().map(Market::as_str)),
    })
}

fn influencer<'a>(stamp: &Stamp<'a>, notice: &InfluencerNotice<'_>) -> Option<InfluencerStateV1<'a>> {
    let time = |time: i64| u64::try_from(time).ok();
    Some(InfluencerStateV1 {
        influencer_id: stamp.influencer.into(),
        coverage: notice.coverage.parse::<signal_domain::Coverage>().ok()?.into(),
        live_to: notice.live_to.and_then(time),
        certified_to: notice.certified_to.and_then(time),
        open_gaps: notice.open_gaps,
        account_value: notice.account_value.and_then(decimal),
        as_of: venue_ms(notice.as_of),
    })
}

fn market<'a>(stamp: &Stamp<'a>, notice: &'a MarketNotice<'a>) -> Option<MarketStateV1<'a>> {
    let size = decimal(notice.size)?;
    Some(MarketStateV1 {
        influencer_id: stamp.influencer.into(),
        market: notice.market.as_str().into(),
        side: PositionSide::of(size),
        size: size.abs(),
        entry_price: notice.entry_price.as_deref().and_then(|price| Decimal::parse(price).ok()),
        leverage: notice.leverage.and_then(|times| Decimal::from_parts(times.into(), 0).ok()),
        margin_mode: notice.margin_mode.as_deref().map(Into::into),
        source: notice.source.parse::<signal_domain::StateSource>().ok()?.into(),
        reason: notice.reason.parse::<signal_domain::StateReason>().ok()?.into(),
        epoch: stamp.epoch,
        last_seq: notice.last_seq,
        last_signal_id: notice.last_signal.map(Uuid::from_bytes),
        as_of: venue_ms(notice.as_of),
    })
}
