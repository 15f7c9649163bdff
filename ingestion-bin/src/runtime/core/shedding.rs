//! Whose signals are held back while a sink is so far behind that what it holds fills the journal.
//!
//! From 80 % of `max_bytes` on (until it is less than 70 %) influencers of a lower priority than the configured one make no signals;
//! what they do is kept. From 95 % on (until less than 90 %) their frames are refused, so that what is left is for the others: history
//! brings them when there is room. What that means for an account is its machine's (`account::Shedding`).

use std::time::Instant;

use messaging::journal::Pressure;

use super::{Core, Followed, Slot};
use crate::account::Shedding;
use crate::runtime::events::SheddingChanged;

impl Core {
    /// The journal may be fuller or emptier than it was.
    pub(in crate::runtime) fn look_at_journal(&mut self, now: Instant) {
        let pressure = self.outbox.pressure();
        if pressure == self.pressure {
            return;
        }
        self.pressure = pressure;
        let Some(below) = self.config.shed_below else { return };
        let is_shed = |slot: &Slot| slot.followed.priority < below;
        let shed = self.slots.iter().filter(|(_, slot)| is_shed(slot)).map(|(account, _)| *account);
        let shed: Vec<[u8; 20]> = shed.collect();
        if !shed.is_empty() {
            self.telemetry.emit(&SheddingChanged { pressure, below, influencers: shed.len() });
        }
        for account in shed {
            self.shed_as_due(account, now);
        }
        self.flush();
    }

    /// How much of an account is to be held back now.
    pub(super) fn shedding_of(&self, followed: &Followed) -> Shedding {
        match self.pressure {
            Pressure::High if self.config.shed_below > Some(followed.priority) => Shedding::Signals,
            Pressure::Highest if self.config.shed_below > Some(followed.priority) => Shedding::Rows,
            Pressure::Low | Pressure::High | Pressure::Highest => Shedding::Off,
        }
    }

    /// An account's priority or the journal changed.
    pub(super) fn shed_as_due(&mut self, account: [u8; 20], now: Instant) {
        let Some(slot) = self.slots.get(&account) else { return };
        let shedding = self.shedding_of(&slot.followed);
        if slot.machine.shedding() != shedding {
            self.with_slot(account, |slot| slot.machine.handle_shedding(shedding, now));
        }
    }

    /// Whether an account's rows are held back.
    pub(super) fn sheds_rows(&self, account: [u8; 20]) -> bool {
        self.slots.get(&account).is_some_and(|slot| slot.machine.shedding() == Shedding::Rows)
    }

    /// How many accounts are held back so.
    pub(super) fn shed(&self, how: Shedding) -> usize {
        self.slots.values().filter(|slot| slot.machine.shedding() == how).count()
    }
}
