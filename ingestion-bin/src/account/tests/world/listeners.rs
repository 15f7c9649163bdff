//! Connections: they come up, subscribe, deliver, and go.

use super::super::super::{ClockSource, Intake, Row, Shedding, Stream};
use super::{Connection, Fault, Step, World};

impl World {
    pub(super) fn deliver(&mut self, listener: usize, stream: Stream, snapshot: bool, rows: &[(Row, u32)]) {
        let now = self.instant();
        if self.print {
            let ids: Vec<_> = rows.iter().map(|row| row.1).collect();
            println!("{:>8} FRAME {listener} {stream:?} snapshot {snapshot}: {ids:?}", self.now);
        }
        let Some(machine) = self.machine.as_mut().filter(|_| !self.removed) else { return };
        if self.full {
            machine.handle_refused(now);
            self.count(Fault::NoRoom.counted_as());
            return;
        }
        self.note_copies(listener, rows);
        let Some(machine) = self.machine.as_mut() else { return };
        let page: Vec<Row> = rows.iter().map(|row| row.0.clone()).collect();
        let taken = machine.handle_frame(listener, stream, snapshot, &page, |at| rows[at].1, now);
        if taken == Intake::Refused && self.shedding == Shedding::Rows {
            self.count("frame shed");
        } else if taken == Intake::Refused {
            self.count(Fault::TightCaps.counted_as());
        } else {
            self.connections[listener].shown[stream as usize] |= snapshot;
            self.check_bounds(stream);
        }
        if let Some(newest) = page.iter().map(|row| row.time).max().filter(|_| !snapshot) {
            self.show(ClockSource::Listener(listener as u8), newest);
        }
    }

    /// Who showed a phantom, and who the fill it copies.
    fn note_copies(&mut self, listener: usize, rows: &[(Row, u32)]) {
        if self.phantoms.is_empty() {
            return;
        }
        let life = self.life;
        for (row, index) in rows {
            let copied = self.phantoms.get(&row.key).copied();
            let phantom = copied.is_some();
            let fill = copied.unwrap_or(*index);
            if !phantom && !self.phantoms.values().any(|copied| *copied == fill) {
                continue;
            }
            let first = (0..self.connections.len())
                .all(|other| !self.copies_shown.contains(&(fill, false, other, life)));
            if self.copies_shown.contains(&(fill, !phantom, listener, life)) && (phantom || first) {
                self.vouched.insert(fill);
            }
            self.copies_shown.insert((fill, phantom, listener, life));
        }
    }

    pub(super) fn connect_all(&mut self) {
        for listener in 0..self.connections.len() {
            self.connections[listener].up = false;
            self.connections[listener].subscribed = false;
            self.connections[listener].shown = [false; 2];
            self.connections[listener].life += 1;
            let at = self.now + self.random.within(50, 3_000);
            self.at(at, Step::Connect(listener));
        }
    }

    pub(super) fn connect(&mut self, listener: usize) {
        if self.machine.is_none() || self.removed || self.connections[listener].up {
            return;
        }
        if self.outage {
            let at = self.now + self.random.within(500, 5_000);
            self.at(at, Step::Connect(listener));
            return;
        }
        let now = self.instant();
        let (life, slow) = (self.connections[listener].life + 1, self.connections[listener].slow);
        self.connections[listener] =
            Connection { up: true, life, slow, after: [self.now; 2], ..Connection::default() };
        self.machine.as_mut().unwrap().handle_listener_up(listener, now);
        let at = self.now + self.random.within(50, 400);
        self.at(at, Step::Subscribe(listener, life));
    }

    pub(super) fn subscribe(&mut self, listener: usize, life: u32) {
        if self.connections[listener].life != life {
            return;
        }
        self.connections[listener].subscribed = true;
        for stream in Stream::ALL {
            let inline = self.has(Fault::InlineTwap);
            let rows = self.venue.snapshot(stream, inline, self.plan.snapshot);
            let rows =
                rows.iter().map(|&index| (self.venue.all[index as usize].row.clone(), index)).collect();
            let delay = self.random.within(50, 300) + self.connections[listener].slow;
            let mut at = (self.now + delay).max(self.connections[listener].after[0]);
            if self.has(Fault::LateSnapshot) && self.random.chance(30.0) {
                at += self.random.within(0, 3_000);
                self.count(Fault::LateSnapshot.counted_as());
            } else {
                self.connections[listener].after = [at; 2];
            }
            self.at(at, Step::Deliver { listener, life, stream, snapshot: true, rows });
        }
    }

    pub(super) fn down(&mut self, listener: usize) {
        if !self.connections[listener].up {
            return;
        }
        let now = self.instant();
        let connection = &mut self.connections[listener];
        (connection.up, connection.subscribed, connection.shown) = (false, false, [false; 2]);
        connection.life += 1;
        if let Some(machine) = self.machine.as_mut() {
            machine.handle_listener_down(listener, now);
            let at = self.now + self.random.within(250, 6_000);
            self.at(at, Step::Connect(listener));
        }
        self.count("connection lost");
    }
}
