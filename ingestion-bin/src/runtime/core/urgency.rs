//! Who goes first where new connections are few: a line without which somebody is not listened to, before one whose accounts all have
//! another; successors of lines that still serve come last. The venue allows an address so many new connections a minute, and after a storm
//! every line wants one at once.

use hyperliquid_client::io::Urgency;

use super::lines::{Line, Stand};
use super::{Core, Slot};

impl Core {
    /// A line has its place among the new connections and tries to connect, or has failed.
    pub(in crate::runtime) fn line_tries(&mut self, line: usize, tries: bool) {
        let Some(line) = self.lines.get_mut(&line) else { return };
        line.tries = tries;
        let cell = line.cell;
        self.rank(|line| line.cell == cell);
    }

    /// Says of lines without a connection how much depends on it.
    pub(super) fn rank(&self, of: impl Fn(&Line) -> bool) {
        for (number, line) in self.lines.iter().filter(|(_, line)| line.connection.is_none() && of(line)) {
            line.control.set_urgency(self.urgency_of(*number, line));
        }
    }

    fn urgency_of(&self, number: usize, line: &Line) -> Urgency {
        if line.stand != Stand::Serves {
            return Urgency::Later;
        }
        let needs = |slot: &Slot| {
            let mut others = slot.seats.values().filter(|other| **other != number);
            slot.leaving.is_none()
                && slot.seat_on(number).is_some()
                && !others.any(|other| self.carries(slot, *other))
        };
        if self.slots.values().any(needs) { Urgency::First } else { Urgency::Usual }
    }

    /// Whether an account is listened to over a line, or soon will be.
    fn carries(&self, slot: &Slot, line: usize) -> bool {
        let refused = slot.refused.keys().any(|(refusing, _)| *refusing == line);
        self.lines.get(&line).is_some_and(|line| line.tries || line.connection.is_some()) && !refused
    }
}
