//! Nobody listens for ten seconds, ten minutes, six hours, and the account goes on trading: history brings what no snapshot reaches, page
//! after page inside the venue's budget, in chain order, before anything newer. On the rig's artificial clock; frames and pages by hand.

use std::time::Duration;

use hyperliquid_client::limits::InfoCost;
use hyperliquid_client::weight::{Lane, WeightBudget, WeightTicket};
use messaging::journal::Record;
use messaging::sink::{LineKey, Render};
use serde_json::{Value, json};

use super::super::Asked;
use super::ALICE;
use super::asking::Counted;
use super::clock::Rig;
use crate::account::ClockSource;
use crate::render::{GapLines, SignalLines};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
/// A step of the clock while the venue is there, and how long history takes for a page.
const STEP: Duration = Duration::from_millis(100);
const LATENCY: Duration = Duration::from_millis(400);
/// As at the real venue.
const PAGE: usize = 2_000;
const KEEPS: usize = 10_000;
const SNAPSHOT: usize = 30;

/// Signals and gap records as they lie in the journal, among one another.
#[derive(Default)]
struct Both(SignalLines, GapLines);

impl Render for Both {
    fn render(&mut self, record: &Record<'_>, line: &mut Vec<u8>) -> Option<LineKey> {
        self.0.render(record, line).or_else(|| {
            line.clear();
            self.1.render(record, line)
        })
    }

    fn key_of_line(&self, line: &[u8]) -> Option<LineKey> {
        self.0.key_of_line(line).or_else(|| self.1.key_of_line(line))
    }
}

/// The rig at a venue that can be down, and that counts what it is asked.
struct Venue {
    rig: Rig,
    budget: WeightBudget,
    counted: Counted,
    /// Asked, and not answered yet: when it will be.
    under_way: Option<(Asked, WeightTicket, Duration)>,
    /// Rows of every answer.
    pages: Vec<usize>,
}

impl Venue {
    fn new() -> Self {
        let budget = WeightBudget::new(1_200, 300).unwrap();
        let mut venue =
            Self { rig: Rig::new(), budget, counted: Counted::default(), under_way: None, pages: Vec::new() };
        for _ in 0..5 {
            venue.rig.trade(ALICE);
        }
        venue.pass(3 * MINUTE);
        venue
    }

    /// Time passes; history answers one question after the other.
    fn pass(&mut self, time: Duration) {
        let until = self.rig.elapsed + time;
        while self.rig.elapsed < until {
            self.rig.elapsed += STEP;
            let now = self.rig.now();
            self.rig.core.handle_timeout(now);
            if self.rig.core.whose_clock_is_silent(now, Duration::from_secs(50)).is_some() {
                self.rig.core.handle_shown_time(ClockSource::Answer, self.rig.venue_ms(), now);
            }
            self.ask();
        }
    }

    fn ask(&mut self) {
        let now = self.rig.now();
        if let Some((asked, ticket, at)) = self.under_way.take() {
            if at > self.rig.elapsed {
                self.under_way = Some((asked, ticket, at));
                return;
            }
            let rows = self.rig.answer(asked, PAGE, KEEPS);
            let charged = u32::try_from(rows).unwrap();
            self.counted.count(InfoCost::PAGE.of_rows(charged), now);
            self.budget.settle(ticket, InfoCost::PAGE, charged, now);
            self.pages.push(rows);
        }
        while let Some(asked) = self.rig.core.next_ask(0) {
            match self.budget.try_charge(InfoCost::PAGE, Lane::Priority, now) {
                Ok(ticket) => {
                    self.rig.core.take_turn(&asked, now);
                    self.under_way = Some((asked, ticket, self.rig.elapsed + LATENCY));
                    return;
                }
                Err(free_at) => self.rig.core.page_deferred(asked, free_at, now),
            }
        }
    }

    /// The venue is gone for so long, history with it; meanwhile Alice trades so often, as the venue knows.
    fn away(&mut self, time: Duration, fills: u32) {
        for line in [0, 1] {
            self.rig.core.line_down(line, self.rig.now());
        }
        let (began, every) = (self.rig.elapsed, time / (fills + 1));
        for number in 1..=fills {
            self.nobody_until(began + every * number);
            self.rig.happens(ALICE);
        }
        self.nobody_until(began + time);
    }

    fn nobody_until(&mut self, until: Duration) {
        while self.rig.elapsed < until {
            self.rig.elapsed = until.min(self.rig.elapsed + SECOND);
            let now = self.rig.now();
            self.rig.core.handle_timeout(now);
            let lost = self.under_way.take().map(|(asked, ticket, _)| (asked, Some(ticket)));
            let asked = std::iter::from_fn(|| self.rig.core.next_ask(0));
            for (asked, ticket) in
                lost.into_iter().chain(asked.map(|asked| (asked, None))).collect::<Vec<_>>()
            {
                if let Some(ticket) = ticket {
                    self.budget.settle_failed(ticket, now);
                }
                self.rig.core.page_failed(asked, now);
            }
        }
    }

    /// Both listeners are there again; Alice trades on four times a second while history is read, then more slowly.
    fn back(&mut self) {
        self.rig.connect();
        for _ in 0..40 {
            self.pass(SECOND / 4);
            self.live();
        }
        for _ in 0..60 {
            self.pass(10 * SECOND);
            self.live();
        }
    }

    /// A fill that both listeners show at once.
    fn live(&mut self) {
        let fill = self.rig.happens(ALICE);
        for listener in [0, 1] {
            self.rig.frame(listener, ALICE, false, std::slice::from_ref(&fill));
        }
    }
}

/// What the journal tells of Alice, signals and gaps in their order.
fn told(venue: &Venue) -> (Vec<Value>, Vec<Value>) {
    let all: Vec<Value> =
        venue.rig.lines(Both::default()).into_iter().filter(|line| line["influencerId"] == ALICE).collect();
    let signals = all.iter().filter(|line| line["schema"] == "signal.v1").cloned().collect();
    (all, signals)
}

/// Where a line stands.
fn place(all: &[Value], what: &str, is_it: impl Fn(&Value) -> bool) -> usize {
    all.iter().position(is_it).unwrap_or_else(|| panic!("there is no {what}"))
}

fn is_gap(line: &Value, kind: &str, state: &str) -> bool {
    line["kind"] == kind && line["state"] == state
}

/// One outage: so long, so many fills in it, brought by so many pages at least.
fn survives(time: Duration, fills: u32, pages: usize) {
    let mut venue = Venue::new();
    let before = venue.rig.of(ALICE).len();
    let (left_ms, asked) = (venue.rig.venue_ms(), venue.pages.len());
    venue.away(time, fills);
    let meanwhile = before..venue.rig.of(ALICE).len();
    assert_eq!(meanwhile.len(), fills as usize);
    venue.back();

    let all_fills = venue.rig.of(ALICE).clone();
    let (all, signals) = told(&venue);
    // Buys of one: the position after a fill is its number. Each once, in chain order; the first is the baseline.
    let sizes: Vec<Value> = signals.iter().map(|signal| signal["size"].clone()).collect();
    let wanted: Vec<Value> = (2..=all_fills.len()).map(|number| json!(number.to_string())).collect();
    assert_eq!(sizes, wanted, "{time:?}: every fill once, in chain order, before anything newer");
    for (number, signal) in (1..).zip(&signals) {
        assert_eq!(signal["timestamp"], all_fills[number]["time"], "{signal}");
        assert!(signal.get("late").is_none() && signal.get("gapId").is_none(), "{signal}");
        // What a snapshot still shows may come from it; what happened since is live, all else history's.
        let in_snapshot = (meanwhile.end - SNAPSHOT..meanwhile.end).contains(&number);
        let origins: &[&str] = match () {
            () if in_snapshot => &["snapshot", "backfill"],
            () if meanwhile.contains(&number) => &["backfill"],
            () => &["live"],
        };
        assert!(origins.contains(&signal["origin"].as_str().unwrap()), "{origins:?}: {signal}");
    }
    let read: Vec<usize> = venue.pages[asked..].iter().copied().filter(|rows| *rows >= SNAPSHOT).collect();
    assert!(read.len() >= pages, "{time:?}: {read:?}");

    // The gap is told before anything of it, covers it, and is repaired. Nothing else is amiss.
    let opened = place(&all, "outage", |line| is_gap(line, "outage", "opened"));
    let first = place(&all, "backfill", |line| line["origin"] == "backfill" || line["origin"] == "snapshot");
    assert!(opened < first, "{time:?}: the gap goes before what fills it");
    let gap = &all[opened];
    let shown = all_fills[meanwhile.end - SNAPSHOT]["time"].as_i64();
    let covers = gap["fromTime"].as_i64() <= Some(left_ms) && gap["toTime"].as_i64() >= shown;
    assert!(covers, "up to what a snapshot shows: {gap}");
    let repaired = |line: &Value| is_gap(line, "outage", "repaired") && line["gapId"] == gap["gapId"];
    place(&all, "repair", repaired);
    let others: Vec<&Value> = all
        .iter()
        .filter(|line| {
            line["schema"] == "gap.v1" && line["state"] != "reset" && line["gapId"] != gap["gapId"]
        })
        .collect();
    assert!(others.is_empty(), "{others:?}");
}

#[test]
fn ten_seconds_without_a_listener() {
    survives(10 * SECOND, 40, 1);
}

#[test]
fn ten_minutes_without_a_listener() {
    survives(10 * MINUTE, 400, 1);
}

#[test]
fn six_hours_without_a_listener_are_read_page_by_page() {
    survives(6 * HOUR, 7_000, 4);
}
