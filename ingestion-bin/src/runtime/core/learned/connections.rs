//! Fewer connections: the venue says so only by answering a handshake with 429, and says the same of too many new ones in a minute.
//!
//! Believed when it goes on for longer than that minute while others of the same public address stay open: as many as those. Where none is
//! open it says nothing about their number; whoever refuses all of them is waited for. A handshake that fails in another way ends the doubt.

use std::time::{Duration, Instant};

use super::Core;
use super::doubt::{Hit, Patience};

/// Longer than the minute in which the venue counts new connections; how many are open says little while some end.
pub(super) const PATIENCE: Patience =
    Patience { settled: Duration::from_secs(90), at_last: Duration::from_secs(600) };

impl Core {
    /// A line could not connect. `too_many` is what the venue said, where it answered the handshake with that.
    pub(in crate::runtime) fn could_not_connect(
        &mut self,
        line: usize,
        too_many: Option<&str>,
        now: Instant,
    ) {
        let Some(failed) = self.lines.get_mut(&line) else { return };
        failed.is_refused = too_many.is_some();
        let (place, who) = (failed.group, failed.name.clone());
        if let Some(said) = too_many {
            let Some(group) = self.groups.get_mut(place) else { return };
            let hit = Hit { who, said: said.to_owned() };
            group.learned.connections.note_refusal(Some(hit), now);
            self.go_on_moving(now);
        } else {
            self.look_at_connections(place, now);
        }
        self.timer.notify_one();
    }

    pub(super) fn look_at_connections(&mut self, place: usize, now: Instant) {
        if self.groups.get(place).is_none_or(|group| group.learned.connections.is_idle()) {
            return;
        }
        let here = || self.lines.values().filter(|line| line.group == place);
        let open = here().filter(|line| line.connection.is_some()).count();
        let is_refused = here().any(|line| line.is_refused);
        let Some(group) = self.groups.get_mut(place) else { return };
        let doubt = &mut group.learned.connections;
        doubt.look(is_refused, now);
        match u32::try_from(open) {
            // Waited for anew.
            Ok(0) if doubt.is_believed(now) => doubt.look(false, now),
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
