//! What an account costs of the venue's info weight while nothing is amiss: simulated hours of one account machine with the
//! design's settings, on an artificial clock. Prints the figures that `docs/account-machine.md` section 7 states.

use std::time::{Duration, Instant};

use dedup::{Digest, FillKey, Link};
use hyperliquid_client::limits::{InfoCost, VenueLimits};
use ingestion_bin::account::{
    Cause, Fate, Intake, Ledger, Machine, Market, Output, PerStream, Position, Row, Settings, Stream,
};

/// Venue time at the begin, ms; one of the venue's seconds is one of ours.
const T: i64 = 1_790_000_000_000;
/// Before this much time the first reads settle what was there at the start.
const SETTLED: u64 = 900;
const HOUR: u64 = 3_600;
/// A history that shows a row after this time, and answers this late.
const HISTORY_LAG_MS: i64 = 1_000;
const ANSWER_MS: u64 = 100;
const PAGE_ROWS: usize = 2_000;

/// Questions and weight of each stream in one settled hour.
#[derive(Clone, Copy, Debug, Default)]
struct Cost {
    questions: u64,
    weight: u64,
}

struct Account {
    machine: Machine<()>,
    start: Instant,
    elapsed_ms: u64,
    rows: PerStream<Vec<Row>>,
    costs: PerStream<Cost>,
}

impl Account {
    /// Two listeners, a snapshot of some old rows on each stream that was ever used.
    fn followed(used: &[Stream]) -> Self {
        #[expect(clippy::disallowed_methods, reason = "one instant to count from; nothing is measured")]
        let start = Instant::now();
        let settings = Settings::default();
        let ledger = Ledger::new(&settings);
        let machine = Machine::new(settings, ledger, Cause::Start, 1, start);
        let rows = PerStream::default();
        let mut account = Self { machine, start, elapsed_ms: 0, rows, costs: PerStream::default() };
        for &stream in used {
            for number in 0..10 {
                account.rows[stream].push(row(stream, number, T - 3_600_000 + number * 1_000));
            }
        }
        for listener in [0, 1] {
            account.machine.handle_listener_up(listener, start);
            for stream in Stream::ALL {
                let rows = account.rows[stream].clone();
                assert_eq!(
                    account.machine.handle_frame(listener, stream, true, &rows, |_| (), start),
                    Intake::Taken
                );
            }
        }
        account.machine.handle_venue_time(T, start);
        account
    }

    fn now(&self) -> Instant {
        self.start + Duration::from_millis(self.elapsed_ms)
    }

    fn venue_ms(&self) -> i64 {
        T + i64::try_from(self.elapsed_ms).expect("hours")
    }

    /// Lets time pass, a tenth of a second a step; a fill on the stream of `trades` as often as it says.
    fn live(&mut self, seconds: u64, trades: Option<(Stream, u64)>, counted: bool) {
        for _ in 0..seconds * 10 {
            self.elapsed_ms += 100;
            let now = self.now();
            let due = |&(_, every): &(Stream, u64)| self.elapsed_ms.is_multiple_of(every * 1_000);
            if let Some((stream, _)) = trades.filter(due) {
                let number = i64::try_from(self.rows[stream].len()).expect("few");
                let row = row(stream, number, self.venue_ms());
                self.rows[stream].push(row.clone());
                for listener in [0, 1] {
                    let rows = std::slice::from_ref(&row);
                    let taken = self.machine.handle_frame(listener, stream, false, rows, |_| (), now);
                    assert_eq!(taken, Intake::Taken);
                }
            }
            if self.elapsed_ms.is_multiple_of(5_000) {
                self.machine.handle_venue_time(self.venue_ms(), now);
            }
            self.machine.handle_timeout(now);
            self.answer(counted);
        }
    }

    fn answer(&mut self, counted: bool) {
        while let Some(output) = self.machine.poll_output() {
            let Output::Ask { stream, start, id } = output else { continue };
            let shown = self.venue_ms() - HISTORY_LAG_MS;
            let rows = self.rows[stream].iter().filter(|row| row.time >= start && row.time <= shown);
            let page: Vec<Row> = rows.take(PAGE_ROWS).cloned().collect();
            if counted {
                let cost = &mut self.costs[stream];
                cost.questions += 1;
                cost.weight += u64::from(InfoCost::PAGE.of_rows(u32::try_from(page.len()).expect("a page")));
            }
            self.machine.handle_page(id, &page, |_| (), self.now() + Duration::from_millis(ANSWER_MS));
        }
    }

    fn hour(mut self, trades: Option<(Stream, u64)>) -> PerStream<Cost> {
        self.live(SETTLED, trades, false);
        let before = self.machine.summary().certified;
        self.live(HOUR, trades, true);
        let summary = self.machine.summary();
        assert_eq!((summary.open_gaps, summary.unfillable_gaps, summary.held), (0, 0, 0), "nothing is amiss");
        assert!(summary.certified > before, "it is certified on and on: {summary:?}");
        self.costs
    }
}

fn row(stream: Stream, number: i64, time: i64) -> Row {
    let at = |number: i64| Position(rust_decimal::Decimal::from(number));
    let lane = match stream {
        Stream::Fills => 1_u128,
        Stream::Twap => 2,
    };
    Row {
        key: FillKey((lane << 100) | u128::try_from(number).expect("counted up")),
        digest: Digest(u64::try_from(number).expect("counted up")),
        market: Market::new(if stream == Stream::Fills { "ETH-PERP" } else { "BTC-PERP" }),
        strict: true,
        time,
        link: Some(Link { before: at(number), after: at(number + 1) }),
        fate: Fate::Signal,
    }
}

/// Weight that one address may spend in an hour.
const BUDGET: u64 = 1_200 * 60;
/// Questions of a stream in an hour: a read of two pages per sweep.
const SWEEP: u64 = 2 * HOUR / 300;

#[expect(clippy::print_stdout, reason = "the figures are for the person who runs it")]
fn shown(what: &str, costs: &PerStream<Cost>) -> u64 {
    assert_eq!(BUDGET, u64::from(VenueLimits::default().info_weight_per_minute) * 60);
    let weight: u64 = Stream::ALL.iter().map(|&stream| costs[stream].weight).sum();
    for stream in Stream::ALL {
        let Cost { questions, weight } = costs[stream];
        println!("{what}, {stream:?}: {questions} questions, weight {weight} an hour");
    }
    println!("{what}: ten accounts take {} of {BUDGET} an hour, {} %", weight * 10, weight * 1_000 / BUDGET);
    weight
}

#[test]
fn a_quiet_hour() {
    let costs = Account::followed(&Stream::ALL).hour(None);
    shown("no trades", &costs);
    for stream in Stream::ALL {
        assert!(costs[stream].questions <= SWEEP + 2, "{stream:?}: {:?}", costs[stream]);
    }
}

#[test]
fn an_hour_of_an_account_without_any_slice() {
    let costs = Account::followed(&[Stream::Fills]).hour(None);
    shown("no trades, never a slice", &costs);
    assert!(costs[Stream::Twap].questions <= SWEEP / 2 + 1, "an empty page ends a read");
}

#[test]
fn busy_hours() {
    for every in [3, 20, 120] {
        let costs = Account::followed(&Stream::ALL).hour(Some((Stream::Fills, every)));
        let weight = shown(&format!("a trade every {every} s"), &costs);
        // A read whose newest row is new asks for another one 30 s later, if nothing newer comes: at most one more a sweep.
        assert!(costs[Stream::Fills].questions <= 2 * (SWEEP + 2), "{:?}", costs[Stream::Fills]);
        assert!(costs[Stream::Twap].questions <= SWEEP + 2, "the other stream is quiet");
        assert!(weight * 10 <= BUDGET / 4, "ten such accounts leave room for repairs");
    }
}
