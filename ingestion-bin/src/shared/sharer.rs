//! The thread that writes the states. It follows the journal with a fold of its own, as far as every shared sink has acknowledged and the
//! disk has kept, and writes the accounts that changed, each in one atomic step, many in one pipeline.
//!
//! Memory: a second copy of all accounts' states. A Redis that is away costs nothing more: what changed is a set of accounts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use dedup::store::{Image, Written};
use messaging::journal::{Progress, Read, Reader};
use messaging::sink::SinkWatch;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::image::{self, Told};
use super::watch::SharedWatch;
use super::{Place, Session, spawn};
use crate::state::{AccountState, State};

/// Between two looks at what the sinks have acknowledged.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// States in one pipeline, and about how many bytes of them: it has to be answered in time.
const AT_ONCE: usize = 64;
const BYTES_AT_ONCE: usize = 4 << 20;

/// Records taken between two looks.
const RECORDS_AT_ONCE: u64 = 50_000;

/// Where the states come from.
#[derive(Debug)]
pub struct Source {
    /// The state behind `reader`'s position.
    pub state: State,
    /// The journal from there on, as far as it is synced.
    pub reader: Reader,
    /// How far it is.
    pub progress: Arc<Progress>,
    /// The sinks whose acknowledgement counts.
    pub sinks: Vec<SinkWatch>,
}

#[derive(Debug)]
pub(super) struct Sharer {
    thread: JoinHandle<bool>,
    stop: oneshot::Sender<Duration>,
}

struct Sharing {
    place: Arc<Place>,
    epoch: u64,
    source: Source,
    watch: SharedWatch,
    /// Accounts to write.
    changed: BTreeSet<[u8; 20]>,
    /// What was written of each account's markets.
    told: BTreeMap<[u8; 20], Told>,
    forgotten: u64,
}

impl Sharer {
    pub(super) fn start(
        place: Arc<Place>,
        epoch: u64,
        source: Source,
        watch: SharedWatch,
    ) -> std::io::Result<Self> {
        let changed = source.state.accounts.keys().copied().collect();
        let sharing = Sharing { place, epoch, source, watch, changed, told: BTreeMap::new(), forgotten: 0 };
        let (stop, stopped) = oneshot::channel();
        let thread = spawn("shared-state", sharing.run(stopped))?;
        Ok(Self { thread, stop })
    }

    /// Writes what is acknowledged by now, within `grace`; whether everything is there.
    pub(super) fn stop(self, grace: Duration) -> bool {
        let _ended_before = self.stop.send(grace);
        self.thread.join().unwrap_or(false)
    }
}

impl Sharing {
    async fn run(mut self, mut stopped: oneshot::Receiver<Duration>) -> bool {
        // One for as long as it works.
        let place = Arc::clone(&self.place);
        let mut session = None;
        let grace = loop {
            tokio::select! {
                biased;
                grace = &mut stopped => break grace.unwrap_or_default(),
                () = self.round(&place, &mut session) => {}
            }
            tokio::select! {
                biased;
                grace = &mut stopped => break grace.unwrap_or_default(),
                () = sleep(LOOK_EVERY) => {}
            }
        };
        // What was under way is done again.
        let _in_time = timeout(grace, self.round(&place, &mut None)).await;
        self.changed.is_empty()
    }

    /// Takes what is acknowledged and writes it, until it is there or the Redis does not take it.
    async fn round<'p>(&mut self, place: &'p Place, session: &mut Option<Session<'p>>) {
        loop {
            let has_more = self.follow();
            if !self.write(place, session).await || !has_more {
                return;
            }
        }
    }

    /// Takes the records that every sink has acknowledged; whether there are more.
    fn follow(&mut self) -> bool {
        let Source { state, reader, progress, sinks } = &mut self.source;
        let acknowledged = sinks.iter().map(|sink| sink.status().delivered).min();
        let mark = acknowledged.unwrap_or(u64::MAX).min(progress.synced());
        let until = mark.min(reader.position().saturating_add(RECORDS_AT_ONCE));
        let mut hole = None;
        while reader.position() < until {
            match reader.next() {
                Ok(Some(Read::Record(record))) => self.changed.extend(state.follow(&record)),
                Ok(Some(Read::PassedOver(_))) => {}
                Ok(None) => break,
                Ok(Some(Read::Damage(damage))) => hole = Some((damage.from, damage.to)),
                Ok(Some(Read::Gone { from, to })) => hole = Some((from, to)),
                Err(error) => {
                    warn!(%error, "the journal cannot be read now");
                    break;
                }
            }
        }
        let position = reader.position();
        let waiting = self.changed.len() as u64;
        self.watch.change(|status| {
            (status.position, status.waiting) = (position, waiting);
            // What is shared would be wrong from here on; a new start knows how things stand.
            if let Some((from, to)) = hole {
                let why = || format!("the journal cannot be followed from position {from} to {to}");
                status.lost.get_or_insert_with(why);
            }
        });
        position < mark
    }

    /// Writes what changed, where the sinks are as far as the state; false where it was not taken, or another one writes.
    async fn write<'p>(&mut self, place: &'p Place, session: &mut Option<Session<'p>>) -> bool {
        let status = self.watch.get();
        if status.lost.is_some() || !status.leased || !self.is_acknowledged() {
            return false;
        }
        if status.forgotten > self.forgotten {
            self.forgotten = status.forgotten;
            self.everything();
        }
        while !self.changed.is_empty() {
            let (accounts, images) = self.images();
            match self.send(place, session, &images).await {
                Ok(written) => {
                    if !self.wrote(&accounts, &written) {
                        return false;
                    }
                }
                Err(why) => {
                    self.failing(Some(why));
                    return false;
                }
            }
        }
        true
    }

    /// Sends images over the session there is, or a new one; one that fails is not used again.
    async fn send<'p>(
        &self,
        place: &'p Place,
        session: &mut Option<Session<'p>>,
        images: &[Image],
    ) -> Result<Vec<Written>, String> {
        let connected = match session.take() {
            Some(connected) => connected,
            None => place.connect().await?,
        };
        let written = connected.store.write(self.epoch, images).await;
        let written = written.map_err(|error| connected.told(&error))?;
        *session = Some(connected);
        Ok(written)
    }

    /// Whether the sinks have passed the place where the state begins: before that it is ahead of them.
    fn is_acknowledged(&self) -> bool {
        let position = self.source.reader.position();
        self.source.sinks.iter().all(|sink| sink.status().delivered >= position)
    }

    /// The next accounts to write, and what of them: as much as goes into one pipeline.
    fn images(&self) -> (Vec<[u8; 20]>, Vec<Image>) {
        let (journal, position) = (self.source.reader.journal().to_string(), self.source.reader.position());
        let (none, mut bytes) = (Told::new(), 0);
        let (mut accounts, mut images) = (Vec::new(), Vec::new());
        for account in &self.changed {
            if images.len() >= AT_ONCE || bytes >= BYTES_AT_ONCE {
                break;
            }
            accounts.push(*account);
            let Some(state) = self.source.state.accounts.get(account).filter(|state| self.is_its_own(state))
            else {
                continue;
            };
            let told = self.told.get(account).unwrap_or(&none);
            let image = image::of(*account, state, (&journal, position), told);
            bytes += image.fields.iter().chain(&image.markets).map(|(_, value)| value.len()).sum::<usize>();
            images.push(image);
        }
        (accounts, images)
    }

    /// Whether its id is its own: of a removed account it may be another one's by now.
    fn is_its_own(&self, state: &AccountState) -> bool {
        let id = state.influencer.as_str();
        let others = || self.source.state.accounts.values().filter(|other| other.influencer == id);
        !id.is_empty() && (!state.ledger.is_removed() || others().all(|other| other.ledger.is_removed()))
    }

    /// Takes note of the answers; false where another one writes.
    fn wrote(&mut self, accounts: &[[u8; 20]], written: &[Written]) -> bool {
        if written.contains(&Written::Stale) {
            self.failing(Some("another instance writes with a higher epoch".to_owned()));
            return false;
        }
        for account in accounts {
            self.changed.remove(account);
            if let Some(state) = self.source.state.accounts.get(account) {
                let standing = image::standing(&state.ledger).map(|(market, now)| (market.clone(), now));
                self.told.insert(*account, standing.collect());
            }
        }
        if written.contains(&Written::Raised) {
            info!(redis = %self.place, "the Redis has forgotten the shared state: it is written again");
            self.everything();
        }
        let (written, waiting) = (written.len() as u64, self.changed.len() as u64);
        self.watch.change(|status| {
            status.written += written;
            status.waiting = waiting;
        });
        self.failing(None);
        true
    }

    fn everything(&mut self) {
        self.changed.extend(self.source.state.accounts.keys());
        self.told.clear();
    }

    fn failing(&self, why: Option<String>) {
        let news = why.is_some() && self.watch.get().unwritten != why;
        if let Some(why) = why.as_ref().filter(|_| news) {
            warn!(redis = %self.place, why, "the shared state cannot be written now; publishing goes on");
        }
        self.watch.change(|status| status.unwritten = why);
    }
}
