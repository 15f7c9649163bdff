//! The writer's thread: takes groups from the queue, writes, syncs, tells. The only place in the journal with a clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::config::{Fsync, JournalConfig};
use super::progress::Progress;
use super::queue::{Queue, Work};
use super::record::Fold;
use super::writer::Writer;

const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Wall-clock ns that go on from what the owner gave, monotonically.
struct Clock {
    base_ns: u64,
    started: Instant,
}

impl Clock {
    #[expect(
        clippy::disallowed_methods,
        reason = "a thread that waits for a disk is its own composition root; no position or record depends on it"
    )]
    fn instant() -> Instant {
        Instant::now()
    }

    fn now_ns(&self) -> u64 {
        self.base_ns.saturating_add(
            u64::try_from(Self::instant().saturating_duration_since(self.started).as_nanos())
                .unwrap_or(u64::MAX),
        )
    }
}

/// What the thread shares with the rest.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) queue: Arc<Queue>,
    pub(crate) progress: Arc<Progress>,
}

/// Tells everybody that the writer is gone, also when the owner's fold panicked.
struct Ended(Shared);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.queue.end();
        self.0.progress.end();
    }
}

pub(crate) fn run<F: Fold>(mut writer: Writer<F>, config: &JournalConfig, shared: Shared, now_ns: u64) {
    let clock = Clock { base_ns: now_ns, started: Clock::instant() };
    let ended = Ended(shared);
    let shared = &ended.0;
    let mut pause = FIRST_PAUSE;
    loop {
        if writer.failing() {
            if shared.queue.pause(pause) {
                break;
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
            writer.recover(clock.now_ns());
            tell(&mut writer, shared, &clock);
            continue;
        }
        pause = FIRST_PAUSE;
        match shared.queue.take(writer.spare()) {
            Work::Write(group) => {
                writer.write(group, clock.now_ns());
                // Readable at once; durable a little later.
                shared.progress.publish(writer.standing(), &writer.counters);
                if sync_is_due(&writer, config, shared, &clock) {
                    sync(&mut writer, &clock);
                }
            }
            Work::Tidy => {}
            Work::Close => {
                sync(&mut writer, &clock);
                tell(&mut writer, shared, &clock);
                if !writer.failing() {
                    break;
                }
                continue;
            }
        }
        tell(&mut writer, shared, &clock);
    }
    tell(&mut writer, shared, &clock);
}

fn sync_is_due<F: Fold>(writer: &Writer<F>, config: &JournalConfig, shared: &Shared, clock: &Clock) -> bool {
    if config.fsync == Fsync::Always || shared.queue.is_empty() {
        return true;
    }
    let interval = u64::try_from(config.fsync_interval.as_nanos()).unwrap_or(u64::MAX);
    writer.oldest_unsynced_ns().is_some_and(|written| clock.now_ns().saturating_sub(written) >= interval)
}

fn sync<F: Fold>(writer: &mut Writer<F>, clock: &Clock) {
    let began = clock.now_ns();
    writer.sync(began, || clock.now_ns().saturating_sub(began));
}

fn tell<F: Fold>(writer: &mut Writer<F>, shared: &Shared, clock: &Clock) {
    writer.tidy(shared.queue.waiting_bytes(), shared.queue.wanted_bytes(), clock.now_ns());
    let (refused_queue, refused_disk) = shared.queue.held(writer.held());
    (writer.counters.refused_queue, writer.counters.refused_disk) = (refused_queue, refused_disk);
    writer.count();
    shared.progress.publish(writer.standing(), &writer.counters);
}
