//! Becoming the writer: the lease is taken, and what the last one left is read. Whoever does not get it stands by until it is free.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dedup::store::Acquired;
use tokio::time::sleep;
use uuid::Uuid;

use super::image::{self, Adopted, ImageError};
use super::{Place, Session};
use crate::runtime::clock;

/// Between two looks at a lease that another one holds, and two tries of a Redis that is away.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The right to write, and what there is to go on from.
#[derive(Clone, Debug)]
pub struct Tenancy {
    pub(super) place: Arc<Place>,
    pub(super) holder: String,
    pub(super) lease: Duration,
    /// When the grant was asked for; nothing where the Redis is away and publishing goes on without it.
    pub(super) granted: Option<Instant>,
    epoch: u64,
    states: Vec<Adopted>,
}

impl Tenancy {
    /// The epoch to begin with, or a higher one.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// What others knew of the accounts that were asked for.
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
    /// The Redis is away, and here nothing is known to go on from.
    Redis {
        /// Why it is away.
        why: String,
    },
}

/// Waits for the lease and takes it, with the states of the influencers that are listed by then. `knows` says that the journal here holds something to go on
/// from: then a Redis that stays away for as long as a lease is gone on without. `tell` hears what is waited for whenever that changes.
/// May be dropped at any time: a lease that was granted then ends by itself.
///
/// # Errors
/// What is there was written by a version that this one does not understand.
pub async fn take(
    place: Arc<Place>,
    lease: Duration,
    mut influencers: impl FnMut() -> Vec<String>,
    knows: bool,
    mut tell: impl FnMut(&Waiting),
) -> Result<Tenancy, ImageError> {
    let holder = holder();
    let mut tenancy =
        Tenancy { place: Arc::clone(&place), holder, lease, granted: None, epoch: 0, states: Vec::new() };
    let (began, mut told) = (clock::now(), None);
    loop {
        let waiting = match attempt(&mut tenancy, &mut influencers).await {
            Ok(None) => return Ok(tenancy),
            Ok(Some(holder)) => Waiting::For { holder },
            Err(Trouble::Image(error)) => return Err(error),
            Err(Trouble::Redis(_)) if knows && clock::now() >= began + lease => {
                tenancy.epoch = clock::wall_ms();
                return Ok(tenancy);
            }
            Err(Trouble::Redis(why)) => Waiting::Redis { why },
        };
        if told.as_ref() != Some(&waiting) {
            tell(&waiting);
            told = Some(waiting);
        }
        sleep(LOOK_EVERY.min(lease / 4)).await;
    }
}

enum Trouble {
    Redis(String),
    Image(ImageError),
}

/// One try; who holds it, where another one does.
async fn attempt(
    tenancy: &mut Tenancy,
    influencers: &mut impl FnMut() -> Vec<String>,
) -> Result<Option<String>, Trouble> {
    let place = Arc::clone(&tenancy.place);
    let session = place.connect().await.map_err(Trouble::Redis)?;
    let asked = clock::now();
    let acquired = session.store.acquire(&tenancy.holder, clock::wall_ms(), tenancy.lease).await;
    match acquired.map_err(|error| Trouble::Redis(session.told(&error)))? {
        Acquired::Held { holder, .. } => Ok(Some(holder)),
        Acquired::Ours { epoch } => {
            // From here on nobody writes below this epoch: what is read now is the last word.
            let states = read(&session, &influencers()).await;
            if states.is_err() {
                let _given_back = session.store.release(&tenancy.holder).await;
            }
            (tenancy.states, tenancy.granted, tenancy.epoch) = (states?, Some(asked), epoch);
            Ok(None)
        }
    }
}

async fn read(session: &Session<'_>, influencers: &[String]) -> Result<Vec<Adopted>, Trouble> {
    let states = session.store.read(influencers).await;
    let states = states.map_err(|error| Trouble::Redis(session.told(&error)))?;
    let found = influencers.iter().zip(states).filter_map(|(id, fields)| Some((id, fields?)));
    found
        .map(|(id, fields)| image::read(&format!("{}:{id}", session.place), id, &fields))
        .collect::<Result<_, _>>()
        .map_err(Trouble::Image)
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
    half() << 64 | half()
}
