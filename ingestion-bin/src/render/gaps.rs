//! `gap.v1`.

use messaging::journal::Record;
use messaging::sink::{LineKey, Render};
use signal_domain::wire::v1::{self, GapV1};
use signal_domain::{GapState, InfluencerId};
use tracing::error;

use super::events::{decimal, gap_id, gap_kind, venue_ms};
use super::labelled::{Labelled, Labels};
use super::line_key::of_line;
use crate::account::{self, Gap};
use crate::record::{self, AccountBody, Body, Change, Stamp, Told};

/// One line for every change of a gap, and a `reset` at the beginning of every epoch of an account.
#[derive(Debug, Default)]
pub struct GapLines;

impl Labelled for GapLines {
    const SCHEMA: &'static str = v1::GAP;

    fn line<'r>(&mut self, record: &Record<'r>, line: &mut Vec<u8>) -> Option<Labels<'r>> {
        if ![record::Kind::Gap as u8, record::Kind::Epoch as u8].contains(&record.kind) {
            return None;
        }
        let Ok(Some(Body::Account(AccountBody { stamp, change }))) = record::decode(record) else {
            error!(position = record.position, "a gap record does not decode");
            return None;
        };
        let influencer = InfluencerId::parse(stamp.influencer).ok()?;
        let gap = match &change {
            Change::Epoch { .. } => GapV1::reset(&influencer, stamp.epoch, stamp.at_ms),
            Change::Gap { gap, told } => wire(&stamp, &influencer, gap, told),
            Change::Baseline { .. }
            | Change::Heard { .. }
            | Change::Event(_)
            | Change::Absorbed { .. }
            | Change::Certified { .. }
            | Change::Removed => return None,
        };
        gap.encode(line);
        Some(Labels::new(stamp.influencer, gap.gap_id, stamp.at_ms))
    }
}

impl Render for GapLines {
    fn render(&mut self, record: &Record<'_>, line: &mut Vec<u8>) -> Option<LineKey> {
        self.line(record, line).map(|_| of_line(line))
    }

    fn key_of_line(&self, line: &[u8]) -> Option<LineKey> {
        GapV1::decode(line).ok().map(|_| of_line(line))
    }
}

fn wire<'a>(stamp: &Stamp<'a>, influencer: &InfluencerId, gap: &'a Gap, told: &'a Told) -> GapV1<'a> {
    let state = match gap.state {
        account::GapState::Opened => GapState::Opened,
        account::GapState::Repaired => GapState::Repaired,
        account::GapState::Unfillable => GapState::Unfillable,
    };
    let missing =
        gap.id.expected.zip(gap.found).map(|(expected, found)| found.minus(expected.plus(gap.filled)));
    GapV1 {
        gap_id: gap_id(influencer, &gap.id, told.from_ms),
        epoch: stamp.epoch,
        influencer_id: stamp.influencer.into(),
        market: gap.id.market.as_ref().map(|market| market.as_str().into()),
        kind: gap_kind(gap.id.kind).into(),
        state: state.into(),
        from_time: told.from_ms,
        to_time: venue_ms(gap.to).max(told.from_ms),
        start_expected: gap.id.expected.and_then(decimal),
        start_found: gap.found.and_then(decimal),
        missing: missing.and_then(decimal),
        contents: (!told.contents.is_empty()).then(|| told.contents.iter().map(Into::into).collect()),
        opened_at: told.opened_at_ms,
        closed_at: told.closed_at_ms,
    }
}
