//! What the venue does: it trades, sends frames to whoever listens, and answers questions about its history, badly.

use super::super::super::{ClockSource, Row, Stream};
use super::super::venue::{Lag, digest, link};
use super::{Fault, PHANTOM, Step, World};
use dedup::FillKey;

impl World {
    pub(super) fn block(&mut self) {
        let time = self.venue_now();
        if let Some(market) = self.venue.chainless.filter(|_| self.later.chance(5.0)) {
            let delta = self.later.within(1, 3);
            self.venue.move_unsaid(market, delta);
            self.count(Fault::Spot.counted_as());
        }
        let mode = self.random.within(0, 10);
        let mut count = match mode {
            0..=4 => 1,
            5 | 6 => self.random.within(1, 4),
            7 => self.random.within(2, 7),
            8 => self.random.within(1, 12),
            _ => 2,
        };
        if self.random.chance(1.0) {
            count = self.random.within(10, 24);
        }
        if self.has(Fault::Dense) && self.random.chance(0.6) {
            count = self.random.within(30, 70);
            self.count(Fault::Dense.counted_as());
        }
        let market = self.any_market();
        self.twap_blocks -= 1;
        if self.twap_blocks < -30 && self.random.chance(5.0) {
            self.twap_blocks = self.random.within(5, 40);
        }
        let slices = self.has(Fault::Twap) && self.sliced && self.twap_blocks > 0 && self.random.chance(50.0);
        let mixed = slices && self.random.chance(if self.has(Fault::Split) { 10.0 } else { 1.0 });
        let mut frames: [Vec<u32>; 2] = [Vec::new(), Vec::new()];
        let mut done = 0;
        while done < count {
            let market = if self.random.chance(80.0) { market } else { self.any_market() };
            let stream =
                if slices && (!mixed || self.random.chance(50.0)) { Stream::Twap } else { Stream::Fills };
            let deltas = if mode == 9 || self.random.chance(15.0) {
                let delta = self.any_delta();
                vec![delta, -delta]
            } else {
                let held = self.venue.position(market);
                let close = held != 0 && self.random.chance(20.0);
                let flip = if self.random.chance(30.0) { 2 } else { 1 };
                vec![if close { -held * flip } else { self.any_delta() }]
            };
            done += deltas.len() as i64;
            for delta in deltas {
                let index = self.venue.trade(market, time, delta, stream, &mut self.random);
                let heard = self.connections.iter().any(|connection| connection.subscribed);
                self.venue.all[index as usize].unheard = !heard;
                frames[stream as usize].push(index);
                if stream == Stream::Twap {
                    self.count(Fault::Twap.counted_as());
                }
                if self.print {
                    let fill = &self.venue.all[index as usize];
                    println!(
                        "{:>8} FILL #{index} {:?} {:?} {:?} {:?}",
                        self.now, fill.stream, fill.row.market, fill.row.link, fill.row.key
                    );
                }
            }
        }
        if self.has(Fault::InlineTwap) {
            let slices = frames[1].clone();
            slices.iter().for_each(|_| self.count(Fault::InlineTwap.counted_as()));
            frames[0].extend(slices);
            frames[0].sort_unstable();
        }
        let nobody =
            self.faulty() && self.has(Fault::Drop) && (self.random.chance(1.0) || self.now < self.drop_until);
        for listener in 0..self.connections.len() {
            for stream in Stream::ALL {
                let rows = &frames[stream as usize];
                let connection = &self.connections[listener];
                if rows.is_empty() || !connection.up || !connection.subscribed {
                    continue;
                }
                if connection.muted[stream as usize] {
                    self.missed.extend(rows);
                    continue;
                }
                let dropped = nobody || (self.faulty() && self.has(Fault::Drop) && self.random.chance(3.0));
                let others = self.connections.iter().skip(1).any(|other| other.shown[stream as usize]);
                let one = self.faulty() && listener == 0 && self.has(Fault::OneDrops) && others;
                if dropped || (one && self.later.chance(5.0)) {
                    self.missed.extend(rows);
                    self.count(if dropped { Fault::Drop } else { Fault::OneDrops }.counted_as());
                    continue;
                }
                let rows: Vec<_> =
                    rows.iter().map(|&index| (self.venue.all[index as usize].row.clone(), index)).collect();
                self.send(listener, stream, rows);
            }
        }
    }

    pub(super) fn send(&mut self, listener: usize, stream: Stream, mut rows: Vec<(Row, u32)>) {
        let faulty = self.faulty();
        let slow_twap = self.has(Fault::SlowTwap) && stream == Stream::Twap;
        let channel = usize::from(slow_twap);
        let mut delay = self.random.within(80, 350) + self.connections[listener].slow;
        if slow_twap {
            delay += self.random.within(0, 700);
            self.count(Fault::SlowTwap.counted_as());
        }
        if faulty && self.has(Fault::Delay) && self.random.chance(3.0) {
            self.count(Fault::Delay.counted_as());
            delay += self.random.within(300, 3_000);
        }
        let mut at = (self.now + delay).max(self.connections[listener].after[channel]);
        if faulty && self.has(Fault::Reorder) && self.later.chance(5.0) {
            at += self.later.within(200, 2_000);
            self.count(Fault::Reorder.counted_as());
        } else {
            self.connections[listener].after[channel] = at;
        }
        if faulty && self.has(Fault::Phantom) && self.random.chance(1.0) {
            let index = self.random.index(rows.len());
            let (row, payload) = &mut rows[index];
            row.key = FillKey(row.key.0 ^ (1 << self.random.within(0, 40)));
            // A copy of a copy is one of the same fill.
            self.phantoms.insert(row.key, std::mem::replace(payload, PHANTOM));
            self.count(Fault::Phantom.counted_as());
        }
        if faulty && self.has(Fault::Flip) && self.random.chance(1.0) {
            let index = self.random.index(rows.len());
            let (row, payload) = &mut rows[index];
            if *payload != PHANTOM {
                // The size came through wrong.
                let before = row.link.unwrap().before;
                let start = i64::try_from(before.0).unwrap();
                row.link = Some(link(start, start + 5));
                row.digest = digest(999, 5, start, 1);
                self.count(Fault::Flip.counted_as());
            }
        }
        if faulty && listener == 0 && self.has(Fault::WrongTime) && self.aside.chance(2.0) {
            let index = self.aside.index(rows.len());
            let time = self.flipped(rows[index].0.time);
            let (row, payload) = &mut rows[index];
            if *payload != PHANTOM && time != row.time {
                row.time = time;
                row.key = FillKey(row.key.0 ^ (1 << self.aside.within(0, 40)));
                self.phantoms.insert(row.key, std::mem::replace(payload, PHANTOM));
                self.mistimed.insert(row.key);
                self.count(Fault::WrongTime.counted_as());
            }
        }
        let life = self.connections[listener].life;
        let deliver = |rows| Step::Deliver { listener, life, stream, snapshot: false, rows };
        if faulty && self.has(Fault::Split) && rows.len() > 1 && self.random.chance(50.0) {
            let rest = rows.split_off(1 + self.random.index(rows.len() - 1));
            self.count(Fault::Split.counted_as());
            self.at(at, deliver(rows));
            let pause = self.random.within(0, 30);
            self.connections[listener].after[channel] = at + pause;
            self.at(at + pause, deliver(rest));
            return;
        }
        if faulty && self.has(Fault::Duplicate) && self.random.chance(5.0) {
            self.count(Fault::Duplicate.counted_as());
            self.at(at, deliver(rows.clone()));
        }
        self.at(at, deliver(rows));
    }

    /// Counts what an honest answer lacks all the same.
    fn note_answer(&mut self, stream: Stream, start: i64, rows: &[u32]) {
        let (all, now) = (&self.venue.streams[stream as usize], self.venue_now());
        let fill = |&index: &u32| &self.venue.all[index as usize];
        let kept = self.venue.kept(stream);
        let forgets = kept.len() < all.len() && kept.first().is_some_and(|first| fill(first).time() > start);
        let first = all.partition_point(|index| fill(index).time() < start);
        let hidden =
            all[first..].iter().map(fill).find(|fill| fill.visible > now && fill.time() < now - 2_000);
        let lags = hidden.is_some();
        let holes =
            hidden.is_some_and(|hidden| rows.last().is_some_and(|last| fill(last).time() > hidden.time()));
        for (fault, hit) in [(Fault::Retention, forgets), (Fault::Lag, lags), (Fault::Disorder, holes)] {
            if hit && self.has(fault) {
                self.count(fault.counted_as());
            }
        }
    }

    pub(super) fn answer(&mut self, id: u64, stream: Stream, start: i64) {
        let now = self.instant();
        let faulty = self.faulty();
        let bad = |world: &mut Self, fault: Fault, percent: f64| {
            let hit = faulty && world.has(fault) && world.random.chance(percent);
            if hit {
                world.count(fault.counted_as());
            }
            hit
        };
        if self.full || bad(self, Fault::Busy, 10.0) {
            self.machine.as_mut().unwrap().handle_page_failed(id, now);
            return;
        }
        if bad(self, Fault::LostAnswer, 3.0) {
            return;
        }
        let stale = if bad(self, Fault::Stale, 15.0) {
            let most = if self.venue.lag == Lag::Small { 90_000 } else { 20_000 };
            self.random.within(0, most)
        } else {
            0
        };
        let mut rows = self.venue.history(stream, start, self.venue_now() - stale);
        self.note_answer(stream, start, &rows);
        if bad(self, Fault::Empty, 4.0) {
            rows.clear();
        }
        if bad(self, Fault::Short, 4.0) {
            let len = self.random.index(rows.len() + 1);
            rows.truncate(len);
        }
        if rows.len() > 2 && bad(self, Fault::Holey, 4.0) {
            let from = self.random.index(rows.len() - 1);
            let to = (from + self.random.within(1, 4) as usize).min(rows.len() - 1);
            rows.drain(from..to);
        }
        if self.print {
            println!("{:>8} PAGE {stream:?} from {start}: {rows:?}", self.now);
        }
        let page: Vec<Row> = rows.iter().map(|&index| self.venue.all[index as usize].row.clone()).collect();
        let machine = self.machine.as_mut().unwrap();
        machine.handle_page(id, &page, |at| rows[at], now);
        if let Some(newest) = page.iter().map(|row| row.time).max() {
            self.show(ClockSource::History, newest);
        }
    }
}
