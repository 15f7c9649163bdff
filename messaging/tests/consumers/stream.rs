//! A topic as a service that is killed, loses power and corrects itself writes it, and what it comes to. The truth is kept here beside
//! the records, from what was meant, not from what was sent.

use std::collections::{BTreeMap, VecDeque};

use messaging::storage::Seed;

/// One record to be sent.
#[derive(Clone, Debug)]
pub(crate) struct Line {
    pub(crate) key: String,
    pub(crate) value: Option<String>,
    pub(crate) ms: i64,
}

/// What the whole topic comes to: by influencer and market the sum, the count, the position, as text.
#[derive(Debug, Default, Eq, PartialEq)]
pub(crate) struct Truth {
    pub(crate) markets: BTreeMap<String, (String, u64, String)>,
    /// Signals that count, or did until they were superseded.
    pub(crate) applied: u64,
    pub(crate) skipped: u64,
}

/// Sizes in units of 10^-8.
#[derive(Clone, Debug, Default)]
struct Market {
    influencer: String,
    name: String,
    sum: i64,
    count: u64,
    position: i64,
    /// Of the signal that said it.
    newest: i64,
    /// Its chain, also where nobody is told of it.
    time: i64,
    seq: u64,
}

#[derive(Clone, Debug)]
struct Event {
    market: usize,
    id: u128,
    delta: i64,
    after: i64,
    time: i64,
    late: bool,
    supersedes: Option<u128>,
    ms: i64,
}

pub(crate) struct Stream {
    seed: Seed,
    markets: Vec<Market>,
    epoch: u64,
    ms: i64,
    /// The newest events and their lines as sent, to be sent again.
    newest: VecDeque<(Event, Line)>,
    /// Wrong ones that are still to be corrected.
    owed: Vec<Event>,
    pub(crate) truth: Truth,
    pub(crate) sent: u64,
}

impl Stream {
    pub(crate) fn new(seed: u64) -> Self {
        let names = ["ETH-PERP", "xyz:TSLA-PERP", "PURR/USDC"];
        let market = |number: usize| Market {
            influencer: format!("whale-{}", number / 3),
            name: names[number % 3].to_owned(),
            time: 1_790_000_000_000,
            ..Market::default()
        };
        Self {
            seed: Seed(seed),
            markets: (0..33).map(market).collect(),
            epoch: 1_790_000_000_000,
            ms: 1_790_000_000_000,
            newest: VecDeque::new(),
            owed: Vec::new(),
            truth: Truth::default(),
            sent: 0,
        }
    }

    /// So many more, and whatever is sent again with them.
    pub(crate) fn chunk(&mut self, count: usize) -> Vec<Line> {
        let mut lines = Vec::new();
        for _ in 0..count {
            self.step(&mut lines);
        }
        self.sent += lines.len() as u64;
        lines
    }

    /// The corrections that are still owed, and the end once more; the truth is whole then.
    pub(crate) fn rest(&mut self) -> Vec<Line> {
        let mut lines = Vec::new();
        while !self.owed.is_empty() {
            self.correct(&mut lines);
        }
        self.send_again(200, &mut lines);
        self.sent += lines.len() as u64;
        for market in self.markets.iter().filter(|market| market.count > 0) {
            let total = (decimal(market.sum), market.count, decimal(market.position));
            self.truth.markets.insert(format!("{} {}", market.influencer, market.name), total);
        }
        lines
    }

    fn step(&mut self, lines: &mut Vec<Line>) {
        self.ms += 1 + i64::try_from(self.seed.below(50)).unwrap();
        match self.seed.below(1_000) {
            // A service that was killed goes on at its cursor.
            0..3 => {
                let count = self.seed.index(300);
                self.send_again(count, lines);
            }
            // One that lost power brings the last events again, under another epoch.
            3..6 => self.begin_epoch(lines),
            6..16 => self.spoil(lines),
            16..40 => self.be_wrong(lines),
            40..70 => self.correct(lines),
            70..100 => self.be_late(lines),
            _ => {
                let event = self.event(0);
                self.put(event, true, lines);
            }
        }
    }

    /// The next event of a market; so many ms before its newest one.
    fn event(&mut self, before: i64) -> Event {
        let number = self.seed.index(self.markets.len());
        let id = u128::from(self.seed.draw()) << 64 | u128::from(self.seed.draw());
        let delta = self.delta();
        let market = &mut self.markets[number];
        if before == 0 {
            market.time += i64::try_from(self.seed.below(400)).unwrap();
        }
        let after = market.position + delta;
        let time = market.time - before;
        Event { market: number, id, delta, after, time, late: before > 0, supersedes: None, ms: self.ms }
    }

    fn delta(&mut self) -> i64 {
        let digits = u32::try_from(1 + self.seed.below(12)).unwrap();
        let size = i64::try_from(self.seed.below(10_u64.pow(digits))).unwrap();
        if self.seed.chance(500) { size + 1 } else { -size - 1 }
    }

    /// Sends it; it counts, unless it is wrong and its correction counts instead.
    fn put(&mut self, event: Event, counts: bool, lines: &mut Vec<Line>) {
        if counts {
            let market = &mut self.markets[event.market];
            market.sum += event.delta;
            market.count += 1;
        }
        self.stand(&event);
        self.truth.applied += 1;
        let line = self.line(&event);
        lines.push(line.clone());
        self.newest.push_back((event, line));
        if self.newest.len() > 400 {
            self.newest.pop_front();
        }
    }

    fn stand(&mut self, event: &Event) {
        let market = &mut self.markets[event.market];
        // Sent in the order of epoch and seq: of one ms the later one says it.
        if event.time >= market.newest {
            (market.position, market.newest) = (event.after, event.time);
        }
    }

    fn be_late(&mut self, lines: &mut Vec<Line>) {
        let before = 1 + i64::try_from(self.seed.below(100_000)).unwrap();
        let event = self.event(before);
        self.put(event, true, lines);
    }

    fn be_wrong(&mut self, lines: &mut Vec<Line>) {
        let event = self.event(0);
        self.owed.push(event.clone());
        // Now and then the topic refused it, and it comes from the dead letters, behind what corrects it.
        if self.seed.chance(800) {
            self.put(event, false, lines);
        }
    }

    fn correct(&mut self, lines: &mut Vec<Line>) {
        if self.owed.is_empty() {
            return;
        }
        let at = self.seed.index(self.owed.len());
        let wrong = self.owed.swap_remove(at);
        let was_sent = self.newest.iter().any(|(event, _)| event.id == wrong.id);
        let delta = self.delta();
        let right = Event {
            id: wrong.id ^ 1,
            delta,
            after: wrong.after - wrong.delta + delta,
            supersedes: Some(wrong.id),
            late: true,
            ms: self.ms,
            ..wrong.clone()
        };
        self.put(right, true, lines);
        if !was_sent {
            // Also one that was sent so long ago: a repeat, then.
            lines.push(self.line(&wrong));
        }
    }

    fn send_again(&mut self, count: usize, lines: &mut Vec<Line>) {
        let from = self.newest.len().saturating_sub(count);
        lines.extend(self.newest.iter().skip(from).map(|(_, line)| line.clone()));
    }

    fn begin_epoch(&mut self, lines: &mut Vec<Line>) {
        self.epoch += 1 + self.seed.below(1_000_000);
        self.markets.iter_mut().for_each(|market| market.seq = 0);
        let count = self.seed.index(40);
        let from = self.newest.len().saturating_sub(count);
        for at in from..self.newest.len() {
            let event = Event { ms: self.ms, ..self.newest[at].0.clone() };
            let line = self.line(&event);
            self.newest[at].1 = line.clone();
            lines.push(line);
        }
    }

    /// Something that is no signal.
    fn spoil(&mut self, lines: &mut Vec<Line>) {
        let event = self.event(1);
        let seq = self.markets[event.market].seq;
        let mut line = self.line(&event);
        self.markets[event.market].seq = seq;
        let text = line.value.take().unwrap_or_default();
        line.value = match self.seed.below(7) {
            0 => None,
            1 => Some("not json".to_owned()),
            2 => Some(text[..text.len() / 2].to_owned()),
            3 => Some(text.replace("deltaSize", "deltasize")),
            4 => Some(text.replace(r#""deltaSize":""#, r#""deltaSize":"1e"#)),
            5 => Some(text.replace("signal.v1", "signal.v9")),
            _ => Some(text.replace(r#""seq":"#, r#""seq":-"#)),
        };
        self.truth.skipped += 1;
        lines.push(line);
    }

    /// As `signal.v1` writes it, under the epoch and the seq of now.
    fn line(&mut self, event: &Event) -> Line {
        let epoch = self.epoch;
        let Event { id, delta, after, time, .. } = event;
        let market = &mut self.markets[event.market];
        market.seq += 1;
        let (seq, key, name) = (market.seq, market.influencer.clone(), &market.name);
        let id = uuid::Uuid::from_u128(*id);
        let side = match after.signum() {
            1 => "LONG",
            -1 => "SHORT",
            _ => "FLAT",
        };
        let late = if event.late { r#","late":true"# } else { "" };
        let supersedes = event.supersedes.map(uuid::Uuid::from_u128);
        let supersedes = supersedes.map_or_else(String::new, |id| format!(r#","supersedes":"{id}""#));
        let value = format!(
            r#"{{"signalId":"{id}","influencerId":"{key}","exchange":"hyperliquid","market":"{name}","action":"INCREASE","side":"{side}","size":"{size}","deltaSize":"{delta}","price":"2400.5","timestamp":{time},"sourceEventId":"fill:{time}:1:B","schema":"signal.v1","account":"0xaa","network":"sim","receivedAt":{time},"epoch":{epoch},"seq":{seq},"cause":"trade","origin":"live"{late}{supersedes},"metadata":{{}}}}"#,
            size = decimal(after.abs()),
            delta = decimal(*delta),
        );
        Line { key, value: Some(value), ms: event.ms }
    }
}

/// In units of 10^-8, as the topic writes decimals.
fn decimal(units: i64) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let text =
        format!("{sign}{}.{:08}", units.unsigned_abs() / 100_000_000, units.unsigned_abs() % 100_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
