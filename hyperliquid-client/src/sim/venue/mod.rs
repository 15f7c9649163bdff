//! The venue as a state machine: no socket, no thread, no clock. `now` is the time since the venue started and never
//! goes back; venue time (ms) comes with the blocks.
//!
//! Calling order: one of [`Venue::connect`], [`Venue::receive`], [`Venue::info`], [`Venue::play`],
//! [`Venue::handle_timeout`], …, then drain [`Venue::poll_transmit`], then wait until [`Venue::poll_timeout`].

mod catalogue;
mod frames;
mod info;
mod outbox;
mod push;
mod requests;
mod sockets;
mod status;
mod subscription;
mod trouble;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use self::catalogue::Catalogue;
pub(super) use self::info::InfoOutcome;
use self::outbox::Outbox;
pub(super) use self::outbox::{ConnId, Out};
pub(super) use self::sockets::Admission;
use self::sockets::{Conn, IpUse};
pub use self::status::{TruthRow, VenueStatus};
use super::book::Book;
use super::config::VenueConfig;
use super::fault::{FaultSpec, Faults};
use super::limits::SimLimits;
use super::rng::Rng;

/// A connection subscribed to an unknown coin is dropped after this.
const BAD_COIN_DROP: Duration = Duration::from_millis(500);
/// States are pushed on change at most this often.
const STATE_GAP: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Debug)]
pub(super) struct Venue {
    config: VenueConfig,
    book: Book,
    catalogue: Catalogue,
    tape: BTreeMap<String, VecDeque<Arc<str>>>,
    conns: BTreeMap<ConnId, Conn>,
    ips: HashMap<IpAddr, IpUse>,
    /// Of addresses that are treated differently.
    own_limits: HashMap<IpAddr, SimLimits>,
    faults: Faults,
    rng: Rng,
    outbox: Outbox,
    truth: VecDeque<TruthRow>,
    status: VenueStatus,
    next_conn: ConnId,
    next_close: ConnId,
    in_outage: bool,
    lag_is_fault: bool,
    cap_is_fault: bool,
    twap_cap_is_fault: bool,
}

impl Venue {
    pub(super) fn new(config: VenueConfig, seed: u64, faults: Vec<FaultSpec>) -> Self {
        let mut venue = Self {
            book: Book::new(config.retention),
            catalogue: Catalogue::default(),
            tape: BTreeMap::new(),
            conns: BTreeMap::new(),
            ips: HashMap::new(),
            own_limits: HashMap::new(),
            faults: Faults::new(seed),
            rng: Rng::new(seed, 3),
            outbox: Outbox::default(),
            truth: VecDeque::new(),
            status: VenueStatus::default(),
            next_conn: 1,
            next_close: 0,
            in_outage: false,
            lag_is_fault: false,
            cap_is_fault: false,
            twap_cap_is_fault: false,
            config,
        };
        for fault in faults {
            venue.faults.add(fault, Duration::ZERO);
        }
        venue.handle_timeout(Duration::ZERO);
        venue
    }

    /// Makes a market known and quoted before anything trades.
    pub(super) fn quote(&mut self, coin: &str, px: &str) {
        self.catalogue.set(coin, px);
    }

    /// A position held before the first fill.
    pub(super) fn open_position(&mut self, user: Arc<str>, coin: &str, size: &str) {
        let px = self.catalogue.px(coin).unwrap_or(0.0);
        self.book.open(user, coin, size, px);
    }

    pub(super) fn config_mut(&mut self) -> &mut VenueConfig {
        &mut self.config
    }

    /// What an address is allowed.
    fn limits_of(&self, ip: IpAddr) -> SimLimits {
        self.own_limits.get(&ip).copied().unwrap_or(self.config.limits)
    }

    pub(super) fn set_limits_of(&mut self, ip: IpAddr, limits: SimLimits) {
        self.own_limits.insert(ip, limits);
    }

    /// The next thing to write.
    pub(super) fn poll_transmit(&mut self, now: Duration) -> Option<(ConnId, Out)> {
        self.outbox.pop(now)
    }

    /// Call [`handle_timeout`](Self::handle_timeout) and drain then, at the latest.
    #[must_use = "arm a timer for this time, then call `handle_timeout`"]
    pub(super) fn poll_timeout(&self, now: Duration) -> Option<Duration> {
        let conns = self.conns.values().filter(|conn| !conn.closing).flat_map(|conn| {
            let pushes = conn.subs.values().filter_map(|sub| sub.next_push).min();
            let ends = (conn.last_data + self.config.idle).min(conn.opened + self.config.expiry);
            [Some(ends), conn.drop_at, pushes]
        });
        conns.flatten().chain(self.outbox.next_due()).chain(self.faults.next_deadline(now)).min()
    }

    /// Does what is due at `now`: faults, closes, pushes of states and prices.
    pub(super) fn handle_timeout(&mut self, now: Duration) {
        self.apply_outage(now);
        for due in self.faults.due(now) {
            self.apply(&due, now);
        }
        for id in self.ids() {
            let Some(conn) = self.conns.get(&id).filter(|conn| !conn.closing) else { continue };
            if conn.drop_at.is_some_and(|at| at <= now) {
                self.close(id, Out::Abort, now);
            } else if conn.opened + self.config.expiry <= now {
                self.close(id, Out::Close(1000, "Expired"), now);
            } else if conn.last_data + self.config.idle <= now {
                self.close(id, Out::Close(1000, "Inactive"), now);
            } else {
                self.push_due(id, now);
            }
        }
        for uses in self.ips.values_mut() {
            uses.lingering.retain(|(_, until)| *until > now);
        }
    }
}

#[cfg(test)]
mod tests;
