//! Both listeners ill in turn at 1,000 fills a second, over TLS: killed, muted, delayed, corrupted, each until it is noticed and healed
//! again, while the other one is well. Nobody sees a difference: every signal once, in chain order, and not one gap.
//!
//! The long form is `cargo xtask drill [--rounds N] [--seed S]`: this file in release with `INGESTION_DRILL` and `INGESTION_DRILL_SEED` set.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use hyperliquid_client::sim::{Block, Replay, SimConfig, SimLimits, SimTls, TwapRows};
use serde_json::Value;

use super::support::document::{Documents, documents};
use super::support::expected::{self, Row};
use super::support::judge::{self, Allowed};
use super::support::legs::{Leg, Legs, Setting};
use super::support::market::Chains;
use super::support::proxy::{Cut, Way, Weather};
use super::support::service::{Service, lines};
use super::support::{eventually, number, process, recorded_data};

/// Followed where the fills are our own.
const ACCOUNTS: usize = 10;
/// Followed of a recorded segment.
const RECORDED_ACCOUNTS: usize = 60;
const FILLS_PER_SECOND: u32 = 1_000;
/// An illness lasts at least so many fills; in a recording, as many as lets every turn fit into it.
const ILL_AT_LEAST: usize = 300;
const STATUS_AGE: Duration = Duration::from_millis(600);

#[derive(Clone, Copy, Debug)]
enum Illness {
    /// Reset, and nobody is let in again.
    Killed,
    /// The socket lives, pings are answered, no data comes.
    Muted,
    /// Up to a second late.
    Delayed,
    /// One byte in a thousand has a flipped bit.
    Corrupted,
}

const ILLNESSES: [Illness; 4] = [Illness::Killed, Illness::Muted, Illness::Delayed, Illness::Corrupted];

impl Illness {
    fn strike(self, leg: &Leg) {
        let second = Duration::from_secs(1);
        match self {
            Self::Killed => {
                leg.proxy.shut();
                leg.proxy.cut(Cut::Reset);
            }
            Self::Muted => leg.venue.add_fault("mute=*".parse().expect("a fault")),
            Self::Delayed => leg.proxy.set(&Weather::down(Way::late(second / 5, second))),
            Self::Corrupted => leg.proxy.set(&Weather::down(Way { flips: 0.001, ..Way::default() })),
        }
    }

    /// How often it was noticed so far, where it can be.
    fn noticed(self, service: &Service) -> Option<f64> {
        let ends =
            |cause: &str| service.metric(&format!("ingestion_connection_ends_total{{cause=\"{cause}\"}}"));
        match self {
            Self::Killed | Self::Corrupted => Some(ends("io") + ends("eof") + ends("protocol")),
            Self::Muted => Some(ends("recycled")),
            Self::Delayed => None,
        }
    }

    fn heal(self, leg: &Leg) {
        leg.venue.clear_faults();
        leg.proxy.heal();
    }
}

/// Fills, one block after the other, at their pace.
struct Flow<'a> {
    legs: &'a mut Legs,
    /// What is left of a recording; without one, fills are made for ever.
    recorded: Option<std::vec::IntoIter<Block>>,
    fills: usize,
    began: Instant,
    ill_at_least: usize,
}

impl Flow<'_> {
    /// Plays what is due by now; false at the end of a recording.
    fn go_on(&mut self) -> bool {
        let due = self.began.elapsed().as_secs_f64() * f64::from(FILLS_PER_SECOND);
        while (self.fills as f64) < due {
            match &mut self.recorded {
                None => {
                    self.legs.play(1);
                    self.fills += self.legs.users.len();
                }
                Some(blocks) => {
                    let Some(block) = blocks.next() else { return false };
                    self.legs.show(&block);
                    self.fills += followed(self.legs, &block);
                }
            }
        }
        std::thread::park_timeout(Duration::from_millis(2));
        true
    }

    /// Plays on until `is_there`; a recording is too short for that and stands still meanwhile.
    fn until(&mut self, what: &str, mut is_there: impl FnMut(&Legs) -> bool) {
        let began = Instant::now();
        while !is_there(self.legs) {
            assert!(began.elapsed() < process::DEADLINE, "it never came: {what}");
            if self.recorded.is_some() {
                std::thread::park_timeout(Duration::from_millis(20));
            } else {
                self.go_on();
            }
        }
        if self.recorded.is_some() {
            self.began += began.elapsed();
        }
    }

    fn fills(&mut self, count: usize) -> bool {
        let wanted = self.fills + count;
        while self.fills < wanted {
            if !self.go_on() {
                return false;
            }
        }
        true
    }

    /// One illness of one leg, from the strike until both are well again; false at the end of a recording.
    fn turn(&mut self, illness: Illness, a: bool, service: &Service) -> bool {
        fn leg(legs: &Legs, a: bool) -> &Leg {
            if a { &legs.a } else { &legs.b }
        }
        let noticed = illness.noticed(service);
        illness.strike(leg(self.legs, a));
        let goes_on = self.fills(self.ill_at_least);
        if noticed.is_some() {
            self.until("it is noticed", |_| illness.noticed(service) > noticed);
        }
        illness.heal(leg(self.legs, a));
        let well = |legs: &Legs| legs.subscribed(&legs.a) && legs.subscribed(&legs.b) && is_full(service);
        self.until("both listeners are well", well);
        // The status is up to half a second old: only the next one may be believed.
        let next = Instant::now() + STATUS_AGE;
        self.until("the next status", |_| Instant::now() > next);
        self.until("both listeners are well", well);
        goes_on
    }
}

/// How many fills of a block are of somebody followed.
fn followed(legs: &Legs, block: &Block) -> usize {
    block.fills.iter().filter(|row| legs.users.iter().any(|user| **user == *row.user)).count()
}

/// Whether every account has both listeners.
fn is_full(service: &Service) -> bool {
    let status = service.status();
    status["accounts"].as_array().expect("accounts").iter().all(|account| account["coverage"] == "full")
}

/// Venue time goes by as ours does: rules that compare the two (a time far ahead is not believed) must not see a race.
fn at_our_pace() -> Chains {
    Chains::new(1_790_000_000_000, u64::from(1_000 * ACCOUNTS as u32 / FILLS_PER_SECOND))
}

/// Both listeners have shown the venue's time before the first of them falls ill.
fn begin(legs: &mut Legs, service: &Service) {
    legs.play(10);
    legs.caught_up(service);
}

fn config(tls: bool) -> SimConfig {
    let mut sim = SimConfig { tls: tls.then(SimTls::default), ..SimConfig::manual() };
    sim.venue.limits = SimLimits::generous();
    sim
}

/// Limits are not what is tried here, nor how long a listener waits after one loss upon another.
pub(super) fn setting() -> Setting {
    let limits = "limits = { users = 1000, connections = 100, new_connections_per_minute = 100000, subscriptions = 100000, \
                  messages_per_minute = 1000000, info_weight_per_minute = 1000000 }";
    let backoff = "backoff = { initial_ms = 100, max_ms = 500, jitter = 0.5 }";
    Setting { endpoint: limits.to_owned(), listeners: backoff.to_owned(), ..Setting::default() }
}

/// Runs turn after turn; how many there were.
fn in_turn(
    legs: &mut Legs,
    recorded: Option<Vec<Block>>,
    turns: usize,
    first: usize,
    service: &Service,
) -> usize {
    let all = recorded.as_ref().map(|blocks| blocks.iter().map(|block| followed(legs, block)).sum::<usize>());
    let ill_at_least = all.map_or(ILL_AT_LEAST, |all| ILL_AT_LEAST.min(all / (turns + 2)));
    let recorded = recorded.map(Vec::into_iter);
    let mut flow = Flow { legs, recorded, fills: 0, began: Instant::now(), ill_at_least };
    let mut done = 0;
    for turn in (first..).take(turns) {
        let illness = ILLNESSES[turn / 2 % ILLNESSES.len()];
        let (began, fills) = (Instant::now(), flow.fills);
        if !flow.turn(illness, turn % 2 == 0, service) {
            break;
        }
        done += 1;
        println!(
            "{} {illness:?}: {} fills in {:.1} s",
            if turn % 2 == 0 { "a" } else { "b" },
            flow.fills - fills,
            began.elapsed().as_secs_f64(),
        );
    }
    while flow.recorded.is_some() && flow.go_on() {}
    done
}

/// Which gaps may have been opened.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Gaps {
    None,
    /// Any that tells of itself.
    Declared,
}

fn end(service: Service, legs: &Legs, expected: &Documents, allowed_gaps: Gaps) {
    let count: usize = expected.values().map(Vec::len).sum();
    service.wait_lines("signals", count);
    service.stop_well();
    let none = BTreeSet::new();
    let allowed = Allowed { origins: &["live", "snapshot", "backfill"], gaps: Some(&none), late: false };
    judge::judge(&judge::stored(&legs.data()), expected, &allowed);
    can_fail(&judge::stored(&legs.data()), expected, &allowed);
    let gaps = lines(&legs.data(), "gaps");
    let mut last: BTreeMap<&str, &Value> = BTreeMap::new();
    for gap in gaps.iter().filter(|gap| gap["state"] != "reset") {
        last.insert(gap["gapId"].as_str().expect("an id"), gap);
    }
    println!("{} gaps opened", last.len());
    assert!(last.is_empty() || allowed_gaps == Gaps::Declared, "a gap was opened: {last:?}");
    legs.verifies();
}

type Spoil<'a> = &'a dyn Fn(&mut Vec<Value>);

/// The judge sees a signal that is missing, one that is twice, and two that changed places.
fn can_fail(signals: &[Value], expected: &Documents, allowed: &Allowed<'_>) {
    let is_like = |one: usize, other: usize| {
        ["influencerId", "market"].iter().all(|key| signals[one][key] == signals[other][key])
    };
    let next = |at: usize| (at + 1..signals.len()).find(|other| is_like(at, *other));
    let (middle, follows) = (0..=signals.len() / 2)
        .rev()
        .find_map(|at| Some((at, next(at)?)))
        .expect("two signals of one market");
    let spoils: [(&str, Spoil<'_>); 3] = [
        ("missing", &|signals| drop(signals.remove(middle))),
        ("twice", &|signals| signals.insert(middle, signals[middle].clone())),
        ("swapped", &|signals| signals.swap(middle, follows)),
    ];
    for (what, spoil) in spoils {
        let mut spoiled = signals.to_vec();
        spoil(&mut spoiled);
        let seen = std::panic::catch_unwind(|| judge::judge(&spoiled, expected, allowed)).is_err();
        assert!(seen, "a signal {what} was not seen");
    }
}

#[test]
fn drill_both_listeners_in_turn() {
    let rounds = number("INGESTION_DRILL").unwrap_or(1);
    let mut legs = Legs::new(ACCOUNTS, &config(true), &setting());
    legs.chains = at_our_pace();
    let service = legs.start();
    begin(&mut legs, &service);
    let first = number("INGESTION_DRILL_SEED").unwrap_or(0);
    let turns = in_turn(&mut legs, None, rounds * 2 * ILLNESSES.len(), first, &service);
    let expected = documents(legs.chains.rows(), &legs.users);
    println!("{turns} turns, {} fills", legs.chains.rows().len());
    end(service, &legs, &expected, Gaps::None);
}

#[test]
fn drill_recorded_fills() {
    let Some(folder) = recorded_data() else { return };
    let fills = folder.join("fills.ndjson.gz");
    let (rounds, seed) = (number("INGESTION_DRILL"), number("INGESTION_DRILL_SEED").unwrap_or(0));
    let segments = if rounds.is_some() { &["s3", "s4", "s7"][..] } else { &["s3"] };
    for round in 0..rounds.unwrap_or(1) {
        for segment in segments {
            recorded(&fills, segment, Some(seed + 3 * round));
            recorded(&fills, segment, None);
        }
    }
}

/// In turn, from the turn `first` on; `None`: one listener drops frames for good.
fn recorded(fills: &Path, segment: &str, first: Option<usize>) {
    let replay = Replay::load(fills, Some(segment), TwapRows::Split).expect("the recording is read");
    let mut rows: Vec<Row> = expected::in_time(expected::rows(fills));
    rows.retain(|row| row.segment == segment);
    let users: Vec<String> =
        replay.accounts().into_iter().take(RECORDED_ACCOUNTS).map(|(user, _)| user.to_string()).collect();
    let expected = documents(&rows, &users);
    let sim = config(true);
    let mut legs = Legs::of(users, [&sim, &sim], &setting());
    legs.a.venue.open(&replay);
    legs.b.venue.open(&replay);
    let service = legs.start();
    let blocks = replay.blocks().to_vec();
    let turns = if first.is_some() { 2 * ILLNESSES.len() } else { 0 };
    if first.is_none() {
        legs.a.venue.add_fault("drop=0.05".parse().expect("a fault"));
    }
    let done = in_turn(&mut legs, Some(blocks), turns, first.unwrap_or(0), &service);
    println!("{segment}: {} signals expected, {done} turns", expected.values().map(Vec::len).sum::<usize>());
    assert_eq!(done, turns, "every illness of both listeners fits into {segment}");
    assert!(first.is_some() || legs.a.venue.fault_counts()["drop"] > 0, "nothing was dropped");
    // Months go by in seconds there, and the venue's two minutes of grace in less than a frame takes.
    let months = segment == "s7" && first.is_some();
    end(service, &legs, &expected, if months { Gaps::Declared } else { Gaps::None });
}

/// One listener loses one frame in twenty, for good: the other one has them.
#[test]
fn drill_a_listener_that_drops_frames_opens_no_gap() {
    let mut legs = Legs::new(ACCOUNTS, &config(false), &setting());
    legs.chains = at_our_pace();
    let service = legs.start();
    begin(&mut legs, &service);
    legs.a.venue.add_fault("drop=0.05".parse().expect("a fault"));
    let fills = number("INGESTION_DRILL").map_or(3_000, |rounds: usize| rounds * 30_000);
    let mut flow =
        Flow { legs: &mut legs, recorded: None, fills: 0, began: Instant::now(), ill_at_least: ILL_AT_LEAST };
    flow.fills(fills);
    let dropped = legs.a.venue.fault_counts()["drop"];
    assert!(dropped > 0, "nothing was dropped");
    eventually("it is made anew for what it missed", || {
        (service.metric("ingestion_connection_ends_total{cause=\"recycled\"}") >= 1.0).then_some(())
    });
    println!("{dropped} frames of {fills} fills dropped");
    let expected = documents(legs.chains.rows(), &legs.users);
    end(service, &legs, &expected, Gaps::None);
}
