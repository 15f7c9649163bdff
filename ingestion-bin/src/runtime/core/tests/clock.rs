//! A row whose time came through wrong on one listener: it certifies nobody past what happened, it makes nobody late, it is told.
//! Frames and pages by hand, two accounts, two listeners, on an artificial clock.

use std::time::{Duration, Instant};

use hyperliquid_client::decode::Decoder;
use hyperliquid_client::io::Received;
use messaging::journal::{Journal, Limit, Opened, Read, Waited};
use messaging::sink::Render;
use messaging::storage::FaultyStorage;
use observability::Telemetry;
use serde_json::{Value, json};
use signal_domain::Account;

use super::super::{Asked, Core, Followed, From};
use super::{ALICE, core, open};
use crate::account::{Cause, ClockSource};
use crate::render::{DeadLetterLines, GapLines, SignalLines};
use crate::runtime::clock;
use crate::runtime::events::{catalogue, totals};

pub(super) const BOB: &str = "0x0000000000000000000000000000000b0b000002";
const T: i64 = 1_790_000_000_000;
/// One digit of such a time changed.
const FAR: i64 = 8_000_000_000_000;

pub(super) struct Rig {
    disk: FaultyStorage,
    journal: Journal,
    pub(super) core: Core,
    telemetry: Telemetry,
    /// The venue's clock is this much past `T`, and ours past `start`.
    pub(super) elapsed: Duration,
    start: Instant,
    /// What truly happened: of Alice, of Bob.
    fills: [Vec<Value>; 2],
    /// Whose questions fail.
    pub(super) silent_history: Option<&'static str>,
}

impl Rig {
    pub(super) fn new() -> Self {
        let disk = FaultyStorage::new(1);
        let (journal, core, telemetry, start) = Self::process(&disk);
        let (elapsed, fills) = (Duration::ZERO, [vec![], vec![]]);
        let mut rig = Self { disk, journal, core, telemetry, elapsed, start, fills, silent_history: None };
        rig.happens(ALICE);
        rig.happens(BOB);
        rig.connect();
        rig
    }

    fn process(disk: &FaultyStorage) -> (Journal, Core, Telemetry, Instant) {
        let Opened { journal, state, .. } = open(disk);
        assert_eq!(state.refused, None);
        let telemetry = Telemetry::new(&catalogue()).unwrap();
        let mut core = core(&journal, &telemetry, state, disk.clone());
        let start = clock::now();
        for account in [ALICE, BOB] {
            core.follow(Followed::by_address(account.parse::<Account>().unwrap()), Cause::Start, start);
        }
        assert_eq!(core.replan(start).len(), 2);
        (journal, core, telemetry, start)
    }

    /// Both listeners come up and show what happened last.
    pub(super) fn connect(&mut self) {
        for listener in [0, 1] {
            self.core.line_up(listener, self.now());
            for account in [ALICE, BOB] {
                let fills = self.of(account).clone();
                let newest = fills.len().saturating_sub(30);
                self.frame(listener, account, true, &fills[newest..]);
            }
        }
    }

    /// The process ends and another begins; nothing happens meanwhile.
    fn restart(mut self) -> Self {
        let ended = clock::wall_ms();
        drop(self.core);
        self.journal.close(Duration::from_secs(60)).unwrap();
        while clock::wall_ms() == ended {
            std::thread::yield_now();
        }
        let start;
        (self.journal, self.core, self.telemetry, start) = Self::process(&self.disk);
        self.start = start.checked_sub(self.elapsed).unwrap();
        self.connect();
        self
    }

    pub(super) fn now(&self) -> Instant {
        self.start + self.elapsed
    }

    pub(super) fn venue_ms(&self) -> i64 {
        T + i64::try_from(self.elapsed.as_millis()).unwrap()
    }

    pub(super) fn of(&mut self, account: &str) -> &mut Vec<Value> {
        let [alice, bob] = &mut self.fills;
        if account == ALICE { alice } else { bob }
    }

    /// A buy of 1, in a chain of such.
    pub(super) fn happens(&mut self, account: &str) -> Value {
        let (time, number) = (self.venue_ms(), self.of(account).len());
        let fill = json!({ "coin": "ETH", "px": "2400.5", "sz": "1", "side": "B", "time": time,
            "startPosition": format!("{number}.0"), "dir": "Open Long", "closedPnl": "0.0",
            "hash": format!("0x{number:064x}"), "oid": 7, "crossed": true, "fee": "0.1", "tid": 900 + number,
            "feeToken": "USDC", "twapId": null });
        self.of(account).push(fill.clone());
        fill
    }

    pub(super) fn trade(&mut self, account: &str) {
        self.wait(1);
        self.show(account);
    }

    /// Something happens, and both listeners show it.
    pub(super) fn show(&mut self, account: &str) {
        let fill = self.happens(account);
        for listener in [0, 1] {
            self.frame(listener, account, false, std::slice::from_ref(&fill));
        }
    }

    pub(super) fn frame(&mut self, listener: usize, account: &str, snapshot: bool, fills: &[Value]) {
        let frame = json!({ "channel": "userFills",
            "data": { "isSnapshot": snapshot, "user": account, "fills": fills } });
        let raw = frame.to_string().into_bytes();
        let mut decoder = Decoder::new();
        let decoded = decoder.decode(&raw).unwrap();
        self.core.handle_frame(
            From { line: listener, leg: listener, connection: 1 },
            &decoded,
            &raw,
            self.at(),
        );
    }

    pub(super) fn at(&self) -> Received {
        Received { unix_ns: u64::try_from(self.venue_ms()).unwrap() * 1_000_000, at: self.now() }
    }

    /// Lets time pass; history answers at once, the time is asked for when the clock is silent.
    pub(super) fn wait(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.elapsed += Duration::from_secs(1);
            let now = self.now();
            self.core.handle_timeout(now);
            if self.core.whose_clock_is_silent(now, Duration::from_secs(50)).is_some() {
                self.core.handle_shown_time(ClockSource::Answer, self.venue_ms(), now);
            }
            while let Some(asked) = self.core.next_ask(0) {
                if self.silent_history == Some(asker(&asked)) {
                    self.core.page_failed(asked, now);
                    continue;
                }
                self.answer(asked, usize::MAX, usize::MAX);
            }
        }
    }

    /// History answers with a page of at most so many rows, of an account's newest that it keeps. How many it had.
    pub(super) fn answer(&mut self, asked: Asked, page: usize, keeps: usize) -> usize {
        let fills = self.of(asker(&asked));
        let kept = fills.iter().skip(fills.len().saturating_sub(keeps));
        let rows: Vec<&Value> =
            kept.filter(|fill| fill["time"].as_i64() >= Some(asked.start)).take(page).collect();
        let body = serde_json::to_vec(&rows).unwrap();
        self.core.handle_page(asked, &body, self.at()).unwrap()
    }

    /// The lines that the journal's records make.
    pub(super) fn lines(&self, mut render: impl Render) -> Vec<Value> {
        let last = self.core.outbox().last();
        assert_eq!(self.journal.progress().wait_synced(last, Duration::from_secs(60)), Waited::Reached);
        let mut reader = self.journal.reader(1_000, Limit::Synced);
        let mut lines = Vec::new();
        while let Some(read) = reader.next().unwrap() {
            let Read::Record(record) = read else { panic!("{read:?}") };
            let mut line = Vec::new();
            if render.render(&record, &mut line).is_some() {
                lines.push(serde_json::from_slice(&line).unwrap());
            }
        }
        lines
    }

    /// Every fill behind the first is a signal in its turn, and nothing else is.
    fn all_are_signals(&self, account: usize) {
        let name = [ALICE, BOB][account];
        let signals = self.lines(SignalLines::default());
        let of_account = |line: &&Value| line["influencerId"] == name;
        let times: Vec<_> = signals.iter().filter(of_account).map(|line| line["timestamp"].clone()).collect();
        let happened: Vec<_> = self.fills[account][1..].iter().map(|fill| fill["time"].clone()).collect();
        assert_eq!(times, happened, "{name}");
        assert!(signals.iter().all(|line| line["late"] != true), "nothing is late");
    }

    fn certified_to(&self) -> Vec<Option<i64>> {
        self.core.status().accounts.iter().map(|account| account.certified_to).collect()
    }
}

/// Whose history is asked for.
fn asker(asked: &Asked) -> &'static str {
    if asked.account == *ALICE.parse::<Account>().unwrap().as_bytes() { ALICE } else { BOB }
}

#[test]
fn a_time_far_ahead_on_one_listener_costs_no_account_a_fill() {
    let mut rig = Rig::new();
    for _ in 0..3 {
        rig.trade(ALICE);
    }
    rig.trade(BOB);
    rig.wait(1);
    let fill = rig.happens(BOB);
    let mut wrong = fill.clone();
    wrong["time"] = json!(rig.venue_ms() + FAR);
    rig.frame(0, BOB, false, &[wrong]);
    rig.frame(1, BOB, false, &[fill]);
    // Alice is quiet, and read to the end again and again.
    rig.wait(900);
    let certified = rig.certified_to();
    assert!(certified.iter().all(|to| *to > Some(T) && *to < Some(rig.venue_ms())), "{certified:?}");
    for _ in 0..20 {
        rig.trade(ALICE);
        rig.trade(BOB);
    }
    for account in [0, 1] {
        rig.all_are_signals(account);
    }
    // What came through wrong is kept and told.
    let letters = rig.lines(DeadLetterLines);
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!(letters[0]["reason"], "leg_mismatch");
    let gaps: Vec<Value> = rig.lines(GapLines);
    let conflicts: Vec<_> = gaps.iter().filter(|gap| gap["kind"] == "conflict").collect();
    assert_eq!(conflicts.len(), 1, "{gaps:?}");
    assert_eq!((&conflicts[0]["influencerId"], &conflicts[0]["state"]), (&json!(BOB), &json!("unfillable")));

    let mut rig = rig.restart();
    rig.wait(300);
    for _ in 0..20 {
        rig.trade(ALICE);
        rig.trade(BOB);
    }
    for account in [0, 1] {
        rig.all_are_signals(account);
    }
}

#[test]
fn rows_that_are_passed_over_are_counted() {
    let mut rig = Rig::new();
    rig.trade(ALICE);
    let old = rig.fills[0][1].clone();
    rig.wait(1_200);
    rig.trade(ALICE);
    rig.wait(600);
    // Its key is forgotten; that it is known is a rule.
    rig.frame(0, ALICE, false, &[old]);
    let passed_over =
        |rig: &Rig| -> u64 { rig.core.status().accounts.iter().map(|account| account.passed_over).sum() };
    assert_eq!(passed_over(&rig), 1);
    let counted = totals(&rig.telemetry).iter().find(|(name, ..)| *name == "passed over").map(|(.., n)| *n);
    assert_eq!(counted, Some(1));
    rig.all_are_signals(0);
}
