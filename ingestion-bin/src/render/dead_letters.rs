//! `deadletter.v1`.

use messaging::journal::Record;
use messaging::sink::{LineKey, Render};
use signal_domain::wire::v1::{self, DeadLetterV1};
use signal_domain::{Account, Refusal, RefusedPayload};
use tracing::error;

use super::labelled::{Labelled, Labels};
use super::line_key::of_line;
use crate::record::{self, Body, RefusalBody};

/// One line for everything refused.
#[derive(Debug, Default)]
pub struct DeadLetterLines;

impl Labelled for DeadLetterLines {
    const SCHEMA: &'static str = v1::DEAD_LETTER;

    fn line<'r>(&mut self, record: &Record<'r>, line: &mut Vec<u8>) -> Option<Labels<'r>> {
        if record.kind != record::Kind::Refusal as u8 {
            return None;
        }
        let Ok(Some(Body::Refusal(body))) = record::decode(record) else {
            error!(position = record.position, "a refusal record does not decode");
            return None;
        };
        let Some(refusal) = refusal(&body, record.position) else {
            error!(
                position = record.position,
                stage = body.stage,
                reason = body.reason,
                "a refusal of no known reason"
            );
            return None;
        };
        DeadLetterV1::from(&refusal).encode(line);
        let id = refusal.id();
        let key = refusal.account.map_or_else(|| id.to_string(), |account| account.to_string());
        let is_alone = refusal.account.is_none();
        Some(Labels { is_alone, ..Labels::new(key, id, body.received_at_ns / 1_000_000) })
    }
}

impl Render for DeadLetterLines {
    fn render(&mut self, record: &Record<'_>, line: &mut Vec<u8>) -> Option<LineKey> {
        self.line(record, line).map(|_| of_line(line))
    }

    fn key_of_line(&self, line: &[u8]) -> Option<LineKey> {
        DeadLetterV1::decode(line).ok().map(|_| of_line(line))
    }
}

fn refusal<'a>(body: &'a RefusalBody<'a>, position: u64) -> Option<Refusal<'a>> {
    Some(Refusal {
        stage: body.stage.parse().ok()?,
        reason: body.reason.parse().ok()?,
        detail: &body.detail,
        attempts: 1,
        account: body.account.map(Account::from_bytes),
        source_event_id: body.source_event_id.as_deref(),
        payload: body.payload.map_or(RefusedPayload::Dropped { length: body.length }, RefusedPayload::Kept),
        position: Some(position),
        received_at_ns: body.received_at_ns,
    })
}
