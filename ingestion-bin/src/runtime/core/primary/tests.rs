//! The label by tables and by a model: who has it, when it moves, what never moves it.

use hyperliquid_client::backoff::SmallRng;

use super::*;

const CONFIG: PrimaryConfig = PrimaryConfig {
    failover_lag: Duration::from_millis(250),
    probe_interval: Duration::from_secs(1),
    rotate: Duration::from_secs(3_600),
};

#[expect(clippy::disallowed_methods, reason = "tests need some first instant")]
fn start() -> Instant {
    Instant::now()
}

const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Two listeners, both live, the first with the label.
struct Pair {
    cell: Primary,
    now: Instant,
    live: [bool; 2],
}

impl Pair {
    fn new() -> Self {
        let mut pair = Self { cell: Primary::new(2, start()), now: start(), live: [true; 2] };
        assert_eq!(pair.probe(1), None);
        assert!(pair.cell.is_holder(0));
        pair
    }

    /// One event, shown so much later by the other one.
    fn event(&mut self, first: usize, later: Duration) {
        let other = 1 - first;
        self.cell.leg_mut(first).expect("a leg").showed_first();
        self.cell.leg_mut(other).expect("a leg").owes(self.now);
        self.cell.leg_mut(other).expect("a leg").showed_copy(later, self.now + later);
    }

    fn probe(&mut self, after_ms: u64) -> Option<Moved> {
        self.now += ms(after_ms);
        let live = self.live;
        self.cell.probe(&CONFIG, |leg| live[leg], self.now)
    }

    fn lag(&self, leg: usize) -> Duration {
        self.cell.leg(leg).expect("a leg").lag(self.now)
    }
}

#[test]
fn a_late_primary_loses_the_label_at_the_second_probe() {
    let mut pair = Pair::new();
    (0..40).for_each(|_| pair.event(1, ms(300)));
    assert_eq!((pair.probe(1_000), pair.lag(0), pair.lag(1)), (None, ms(300), Duration::ZERO));
    assert_eq!(pair.probe(1_000), Some(Moved { from: 0, to: 1, why: Why::Lag(ms(300)) }));
    let of = |leg: usize| pair.cell.leg(leg).expect("a leg").failovers;
    assert_eq!((of(0), of(1), pair.cell.is_holder(1)), (1, 0, true));
    // It stays with the new one although the old one is punctual again.
    (0..40).for_each(|_| pair.event(0, ms(5)));
    assert_eq!((pair.probe(1_000), pair.probe(1_000)), (None, None));
}

#[test]
fn being_late_by_less_than_the_limit_or_for_a_moment_moves_nothing() {
    let mut pair = Pair::new();
    (0..40).for_each(|_| pair.event(1, ms(250)));
    assert_eq!((pair.probe(1_000), pair.probe(1_000)), (None, None));
    let mut pair = Pair::new();
    for _ in 0..100 {
        // Every second event comes late: the middle is punctual.
        pair.event(1, ms(5_000));
        pair.event(1, ms(5));
        pair.event(1, ms(5));
    }
    assert_eq!((pair.probe(1_000), pair.probe(1_000), pair.lag(0)), (None, None, ms(5)));
    assert_eq!(pair.cell.leg(0).expect("a leg").skew(pair.now), ms(5_000));
}

#[test]
fn what_it_owes_counts_before_it_comes() {
    let mut pair = Pair::new();
    pair.cell.leg_mut(1).expect("a leg").showed_first();
    let now = pair.now;
    pair.cell.leg_mut(0).expect("a leg").owes(now);
    assert_eq!((pair.probe(1_000), pair.lag(0)), (None, ms(1_000)));
    // It comes, and nothing else is owed: late once is not late.
    let (now, late) = (pair.now, ms(1_000));
    pair.cell.leg_mut(0).expect("a leg").showed_copy(late, now);
    (0..40).for_each(|_| pair.event(1, ms(1)));
    assert_eq!((pair.probe(1_000), pair.lag(0)), (None, ms(1)));
}

#[test]
fn a_copy_settles_what_was_shown_before_it_and_no_more() {
    let mut pair = Pair::new();
    let (first, second) = (pair.now, pair.now + ms(100));
    let leg = pair.cell.leg_mut(0).expect("a leg");
    leg.owes(first);
    leg.owes(second);
    leg.showed_copy(ms(150), first + ms(150));
    pair.now = first + ms(1_000);
    assert!(pair.lag(0) >= ms(900), "the second is still owed: {:?}", pair.lag(0));
    let at = second + ms(1_100);
    pair.cell.leg_mut(0).expect("a leg").showed_copy(ms(1_100), at);
    pair.now = at + ms(60_000);
    assert_eq!(pair.lag(0), ms(150));
}

#[test]
fn a_primary_that_is_down_loses_the_label_at_once_and_to_nobody_where_there_is_nobody() {
    let mut pair = Pair::new();
    pair.live = [false, true];
    assert_eq!(pair.probe(1_000), Some(Moved { from: 0, to: 1, why: Why::Down }));
    pair.live = [false, false];
    assert_eq!(pair.probe(1_000), None);
    assert!(pair.cell.is_holder(1));
    let mut alone = Primary::new(1, start());
    assert_eq!(alone.probe(&CONFIG, |_| false, start()), None);
    assert!(!alone.is_holder(0), "nobody was live yet");
    assert_eq!(alone.probe(&CONFIG, |_| true, start()), None);
    assert_eq!(alone.probe(&CONFIG, |_| false, start() + ms(1_000)), None);
    assert!(alone.is_holder(0));
}

#[test]
fn healthy_listeners_take_turns_and_a_late_one_has_none() {
    let mut pair = Pair::new();
    assert_eq!(pair.probe(3_599_000), None);
    assert_eq!(pair.probe(1_000), Some(Moved { from: 0, to: 1, why: Why::Turn }));
    assert_eq!(pair.probe(3_600_000), Some(Moved { from: 1, to: 0, why: Why::Turn }));
    (0..40).for_each(|_| pair.event(0, ms(300)));
    assert_eq!(pair.probe(3_600_000), None, "the other one is late");
    (0..40).for_each(|_| pair.event(0, ms(1)));
    assert_eq!(pair.probe(1_000), Some(Moved { from: 0, to: 1, why: Why::Turn }));
    let failovers = pair.cell.legs.iter().map(|leg| leg.failovers).sum::<u64>();
    assert_eq!(failovers, 0, "a turn is no failover");
}

#[test]
fn another_connection_begins_anew() {
    let mut pair = Pair::new();
    (0..40).for_each(|_| pair.event(1, ms(9_000)));
    pair.cell.leg_mut(0).expect("a leg").begin_anew();
    assert_eq!((pair.lag(0), pair.probe(1_000), pair.probe(1_000)), (Duration::ZERO, None, None));
}

/// Whatever they show: the label lies with a live listener wherever there is one, and a failover only leaves one that was late or down.
#[test]
fn the_label_never_rests_on_a_worse_one() {
    let mut moves = [0; 3];
    for seed in 0..500 {
        let mut random = SmallRng::seeded(seed);
        let mut below = |most: u64| random.next_u64() % most;
        let mut pair = Pair::new();
        for _ in 0..below(200) {
            pair.event(usize::from(below(4) == 0), ms(below(900)));
            pair.live = [below(20) > 0, below(20) > 0];
            let before = pair.cell.holder;
            let pause = if below(50) == 0 { 3_600_000 } else { below(2_000) };
            let moved = pair.probe(pause);
            let lags = [pair.lag(0), pair.lag(1)];
            assert!(pair.live == [false; 2] || pair.live[pair.cell.holder.expect("one was live")]);
            let Some(Moved { from, to, why }) = moved else {
                assert_eq!(before, pair.cell.holder);
                continue;
            };
            assert!(pair.live[to] && from != to && before == Some(from) && pair.cell.is_holder(to));
            match why {
                Why::Down => assert!(!pair.live[from]),
                Why::Lag(by) => assert!(by > CONFIG.failover_lag && lags[from] == lags[to] + by),
                Why::Turn => assert!(pair.live[from]),
            }
            moves[match why {
                Why::Down => 0,
                Why::Lag(_) => 1,
                Why::Turn => 2,
            }] += 1;
        }
    }
    assert!(moves.iter().all(|count| *count > 100), "all kinds came up: {moves:?}");
}

#[test]
fn whole_milliseconds_leave_no_debt_and_who_is_first_has_none() {
    // The first copy at 10.9 ms, the other at 11.1: one millisecond later, as far as whole ones tell.
    let mut pair = Pair::new();
    pair.cell.leg_mut(1).expect("a leg").owes(pair.now + Duration::from_micros(10_900));
    pair.cell.leg_mut(1).expect("a leg").showed_copy(ms(1), pair.now + Duration::from_micros(11_100));
    pair.now += ms(20_000);
    assert_eq!((pair.lag(1), pair.cell.leg(1).expect("a leg").skew(pair.now)), (ms(1), ms(1)));
    // What it lost on the way is no lateness once it goes ahead.
    pair.cell.leg_mut(1).expect("a leg").owes(pair.now);
    pair.now += ms(3_000);
    assert_eq!(pair.lag(1), ms(3_000));
    pair.cell.leg_mut(1).expect("a leg").showed_first();
    assert_eq!(pair.lag(1), Duration::ZERO);
}
