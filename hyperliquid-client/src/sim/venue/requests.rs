//! Messages of a client: subscribe, unsubscribe, ping, post, with the venue's own error texts.

use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;

use super::info::InfoOutcome;
use super::outbox::{ConnId, Out};
use super::sockets::SubState;
use super::subscription::Subscription;
use super::{BAD_COIN_DROP, Venue, frames};

impl Venue {
    /// A text frame of a client.
    pub(in crate::sim) fn receive(&mut self, id: ConnId, text: &str, now: Duration) {
        let Some(ip) = self.conns.get(&id).filter(|conn| !conn.closing).map(|conn| conn.ip) else { return };
        let limit = self.limits_of(ip).messages_per_minute;
        if !self.ips.entry(ip).or_default().messages.take(1, limit, now) {
            self.status.refused_by_limits += 1;
            self.error(id, &format!("Cannot send more than {limit} messages per minute."), now);
            return;
        }
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        let subscription = || Subscription::read(value.get("subscription")?);
        let done = match value.get("method").and_then(Value::as_str) {
            Some("ping") => {
                self.reply_pong(id, now);
                Some(())
            }
            Some("subscribe") => subscription().map(|sub| self.subscribe(id, ip, &sub, now)),
            Some("unsubscribe") => subscription().map(|sub| self.unsubscribe(id, ip, &sub, now)),
            Some("post") => self.post(id, ip, &value, now),
            _ => None,
        };
        if done.is_none() {
            self.error(id, &format!("Error parsing JSON into valid websocket request: {text}"), now);
        }
    }

    fn subscribe(&mut self, id: ConnId, ip: IpAddr, sub: &Subscription, now: Duration) {
        if self.faults.swallow_subscribe(id) {
            return;
        }
        let echo = sub.echo();
        if self.conns.get(&id).is_some_and(|conn| conn.subs.contains_key(sub)) {
            self.error(id, &format!("Already subscribed: {echo}"), now);
            return;
        }
        let limits = self.limits_of(ip);
        let same_ip = || self.conns.values().filter(|conn| conn.ip == ip);
        let held: usize = same_ip().map(|conn| conn.subs.len()).sum();
        if held as u64 >= u64::from(limits.subscriptions) {
            self.status.refused_by_limits += 1;
            self.error(id, &format!("Cannot subscribe to more than {} channels.", limits.subscriptions), now);
            return;
        }
        if let Some(user) = sub.user() {
            let mut users: Vec<&str> =
                same_ip().flat_map(|conn| conn.subs.keys()).filter_map(Subscription::user).collect();
            let ghosts = self.ips.get(&ip).into_iter().flat_map(|uses| &uses.lingering);
            users.extend(ghosts.filter(|(_, until)| *until > now).map(|(user, _)| user.as_str()));
            users.sort_unstable();
            users.dedup();
            if !users.contains(&user) && users.len() as u64 >= u64::from(limits.users) {
                self.status.refused_by_limits += 1;
                self.error(id, &format!("Cannot track more than {} total users.", limits.users), now);
                return;
            }
        }
        let unknown_coin = matches!(sub, Subscription::Trades(coin) if !self.catalogue.knows(coin));
        let Some(conn) = self.conns.get_mut(&id) else { return };
        if unknown_coin {
            conn.drop_at = Some(now + BAD_COIN_DROP);
        }
        conn.subs.insert(sub.clone(), SubState::default());
        self.status.subscribed_total += 1;
        let ack = frames::ack("subscribe", &echo);
        if self.rng.chance(self.config.snapshot_before_ack) {
            self.first_push(id, sub, now);
            self.reply(id, ack, now);
        } else {
            self.reply(id, ack, now);
            self.first_push(id, sub, now);
        }
    }

    fn unsubscribe(&mut self, id: ConnId, ip: IpAddr, sub: &Subscription, now: Duration) {
        let echo = sub.echo();
        let removed = self.conns.get_mut(&id).is_some_and(|conn| conn.subs.remove(sub).is_some());
        if !removed {
            self.error(id, &format!("Already unsubscribed: {echo}"), now);
            return;
        }
        self.status.unsubscribed_total += 1;
        if let Some(user) = sub.user().filter(|_| !self.config.user_linger.is_zero()) {
            let until = now + self.config.user_linger;
            self.ips.entry(ip).or_default().lingering.push((user.to_owned(), until));
        }
        self.reply(id, frames::ack("unsubscribe", &echo), now);
    }

    /// An info request through the socket; spends the same weight as over HTTP.
    fn post(&mut self, id: ConnId, ip: IpAddr, value: &Value, now: Duration) -> Option<()> {
        let post = value.get("id")?.as_u64()?;
        let request = value.get("request")?;
        if request.get("type")?.as_str()? != "info" {
            return None;
        }
        let payload = request.get("payload")?;
        let kind = payload.get("type")?.as_str()?;
        let (response, delay) = match self.info_value(ip, payload, now) {
            InfoOutcome::Cut => return Some(()),
            InfoOutcome::Answer(answer) if answer.status == 200 => {
                let kind = frames::quote(kind);
                let body = answer.body;
                (format!(r#"{{"type":"info","payload":{{"type":{kind},"data":{body}}}}}"#), answer.delay)
            }
            InfoOutcome::Answer(answer) if answer.status == 422 => return None,
            InfoOutcome::Answer(answer) => {
                (format!(r#"{{"type":"error","payload":{}}}"#, frames::quote(&answer.body)), answer.delay)
            }
        };
        let text = format!(r#"{{"channel":"post","data":{{"id":{post},"response":{response}}}}}"#);
        self.outbox.push(id, Out::Text(text.into()), now + delay);
        Some(())
    }

    fn reply_pong(&mut self, id: ConnId, now: Duration) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.last_data = now;
        }
        self.reply(id, frames::PONG.to_owned(), now);
    }

    fn error(&mut self, id: ConnId, text: &str, now: Duration) {
        self.reply(id, frames::error(text), now);
    }

    /// Acknowledgements, errors, pongs: no fault touches them, and (pongs apart) they do not keep a socket alive.
    fn reply(&mut self, id: ConnId, text: String, now: Duration) {
        self.outbox.push(id, Out::Text(text.into()), now);
    }
}
