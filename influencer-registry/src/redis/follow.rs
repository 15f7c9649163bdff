//! The loop that follows a list in a Redis, in a thread of its own: connect, subscribe, read, and read again when a notice comes, every
//! `refresh`, and after each new connection.
//!
//! Notices are gathered: however many come, the list is read at most once in [`GATHER`]. A Redis that does not answer a ping ends the
//! session; a new one is tried after a wait that doubles up to [`RETRY_MOST`]. Clock: tokio's, of this thread.

use std::{convert::Infallible, sync::Arc, time::Duration};

use tokio::{
    sync::{broadcast::error::RecvError, oneshot},
    time::{Instant, MissedTickBehavior, interval, sleep, sleep_until},
};

use super::{
    RedisList,
    judge::Judge,
    session::Session,
    slot::{Slot, State},
};

/// Between two readings that notices ask for.
const GATHER: Duration = Duration::from_millis(250);

/// Between two questions whether it still answers.
const PING_EVERY: Duration = Duration::from_secs(5);

/// Before it is tried again.
const RETRY_FIRST: Duration = Duration::from_millis(250);

/// Between two tries at most.
const RETRY_MOST: Duration = Duration::from_secs(5);

pub(super) struct Follower {
    list: RedisList,
    refresh: Duration,
    judge: Judge,
    slot: Arc<Slot>,
    shown: bool,
}

impl Follower {
    pub(super) fn new(list: RedisList, refresh: Duration, judge: Judge, slot: Arc<Slot>) -> Self {
        Self { list, refresh, judge, slot, shown: false }
    }

    /// Until the owner is gone.
    pub(super) async fn run(mut self, mut gone: oneshot::Receiver<()>) {
        let mut wait = RETRY_FIRST;
        loop {
            let mut read_once = false;
            let why = tokio::select! {
                biased;
                _ = &mut gone => return,
                ended = self.session(&mut read_once) => {
                    let Err(why) = ended;
                    why
                }
            };
            let news = self.judge.lost(why);
            self.show(news);
            if read_once {
                wait = RETRY_FIRST;
            }
            tokio::select! {
                biased;
                _ = &mut gone => return,
                () = sleep(wait) => {}
            }
            wait = (wait * 2).min(RETRY_MOST);
        }
    }

    /// Until something fails. Dropping it anywhere drops its connection.
    async fn session(&mut self, read_once: &mut bool) -> Result<Infallible, String> {
        let list = self.list.clone();
        let mut session = Session::open(&list).await?;
        // Before the first reading, so that no change falls between the two.
        let mut notices = session.subscribe().await?;
        let mut ping = interval(PING_EVERY);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut due, mut not_before) = (Instant::now(), Instant::now());
        loop {
            // Each branch may be dropped at any time: a notice is only counted, a tick comes again.
            tokio::select! {
                biased;
                why = session.ended() => return Err(why),
                () = sleep_until(due) => {
                    let reading = session.read().await?;
                    *read_once = true;
                    let news = self.judge.read(&reading);
                    self.show(news);
                    (due, not_before) = (Instant::now() + self.refresh, Instant::now() + GATHER);
                }
                notice = notices.recv() => match notice {
                    // How many there were does not matter.
                    Ok(_) | Err(RecvError::Lagged(_)) => due = due.min(not_before),
                    Err(RecvError::Closed) => return Err(session.ended().await),
                },
                _ = ping.tick() => session.ping().await?,
            }
        }
    }

    /// Hands the state over where it is another one; the first in any case, because it is waited for.
    fn show(&mut self, news: bool) {
        if news || !self.shown {
            let Judge { live, refused, problem, highest, .. } = &self.judge;
            let (live, refused, problem) = (live.clone(), refused.clone(), problem.clone());
            self.slot.put(State { live, refused, problem, version: *highest });
            self.shown = true;
        }
    }
}
