//! `signal.v1`.

use std::borrow::Cow;

use messaging::journal::Record;
use messaging::sink::{LineKey, Render};
use signal_domain::Signal;
use signal_domain::wire::v1::{self, SignalV1};
use tracing::error;

use super::events::EventReader;
use super::labelled::{Labelled, Labels};
use crate::record::{self, AccountBody, Body, Change, Stamp};

/// One line for every event that makes a signal.
#[derive(Debug, Default)]
pub struct SignalLines {
    reader: EventReader,
    key_has_market: bool,
}

impl SignalLines {
    /// The same, each with influencer and market as its key.
    #[must_use]
    pub fn keyed_by_market(self) -> Self {
        Self { key_has_market: true, ..self }
    }

    fn key<'r>(&self, influencer: &'r str, market: &str) -> Cow<'r, str> {
        if self.key_has_market { format!("{influencer}|{market}").into() } else { influencer.into() }
    }

    /// The signal, and when its bytes were read, unix ns.
    fn signal<'r>(&mut self, record: &Record<'r>) -> Option<(Stamp<'r>, Signal, u64)> {
        if record.kind != record::Kind::Event as u8 {
            return None;
        }
        let body = record::decode(record);
        let Ok(Some(Body::Account(AccountBody { stamp, change: Change::Event(event) }))) = body else {
            error!(position = record.position, "an event record does not decode");
            return None;
        };
        match self.reader.signal(&stamp, &event) {
            Ok(signal) => signal.map(|signal| (stamp, signal, event.received_at_ns)),
            Err(unreadable) => {
                error!(position = record.position, %unreadable, "an event record makes no signal");
                None
            }
        }
    }
}

impl Labelled for SignalLines {
    const SCHEMA: &'static str = v1::SIGNAL;

    fn line<'r>(&mut self, record: &Record<'r>, line: &mut Vec<u8>) -> Option<Labels<'r>> {
        let (stamp, signal, received_ns) = self.signal(record)?;
        SignalV1::from(&signal).encode(line);
        let key = self.key(stamp.influencer, signal.market().name());
        let labels = Labels::new(key, signal.signal_id(), stamp.at_ms);
        Some(Labels { received_ns: Some(received_ns), ..labels })
    }

    #[cfg(feature = "kafka")]
    fn labels_of_line(&self, line: &[u8], at_ms: u64) -> Option<Labels<'static>> {
        let signal = SignalV1::decode(line).ok()?;
        let key = self.key(&signal.influencer_id, &signal.market).into_owned();
        Some(Labels::new(key, signal.signal_id, at_ms))
    }
}

impl Render for SignalLines {
    fn render(&mut self, record: &Record<'_>, line: &mut Vec<u8>) -> Option<LineKey> {
        self.line(record, line)?.id.map(|id| LineKey::of_id(*id.as_bytes()))
    }

    fn key_of_line(&self, line: &[u8]) -> Option<LineKey> {
        SignalV1::decode(line).ok().map(|signal| LineKey::of_id(*signal.signal_id.as_bytes()))
    }
}
