//! Sockets as the venue sees them: who may open one, what it holds, how it ends; and what its address has used.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::super::fault::HandshakeFate;
use super::super::limits::Meter;
use super::Venue;
use super::outbox::{ConnId, Out};
use super::subscription::Subscription;

/// How an upgrade request fares.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::sim) enum Admission {
    Accept(ConnId),
    Refuse(u16),
    /// Never answered.
    Hang,
    /// The TCP connection is cut.
    Cut,
}

#[derive(Debug, Default)]
pub(super) struct SubState {
    pub(super) last_push: Duration,
    pub(super) next_push: Option<Duration>,
}

#[derive(Debug)]
pub(super) struct Conn {
    pub(super) ip: IpAddr,
    pub(super) opened: Duration,
    /// Data or pong last sent; acknowledgements, errors and post answers do not count.
    pub(super) last_data: Duration,
    pub(super) subs: BTreeMap<Subscription, SubState>,
    pub(super) drop_at: Option<Duration>,
    pub(super) closing: bool,
}

/// What one address used of its limits.
#[derive(Debug, Default)]
pub(super) struct IpUse {
    pub(super) connects: Meter,
    pub(super) messages: Meter,
    pub(super) weight: Meter,
    pub(super) lingering: Vec<(String, Duration)>,
}

impl Venue {
    /// An upgrade request of `ip`.
    pub(in crate::sim) fn connect(&mut self, ip: IpAddr, now: Duration) -> Admission {
        if self.is_down(now) {
            return Admission::Cut;
        }
        match self.faults.handshake(now) {
            Some(HandshakeFate::Refuse(status)) => return Admission::Refuse(status),
            Some(HandshakeFate::Hang) => return Admission::Hang,
            None => {}
        }
        let open = self.conns.values().filter(|conn| conn.ip == ip && !conn.closing).count();
        let limits = self.limits_of(ip);
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
    pub(in crate::sim) fn disconnected(&mut self, id: ConnId, now: Duration) {
        if let Some(conn) = self.conns.remove(&id) {
            self.linger(&conn, now);
        }
        self.outbox.forget(id);
    }

    /// A protocol ping. Its pong is not known to keep a socket alive, so it does not count as data.
    pub(in crate::sim) fn pinged(&mut self, id: ConnId, payload: Vec<u8>, now: Duration) {
        if self.conns.contains_key(&id) {
            self.outbox.push(id, Out::Pong(payload), now);
        }
    }

    /// A socket's queue was full: it is closed, the others are not made to wait.
    pub(in crate::sim) fn too_slow(&mut self, id: ConnId, now: Duration) {
        self.status.slow_closed += 1;
        self.close(id, Out::Abort, now);
    }

    /// Closes a socket: queued frames first, then the end.
    pub(in crate::sim) fn close(&mut self, id: ConnId, how: Out, now: Duration) {
        let Some(conn) = self.conns.get_mut(&id).filter(|conn| !conn.closing) else { return };
        conn.closing = true;
        self.outbox.push(id, how, now);
    }

    /// Closes every socket, or those of one address.
    pub(in crate::sim) fn close_all(&mut self, of: Option<IpAddr>, how: &Out, now: Duration) {
        for id in self.ids() {
            if of.is_none() || of == self.conns.get(&id).map(|conn| conn.ip) {
                self.close(id, how.clone(), now);
            }
        }
    }

    /// Sends `bytes` as a text frame to every socket that follows `user`, or to every socket. Returns to how many.
    pub(in crate::sim) fn inject(&mut self, user: Option<&str>, bytes: &[u8], now: Duration) -> usize {
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

    pub(super) fn ids(&self) -> Vec<ConnId> {
        self.conns.iter().filter(|(_, conn)| !conn.closing).map(|(id, _)| *id).collect()
    }

    pub(super) fn follows_someone(&self, id: ConnId) -> bool {
        self.conns.get(&id).is_some_and(|conn| conn.subs.keys().any(|sub| sub.user().is_some()))
    }

    /// The users of a gone socket keep their slots for a while, where the venue is configured so.
    pub(super) fn linger(&mut self, conn: &Conn, now: Duration) {
        if self.config.user_linger.is_zero() {
            return;
        }
        let until = now + self.config.user_linger;
        let users = conn.subs.keys().filter_map(Subscription::user).map(|user| (user.to_owned(), until));
        self.ips.entry(conn.ip).or_default().lingering.extend(users);
    }
}

impl Conn {
    pub(super) fn follows(&self, user: &str) -> bool {
        self.subs.keys().any(|sub| sub.user() == Some(user))
    }
}
