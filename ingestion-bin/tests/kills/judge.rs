//! The verdict: signals on disk against the venue's history, by the published rules alone.
//!
//! Expected is every perp row that history shows after the account's baseline; nothing else may be there but rows that came
//! live while the baseline was being made; nothing twice, `seq` is 1, 2, 3… in every epoch, and a position that does not
//! follow carries the id of a declared gap.

use std::collections::{BTreeMap, BTreeSet};

use ingestion_bin::account::Stream;
use serde_json::Value;

use super::history::Row;
use super::support::expected::{self, Expected, rounded, scaled};

/// Findings of one kind that are told by name.
const TOLD: usize = 5;

/// Everything the verdict rests on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Case {
    /// What the venue shows, by account.
    pub(crate) history: BTreeMap<String, Vec<Row>>,
    /// Where following began, venue ms.
    pub(crate) baselines: BTreeMap<(String, Stream), i64>,
    /// Accounts whose rows from this venue time on must be signals: the baseline was there before.
    pub(crate) followed_from: BTreeMap<String, i64>,
    /// Where the venue's time was before anybody listened to an account: nothing up to it may be a signal.
    pub(crate) unheard_to: BTreeMap<String, i64>,
    /// Lines of the signal files.
    pub(crate) signals: Vec<String>,
    /// Lines of the gap files.
    pub(crate) gaps: Vec<String>,
    /// Lines of `ingestion raw`.
    pub(crate) raw: Vec<String>,
    /// Whether everything history shows must be there.
    pub(crate) complete: bool,
    /// Whether every gap must have ended well.
    pub(crate) healed: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) expected: usize,
    pub(crate) signals: usize,
    pub(crate) live: usize,
    pub(crate) late: usize,
    /// Rows of history from before anybody listened.
    pub(crate) unheard: usize,
    pub(crate) declared_breaks: usize,
    pub(crate) gaps: usize,
    pub(crate) findings: Vec<String>,
}

impl Case {
    /// Every row of history with its account, spot included.
    fn rows(&self) -> impl Iterator<Item = (&String, &Row)> {
        self.history.iter().flat_map(|(user, rows)| rows.iter().map(move |row| (user, row)))
    }

    /// Whether a row must be there: it is behind the baseline of its stream, or behind the account's first signal.
    fn followed(&self) -> impl Fn(&str, &Row) -> bool {
        let based = |user: &str, row: &Row| {
            let stream = if row.twap { Stream::Twap } else { Stream::Fills };
            self.baselines.get(&(user.to_owned(), stream)).is_some_and(|at| row.time > *at)
        };
        let signals =
            self.signals.iter().map(|line| serde_json::from_str::<Value>(line).expect("a signal line"));
        let in_turn: BTreeSet<(String, String)> = signals
            .filter(|signal| signal["late"] != true)
            .map(|signal| (text(&signal, "influencerId"), text(&signal, "sourceEventId")))
            .collect();
        let mut first: BTreeMap<&str, i64> = BTreeMap::new();
        for (user, row) in self.rows().filter(|(user, row)| based(user, row)) {
            if in_turn.contains(&(user.clone(), row.event_id())) {
                let time = first.entry(user).or_insert(row.time);
                *time = row.time.min(*time);
            }
        }
        move |user, row| based(user, row) || first.get(user).is_some_and(|first| row.time > *first)
    }

    /// The signals that must be there, by id.
    pub(crate) fn expected(&self) -> BTreeMap<String, Expected> {
        self.signals_of(self.followed())
    }

    fn signals_of(&self, wanted: impl Fn(&str, &Row) -> bool) -> BTreeMap<String, Expected> {
        let rows: Vec<expected::Row> = self
            .rows()
            .filter(|(user, row)| wanted(user, row))
            .map(|(user, row)| expected::Row {
                segment: String::new(),
                user: user.clone(),
                fill: row.fill.clone(),
            })
            .collect();
        let users: Vec<String> = self.history.keys().cloned().collect();
        let all = expected::signals(&rows, &users).into_values().flatten();
        all.map(|signal| (signal.signal_id.clone(), signal)).collect()
    }

    /// The signals that may be there, by id: all but those whose event was kept as part of a baseline.
    fn allowed(&self) -> BTreeMap<String, Expected> {
        let raw = self.raw.iter().map(|line| serde_json::from_str::<Value>(line).expect("a raw line"));
        let baseline: BTreeSet<(String, String, String)> =
            raw.filter(|raw| raw["disposition"] == "baseline").map(|raw| event_of(&raw)).collect();
        let mut all = self.signals_of(|_, _| true);
        all.retain(|_, one| {
            let event = (one.influencer.clone(), one.market.clone(), one.source_event_id.clone());
            !baseline.contains(&event)
        });
        all
    }

    /// Judges everything.
    pub(crate) fn judge(&self) -> Verdict {
        let mut verdict = Verdict::default();
        let expected = self.expected();
        verdict.expected = expected.len();
        let signals: Vec<Value> =
            self.signals.iter().map(|line| serde_json::from_str(line).expect("a signal line")).collect();
        verdict.signals = signals.len();
        verdict.live = signals.iter().filter(|signal| signal["origin"] == "live").count();
        if self.complete {
            self.baselines_hold(&mut verdict);
            nothing_missing(&signals, &expected, &mut verdict);
            self.raw_is_whole(&mut verdict);
        }
        self.gaps_ended(&mut verdict);
        self.begins_with_following(&signals, &mut verdict);
        ids(&signals, &self.allowed(), &mut verdict);
        order(&signals, &self.gap_states(), &mut verdict);
        verdict
    }

    fn baselines_hold(&self, verdict: &mut Verdict) {
        for (account, from) in &self.followed_from {
            for stream in Stream::ALL {
                let at = self.baselines.get(&(account.clone(), stream)).copied().unwrap_or(i64::MAX);
                if at >= *from {
                    verdict.findings.push(format!("{account}: based at {at}, but followed before {from}"));
                }
            }
        }
    }

    /// However long the first snapshot is, nothing of it is a signal.
    fn begins_with_following(&self, signals: &[Value], verdict: &mut Verdict) {
        let unheard = |user: &str, time: Option<i64>| time <= self.unheard_to.get(user).copied();
        verdict.unheard = self.rows().filter(|(user, row)| unheard(user, Some(row.time))).count();
        let old = signals
            .iter()
            .filter(|signal| unheard(&text(signal, "influencerId"), signal["timestamp"].as_i64()));
        tell(verdict, "older than following", old.map(Value::to_string));
    }

    fn gap_states(&self) -> BTreeMap<String, String> {
        let gaps =
            self.gaps.iter().map(|line| serde_json::from_str::<Value>(line).expect("a gap line of JSON"));
        gaps.filter(|gap| gap["state"] != "reset")
            .map(|gap| (text(&gap, "gapId"), text(&gap, "state")))
            .collect()
    }

    fn gaps_ended(&self, verdict: &mut Verdict) {
        let states = self.gap_states();
        verdict.gaps = states.len();
        let ill = states.iter().filter(|(_, state)| *state != "repaired");
        if self.healed {
            tell(verdict, "gap not repaired", ill.map(|(id, state)| format!("{id} is {state}")));
        }
    }

    /// Every row behind the baseline is a raw event, once, with the venue's own bytes.
    fn raw_is_whole(&self, verdict: &mut Verdict) {
        let mut kept: BTreeMap<(String, String, String), Vec<Value>> = BTreeMap::new();
        for line in &self.raw {
            let raw: Value = serde_json::from_str(line).expect("a raw line");
            let payload = serde_json::from_str(raw["rawPayload"].as_str().unwrap_or_default());
            kept.entry(event_of(&raw)).or_default().push(payload.unwrap_or(Value::Null));
        }
        let followed = self.followed();
        let after = self.rows().filter(|(user, row)| followed(user, row));
        let rows = after.filter_map(|(user, row)| {
            let coin = text(&row.fill, "coin");
            let market = if expected::is_perp(&row.fill) { format!("{coin}-PERP") } else { coin };
            let id = row.event_id();
            let found = kept.get(&(user.clone(), market, id.clone())).map(Vec::as_slice);
            (found != Some(std::slice::from_ref(&row.whole)))
                .then(|| format!("{user} {id}: {} of history, {found:?} kept", row.whole))
        });
        tell(verdict, "raw event missing, twice or changed", rows);
    }
}

fn nothing_missing(signals: &[Value], expected: &BTreeMap<String, Expected>, verdict: &mut Verdict) {
    let there: BTreeSet<String> = signals.iter().map(|signal| text(signal, "signalId")).collect();
    let missing = expected.values().filter(|signal| !there.contains(&signal.signal_id));
    let missing = missing.map(|signal| format!("{} {}", signal.influencer, signal.source_event_id));
    tell(verdict, "signal missing", missing);
}

/// Each once, and as history has it.
fn ids(signals: &[Value], allowed: &BTreeMap<String, Expected>, verdict: &mut Verdict) {
    let mut seen = BTreeSet::new();
    let ids = signals.iter().map(|signal| text(signal, "signalId"));
    let twice: Vec<String> = ids.filter(|id| !seen.insert(id.clone())).collect();
    tell(verdict, "id twice", twice.into_iter());
    let wrong = signals
        .iter()
        .filter(|signal| allowed.get(&text(signal, "signalId")).is_none_or(|allowed| !same(allowed, signal)));
    tell(verdict, "signal not as history has it", wrong.map(Value::to_string));
}

fn same(expected: &Expected, signal: &Value) -> bool {
    text(signal, "influencerId") == expected.influencer
        && text(signal, "market") == expected.market
        && text(signal, "action") == expected.action
        && text(signal, "side") == expected.side
        && text(signal, "size") == expected.size
        && text(signal, "deltaSize") == expected.delta
        && text(signal, "price") == expected.price
        && signal["timestamp"].as_i64() == Some(expected.timestamp)
        && text(signal, "sourceEventId") == expected.source_event_id
}

#[derive(Default)]
struct Market {
    epoch: u64,
    seq: u64,
    time: i64,
    left: Option<i128>,
}

/// Numbering, time and chain of each influencer and market, as the lines stand.
fn order(signals: &[Value], gaps: &BTreeMap<String, String>, verdict: &mut Verdict) {
    let mut markets: BTreeMap<(String, String), Market> = BTreeMap::new();
    let (mut numbering, mut times, mut chains) = (Vec::new(), Vec::new(), Vec::new());
    for signal in signals {
        let market = markets.entry((text(signal, "influencerId"), text(signal, "market"))).or_default();
        let number = |key: &str| signal[key].as_u64().expect("a number");
        let (epoch, seq) = (number("epoch"), number("seq"));
        let follows = (epoch == market.epoch && seq == market.seq + 1) || (epoch > market.epoch && seq == 1);
        if !follows {
            numbering.push(format!("epoch {} seq {} before {signal}", market.epoch, market.seq));
        }
        (market.epoch, market.seq) = (epoch, seq);
        if signal["late"] == true {
            verdict.late += 1;
            continue;
        }
        let time = signal["timestamp"].as_i64().expect("a time");
        if time < market.time {
            times.push(format!("{} before {signal}", market.time));
        }
        market.time = time;
        let before = rounded(scaled(signal["metadata"]["startPosition"].as_str().expect("a start position")));
        let size = scaled(signal["size"].as_str().expect("a size"));
        let after = if signal["side"] == "SHORT" { -size } else { size };
        let linked = market.left.replace(after).is_none_or(|left| left == before);
        if !linked {
            verdict.declared_breaks += 1;
            if !signal["gapId"].as_str().is_some_and(|id| gaps.contains_key(id)) {
                chains.push(signal.to_string());
            }
        }
    }
    tell(verdict, "seq does not follow", numbering.into_iter());
    tell(verdict, "time goes back", times.into_iter());
    tell(verdict, "position does not follow and no gap says why", chains.into_iter());
}

fn tell(verdict: &mut Verdict, what: &str, found: impl Iterator<Item = String>) {
    let found: Vec<String> = found.collect();
    if !found.is_empty() {
        let some = found.iter().take(TOLD).cloned().collect::<Vec<_>>().join("\n    ");
        verdict.findings.push(format!("{what}: {} times\n    {some}", found.len()));
    }
}

/// Account, market and source event of a raw line.
fn event_of(raw: &Value) -> (String, String, String) {
    (text(raw, "account"), text(raw, "market"), text(raw, "sourceEventId"))
}

fn text(value: &Value, key: &str) -> String {
    value[key].as_str().unwrap_or_default().to_owned()
}

/// Spoils a clean case in every way the judge must see, and asserts that it does.
pub(crate) fn can_fail(clean: &Case) {
    let findings = |spoil: &dyn Fn(&mut Case)| {
        let mut case = clean.clone();
        spoil(&mut case);
        case.judge().findings.join("\n")
    };
    let middle = clean.signals.len() / 2;
    let missing = findings(&|case| drop(case.signals.remove(middle)));
    assert!(missing.contains("signal missing: 1 times"), "a deleted line was not seen: {missing}");
    let last = findings(&|case| drop(case.signals.pop()));
    assert!(last.contains("signal missing: 1 times"), "a deleted last line was not seen: {last}");
    let twice = findings(&|case| case.signals.insert(middle + 1, case.signals[middle].clone()));
    assert!(twice.contains("id twice: 1 times"), "a doubled line was not seen: {twice}");
    assert!(twice.contains("seq does not follow"), "a doubled line's number was not seen: {twice}");
    let foreign = findings(&|case| {
        case.signals[middle] = case.signals[middle].replace("\"price\":\"", "\"price\":\"1");
    });
    assert!(foreign.contains("not as history has it: 1 times"), "a changed price was not seen: {foreign}");
    let raw = findings(&|case| {
        let event = case.raw.iter().rposition(|line| line.contains("\"disposition\":\"signal\""));
        drop(case.raw.remove(event.expect("an event that became a signal")));
    });
    assert!(raw.contains("raw event missing"), "a lost raw event was not seen: {raw}");
    let old = findings(&|case| {
        let first: Value = serde_json::from_str(&case.signals[0]).expect("a signal line");
        case.unheard_to.insert(text(&first, "influencerId"), first["timestamp"].as_i64().expect("a time"));
    });
    assert!(old.contains("older than following"), "a signal from before following was not seen: {old}");
    let late = findings(&|case| {
        let ((account, _), at) = case.baselines.iter().next().expect("a baseline");
        case.followed_from.insert(account.clone(), *at);
    });
    assert!(late.contains("but followed before"), "a baseline that moved was not seen: {late}");
}
