//! What happens to a list of influencers and must hurt nobody: lost, broken or emptied before a start, full of rubbish, never at rest.

mod support;

use std::path::Path;
use std::time::Duration;

use influencer_registry::Address;
use serde_json::Value;
use support::eventually;
use support::scene::Scene;
use support::service::Service;

const ALICE: &str = "0x0000000000000000000000000000000a11ce0001";
const BOB: &str = "0x0000000000000000000000000000000a11ce0002";
const CAROL: &str = "0x0000000000000000000000000000000a11ce0003";

fn entry(id: &str, address: &str) -> String {
    format!("[[influencer]]\nid = {id:?}\naddress = {address:?}\n")
}

/// Never half a list: the service may look at any moment.
fn put(scene: &Scene, text: &str) {
    let new = scene.list().with_extension("new");
    std::fs::write(&new, text).expect("written");
    std::fs::rename(new, scene.list()).expect("renamed");
}

/// Reasons for not being ready, of one part.
fn reason(service: &Service, part: &str) -> Option<String> {
    let status = service.status();
    let reasons = status.get("reasons").and_then(Value::as_array).expect("an array");
    let held = reasons.iter().find(|held| held.get("name").is_some_and(|name| name == part))?;
    Some(held.get("reason").and_then(Value::as_str).expect("text").to_owned())
}

/// Waits until exactly these are followed, each with its baseline.
fn wait_followed(service: &Service, ids: &[&str]) {
    eventually(&format!("{ids:?} are followed; stderr:\n{}", service.process.log()), || {
        let status = service.status();
        let accounts = status.get("accounts").and_then(Value::as_array).expect("accounts");
        let of = |account: &Value, field: &str| account.get(field).cloned().unwrap_or_default();
        let staying: Vec<&Value> =
            accounts.iter().filter(|account| of(account, "leaving") == false).collect();
        let named = staying.iter().map(|account| of(account, "influencerId")).eq(ids.iter().copied());
        (named && staying.iter().all(|account| of(account, "based") == true)).then_some(())
    });
}

/// Edits of several people at once: each that says it is done is in the list.
#[test]
fn edits_at_the_same_time_lose_nothing() {
    let scene = Scene::of_list("");
    std::thread::scope(|scope| {
        for number in 0..8_u32 {
            let scene = &scene;
            scope.spawn(move || {
                let (id, address) = (format!("i{number}"), format!("0x{:040x}", number + 1));
                scene.says(&["influencers", "add", &id, &address], &format!("{id} is followed: {address}"));
            });
        }
    });
    let listed = scene.ask(&["influencers", "list"]);
    assert_eq!(String::from_utf8_lossy(&listed.stdout).lines().count(), 8);
}

/// A start without the list goes on from the last one that was taken, and says so until there is one again.
#[test]
fn a_start_goes_on_from_the_last_good_list() {
    let mut scene = Scene::of_list("");
    put(&scene, &(entry("alice", ALICE) + &entry("bob", BOB)));
    let service = Service::start(&scene.config, &[]);
    service.wait_ready();
    assert_eq!(service.stop().status.code(), Some(0));

    type Spoil = fn(&Path);
    let spoils: [(&str, Spoil); 3] = [
        ("there is no such file", |list| std::fs::remove_file(list).expect("removed")),
        ("not TOML", |list| std::fs::write(list, "[[influencer").expect("written")),
        ("the list is empty but 2 are live", |list| std::fs::write(list, "").expect("written")),
    ];
    let mut signals = 0;
    for (why, spoil) in spoils {
        spoil(&scene.list());
        scene.fails(&["check"], 64, "; `run` goes on with the last good list, 2 influencers");
        scene.fails(&["influencers", "list"], 64, why);
        let raw = scene.ask(&["raw", "--account", "alice"]);
        assert_eq!(raw.status.code(), Some(0), "whoever was followed is found by name: {raw:?}");
        let service = Service::start(&scene.config, &[]);
        let told = service.process.log_line("the list of influencers is not taken, the last good one stays");
        assert!(told.contains(" WARN ") && told.contains(why), "{told}");
        wait_followed(&service, &["alice", "bob"]);
        eventually("it is not ready", || {
            reason(&service, "influencers").filter(|why| why.starts_with("config stale: "))
        });
        assert!(reason(&service, "influencers").is_some_and(|reason| reason.contains(why)));
        assert_eq!((service.get("/ready").0, service.metric("ingestion_influencer_list_stale")), (503, 1.0));
        assert_eq!(service.status()["influencers"]["listed"], 2);
        assert!(service.printed_status(&[]).contains("stale, the last good one is followed: "));
        scene.play(&[ALICE, BOB], "ETH");
        signals += 2;
        service.wait_lines("signals", signals);
        assert_eq!(service.stop().status.code(), Some(0));
    }

    // Who runs on a last good list takes the next right one.
    let service = Service::start(&scene.config, &[]);
    wait_followed(&service, &["alice", "bob"]);
    put(&scene, &(entry("alice", ALICE) + &entry("carol", CAROL)));
    wait_followed(&service, &["alice", "carol"]);
    service.wait_ready();
    assert_eq!(reason(&service, "influencers"), None);
    assert_eq!(service.stop().status.code(), Some(0));

    // The copy is of one list: it does not stand in for a mistyped name, nor for a list that is meant to be empty.
    let elsewhere = format!("influencers.file={}", scene.list().with_extension("tml").display());
    let output = scene.ask(&["--set", &elsewhere, "run"]);
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    put(&scene, "confirmEmpty = true\n");
    // What `run` would do: it takes the empty list.
    let output = scene.ask(&["check"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("follows    0 accounts"), "{output:?}");
    scene.says(&["influencers", "list"], "");
    let service = Service::start(&scene.config, &[]);
    wait_followed(&service, &[]);
    // Readiness is judged four times a second: at first every part of it is starting.
    eventually("readiness is judged", || {
        (reason(&service, "influencers").as_deref() != Some("starting")).then_some(())
    });
    assert_eq!(
        (reason(&service, "influencers"), service.status()["influencers"]["listed"].as_u64()),
        (None, Some(0))
    );
    assert_eq!(service.stop().status.code(), Some(0));
}

/// 100,000 entries of rubbish around three good ones: each is counted, the first are told, all are named, and the three are followed. One
/// that is live goes on by its last good version.
#[test]
fn rubbish_on_the_list_is_named_and_the_others_are_followed() {
    let mut scene = Scene::of_list("");
    put(&scene, &(entry("alice", ALICE) + &entry("bob", BOB)));
    let service = Service::start(&scene.config, &[]);
    service.wait_ready();

    let checksummed = ALICE.parse::<Address>().expect("an address").to_checksum();
    assert_ne!(checksummed, ALICE);
    // The last letter is in the wrong case.
    let mut text =
        entry("again", &checksummed) + &entry("mistyped", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD");
    for number in 0..50_000 {
        text += &entry(&format!("rubbish-{number}"), "0x12");
    }
    text += &(entry("alice", ALICE) + &entry("bob", "0xbob") + &entry("carol", CAROL));
    for number in 50_000..99_995 {
        text += &format!("[[influencer]]\nid = \"no id {number}\"\naddress = 7\n");
    }
    put(&scene, &text);
    wait_followed(&service, &["alice", "bob", "carol"]);
    let refused = 2 + 50_000 + 1 + 49_945 + 50;
    let status = service.status();
    assert_eq!(status["influencers"]["refused"], refused, "{}", status["influencers"]["listed"]);
    assert_eq!(service.metric("ingestion_influencer_entries_refused"), f64::from(refused));
    let log = service.process.log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("of the list is refused")).collect();
    assert!(told.len() <= 50 && log.contains("more entries of the list are refused"), "{} lines", told.len());
    assert!(told[0].contains("\"again\"") && told[0].contains("has the same address"), "{}", told[0]);
    assert!(told[1].contains("\"mistyped\"") && told[1].contains("checksum"), "{}", told[1]);
    scene.play(&[ALICE, BOB, CAROL], "ETH");
    let signals = service.wait_lines("signals", 3);
    assert_eq!(signals.len(), 3, "{signals:?}");
    assert_eq!(service.stop().status.code(), Some(0));
    // Everything is named where one asks for it.
    let list = scene.ask(&["influencers", "list"]);
    let named = String::from_utf8_lossy(&list.stderr).into_owned();
    assert_eq!(list.status.code(), Some(64));
    for name in ["rubbish-49999", "no id 99994", "\"bob\""] {
        assert!(named.contains(name), "{name} is not named");
    }
}

/// One influencer goes on and off the list a hundred times a second: that costs few messages, nobody else anything, and in the end it is as
/// the list says.
#[test]
fn who_goes_on_and_off_the_list_a_hundred_times_a_second_costs_nobody_anything() {
    let mut scene = Scene::of_list("");
    let others = entry("alice", ALICE) + &entry("bob", BOB);
    put(&scene, &others);
    let service = Service::start(&scene.config, &[]);
    service.wait_ready();
    eventually("everything is subscribed", || {
        let venue = scene.venue.status();
        (venue.subscriptions == 12).then_some(())
    });
    let before = scene.venue.status();

    // Until the service took two versions of it at least, and another change made meanwhile.
    let changes = || service.process.log().matches(" influencer=carol").count();
    let mut versions = 0_u32;
    while changes() < 2 || !service.process.log().contains("following influencer=dave") {
        versions += 1;
        let carol = if versions.is_multiple_of(2) { entry("carol", CAROL) } else { String::new() };
        let dave = if versions > 100 {
            entry("dave", "0x0000000000000000000000000000000a11ce0004")
        } else {
            String::new()
        };
        put(&scene, &(others.clone() + &carol + &dave));
        if versions.is_multiple_of(50) {
            scene.play(&[ALICE, BOB], "ETH");
        }
        assert!(versions < 12_000, "{}", service.process.log());
        pause();
    }
    let taken = changes();
    assert!(taken < 2 + versions as usize / 20, "{taken} of {versions} changes were carried out");
    put(&scene, &(others + &entry("carol", CAROL)));
    wait_followed(&service, &["alice", "bob", "carol"]);

    let after = scene.venue.status();
    assert_eq!(after.connections_total, before.connections_total, "no socket was touched");
    assert_eq!(after.refused_by_limits, 0);
    // Six subscriptions each time that carol or dave is added, and as many ended.
    let added = service.process.log().matches(" following influencer=").count() as u64 - 2;
    assert_eq!(after.subscribed_total - before.subscribed_total, 6 * added);
    scene.play(&[ALICE, BOB], "ETH");
    let expected = scene.chains.rows().len();
    let signals = service.wait_lines("signals", expected);
    assert_eq!(signals.len(), expected, "every fill of the others is a signal once");
    assert!(
        service
            .lines("gaps")
            .iter()
            .all(|gap| gap["influencerId"] != "alice" && gap["influencerId"] != "bob"
                || gap["state"] == "reset")
    );
    service.stop_well();
}

/// The fault's own rate, not a wait for anything.
#[expect(clippy::disallowed_methods, reason = "a hundred times a second is what is tried")]
fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}
