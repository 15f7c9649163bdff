//! The thread that keeps the lease. It renews it in time, takes it back where the Redis has forgotten it, and finds out that another one
//! writes: then this writer is told to stop, and touches nothing any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dedup::store::Renewed;
use dedup::store::fred::interfaces::ClientLike;
use tokio::sync::oneshot;
use tokio::time::{sleep, sleep_until, timeout};
use tracing::{info, warn};

use super::tenure::Tenure;
use super::watch::SharedWatch;
use super::{Place, Session, spawn};
use crate::runtime::clock;

/// Before a Redis that is away is tried again.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Keeper {
    thread: Option<JoinHandle<bool>>,
    stop: Option<oneshot::Sender<Duration>>,
    epoch: Arc<AtomicU64>,
}

struct Keeping {
    place: Arc<Place>,
    holder: String,
    lease: Duration,
    epoch: Arc<AtomicU64>,
    tenure: Tenure,
    watch: SharedWatch,
    /// The epoch that was renewed last: a higher one of ours is no news for a Redis that knows the lower.
    raised: Option<u64>,
}

/// Why a session ended.
enum Ended {
    /// The Redis is away.
    Away(String),
    /// Another one writes, or may.
    Lost(String),
}

impl Keeper {
    /// `granted` is when the grant was asked for; nothing where it runs without one. What is renewed is the `epoch` of the moment.
    pub(super) fn start(
        place: Arc<Place>,
        (holder, lease): (&str, Duration),
        (granted, epoch): (Option<Instant>, Arc<AtomicU64>),
        watch: SharedWatch,
    ) -> std::io::Result<Self> {
        let tenure = Tenure::new(lease, granted, clock::monotonic());
        let holder = holder.to_owned();
        let keeping = Keeping {
            place,
            holder,
            lease,
            epoch: Arc::clone(&epoch),
            tenure,
            watch,
            raised: granted.map(|_| epoch.load(Ordering::Acquire)),
        };
        let (stop, stopped) = oneshot::channel();
        let thread = spawn("lease", keeping.run(stopped))?;
        Ok(Self { thread: Some(thread), stop: Some(stop), epoch })
    }

    /// From now on it writes with this epoch, which is higher.
    pub(super) fn raise(&self, epoch: u64) {
        self.epoch.fetch_max(epoch, Ordering::AcqRel);
    }

    /// Gives the lease back within `grace`; whether that was confirmed, or there was none to give back.
    pub(super) fn stop(mut self, grace: Duration) -> bool {
        self.end(grace)
    }

    fn end(&mut self, grace: Duration) -> bool {
        let _ended_before = self.stop.take().map(|stop| stop.send(grace));
        self.thread.take().is_some_and(|thread| thread.join().unwrap_or(false))
    }
}

impl Drop for Keeper {
    /// Nobody begins with it after all.
    fn drop(&mut self) {
        self.end(RETRY);
    }
}

impl Keeping {
    async fn run(mut self, mut stopped: oneshot::Receiver<Duration>) -> bool {
        loop {
            let ended = tokio::select! {
                biased;
                grace = &mut stopped => return self.give_back(grace.unwrap_or_default()).await,
                ended = self.session() => ended,
            };
            match ended {
                Ended::Lost(why) => {
                    warn!(%why, "this instance does not write any more");
                    self.watch.change(|status| {
                        status.leased = false;
                        status.lost = Some(why);
                    });
                    let _grace = stopped.await;
                    return true;
                }
                Ended::Away(why) => {
                    let news = self.watch.get().failing.is_none();
                    if news {
                        warn!(redis = %self.place, %why, "the lease cannot be renewed now; publishing goes on");
                    }
                    self.watch.change(|status| status.failing = Some(why));
                    tokio::select! {
                        biased;
                        grace = &mut stopped => return self.give_back(grace.unwrap_or_default()).await,
                        () = sleep(RETRY.min(self.lease / 4)) => {}
                    }
                }
            }
        }
    }

    /// Until something fails.
    async fn session(&mut self) -> Ended {
        let place = Arc::clone(&self.place);
        let session = match place.connect().await {
            Ok(session) => session,
            Err(why) => return Ended::Away(why),
        };
        loop {
            sleep_until(self.tenure.next().into()).await;
            if let Err(ended) = self.renew(&session).await {
                return ended;
            }
        }
    }

    async fn renew(&mut self, session: &Session<'_>) -> Result<(), Ended> {
        let asked = clock::monotonic();
        if !self.tenure.may_renew(asked) {
            // Only once it answers: as long as it does not, nobody else can take over either.
            let answer = session.client.ping::<()>(None).await;
            answer.map_err(|error| Ended::Away(session.told(&error)))?;
            return Err(Ended::Lost("the lease ended before it was renewed".to_owned()));
        }
        let epoch = self.epoch.load(Ordering::Acquire);
        match session.store.renew(&self.holder, epoch, self.lease).await {
            Err(error) => {
                self.tenure = self.tenure.failed(clock::monotonic());
                Err(Ended::Away(session.told(&error)))
            }
            Ok(Renewed::Lost { holder, epoch: highest }) => {
                let who = if holder.is_empty() { "another instance".to_owned() } else { holder };
                self.watch.change(|status| status.highest = status.highest.max(highest));
                Err(Ended::Lost(format!("{who} writes with epoch {highest}, ours is {epoch}")))
            }
            Ok(renewed @ (Renewed::Kept | Renewed::Raised)) => {
                self.tenure = self.tenure.renewed(asked);
                let before = self.watch.get();
                if before.failing.is_some() || !before.leased {
                    info!(redis = %self.place, epoch, "the lease is ours");
                }
                let before_it = self.raised.replace(epoch);
                let is_news = renewed == Renewed::Raised && before_it == Some(epoch);
                self.watch.change(|status| {
                    status.leased = true;
                    status.failing = None;
                    status.forgotten += u64::from(is_news);
                });
                Ok(())
            }
        }
    }

    async fn give_back(&self, grace: Duration) -> bool {
        if !self.watch.get().leased {
            return true;
        }
        let released = timeout(grace, async {
            let session = self.place.connect().await?;
            session.store.release(&self.holder).await.map_err(|error| session.told(&error))
        });
        matches!(released.await, Ok(Ok(())))
    }
}
