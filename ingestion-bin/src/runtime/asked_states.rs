//! Account states asked for over one public address: one question at a time, beside those for history, which signals may wait for.
//!
//! A tenth of the address' info weight at most; a question without room waits, and one that fails is not asked again: the socket shows
//! the same later.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use hyperliquid_client::info::InfoRequest;
use hyperliquid_client::io::InfoClient;
use hyperliquid_client::limits::{InfoCost, VenueLimits};
use hyperliquid_client::weight::Lane;
use hyperliquid_client::wire::Address;
use observability::causes;
use tokio::time::sleep;

use super::clock;
use super::core::{Core, StateAsk};
use super::events::InfoAsked;
use super::purse::Purse;

const MINUTE: Duration = Duration::from_secs(60);

pub(super) struct AskedStates {
    core: Rc<RefCell<Core>>,
    /// Whose limits it keeps to.
    group: usize,
    client: InfoClient,
    purse: Purse,
    /// Questions a minute.
    most: usize,
    /// When they were asked.
    asked: VecDeque<Instant>,
}

impl AskedStates {
    pub(super) fn new(
        core: Rc<RefCell<Core>>,
        group: usize,
        client: InfoClient,
        limits: &VenueLimits,
        purse: Purse,
    ) -> Self {
        let most = limits.info_weight_per_minute / 10 / InfoCost::LIGHT.most();
        let most = usize::try_from(most).unwrap_or(usize::MAX).max(1);
        Self { core, group, client, purse, most, asked: VecDeque::new() }
    }

    /// Answers questions until it is dropped.
    pub(super) async fn run(mut self) {
        let Some(asking) = self.core.borrow().asking_states.get(self.group).cloned() else { return };
        loop {
            let next = self.core.borrow_mut().next_state_ask(self.group);
            match next {
                Some(ask) => self.answer(&ask).await,
                None => asking.notified().await,
            }
        }
    }

    async fn answer(&mut self, ask: &StateAsk) {
        if self.asked.len() >= self.most
            && let Some(first) = self.asked.pop_front()
        {
            sleep((first + MINUTE).saturating_duration_since(clock::now())).await;
        }
        let request =
            InfoRequest::ClearinghouseState { user: Address::from_bytes(ask.account), dex: ask.dex.clone() };
        let (cost, kind) = (request.cost(), request.kind());
        let ticket = loop {
            match self.purse.charge(cost, Lane::Background).await {
                Ok((ticket, _)) => break ticket,
                Err(free_at) => {
                    sleep(free_at.saturating_duration_since(clock::now()).max(Duration::from_millis(100)))
                        .await;
                }
            }
        };
        self.asked.push_back(clock::now());
        let Some(answer) = self.purse.ask(&mut self.client, &request, ticket).await else { return };
        let telemetry = self.core.borrow().telemetry();
        let taken = self.core.borrow_mut().handle_state(ask, &answer.body, answer.received);
        match taken {
            Ok(()) => telemetry.emit(&InfoAsked { outcome: "answered", kind, detail: "a state" }),
            Err(error) => {
                telemetry.emit(&InfoAsked { outcome: "unreadable", kind, detail: &causes(&error) });
            }
        }
    }
}
