//! What the venue shows of an account: stored, as context of signals, asked for where a position begins. Frames and answers by hand, on
//! a disk that fails on demand.

use std::time::Duration;

use messaging::journal::{Fold, JournalConfig, Limit, Read};
use messaging::storage::Storage;
use serde_json::{Value, json};
use signal_domain::{Account, EventType};

use super::super::StateAsk;
use super::ALICE;
use super::told::{Rig, T, fill};
use crate::record::{self, AccountBody, Body, Change};
use crate::render::{RawFilter, RawLines, SignalLines};
use crate::state::State;

pub(super) fn account() -> [u8; 20] {
    *ALICE.parse::<Account>().unwrap().as_bytes()
}

/// `clearinghouseState` with these positions: coin, signed size, leverage.
pub(super) fn state(time: i64, equity: &str, held: &[(&str, &str, u64)]) -> Value {
    let margin = json!({ "accountValue": equity, "totalNtlPos": "0.0", "totalRawUsd": "40.0", "totalMarginUsed": "6.0" });
    let entry = |(coin, szi, leverage): &(&str, &str, u64)| {
        json!({ "type": "oneWay", "position": { "coin": coin, "szi": szi,
            "leverage": { "type": "cross", "value": leverage }, "entryPx": "2400.0", "positionValue": "60.0",
            "unrealizedPnl": "0.0", "returnOnEquity": "0.0", "liquidationPx": null, "marginUsed": "6.0", "maxLeverage": 25,
            "cumFunding": { "allTime": "0.0", "sinceOpen": "0.0", "sinceChange": "0.0" } } })
    };
    let held: Vec<Value> = held.iter().map(entry).collect();
    json!({ "marginSummary": margin, "crossMarginSummary": margin, "crossMaintenanceMarginUsed": "1.2",
        "withdrawable": "80.0", "assetPositions": held, "time": time })
}

impl Rig {
    /// A listener shows the main dex.
    pub(super) fn shows(&mut self, listener: usize, state: &Value) {
        let data = json!({ "user": ALICE, "clearinghouseStates": [["", state]] });
        self.message(listener, &json!({ "channel": "allDexsClearinghouseState", "data": data }));
    }

    fn asks(&mut self) -> Vec<StateAsk> {
        std::iter::from_fn(|| self.core.next_state_ask(0)).collect()
    }

    pub(super) fn raw(&self, event_type: EventType) -> Vec<Value> {
        let filter = RawFilter { event_type: Some(event_type), ..RawFilter::default() };
        self.lines(RawLines::new(uuid::Uuid::nil(), filter))
    }
}

/// Followed from one fill on, listening to states.
pub(super) fn listening(config: JournalConfig) -> Rig {
    let mut rig = Rig::with_journal(config);
    rig.listen();
    rig
}

impl Rig {
    fn listen(&mut self) {
        self.core.config.state_interval = Some(Duration::from_secs(30));
        for listener in [0, 1] {
            self.up(listener);
            self.frame(listener, true, &[fill(0, "2400.5")]);
        }
    }
}

#[test]
fn of_a_sockets_states_one_an_interval_is_stored_and_every_change_of_a_position() {
    let mut rig = listening(JournalConfig::default());
    rig.shows(0, &state(T + 1_000, "100.5", &[]));
    rig.shows(1, &state(T + 2_000, "101", &[("ETH", "1", 10)]));
    rig.now += Duration::from_secs(30);
    rig.shows(1, &state(T + 31_000, "102", &[("ETH", "2", 10), ("xyz:CL", "-3.5", 5)]));
    rig.shows(0, &state(T + 32_000, "103", &[]));
    rig.now += Duration::from_secs(30);
    rig.shows(0, &state(T + 30_999, "104", &[]));
    rig.now += Duration::from_secs(30);
    rig.shows(0, &state(T + 91_000, "105", &[("xyz:CL", "-3.5", 5)]));

    let whole = rig.raw(EventType::PositionSnapshot);
    let times: Vec<i64> = whole.iter().map(|line| line["timestamp"].as_i64().unwrap() - T).collect();
    assert_eq!(times, [1_000, 31_000, 91_000], "one an interval, and none that is older: {whole:?}");
    assert_eq!(whole[1]["sourceEventId"], format!("position::{}", T + 31_000));
    let changed = rig.raw(EventType::PositionUpdate);
    let told =
        |line: &Value| (line["market"].as_str().unwrap().to_owned(), line["timestamp"].as_i64().unwrap() - T);
    let markets: Vec<(String, i64)> = changed.iter().map(told).collect();
    let expected = [("ETH-PERP", 31_000), ("xyz:CL-PERP", 31_000), ("ETH-PERP", 91_000)];
    assert_eq!(markets, expected.map(|(market, time)| (market.to_owned(), time)));
    let entry: Value = serde_json::from_str(changed[1]["rawPayload"].as_str().unwrap()).unwrap();
    assert_eq!(entry["position"]["szi"], "-3.5", "the entry alone");
    let gone: Value = serde_json::from_str(changed[2]["rawPayload"].as_str().unwrap()).unwrap();
    assert_eq!(gone["time"], T + 91_000, "that it is flat only the whole state says");
    let mut ids: Vec<&str> = changed.iter().chain(&whole).map(|line| line["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 6);
}

/// Folds the journal and says of every signal's record whether its context is the last state before it.
fn contexts_are_of_records_before(rig: &Rig) -> usize {
    let (mut state, mut signals) = (State::default(), 0);
    let mut reader = rig.journal.reader(1_000, Limit::Synced);
    while let Some(read) = reader.next().unwrap() {
        let Read::Record(record) = read else { panic!("{read:?}") };
        if let Ok(Some(Body::Account(AccountBody { stamp, change: Change::Event(event) }))) =
            record::decode(&record)
            && event.seq.is_some()
        {
            let derived = state.accounts[&stamp.account].venue.context(&event.market, event.time);
            assert_eq!(event.context, derived);
            signals += 1;
        }
        state.apply(&record);
    }
    let live = rig.core.slots.values().next().unwrap();
    assert_eq!(
        state.accounts.values().next().unwrap().venue,
        live.positions.book,
        "the fold keeps the same book"
    );
    signals
}

#[test]
fn context_is_the_last_state_journaled_before_over_restarts_and_checkpoints() {
    // The smallest segments: nearly every batch begins one, with a checkpoint.
    let config = JournalConfig { segment_bytes: 1, ..JournalConfig::default() };
    let mut rig = listening(config);
    rig.frame(0, false, &[fill(1, "2400.5")]);
    rig.shows(0, &state(T + 1_000, "100.50", &[("ETH", "2", 10)]));
    rig.frame(0, false, &[fill(2, "2400.5")]);
    let before = rig.lines(SignalLines::default());
    assert_eq!(before[0]["context"], Value::Null, "nothing was shown yet");
    let shown = json!({ "accountValue": "100.5", "leverage": "10", "marginMode": "cross", "entryPrice": "2400", "asOf": T + 1_000 });
    assert_eq!(before[1]["context"], shown);

    // It is not shown again: what the journal holds is enough, whichever segment it lies in.
    let mut rig = rig.restart(None);
    rig.listen();
    rig.frame(0, true, &[fill(0, "2400.5"), fill(1, "2400.5"), fill(2, "2400.5")]);
    rig.frame(0, false, &[fill(3, "2400.5")]);
    let after = rig.lines(SignalLines::default());
    assert_eq!(after.len(), 3);
    assert_eq!(after[..2], before, "replayed as it was");
    assert_eq!(after[2]["context"], shown);
    rig.now += Duration::from_secs(60);
    rig.shows(1, &state(T + 300_000, "200", &[]));
    rig.frame(0, false, &[fill(4, "2400.5"), row(300_000, "B", "1", "5")]);
    let signals = rig.lines(SignalLines::default());
    assert_eq!(signals[3]["context"], Value::Null, "too far from it");
    assert_eq!(signals[4]["context"], json!({ "accountValue": "200", "asOf": T + 300_000 }));
    assert_eq!(contexts_are_of_records_before(&rig), 5);
    let segments = rig.disk.list("").unwrap();
    assert!(segments.iter().filter(|name| name.ends_with(".seg")).count() > 2, "{segments:?}");
}

pub(super) fn row(number: i64, side: &str, size: &str, start: &str) -> Value {
    let mut row = fill(number, "2400.5");
    (row["side"], row["sz"], row["startPosition"]) = (side.into(), size.into(), start.into());
    row
}

#[test]
fn a_position_that_begins_is_asked_for_at_once() {
    let mut rig = listening(JournalConfig::default());
    rig.frame(0, false, &[fill(1, "2400.5")]);
    assert_eq!(rig.asks(), [], "an increase begins nothing");
    rig.frame(0, false, &[row(2, "A", "2", "2"), row(3, "B", "1", "0"), row(4, "A", "3", "1")]);
    let ask = StateAsk { account: account(), dex: String::new() };
    assert_eq!(rig.asks(), std::slice::from_ref(&ask), "an OPEN and a FLIP, one question");
    let answer = state(T + 5_000, "90", &[("ETH", "-2", 3)]).to_string();
    rig.core.handle_state(&ask, answer.as_bytes(), rig.at()).unwrap();
    rig.frame(1, false, &[row(5, "B", "1", "-2")]);
    assert_eq!(rig.lines(SignalLines::default()).last().unwrap()["context"]["leverage"], "3");
    assert_eq!(rig.raw(EventType::PositionSnapshot)[0]["listener"], "info");
    // A perp of another dex lives in that one's state.
    let mut other = row(6, "B", "1", "0");
    other["coin"] = "xyz:CL".into();
    rig.frame(0, false, &[other]);
    rig.now += Duration::from_secs(10);
    rig.core.handle_timeout(rig.now);
    assert_eq!(rig.asks(), [StateAsk { dex: "xyz".to_owned(), ..ask.clone() }]);
    assert!(rig.core.handle_state(&ask, b"null", rig.at()).is_err());
    rig.core.config.state_interval = None;
    rig.frame(0, false, &[row(7, "B", "2", "-1")]);
    assert_eq!(rig.asks(), [], "switched off");
}
