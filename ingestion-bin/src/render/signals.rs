//! `signal.v1`.

use messaging::journal::Record;
use messaging::sink::{LineKey, Render};
use signal_domain::wire::v1::SignalV1;
use tracing::error;

use super::events::EventReader;
use crate::record::{self, AccountBody, Body, Change};

/// One line for every event that makes a signal.
#[derive(Debug, Default)]
pub struct SignalLines {
    reader: EventReader,
}

impl Render for SignalLines {
    fn render(&mut self, record: &Record<'_>, line: &mut Vec<u8>) -> Option<LineKey> {
        if record.kind != record::Kind::Event as u8 {
            return None;
        }
        let body = record::decode(record);
        let Ok(Some(Body::Account(AccountBody { stamp, change: Change::Event(event) }))) = body else {
            error!(position = record.position, "an event record does not decode");
            return None;
        };
        match self.reader.signal(&stamp, &event) {
            Ok(signal) => signal.map(|signal| {
                SignalV1::from(&signal).encode(line);
                LineKey::of_id(*signal.signal_id().as_bytes())
            }),
            Err(unreadable) => {
                error!(position = record.position, %unreadable, "an event record makes no signal");
                None
            }
        }
    }

    fn key_of_line(&self, line: &[u8]) -> Option<LineKey> {
        SignalV1::decode(line).ok().map(|signal| LineKey::of_id(*signal.signal_id.as_bytes()))
    }
}
