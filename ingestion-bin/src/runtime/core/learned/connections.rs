//! Fewer connections: the venue says so only by answering a handshake with 429, and says the same of too many new ones in a minute.
//!
//! Believed when it goes on for longer than that minute while others of the same public address are open: as many as those. Where none is
//! open it says nothing about their number; whoever refuses all of them is waited for.

use std::time::{Duration, Instant};

use super::Core;
use super::doubt::{Hit, Patience};

/// Longer than the minute in which the venue counts new connections.
pub(super) const PATIENCE: Patience =
    Patience { settled: Duration::from_secs(90), at_last: Duration::from_secs(180) };

impl Core {
    /// The venue answers a line's handshake with "too many".
    pub(in crate::runtime) fn refuse_connection(&mut self, line: usize, said: &str, now: Instant) {
        let Some(refused) = self.lines.get_mut(&line) else { return };
        refused.is_refused = true;
        let hit = Hit { who: refused.name.clone(), said: said.to_owned() };
        let Some(group) = self.groups.get_mut(refused.group) else { return };
        group.learned.connections.note_refusal(Some(hit), now);
        self.go_on_moving(now);
        self.timer.notify_one();
    }

    pub(super) fn look_at_connections(&mut self, place: usize, now: Instant) {
        let here = || self.lines.values().filter(|line| line.group == place);
        let open = here().filter(|line| line.connection.is_some()).count();
        let is_refused = here().any(|line| line.is_refused);
        let Some(group) = self.groups.get_mut(place) else { return };
        let doubt = &mut group.learned.connections;
        if doubt.is_idle() {
            return;
        }
        doubt.look(is_refused, now);
        match u32::try_from(open) {
            Ok(0) if doubt.is_believed(now) => doubt.dismiss(),
            Ok(open) if doubt.is_believed(now) => {
                doubt.learn(open, now);
                self.tell_learned(place, "connections", |group| {
                    (&group.learned.connections, group.limits.connections)
                });
            }
            _ if doubt.try_more(group.limits.connections, now) => self.plan_is_old = true,
            _ => {}
        }
    }
}
