//! Produced versus acknowledged, while the service runs: what the brokers acknowledged is read back and compared, and what is not there
//! any more, or not as it was, is told.
//!
//! - The sink notes partition, offset and a hash of every record that is acknowledged ([`AuditTrail`]); count and rolling hash of up to
//!   1,000 of them, or of five seconds, are a checkpoint.
//! - One thread reads checkpoints back, the oldest first, by a consumer of its own that joins no group and stores nothing, and compares
//!   counts and hashes. It also looks whether a partition's end is still behind what it acknowledged, what was read back before included;
//!   and an acknowledgement at an offset that was acknowledged before says that the end went back.
//! - A record missing between others, another one at its offset, an end that went back: a [`Difference`]. Records that the topic deletes at
//!   its beginning, or compacts where it may, before they were read back are counted as not auditable. Records of others between ours are
//!   counted as foreign.
//!
//! Cost: everything is read once, at most `bytes_per_second`, over one connection to each broker. Memory: at most `checkpoints_max`
//! checkpoints of a trail, each 4 KiB at most; while there are so many, new ones are skipped whole and counted. It never stands in the way
//! of what is published: the sink waits for no I/O of it.
//! Not here: what was acknowledged before this process began, and what is to be done about a difference.
//! Time: the thread's monotonic clock and the pump's are one.

mod reader;
mod status;
mod trail;
mod verify;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::config::KafkaConfig;
use reader::{Reader, Round};
use trail::Trail;

pub use status::{AuditStatus, Difference, Differs};
pub(super) use trail::{Acknowledged, hash_of};

/// How an audit paces itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AuditPace {
    /// Records of a checkpoint, at most.
    pub checkpoint_records: u64,
    /// It is closed after so long, with however few.
    pub checkpoint_interval: Duration,
    /// Checkpoints of a trail that wait to be read back, at most; 1 or more.
    pub checkpoints_max: usize,
    /// Bytes read back in a second, at most.
    pub bytes_per_second: u64,
    /// Ends of partitions are looked at so often.
    pub look_interval: Duration,
}

impl Default for AuditPace {
    fn default() -> Self {
        Self {
            checkpoint_records: 1_000,
            checkpoint_interval: Duration::from_secs(5),
            checkpoints_max: 1_024,
            bytes_per_second: 8 << 20,
            look_interval: Duration::from_secs(5),
        }
    }
}

/// Told of every difference, once, by the audit's thread.
pub type OnDifference = Box<dyn Fn(&Difference) + Send>;

/// See the module. Dropping it ends the thread after what it is at.
pub struct Auditor {
    shared: Arc<Shared>,
    pace: AuditPace,
}

struct Shared {
    trails: Mutex<Vec<AuditTrail>>,
    stopped: Mutex<bool>,
    bell: Condvar,
}

/// What one stream has acknowledged and is not read back yet; shared by its sink and the audit.
#[derive(Clone)]
pub struct AuditTrail {
    stream: Arc<str>,
    topic: Arc<str>,
    inner: Arc<Mutex<Trail>>,
}

impl fmt::Debug for Auditor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auditor").field("pace", &self.pace).finish_non_exhaustive()
    }
}

impl fmt::Debug for AuditTrail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditTrail").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl Auditor {
    /// Starts the thread. Contacts nobody before something is acknowledged.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(config: &KafkaConfig, pace: AuditPace, on_difference: OnDifference) -> io::Result<Self> {
        let (trails, stopped) = (Mutex::default(), Mutex::default());
        let shared = Arc::new(Shared { trails, stopped, bell: Condvar::new() });
        let (its, reader) = (Arc::clone(&shared), Reader::new(config));
        let round = pace.checkpoint_interval.min(pace.look_interval).min(Duration::from_secs(1));
        thread::Builder::new()
            .name("kafka-audit".to_owned())
            .spawn(move || Rounds { shared: its, reader, pace, round, looked: None }.run(&*on_difference))?;
        Ok(Self { shared, pace })
    }

    /// The trail of a stream, for its sink. `may_compact`: the topic may forget a record when a newer one of its key is there.
    #[must_use]
    pub fn trail(&self, stream: &str, topic: &str, may_compact: bool) -> AuditTrail {
        let inner = Arc::new(Mutex::new(Trail::new(self.pace, may_compact)));
        let trail = AuditTrail { stream: stream.into(), topic: topic.into(), inner };
        lock(&self.shared.trails).push(trail.clone());
        trail
    }
}

impl Drop for Auditor {
    fn drop(&mut self) {
        *lock(&self.shared.stopped) = true;
        self.shared.bell.notify_all();
    }
}

impl AuditTrail {
    /// How far the audit is.
    #[must_use]
    pub fn status(&self) -> AuditStatus {
        self.inner().status()
    }

    pub(super) fn acknowledged(&self, records: impl Iterator<Item = Acknowledged>, now: Instant) {
        let mut inner = self.inner();
        records.for_each(|record| inner.acknowledged(record, now));
    }

    fn inner(&self) -> MutexGuard<'_, Trail> {
        lock(&self.inner)
    }
}

struct Rounds {
    shared: Arc<Shared>,
    reader: Reader,
    pace: AuditPace,
    /// Between two rounds at least.
    round: Duration,
    /// When all ends were looked at.
    looked: Option<Instant>,
}

impl Rounds {
    fn run(mut self, on_difference: &dyn Fn(&Difference)) {
        let mut pause = self.round;
        while !self.stopped_within(pause) {
            let began = clock();
            let bytes = self.round(began, on_difference);
            let rest = Duration::from_millis(bytes.saturating_mul(1_000) / self.pace.bytes_per_second.max(1));
            pause = (began + rest.max(self.round)).saturating_duration_since(clock());
        }
    }

    /// One round over all trails; the bytes read.
    fn round(&mut self, now: Instant, on_difference: &dyn Fn(&Difference)) -> u64 {
        let looks = self.looked.is_none_or(|at| now.saturating_duration_since(at) >= self.pace.look_interval);
        if looks {
            self.looked = Some(now);
        }
        let trails = lock(&self.shared.trails).clone();
        let (mut left, mut read) = (self.pace.bytes_per_second, 0);
        for trail in &trails {
            let (parts, may_compact) = {
                let mut inner = trail.inner();
                (inner.parts(now, &mut left, looks), inner.may_compact)
            };
            // Nothing is locked while brokers are asked.
            let Round { parts, bytes, error } = if parts.is_empty() {
                Round::default()
            } else {
                self.reader.round(&trail.topic, may_compact, parts)
            };
            read += bytes;
            let differences = {
                let mut inner = trail.inner();
                parts.into_iter().for_each(|(partition, part)| inner.give_back(partition, part));
                inner.settle(&trail.stream, &trail.topic, error)
            };
            differences.iter().for_each(on_difference);
        }
        read
    }

    fn stopped_within(&self, pause: Duration) -> bool {
        let stopped = lock(&self.shared.stopped);
        let waited = self.shared.bell.wait_timeout_while(stopped, pause, |stopped| !*stopped);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    // Counts and lists: whole even after a panic elsewhere.
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::disallowed_methods, reason = "the thread around the rounds is where their time is read")]
fn clock() -> Instant {
    Instant::now()
}
