//! Settings of one influencer changed while the service runs: each has its effect, and nobody else notices. The venue counts every socket
//! and every subscription.

mod support;

use hyperliquid_client::sim::{SimLimits, VenueStatus};
use serde_json::{Value, json};
use support::eventually;
use support::scene::{BEGAN, Scene};
use support::service::Service;

const ALICE: &str = "0x0000000000000000000000000000000a11ce0001";
const BOB: &str = "0x0000000000000000000000000000000a11ce0002";
const CAROL: &str = "0x0000000000000000000000000000000a11ce0003";

/// Channels of an account on each of its two listeners.
const CHANNELS: u64 = 3;

fn add(scene: &Scene, id: &str, address: &str, settings: &[&str]) {
    scene.says(&["influencers", "add", id, address], &format!("{id} is followed: {address}"));
    if !settings.is_empty() {
        set(scene, id, settings);
    }
}

fn set(scene: &Scene, id: &str, settings: &[&str]) {
    let said = format!("{id}: {}", settings.join(", "));
    scene.says(&[&["influencers", "set", id], settings].concat(), &said);
}

/// What `/status` says of one influencer.
fn account(service: &Service, id: &str) -> Option<Value> {
    let status = service.status();
    let accounts = status.get("accounts").and_then(Value::as_array).expect("accounts");
    accounts.iter().find(|account| account.get("influencerId").is_some_and(|name| name == id)).cloned()
}

/// Waits until `/status` says `value` at `pointer` of an influencer.
fn wait_account(service: &Service, id: &str, pointer: &str, value: &Value) {
    eventually(&format!("{id}: {pointer} = {value}; stderr:\n{}", service.process.log()), || {
        let account = account(service, id)?;
        (account.pointer(pointer).unwrap_or(&Value::Null) == value).then_some(())
    });
}

/// Waits until so many subscriptions are there; what the venue counts then.
fn wait_subscriptions(scene: &Scene, count: usize) -> VenueStatus {
    eventually(&format!("{count} subscriptions"), || {
        let venue = scene.venue.status();
        (venue.subscriptions == count).then_some(venue)
    })
}

/// Connections opened, subscriptions made and ended since `before`; all that are open are those of then.
fn touched(scene: &Scene, before: &VenueStatus) -> (u64, u64, u64) {
    let now = scene.venue.status();
    assert_eq!(now.connections, before.connections, "none closed");
    (
        now.connections_total - before.connections_total,
        now.subscribed_total - before.subscribed_total,
        now.unsubscribed_total - before.unsubscribed_total,
    )
}

fn of<'a>(lines: &'a [Value], id: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line.get("influencerId").is_some_and(|name| name == id)).collect()
}

/// Both are followed, and each has had a fill; with what the venue had counted before those.
fn alice_and_bob() -> (Scene, Service, VenueStatus) {
    let mut scene = Scene::of_list("");
    add(&scene, "alice", ALICE, &[]);
    add(&scene, "bob", BOB, &[]);
    let service = Service::start(&scene.config, &[]);
    service.wait_ready();
    let before = wait_subscriptions(&scene, 12);
    scene.play(&[ALICE, BOB], "ETH");
    (scene, service, before)
}

#[test]
fn what_is_changed_of_one_influencer_touches_nobody_else() {
    let (mut scene, service, before) = alice_and_bob();
    service.wait_lines("signals", 2);

    // Which markets make signals: no message is sent for it.
    set(&scene, "alice", &["markets=BTC-PERP"]);
    wait_account(&service, "alice", "/settings", &json!({ "markets": ["BTC-PERP"] }));
    scene.play(&[ALICE, BOB], "ETH");
    scene.play(&[ALICE, BOB], "BTC");
    let signals = service.wait_lines("signals", 5);
    let markets: Vec<&str> =
        of(&signals, "alice").iter().map(|signal| signal["market"].as_str().expect("text")).collect();
    assert_eq!((markets, of(&signals, "bob").len()), (vec!["ETH-PERP", "BTC-PERP"], 3));
    // Wanted again: what came between is no signal, and the next one says so.
    set(&scene, "alice", &["markets="]);
    wait_account(&service, "alice", "/settings", &json!({}));
    scene.play(&[ALICE], "ETH");
    let signals = service.wait_lines("signals", 6);
    assert!(signals[5]["gapId"].is_string(), "{}", signals[5]);
    assert_eq!(touched(&scene, &before), (0, 0, 0));

    // A label, waits and shares: shown at once, in force for what comes.
    let waits = ["label=Alice A.", "backoff.initialMs=500", "backoff.maxMs=9000", "backoff.jitter=0.25"];
    let shares = ["throttle.infoShare=0.25", "throttle.resubscribesPerMinute=6"];
    set(&scene, "alice", &[&waits[..], &shares].concat());
    let shown = json!({
        "label": "Alice A.",
        "backoff": { "initialMs": 500, "maxMs": 9_000, "jitter": 0.25 },
        "throttle": { "infoShare": 0.25, "resubscribesPerMinute": 6 },
    });
    wait_account(&service, "alice", "/settings", &shown);
    wait_account(&service, "bob", "/settings", &json!({}));
    let list = scene.ask(&["influencers", "list"]);
    let listed = String::from_utf8_lossy(&list.stdout).into_owned();
    for part in ["Alice A.", "  backoff.maxMs=9000", "  throttle.infoShare=0.25"] {
        assert!(listed.contains(part), "{part} in {listed}");
    }
    assert_eq!(touched(&scene, &before), (0, 0, 0));

    // One listener is enough for her; then two again.
    set(&scene, "alice", &["maxStreams=1"]);
    wait_subscriptions(&scene, 9);
    wait_account(&service, "alice", "/coverage", &json!("single"));
    wait_account(&service, "bob", "/coverage", &json!("full"));
    scene.play(&[ALICE, BOB], "ETH");
    service.wait_lines("signals", 8);
    assert_eq!(touched(&scene, &before), (0, 0, CHANNELS));
    set(&scene, "alice", &["maxStreams=2"]);
    wait_subscriptions(&scene, 12);
    wait_account(&service, "alice", "/coverage", &json!("full"));
    assert_eq!(touched(&scene, &before), (0, CHANNELS, CHANNELS));

    // Switched off and on: a removal and a new beginning.
    set(&scene, "bob", &["enabled=false"]);
    wait_account(&service, "bob", "/leaving", &json!(true));
    set(&scene, "bob", &["enabled=true"]);
    wait_account(&service, "bob", "/leaving", &json!(false));
    wait_account(&service, "bob", "/based", &json!(true));
    wait_subscriptions(&scene, 12);
    assert_eq!(touched(&scene, &before), (0, 3 * CHANNELS, 3 * CHANNELS));

    scene.play(&[ALICE, BOB], "ETH");
    service.wait_lines("signals", 10);
    assert_eq!(scene.venue.status().refused_by_limits, 0);
    service.stop_well();
    scene.verifies(&[], 0, &[]);
}

/// Two places for three: who is more important has one, from the moment on at which that changes, on the connections there are.
#[test]
fn whose_priority_rises_is_served_instead_of_another() {
    let mut scene = Scene::of_list("");
    scene.venue.set_limits(SimLimits { users: 2, ..SimLimits::generous() });
    add(&scene, "alice", ALICE, &["priority=9"]);
    add(&scene, "bob", BOB, &["priority=5"]);
    add(&scene, "carol", CAROL, &["priority=1"]);
    let service = Service::start(&scene.config, &["--set", "venue.endpoint.0.limits.users=2"]);
    let short = json!("not asked for: the venue allows too few users");
    wait_account(&service, "carol", "/refused", &short);
    let before = wait_subscriptions(&scene, 12);
    for id in ["alice", "bob"] {
        wait_account(&service, id, "/based", &json!(true));
    }

    // What she does is heard by nobody: it is not complete, and told when she is served.
    scene.play(&[ALICE, BOB], "ETH");
    let percent = |id: &str| {
        let status = service.status();
        let each = status["completeness"]["accounts"].as_array().expect("accounts").clone();
        let of = each.into_iter().find(|account| account["influencerId"] == id).expect("followed");
        of["sinceStart"]["percent"].as_f64().expect("a number")
    };
    eventually("she counts as incomplete", || (percent("carol") < 100.0).then_some(()));
    assert!(percent("alice") >= 100.0 && percent("bob") >= 100.0);
    scene.play(&[CAROL], "ETH");

    set(&scene, "carol", &["priority=7"]);
    wait_account(&service, "carol", "/coverage", &json!("full"));
    wait_account(&service, "carol", "/based", &json!(true));
    wait_account(&service, "bob", "/refused", &short);
    let after = wait_subscriptions(&scene, 12);
    assert_eq!(touched(&scene, &before), (0, 2 * CHANNELS, 2 * CHANNELS));
    assert_eq!(after.refused_by_limits, 0, "nothing was asked for that the venue would refuse");
    scene.play(&[ALICE, BOB, CAROL], "ETH");
    let signals = service.wait_lines("signals", 4);
    assert_eq!((of(&signals, "alice").len(), of(&signals, "carol").len()), (2, 1), "{signals:?}");
    let gaps = service.lines("gaps");
    let told = |gap: &&&Value| gap["kind"] == "history" && gap["state"] == "unfillable";
    let told: Vec<&Value> = of(&gaps, "carol").iter().filter(told).map(|gap| &gap["gapId"]).collect();
    assert!(!told.is_empty() && told.iter().all(|id| *id == told[0]), "{gaps:?}");
    eventually("bob is heard by nobody now", || (percent("bob") < 100.0).then_some(()));
    assert!(percent("carol") < 100.0, "what was lost stays lost");
    assert_eq!(service.stop().status.code(), Some(0));
}

/// What somebody did while nobody could hear it is declared once that is clear, so a death in between forgets nothing of it.
#[test]
fn what_nobody_could_hear_is_declared_before_a_death() {
    let mut scene = Scene::of_list("");
    scene.venue.set_limits(SimLimits { users: 1, ..SimLimits::generous() });
    add(&scene, "alice", ALICE, &["priority=9"]);
    add(&scene, "carol", CAROL, &["priority=1"]);
    let service = Service::start(&scene.config, &["--set", "venue.endpoint.0.limits.users=1"]);
    wait_account(&service, "alice", "/based", &json!(true));
    let told = |service: &Service| -> Vec<Value> {
        let gaps = service.lines("gaps");
        of(&gaps, "carol").into_iter().filter(|gap| gap["kind"] == "history").cloned().collect()
    };
    eventually("carol's gap is declared", || {
        scene.play(&[ALICE, CAROL], "ETH");
        (!told(&service).is_empty()).then_some(())
    });
    drop(service);

    scene.venue.set_limits(SimLimits { users: 2, ..SimLimits::generous() });
    let service = Service::start(&scene.config, &["--set", "venue.endpoint.0.limits.users=2"]);
    wait_account(&service, "carol", "/based", &json!(true));
    let spans: std::collections::BTreeSet<(u64, u64)> = told(&service)
        .iter()
        .map(|gap| (gap["fromTime"].as_u64().expect("a time"), gap["toTime"].as_u64().expect("a time")))
        .collect();
    let (first, last) = (spans.first().expect("one"), spans.last().expect("one"));
    assert!(spans.len() == 2 && first.1 == last.0, "the second goes on where the first ends: {spans:?}");
    scene.play(&[CAROL], "ETH");
    let signal = eventually("a signal of hers", || {
        of(&service.lines("signals"), "carol").first().map(|signal| (*signal).clone())
    });
    assert!(signal["timestamp"].as_u64().expect("a time") > last.1, "{signal} {spans:?}");
    service.stop_well();
}

/// An influencer of whom nothing was told yet begins anew at another start; of one of whom something was, nothing is told twice.
#[test]
fn another_start_holds_at_once_where_nothing_was_told_yet() {
    let mut scene = Scene::of_list("");
    for _ in 0..3 {
        scene.play(&[ALICE, CAROL], "ETH");
    }
    add(&scene, "alice", ALICE, &[]);
    add(&scene, "carol", CAROL, &[]);
    let service = Service::start(&scene.config, &[]);
    service.wait_ready();
    let before = wait_subscriptions(&scene, 12);
    assert!(service.lines("signals").is_empty(), "what was before is baseline");

    set(&scene, "carol", &[&format!("start={}", BEGAN + 1_500)]);
    service.process.log_line("it begins anew there influencer=carol");
    let signals = service.wait_lines("signals", 2);
    let times: Vec<_> = signals
        .iter()
        .map(|signal| (&signal["influencerId"], &signal["timestamp"], &signal["seq"]))
        .collect();
    let carol = json!("carol");
    assert_eq!(
        times,
        [(&carol, &json!(BEGAN + 2_000), &json!(1)), (&carol, &json!(BEGAN + 3_000), &json!(2))],
        "{signals:?}"
    );
    wait_subscriptions(&scene, 12);
    assert_eq!(touched(&scene, &before), (0, 2 * CHANNELS, 2 * CHANNELS));

    // Now something is out.
    set(&scene, "carol", &[&format!("start={BEGAN}")]);
    service.process.log_line("something is out already");
    scene.play(&[ALICE, CAROL], "ETH");
    let signals = service.wait_lines("signals", 4);
    wait_account(&service, "carol", "/settings/start", &json!(BEGAN + 1_500));
    set(&scene, "carol", &["priority=3"]);
    wait_account(&service, "carol", "/settings/priority", &json!(3));
    wait_account(&service, "carol", "/settings/start", &json!(BEGAN + 1_500));
    assert_eq!(of(&signals, "carol")[2]["seq"], 3, "{signals:?}");
    assert_eq!(touched(&scene, &before), (0, 2 * CHANNELS, 2 * CHANNELS));

    // Removed and added, from the removal on: nothing goes out again, and nothing that came meanwhile is missing.
    scene.says(&["influencers", "remove", "carol"], "carol is removed, 1 left");
    service.process.log_line("no longer followed influencer=carol");
    scene.play(&[ALICE, CAROL], "ETH");
    service.wait_lines("signals", 5);
    add(&scene, "carol", CAROL, &[&format!("start={BEGAN}")]);
    let signals = service.wait_lines("signals", 6);
    let seen = of(&signals, "carol");
    let last = seen.last().expect("one");
    assert_eq!((&last["timestamp"], &last["seq"]), (&json!(BEGAN + 5_000), &json!(1)), "{last}");
    assert_ne!(last["origin"], "live", "the snapshot or history brought it: {last}");
    assert!(
        last["epoch"].as_u64() > seen[2]["epoch"].as_u64()
            && seen[2]["epoch"].as_u64() >= seen[0]["epoch"].as_u64()
    );
    scene.play(&[ALICE, CAROL], "ETH");
    assert_eq!(of(&service.wait_lines("signals", 8), "carol").len(), 5);
    service.stop_well();
    scene.verifies(&[], 0, &[]);
}

/// Removed: no signals, but subscribed for the grace. Added again inside it: subscribed anew, a new epoch from a new baseline.
/// He is subscribed anew on the connections that are there.
fn bob_is_added_again(scene: &Scene, service: &Service, before: &VenueStatus) {
    add(scene, "bob", BOB, &[]);
    wait_account(service, "bob", "/leaving", &json!(false));
    wait_account(service, "bob", "/based", &json!(true));
    wait_account(service, "bob", "/coverage", &json!("full"));
    wait_subscriptions(scene, 12);
    assert_eq!(touched(scene, before), (0, 2 * CHANNELS, 2 * CHANNELS));
}

#[test]
fn added_again_inside_the_grace_is_a_new_beginning() {
    let (mut scene, service, before) = alice_and_bob();
    let first = of(&service.wait_lines("signals", 2), "bob")[0].clone();

    scene.says(&["influencers", "remove", "bob"], "bob is removed, 1 left");
    wait_account(&service, "bob", "/leaving", &json!(true));
    scene.play(&[ALICE, BOB], "ETH");
    service.wait_lines("signals", 3);
    assert_eq!(touched(&scene, &before), (0, 0, 0), "he stays subscribed");

    bob_is_added_again(&scene, &service, &before);
    scene.play(&[ALICE, BOB], "ETH");
    let signals = service.wait_lines("signals", 5);
    let [_, again] = of(&signals, "bob")[..] else {
        panic!("what he did meanwhile is no signal: {signals:?}")
    };
    assert_eq!((&first["seq"], &again["seq"]), (&json!(1), &json!(1)));
    assert!(first["epoch"].as_u64() < again["epoch"].as_u64(), "{first} {again}");
    assert!(again["gapId"].is_string(), "his position is another one than the last signal said");
    let gaps = service.lines("gaps");
    let declared =
        of(&gaps, "bob").iter().any(|gap| gap["kind"] == "history" && gap["state"] == "unfillable");
    assert!(declared, "{gaps:?}");
    service.stop_well();
    scene.verifies(&[], 0, &[]);
}

/// Connections of his own are kept as shared ones are: none is asked for, so none can be refused.
#[test]
fn added_again_keeps_connections_of_his_own() {
    let mut scene = Scene::of_list("[listeners]\nallocation = \"dedicated\"");
    add(&scene, "alice", ALICE, &[]);
    add(&scene, "bob", BOB, &[]);
    let service = Service::start(&scene.config, &[]);
    service.wait_ready();
    let before = wait_subscriptions(&scene, 12);
    assert_eq!(before.connections, 4);
    scene.play(&[ALICE, BOB], "ETH");
    service.wait_lines("signals", 2);

    scene.venue.add_fault("handshake=429".parse().expect("a fault"));
    scene.says(&["influencers", "remove", "bob"], "bob is removed, 1 left");
    wait_account(&service, "bob", "/leaving", &json!(true));
    bob_is_added_again(&scene, &service, &before);
    scene.play(&[ALICE, BOB], "ETH");
    service.wait_lines("signals", 4);
    service.stop_well();
    scene.verifies(&[], 0, &[]);
}
