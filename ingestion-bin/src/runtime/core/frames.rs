//! Frames into the account machines, and what is refused or merely kept on the way.

use std::time::{Duration, Instant};

use hyperliquid_client::decode::{Decoded, Frame, Row as VenueRow, RowRefusal};
use hyperliquid_client::io::{Received, Refused as RefusedFrame};
use hyperliquid_client::wire::{Address, Fill, TwapFill};

use super::Core;
use super::lines::Stand;
use crate::account::{ClockSource, Intake, Stream};
use crate::record::{Arrival, Body, RawBody, RefusalBody, RowKind};
use crate::runtime::events::{Drifted, FrameRefused, FrameShed, Refused, Unfollowed, UnknownChannel};
use crate::translate;

/// Refused bytes above this are not kept, only their length.
const REFUSED_BYTES_KEPT: usize = 8 << 20;

/// Where something came from.
#[derive(Clone, Copy, Debug)]
pub(in crate::runtime) struct From {
    pub(in crate::runtime) line: usize,
    /// Which listener of its accounts the line is.
    pub(in crate::runtime) leg: usize,
    pub(in crate::runtime) connection: u64,
}

/// The info API in records.
pub(super) const INFO: From = From { line: usize::MAX, leg: u8::MAX as usize, connection: 0 };

impl From {
    pub(super) fn label(self) -> u8 {
        u8::try_from(self.leg).unwrap_or(u8::MAX - 1)
    }
}

/// The rows of one frame, whichever stream they came on.
trait AsFill<'a> {
    fn fill(&self) -> &Fill<'a>;
}

impl<'a> AsFill<'a> for Fill<'a> {
    fn fill(&self) -> &Self {
        self
    }
}

impl<'a> AsFill<'a> for TwapFill<'a> {
    fn fill(&self) -> &Fill<'a> {
        &self.fill
    }
}

impl Core {
    pub(in crate::runtime) fn handle_frame(
        &mut self,
        from: From,
        message: &Decoded<'_>,
        raw: &[u8],
        at: Received,
    ) {
        if message.drift.any() {
            self.telemetry.emit(&Drifted { drift: message.drift });
        }
        self.meters.message(&message.frame);
        self.look_at_journal(at.at);
        match &message.frame {
            Frame::Fills(frame) => {
                self.rows(from, frame.user, Stream::Fills, frame.is_snapshot, &frame.rows, at);
            }
            Frame::TwapFills(frame) => {
                self.rows(from, frame.user, Stream::Twap, frame.is_snapshot, &frame.rows, at);
            }
            Frame::AllStates { user, states } => self.states(from, *user, states, at),
            Frame::State { user, state } => {
                self.states(from, *user, std::slice::from_ref(&Ok((**state).clone())), at);
            }
            Frame::Unknown { channel } => {
                self.telemetry.emit(&UnknownChannel { channel });
                self.keep_unknown(from, raw, at);
            }
            Frame::OrderUpdates(rows) => self.order_updates(from, rows, raw, at),
            Frame::UserEvents(_) | Frame::Trades(_) => {
                self.telemetry.emit(&UnknownChannel { channel: "not subscribed" });
                self.keep_unknown(from, raw, at);
            }
            Frame::Ack { .. }
            | Frame::VenueError(_)
            | Frame::Pong
            | Frame::Post { .. }
            | Frame::Greeting(_) => {}
        }
        if self.lines.get(&from.line).is_some_and(|line| matches!(line.stand, Stand::Succeeds(_))) {
            self.go_on_replacing(at.at);
        }
        self.flush();
    }

    fn rows<'a, T: AsFill<'a>>(
        &mut self,
        from: From,
        user: Address,
        stream: Stream,
        snapshot: bool,
        rows: &[VenueRow<'a, T>],
        at: Received,
    ) {
        let account = *user.as_bytes();
        // A line it left may still have had something on its way.
        let followed = self.slots.get(&account).filter(|slot| slot.leaving.is_none());
        let Some(seat) = followed.and_then(|slot| slot.seat_on(from.line)) else {
            self.unfollowed(from, account, stream, rows, at);
            return;
        };
        if self.outbox.is_blocked() {
            self.telemetry.emit(&FrameRefused { rows: rows.len() });
            self.with_slot(account, |slot| slot.machine.handle_refused(at.at));
            return;
        }
        let kind = match stream {
            Stream::Fills => RowKind::Fill,
            Stream::Twap => RowKind::Slice,
        };
        let mut identified = std::mem::take(&mut self.scratch);
        identified.clear();
        let mut bytes: Vec<&[u8]> = Vec::with_capacity(rows.len());
        for row in rows {
            match row {
                Ok(row) => {
                    let Some(slot) = self.slots.get_mut(&account) else { break };
                    match slot.identifier.row(row.fill()) {
                        Ok(row_of_ours) => {
                            identified.push(row_of_ours);
                            bytes.push(row.fill().raw);
                        }
                        Err(error) => {
                            let (reason, detail) = (error.reason().as_str(), error.to_string());
                            self.refuse(
                                from,
                                Some(account),
                                "normalize",
                                reason,
                                &detail,
                                row.fill().raw,
                                at,
                            );
                        }
                    }
                }
                Err(refusal) => self.refuse_row(from, Some(account), refusal, at),
            }
        }
        self.meters.rows(snapshot, identified.len());
        let newest = identified.iter().map(|row| row.time).max();
        let make = |index: usize| Arrival {
            row: kind,
            raw: bytes.get(index).copied().unwrap_or_default().into(),
            received_at_ns: at.unix_ns,
            listener: from.label(),
            connection: from.connection,
        };
        let mut passed_over = 0;
        let taken = self.with_slot(account, |slot| {
            let before = slot.machine.counts().passed_over;
            let taken = slot.machine.handle_frame(seat, stream, snapshot, &identified, make, at.at);
            passed_over = slot.machine.counts().passed_over - before;
            taken
        });
        self.meters.passed_over.add(passed_over);
        if taken == Some(Intake::Refused) {
            if self.sheds_rows(account) {
                self.telemetry.emit(&FrameShed { rows: identified.len() });
            } else {
                self.telemetry.emit(&FrameRefused { rows: identified.len() });
            }
        }
        if snapshot {
            self.go_on_moving(at.at);
            self.go_on_replacing(at.at);
        }
        self.scratch = identified;
        if !snapshot {
            self.measure(from, account, newest, at);
        }
        self.heard(account, newest.filter(|_| !snapshot), at.at);
        if let Some(time) = newest.filter(|_| !snapshot) {
            self.handle_shown_time(ClockSource::Listener(from.label()), time, at.at);
        }
    }

    fn unfollowed<'a, T: AsFill<'a>>(
        &mut self,
        from: From,
        account: [u8; 20],
        stream: Stream,
        rows: &[VenueRow<'a, T>],
        at: Received,
    ) {
        self.telemetry.emit(&Unfollowed { rows: rows.len() });
        for row in rows {
            match row {
                Ok(row) => {
                    let fill = translate::fill(row.fill(), None).ok();
                    let kept = Kept {
                        event_type: match stream {
                            Stream::Fills => "FILL",
                            Stream::Twap => "TWAP_FILL",
                        },
                        disposition: "unfollowed",
                        account: Some(account),
                        market: fill.as_ref().map(|fill| fill.market.name().to_owned()),
                        source_event_id: fill.and_then(|fill| fill.source_event_id().ok()),
                        time: i64::try_from(row.fill().time).ok(),
                    };
                    self.keep(from, kept, row.fill().raw, at);
                }
                Err(refusal) => self.refuse_row(from, Some(account), refusal, at),
            }
        }
    }

    /// A message of which nothing could be used.
    pub(in crate::runtime) fn handle_refused_frame(
        &mut self,
        from: From,
        refused: &RefusedFrame<'_>,
        at: Received,
    ) {
        match refused {
            RefusedFrame::TooLarge { bytes } => {
                let detail = format!("a message of {bytes} bytes is over the limit");
                self.refuse_unkept(from, refused.code(), &detail, *bytes, at);
            }
            RefusedFrame::Undecodable { error, raw } => {
                self.refuse(from, None, "decode", refused.code(), &error.to_string(), raw, at);
            }
            RefusedFrame::InvalidText { raw } => {
                self.refuse(from, None, "decode", refused.code(), "the frame is not utf-8", raw, at);
            }
            RefusedFrame::Binary { raw } => {
                self.refuse(from, None, "decode", refused.code(), "a binary frame", raw, at);
            }
            RefusedFrame::DecodePanic { raw } => {
                self.refuse(from, None, "decode", refused.code(), "our decoder panicked", raw, at);
            }
        }
        self.flush();
    }

    pub(super) fn refuse_row(
        &mut self,
        from: From,
        account: Option<[u8; 20]>,
        refusal: &RowRefusal<'_>,
        at: Received,
    ) {
        let (code, detail) = (refusal.reason.code(), refusal.to_string());
        self.refuse(from, account, "validate", code, &detail, refusal.raw, at);
    }

    /// Keeps what was refused, with its bytes; beyond the cap a minute it is only counted. A row comes again with the other listener's
    /// copy, with every snapshot and with every page of history: it is one refusal.
    #[expect(clippy::too_many_arguments, reason = "each is a field of the record")]
    pub(super) fn refuse(
        &mut self,
        from: From,
        account: Option<[u8; 20]>,
        stage: &'static str,
        reason: &'static str,
        detail: &str,
        raw: &[u8],
        at: Received,
    ) {
        let is_row = stage != "decode";
        let slot = account.filter(|_| is_row).and_then(|account| self.slots.get(&account));
        if slot.is_some_and(|slot| slot.refused_rows.knows(raw)) {
            return;
        }
        self.telemetry.emit(&Refused { reason, detail, raw });
        if self.outbox.is_blocked() || !self.may_keep_refusal(at.at) {
            return;
        }
        if let Some(slot) = account.filter(|_| is_row).and_then(|account| self.slots.get_mut(&account)) {
            slot.refused_rows.remember(raw);
        }
        self.outbox.put(&Body::Refusal(RefusalBody {
            stage,
            reason,
            detail: detail.into(),
            account,
            source_event_id: None,
            received_at_ns: at.unix_ns,
            listener: from.label(),
            connection: from.connection,
            length: raw.len() as u64,
            payload: (raw.len() <= REFUSED_BYTES_KEPT).then_some(raw),
        }));
    }

    fn refuse_unkept(&mut self, from: From, reason: &'static str, detail: &str, length: u64, at: Received) {
        self.telemetry.emit(&Refused { reason, detail, raw: &[] });
        if !self.outbox.is_blocked() && self.may_keep_refusal(at.at) {
            self.outbox.put(&Body::Refusal(RefusalBody {
                stage: "decode",
                reason,
                detail: detail.into(),
                account: None,
                source_event_id: None,
                received_at_ns: at.unix_ns,
                listener: from.label(),
                connection: from.connection,
                length,
                payload: None,
            }));
        }
    }

    fn may_keep_refusal(&mut self, now: Instant) -> bool {
        let (since, count) = &mut self.refusals;
        if since.is_none_or(|since| now.saturating_duration_since(since) >= Duration::from_secs(60)) {
            (*since, *count) = (Some(now), 0);
        }
        *count = count.saturating_add(1);
        *count <= self.config.refusals_per_minute
    }

    /// A frame of a channel we do not know, under the same cap a minute as refusals.
    pub(super) fn keep_unknown(&mut self, from: From, raw: &[u8], at: Received) {
        if self.may_keep_refusal(at.at) {
            let kept = Kept { event_type: "UNKNOWN", disposition: "stored", ..Kept::default() };
            self.keep(from, kept, raw, at);
        }
    }

    /// Keeps something that is no fill of a followed account; while the journal has no room it is only counted.
    pub(super) fn keep(&mut self, from: From, kept: Kept, raw: &[u8], at: Received) {
        if self.outbox.is_blocked() {
            self.telemetry.emit(&FrameRefused { rows: 1 });
            return;
        }
        if kept.account.is_some_and(|account| self.sheds_rows(account)) {
            self.telemetry.emit(&FrameShed { rows: 1 });
            return;
        }
        let slot = kept.account.and_then(|account| self.slots.get(&account));
        self.outbox.put(&Body::Raw(RawBody {
            account: kept.account,
            influencer: slot.map(|slot| slot.followed.influencer.as_str()),
            event_type: kept.event_type,
            disposition: kept.disposition,
            market: kept.market.map(Into::into),
            source_event_id: kept.source_event_id.map(Into::into),
            time: kept.time,
            at_ms: at.unix_ns / 1_000_000,
            received_at_ns: at.unix_ns,
            listener: from.label(),
            connection: from.connection,
            raw,
        }));
    }
}

/// What is said of something that is kept and is no fill of a followed account.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) event_type: &'static str,
    pub(super) disposition: &'static str,
    pub(super) account: Option<[u8; 20]>,
    pub(super) market: Option<String>,
    pub(super) source_event_id: Option<String>,
    pub(super) time: Option<i64>,
}
