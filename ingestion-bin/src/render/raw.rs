//! `raw.v1`.

use messaging::journal::Record;
use messaging::sink::{LineKey, Render};
use signal_domain::wire::encoded_payload;
use signal_domain::wire::v1::{self, RawV1};
use signal_domain::{Account, Disposition, EventType, Market, Origin, Uuid, ids};
use tracing::error;

use super::events::{EventReader, listener_name, origin, venue_ms};
use super::labelled::{Labelled, Labels};
use super::line_key::of_line;
use crate::account::Fate;
use crate::record::{self, AccountBody, Body, Change, EventBody, RawBody, Stamp};

/// Which raw events are wanted; an absent part wants all.
#[derive(Clone, Debug, Default)]
pub struct RawFilter {
    /// Of this account. The journal's index only comes near: its key is a part of the address.
    pub account: Option<Account>,
    /// Of this event type.
    pub event_type: Option<EventType>,
    /// Of this market, by our name.
    pub market: Option<String>,
    /// With this id or source event id.
    pub event: Option<String>,
}

/// One line for every raw event kept.
#[derive(Debug)]
pub struct RawLines {
    journal: Uuid,
    filter: RawFilter,
    reader: EventReader,
}

impl RawLines {
    /// Lines of the journal with this identity.
    #[must_use]
    pub fn new(journal: Uuid, filter: RawFilter) -> Self {
        Self { journal, filter, reader: EventReader::default() }
    }

    fn event(
        &mut self,
        position: u64,
        stamp: &Stamp<'_>,
        event: &EventBody<'_>,
        line: &mut Vec<u8>,
    ) -> Option<Labels<'static>> {
        let account = Account::from_bytes(stamp.account);
        let event_type = event.row.event_type();
        let fill = self.reader.fill(event.row, event.raw).ok()?;
        let source_event_id = fill.source_event_id().ok()?;
        let market = fill.market.clone();
        let signal = self.reader.signal(stamp, event).ok().flatten();
        let (raw_payload, raw_encoding) = encoded_payload(event.raw);
        let disposition = match event.fate {
            Fate::Signal => Disposition::Signal,
            Fate::Baseline => Disposition::Baseline,
            Fate::Filtered => Disposition::Filtered,
            Fate::NoChange => Disposition::NoChange,
            Fate::Shed => Disposition::Shed,
        };
        let raw = RawV1 {
            id: ids::raw_event_id(Some(account), Some(&market), event_type, &source_event_id),
            journal: self.journal,
            position,
            account: Some(account),
            influencer_id: Some(stamp.influencer.into()),
            event_type: event_type.into(),
            market: Some(market.name().into()),
            source_event_id: Some(source_event_id.as_str().into()),
            raw_payload,
            raw_encoding,
            timestamp: Some(venue_ms(event.time)),
            ingested_at: stamp.at_ms,
            received_at_ns: event.received_at_ns,
            listener: listener_name(event.listener).to_string().into(),
            connection: event.connection,
            origin: origin(event).into(),
            disposition: disposition.into(),
            signal_id: signal.map(|signal| signal.signal_id()),
        };
        self.encoded(&raw, event_type, line)
    }

    fn other(&self, position: u64, body: &RawBody<'_>, line: &mut Vec<u8>) -> Option<Labels<'static>> {
        let account = body.account.map(Account::from_bytes);
        let event_type: EventType = body.event_type.parse().ok()?;
        let disposition: Disposition = body.disposition.parse().ok()?;
        let market = body.market.as_deref().and_then(|name| Market::from_name(name).ok());
        let key = body.source_event_id.clone().unwrap_or_else(|| ids::content_key(body.raw).into());
        let (raw_payload, raw_encoding) = encoded_payload(body.raw);
        let raw = RawV1 {
            id: ids::raw_event_id(account, market.as_ref(), event_type, &key),
            journal: self.journal,
            position,
            account,
            influencer_id: body.influencer.map(Into::into),
            event_type: event_type.into(),
            market: body.market.as_deref().map(Into::into),
            source_event_id: body.source_event_id.clone(),
            raw_payload,
            raw_encoding,
            timestamp: body.time.map(venue_ms),
            ingested_at: body.at_ms,
            received_at_ns: body.received_at_ns,
            listener: listener_name(body.listener).to_string().into(),
            connection: body.connection,
            origin: Origin::Live.into(),
            disposition: disposition.into(),
            signal_id: None,
        };
        self.encoded(&raw, event_type, line)
    }

    fn encoded(&self, raw: &RawV1<'_>, event_type: EventType, line: &mut Vec<u8>) -> Option<Labels<'static>> {
        if !self.wanted(raw, event_type) {
            return None;
        }
        raw.encode(line);
        Some(labels(raw, event_type))
    }

    fn wanted(&self, raw: &RawV1<'_>, event_type: EventType) -> bool {
        let filter = &self.filter;
        filter.account.is_none_or(|wanted| raw.account == Some(wanted))
            && filter.event_type.is_none_or(|wanted| wanted == event_type)
            && filter.market.as_deref().is_none_or(|wanted| raw.market.as_deref() == Some(wanted))
            && filter.event.as_deref().is_none_or(|wanted| {
                raw.source_event_id.as_deref() == Some(wanted) || raw.id.to_string() == wanted
            })
    }
}

fn labels(raw: &RawV1<'_>, event_type: EventType) -> Labels<'static> {
    let key = raw.account.map_or_else(|| raw.id.to_string(), |account| account.to_string());
    let is_alone = raw.account.is_none();
    Labels { is_alone, event_type: Some(event_type), ..Labels::new(key, raw.id, raw.ingested_at) }
}

impl Labelled for RawLines {
    const SCHEMA: &'static str = v1::RAW;

    fn line<'r>(&mut self, record: &Record<'r>, line: &mut Vec<u8>) -> Option<Labels<'r>> {
        if ![record::Kind::Event as u8, record::Kind::Raw as u8].contains(&record.kind) {
            return None;
        }
        match record::decode(record) {
            Ok(Some(Body::Account(AccountBody { stamp, change: Change::Event(event) }))) => {
                self.event(record.position, &stamp, &event, line)
            }
            Ok(Some(Body::Raw(body))) => self.other(record.position, &body, line),
            _ => {
                error!(position = record.position, "a raw record does not decode");
                None
            }
        }
    }

    #[cfg(feature = "kafka")]
    fn labels_of_line(&self, line: &[u8], _: u64) -> Option<Labels<'static>> {
        let raw = RawV1::decode(line).ok()?;
        Some(labels(&raw, raw.event_type.known()?))
    }
}

impl Render for RawLines {
    fn render(&mut self, record: &Record<'_>, line: &mut Vec<u8>) -> Option<LineKey> {
        self.line(record, line).map(|_| of_line(line))
    }

    fn key_of_line(&self, line: &[u8]) -> Option<LineKey> {
        RawV1::decode(line).ok().map(|_| of_line(line))
    }
}
