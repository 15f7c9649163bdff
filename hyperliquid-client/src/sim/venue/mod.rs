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
mod subscription;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use self::catalogue::Catalogue;
pub(super) use self::info::InfoOutcome;
use self::outbox::Outbox;
pub(super) use self::outbox::{ConnId, Out};
use self::subscription::Subscription;
use super::book::Book;
use super::config::VenueConfig;
use super::fault::{Due, FaultSpec, Faults, HandshakeFate, Injection, Moment, injection};
use super::fill::Stream;
use super::limits::Meter;
use super::rng::Rng;

/// A connection subscribed to an unknown coin is dropped after this.
const BAD_COIN_DROP: Duration = Duration::from_millis(500);
/// States are pushed on change at most this often.
const STATE_GAP: Duration = Duration::from_millis(500);

/// One published row, as the venue knows it to be true.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TruthRow {
    /// Counts every row ever published, from 0.
    pub index: u64,
    /// Sent to subscribers when it happened; false for history from before the play.
    pub live: bool,
    /// The account.
    pub user: Arc<str>,
    /// Its stream.
    pub stream: Stream,
    /// Market name.
    pub coin: String,
    /// Venue ms.
    pub time: u64,
    /// Trade id.
    pub tid: u64,
    /// The row as printed in frames and info answers.
    pub text: Arc<str>,
}

/// Numbers about a running venue.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct VenueStatus {
    /// Open sockets.
    pub connections: usize,
    /// Sockets ever opened.
    pub connections_total: u64,
    /// Subscriptions on all sockets.
    pub subscriptions: usize,
    /// `userFills` subscriptions on all sockets.
    pub user_fills_subscriptions: usize,
    /// Distinct accounts on all sockets.
    pub users: usize,
    /// Blocks played.
    pub blocks: u64,
    /// Rows published, history included.
    pub fills: u64,
    /// Venue ms of the newest block.
    pub venue_time: u64,
    /// Info requests answered or refused, posts included.
    pub info_requests: u64,
    /// Info requests refused because the weight of the minute was spent (faults not counted).
    pub info_over_budget: u64,
    /// The most info weight any address spent in one minute.
    pub info_weight_peak: u32,
    /// Messages refused by a limit: users, subscriptions, messages.
    pub refused_by_limits: u64,
    /// Upgrades refused by a limit.
    pub refused_connections: u64,
    /// Sockets closed because they did not read fast enough.
    pub slow_closed: u64,
}

/// How an upgrade request fares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Admission {
    Accept(ConnId),
    Refuse(u16),
    /// Never answered.
    Hang,
    /// The TCP connection is cut.
    Cut,
}

#[derive(Debug, Default)]
struct SubState {
    last_push: Duration,
    next_push: Option<Duration>,
}

#[derive(Debug)]
struct Conn {
    ip: IpAddr,
    opened: Duration,
    /// Data or pong last sent; acknowledgements, errors and post answers do not count.
    last_data: Duration,
    subs: BTreeMap<Subscription, SubState>,
    drop_at: Option<Duration>,
    closing: bool,
}

/// What one address used of its limits.
#[derive(Debug, Default)]
struct IpUse {
    connects: Meter,
    messages: Meter,
    weight: Meter,
    lingering: Vec<(String, Duration)>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Venue {
    config: VenueConfig,
    book: Book,
    catalogue: Catalogue,
    tape: BTreeMap<String, VecDeque<Arc<str>>>,
    conns: BTreeMap<ConnId, Conn>,
    ips: HashMap<IpAddr, IpUse>,
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

    /// Whether a new TCP connection is cut at once.
    pub(super) fn is_down(&self, now: Duration) -> bool {
        self.faults.outage(now)
    }

    /// An upgrade request of `ip`.
    pub(super) fn connect(&mut self, ip: IpAddr, now: Duration) -> Admission {
        if self.is_down(now) {
            return Admission::Cut;
        }
        match self.faults.handshake(now) {
            Some(HandshakeFate::Refuse(status)) => return Admission::Refuse(status),
            Some(HandshakeFate::Hang) => return Admission::Hang,
            None => {}
        }
        let open = self.conns.values().filter(|conn| conn.ip == ip && !conn.closing).count();
        let limits = self.config.limits;
        let uses = self.ips.entry(ip).or_default();
        if open as u64 >= u64::from(limits.connections)
            || !uses.connects.take(1, limits.new_connections_per_minute, now)
        {
            self.status.refused_connections += 1;
            return Admission::Refuse(429);
        }
        let id = self.next_conn;
        self.next_conn += 1;
        self.status.connections_total += 1;
        let conn =
            Conn { ip, opened: now, last_data: now, subs: BTreeMap::new(), drop_at: None, closing: false };
        self.conns.insert(id, conn);
        if let Some(greeting) = self.config.greeting.clone() {
            self.outbox.push(id, Out::Text(greeting.into()), now);
        }
        Admission::Accept(id)
    }

    /// A socket ended, whoever ended it.
    pub(super) fn disconnected(&mut self, id: ConnId, now: Duration) {
        if let Some(conn) = self.conns.remove(&id) {
            self.linger(&conn, now);
        }
        self.outbox.forget(id);
    }

    /// A protocol ping. Its pong is not known to keep a socket alive, so it does not count as data.
    pub(super) fn pinged(&mut self, id: ConnId, payload: Vec<u8>, now: Duration) {
        if self.conns.contains_key(&id) {
            self.outbox.push(id, Out::Pong(payload), now);
        }
    }

    /// A socket's queue was full: it is closed, the others are not made to wait.
    pub(super) fn too_slow(&mut self, id: ConnId, now: Duration) {
        self.status.slow_closed += 1;
        self.close(id, Out::Abort, now);
    }

    /// Closes a socket: queued frames first, then the end.
    pub(super) fn close(&mut self, id: ConnId, how: Out, now: Duration) {
        let Some(conn) = self.conns.get_mut(&id).filter(|conn| !conn.closing) else { return };
        conn.closing = true;
        self.outbox.push(id, how, now);
    }

    /// Closes every socket.
    pub(super) fn close_all(&mut self, how: &Out, now: Duration) {
        for id in self.ids() {
            self.close(id, how.clone(), now);
        }
    }

    /// Sends `bytes` as a text frame to every socket that follows `user`, or to every socket. Returns to how many.
    pub(super) fn inject(&mut self, user: Option<&str>, bytes: &[u8], now: Duration) -> usize {
        let to: Vec<ConnId> = self
            .conns
            .iter()
            .filter(|(_, conn)| !conn.closing && user.is_none_or(|user| conn.follows(user)))
            .map(|(id, _)| *id)
            .collect();
        for id in &to {
            self.outbox.push(*id, Out::Bytes(bytes.into()), now);
        }
        to.len()
    }

    /// Takes a fault into force now.
    pub(super) fn add_fault(&mut self, spec: FaultSpec, now: Duration) {
        self.faults.add(spec, now);
        self.handle_timeout(now);
    }

    /// Ends all faults; limits and caps they changed stay as they are.
    pub(super) fn clear_faults(&mut self) {
        self.faults.clear();
        self.in_outage = false;
    }

    pub(super) fn fault_counts(&self) -> BTreeMap<&'static str, u64> {
        self.faults.counts().clone()
    }

    pub(super) fn config_mut(&mut self) -> &mut VenueConfig {
        &mut self.config
    }

    /// Rows from index `from` on, as far as they are still kept.
    pub(super) fn truth(&self, from: u64) -> Vec<TruthRow> {
        let first = self.truth.front().map_or(0, |row| row.index);
        let skip = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
        self.truth.iter().skip(skip).cloned().collect()
    }

    pub(super) fn status(&self) -> VenueStatus {
        let subs = || self.conns.values().flat_map(|conn| conn.subs.keys());
        let mut users: Vec<&str> = subs().filter_map(Subscription::user).collect();
        users.sort_unstable();
        users.dedup();
        VenueStatus {
            connections: self.conns.len(),
            subscriptions: subs().count(),
            user_fills_subscriptions: subs().filter(|sub| matches!(sub, Subscription::UserFills(_))).count(),
            users: users.len(),
            info_weight_peak: self.ips.values().map(|uses| uses.weight.peak()).max().unwrap_or(0),
            ..self.status.clone()
        }
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

    fn apply_outage(&mut self, now: Duration) {
        let down = self.faults.outage(now);
        if down && !self.in_outage {
            self.faults.applied("outage");
            self.close_all(&Out::Abort, now);
        }
        self.in_outage = down;
    }

    fn apply(&mut self, due: &Due, now: Duration) {
        let targets: Vec<ConnId> = self.ids().into_iter().filter(|id| due.reaches(*id)).collect();
        match &due.moment {
            Moment::Inject(kind) => return self.apply_injection(due, *kind, &targets, now),
            Moment::CloseOne => {
                let next = targets.iter().find(|id| **id > self.next_close).or_else(|| targets.first());
                let Some(id) = next.copied() else { return };
                self.next_close = id;
                self.close(id, Out::Close(1000, ""), now);
            }
            Moment::CloseAll(_) if targets.is_empty() => return self.faults.retry(due, now),
            Moment::CloseAll(code) => {
                for id in targets {
                    let how = if *code == 1006 { Out::Abort } else { Out::Close(*code, "") };
                    self.close(id, how, now);
                }
            }
            Moment::TooManyUsers(n) => self.config.limits.users = *n,
            Moment::Limit(limit, n) => {
                self.config.limits.set(limit, *n);
            }
            // The next three are counted where they bite: per row, per page.
            Moment::InfoLag(lag) => {
                (self.config.index_lag, self.lag_is_fault) = ((Duration::ZERO, *lag), true);
                return;
            }
            Moment::PageCap(rows) => {
                (self.config.page_cap, self.cap_is_fault) = (*rows, true);
                return;
            }
            Moment::TwapPageCap(rows) => {
                (self.config.twap_page_cap, self.twap_cap_is_fault) = (*rows, true);
                return;
            }
            Moment::Retention(rows) => {
                self.config.retention = *rows;
                self.book.set_retention(*rows);
            }
        }
        self.faults.applied(due.moment.name());
    }

    /// Sends a frame of nonsense to every target that follows somebody; waits for one where there is none.
    fn apply_injection(&mut self, due: &Due, kind: Injection, targets: &[ConnId], now: Duration) {
        let time = self.status.venue_time;
        let mut hit = false;
        for id in targets.iter().copied().filter(|id| self.follows_someone(*id)).collect::<Vec<_>>() {
            let out = match (kind, injection(kind, time, self.faults.rng())) {
                (Injection::PingFlood(n), _) => Out::Pings(n),
                (_, bytes) => Out::Bytes(bytes.unwrap_or_default().into()),
            };
            self.outbox.push(id, out, now);
            self.faults.applied(due.moment.name());
            hit = true;
        }
        if !hit {
            self.faults.retry(due, now);
        }
    }

    fn ids(&self) -> Vec<ConnId> {
        self.conns.iter().filter(|(_, conn)| !conn.closing).map(|(id, _)| *id).collect()
    }

    fn follows_someone(&self, id: ConnId) -> bool {
        self.conns.get(&id).is_some_and(|conn| conn.subs.keys().any(|sub| sub.user().is_some()))
    }

    /// The users of a gone socket keep their slots for a while, where the venue is configured so.
    fn linger(&mut self, conn: &Conn, now: Duration) {
        if self.config.user_linger.is_zero() {
            return;
        }
        let until = now + self.config.user_linger;
        let users = conn.subs.keys().filter_map(Subscription::user).map(|user| (user.to_owned(), until));
        self.ips.entry(conn.ip).or_default().lingering.extend(users);
    }
}

impl Conn {
    fn follows(&self, user: &str) -> bool {
        self.subs.keys().any(|sub| sub.user() == Some(user))
    }
}

#[cfg(test)]
mod tests;
