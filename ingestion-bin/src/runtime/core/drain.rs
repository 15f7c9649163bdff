//! What an account machine puts out: records to the journal, questions to the info API, listeners to recycle.

use super::{Asked, Core};
use crate::account::{Fate, Output, Record, Refusal};
use crate::record::{AccountBody, Arrival, Body, RefusalBody};
use crate::render::EventReader;
use crate::runtime::events::{GapChanged, ListenerRecycled, Refused};

impl Core {
    pub(super) fn drain(&mut self, account: [u8; 20]) {
        let at_ms = Self::now_ms();
        loop {
            let Some(slot) = self.slots.get_mut(&account) else { return };
            let Some(output) = slot.machine.poll_output() else { break };
            match output {
                Output::Record(record) => self.record(account, &record, at_ms),
                Output::Ask { stream, start, id } => {
                    let priority = slot.followed.priority;
                    // A new question of a stream voids the one before it: that one is not worth its weight any more.
                    self.asks.retain(|asked| (asked.account, asked.stream) != (account, stream));
                    let epoch = slot.machine.ledger().epoch();
                    self.asks.push_back(Asked { account, stream, start, id, priority, epoch });
                    self.asking.notify_one();
                }
                Output::Recycle { listener } => {
                    self.telemetry.emit(&ListenerRecycled { listener });
                    if let Some(control) = self.controls.get(listener) {
                        control.recycle();
                    }
                }
            }
        }
        let deadline = self.slots.get(&account).and_then(|slot| slot.machine.poll_timeout());
        if deadline.is_some_and(|at| self.armed.is_none_or(|armed| at < armed)) {
            self.armed = deadline;
            self.timer.notify_one();
        }
    }

    fn record(&mut self, account: [u8; 20], record: &Record<Arrival>, at_ms: u64) {
        let Some(slot) = self.slots.get_mut(&account) else { return };
        let opened_at = slot.opened_at(record, at_ms);
        let mut replaces = None;
        match record {
            Record::Event(event) => {
                slot.newest = slot.newest.max(Some(event.time));
                self.meters.event(event.fate, event.late);
                if event.fate == Fate::Signal && (event.revision > 0 || event.supersedes.is_some()) {
                    let key = event.supersedes.unwrap_or(event.key);
                    replaces = (self.find_signal)(account, key, event.time);
                }
            }
            Record::Gap(gap) => {
                self.telemetry.emit(&GapChanged { influencer: &slot.followed.influencer, gap });
            }
            Record::Refused { reason, payload, .. } => {
                let reason = match reason {
                    Refusal::LegMismatch | Refusal::Twin => "leg_mismatch",
                };
                let detail = "a known fill came with other content, or the same content under another id";
                self.telemetry.emit(&Refused { reason, detail, raw: &payload.raw });
                let fill = EventReader::default().fill(payload.row, &payload.raw).ok();
                let source_event_id = fill.and_then(|fill| fill.source_event_id().ok());
                self.outbox.put(&Body::Refusal(RefusalBody {
                    stage: "validate",
                    reason,
                    detail: detail.into(),
                    account: Some(account),
                    source_event_id: source_event_id.map(Into::into),
                    received_at_ns: payload.received_at_ns,
                    listener: payload.listener,
                    connection: payload.connection,
                    length: payload.raw.len() as u64,
                    payload: Some(&payload.raw),
                }));
            }
            Record::Epoch { .. }
            | Record::Baseline { .. }
            | Record::Absorbed { .. }
            | Record::Certified { .. }
            | Record::Removed => {}
        }
        let Some(slot) = self.slots.get(&account) else { return };
        let stamp = slot.stamp(&self.config.network, at_ms);
        if let Some(body) = AccountBody::of(stamp, record, opened_at, replaces) {
            self.outbox.put(&Body::Account(body));
        }
    }
}
