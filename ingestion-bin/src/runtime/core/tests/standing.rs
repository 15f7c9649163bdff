//! Where an account stands: what consumers are told and when, and the audit of the chains against what the venue shows. Frames and
//! answers by hand.

use std::time::Duration;

use messaging::journal::JournalConfig;
use serde_json::{Value, json};
use signal_domain::wire::v1::StateV1;
use signal_domain::{Account, InfluencerId};

use super::super::Followed;
use super::ALICE;
use super::states::{account, listening, row, state};
use super::told::{Rig, T, fill};
use super::total;
use crate::render::{SignalLines, StateLines};

impl Rig {
    /// Time passes.
    fn pass(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        self.core.handle_timeout(self.now);
        self.core.deadline();
    }

    /// What was told behind the first `known` records.
    fn told(&self, known: usize) -> Vec<Value> {
        let told = self.lines(StateLines).split_off(known);
        for line in &told {
            StateV1::decode(line.to_string().as_bytes()).unwrap();
        }
        told
    }

    /// Of markets: name, signed side and size, source and reason.
    fn markets(&self, known: usize) -> Vec<String> {
        let told = self.told(known);
        let markets = told.iter().filter(|line| line["market"].is_string());
        let text = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
        { markets }
            .map(|line| ["market", "side", "size", "source", "reason"].map(|key| text(line, key)).join(" "))
            .collect()
    }

    fn contradictions(&self) -> u64 {
        total(&self.core.telemetry(), "positions contradicted", "")
    }
}

fn followed() -> Rig {
    let mut rig = listening(JournalConfig::default());
    rig.pass(0);
    rig
}

#[test]
fn every_open_position_at_the_baseline_then_changes_a_second_apart() {
    let mut rig = followed();
    rig.shows(0, &state(T + 1_000, "100.5", &[("ETH", "1", 10), ("SOL", "-3", 5)]));
    rig.shows(1, &state(T + 1_000, "100.5", &[("ETH", "1", 10), ("SOL", "-3", 5)]));
    rig.pass(0);
    let told = rig.told(0);
    assert_eq!(rig.markets(0), ["ETH-PERP LONG 1 chain baseline", "SOL-PERP SHORT 3 venue baseline"]);
    assert_eq!(told[0]["coverage"], "full", "{told:?}");
    let of_venue = told.iter().find(|line| line["market"] == "SOL-PERP").unwrap();
    assert_eq!((&of_venue["leverage"], &of_venue["entryPrice"]), (&json!("5"), &json!("2400")));
    assert_eq!((&of_venue["asOf"], &of_venue["lastSeq"]), (&json!(T + 1_000), &json!(0)));

    // One second, three changes: the last one is told.
    let known = told.len();
    for number in 1..=3 {
        rig.frame(0, false, &[fill(number, "2400.5")]);
        rig.pass(0);
    }
    assert_eq!(rig.markets(known), Vec::<String>::new());
    rig.pass(1_000);
    let told = rig.told(known);
    let change = told.iter().find(|line| line["market"].is_string()).unwrap();
    assert_eq!(rig.markets(known), ["ETH-PERP LONG 4 chain change"]);
    let last = rig.lines(SignalLines::default()).pop().unwrap();
    assert_eq!((&change["lastSeq"], &change["lastSignalId"]), (&json!(3), &last["signalId"]));
    assert_eq!((&change["asOf"], &change["epoch"]), (&json!(T + 3), &json!(1)));

    // Flat is told, and after that nothing; what is open is told again after ten minutes, the influencer every one.
    let known = known + told.len();
    rig.frame(0, false, &[row(9, "A", "4", "4")]);
    rig.pass(1_000);
    assert_eq!(rig.markets(known), ["ETH-PERP FLAT 0 chain change"]);
    let known = rig.told(0).len();
    (0..10).for_each(|_| rig.pass(60_000));
    assert_eq!(rig.markets(known), ["SOL-PERP SHORT 3 venue heartbeat"]);
    let beats = rig.told(known).iter().filter(|line| line["coverage"].is_string()).count();
    assert_eq!(beats, 10);
    let told = rig.told(known);
    let coverage = told.iter().rfind(|line| line["coverage"].is_string()).map(|line| &line["coverage"]);
    assert_eq!(coverage, Some(&json!("stale")), "nothing was heard of it for minutes");
}

#[test]
fn a_state_before_the_baseline_waits_for_it_and_wakes_nobody() {
    let mut rig = Rig::new();
    rig.core.config.state_interval = Some(Duration::from_secs(30));
    rig.up(0);
    rig.shows(0, &state(T + 1_000, "100.5", &[("SOL", "-3", 5)]));
    rig.pass(0);
    assert_eq!(rig.markets(0), Vec::<String>::new());
    assert!(rig.core.deadline().is_none_or(|at| at > rig.now), "the timer would never rest");
    rig.frame(0, true, &[fill(0, "2400.5")]);
    rig.pass(0);
    assert_eq!(rig.markets(0), ["ETH-PERP LONG 1 chain baseline", "SOL-PERP SHORT 3 venue baseline"]);
}

#[test]
fn a_restart_tells_what_was_not_told_any_more() {
    let mut rig = followed();
    rig.frame(0, false, &[fill(1, "2400.5")]);
    rig.pass(1_000);
    rig.frame(0, false, &[fill(2, "2400.5")]);
    let known = rig.told(0).len();
    // Killed before its second was over.
    let mut rig = rig.restart(None);
    rig.pass(0);
    let told = rig.told(known);
    assert_eq!(told[0]["coverage"], "blind");
    assert_eq!(rig.markets(known), ["ETH-PERP LONG 3 chain change"]);
    assert_eq!((&told[1]["epoch"], &told[1]["lastSeq"]), (&json!(2), &json!(0)));
    let known = known + told.len();
    let mut rig = rig.restart(None);
    rig.pass(0);
    assert_eq!(rig.markets(known), ["ETH-PERP LONG 3 chain heartbeat"], "in the new epoch, as it was");
    let known = rig.told(0).len();
    for listener in [0, 1] {
        rig.up(listener);
        rig.frame(listener, true, &[fill(1, "2400.5"), fill(2, "2400.5")]);
        rig.pass(1_000);
    }
    let coverage: Vec<Value> = rig.told(known).iter().map(|line| line["coverage"].clone()).collect();
    assert_eq!(coverage, ["single", "full"]);
}

#[test]
fn a_removal_ends_every_key_and_another_name_begins_new_ones() {
    let mut rig = followed();
    let named = |name: &str| {
        let influencer = InfluencerId::parse(name).unwrap();
        Followed { influencer, ..Followed::by_address(ALICE.parse::<Account>().unwrap()) }
    };
    let known = rig.told(0).len();
    rig.core.change(named("whale"), rig.now);
    rig.pass(1_000);
    let told = rig.told(known);
    assert_eq!(told[0], json!({ "key": format!("{ALICE}|ETH-PERP"), "value": null }));
    assert_eq!(told[1], json!({ "key": ALICE, "value": null }));
    assert_eq!(told[2]["influencerId"], "whale");
    assert_eq!(rig.markets(known), ["ETH-PERP LONG 1 chain baseline"]);
    let known = known + told.len();
    rig.core.unfollow(account(), rig.now);
    rig.pass(60_000);
    let ends = |name: &str| {
        [json!({ "key": format!("{name}|ETH-PERP"), "value": null }), json!({ "key": name, "value": null })]
    };
    assert_eq!(rig.told(known), ends("whale"));
    let mut rig = rig.restart(None);
    rig.pass(1_000);
    assert_eq!(rig.told(known).len(), 2 + 1, "nobody has told of it since, but that it is followed anew");
}

fn wrong(time: i64) -> Value {
    state(T + time, "100", &[("ETH", "7", 10)])
}

fn right(time: i64, size: &str) -> Value {
    state(T + time, "100", &[("ETH", size, 10)])
}

#[test]
fn one_state_that_contradicts_does_nothing_two_raise_the_alarm() {
    let mut rig = followed();
    // Too near to the last fill, twice; then one alone, twice; then two that are no two witnesses.
    for time in [1_000, 4_999, 10_000] {
        rig.pass(1_000);
        rig.shows(0, &wrong(time));
    }
    rig.pass(1_000);
    rig.shows(0, &right(20_000, "1"));
    rig.pass(1_000);
    rig.shows(0, &wrong(30_000));
    rig.pass(1_000);
    rig.shows(0, &wrong(34_999));
    assert_eq!((rig.contradictions(), rig.gaps().len()), (0, 0));

    let known = rig.told(0).len();
    rig.pass(1_000);
    rig.shows(1, &wrong(35_000));
    rig.pass(1_000);
    assert_eq!(rig.contradictions(), 1);
    let gap = rig.gaps().pop().unwrap();
    let said = [("kind", "silent"), ("state", "opened"), ("market", "ETH-PERP"), ("startExpected", "1")];
    assert!(said.iter().all(|(key, value)| gap[*key] == *value), "{gap}");
    assert_eq!((&gap["startFound"], &gap["missing"]), (&json!("7"), &json!("6")));
    assert_eq!((&gap["fromTime"], &gap["toTime"]), (&json!(T), &json!(T + 35_000)));
    assert_eq!(rig.markets(known), ["ETH-PERP LONG 7 venue resync"]);
    assert_eq!(rig.core.status().accounts[0].contradicted, ["ETH-PERP"]);
    // The chain is not overwritten, and the same is not said again.
    assert_eq!(rig.core.status().accounts[0].positions, [("ETH-PERP".to_owned(), "1".to_owned())]);
    for time in [45_000, 55_000] {
        rig.pass(1_000);
        rig.shows(0, &wrong(time));
    }
    assert_eq!(rig.contradictions(), 1);

    // It stands over a restart, too.
    let known = rig.told(0).len();
    let mut rig = rig.restart(None);
    rig.pass(0);
    assert_eq!(rig.markets(known), ["ETH-PERP LONG 7 venue heartbeat"]);
    for listener in [0, 1] {
        rig.up(listener);
        rig.frame(listener, true, &[fill(0, "2400.5")]);
    }
    // The venue was wrong: it agrees again.
    let known = rig.told(0).len();
    rig.pass(1_000);
    rig.shows(0, &right(65_000, "1"));
    rig.pass(1_000);
    assert_eq!(rig.gaps().pop().unwrap()["state"], "repaired");
    assert_eq!(rig.markets(known), ["ETH-PERP LONG 1 chain resync"]);
}

#[test]
fn a_fill_that_nobody_showed_is_asked_for_and_repairs_what_the_state_told_of() {
    let mut rig = followed();
    let missed = row(10, "B", "6", "1");
    for time in [20_000, 30_000] {
        rig.pass(1_000);
        rig.shows(0, &wrong(time));
    }
    let asked: Vec<_> = std::iter::from_fn(|| rig.core.next_ask(0)).collect();
    assert!(!asked.is_empty(), "history is read at once");
    let known = rig.told(0).len();
    for ask in asked {
        let page = serde_json::to_vec(&[fill(0, "2400.5"), missed.clone()]).unwrap();
        rig.core.handle_page(ask, &page, rig.at()).unwrap();
    }
    rig.pass(1_000);
    let signal = rig.lines(SignalLines::default()).pop().unwrap();
    assert_eq!((&signal["size"], &signal["origin"]), (&json!("7"), &json!("backfill")));
    assert_eq!(rig.gaps().pop().unwrap()["state"], "repaired");
    assert_eq!(rig.markets(known), ["ETH-PERP LONG 7 chain change"]);
}

#[test]
fn a_chain_that_goes_on_shows_that_the_state_was_wrong() {
    let mut rig = followed();
    for time in [20_000, 30_000] {
        rig.pass(1_000);
        rig.shows(0, &wrong(time));
    }
    let known = rig.told(0).len();
    rig.frame(0, false, &[row(40_000, "B", "1", "1")]);
    rig.pass(1_000);
    assert_eq!(rig.gaps().pop().unwrap()["state"], "repaired");
    assert_eq!(rig.markets(known), ["ETH-PERP LONG 2 chain change"]);
    // One that does not link is a break of its own, and what the state told of stays.
    for time in [50_000, 60_000] {
        rig.pass(1_000);
        rig.shows(0, &wrong(time));
    }
    rig.frame(0, false, &[row(70_000, "B", "1", "7")]);
    rig.frame(1, false, &[row(70_000, "B", "1", "7")]);
    rig.pass(10_000);
    let gaps = rig.gaps();
    let open = |kind: &str| {
        let mut of_kind = gaps.iter().filter(|gap| gap["kind"] == kind);
        of_kind.next_back().map(|gap| gap["state"].as_str().unwrap().to_owned())
    };
    assert_eq!(
        (open("chain").as_deref(), open("silent").as_deref()),
        (Some("opened"), Some("opened")),
        "{gaps:?}"
    );
}
