//! Shared state: what a machine with an empty disk needs to go on where this one stopped, in a Redis (`[state] store = "redis"`).
//!
//! One instance at a time writes. It takes the lease ([`take`]), goes on from what it finds there, and from then on two threads of their
//! own serve it ([`Shared`]): one renews the lease, one follows the journal and writes what the sinks have acknowledged and the disk has
//! kept. Nothing here stands in the way of a trade: while the Redis is away publishing goes on, ids make that safe; who finds that another
//! one writes stops and stands by.
//!
//! **Invariant:** no epoch writes below a higher one; the server refuses it (`dedup::store`).

mod image;
mod keeper;
mod sharer;
mod take;
mod tenure;
mod watch;

use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use dedup::store::Store;
use dedup::store::fred::clients::Client;
use dedup::store::fred::error::Error;
use dedup::store::fred::interfaces::ClientLike;
use dedup::store::fred::types::ConnectHandle;
use influencer_registry::RedisAddress;
use tokio::runtime::Builder;
use tokio::time::timeout;

pub use image::{Adopted, ImageError};
pub use sharer::Source;
pub use take::{Claim, TakeError, Tenancy, Waiting, take};
pub use watch::{SharedStatus, SharedWatch};

use keeper::Keeper;
use sharer::Sharer;

/// Logging in is several answers: addresses, TLS, sentinels, the login itself.
const LOGIN_MAX: Duration = Duration::from_secs(15);

/// Commands under way at most: one pipeline.
const COMMANDS_MAX: usize = 256;

/// The states of one deployment: a Redis and what its keys begin with.
#[derive(Clone, Debug)]
pub struct Place {
    address: RedisAddress,
    prefix: String,
}

impl Place {
    /// The states below `prefix`.
    #[must_use]
    pub fn new(address: RedisAddress, prefix: impl Into<String>) -> Self {
        Self { address, prefix: prefix.into() }
    }

    /// Connects; what stands in the way is one line without a secret.
    async fn connect(&self) -> Result<Session<'_>, String> {
        let client = self.address.client(COMMANDS_MAX);
        let connection = client.connect();
        let session =
            Session { place: self, store: Store::new(client.clone(), &self.prefix), client, connection };
        match timeout(LOGIN_MAX, session.client.wait_for_connect()).await {
            Ok(Ok(())) => Ok(session),
            Ok(Err(error)) => Err(session.told(&error)),
            Err(_) => Err(format!("no answer within {} s", LOGIN_MAX.as_secs())),
        }
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}:state", self.address, self.prefix)
    }
}

/// A thread that runs `work` to its end, in a runtime of its own.
fn spawn(name: &str, work: impl Future<Output = bool> + Send + 'static) -> io::Result<JoinHandle<bool>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    thread::Builder::new().name(name.to_owned()).spawn(move || {
        let done = runtime.block_on(work);
        // A name look-up under way may take its time, and holds nothing of ours.
        runtime.shutdown_background();
        done
    })
}

/// One connection; it ends with this value, or with the first thing that fails.
struct Session<'a> {
    place: &'a Place,
    store: Store,
    client: Client,
    connection: ConnectHandle,
}

impl Session<'_> {
    fn told(&self, error: &Error) -> String {
        self.place.address.told(error)
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// The two threads of a writer. To be ended by [`Shared::stop`].
#[derive(Debug)]
pub struct Shared {
    watch: SharedWatch,
    keeper: Keeper,
    sharer: Sharer,
}

impl Shared {
    /// Begins to write the states that come of `source`; the lease is kept with this epoch from now on, at least that of `tenancy`.
    ///
    /// # Errors
    /// The system has no thread to give.
    pub fn start(tenancy: Tenancy, epoch: u64, source: Source) -> io::Result<Self> {
        let Tenancy { place, keeper, watch, .. } = tenancy;
        keeper.raise(epoch);
        watch.change(|status| (status.epoch, status.highest) = (epoch, status.highest.max(epoch)));
        let sharer = Sharer::start(Arc::clone(&place), epoch, source, watch.clone())?;
        Ok(Self { watch, keeper, sharer })
    }

    /// What is to be seen of it.
    #[must_use]
    pub fn watch(&self) -> SharedWatch {
        self.watch.clone()
    }

    /// Writes what is still to be written and gives the lease back, within `grace`; false where that did not succeed: then the lease
    /// ends by itself.
    #[must_use]
    pub fn stop(self, grace: Duration) -> bool {
        let written = self.sharer.stop(grace / 2);
        // Last: who takes it reads what was written.
        self.keeper.stop(grace / 2) && written
    }
}
