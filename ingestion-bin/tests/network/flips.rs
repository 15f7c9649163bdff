//! Bits flip on one listener's way. What is no frame any more ends the connection; what is one but cannot be used is a dead letter; what can
//! be used and differs from the other listener's copy is a conflict. What the other listener showed goes out once, as it was.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hyperliquid_client::sim::SimConfig;
use serde_json::Value;

use super::support::document::documents;
use super::support::eventually;
use super::support::legs::{Legs, Setting};
use super::support::proxy::{Way, Weather};
use super::support::service::{Service, lines};

#[test]
fn flipped_bits_of_one_listener_change_no_signal_of_the_other() {
    let mut legs = Legs::new(2, &SimConfig::manual(), &Setting::default());
    let service = legs.start();
    // So that the true copy is the first: what goes out first stands until history decides.
    let late = (Duration::from_millis(300), Duration::from_millis(300));
    legs.a.proxy.set(&Weather::down(Way { delay: late, ..Way::default() }));
    legs.a.venue.add_fault("corrupt=0.5".parse().expect("a fault"));
    let refused = || {
        let letters = service.lines("dead_letters");
        letters
            .iter()
            .map(|letter| letter["reason"].as_str().expect("a reason").to_owned())
            .collect::<BTreeSet<_>>()
    };
    eventually("frames that cannot be read and rows that differ", || {
        legs.play(5);
        caught_up(&legs, &service);
        (refused().contains("malformed_frame") && refused().contains("leg_mismatch")).then_some(())
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
    legs.play(5);
    caught_up(&legs, &service);
    service.stop_well();

    // A flip can make a row of its own (another time, market or number). Only the ill listener's are not as they were.
    let wanted = wanted(&legs);
    let mut seen = BTreeSet::new();
    let (mut late, mut phantoms) = (0, 0);
    for signal in lines(&legs.data(), "signals") {
        let Some(wanted) = wanted.get(&event(&signal)) else {
            assert_eq!(signal["metadata"]["listener"], "a", "{signal}");
            phantoms += 1;
            continue;
        };
        assert!(seen.insert(event(&signal)), "twice: {signal}");
        for (key, value) in
            wanted.as_object().expect("an object").iter().filter(|(key, _)| *key != "metadata")
        {
            assert_eq!(signal[key], *value, "{key} of {signal}");
        }
        late += usize::from(signal["late"] == true);
    }
    assert_eq!(seen.len(), wanted.len(), "each once");
    println!("{} true signals, {late} of them late, {phantoms} of flipped rows", seen.len());
    let mut conflicts = lines(&legs.data(), "gaps");
    conflicts.retain(|gap| gap["kind"] == "conflict" && gap["state"] == "opened");
    assert!(!conflicts.is_empty(), "what differs is declared");
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

/// All of it is on disk, whatever else is.
fn caught_up(legs: &Legs, service: &Service) {
    let wanted = wanted(legs);
    eventually("everything played on disk", || {
        let there: BTreeSet<Event> = service.lines("signals").iter().map(event).collect();
        wanted.keys().all(|event| there.contains(event)).then_some(())
    });
}
