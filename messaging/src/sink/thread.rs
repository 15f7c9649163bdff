//! One thread around one [`Pump`]: steps when the journal moves or a time has come, sleeps in between.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::{Next, Pump, Sink, SinkWatch};

/// How a sink's thread ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ended {
    /// Everything durable is delivered and the cursor stored.
    Drained,
    /// Time was up first; the cursor is where it was stored last, a later run goes on there.
    TimedOut,
    /// The sink could not go on: see [`super::SinkStatus::last_error`].
    Failed,
    /// A panic in the sink or its owner: our bug.
    Panicked,
}

/// See the module. Dropping it lets the thread end after the step it is in, without draining.
#[derive(Debug)]
pub struct SinkThread {
    watch: SinkWatch,
    bell: Arc<Bell>,
    ended: Receiver<Ended>,
}

/// What the thread waits for.
#[derive(Debug, Default)]
struct Bell {
    heard: Mutex<Heard>,
    rung: Condvar,
}

#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    moved: bool,
    drain: bool,
    abandon: bool,
}

impl SinkThread {
    /// Starts the thread, named `sink-{name}`.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn spawn<K: Sink + 'static>(name: &str, mut pump: Pump<K>) -> io::Result<Self> {
        let watch = pump.watch();
        let bell = Arc::new(Bell::default());
        let (tell, ended) = sync_channel(1);
        let ear = Arc::clone(&bell);
        watch.progress().on_move(move || ear.ring(|heard| heard.moved = true));
        let ear = Arc::clone(&bell);
        pump.rings(Arc::new(move || ear.ring(|heard| heard.moved = true)));
        let (ear, seen) = (Arc::clone(&bell), watch.clone());
        thread::Builder::new().name(format!("sink-{name}")).spawn(move || {
            // The pump is dropped inside: whoever hears the end may open the same files.
            let end = catch_unwind(AssertUnwindSafe(move || run(pump, &ear))).unwrap_or(Ended::Panicked);
            seen.mark_ended(end == Ended::Panicked);
            // Nobody listens any more: then nobody wanted to know.
            let _ = tell.send(end);
        })?;
        Ok(Self { watch, bell, ended })
    }

    /// Its status; the watch outlives the thread.
    #[must_use]
    pub fn watch(&self) -> &SinkWatch {
        &self.watch
    }

    /// Asks it to deliver what is durable and to end then, and waits for nothing: before several are stopped, so that none of them begins
    /// only when another has used up the time.
    pub fn drain(&self) {
        self.bell.ring(|heard| heard.drain = true);
    }

    /// Delivers what is durable and stores the cursor, within `grace`; close the journal first, or it has no end. A thread that hangs in the disk is left
    /// behind: it ends by itself when the disk answers.
    #[must_use = "says whether everything was delivered"]
    pub fn stop(self, grace: Duration) -> Ended {
        self.drain();
        match self.ended.recv_timeout(grace) {
            Ok(ended) => ended,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => Ended::TimedOut,
        }
    }
}

impl Drop for SinkThread {
    fn drop(&mut self) {
        self.bell.ring(|heard| heard.abandon = true);
    }
}

fn run<K: Sink>(mut pump: Pump<K>, bell: &Bell) -> Ended {
    loop {
        let heard = bell.answer();
        if heard.abandon {
            return Ended::TimedOut;
        }
        let now = clock();
        match pump.step(now, heard.drain) {
            Next::Now => {}
            Next::At(at) => {
                bell.wait(at.saturating_duration_since(now), |new| new.drain != heard.drain || new.abandon);
            }
            Next::Idle(at) => {
                let pause = at.map_or(IDLE_MAX, |at| at.saturating_duration_since(now));
                bell.wait(pause, |new| new.moved || new.drain != heard.drain || new.abandon);
            }
            Next::Drained => return Ended::Drained,
            Next::Ended => return Ended::Failed,
        }
    }
}

/// The longest sleep; the journal rings anyway.
const IDLE_MAX: Duration = Duration::from_secs(60);

impl Bell {
    fn ring(&self, change: impl FnOnce(&mut Heard)) {
        change(&mut self.lock());
        self.rung.notify_all();
    }

    /// What was heard; `moved` is answered with it.
    fn answer(&self) -> Heard {
        let mut heard = self.lock();
        let answered = *heard;
        heard.moved = false;
        answered
    }

    fn wait(&self, pause: Duration, enough: impl Fn(&Heard) -> bool) {
        let waited = self.rung.wait_timeout_while(self.lock(), pause, |heard| !enough(heard));
        drop(waited);
    }

    fn lock(&self) -> MutexGuard<'_, Heard> {
        // Three flags: whole even after a panic elsewhere.
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(clippy::disallowed_methods, reason = "the thread around a pump is where its time is read")]
fn clock() -> Instant {
    Instant::now()
}
