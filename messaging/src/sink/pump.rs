//! Moves records from the journal's durable part into one sink and keeps its cursor. No thread and no clock: `now` is
//! the caller's, one [`Pump::step`] does a bounded piece of work and says when the next one is due.
//!
//! A step reads at most one batch and delivers it whole, or hands it to a sink that delivers while others work: then the
//! next step may follow before it arrived, until `batch_bytes` are on their way. The cursor is stored behind what is
//! delivered, every so many records or so often. A failure leaves everything where it was and is tried again after a pause that grows from
//! `pause_min` to `pause_max`; nothing is read meanwhile, so memory stays at one batch.
//! A hole in the journal is the [`Owner`]'s: everything before it is delivered first, then it is asked until it says
//! that the hole may be passed. So is a record that the target refuses for good.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::backoff::Backoff;
use super::saver::Saver;
use super::status::Board;
use super::{Delivered, Hole, Owner, REMEMBERED, Ring, Sink, SinkError, SinkStatus, SinkWatch, Verdict};
use crate::journal::{Cursor, Journal, Limit, Origin, Read, ReadError, Reader};

/// How a pump paces itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PumpConfig {
    /// Records read before they are delivered, at most; and at most half of [`REMEMBERED`].
    pub batch_records: usize,
    /// The same in bytes of what the sink makes of them; and the most that is on its way at once.
    pub batch_bytes: usize,
    /// How far the journal is read: what is synced, or also what power loss may still take.
    pub limit: Limit,
    /// Time between two deliveries while there is less than a batch to deliver.
    pub deliver_interval: Duration,
    /// Records delivered before the cursor is stored.
    pub cursor_records: u64,
    /// Time after which it is stored in any case.
    pub cursor_interval: Duration,
    /// The pause after a first failure.
    pub pause_min: Duration,
    /// The longest pause; each is twice the one before.
    pub pause_max: Duration,
}

impl Default for PumpConfig {
    fn default() -> Self {
        Self {
            batch_records: 1_024,
            batch_bytes: 1 << 20,
            limit: Limit::Synced,
            deliver_interval: Duration::from_millis(10),
            cursor_records: 4_096,
            cursor_interval: Duration::from_secs(1),
            pause_min: Duration::from_millis(10),
            pause_max: Duration::from_secs(1),
        }
    }
}

/// What to do before the next step.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "step again when it says"]
pub enum Next {
    /// Step again at once.
    Now,
    /// Step at this instant, not earlier.
    At(Instant),
    /// Everything durable is delivered. Step when the journal has moved, or at this instant if there is one.
    Idle(Option<Instant>),
    /// Asked to drain, and everything durable is delivered and the cursor stored: stepping on is for a change of mind.
    Drained,
    /// The sink cannot go on, see [`super::SinkStatus::last_error`]; every further step answers this too.
    Ended,
}

/// While something is on its way it is looked after at least this often, so that one that stands still is noticed.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Why a step did not get on.
#[derive(Debug, thiserror::Error)]
enum Stuck {
    #[error(transparent)]
    Sink(#[from] SinkError),
    #[error(transparent)]
    Journal(#[from] ReadError),
    #[error("cannot store the cursor")]
    Cursor(#[source] io::Error),
    #[error("positions {0} to {1} are lost and nobody has declared it yet")]
    Undeclared(u64, u64),
}

/// See the module.
pub struct Pump<K> {
    sink: K,
    reader: Reader,
    saver: Saver,
    owner: Box<dyn Owner>,
    config: PumpConfig,
    board: Arc<Board>,
    /// Everything before it was read and given to the sink.
    read_to: u64,
    /// Records read since the last delivery.
    unsettled: u64,
    /// Everything before it is delivered.
    delivered: u64,
    /// Holes below it were met before.
    floor: u64,
    hole: Option<Hole>,
    /// Why the sink refused the record at `read_to` for good; what came before it is delivered first.
    refused: Option<SinkError>,
    ended: bool,
    backoff: Backoff,
    deliver_at: Option<Instant>,
}

impl<K> fmt::Debug for Pump<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pump")
            .field("read_to", &self.read_to)
            .field("delivered", &self.delivered)
            .finish_non_exhaustive()
    }
}

/// How much a look into the journal gave.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Batch {
    Full,
    Part,
    Nothing,
}

impl<K: Sink> Pump<K> {
    /// Connects `sink` with the journal: it goes on where the sink and its cursor say.
    pub fn new(
        mut sink: K,
        journal: &Journal,
        cursor: Cursor,
        owner: Box<dyn Owner>,
        config: PumpConfig,
    ) -> Self {
        let progress = Arc::clone(&cursor.progress);
        let from = sink.resume(cursor.origin(), cursor.position(), progress.synced());
        let floor = match cursor.origin() {
            Origin::Resumed | Origin::Clamped(_) => cursor.position(),
            Origin::New | Origin::OtherJournal(..) | Origin::Damaged => from,
        };
        // Nothing of a batch would be no progress, no pause a spin.
        let config = PumpConfig {
            batch_records: config.batch_records.clamp(1, REMEMBERED / 2),
            batch_bytes: config.batch_bytes.max(1),
            pause_min: config.pause_min.max(Duration::from_millis(1)),
            pause_max: config.pause_max.max(Duration::from_millis(1)),
            ..config
        };
        let status = SinkStatus {
            delivered: from,
            stored: cursor.position(),
            tally: sink.tally(),
            ..SinkStatus::default()
        };
        Self {
            sink,
            reader: journal.reader(from, config.limit),
            saver: Saver::new(cursor),
            owner,
            config,
            board: Arc::new(Board::new(status, progress)),
            read_to: from,
            unsettled: 0,
            delivered: from,
            floor,
            hole: None,
            refused: None,
            ended: false,
            backoff: Backoff::default(),
            deliver_at: None,
        }
    }

    /// A view of its status that any thread may keep.
    #[must_use]
    pub fn watch(&self) -> SinkWatch {
        SinkWatch::new(Arc::clone(&self.board))
    }

    /// Has `ring` called when a step is worth while again because something arrived.
    pub fn rings(&mut self, ring: Ring) {
        self.sink.rings(ring);
    }

    /// The sink itself.
    #[must_use]
    pub fn sink(&self) -> &K {
        &self.sink
    }

    /// Does what is due at `now`. When `draining` nothing waits for more to come: what is durable is delivered and the
    /// cursor stored.
    pub fn step(&mut self, now: Instant, draining: bool) -> Next {
        if self.ended {
            return Next::Ended;
        }
        if let Some(until) = self.backoff.until().filter(|until| now < *until) {
            return Next::At(until);
        }
        let next = match self.work(now, draining) {
            Ok(next) => {
                self.backoff.clear();
                if let Some(ended) = self.board.going_on() {
                    tracing::info!(sink = self.saver.name(), attempts = ended.attempts, "sink goes on");
                }
                next
            }
            Err(stuck) => self.stuck(&stuck, now),
        };
        self.report();
        next
    }

    fn stuck(&mut self, stuck: &Stuck, now: Instant) -> Next {
        if let Some(error) = self.board.stuck(now, stuck) {
            tracing::error!(sink = self.saver.name(), error, "sink does not get on");
        }
        if matches!(stuck, Stuck::Sink(error) if error.is_final()) {
            self.ended = true;
            return Next::Ended;
        }
        // What is delivered is delivered, whatever stands in the way of the rest.
        self.save_if_due(now);
        self.backoff.fail(now, &self.config);
        Next::At(self.backoff.until().unwrap_or(now))
    }

    fn work(&mut self, now: Instant, draining: bool) -> Result<Next, Stuck> {
        if !self.settle(now)? {
            self.save_if_due(now);
            return Ok(self.idle(now));
        }
        if let Some(at) = self.deliver_at.filter(|at| !draining && now < *at) {
            return Ok(Next::At(at));
        }
        if self.saver.must(&self.sink.tally(), &self.config) {
            self.save(now).map_err(Stuck::Cursor)?;
        }
        let batch = self.read_batch()?;
        let goes_on = self.settle(now)?;
        self.save_if_due(now);
        match batch {
            Batch::Full if goes_on && self.sink.waiting_bytes() < self.config.batch_bytes => Ok(Next::Now),
            Batch::Full => Ok(self.idle(now)),
            Batch::Part => {
                let at = now + self.config.deliver_interval;
                self.deliver_at = Some(at);
                Ok(if draining { Next::Now } else { Next::At(at) })
            }
            Batch::Nothing if !draining || self.is_on_its_way() => Ok(self.idle(now)),
            Batch::Nothing => {
                if self.delivered > self.saver.stored() {
                    self.save(now).map_err(Stuck::Cursor)?;
                }
                Ok(Next::Drained)
            }
        }
    }

    /// Nothing to do before the journal moves or something arrives.
    fn idle(&self, now: Instant) -> Next {
        let due = self.saver.due_at(&self.config);
        let look = self.is_on_its_way().then(|| now + LOOK_AGAIN);
        Next::Idle(due.into_iter().chain(look).min())
    }

    fn is_on_its_way(&self) -> bool {
        self.read_to > self.delivered || self.sink.waiting_bytes() > 0
    }

    /// Gives the sink what there is, up to one batch or the next hole.
    fn read_batch(&mut self) -> Result<Batch, Stuck> {
        let mut records = 0;
        while records < self.config.batch_records && self.sink.waiting_bytes() < self.config.batch_bytes {
            let hole = match self.reader.next() {
                Ok(None) => {
                    self.read_to = self.read_to.max(self.reader.position());
                    return Ok(if records > 0 { Batch::Part } else { Batch::Nothing });
                }
                Ok(Some(Read::Record(record))) => {
                    if let Err(error) = self.sink.accept(&record) {
                        self.refused = Some(error);
                        return Ok(Batch::Full);
                    }
                    self.read_to = record.position + 1;
                    self.unsettled += 1;
                    records += 1;
                    continue;
                }
                Ok(Some(Read::PassedOver(damaged))) => {
                    self.owner.on_passed_over(&damaged);
                    continue;
                }
                Ok(Some(Read::Damage(damage))) => Hole::Damage(damage),
                Ok(Some(Read::Gone { from, to })) => Hole::Gone { from, to },
                // The reader stays where it is; what came before is delivered first.
                Err(_) if records > 0 => return Ok(Batch::Full),
                Err(error) => return Err(error.into()),
            };
            match hole.from(self.floor) {
                Some(hole) => {
                    self.hole = Some(hole);
                    return Ok(Batch::Full);
                }
                None => self.read_to = self.reader.position(),
            }
        }
        Ok(Batch::Full)
    }

    /// Delivers what was read, then deals with what stopped the reading; false while that waits for what is on its way.
    fn settle(&mut self, now: Instant) -> Result<bool, Stuck> {
        while self.is_on_its_way() {
            match self.sink.flush(now) {
                Ok(Delivered::All) => {
                    self.moved(self.read_to, now);
                    break;
                }
                Ok(Delivered::Before(position)) => {
                    if position > self.delivered {
                        self.moved(position.min(self.read_to), now);
                    }
                    return Ok(self.hole.is_none() && self.refused.is_none());
                }
                Err(SinkError::Rejected(rejected)) => {
                    if self.owner.on_rejected(&rejected) == Verdict::Wait {
                        return Err(SinkError::Rejected(rejected).into());
                    }
                    self.sink.pass(rejected.position);
                }
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(hole) = self.hole {
            let (from, to) = hole.span();
            if self.owner.on_hole(&hole) == Verdict::Wait {
                return Err(Stuck::Undeclared(from, to));
            }
            self.hole = None;
            tracing::warn!(sink = self.saver.name(), from, to, "positions lost to the sink");
            self.board.lost(to - from);
            self.read_to = to;
            self.moved(to, now);
        }
        self.refused.take().map_or(Ok(true), |error| Err(error.into()))
    }

    fn moved(&mut self, to: u64, now: Instant) {
        self.delivered = to;
        let records = std::mem::take(&mut self.unsettled);
        self.board.records(records);
        self.saver.delivered(records, now);
        self.owner.on_delivered(to);
    }

    fn save(&mut self, now: Instant) -> io::Result<()> {
        self.saver.store(self.delivered, &self.sink.tally(), now, &self.config)
    }

    /// A store that fails stops nothing: the saver sets the pace of the next try.
    fn save_if_due(&mut self, now: Instant) {
        if self.saver.due(now, &self.config)
            && let Err(error) = self.save(now)
        {
            self.board.error(&Stuck::Cursor(error));
        }
    }

    fn report(&self) {
        self.board.standing(self.delivered, self.saver.stored(), self.sink.tally(), self.ended);
    }
}
