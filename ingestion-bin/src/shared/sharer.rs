//! The thread that writes the states. It follows the journal with a fold of its own, as far as every shared sink has acknowledged and the
//! disk has kept, and writes the accounts that changed, each in one atomic step, many in one pipeline.
//!
//! Memory: a second copy of all accounts' states. A Redis that is away costs nothing more: what changed is a set of accounts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use dedup::store::{Image, Written};
use messaging::journal::{Progress, Read, Reader};
use messaging::sink::SinkWatch;
use tokio::runtime::{Builder, Runtime};
use tracing::{error, info, warn};

use super::image::{self, Told};
use super::watch::SharedWatch;
use super::{Place, Session};
use crate::runtime::clock;
use crate::state::State;

/// Between two looks at what the sinks have acknowledged.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// States in one pipeline.
const AT_ONCE: usize = 64;

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
    stop: SyncSender<Duration>,
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
    /// The state cannot be followed any more; what was written last stays.
    broken: bool,
}

impl Sharer {
    pub(super) fn start(
        place: Arc<Place>,
        epoch: u64,
        source: Source,
        watch: SharedWatch,
    ) -> std::io::Result<Self> {
        let changed = source.state.accounts.keys().copied().collect();
        let sharing = Sharing {
            place,
            epoch,
            source,
            watch,
            changed,
            told: BTreeMap::new(),
            forgotten: 0,
            broken: false,
        };
        let (stop, stopped) = sync_channel(1);
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let thread = std::thread::Builder::new()
            .name("shared-state".to_owned())
            .spawn(move || sharing.run(&runtime, &stopped))?;
        Ok(Self { thread, stop })
    }

    /// Writes what is acknowledged by now, within `grace`; whether everything is there.
    pub(super) fn stop(self, grace: Duration) -> bool {
        let _ended_before = self.stop.send(grace);
        self.thread.join().unwrap_or(false)
    }
}

impl Sharing {
    fn run(mut self, runtime: &Runtime, stopped: &Receiver<Duration>) -> bool {
        // One for as long as it works.
        let place = Arc::clone(&self.place);
        let mut session = None;
        loop {
            let last = match stopped.recv_timeout(LOOK_EVERY) {
                Ok(grace) => Some(clock::monotonic() + grace),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return false,
            };
            loop {
                let behind = self.follow();
                let written = self.write(runtime, &place, &mut session);
                let in_time = last.is_some_and(|until| clock::monotonic() < until);
                if !(behind && written && in_time) {
                    break;
                }
            }
            if last.is_some() {
                return self.changed.is_empty() && !self.broken;
            }
        }
    }

    /// Takes the records that every sink has acknowledged; whether there are more.
    fn follow(&mut self) -> bool {
        let Source { state, reader, progress, sinks } = &mut self.source;
        let acknowledged = sinks.iter().map(|sink| sink.status().delivered).min();
        let mark = acknowledged.unwrap_or(u64::MAX).min(progress.synced());
        let until = mark.min(reader.position().saturating_add(RECORDS_AT_ONCE));
        while !self.broken && reader.position() < until {
            match reader.next() {
                Ok(Some(Read::Record(record))) => self.changed.extend(state.follow(&record)),
                Ok(Some(Read::PassedOver(_))) => {}
                Ok(None) => break,
                Ok(Some(hole @ (Read::Damage(_) | Read::Gone { .. }))) => {
                    error!(
                        ?hole,
                        "the journal cannot be followed here: the shared state stays where it is until the next start"
                    );
                    self.broken = true;
                }
                Err(error) => {
                    warn!(%error, "the journal cannot be read now");
                    break;
                }
            }
        }
        let position = reader.position();
        let waiting = self.changed.len() as u64;
        let broken = self.broken;
        self.watch.change(|status| {
            (status.position, status.waiting) = (position, waiting);
            if broken {
                status.unwritten = Some("the journal is damaged where it is followed".to_owned());
            }
        });
        !broken && position < mark
    }

    /// Writes what changed, where the sinks are as far as the state; false where the Redis did not take it.
    fn write<'p>(&mut self, runtime: &Runtime, place: &'p Place, session: &mut Option<Session<'p>>) -> bool {
        let status = self.watch.get();
        if status.lost.is_some() || !status.leased || self.broken || !self.is_acknowledged() {
            return false;
        }
        if status.forgotten > self.forgotten {
            self.forgotten = status.forgotten;
            self.everything();
        }
        while !self.changed.is_empty() {
            let accounts: Vec<[u8; 20]> = self.changed.iter().copied().take(AT_ONCE).collect();
            let images = self.images(&accounts);
            let answered = runtime.block_on(async {
                let connected = match session.take() {
                    Some(connected) => connected,
                    None => place.connect().await?,
                };
                let written = connected.store.write(self.epoch, &images).await;
                let written = written.map_err(|error| connected.told(&error))?;
                // What fails is not used again.
                *session = Some(connected);
                Ok::<_, String>(written)
            });
            match answered {
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

    /// Whether the sinks have passed the place where the state begins: before that it is ahead of them.
    fn is_acknowledged(&self) -> bool {
        let position = self.source.reader.position();
        self.source.sinks.iter().all(|sink| sink.status().delivered >= position)
    }

    fn images(&self, accounts: &[[u8; 20]]) -> Vec<Image> {
        let (journal, position) = (self.source.reader.journal().to_string(), self.source.reader.position());
        let none = Told::new();
        let state = |account: &[u8; 20]| Some((*account, self.source.state.accounts.get(account)?));
        let known = accounts.iter().filter_map(state).filter(|(_, state)| !state.influencer.is_empty());
        known
            .map(|(account, state)| {
                image::of(account, state, (&journal, position), self.told.get(&account).unwrap_or(&none))
            })
            .collect()
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
