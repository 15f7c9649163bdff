//! The info API over one public address: one question at a time, inside the weight budget, which survives a restart.
//!
//! Weight is charged and its record is in the journal before the question is sent: a death in between can only make us ask less.
//! The answer's true weight replaces it, or a restart would find a minute's budget spent by ten small answers.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyperliquid_client::info::{self, InfoRequest};
use hyperliquid_client::io::{AskAgain, InfoClient, InfoError};
use hyperliquid_client::limits::{InfoCost, VenueLimits};
use hyperliquid_client::weight::{Lane, SpentWeight, WeightBudget};
use hyperliquid_client::wire::Address;
use messaging::journal::Progress;
use observability::causes;
use tokio::time::timeout;

use super::clock;
use super::core::{Asked, Core};
use super::events::InfoAsked;
use super::purse::Purse;
use super::share::commands_share;
use super::unanswered::{RARELY, tell_failed};
use crate::account::{ClockSource, Stream};
use crate::state::Spent;

/// When the venue's clock did not move for this long the venue is asked for it.
const CLOCK_SILENT_MAX: Duration = Duration::from_secs(50);
/// The same as long as no time is known at all: one answer alone is not believed.
const CLOCK_UNKNOWN_MAX: Duration = Duration::from_secs(10);

/// An answer within this time is dated to its question, and a restart counts this much longer what it finds spent: the venue
/// counts when it answers.
const ANSWERED_AT_ONCE: Duration = Duration::from_secs(1);

pub(super) struct History {
    core: Rc<RefCell<Core>>,
    /// Whose limits it keeps to.
    group: usize,
    client: InfoClient,
    purse: Purse,
    /// When the venue was last asked for its clock.
    clock_asked: Option<Instant>,
}

impl History {
    pub(super) fn new(
        core: Rc<RefCell<Core>>,
        group: usize,
        client: InfoClient,
        limits: &VenueLimits,
        spent: &[Spent],
        progress: Arc<Progress>,
    ) -> Self {
        let smallest = InfoCost::PAGE.most();
        // Commands ask over the first address.
        let beside = if group == 0 { commands_share(limits.info_weight_per_minute) } else { 0 };
        let per_minute = (limits.info_weight_per_minute - beside).max(smallest);
        // The reserve is for repairs that signals wait for; a very small budget has none.
        let mut budget = WeightBudget::new(per_minute, (per_minute - smallest).min(per_minute / 4))
            .unwrap_or_else(|_| unreachable!("the reserve leaves room for a page"));
        let (name, now_ms) = (client.endpoint().name().to_owned(), clock::wall_ms());
        let ours = spent.iter().filter(|spent| spent.endpoint == name);
        // A clock that went back makes the age nothing: the weight counts for a whole minute again.
        let slack = u64::try_from(ANSWERED_AT_ONCE.as_millis()).unwrap_or(u64::MAX);
        let ages = ours.map(|spent| SpentWeight {
            weight: spent.weight,
            age_ms: now_ms.saturating_sub(spent.at_ms.saturating_add(slack)),
        });
        budget.restore(&ages.collect::<Vec<_>>(), clock::now());
        let purse = Purse::new(Rc::clone(&core), &name, Rc::new(RefCell::new(budget)), progress);
        Self { core, group, client, purse, clock_asked: None }
    }

    /// The budget it keeps to, for who shows it.
    pub(super) fn budget(&self) -> Rc<RefCell<WeightBudget>> {
        Rc::clone(&self.purse.budget)
    }

    /// For who asks over the same address.
    pub(super) fn purse(&self) -> Purse {
        self.purse.another_hand()
    }

    /// Answers questions until it is dropped.
    pub(super) async fn run(mut self) {
        let Some(asking) = self.core.borrow().asking.get(self.group).cloned() else { return };
        loop {
            let known = self.core.borrow().knows_the_time();
            let patience = if known { CLOCK_SILENT_MAX } else { CLOCK_UNKNOWN_MAX };
            // One of us is enough for the time.
            let due =
                self.clock_asked.is_none_or(|at| clock::now().saturating_duration_since(at) >= patience);
            if self.group == 0 && due {
                self.ask_the_time().await;
            }
            let next = self.core.borrow_mut().next_ask(self.group);
            match next {
                Some(asked) => self.answer(asked).await,
                None => {
                    let _silent = timeout(patience, asking.notified()).await;
                }
            }
        }
    }

    /// The venue's clock, for accounts that are quiet: nothing is certified without it.
    async fn ask_the_time(&mut self) {
        let Some(account) = self.core.borrow().whose_clock_is_silent(clock::now(), CLOCK_SILENT_MAX) else {
            return;
        };
        self.clock_asked = Some(clock::now());
        let request =
            InfoRequest::ClearinghouseState { user: Address::from_bytes(account), dex: String::new() };
        let Ok((ticket, _)) = self.purse.charge(request.cost(), Lane::Background).await else { return };
        let Some(answer) = self.purse.ask(&mut self.client, &request, ticket).await else { return };
        let telemetry = self.core.borrow().telemetry();
        let kind = request.kind();
        match info::account_state(&answer.body) {
            Ok(state) => {
                telemetry.emit(&InfoAsked { outcome: "answered", kind, detail: "the time" });
                if let Ok(time) = i64::try_from(state.time) {
                    self.core.borrow_mut().handle_shown_time(ClockSource::Answer, time, clock::now());
                }
            }
            Err(error) => {
                telemetry.emit(&InfoAsked { outcome: "unreadable", kind, detail: &causes(&error) });
            }
        }
    }

    async fn answer(&mut self, asked: Asked) {
        let request = request(asked);
        let cost = request.cost();
        let now = clock::now();
        let own = self.core.borrow_mut().take_weight(asked.account, self.group, cost.most(), now);
        let charged = match own {
            Ok(()) => self.purse.charge(cost, Lane::Priority).await.inspect_err(|_| {
                self.core.borrow_mut().settle_weight(asked.account, None);
            }),
            Err(free_at) => Err(free_at),
        };
        let (ticket, charged_at_ms) = match charged {
            Ok(charged) => charged,
            Err(free_at) => {
                self.core.borrow_mut().page_deferred(
                    asked,
                    free_at.max(now + Duration::from_millis(100)),
                    now,
                );
                return;
            }
        };
        let telemetry = self.core.borrow().telemetry();
        self.core.borrow_mut().take_turn(&asked, now);
        let kind = request.kind();
        match self.client.ask(&request).await {
            Ok(answer) => {
                let taken = self.core.borrow_mut().handle_page(asked, &answer.body, answer.received);
                match taken {
                    Ok(rows) => {
                        let rows_charged = u32::try_from(rows).unwrap_or(u32::MAX);
                        let answered = clock::now();
                        self.purse.budget.borrow_mut().settle(ticket, cost, rows_charged, answered);
                        let weight = cost.of_rows(rows_charged);
                        self.core.borrow_mut().settle_weight(asked.account, Some(weight));
                        let at_once = answered.saturating_duration_since(now) <= ANSWERED_AT_ONCE;
                        self.purse.record_truth(at_once.then_some(charged_at_ms), cost.of_rows(rows_charged));
                        telemetry.emit(&InfoAsked { outcome: "answered", kind, detail: &rows.to_string() });
                    }
                    Err(error) => {
                        self.purse.budget.borrow_mut().settle_failed(ticket, clock::now());
                        telemetry.emit(&InfoAsked {
                            outcome: "unreadable",
                            kind,
                            detail: &error.to_string(),
                        });
                    }
                }
            }
            Err(error) => {
                let now = clock::now();
                self.purse.budget.borrow_mut().settle_failed(ticket, now);
                tell_failed(&self.core, self.client.endpoint().name(), kind, &error);
                self.failed(asked, &error, now);
            }
        }
    }

    fn failed(&mut self, asked: Asked, error: &InfoError, now: Instant) {
        let mut core = self.core.borrow_mut();
        if let InfoError::Status { status: 429, retry_after, .. } = error {
            self.purse.budget.borrow_mut().on_too_many_requests(*retry_after, now);
            core.page_failed(asked, now);
            return;
        }
        let not_before = match (error, error.ask_again()) {
            (InfoError::Unauthorised { retry_after, .. }, _) => retry_after.unwrap_or(RARELY),
            (_, AskAgain::Rarely) => RARELY,
            (_, AskAgain::After(wait)) => wait,
            (_, AskAgain::Later | AskAgain::Never) => {
                core.page_failed(asked, now);
                return;
            }
        };
        core.page_deferred(asked, now + not_before.min(Duration::from_secs(3_600)), now);
    }
}

fn request(asked: Asked) -> InfoRequest {
    let user = Address::from_bytes(asked.account);
    let start_ms = u64::try_from(asked.start).unwrap_or(0);
    match asked.stream {
        Stream::Fills => InfoRequest::UserFillsByTime { user, start_ms, end_ms: None },
        Stream::Twap => InfoRequest::UserTwapSliceFillsByTime { user, start_ms, end_ms: None },
    }
}
