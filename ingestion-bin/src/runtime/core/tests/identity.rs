//! What tells fills apart, from the venue's bytes to the signals: one trade on two accounts, both sides of it on one, no hash,
//! no id. Frames by hand, two listeners, each fill shown twice.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::ALICE;
use super::clock::{BOB, Rig};
use crate::render::{GapLines, SignalLines};

/// A fill of the rig's chains with these fields changed.
fn changed(rig: &mut Rig, account: &str, fields: &Value) -> Value {
    let mut fill = rig.happens(account);
    for (name, value) in fields.as_object().unwrap() {
        fill[name] = value.clone();
    }
    *rig.of(account).last_mut().unwrap() = fill.clone();
    fill
}

/// Both listeners show it, the second one twice.
fn shown(rig: &mut Rig, account: &str, fills: &[Value]) {
    for listener in [0, 1, 1] {
        rig.frame(listener, account, false, fills);
    }
}

/// Account, event and size after it of every signal; no gap was told, no id twice.
fn signals(rig: &Rig) -> Vec<(String, String, String)> {
    let gaps = rig.lines(GapLines);
    assert!(gaps.iter().all(|gap| gap["state"] == "reset"), "{gaps:?}");
    let lines = rig.lines(SignalLines::default());
    let ids: BTreeSet<String> = lines.iter().map(|line| line["signalId"].to_string()).collect();
    assert_eq!(ids.len(), lines.len(), "{lines:?}");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    lines
        .iter()
        .map(|line| (text(&line["influencerId"]), text(&line["sourceEventId"]), text(&line["size"])))
        .collect()
}

#[test]
fn one_trade_on_two_accounts_is_a_signal_of_each() {
    let mut rig = Rig::new();
    rig.wait(1);
    let trade = json!({ "tid": 777, "hash": "0x01" });
    let buys = changed(&mut rig, ALICE, &trade);
    let sells = json!({ "tid": 777, "hash": "0x01", "side": "A", "sz": "0.5" });
    let sells = changed(&mut rig, BOB, &sells);
    shown(&mut rig, ALICE, &[buys]);
    shown(&mut rig, BOB, &[sells]);
    let time = rig.venue_ms();
    let expected = [
        (ALICE.to_owned(), format!("fill:{time}:777:B"), "2".to_owned()),
        (BOB.to_owned(), format!("fill:{time}:777:A"), "0.5".to_owned()),
    ];
    assert_eq!(signals(&rig), expected);
}

#[test]
fn one_account_on_both_sides_has_two_signals() {
    let mut rig = Rig::new();
    rig.wait(1);
    let buys = changed(&mut rig, ALICE, &json!({ "tid": 777 }));
    let sells = changed(&mut rig, ALICE, &json!({ "tid": 777, "side": "A" }));
    shown(&mut rig, ALICE, &[buys, sells]);
    let time = rig.venue_ms();
    let events: Vec<_> = signals(&rig).into_iter().map(|(_, event, size)| (event, size)).collect();
    let expected = [("B", "2"), ("A", "1")];
    assert_eq!(events, expected.map(|(side, size)| (format!("fill:{time}:777:{side}"), size.to_owned())));
}

#[test]
fn fills_without_hash_and_id_are_told_apart() {
    let mut rig = Rig::new();
    rig.wait(1);
    let none = json!({ "tid": 0, "hash": format!("0x{:064x}", 0) });
    let dust: Vec<Value> = (0..3).map(|_| changed(&mut rig, ALICE, &none)).collect();
    shown(&mut rig, ALICE, &dust);
    let sizes: Vec<String> = signals(&rig).into_iter().map(|(.., size)| size).collect();
    assert_eq!(sizes, ["2", "3", "4"]);
}
