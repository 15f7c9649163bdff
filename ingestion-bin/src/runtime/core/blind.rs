//! Accounts to which nobody listens: they count as incomplete after a while, and what passed before anybody ever listened to one for
//! which there was no room is declared.

use std::time::{Duration, Instant};

use super::{Core, Slot};
use crate::account::Coverage;

/// Shorter than this is a connection that is made or made again: the snapshot will show whether anything is missing.
const PATIENCE: Duration = Duration::from_secs(10);

/// What nobody hears is declared so often while that lasts: a death in between forgets no more than this.
const AGAIN: Duration = Duration::from_secs(60);

/// Since when nobody listens to an account.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Blind {
    since: Option<Instant>,
    is_long: bool,
    /// When it was last declared what nobody could hear so far.
    told: Option<Instant>,
}

impl Blind {
    /// Something may be missing that no gap tells of yet.
    pub(super) const fn is_long(self) -> bool {
        self.is_long
    }
}

impl Core {
    /// Looks who is listened to.
    pub(in crate::runtime) fn note_blindness(&mut self, now: Instant) {
        let venue_time = self.venue_time.known();
        let mut unheard = Vec::new();
        for (account, slot) in &mut self.slots {
            let is_blind = slot.machine.coverage() == Coverage::Blind && slot.leaving.is_none();
            let since = is_blind.then(|| slot.blind.since.unwrap_or(now));
            let is_long = since.is_some_and(|since| now.saturating_duration_since(since) >= PATIENCE);
            slot.blind = Blind { since, is_long, told: slot.blind.told.filter(|_| is_long) };
            let is_due = slot.blind.told.is_none_or(|told| now.saturating_duration_since(told) >= AGAIN);
            // B6: a baseline would begin behind what nobody could hear.
            if let Some(time) = venue_time.filter(|_| is_blind && slot.is_left_out()) {
                slot.machine.handle_no_state(time);
                if is_long && is_due && slot.machine.handle_unheard(time) {
                    slot.blind.told = Some(now);
                    unheard.push(*account);
                }
            }
        }
        if unheard.is_empty() {
            return;
        }
        unheard.into_iter().for_each(|account| self.drain(account));
        self.flush();
    }
}

impl Slot {
    /// Neither the plan nor the venue has room for it, and there never was.
    fn is_left_out(&self) -> bool {
        !self.machine.ledger().has_begun() && (self.cell.is_none() || !self.refused.is_empty())
    }
}
