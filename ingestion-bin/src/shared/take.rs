//! Becoming the writer: the lease is taken, and what others left is read. Whoever does not get it stands by until it is free.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use dedup::store::Acquired;
use tokio::time::sleep;
use uuid::Uuid;

use super::image::{self, Adopted, ImageError};
use super::keeper::Keeper;
use super::watch::SharedWatch;
use super::{Place, Session};
use crate::runtime::clock;

/// Between two looks at a lease that another one holds, and two tries of a Redis that is away.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Leases that a Redis which has forgotten the writer is left to that one: it may be starting again, and nobody else knows where things
/// stand.
const FORGIVEN_AFTER: u32 = 4;

/// Who asks for the lease, again and again over the life of a process: under one name, and never below an epoch it has seen.
#[derive(Clone, Debug)]
pub struct Claim {
    place: Arc<Place>,
    lease: Duration,
    holder: String,
    /// The highest epoch seen.
    epoch: u64,
    /// The highest one that was ours.
    own: u64,
}

impl Claim {
    /// At this place; a writer that is silent for `lease` is taken for dead.
    #[must_use]
    pub fn new(place: Place, lease: Duration) -> Self {
        Self { place: Arc::new(place), lease, holder: holder(), epoch: 0, own: 0 }
    }

    /// Where.
    #[must_use]
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// An epoch that another one wrote with, or, while it was ours, that this one raised.
    pub fn saw(&mut self, epoch: u64) {
        self.epoch = self.epoch.max(epoch);
    }
}

/// The right to write, and what there is to go on from. The lease is kept from its grant on; dropped, it is given back.
#[derive(Debug)]
pub struct Tenancy {
    pub(super) place: Arc<Place>,
    pub(super) keeper: Keeper,
    pub(super) watch: SharedWatch,
    granted: bool,
    epoch: u64,
    states: Vec<Adopted>,
}

impl Tenancy {
    /// The epoch to begin with; where the lease was not granted, because the Redis is away, the least one.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Whether nobody else may write now.
    #[must_use]
    pub fn is_granted(&self) -> bool {
        self.granted
    }

    /// What others knew, one state for each account: the newest.
    #[must_use]
    pub fn states(&self) -> &[Adopted] {
        &self.states
    }
}

/// Why it is not ours yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Waiting {
    /// Another one writes.
    For {
        /// Who.
        holder: String,
    },
    /// The Redis has forgotten the lease: who had it is let first.
    Forgotten,
    /// The Redis is away, and here nothing is known to go on from, or another one writes as far as is known.
    Redis {
        /// Why it is away.
        why: String,
    },
    /// Nobody knows yet whom to follow.
    List,
}

/// Waits for the lease and takes it. `is_listed` says whether it is known whom to follow: before that nothing is taken. `knows` says that
/// the journal here holds something to go on from: then a Redis that stays away for as long as a lease is gone on without, unless another one
/// wrote when it was heard of last. `tell` hears what is waited for whenever that changes. May be dropped at any time.
///
/// # Errors
/// What is there was written by a version that this one does not understand, or the system has no thread to give.
pub async fn take(
    claim: &mut Claim,
    mut is_listed: impl FnMut() -> bool,
    knows: bool,
    mut tell: impl FnMut(&Waiting),
) -> Result<Tenancy, TakeError> {
    let (mut told, mut away_since, mut forgotten_since) = (None, None, None);
    let mut is_held = false;
    loop {
        let now = clock::now();
        let waiting = if is_listed() {
            let is_forgiven = forgotten_since
                .is_some_and(|since: Instant| now.duration_since(since) >= claim.lease * FORGIVEN_AFTER);
            match attempt(claim, is_forgiven).await {
                Ok(Attempt::Ours(tenancy)) => return Ok(tenancy),
                Ok(Attempt::Held(holder)) => {
                    (away_since, forgotten_since, is_held) = (None, None, true);
                    Waiting::For { holder }
                }
                Ok(Attempt::Forgotten) => {
                    away_since = None;
                    forgotten_since.get_or_insert(now);
                    Waiting::Forgotten
                }
                Err(Trouble::Take(error)) => return Err(error),
                Err(Trouble::Redis(why)) => {
                    let since = *away_since.get_or_insert(now);
                    if knows && !is_held && clock::now().duration_since(since) >= claim.lease {
                        return without(claim).map_err(TakeError::from);
                    }
                    Waiting::Redis { why }
                }
            }
        } else {
            Waiting::List
        };
        if told.as_ref() != Some(&waiting) {
            tell(&waiting);
            told = Some(waiting);
        }
        sleep(LOOK_EVERY.min(claim.lease / 4)).await;
    }
}

/// Why it cannot be taken at all.
#[derive(Debug, thiserror::Error)]
pub enum TakeError {
    /// See [`ImageError`].
    #[error(transparent)]
    Image(#[from] ImageError),
    /// No thread.
    #[error("thread of the lease")]
    Thread(#[from] std::io::Error),
}

enum Trouble {
    Redis(String),
    Take(TakeError),
}

enum Attempt {
    Ours(Tenancy),
    Held(String),
    Forgotten,
}

async fn attempt(claim: &mut Claim, is_forgiven: bool) -> Result<Attempt, Trouble> {
    let place = Arc::clone(&claim.place);
    let session = place.connect().await.map_err(Trouble::Redis)?;
    let asked = clock::now();
    let wanted = clock::wall_ms().max(claim.epoch.saturating_add(1));
    // Who wrote last knows as much as there is to know.
    let least = if is_forgiven || claim.own >= claim.epoch { 0 } else { claim.epoch };
    let acquired = session.store.acquire(&claim.holder, wanted, least, claim.lease).await;
    let epoch = match acquired.map_err(|error| Trouble::Redis(session.told(&error)))? {
        Acquired::Held { holder, epoch, .. } => {
            claim.saw(epoch);
            return Ok(Attempt::Held(holder));
        }
        Acquired::Forgotten => return Ok(Attempt::Forgotten),
        Acquired::Ours { epoch } => epoch,
    };
    claim.saw(epoch);
    claim.own = epoch;
    // It is kept while all else is done, however long that takes.
    let mut tenancy = tenancy(claim, Some(asked), epoch).map_err(|error| Trouble::Take(error.into()))?;
    // From here on nobody writes below this epoch: what is read now is the last word.
    tenancy.states = read(&session).await?;
    Ok(Attempt::Ours(tenancy))
}

fn without(claim: &mut Claim) -> std::io::Result<Tenancy> {
    let epoch = clock::wall_ms().max(claim.epoch.saturating_add(1));
    claim.saw(epoch);
    claim.own = epoch;
    tenancy(claim, None, epoch)
}

fn tenancy(claim: &Claim, granted: Option<Instant>, epoch: u64) -> std::io::Result<Tenancy> {
    let Claim { place, lease, holder, .. } = claim;
    let watch = SharedWatch::new(place, holder, epoch, granted.is_some());
    let epochs = Arc::new(AtomicU64::new(epoch));
    let keeper = Keeper::start(Arc::clone(place), (holder, *lease), (granted, epochs), watch.clone())?;
    let (place, granted, states) = (Arc::clone(place), granted.is_some(), Vec::new());
    Ok(Tenancy { place, keeper, watch, granted, epoch, states })
}

async fn read(session: &Session<'_>) -> Result<Vec<Adopted>, Trouble> {
    let told = |error| Trouble::Redis(session.told(&error));
    let ids = session.store.ids().await.map_err(told)?;
    let states = session.store.read(&ids).await.map_err(told)?;
    let found = ids.iter().zip(states).filter_map(|(id, fields)| Some((id, fields?)));
    let read = found.map(|(id, fields)| image::read(&format!("{}:{id}", session.place), id, &fields));
    let mut states: Vec<Adopted> =
        read.collect::<Result<_, _>>().map_err(|error| Trouble::Take(TakeError::Image(error)))?;
    // Under another id there may be an older one of the same account.
    states.sort_by_key(|state| (state.account, std::cmp::Reverse((state.epoch, state.position))));
    states.dedup_by_key(|state| state.account);
    Ok(states)
}

/// Of this run only: where it runs, and a number that no other one has.
fn holder() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    let host = if host.is_empty() { "host" } else { host };
    format!("{host}/{}/{}", std::process::id(), Uuid::from_u128(unique()).simple())
}

/// 128 bits that another run does not have: the hasher's seeds are the system's randomness.
fn unique() -> u128 {
    use std::hash::{BuildHasher, RandomState};
    let half = || u128::from(RandomState::new().hash_one(clock::wall_ns()));
    (half() << 64) | half()
}
