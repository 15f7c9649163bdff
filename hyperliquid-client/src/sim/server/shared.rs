//! What the tasks of the server and the handle share: the venue behind one lock, the queues of the sockets, the clock.
//! The lock is held for one step of the venue and never across an await.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, watch};

use super::super::venue::{Admission, ConnId, Out, Venue};

/// How far the play has come.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum SimPhase {
    /// Waiting for subscriptions, or warming up.
    Waiting,
    /// Blocks are being played.
    Playing,
    /// The source has ended; the venue keeps serving.
    Finished,
}

/// The way to one socket's writer.
struct Line {
    queue: mpsc::Sender<Out>,
    kill: Arc<Notify>,
}

/// What the task of a new socket needs.
pub(super) struct NewLine {
    pub(super) id: ConnId,
    /// Frames to be written.
    pub(super) frames: mpsc::Receiver<Out>,
    /// The socket is to end at once.
    pub(super) kill: Arc<Notify>,
}

struct Inner {
    venue: Venue,
    lines: HashMap<ConnId, Line>,
}

/// See the module.
pub(in crate::sim) struct Shared {
    inner: Mutex<Inner>,
    started: Instant,
    queue_frames: usize,
    /// The driver must look at its deadline again.
    pub(super) wake: Notify,
    /// A socket's writer took something out of its queue.
    pub(super) room: Notify,
    /// `userFills` subscriptions now.
    subscribed: watch::Sender<usize>,
    phase: watch::Sender<SimPhase>,
    phase_lock: Mutex<SimPhase>,
    phase_changed: Condvar,
    paused: watch::Sender<bool>,
    stop: watch::Sender<bool>,
}

impl Shared {
    pub(in crate::sim) fn new(venue: Venue, queue_frames: usize) -> Self {
        Self {
            inner: Mutex::new(Inner { venue, lines: HashMap::new() }),
            started: clock(),
            queue_frames: queue_frames.max(16),
            wake: Notify::new(),
            room: Notify::new(),
            subscribed: watch::Sender::new(0),
            phase: watch::Sender::new(SimPhase::Waiting),
            phase_lock: Mutex::new(SimPhase::Waiting),
            phase_changed: Condvar::new(),
            paused: watch::Sender::new(false),
            stop: watch::Sender::new(false),
        }
    }

    /// One step of the venue, and everything it wants to send is put into the sockets' queues.
    pub(in crate::sim) fn with<T>(&self, step: impl FnOnce(&mut Venue, Duration) -> T) -> T {
        let mut inner = self.lock();
        let now = self.now();
        let result = step(&mut inner.venue, now);
        inner.flush(now);
        drop(inner);
        self.wake.notify_one();
        result
    }

    /// The venue does what is due. Does not wake the driver, which is the caller.
    pub(super) fn tick(&self) {
        let mut inner = self.lock();
        let now = self.now();
        inner.venue.handle_timeout(now);
        inner.flush(now);
    }

    /// When the venue wants to be called next.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.lock().venue.poll_timeout(self.now())
    }

    /// An upgrade request of `ip`; with an accepted one comes its line, in place before anything is sent.
    pub(super) fn connect(&self, ip: IpAddr) -> Result<NewLine, Admission> {
        let mut inner = self.lock();
        let now = self.now();
        let id = match inner.venue.connect(ip, now) {
            Admission::Accept(id) => id,
            refused @ (Admission::Refuse(_) | Admission::Hang | Admission::Cut) => return Err(refused),
        };
        let (queue, frames) = mpsc::channel(self.queue_frames);
        let kill = Arc::new(Notify::new());
        inner.lines.insert(id, Line { queue, kill: kill.clone() });
        inner.flush(now);
        drop(inner);
        self.wake.notify_one();
        Ok(NewLine { id, frames, kill })
    }

    /// A socket ended.
    pub(super) fn close_line(&self, id: ConnId) {
        self.lock().lines.remove(&id);
        self.with(|venue, now| venue.disconnected(id, now));
        self.count_subscriptions();
        self.room.notify_one();
    }

    /// Whether every queue is at most half full.
    pub(in crate::sim) fn has_room(&self) -> bool {
        let half = self.queue_frames / 2;
        self.lock().lines.values().all(|line| line.queue.capacity() >= half)
    }

    pub(super) fn count_subscriptions(&self) {
        let count = self.lock().venue.status().user_fills_subscriptions;
        self.subscribed.send_if_modified(|now| std::mem::replace(now, count) != count);
    }

    pub(super) fn subscribed(&self) -> watch::Receiver<usize> {
        self.subscribed.subscribe()
    }

    pub(super) fn set_phase(&self, phase: SimPhase) {
        self.phase.send_replace(phase); // first, so that a thread which waited reads it too
        *self.phase_lock.lock().unwrap_or_else(PoisonError::into_inner) = phase;
        self.phase_changed.notify_all();
    }

    pub(in crate::sim) fn phase(&self) -> watch::Receiver<SimPhase> {
        self.phase.subscribe()
    }

    /// Blocks the calling thread until `phase` is reached or `timeout` has passed.
    pub(in crate::sim) fn wait_phase(&self, phase: SimPhase, timeout: Duration) -> bool {
        let reached = self.phase_lock.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = self.phase_changed.wait_timeout_while(reached, timeout, |now| *now < phase);
        let (reached, _) = wait.unwrap_or_else(PoisonError::into_inner);
        *reached >= phase
    }

    pub(in crate::sim) fn pause(&self, paused: bool) {
        self.paused.send_replace(paused);
    }

    pub(super) fn paused(&self) -> watch::Receiver<bool> {
        self.paused.subscribe()
    }

    pub(in crate::sim) fn stop(&self) {
        self.stop.send_replace(true);
    }

    pub(super) fn stopped(&self) -> watch::Receiver<bool> {
        self.stop.subscribe()
    }

    /// Time since the venue started.
    pub(super) fn now(&self) -> Duration {
        clock().saturating_duration_since(self.started)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn flush(&mut self, now: Duration) {
        while let Some((id, out)) = self.venue.poll_transmit(now) {
            let Some(line) = self.lines.get(&id) else { continue };
            if out == Out::Abort {
                line.kill.notify_one();
            } else if let Err(mpsc::error::TrySendError::Full(_)) = line.queue.try_send(out) {
                self.venue.too_slow(id, now);
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the venue is a program of its own: its thread owns this clock"
)]
fn clock() -> Instant {
    Instant::now()
}
