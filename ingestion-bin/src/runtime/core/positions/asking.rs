//! Questions for account states: where a position begins (OPEN, FLIP) the venue is asked at once for the account's state on that dex.
//!
//! A question waits in the queue of the public address that asks, once per account and dex; no signal ever waits for an answer.

use std::collections::VecDeque;

use hyperliquid_client::info::{self, AnswerError};
use hyperliquid_client::io::Received;
use hyperliquid_client::wire::DexState;

use super::super::Core;
use super::super::frames::INFO;
use crate::account::{ClockSource, Event, Fate, Origin};
use crate::record::Arrival;
use crate::state::dex_of;

/// Questions that wait at one public address; the oldest go first when there are more. The socket shows the same later.
const WAITING_MAX: usize = 1_024;

/// One question.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(in crate::runtime) struct StateAsk {
    pub(in crate::runtime) account: [u8; 20],
    pub(in crate::runtime) dex: String,
}

/// All that wait, by who asks.
#[derive(Debug)]
pub(in crate::runtime::core) struct StateAsks(Vec<VecDeque<StateAsk>>);

impl StateAsks {
    pub(in crate::runtime::core) fn new(groups: usize) -> Self {
        Self(vec![VecDeque::new(); groups])
    }
}

impl Core {
    /// Asks for the state of the dex where a live signal begins a position.
    pub(in crate::runtime::core) fn ask_state(&mut self, account: [u8; 20], event: &Event<Arrival>) {
        let Some(link) = event.link.filter(|_| self.config.state_interval.is_some()) else { return };
        let (before, after) = (link.before.0, link.after.0);
        let turned = before.is_zero() || before.is_sign_negative() != after.is_sign_negative();
        let begins = event.fate == Fate::Signal && !after.is_zero() && turned;
        if !begins || event.late || event.origin != Origin::Live {
            return;
        }
        let Some(dex) = dex_of(&event.market) else { return };
        let ask = StateAsk { account, dex: dex.to_owned() };
        let group = self.group_asked(account);
        let (Some(waiting), Some(asking)) = (self.state_asks.0.get_mut(group), self.asking_states.get(group))
        else {
            return;
        };
        if !waiting.contains(&ask) {
            if waiting.len() >= WAITING_MAX {
                waiting.pop_front();
            }
            waiting.push_back(ask);
            asking.notify_one();
        }
    }

    /// The next question to be asked by this public address.
    pub(in crate::runtime) fn next_state_ask(&mut self, group: usize) -> Option<StateAsk> {
        self.state_asks.0.get_mut(group)?.pop_front()
    }

    /// The venue's answer.
    ///
    /// # Errors
    ///
    /// When it is no account state. It is kept as a refusal.
    pub(in crate::runtime) fn handle_state(
        &mut self,
        ask: &StateAsk,
        body: &[u8],
        at: Received,
    ) -> Result<(), AnswerError> {
        let state = match info::account_state(body) {
            Ok(state) => state,
            Err(error) => {
                let detail = error.to_string();
                self.refuse(INFO, Some(ask.account), "decode", "malformed_frame", &detail, body, at);
                self.flush();
                return Err(error);
            }
        };
        let time = i64::try_from(state.time).ok();
        let state = DexState { dex: ask.dex.as_str().into(), state, raw: body };
        let followed = self.slots.get(&ask.account).is_some_and(|slot| slot.leaving.is_none());
        if followed && !self.outbox.is_blocked() {
            let seen = self.take_state(INFO, ask.account, &state, true, at);
            self.audit(ask.account, seen.as_slice(), at.at);
        }
        if let Some(time) = time {
            self.handle_shown_time(ClockSource::Answer, time, at.at);
        }
        self.flush();
        Ok(())
    }
}
