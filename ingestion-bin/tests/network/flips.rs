//! Bits flip on one listener's way. What is no frame any more ends the connection; what is one but cannot be used is a dead letter; what can
//! be used and differs from the other listener's copy is a conflict. What the other listener showed goes out once, as it was; what never
//! happened and went out all the same is declared by its own id, and replaced where it stood for something.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hyperliquid_client::sim::{SimConfig, SimLimits};
use serde_json::{Value, json};

use super::drill;
use super::support::document::documents;
use super::support::eventually;
use super::support::inside::Inside;
use super::support::judge::{self, Allowed};
use super::support::legs::{Legs, Setting};
use super::support::process::run;
use super::support::proxy::{Way, Weather};
use super::support::service::lines;

/// History is read as often as it takes. A stream without rows is certified by reads that are not waited for here.
fn setting() -> Setting {
    Setting { extra: "[streams]\ntwap = false".to_owned(), ..drill::setting() }
}

/// Venue time goes on by jumps here, so the index must not lag by our time.
fn venue() -> SimConfig {
    let mut sim = SimConfig::manual();
    (sim.venue.index_lag, sim.venue.limits) = (Default::default(), SimLimits::generous());
    sim
}

#[test]
fn flipped_bits_of_one_listener_change_no_signal_of_the_other() {
    let mut legs = Legs::new(2, &venue(), &setting());
    let service = Inside::start_fast(&legs);
    // So that the true copy is the first: what goes out first stands until history decides.
    let late = (Duration::from_millis(300), Duration::from_millis(300));
    legs.a.proxy.set(&Weather::down(Way { delay: late, ..Way::default() }));
    legs.a.venue.add_fault("corrupt=0.5".parse().expect("a fault"));
    let refused = |legs: &Legs| {
        let letters = lines(&legs.data(), "dead_letters");
        letters
            .iter()
            .map(|letter| letter["reason"].as_str().expect("a reason").to_owned())
            .collect::<BTreeSet<_>>()
    };
    eventually("frames that cannot be read and rows that differ", || {
        legs.play(5);
        caught_up(&legs);
        let refused = refused(&legs);
        (refused.contains("malformed_frame") && refused.contains("leg_mismatch")).then_some(())
    });
    // In transit frames' own bytes flip too.
    legs.a.proxy.set(&Weather::down(Way { delay: late, flips: 0.002, ..Way::default() }));
    eventually("a connection ends by it", || {
        legs.play(5);
        let ends = ["protocol", "message", "io", "eof"]
            .map(|cause| service.metric(&format!("ingestion_connection_ends_total{{cause=\"{cause}\"}}")));
        (ends.iter().sum::<f64>() >= 1.0).then_some(())
    });
    assert!(legs.a.proxy.spoiled() > 0 && legs.a.venue.fault_counts()["corrupt"] > 0);
    legs.a.venue.clear_faults();
    legs.a.proxy.heal();
    legs.wait_both();
    legs.play(5);
    caught_up(&legs);
    service.certify(&mut legs);
    caught_up(&legs);
    service.stop_well();
    let phantoms = judge_all(&legs);
    let mut conflicts = lines(&legs.data(), "gaps");
    conflicts.retain(|gap| gap["kind"] == "conflict");
    assert!(!conflicts.is_empty(), "what differs is declared");
    println!("{} true signals, {} of flipped rows", legs.chains.rows().len(), phantoms.len());
}

/// Of which of two copies a bit flips.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Flipped {
    First,
    Second,
}

/// The next fill of an account, seen by both listeners, one after the other; in one copy a bit of `key` has flipped. The fill as it
/// happened, and as it arrived.
fn flip(legs: &mut Legs, key: &str, which: Flipped) -> (Value, Value) {
    let user = legs.users[0].clone();
    let block = legs.chains.block(&[user.as_str()], "ETH");
    let fill = legs.chains.rows().last().expect("just made").fill.clone();
    let mut wrong = fill.clone();
    // One bit of its first digit: no other fill has such an id.
    let mut bytes = fill[key].as_str().map_or_else(|| fill[key].to_string(), str::to_owned).into_bytes();
    bytes[0] ^= 1;
    let text = String::from_utf8(bytes).expect("a digit");
    wrong[key] =
        if fill[key].is_string() { json!(text) } else { text.parse::<u64>().expect("digits").into() };
    let frame = json!({ "channel": "userFills", "data": { "user": user, "fills": [wrong] } }).to_string();
    let show = |flipped: bool| {
        if flipped {
            assert_eq!(legs.a.venue.inject(Some(&user), frame.as_bytes()), 1);
        } else {
            legs.b.venue.play(&block);
        }
    };
    // History has it as it was, and the other listener shows it so.
    legs.a.venue.play_history(&block);
    let count = |stream: &str| lines(&legs.data(), stream).len();
    let (signals, letters) = (count("signals"), count("dead_letters"));
    show(which == Flipped::First);
    eventually("the first copy", || (count("signals") > signals).then_some(()));
    show(which == Flipped::Second);
    if key == "sz" {
        eventually("copies that differ", || (count("dead_letters") > letters).then_some(()));
    }
    (fill, wrong)
}

#[test]
fn every_size_and_every_tid_that_flips_is_declared_by_its_own_id() {
    let mut legs = Legs::new(2, &venue(), &setting());
    let service = Inside::start_fast(&legs);
    legs.play(10);
    caught_up(&legs);
    let mut flips = Vec::new();
    for key in ["sz", "tid"] {
        for which in [Flipped::First, Flipped::Second] {
            let (fill, wrong) = flip(&mut legs, key, which);
            legs.play(3);
            // Which id is the wrong one is known once venue time has gone by.
            service.certify(&mut legs);
            eventually("it is declared by its own id", || {
                legs.play(1);
                let gaps = lines(&legs.data(), "gaps");
                gaps.iter().any(|gap| tells(gap, &legs.users[0], key, &wrong)).then_some(())
            });
            caught_up(&legs);
            flips.push((key, which, fill, wrong));
        }
    }
    service.certify(&mut legs);
    caught_up(&legs);
    service.stop_well();

    let (data, user) = (legs.data(), legs.users[0].clone());
    let (letters, signals) = (lines(&data, "dead_letters"), lines(&data, "signals"));
    for (key, which, fill, wrong) in &flips {
        let is_of = |signal: &&Value, fill: &Value| {
            let tid = fill["tid"].to_string();
            signal["influencerId"] == user.as_str() && signal["metadata"]["tid"] == tid.as_str()
        };
        let of = |fill: &Value| signals.iter().filter(|signal| is_of(signal, fill)).collect::<Vec<_>>();
        let refused = |fill: &Value| {
            let of_it = |letter: &&Value| {
                let payload = letter["payload"].as_str().unwrap_or_default();
                let payload: Value = serde_json::from_str(payload).unwrap_or_default();
                letter["reason"] == "leg_mismatch"
                    && payload["tid"] == fill["tid"]
                    && payload["sz"] == fill["sz"]
            };
            letters.iter().filter(of_it).count()
        };
        match (*key, which) {
            // The copy that came second is a dead letter; the fill is one signal, or two and the second corrects the first.
            ("sz", Flipped::Second) => assert_eq!((refused(wrong), of(fill).len()), (1, 1), "{wrong}"),
            ("sz", Flipped::First) => assert_eq!((refused(fill), of(fill).len()), (1, 2), "{wrong}"),
            // The id that never was makes no signal, or one that the fill's own replaces.
            (_, Flipped::Second) => {
                assert_eq!((refused(wrong), of(wrong).len(), of(fill).len()), (1, 0, 1), "{wrong}");
            }
            (_, Flipped::First) => {
                let (phantom, fill) = (of(wrong), of(fill));
                assert_eq!((phantom.len(), fill.len()), (1, 1), "{wrong}");
                assert_eq!(fill[0]["supersedes"], phantom[0]["signalId"], "{}", fill[0]);
            }
        }
    }
    assert_eq!(judge_all(&legs).len(), 2, "a size and a tid went out wrong");
}

/// Whether a gap record is the conflict of this row's market and millisecond, and tells it with its id as it arrived.
fn tells(gap: &Value, user: &str, key: &str, row: &Value) -> bool {
    let contents = gap["contents"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut contents = contents.filter_map(|text| serde_json::from_str::<Value>(text).ok());
    gap["kind"] == "conflict"
        && gap["influencerId"] == user
        && gap["market"] == format!("{}-PERP", row["coin"].as_str().unwrap_or_default())
        && gap["fromTime"] == row["time"]
        && contents.any(|content| content["tid"] == row["tid"] && content[key] == row[key])
}

type Event = [String; 3];

fn event(signal: &Value) -> Event {
    ["influencerId", "market", "sourceEventId"].map(|key| signal[key].as_str().expect("text").to_owned())
}

/// What was played, as signals.
fn wanted(legs: &Legs) -> BTreeMap<Event, Value> {
    let documents = documents(legs.chains.rows(), &legs.users);
    documents.into_values().flatten().map(|document| (event(&document), document)).collect()
}

/// What copies are compared by, and what is made of it; the rest are the venue's own words.
const COMPARED: [&str; 6] = ["action", "side", "size", "deltaSize", "price", "timestamp"];

/// All of it is on disk as it was, whatever else is.
fn caught_up(legs: &Legs) {
    let wanted = wanted(legs);
    eventually("everything played on disk", || {
        let there: BTreeSet<Event> = lines(&legs.data(), "signals")
            .iter()
            .filter(|signal| wanted.get(&event(signal)).is_some_and(|wanted| is_as_it_was(signal, wanted)))
            .map(event)
            .collect();
        (there.len() == wanted.len()).then_some(())
    });
}

fn is_as_it_was(signal: &Value, wanted: &Value) -> bool {
    COMPARED.iter().all(|key| signal[key] == wanted[key])
}

/// Everything played is a signal on disk, once and in order; what went out besides is declared by its own id, by a conflict that tells it,
/// and history says the same. Those besides.
fn judge_all(legs: &Legs) -> Vec<Value> {
    let (wanted, gaps) = (wanted(legs), lines(&legs.data(), "gaps"));
    let is_phantom =
        |signal: &Value| wanted.get(&event(signal)).is_none_or(|wanted| !is_as_it_was(signal, wanted));
    let mut signals = judge::stored(&legs.data());
    let phantoms: Vec<Value> = signals.iter().filter(|signal| is_phantom(signal)).cloned().collect();
    for phantom in &phantoms {
        assert_eq!(phantom["metadata"]["listener"], "a", "{phantom}");
        let metadata = &phantom["metadata"];
        let tid: u64 = metadata["tid"].as_str().and_then(|tid| tid.parse().ok()).expect("an id");
        let row = json!({ "coin": metadata["rawSymbol"], "time": phantom["timestamp"], "tid": tid });
        let user = phantom["influencerId"].as_str().expect("text");
        assert!(gaps.iter().any(|gap| tells(gap, user, "tid", &row)), "not declared: {phantom} in {gaps:?}");
    }
    let ids: BTreeSet<String> = signals.iter().map(|signal| signal["signalId"].to_string()).collect();
    assert_eq!(ids.len(), signals.len(), "a signal is in the files twice");
    for signal in &mut signals {
        let Some(wanted) = wanted.get(&event(signal)).filter(|wanted| is_as_it_was(signal, wanted)) else {
            continue;
        };
        if let Some(replaced) = signal.as_object_mut().and_then(|signal| signal.remove("supersedes")) {
            assert!(phantoms.iter().any(|phantom| phantom["signalId"] == replaced), "{signal}");
            signal["signalId"] = wanted["signalId"].clone();
        }
        if signal["metadata"]["listener"] == "a" {
            // Copies are not compared by the venue's own words, and those of the ill listener may be spoiled.
            signal["metadata"] = wanted["metadata"].clone();
            signal["metadata"]["listener"] = "a".into();
            ["cause", "orderId"].iter().for_each(|key| signal[key] = wanted[key].clone());
        }
    }
    let expected = documents(legs.chains.rows(), &legs.users);
    let allowed = Allowed { origins: &["live", "snapshot", "backfill"], gaps: None, late: true };
    judge::judge_beside(&signals, &expected, &allowed, is_phantom);
    let last: BTreeMap<&str, &Value> =
        gaps.iter().map(|gap| (gap["gapId"].as_str().expect("text"), gap)).collect();
    let is_lacking = |gap: &&&Value| {
        !["repaired", "reset"].iter().any(|done| gap["state"] == *done) && gap["kind"] != "conflict"
    };
    // A market that a flip made up is none of ours.
    let is_ours = |gap: &&&Value| gap.get("market").is_none_or(|market| market == "ETH-PERP");
    let lacking: Vec<&&Value> = last.values().filter(is_lacking).filter(is_ours).collect();
    assert!(lacking.is_empty(), "nothing is lost: {lacking:?}");
    legs.verifies();
    let config = legs.config.to_str().expect("UTF-8");
    let verify = run(&["--json", "verify", "--against-info", "--config", config]);
    let report: Value = serde_json::from_slice(&verify.stdout).expect("JSON");
    assert_eq!(verify.status.code(), Some(0), "{report}");
    let against = &report["againstInfo"];
    assert!(against["compared"].as_u64() > Some(0), "{report}");
    for none in ["missing", "missingDeclared", "phantoms", "different", "differentDeclared", "unreadable"] {
        assert_eq!(against[none], json!(0), "{none} in {report}");
    }
    phantoms
}
