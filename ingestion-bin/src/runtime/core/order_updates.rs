//! Order updates, kept raw. A frame of them names no account: it is of the one account on its line that asks for them (the plan puts at
//! most one on a line). While an account moves a line may carry two for a moment: such a frame is kept whole, as unknown.
//!
//! Each update is kept once, whichever listeners bring it; the same one with other content is kept under its content.

use std::collections::{HashMap, VecDeque};

use hyperliquid_client::decode::Row as VenueRow;
use hyperliquid_client::io::Received;
use hyperliquid_client::wire::OrderUpdate;

use super::Core;
use super::frames::{From, Kept};
use super::slot::digest;
use crate::runtime::events::UnknownChannel;
use crate::translate;

/// The newest updates of an account, to tell copies: a busy maker makes 7,300 a minute.
#[derive(Debug, Default)]
pub(super) struct SeenOrders {
    contents: HashMap<u64, u64>,
    order: VecDeque<u64>,
}

/// What an update is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Copy {
    First,
    Same,
    Other,
}

impl SeenOrders {
    const MAX: usize = 16_384;

    fn take(&mut self, key: &str, raw: &[u8]) -> Copy {
        let (key, content) = (digest(key.as_bytes()), digest(raw));
        match self.contents.get(&key) {
            Some(known) if *known == content => Copy::Same,
            Some(_) => Copy::Other,
            None => {
                if self.order.len() >= Self::MAX
                    && let Some(oldest) = self.order.pop_front()
                {
                    self.contents.remove(&oldest);
                }
                self.order.push_back(key);
                self.contents.insert(key, content);
                Copy::First
            }
        }
    }
}

impl Core {
    /// Whose order updates come on a line; nobody's where several ask there.
    fn orders_of(&self, line: usize) -> Option<[u8; 20]> {
        let mut asking =
            self.slots.iter().filter(|(_, slot)| slot.followed.orders && slot.seat_on(line).is_some());
        let (account, _) = asking.next()?;
        asking.next().is_none().then_some(*account)
    }

    pub(super) fn order_updates(
        &mut self,
        from: From,
        rows: &[VenueRow<'_, OrderUpdate<'_>>],
        raw: &[u8],
        at: Received,
    ) {
        let Some(account) = self.orders_of(from.line) else {
            self.telemetry.emit(&UnknownChannel { channel: "orderUpdates" });
            self.keep_unknown(from, raw, at);
            return;
        };
        for row in rows {
            let update = match row {
                Ok(update) => update,
                Err(refusal) => {
                    self.refuse_row(from, Some(account), refusal, at);
                    continue;
                }
            };
            let key = translate::order_key(update);
            let Some(slot) = self.slots.get_mut(&account) else { return };
            let copy = slot.orders.take(&key, update.raw);
            if copy == Copy::Same {
                continue;
            }
            let kept = Kept {
                event_type: "ORDER_UPDATE",
                disposition: if slot.leaving.is_some() { "unfollowed" } else { "stored" },
                account: Some(account),
                market: translate::market(update.order.coin),
                source_event_id: (copy == Copy::First).then_some(key),
                time: i64::try_from(update.status_timestamp).ok(),
            };
            self.keep(from, kept, update.raw, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_updates_are_told_apart() {
        let mut seen = SeenOrders::default();
        assert_eq!(seen.take("a", b"1"), Copy::First);
        assert_eq!((seen.take("a", b"1"), seen.take("a", b"2")), (Copy::Same, Copy::Other));
        for number in 0..SeenOrders::MAX {
            assert_eq!(seen.take(&number.to_string(), b"1"), Copy::First);
        }
        assert_eq!((seen.contents.len(), seen.order.len()), (SeenOrders::MAX, SeenOrders::MAX));
        assert_eq!(seen.take("a", b"1"), Copy::First, "forgotten");
    }
}
