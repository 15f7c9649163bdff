//! Data on its way out: blocks, snapshots, states, prices; and the faults that befall it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::fault::{alter, corrupt, truncate};
use super::super::fill::{Block, BlockFill, Stream};
use super::super::state::ClearinghouseState;
use super::outbox::{ConnId, Out};
use super::subscription::Subscription;
use super::{STATE_GAP, TruthRow, Venue, frames};

/// The rows of one account in a block, as printed, and the fills they come from.
struct Group<'a> {
    user: &'a Arc<str>,
    stream: Stream,
    texts: Vec<Arc<str>>,
    fills: Vec<&'a BlockFill>,
}

impl Venue {
    /// A block happens: history, positions and tape change; with `live` every subscriber is told.
    pub(in crate::sim) fn play(&mut self, block: &Block, live: bool, now: Duration) {
        self.status.blocks += 1;
        self.status.venue_time = self.status.venue_time.max(block.time);
        for (coin, px) in &block.marks {
            self.catalogue.set(coin, px);
        }
        let mut groups: Vec<Group<'_>> = Vec::new();
        for row in &block.fills {
            self.catalogue.set(&row.fill.coin, &row.fill.px);
            let text = self.publish(row, live, now);
            match groups.iter_mut().find(|group| *group.user == row.user && group.stream == row.stream) {
                Some(group) => {
                    group.texts.push(text);
                    group.fills.push(row);
                }
                None => groups.push(Group {
                    user: &row.user,
                    stream: row.stream,
                    texts: vec![text],
                    fills: vec![row],
                }),
            }
        }
        let trades = self.record_trades(block);
        if !live {
            return;
        }
        for group in &groups {
            self.tell(group, now);
        }
        for (coin, rows) in trades {
            let sub = Subscription::Trades(coin);
            let text: Arc<str> = frames::trades(&rows).into();
            for id in self.holders(&sub) {
                self.data(id, None, true, &text, now);
            }
        }
    }

    fn publish(&mut self, row: &BlockFill, live: bool, now: Duration) -> Arc<str> {
        let (low, high) = self.config.index_lag;
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let lag =
            if live { Duration::from_millis(self.rng.between(ms(low), ms(high))) } else { Duration::ZERO };
        if live && self.lag_is_fault {
            self.faults.applied("info-lag");
        }
        let text = self.book.publish(row, now, now + lag);
        let index = self.status.fills;
        self.status.fills += 1;
        self.truth.push_back(TruthRow {
            index,
            live,
            user: row.user.clone(),
            stream: row.stream,
            coin: row.fill.coin.clone(),
            time: row.fill.time,
            tid: row.fill.tid,
            text: text.clone(),
        });
        while self.truth.len() > self.config.truth_rows {
            self.truth.pop_front();
        }
        text
    }

    /// One row per trade of the block, both sides found by `tid`; dust is no trade.
    fn record_trades(&mut self, block: &Block) -> BTreeMap<String, Vec<Arc<str>>> {
        let mut sides: BTreeMap<(usize, u64), (&BlockFill, Option<&BlockFill>)> = BTreeMap::new();
        let mut first_of: BTreeMap<(&str, u64), usize> = BTreeMap::new();
        for (at, row) in block.fills.iter().enumerate().filter(|(_, row)| row.fill.tid != 0) {
            let first = *first_of.entry((&row.fill.coin, row.fill.tid)).or_insert(at);
            sides
                .entry((first, row.fill.tid))
                .and_modify(|(_, other)| *other = Some(row))
                .or_insert((row, None));
        }
        let mut trades: BTreeMap<String, Vec<Arc<str>>> = BTreeMap::new();
        for (a, b) in sides.into_values() {
            let text = frames::trade(a, b);
            let tape = self.tape.entry(a.fill.coin.clone()).or_default();
            tape.push_back(text.clone());
            while tape.len() > self.config.trade_replay {
                tape.pop_front();
            }
            trades.entry(a.fill.coin.clone()).or_default().push(text);
        }
        trades
    }

    /// All frames about one account's rows.
    fn tell(&mut self, group: &Group<'_>, now: Duration) {
        let user = group.user.to_string();
        let rows = match group.stream {
            Stream::Fills => Subscription::UserFills(user.clone()),
            Stream::Twap => Subscription::UserTwapSliceFills(user.clone()),
        };
        for id in self.holders(&rows) {
            self.rows_frame(id, group, now);
        }
        let events = self.holders(&Subscription::UserEvents(user.clone()));
        if !events.is_empty() {
            let text: Arc<str> = frames::user_event(group.stream, &group.texts).into();
            let liquidation = group.fills.iter().find(|row| {
                let mark = row.fill.liquidation.as_ref().and_then(|mark| mark.liquidated_user.as_deref());
                mark == Some(&*row.user)
            });
            let notice: Option<Arc<str>> = liquidation
                .map(|row| frames::liquidation_event(row.fill.oid, &frames_liquidator(row), &user).into());
            for id in events {
                self.data(id, Some(&user), true, &text, now);
                if let Some(notice) = &notice {
                    self.data(id, Some(&user), true, notice, now);
                }
            }
        }
        let orders = self.holders(&Subscription::OrderUpdates(user.clone()));
        if let Some(text) = frames::order_updates(&group.fills).filter(|_| !orders.is_empty()) {
            let text: Arc<str> = text.into();
            for id in orders {
                self.data(id, Some(&user), true, &text, now);
            }
        }
        self.mark_states(&user, now);
    }

    /// The `userFills` or `userTwapSliceFills` frame of one socket, altered or split where a fault says so.
    fn rows_frame(&mut self, id: ConnId, group: &Group<'_>, now: Duration) {
        if self.faults.muted(id, group.user, now) {
            return;
        }
        let alterations =
            if group.stream == Stream::Fills { self.faults.alterations(id) } else { Vec::new() };
        if alterations.is_empty() {
            if group.texts.len() > 1 && self.faults.split(id, now) {
                let at = self.faults.rng().between(1, group.texts.len() as u64 - 1) as usize;
                let (first, second) = group.texts.split_at(at);
                for part in [first, second] {
                    let text: Arc<str> = frames::rows(group.stream, group.user, false, part).into();
                    self.data_unmuted(id, true, &text, now);
                }
                return;
            }
            let text: Arc<str> = frames::rows(group.stream, group.user, false, &group.texts).into();
            self.data_unmuted(id, true, &text, now);
            return;
        }
        let mut first: Vec<String> = group.texts.iter().map(ToString::to_string).collect();
        let mut second = Vec::new();
        for alteration in alterations {
            second.extend(alter(alteration, &mut first, self.faults.rng()));
        }
        // Altered frames are sent as they are: another fault on top would hide what was counted.
        self.plain(id, frames::rows(group.stream, group.user, false, &first).into(), now);
        if !second.is_empty() {
            self.plain(id, frames::rows(group.stream, group.user, false, &second).into(), now);
        }
    }

    /// What a fresh subscription is sent.
    pub(super) fn first_push(&mut self, id: ConnId, sub: &Subscription, now: Duration) {
        let rows = self.config.snapshot_rows;
        let text = match sub {
            Subscription::UserFills(user) => {
                frames::rows(Stream::Fills, user, true, &self.book.snapshot(user, Stream::Fills, rows))
            }
            Subscription::UserTwapSliceFills(user) => {
                frames::rows(Stream::Twap, user, true, &self.book.snapshot(user, Stream::Twap, rows))
            }
            Subscription::Trades(coin) => {
                let rows: Vec<Arc<str>> = self.tape.get(coin).into_iter().flatten().cloned().collect();
                frames::trades(&rows)
            }
            Subscription::AllMids(_)
            | Subscription::ClearinghouseState { .. }
            | Subscription::AllDexsClearinghouseState(_) => return self.push(id, sub, now),
            Subscription::UserEvents(_) | Subscription::OrderUpdates(_) => return,
        };
        self.data(id, sub.user(), false, &text.into(), now);
    }

    /// States and prices of one socket that are due.
    pub(super) fn push_due(&mut self, id: ConnId, now: Duration) {
        let Some(conn) = self.conns.get(&id) else { return };
        let due: Vec<Subscription> = conn
            .subs
            .iter()
            .filter(|(_, state)| state.next_push.is_some_and(|at| at <= now))
            .map(|(sub, _)| sub.clone())
            .collect();
        for sub in due {
            self.push(id, &sub, now);
        }
    }

    /// Sends a state or the prices, and sets when the next is due.
    fn push(&mut self, id: ConnId, sub: &Subscription, now: Duration) {
        let (text, interval) = match sub {
            Subscription::AllMids(dex) => {
                let mids = frames::mids(self.catalogue.marks(dex.as_deref().unwrap_or_default()));
                let dex =
                    dex.as_ref().map(|dex| format!(r#","dex":{}"#, frames::quote(dex))).unwrap_or_default();
                (
                    format!(r#"{{"channel":"allMids","data":{{"mids":{mids}{dex}}}}}"#),
                    self.config.mids_interval,
                )
            }
            Subscription::ClearinghouseState { user, dex } => {
                let state = self.state(user, dex, now);
                let dex = frames::quote(dex);
                let data = format!(r#"{{"dex":{dex},"user":"{user}","clearinghouseState":{state}}}"#);
                (format!(r#"{{"channel":"clearinghouseState","data":{data}}}"#), self.config.state_interval)
            }
            Subscription::AllDexsClearinghouseState(user) => {
                let dexes: Vec<String> = self.catalogue.dexes().into_iter().map(str::to_owned).collect();
                let states: Vec<String> = dexes
                    .into_iter()
                    .map(|dex| format!("[{},{}]", frames::quote(&dex), self.state(user, &dex, now)))
                    .collect();
                let data = format!(r#"{{"user":"{user}","clearinghouseStates":{}}}"#, frames::list(&states));
                (
                    format!(r#"{{"channel":"allDexsClearinghouseState","data":{data}}}"#),
                    self.config.state_interval,
                )
            }
            Subscription::UserFills(_)
            | Subscription::UserTwapSliceFills(_)
            | Subscription::UserEvents(_)
            | Subscription::OrderUpdates(_)
            | Subscription::Trades(_) => return,
        };
        let next = now + interval.max(Duration::from_millis(10));
        if let Some(state) = self.conns.get_mut(&id).and_then(|conn| conn.subs.get_mut(sub)) {
            state.last_push = now;
            state.next_push = Some(next);
        }
        self.data(id, sub.user(), false, &text.into(), now);
    }

    /// The state of an account on one dex, as JSON.
    pub(super) fn state(&mut self, user: &str, dex: &str, now: Duration) -> String {
        let (time, wrong) = (self.status.venue_time, self.faults.wrong_state(user, now));
        ClearinghouseState::of(&self.book, user, dex, time, wrong, |coin| self.catalogue.px(coin)).text()
    }

    /// Open perp positions of an account, coin and signed size.
    pub(in crate::sim) fn positions(&self, user: &str) -> BTreeMap<String, String> {
        let positions = self.book.positions(user);
        positions.map(|(coin, held)| (coin.to_owned(), held.size.normalize().to_string())).collect()
    }

    /// A fill changed these states: push them soon, but not with every block.
    fn mark_states(&mut self, user: &str, now: Duration) {
        for conn in self.conns.values_mut() {
            for (sub, state) in &mut conn.subs {
                if sub.is_state() && sub.user() == Some(user) {
                    let soon = (state.last_push + STATE_GAP).max(now);
                    state.next_push = Some(state.next_push.map_or(soon, |at| at.min(soon)));
                }
            }
        }
    }

    fn holders(&self, sub: &Subscription) -> Vec<ConnId> {
        let holds = self.conns.iter().filter(|(_, conn)| !conn.closing && conn.subs.contains_key(sub));
        holds.map(|(id, _)| *id).collect()
    }

    /// One data frame, unless its account is mute on this socket.
    fn data(&mut self, id: ConnId, user: Option<&str>, live: bool, text: &Arc<str>, now: Duration) {
        if user.is_some_and(|user| self.faults.muted(id, user, now)) {
            return;
        }
        self.data_unmuted(id, live, text, now);
    }

    fn data_unmuted(&mut self, id: ConnId, live: bool, text: &Arc<str>, now: Duration) {
        let fate = self.faults.frame(id, live, now);
        for delay in fate.copies {
            let out = if fate.truncate {
                Out::Bytes(truncate(text, self.faults.rng()).into())
            } else if fate.corrupt {
                Out::Bytes(corrupt(text, self.faults.rng()).into())
            } else if fate.fragment {
                Out::Fragments(text.clone())
            } else {
                Out::Text(text.clone())
            };
            self.sent(id, now);
            self.outbox.push(id, out, now + delay);
        }
    }

    fn plain(&mut self, id: ConnId, text: Arc<str>, now: Duration) {
        self.sent(id, now);
        self.outbox.push(id, Out::Text(text), now);
    }

    fn sent(&mut self, id: ConnId, now: Duration) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.last_data = now;
        }
    }
}

/// Whoever took the position over is not in the fill; the notice names an address made from the order.
fn frames_liquidator(row: &BlockFill) -> String {
    format!("0x{:040x}", row.fill.oid)
}
