//! Messages between the journal and their acknowledgement, in journal order; the oldest of them that is not acknowledged is
//! the low-water mark: everything before it is delivered, whatever became of a producer.
//!
//! Each message has a running number, its name with the producer. Bounded by whoever puts messages in; empty ones are kept
//! to be filled again. No clock, no I/O.

use std::collections::VecDeque;

use super::message::Message;

/// Empty messages kept, at most.
const SPARE_MAX: usize = 1_024;

#[derive(Debug, Default)]
pub(super) struct InFlight {
    /// The number of the oldest.
    first: u64,
    slots: VecDeque<Slot>,
    /// The oldest that may still have to be sent.
    unsent: u64,
    bytes: usize,
    /// How many are rejected and not told.
    rejected: usize,
    spare: Vec<Message>,
}

#[derive(Debug)]
struct Slot {
    position: u64,
    message: Message,
    standing: Standing,
    /// How often the target refused it, and why it did last.
    refused: (u32, String),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Standing {
    Waiting,
    Sent,
    Done,
    /// It need not arrive.
    Passed,
    /// Refused for good; its owner is to be told.
    Rejected,
}

impl InFlight {
    /// An empty message to be filled and given to [`InFlight::push`] or [`InFlight::give_back`].
    pub(super) fn blank(&mut self) -> Message {
        self.spare.pop().unwrap_or_default()
    }

    pub(super) fn give_back(&mut self, mut message: Message) {
        if self.spare.len() < SPARE_MAX && message.value.capacity() < 1 << 14 {
            message.clear();
            self.spare.push(message);
        }
    }

    pub(super) fn push(&mut self, position: u64, message: Message) {
        self.bytes += message.bytes();
        self.slots.push_back(Slot {
            position,
            message,
            standing: Standing::Waiting,
            refused: (0, String::new()),
        });
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Everything before this position is delivered; nothing when all of it is.
    pub(super) fn low_water(&self) -> Option<u64> {
        self.slots.front().map(|slot| slot.position)
    }

    /// The number of the oldest.
    pub(super) fn low_number(&self) -> u64 {
        self.first
    }

    /// The number behind the newest.
    fn end(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    /// The oldest message at or behind `number` that waits to be sent.
    pub(super) fn waiting_from(&self, number: u64) -> Option<(u64, &Message)> {
        let from = number.max(self.unsent).max(self.first);
        let start = usize::try_from(from - self.first).ok()?;
        let mut behind = (from..).zip(self.slots.iter().skip(start));
        behind
            .find(|(_, slot)| slot.standing == Standing::Waiting)
            .map(|(number, slot)| (number, &slot.message))
    }

    /// Nothing before `number` waits to be sent; without one, nothing at all.
    pub(super) fn looked_through(&mut self, number: Option<u64>) {
        self.unsent = number.unwrap_or_else(|| self.end());
    }

    /// The key of a message.
    pub(super) fn key(&self, number: u64) -> Option<&[u8]> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.slots.get(at).map(|slot| slot.message.key.as_slice())
    }

    /// When what a message is made of was received.
    pub(super) fn received_ns(&self, number: u64) -> Option<u64> {
        let at = usize::try_from(number.checked_sub(self.first)?).ok()?;
        self.slots.get(at)?.message.received_ns
    }

    pub(super) fn sent(&mut self, number: u64) {
        if let Some(slot) = self.slot(number) {
            slot.standing = Standing::Sent;
        }
    }

    /// It arrived. A number that is no longer there did so before.
    pub(super) fn arrived(&mut self, number: u64) {
        if let Some(slot) = self.slot(number) {
            slot.standing = Standing::Done;
        }
    }

    /// It has to be sent again.
    pub(super) fn failed(&mut self, number: u64) {
        if let Some(slot) =
            self.slot(number).filter(|slot| !matches!(slot.standing, Standing::Done | Standing::Passed))
        {
            slot.standing = Standing::Waiting;
            self.unsent = self.unsent.min(number);
        }
    }

    /// The target will never take it, and says why.
    pub(super) fn rejected(&mut self, number: u64, why: String) {
        if let Some(slot) = self.slot(number) {
            slot.standing = Standing::Rejected;
            slot.refused = (slot.refused.0 + 1, why);
            self.rejected += 1;
        }
    }

    /// The oldest rejected one: its position, how often and why it was refused, its content. It waits to be sent again, unless [`InFlight::passed`]
    /// says that it need not be.
    pub(super) fn take_rejected(&mut self) -> Option<(u64, (u32, String), Vec<u8>)> {
        if self.rejected == 0 {
            return None;
        }
        let at = self.slots.iter().position(|slot| slot.standing == Standing::Rejected)?;
        self.rejected -= 1;
        self.unsent = self.unsent.min(self.first + at as u64);
        let slot = self.slots.get_mut(at)?;
        slot.standing = Standing::Waiting;
        Some((slot.position, slot.refused.clone(), slot.message.value.clone()))
    }

    /// The message of the record at `position` need not be delivered.
    pub(super) fn passed(&mut self, position: u64) {
        let at = self.slots.partition_point(|slot| slot.position < position);
        if let Some(slot) = self.slots.get_mut(at).filter(|slot| slot.position == position) {
            slot.standing = Standing::Passed;
        }
    }

    /// The producer is gone: what it did not acknowledge is to be sent again, in order.
    pub(super) fn unsend(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.standing == Standing::Sent) {
            slot.standing = Standing::Waiting;
        }
        self.unsent = self.first;
    }

    /// Whether the producer still has some of them.
    pub(super) fn any_sent(&self) -> bool {
        self.slots.iter().any(|slot| slot.standing == Standing::Sent)
    }

    /// Forgets what is delivered or passed with everything before it; how many were delivered, and their bytes.
    pub(super) fn settle(&mut self) -> (u64, u64) {
        let (mut messages, mut bytes) = (0, 0);
        let over = |slot: &Slot| matches!(slot.standing, Standing::Done | Standing::Passed);
        while self.slots.front().is_some_and(over) {
            let Some(slot) = self.slots.pop_front() else { break };
            self.first += 1;
            self.bytes -= slot.message.bytes();
            if slot.standing == Standing::Done {
                messages += 1;
                bytes += slot.message.bytes() as u64;
            }
            self.give_back(slot.message);
        }
        (messages, bytes)
    }

    fn slot(&mut self, number: u64) -> Option<&mut Slot> {
        self.slots.get_mut(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(count: u64) -> InFlight {
        let mut flight = InFlight::default();
        for position in 0..count {
            let message = Message { value: vec![0; 10], ..Message::default() };
            flight.push(100 + position, message);
        }
        flight
    }

    fn send_all(flight: &mut InFlight) -> Vec<u64> {
        let mut numbers = Vec::new();
        while let Some((number, _)) = flight.waiting_from(0) {
            numbers.push(number);
            flight.sent(number);
        }
        flight.looked_through(None);
        numbers
    }

    #[test]
    fn the_low_water_mark_is_the_oldest_that_did_not_arrive() {
        let mut flight = filled(4);
        assert_eq!(send_all(&mut flight), [0, 1, 2, 3]);
        for number in [1, 3] {
            flight.arrived(number);
        }
        assert_eq!((flight.settle(), flight.low_water()), ((0, 0), Some(100)));
        flight.arrived(0);
        assert_eq!((flight.settle(), flight.low_water(), flight.bytes()), ((2, 20), Some(102), 20));
        flight.arrived(2);
        assert_eq!((flight.settle(), flight.low_water(), flight.bytes()), ((2, 20), None, 0));
        flight.arrived(1);
        flight.failed(0);
    }

    #[test]
    fn a_lost_producer_has_what_did_not_arrive_sent_again_in_order() {
        let mut flight = filled(3);
        send_all(&mut flight);
        flight.arrived(1);
        flight.failed(2);
        flight.unsend();
        assert!(!flight.any_sent());
        assert_eq!(send_all(&mut flight), [0, 2]);
    }

    #[test]
    fn a_rejected_one_is_told_again_until_it_is_passed() {
        let mut flight = filled(3);
        for times in 1..3 {
            send_all(&mut flight);
            flight.rejected(1, "too large".to_owned());
            let (position, (refused, why), value) = flight.take_rejected().unwrap();
            assert_eq!((position, refused, why.as_str(), value.len()), (101, times, "too large", 10));
            assert_eq!(flight.take_rejected(), None);
        }
        flight.passed(101);
        flight.arrived(0);
        assert_eq!((flight.settle(), flight.low_water(), flight.bytes()), ((1, 10), Some(102), 10));
        assert!(send_all(&mut flight).is_empty());
    }
}
