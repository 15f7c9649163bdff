//! Orders to the worker: in order, none lost. What it has no room for waits here; whoever gives orders asks [`Orders::hand_on`] first
//! and gives no new ones while some wait, so what waits is bounded by one change of the list.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;

/// See the module.
pub(super) struct Orders<T> {
    worker: mpsc::Sender<T>,
    waiting: Mutex<VecDeque<T>>,
}

impl<T> Orders<T> {
    pub(super) fn new(worker: mpsc::Sender<T>) -> Self {
        Self { worker, waiting: Mutex::default() }
    }

    /// Hands the order on, behind those that wait.
    pub(super) fn give(&self, order: T) {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner).push_back(order);
        self.hand_on();
    }

    /// Hands on what waits. True when nothing waits any more; a worker that has ended needs no orders.
    pub(super) fn hand_on(&self) -> bool {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(order) = waiting.pop_front() {
            match self.worker.try_send(order) {
                Ok(()) => {}
                Err(TrySendError::Full(order)) => {
                    waiting.push_front(order);
                    return false;
                }
                Err(TrySendError::Closed(_)) => waiting.clear(),
            }
        }
        true
    }

    /// The last order, which waits for room. Not to be called on a thread that drives an async runtime.
    pub(super) fn give_last(&self, order: T) {
        // A worker that has ended takes no order.
        let _ended = self.worker.blocking_send(order);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_finds_no_room_waits_in_its_turn() {
        let (worker, mut taken) = mpsc::channel(2);
        let orders = Orders::new(worker);
        (0..5).for_each(|order| orders.give(order));
        assert!(!orders.hand_on());
        let mut got = Vec::new();
        while let Ok(order) = taken.try_recv() {
            got.push(order);
            orders.hand_on();
        }
        assert_eq!(got, [0, 1, 2, 3, 4]);
        assert!(orders.hand_on());
        drop(taken);
        orders.give(5);
        assert!(orders.hand_on(), "nobody is there to wait for");
    }
}
