//! What an account machine puts out: records to the journal, questions to the info API, listeners to recycle.

use super::{Asked, Core};
use crate::account::{Event, Fate, Gap, Output, Record, Refusal};
use crate::record::{AccountBody, Arrival, Beside, Body, RefusalBody, event_body};
use crate::render::EventReader;
use crate::runtime::events::{GapChanged, ListenerRecycled, Refused};

impl Core {
    pub(super) fn drain(&mut self, account: [u8; 20]) {
        let at_ms = Self::now_ms();
        let Some(slot) = self.slots.get_mut(&account) else { return };
        let mut outputs = std::mem::take(&mut self.outputs);
        outputs.extend(std::iter::from_fn(|| slot.machine.poll_output()));
        let mut contents = self.contents(account, &outputs).into_iter();
        for output in outputs.drain(..) {
            let Some(slot) = self.slots.get_mut(&account) else { break };
            match output {
                Output::Record(Record::Gap(gap)) => {
                    self.gap(account, gap, contents.next().unwrap_or_default(), at_ms);
                }
                Output::Record(record) => self.record(account, record, at_ms),
                Output::Ask { stream, start, id } => {
                    let priority = slot.followed.priority;
                    // A new question of a stream voids the one before it: that one is not worth its weight any more.
                    self.asks.retain(|asked| (asked.account, asked.stream) != (account, stream));
                    let epoch = slot.machine.ledger().epoch();
                    self.asks.push_back(Asked { account, stream, start, id, priority, epoch });
                    self.asking.iter().for_each(|asking| asking.notify_one());
                }
                Output::Recycle { listener } => {
                    let Some(slot) = self.slots.get(&account) else { continue };
                    let Some(number) = slot.seats.get(&listener).copied() else { continue };
                    if let Some(line) = self.lines.get(&number) {
                        let (listener, influencer) = (line.name.as_str(), &slot.followed.influencer);
                        self.telemetry.emit(&ListenerRecycled { listener, influencer });
                    }
                    self.recycle(number);
                }
            }
        }
        self.outputs = outputs;
        let Some(slot) = self.slots.get_mut(&account) else { return };
        slot.positions.telling.covered(slot.machine.coverage());
        let deadline = slot.machine.poll_timeout().into_iter().chain(slot.telling_due()).min();
        if deadline.is_some_and(|at| self.armed.is_none_or(|armed| at < armed)) {
            self.armed = deadline;
            self.timer.notify_one();
        }
    }

    /// For every gap in `outputs` the contents it has to tell: of each key that came into conflict, the copy that counts and those
    /// that were refused. The first copy may be on its way out in the same outputs, held, or published long ago.
    fn contents(&self, account: [u8; 20], outputs: &[Output<Arrival>]) -> Vec<Vec<String>> {
        let Some(slot) = self.slots.get(&account) else { return Vec::new() };
        let records = || {
            outputs.iter().filter_map(|output| match output {
                Output::Record(record) => Some(record),
                Output::Ask { .. } | Output::Recycle { .. } => None,
            })
        };
        let of_gap = |gap: &Gap| {
            let mut contents = Vec::new();
            for key in slot.gaps.untold(gap) {
                let (mut out, mut refused) = (None, Vec::new());
                for record in records() {
                    if let Record::Event(event) = record
                        && event.key == key
                    {
                        out = Some(event.payload.raw.clone());
                    } else if let Record::Refused { key: other, payload, .. } = record
                        && *other == key
                    {
                        refused.push(payload.raw.clone());
                    }
                }
                let held = || slot.machine.waiting(key).map(|arrival| arrival.raw.clone());
                let first = out.or_else(held).or_else(|| self.published.bytes(account, key, gap.id.from));
                let texts = first.into_iter().chain(refused);
                contents.extend(texts.map(|raw| String::from_utf8_lossy(&raw).into_owned()));
            }
            contents
        };
        let gaps = records()
            .filter_map(|record| if let Record::Gap(gap) = record { Some(of_gap(gap)) } else { None });
        gaps.collect()
    }

    fn gap(&mut self, account: [u8; 20], gap: Gap, contents: Vec<String>, at_ms: u64) {
        let Some(slot) = self.slots.get_mut(&account) else { return };
        let told = slot.gaps.tell(&gap, at_ms, contents);
        slot.gaps.keep(&gap, &told);
        slot.positions.telling.gap(&gap);
        let influencer = &slot.followed.influencer;
        self.telemetry.emit(&GapChanged { influencer, gap: &gap, from_ms: told.from_ms });
        self.put(account, &Record::Gap(gap), Beside { told: Some(told), ..Beside::default() }, at_ms);
    }

    fn record(&mut self, account: [u8; 20], record: Record<Arrival>, at_ms: u64) {
        let Some(slot) = self.slots.get_mut(&account) else { return };
        let (mut venue_ms, mut supersedes) = (None, None);
        match &record {
            Record::Event(event) => {
                slot.newest = slot.newest.max(Some(event.time));
                slot.positions.telling.event(event);
                self.meters.event(event.fate, event.late);
                // What corrects or replaces another is the same event of history.
                let again = event.revision > 0 || event.supersedes.is_some();
                if !matches!(event.fate, Fate::Baseline | Fate::Shed) && !again {
                    slot.tally.published(event.time);
                }
                self.ask_state(account, event);
                supersedes = self.replaced(account, event);
            }
            Record::Refused { reason, payload, .. } => self.refused(account, *reason, payload),
            Record::Epoch { fresh, .. } => {
                slot.gaps.epoch(*fresh);
                slot.positions.book.epoch(*fresh);
            }
            Record::Baseline { .. } => {
                // A venue that shows no time at all says 0.
                venue_ms =
                    self.venue_time.known().and_then(|time| u64::try_from(time).ok()).filter(|ms| *ms > 0);
                slot.gaps.based(venue_ms.unwrap_or(at_ms));
                slot.positions.telling.based();
            }
            Record::Absorbed { gap } => slot.gaps.absorbed(gap),
            Record::Gap(_) | Record::Heard { .. } | Record::Certified { .. } | Record::Removed => {}
        }
        let beside = Beside { venue_ms, supersedes_signal: supersedes, ..Beside::default() };
        self.put(account, &record, beside, at_ms);
        if let (Record::Event(event), Some(slot)) = (record, self.slots.get(&account)) {
            let epoch = slot.machine.ledger().epoch();
            self.published.remember(account, slot.followed.influencer.clone(), epoch, event, supersedes);
        }
    }

    fn put(&mut self, account: [u8; 20], record: &Record<Arrival>, beside: Beside<'_>, at_ms: u64) {
        let Some(slot) = self.slots.get(&account) else { return };
        let signal = if let Record::Event(event) = record { event.seq.map(|_| event) } else { None };
        let context = signal.and_then(|event| slot.positions.book.context(&event.market, event.time));
        let beside = Beside { context, ..beside };
        let stamp = slot.stamp(&self.config.network, at_ms);
        if let Some(body) = AccountBody::of(stamp, record, beside) {
            self.outbox.put(&Body::Account(body));
        }
    }

    /// The signal that this one replaces. Of a correction there always is one: where the journal has let the earlier one go, it is
    /// taken to have had the same action, which alone cannot be told any more.
    fn replaced(&self, account: [u8; 20], event: &Event<Arrival>) -> Option<[u8; 16]> {
        if event.fate != Fate::Signal || (event.revision == 0 && event.supersedes.is_none()) {
            return None;
        }
        let key = event.supersedes.unwrap_or(event.key);
        self.published.signal(account, key, event.time).or_else(|| {
            let stamp = self.slots.get(&account)?.stamp(&self.config.network, 0);
            let before = Event { revision: event.revision.checked_sub(1)?, ..event.clone() };
            let signal = EventReader::default().signal(&stamp, &event_body(&before, None)).ok()??;
            Some(*signal.signal_id().as_bytes())
        })
    }

    fn refused(&mut self, account: [u8; 20], reason: Refusal, payload: &Arrival) {
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
}
