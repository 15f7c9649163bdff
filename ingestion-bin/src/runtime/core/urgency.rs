//! Who goes first where new connections are few: a line without which somebody is not listened to, before one whose accounts all have
//! another; successors of lines that still serve come last. The venue allows an address so many new connections a minute, and after a storm
//! every line wants one at once.

use std::collections::BTreeSet;

use hyperliquid_client::io::Urgency;

use super::lines::Stand;
use super::{Core, Slot};

impl Core {
    /// A line has its place among the new connections and tries to connect, or has failed.
    pub(in crate::runtime) fn line_tries(&mut self, line: usize, tries: bool) {
        if let Some(line) = self.lines.get_mut(&line) {
            line.tries = tries;
            self.rank();
        }
    }

    /// Says of every line without a connection how much depends on it; costs a pass over the accounts.
    pub(super) fn rank(&self) {
        let followed = self.slots.values().filter(|slot| slot.leaving.is_none());
        let unheard = followed.filter(|slot| !slot.seats.values().any(|line| self.carries(slot, *line)));
        let needed: BTreeSet<usize> = unheard.flat_map(|slot| slot.seats.values().copied()).collect();
        for (number, line) in self.lines.iter().filter(|(_, line)| line.connection.is_none()) {
            line.control.set_urgency(match line.stand {
                Stand::Serves if needed.contains(number) => Urgency::First,
                Stand::Serves => Urgency::Usual,
                Stand::Succeeds(_) | Stand::Leaves => Urgency::Later,
            });
        }
    }

    /// Whether an account is listened to over a line, or soon will be.
    fn carries(&self, slot: &Slot, line: usize) -> bool {
        let refused = slot.refused.keys().any(|(refusing, _)| *refusing == line);
        self.lines.get(&line).is_some_and(|line| line.tries || line.connection.is_some()) && !refused
    }
}
