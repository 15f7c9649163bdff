//! Takes up the requests that a person leaves in the data directory (`letters::RepairRequest`), one after the other, each second.
//!
//! A row is let in only when its account has certified past it, so that history brings it no more, and the journal has no event of its key:
//! both are asked in this order, so nothing is let in twice. A request ends when all its rows are durable in the journal. One that waits (for
//! room, for the account) is asked again the next second, by the next run too.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use messaging::journal::{Progress, Query, Read, ReadError, Reader, Ticket, Waited};
use messaging::storage::Storage;
use observability::Telemetry;
use signal_domain::{Account, Uuid};
use tracing::warn;

use super::clock;
use super::core::{Repair, RepairAsked, Stands};
use super::desk::Desk;
use super::events::RepairEnded;
use super::lost::restored;
use crate::letters::{RepairRequest, RepairResult, RepairStand, RepairedRow, repairs};
use crate::record::{self, AccountBody, Body, Change, Kind, key_of};

/// Between two looks for requests.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long one question may take; then it is asked again.
const PATIENCE: Duration = Duration::from_secs(1);

/// A row that was let in and never came out, so often, will not: history knows it under another id.
const TRIES: u32 = 3;

/// The thread; ends when told.
pub(super) struct Repairs {
    stop: SyncSender<()>,
    thread: JoinHandle<()>,
}

/// What it works with.
struct Clerk {
    data: Arc<dyn Storage>,
    journal: Reader,
    progress: Arc<Progress>,
    desk: Desk,
    telemetry: Telemetry,
    /// How often a row was let in, by request and number.
    tries: HashMap<(Uuid, usize), u32>,
}

/// Whether the journal has a row.
enum InJournal {
    At(u64),
    No,
    /// Nobody can tell.
    Forgotten,
}

impl Repairs {
    pub(super) fn start(
        data: Arc<dyn Storage>,
        journal: Reader,
        progress: Arc<Progress>,
        desk: Desk,
        telemetry: Telemetry,
    ) -> io::Result<Self> {
        let (stop, stopped) = sync_channel(1);
        let mut clerk = Clerk { data, journal, progress, desk, telemetry, tries: HashMap::new() };
        let thread =
            std::thread::Builder::new().name("repairs".to_owned()).spawn(move || clerk.run(&stopped))?;
        Ok(Self { stop, thread })
    }

    /// Within a few seconds.
    pub(super) fn stop(self) {
        drop(self.stop);
        let _panicked = self.thread.join();
    }
}

impl Clerk {
    fn run(&mut self, stopped: &Receiver<()>) {
        while stopped.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            if let Err(error) = self.look() {
                warn!(%error, "requests in redrive/ cannot be read or ended now");
            }
        }
    }

    fn look(&mut self) -> io::Result<()> {
        let stands = repairs(&*self.data)?;
        for (id, _) in stands.into_iter().filter(|(_, stand)| *stand == RepairStand::Waits) {
            let ended = match RepairRequest::read(&*self.data, id) {
                Ok(request) => self.carry_out(&request),
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => Some((Vec::new(), Some(format!("the request cannot be read: {error}")))),
            };
            let Some((rows, why)) = ended else { continue };
            let outcome = if why.is_some() { "refused" } else { "done" };
            let told = why.clone().unwrap_or_default();
            RepairResult { id, ended_at: clock::wall_ms(), rows, why }.end(&*self.data)?;
            self.tries.retain(|(request, _), _| *request != id);
            self.telemetry.emit(&RepairEnded { outcome, id, why: &told });
        }
        Ok(())
    }

    /// The rows that are in the journal, and why the others never will be; nothing while some wait.
    fn carry_out(&mut self, request: &RepairRequest) -> Option<(Vec<RepairedRow>, Option<String>)> {
        let Ok(account) = Account::parse(&request.account) else {
            return Some((Vec::new(), Some(format!("{} is no account", request.account))));
        };
        let (mut rows, mut waits) = (Vec::new(), false);
        for (number, raw) in request.rows.iter().enumerate() {
            let mut repair = Repair {
                account: *account.as_bytes(),
                is_slice: request.are_slices,
                raw: raw.as_bytes().into(),
                takes: false,
            };
            let asked = match self.desk.repair(repair.clone(), PATIENCE)? {
                Stands::Refused(why) => return Some((rows, Some(why))),
                Stands::NotYet => {
                    waits = true;
                    continue;
                }
                Stands::May(asked) => asked,
            };
            self.durable(asked.upto)?;
            let found = self.search(&account, &asked).inspect_err(|error| warn!(%error, "a repair waits"));
            match found.ok()? {
                InJournal::At(position) => {
                    rows.push(RepairedRow { source_event_id: asked.source_event_id, position });
                }
                InJournal::Forgotten => {
                    let why = "the journal does not reach back to it: nobody can tell whether it is known";
                    return Some((rows, Some(why.to_owned())));
                }
                InJournal::No => {
                    let tries = self.tries.entry((request.id, number)).or_default();
                    if asked.is_old && *tries >= TRIES {
                        return Some((rows, Some("its account does not let it in".to_owned())));
                    }
                    if asked.is_old {
                        *tries += 1;
                        repair.takes = true;
                        self.desk.repair(repair, PATIENCE)?;
                    }
                    // Known or let in: it is in the journal soon.
                    waits = true;
                }
            }
        }
        (!waits).then_some((rows, None))
    }

    fn durable(&self, ticket: Ticket) -> Option<()> {
        (self.progress.wait_synced(ticket, PATIENCE) == Waited::Reached).then_some(())
    }

    /// Looks for the event of a key: in what is kept, and in what the oldest checkpoint remembers of what is not.
    fn search(&self, account: &Account, asked: &RepairAsked) -> Result<InJournal, ReadError> {
        let mut first = self.journal.fork(0);
        let oldest = match first.next()? {
            None => 0,
            Some(Read::Gone { to, .. }) => to,
            Some(Read::Record(record)) => record.position,
            Some(Read::Damage(damage)) => damage.from,
            Some(Read::PassedOver(passed)) => passed.segment,
        };
        let query = Query {
            keys: vec![key_of(account)],
            kinds: vec![Kind::Event as u8],
            times: Some(asked.time..=asked.time),
            ..Query::default()
        };
        let mut reader = self.journal.fork(oldest).select(query);
        while let Some(read) = reader.next()? {
            if let Read::Record(record) = read
                && let Ok(Some(Body::Account(AccountBody { change: Change::Event(event), .. }))) =
                    record::decode(&record)
                && event.key == asked.key
            {
                return Ok(InJournal::At(record.position));
            }
        }
        let (_, before) = restored(&self.journal, oldest)?;
        let forgotten = before.accounts.get(account.as_bytes()).is_some_and(|known| {
            asked.time < known.ledger.floor() || known.ledger.keys().get(asked.key).is_some()
        });
        Ok(if forgotten { InJournal::Forgotten } else { InJournal::No })
    }
}
