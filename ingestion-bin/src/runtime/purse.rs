//! Info weight of one public address as it is spent: charged, and recorded in the journal, before a question is sent.
//!
//! A death in between can only make us ask less. Everybody who asks over the address shares the budget.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use hyperliquid_client::info::InfoRequest;
use hyperliquid_client::io::{InfoAnswer, InfoClient, InfoError};
use hyperliquid_client::limits::InfoCost;
use hyperliquid_client::weight::{Lane, WeightBudget, WeightTicket};
use messaging::journal::Progress;
use tokio::sync::Notify;

use super::clock;
use super::core::Core;
use super::events::InfoCharged;
use super::unanswered::tell_failed;

pub(super) struct Purse {
    core: Rc<RefCell<Core>>,
    endpoint: String,
    pub(super) budget: Rc<RefCell<WeightBudget>>,
    /// Wall clock of the newest charge, ms. No two charges have the same: the second of one time settles the first.
    charged_at_ms: Rc<Cell<u64>>,
    progress: Arc<Progress>,
    moved: Arc<Notify>,
}

impl Purse {
    pub(super) fn new(
        core: Rc<RefCell<Core>>,
        endpoint: &str,
        budget: Rc<RefCell<WeightBudget>>,
        progress: Arc<Progress>,
    ) -> Self {
        let moved = wakes_on(&progress);
        let charged_at_ms = Rc::default();
        Self { core, endpoint: endpoint.to_owned(), budget, charged_at_ms, progress, moved }
    }

    /// The same purse in another hand.
    pub(super) fn another_hand(&self) -> Self {
        Self {
            core: Rc::clone(&self.core),
            endpoint: self.endpoint.clone(),
            budget: Rc::clone(&self.budget),
            charged_at_ms: Rc::clone(&self.charged_at_ms),
            progress: Arc::clone(&self.progress),
            moved: wakes_on(&self.progress),
        }
    }

    /// Charges the most a question can cost; the record of it is in the journal when this returns. Answers the time it is recorded
    /// under.
    ///
    /// # Errors
    ///
    /// When there may be room again.
    pub(super) async fn charge(
        &mut self,
        cost: InfoCost,
        lane: Lane,
    ) -> Result<(WeightTicket, u64), Instant> {
        let ticket = self.budget.borrow_mut().try_charge(cost, lane, clock::now())?;
        let telemetry = self.core.borrow().telemetry();
        telemetry.emit(&InfoCharged { weight: cost.most() });
        let at_ms = self.record(cost.most());
        self.written().await;
        Ok((ticket, at_ms))
    }

    /// Asks what was charged for and whose answer has no rows to count. Nothing where no answer came: that is told, and the budget
    /// knows of a venue that is asked too much.
    pub(super) async fn ask(
        &self,
        client: &mut InfoClient,
        request: &InfoRequest,
        ticket: WeightTicket,
    ) -> Option<InfoAnswer> {
        let answer = client.ask(request).await;
        let now = clock::now();
        self.budget.borrow_mut().settle(ticket, request.cost(), 0, now);
        answer
            .inspect_err(|error| {
                tell_failed(&self.core, client.endpoint().name(), request.kind(), error);
                if let InfoError::Status { status: 429, retry_after, .. } = error {
                    self.budget.borrow_mut().on_too_many_requests(*retry_after, now);
                }
            })
            .ok()
    }

    /// Records what is about to be spent; answers under which time.
    fn record(&self, weight: u32) -> u64 {
        let at_ms = clock::wall_ms().max(self.charged_at_ms.get() + 1);
        self.charged_at_ms.set(at_ms);
        self.core.borrow_mut().record_spent(&self.endpoint, weight, at_ms);
        at_ms
    }

    /// Records what the charge of that time came to; a late answer's weight counts from now, beside the charge.
    pub(super) fn record_truth(&self, charged_at_ms: Option<u64>, weight: u32) {
        match charged_at_ms {
            Some(at_ms) => self.core.borrow_mut().record_spent(&self.endpoint, weight, at_ms),
            None => {
                self.record(weight);
            }
        }
    }

    /// Waits until everything handed to the journal so far is written.
    async fn written(&self) {
        loop {
            let (last, blocked) = {
                let core = self.core.borrow();
                (core.outbox().last(), core.is_blocked())
            };
            if (!blocked && self.progress.tickets_appended() >= last) || self.progress.ended() {
                return;
            }
            self.moved.notified().await;
        }
    }
}

fn wakes_on(progress: &Progress) -> Arc<Notify> {
    let moved = Arc::new(Notify::new());
    let for_journal = Arc::clone(&moved);
    progress.on_move(move || for_journal.notify_one());
    moved
}
