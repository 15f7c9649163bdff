//! The thread that keeps the lease. It renews it in time, takes it back where the Redis has forgotten it, and finds out that another one
//! writes: then this writer is told to stop, and touches nothing any more.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use dedup::store::Renewed;
use dedup::store::fred::interfaces::ClientLike;
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};

use super::tenure::Tenure;
use super::watch::SharedWatch;
use super::{Place, Session, Tenancy};
use crate::runtime::clock;

/// Before a Redis that is away is tried again.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Keeper {
    thread: JoinHandle<bool>,
    stop: oneshot::Sender<Duration>,
}

struct Keeping {
    place: Arc<Place>,
    holder: String,
    lease: Duration,
    epoch: u64,
    tenure: Tenure,
    watch: SharedWatch,
}

/// Why a session ended.
enum Ended {
    /// The Redis is away.
    Away(String),
    /// Another one writes, or may.
    Lost(String),
}

impl Keeper {
    pub(super) fn start(
        place: Arc<Place>,
        tenancy: &Tenancy,
        epoch: u64,
        watch: SharedWatch,
    ) -> std::io::Result<Self> {
        let tenure = Tenure::new(tenancy.lease, tenancy.granted, clock::monotonic());
        let (holder, lease) = (tenancy.holder.clone(), tenancy.lease);
        let keeping = Keeping { place, holder, lease, epoch, tenure, watch };
        let (stop, stopped) = oneshot::channel();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new().name("lease".to_owned()).spawn(move || {
            let given_back = runtime.block_on(keeping.run(stopped));
            runtime.shutdown_background();
            given_back
        })?;
        Ok(Self { thread, stop })
    }

    /// Gives the lease back within `grace`; whether that was confirmed, or there was none to give back.
    pub(super) fn stop(self, grace: Duration) -> bool {
        let _ended_before = self.stop.send(grace);
        self.thread.join().unwrap_or(false)
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
            sleep_until(Instant::from_std(self.tenure.next())).await;
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
        match session.store.renew(&self.holder, self.epoch, self.lease).await {
            Err(error) => {
                self.tenure = self.tenure.failed(clock::monotonic());
                Err(Ended::Away(session.told(&error)))
            }
            Ok(Renewed::Lost { holder, epoch }) => {
                let who = if holder.is_empty() { "another instance".to_owned() } else { holder };
                Err(Ended::Lost(format!("{who} writes with epoch {epoch}, ours is {}", self.epoch)))
            }
            Ok(renewed @ (Renewed::Kept | Renewed::Raised)) => {
                self.tenure = self.tenure.renewed(asked);
                let before = self.watch.get();
                if before.failing.is_some() || !before.leased {
                    info!(redis = %self.place, epoch = self.epoch, "the lease is ours");
                }
                self.watch.change(|status| {
                    status.leased = true;
                    status.failing = None;
                    status.forgotten += u64::from(renewed == Renewed::Raised);
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
