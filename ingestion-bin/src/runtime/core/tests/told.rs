//! What consumers are told besides a row itself: what a correction replaces, what a conflict is about, when a gap began and ended.
//! Frames and pages by hand, into the state of a worker, on a disk that fails on demand.

use std::time::{Duration, Instant};

use hyperliquid_client::decode::Decoder;
use hyperliquid_client::io::Received;
use messaging::journal::{Fold, Journal, JournalConfig, Limit, Opened, Read, Waited};
use messaging::sink::Render;
use messaging::storage::{FaultyStorage, IoFault};
use observability::Telemetry;
use serde_json::{Value, json};
use signal_domain::wire::v1::GapV1;
use signal_domain::{Account, Action, EventType, GapKind, InfluencerId, Market, ids};

use super::super::{Core, Followed, From};
use super::{ALICE, core, open_with};
use crate::account::Cause;
use crate::render::{DeadLetterLines, GapLines, RawFilter, RawLines, SignalLines};
use crate::runtime::clock;
use crate::runtime::events::catalogue;
use crate::state::State;

pub(super) const T: i64 = 1_790_000_000_000;

pub(super) struct Rig {
    pub(super) disk: FaultyStorage,
    pub(super) journal: Journal,
    pub(super) core: Core,
    pub(super) now: Instant,
    pub(super) start: Instant,
    config: JournalConfig,
}

impl Rig {
    pub(super) fn new() -> Self {
        Self::on(FaultyStorage::new(1), None)
    }

    /// With a journal of its own settings.
    pub(super) fn with_journal(config: JournalConfig) -> Self {
        Self::over(FaultyStorage::new(1), None, config)
    }

    /// A run over what `disk` holds; earlier events are looked up in `library`, where it is another disk.
    pub(super) fn on(disk: FaultyStorage, library: Option<FaultyStorage>) -> Self {
        Self::over(disk, library, JournalConfig::default())
    }

    fn over(disk: FaultyStorage, library: Option<FaultyStorage>, config: JournalConfig) -> Self {
        let Opened { journal, state, .. } = open_with(&disk, config.clone());
        assert_eq!(state.refused, None);
        let telemetry = Telemetry::new(&catalogue()).unwrap();
        let core = core(&journal, &telemetry, state, library.unwrap_or_else(|| disk.clone()));
        let start = clock::now();
        let mut rig = Self { disk, journal, core, now: start, start, config };
        let account: Account = ALICE.parse().unwrap();
        let followed = Followed::by_address(account);
        rig.core.follow(followed, Cause::Start, start);
        assert_eq!(rig.core.replan(start).len(), 2);
        rig
    }

    pub(super) fn up(&mut self, listener: usize) {
        self.core.line_up(listener, self.now);
    }

    pub(super) fn frame(&mut self, listener: usize, snapshot: bool, fills: &[Value]) {
        let data = json!({ "isSnapshot": snapshot, "user": ALICE, "fills": fills });
        self.message(listener, &json!({ "channel": "userFills", "data": data }));
    }

    pub(super) fn message(&mut self, listener: usize, frame: &Value) {
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

    /// Lets time pass until history is asked, and answers every question with the fills from the asked time on.
    pub(super) fn history(&mut self, seconds: u64, fills: &[Value]) {
        self.now += Duration::from_secs(seconds);
        self.core.handle_timeout(self.now);
        for _ in 0..20 {
            while let Some(asked) = self.core.next_ask(0) {
                let from = |fill: &&Value| fill["time"].as_i64() >= Some(asked.start);
                let page: Vec<&Value> = fills.iter().filter(from).collect();
                let body = serde_json::to_vec(&page).unwrap();
                self.core.handle_page(asked, &body, self.at()).unwrap();
            }
            self.now += Duration::from_secs(2);
            self.core.handle_timeout(self.now);
        }
    }

    pub(super) fn at(&self) -> Received {
        let passed = self.now.saturating_duration_since(self.start);
        Received { unix_ns: 1_000 + u64::try_from(passed.as_nanos()).unwrap(), at: self.now }
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

    pub(super) fn gaps(&self) -> Vec<Value> {
        let mut gaps = self.lines(GapLines);
        gaps.retain(|gap| gap["state"] != "reset");
        for gap in &gaps {
            let line = gap.to_string();
            assert!(GapV1::decode(line.as_bytes()).is_ok(), "{line}");
        }
        gaps
    }

    /// The process ends and another one begins, at a later millisecond of our clock.
    pub(super) fn restart(self, library: Option<FaultyStorage>) -> Self {
        let ended = clock::wall_ms();
        drop(self.core);
        self.journal.close(Duration::from_secs(60)).unwrap();
        while clock::wall_ms() == ended {
            std::thread::yield_now();
        }
        Self::over(self.disk, library, self.config)
    }
}

/// A buy of 1 at `px`, `number` ms after the begin, in a chain of such.
pub(super) fn fill(number: i64, px: &str) -> Value {
    json!({ "coin": "ETH", "px": px, "sz": "1", "side": "B", "time": T + number, "startPosition": format!("{number}.0"),
        "dir": "Open Long", "closedPnl": "0.0", "hash": format!("0x{number:064x}"), "oid": 7, "crossed": true,
        "fee": "0.1", "tid": 900 + number, "feeToken": "USDC", "twapId": null })
}

fn followed() -> Rig {
    let mut rig = Rig::new();
    rig.up(0);
    rig.up(1);
    for listener in [0, 1] {
        rig.frame(listener, true, &[fill(0, "2400.5")]);
    }
    rig
}

#[test]
fn a_correction_of_what_is_still_queued_says_what_it_replaces() {
    // History has another position before it, so the wrong signal's action cannot be told from the right one's.
    let right = |px: &str| {
        let mut right = fill(1, px);
        right["startPosition"] = json!("0.0");
        right
    };
    let mut rig = followed();
    rig.disk.fail_writes(u32::MAX, IoFault::Full);
    rig.frame(0, false, &[fill(1, "2400.5")]);
    rig.history(100, &[fill(0, "2400.5"), right("2400.7")]);
    assert!(rig.journal.progress().tickets_appended() < rig.core.outbox().last(), "it is queued");
    rig.disk.heal();

    let signals = rig.lines(SignalLines::default());
    assert_eq!(signals.len(), 2, "{signals:?}");
    assert_eq!(signals[1]["price"], "2400.7");
    assert_eq!(signals[1]["supersedes"], signals[0]["signalId"]);
    let influencer: InfluencerId = ALICE.parse::<Account>().unwrap().into();
    let market = Market::from_coin("ETH").unwrap();
    let event = signals[1]["sourceEventId"].as_str().unwrap();
    let id = |action, revision| ids::signal_id(&influencer, &market, event, action, revision).to_string();
    assert_eq!(signals[0]["signalId"], id(Action::Increase, 0));
    assert_eq!(signals[1]["signalId"], id(Action::Open, 1));

    // A later one replaces the correction, also where no journal holds that any more.
    let mut rig = rig.restart(Some(FaultyStorage::new(9)));
    rig.history(100, &[fill(0, "2400.5"), right("2400.9")]);
    let signals = rig.lines(SignalLines::default());
    assert_eq!(signals.len(), 3, "{signals:?}");
    let (signal, replaced) = (id(Action::Open, 2), id(Action::Open, 1));
    assert_eq!((&signals[2]["signalId"], &signals[2]["supersedes"]), (&signal.into(), &replaced.into()));
}

#[test]
fn a_conflict_tells_both_contents_as_long_as_it_is_told() {
    let mut rig = followed();
    let (first, second) = (fill(1, "2400.5"), fill(1, "2400.7"));
    rig.frame(0, false, std::slice::from_ref(&first));
    rig.frame(1, false, std::slice::from_ref(&second));
    let opened = rig.gaps();
    assert_eq!(opened.len(), 1, "{opened:?}");
    let influencer: InfluencerId = ALICE.parse::<Account>().unwrap().into();
    let market = Market::from_coin("ETH").unwrap();
    let time = u64::try_from(T + 1).unwrap();
    assert_eq!(
        opened[0],
        json!({
            "gapId": ids::gap_id(&influencer, Some(&market), GapKind::Conflict, time, None).to_string(),
            "epoch": 1, "influencerId": ALICE, "market": "ETH-PERP", "kind": "conflict", "state": "opened",
            "fromTime": time, "toTime": time, "contents": [first.to_string(), second.to_string()],
            "openedAt": opened[0]["openedAt"],
        })
    );

    let mut rig = rig.restart(None);
    rig.up(0);
    rig.frame(0, true, &[fill(0, "2400.5"), first.clone()]);
    rig.history(100, &[fill(0, "2400.5"), first]);
    let gaps = rig.gaps();
    let told: Vec<(&Value, &Value)> = gaps.iter().map(|gap| (&gap["contents"], &gap["openedAt"])).collect();
    assert!(told.iter().all(|told| *told == (&opened[0]["contents"], &opened[0]["openedAt"])), "{gaps:?}");
    let states: Vec<&str> = gaps.iter().map(|gap| gap["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["opened", "opened", "repaired"]);
}

#[test]
fn a_venue_without_a_clock_makes_no_gap_begin_in_1970() {
    let mut rig = Rig::new();
    rig.core.handle_venue_time(0, rig.now);
    rig.up(0);
    rig.up(1);
    for listener in [0, 1] {
        rig.frame(listener, true, &[]);
    }
    rig.history(100, &[]);
    for listener in [0, 1] {
        rig.core.line_down(listener, rig.now);
        rig.up(listener);
        rig.frame(listener, true, &[fill(0, "2400.5")]);
    }
    let gaps = rig.gaps();
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    // Our own clock is past the gap's end here, and no gap begins behind its end.
    assert_eq!((gaps[0]["fromTime"].as_i64(), gaps[0]["toTime"].as_i64()), (Some(T - 1), Some(T)));
}

#[test]
fn a_gap_after_an_empty_baseline_begins_where_following_did_and_closes_once() {
    let mut rig = Rig::new();
    let began = T - 50_000;
    rig.core.handle_venue_time(began, rig.now);
    rig.up(0);
    rig.up(1);
    for listener in [0, 1] {
        rig.frame(listener, true, &[]);
    }
    rig.history(100, &[]);
    assert!(rig.core.status().accounts.iter().all(|account| account.based));
    for listener in [0, 1] {
        rig.core.line_down(listener, rig.now);
        rig.up(listener);
        rig.frame(listener, true, &[fill(0, "2400.5")]);
    }
    let opened = rig.gaps();
    assert_eq!(opened.len(), 1, "{opened:?}");
    assert_eq!((&opened[0]["kind"], &opened[0]["state"]), (&"outage".into(), &"opened".into()));
    assert_eq!((opened[0]["fromTime"].as_i64(), opened[0]["toTime"].as_i64()), (Some(began), Some(T)));

    // Removed: nobody will repair it any more.
    rig.core.unfollow(*ALICE.parse::<Account>().unwrap().as_bytes(), rig.now);
    let removed = rig.gaps();
    let closed: Vec<&Value> = removed.iter().filter(|gap| gap["state"] == "unfillable").collect();
    assert!(closed.len() >= 2, "{removed:?}");
    assert!(closed.iter().all(|gap| gap["closedAt"].is_u64() && gap["fromTime"].as_i64() >= Some(began)));

    // Told again in the next epoch, as it was told.
    let rig = rig.restart(None);
    let again: Vec<Value> = rig.gaps().split_off(removed.len());
    assert_eq!(again.len(), closed.len(), "{again:?}");
    for gap in &again {
        let same = |before: &&&Value| {
            ["gapId", "fromTime", "toTime", "openedAt", "closedAt"]
                .iter()
                .all(|key| before[*key] == gap[*key])
        };
        assert!(closed.iter().any(|before| same(&before)), "{gap} of {closed:?}");
    }

    // The fold keeps the same book as the account did.
    let mut state = State::default();
    let mut reader = rig.journal.reader(1_000, Limit::Synced);
    while let Some(read) = reader.next().unwrap() {
        let Read::Record(record) = read else { panic!("{read:?}") };
        state.apply(&record);
    }
    let slot = rig.core.slots.values().next().unwrap();
    let folded = state.accounts.values().next().unwrap();
    assert!(folded.ledger.gaps().iter().all(|gap| folded.gaps.told(&gap.id) == slot.gaps.told(&gap.id)));
}

/// The other listener's copy, snapshots and every page of history bring it again.
#[test]
fn a_row_is_refused_once_however_often_the_venue_sends_it() {
    let mut rig = followed();
    let mut bad = fill(1, "2400.5");
    bad["sz"] = json!("NaN");
    let mut worse = fill(1, "2400.5");
    worse["px"] = json!("-1");
    let rows = [fill(0, "2400.5"), bad, worse, fill(2, "2400.5")];
    for listener in [0, 1] {
        rig.frame(listener, false, &rows[1..]);
    }
    for _ in 0..3 {
        rig.history(100, &rows);
    }
    rig.core.line_down(0, rig.now);
    rig.up(0);
    rig.frame(0, true, &rows);
    let letters = rig.lines(DeadLetterLines);
    let mut reasons: Vec<&str> = letters.iter().map(|letter| letter["reason"].as_str().unwrap()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ["not_a_number", "number_out_of_range"], "{letters:?}");
    assert_eq!(rig.lines(SignalLines::default()).len(), 1);
}

#[test]
fn a_state_is_kept_when_its_last_position_is_gone() {
    let mut rig = followed();
    rig.core.config.state_interval = Some(Duration::ZERO);
    let margin = json!({ "accountValue": "100.0", "totalNtlPos": "0.0", "totalRawUsd": "40.0", "totalMarginUsed": "6.0" });
    let position = json!({ "type": "oneWay", "position": { "coin": "ETH", "szi": "-0.025",
        "leverage": { "type": "cross", "value": 10 }, "entryPx": "2400.0", "positionValue": "60.0", "unrealizedPnl": "0.0",
        "returnOnEquity": "0.0", "liquidationPx": null, "marginUsed": "6.0", "maxLeverage": 25,
        "cumFunding": { "allTime": "0.0", "sinceOpen": "0.0", "sinceChange": "0.0" } } });
    for (second, positions) in [vec![], vec![position], vec![], vec![]].into_iter().enumerate() {
        let state = json!({ "marginSummary": margin, "crossMarginSummary": margin, "crossMaintenanceMarginUsed": "1.2",
            "withdrawable": "80.0", "assetPositions": positions, "time": T + 1_000 * i64::try_from(second).unwrap() });
        let data = json!({ "user": ALICE, "clearinghouseStates": [["xyz", state]] });
        rig.message(0, &json!({ "channel": "allDexsClearinghouseState", "data": data }));
    }
    let filter = RawFilter { event_type: Some(EventType::PositionSnapshot), ..RawFilter::default() };
    let kept = rig.lines(RawLines::new(uuid::Uuid::nil(), filter));
    let times: Vec<i64> = kept.iter().map(|line| line["timestamp"].as_i64().unwrap()).collect();
    assert_eq!(times, [T + 1_000, T + 2_000], "when it had one, and when it had none any more: {kept:?}");
}
