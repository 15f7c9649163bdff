//! The list of influencers edited while the service runs, and what was kept found again: `influencers`, `signals`, `raw`, `status`.

mod support;

use serde_json::Value;
use support::eventually;
use support::market::Chains;
use support::process::{Process, ingestion};
use support::scene::{BEGAN, Scene};
use support::service::Service;

const ALICE: &str = "0x0000000000000000000000000000000a11ce0001";
const BOB: &str = "0x0000000000000000000000000000000a11ce0002";
const CAROL: &str = "0x0000000000000000000000000000000a11ce0003";

/// Alice is on the list.
fn of_alice() -> Scene {
    let scene = Scene::of_list("");
    scene.says(&["influencers", "add", "alice", ALICE], &format!("alice is followed: {ALICE}"));
    scene
}

fn wait_subscriptions(scene: &Scene, count: usize) {
    eventually(&format!("{count} subscriptions"), || {
        (scene.venue.status().user_fills_subscriptions == count).then_some(())
    });
}

#[test]
fn added_accounts_are_followed_and_removed_ones_are_not() {
    let mut scene = of_alice();
    let service = Service::start(&scene.config, &[]);
    service.wait_ready();
    scene.play(&[ALICE, BOB], "ETH");
    service.wait_lines("signals", 1);

    scene.says(&["influencers", "add", "bob", BOB], &format!("bob is followed: {BOB}"));
    service.process.log_line("following influencer=bob");
    wait_subscriptions(&scene, 4);
    eventually("bob's baseline", || {
        let status = service.status();
        let accounts = status["accounts"].as_array().expect("accounts").clone();
        accounts
            .iter()
            .any(|account| account["influencerId"] == "bob" && account["based"] == true)
            .then_some(())
    });
    scene.play(&[ALICE, BOB], "ETH");
    let signals = service.wait_lines("signals", 3);
    let ids: Vec<_> = signals.iter().map(|signal| signal["influencerId"].as_str().expect("text")).collect();
    assert_eq!(ids.iter().filter(|id| **id == "bob").count(), 1, "what was before is baseline: {ids:?}");

    // A label and a priority change nothing about the numbers; other markets make no signals any more.
    scene.says(
        &["influencers", "set", "bob", "priority=7", "label=Big Bob"],
        "bob: priority=7, label=Big Bob",
    );
    scene.says(&["influencers", "set", "alice", "markets=BTC-PERP"], "alice: markets=BTC-PERP");
    scene.fails(&["influencers", "set", "bob", "priority=high"], 2, "priority=high");
    scene.fails(&["influencers", "set", "bob", "maxStreams=0"], 2, "maxStreams = 0: allowed is 1 to 1000");
    scene.fails(&["influencers", "set", "carol", "priority=1"], 1, "no influencer \"carol\" is on the list");
    scene.fails(&["influencers", "add", "carol", "0x12"], 2, "0x12");
    scene.fails(&["influencers", "add", "carol", BOB], 1, "has the same address");

    // Removed: its signals stop, a gap says from when on nothing is known.
    scene.says(&["influencers", "remove", "bob"], "bob is removed, 1 left");
    service.process.log_line("no longer followed influencer=bob");
    let before = service.lines("signals").len();
    scene.play(&[ALICE, BOB], "BTC");
    let signals = service.wait_lines("signals", before + 1);
    assert!(signals[before..].iter().all(|signal| signal["influencerId"] == "alice"), "{signals:?}");
    let history = eventually("a declared gap", || {
        let mut gaps = service.lines("gaps");
        gaps.retain(|gap| gap["influencerId"] == "bob" && gap["kind"] == "history");
        gaps.pop()
    });
    assert_eq!(history["state"], "unfillable", "{history}");

    // An emptied list unsubscribes nobody before it is confirmed.
    let output = scene.ask(&["influencers", "remove", "alice"]);
    assert!(String::from_utf8_lossy(&output.stdout).contains("confirm-empty"), "{output:?}");
    service.process.log_line("the last good one stays");
    scene.play(&[ALICE], "BTC");
    service.wait_lines("signals", before + 2);
    scene.says(&["influencers", "confirm-empty"], "the empty list is confirmed");
    service.process.log_line("no longer followed influencer=alice");
    service.stop_well();
    assert_eq!(scene.lines(&["signals"]).len(), before + 2);
}

#[test]
fn what_was_kept_is_found_again() {
    let mut scene = of_alice();
    scene.says(&["influencers", "add", "bob", BOB], &format!("bob is followed: {BOB}"));
    let listed = scene.lines(&["--json", "influencers", "list"]);
    assert_eq!(
        listed.iter().map(|one| one["id"].as_str().expect("text")).collect::<Vec<_>>(),
        ["alice", "bob"]
    );
    let check = scene.ask(&["check"]);
    assert!(String::from_utf8_lossy(&check.stdout).contains("2 accounts, 2 listeners each"), "{check:?}");
    assert!(!scene.directory.path().join("data").exists(), "check makes nothing");

    let service = Service::start(&scene.config, &[]);
    service.wait_ready();
    for coin in ["ETH", "ETH", "BTC", "@107"] {
        scene.play(&[ALICE, BOB], coin);
    }
    service.wait_lines("signals", 6);

    let mut tail = ingestion();
    tail.arg("--config").arg(&scene.config).args([
        "signals",
        "--tail",
        "--account",
        "bob",
        "--since",
        "1790000003000",
    ]);
    let mut tail = Process::start(tail);
    let first: Value = serde_json::from_str(&tail.line()).expect("JSON");
    assert_eq!((&first["influencerId"], &first["market"]), (&"bob".into(), &"BTC-PERP".into()));
    scene.play(&[ALICE, BOB], "BTC");
    let second: Value = serde_json::from_str(&tail.line()).expect("JSON");
    assert_eq!((&second["influencerId"], &second["seq"]), (&"bob".into(), &2.into()));

    let status = service.printed_status(&[]);
    for part in ["ready      true", "listeners  2 of 2", "account    alice", "sink       signals"] {
        assert!(status.contains(part), "{part:?} in:\n{status}");
    }
    let json: Value = serde_json::from_str(&service.printed_status(&["--json"])).expect("one document");
    assert_eq!((&json["ready"], &json["listeners"]["connected"]), (&true.into(), &2.into()));
    // Spot is no position.
    eventually("positions and the last fill in the status", || {
        let status = service.printed_status(&[]);
        (status.matches("positions 2, last fill 0s").count() == 2).then_some(())
    });
    service.stop_well();

    // The next run begins with where everybody stands.
    let service = Service::start(&scene.config, &[]);
    service.process.log_line("data in ");
    let log = service.stop().log;
    let row = |name: &str| {
        let line =
            log.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name} in {log}"));
        line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(
        row("influencer"),
        ["influencer", "account", "priority", "positions", "last", "fill", "markets"]
    );
    assert_eq!(row("alice"), ["alice", ALICE, "0", "2", "0s", "all"]);
    assert_eq!(row("bob"), ["bob", BOB, "0", "2", "0s", "all"]);

    for (arguments, count) in [
        (vec!["signals"], 8),
        (vec!["signals", "--account", "alice"], 4),
        (vec!["signals", "--account", ALICE], 4),
        (vec!["signals", "--market", "ETH-PERP"], 4),
        (vec!["signals", "--market", "ETH-PERP", "--account", "bob"], 2),
        (vec!["signals", "--since", "1790000002000"], 6),
        (vec!["signals", "--until", "1790000002000"], 4),
        (vec!["signals", "--until", "2026-09-21T14:13:20Z"], 0),
        (vec!["raw", "--type", "FILL"], 10),
        (vec!["raw", "--type", "FILL", "--account", "bob"], 5),
        (vec!["raw", "--type", "FILL", "--account", BOB, "--market", "@107"], 1),
        (vec!["raw", "--type", "FILL", "--market", "BTC-PERP", "--since", "1790000004000"], 2),
        (vec!["raw", "--type", "FILL", "--until", "1790000002000"], 4),
        (vec!["raw", "--event", "fill:1790000001000:512000000000001:B"], 1),
        (vec!["raw", "--type", "TRADE"], 0),
    ] {
        assert_eq!(scene.lines(&arguments).len(), count, "{arguments:?}");
    }
    let raw = scene.lines(&["raw", "--account", "alice", "--market", "ETH-PERP"]);
    let by_id = scene.lines(&["raw", "--event", raw[0]["id"].as_str().expect("text")]);
    assert_eq!(by_id, raw[..1], "an event is found by its id");
    assert_eq!(raw[0]["disposition"], "signal");
    assert_eq!(scene.lines(&["raw", "--market", "@107", "--type", "FILL"])[0]["disposition"], "filtered");
    scene.fails(
        &["raw", "--account", "carol"],
        2,
        "--account carol: neither an address nor an id of the list",
    );
    for arguments in [vec!["signals", "--account", "carol"], vec!["signals", "--tail", "--account", "carol"]]
    {
        scene.fails(&arguments, 2, "--account carol: neither an address nor an id of the list");
    }
    // Whose signals are kept is known, on the list or not; who is on the list may have none yet.
    scene.says(&["influencers", "remove", "bob"], "bob is removed, 1 left");
    assert_eq!(scene.lines(&["signals", "--account", "bob", "--until", "1"]).len(), 0);
    assert_eq!(scene.lines(&["signals", "--account", "bob"]).len(), 4);
    scene.says(&["influencers", "add", "carol", CAROL], &format!("carol is followed: {CAROL}"));
    assert_eq!(scene.lines(&["signals", "--account", "carol"]).len(), 0);
}

/// An account on the list for longer than this journal exists had a state once: what lies between is declared before its baseline,
/// also when the first start did not get as far as that. One that came on the list later begins with its baseline.
#[test]
fn an_account_older_than_the_journal_declares_what_it_lost() {
    // Venue times beyond any clock of ours, so that both accounts are on the list before they trade.
    let (before_us, after_us, traded) = (1_600_000_000_000_u64, 3_000_000_000_000_u64, 3_900_000_000_000_u64);
    let entry = |id: &str, address: &str, at: u64| {
        format!("[[influencer]]\nid = {id:?}\naddress = {address:?}\naddedAt = {at}\n")
    };
    let mut scene = Scene::of_list("[streams]\ntwap = false");
    let entries = entry("alice", ALICE, before_us) + &entry("bob", BOB, after_us);
    std::fs::write(scene.list(), entries).expect("written");
    scene.chains = Chains::new(traded - 1_000, 1_000);
    scene.play(&[ALICE, BOB], "ETH");

    // Nobody answers: both are known to the journal, neither has a baseline.
    let nowhere = "venue.endpoint.0.ws_url=ws://127.0.0.1:1/ws";
    let mut service = Service::start(&scene.config, &["--set", nowhere]);
    service.process.log_line("cannot connect");
    service.wait_lines("gaps", 2);
    service.process.kill();

    let service = Service::start(&scene.config, &[]);
    service.wait_ready();
    let gaps = service.wait_lines("gaps", 5);
    let status = eventually("the gap in the status", || {
        Some(service.status()).filter(|status| status["gaps"].as_array().is_some_and(|gaps| !gaps.is_empty()))
    });
    let printed = service.printed_status(&[]);
    service.stop_well();
    let declared: Vec<&Value> = gaps.iter().filter(|gap| gap["kind"] == "history").collect();
    assert_eq!(declared.len(), 1, "{gaps:?}");
    let gap = declared.first().expect("one");
    assert_eq!((&gap["influencerId"], &gap["state"]), (&"alice".into(), &"unfillable".into()));
    assert_eq!((gap["fromTime"].as_u64(), gap["toTime"].as_u64()), (Some(before_us), Some(traded)));

    let shown = &status["gaps"][0];
    for part in ["gapId", "influencerId", "kind", "state", "fromTime", "toTime"] {
        assert_eq!(shown[part], gap[part], "{part} as in the stream: {status}");
    }
    let complete = status["completeness"]["accounts"].as_array().expect("an array");
    let of =
        |id: &str| complete.iter().find(|known| known["influencerId"] == id).expect("each account is there");
    assert_eq!((&of("alice")["unfillableGaps"], &of("bob")["unfillableGaps"]), (&1.into(), &0.into()));
    assert_eq!(
        (&of("alice")["sinceStart"]["missing"], &of("bob")["sinceStart"]["percent"]),
        (&1.into(), &100.0.into())
    );
    let limits = &status["limits"][0];
    assert_eq!(limits["users"], serde_json::json!({ "used": 2, "max": 10 }), "{limits}");
    assert_eq!(limits["connections"]["used"], 2, "{limits}");
    assert_eq!(limits["subscriptions"]["max"], 1_000, "{limits}");
    let weight = limits["infoWeight"]["used"].as_u64().expect("a number");
    assert!(weight > 0 && weight <= 1_200, "{limits}");
    for part in ["alice", "history unfillable", "users 2 of 10"] {
        assert!(printed.contains(part), "{part} is missing in {printed}");
    }
}

#[test]
fn an_edit_is_told_as_json_where_that_is_asked_for() {
    let scene = of_alice();
    let told = |arguments: &[&str]| {
        let lines = scene.lines(&[&["--json", "influencers"], arguments].concat());
        let [document] = lines.as_slice() else { panic!("{arguments:?}: {lines:?}") };
        document.clone()
    };
    let added = told(&["add", "bob", BOB]);
    assert_eq!((&added["done"], &added["influencer"]["address"]), (&"add".into(), &BOB.into()));
    let set = told(&["set", "bob", r#"markets=["SOL-PERP"]"#, "enabled=false"]);
    assert_eq!(set["influencer"]["markets"], serde_json::json!(["SOL-PERP"]), "{set}");
    assert_eq!(told(&["remove", "bob"]), serde_json::json!({ "done": "remove", "id": "bob", "left": 1 }));
    scene.says(
        &["influencers", "remove", ALICE],
        &format!(
            "{ALICE} is removed; the list is empty now and is not taken before `influencers confirm-empty`"
        ),
    );
    assert_eq!(told(&["confirm-empty"]), serde_json::json!({ "done": "confirm-empty" }));
}

/// A service that starts again must not stop following everybody because of one bad line of a list that it took while it ran. `check`
/// is where such a line is an error.
#[test]
fn a_bad_line_of_the_list_is_told_and_stops_nobody() {
    let mut scene = of_alice();
    let list = scene.list();
    let entry = |id: &str, address: &str| format!("[[influencer]]\nid = {id:?}\naddress = {address:?}\n");
    let good = std::fs::read_to_string(&list).expect("alice is on it");
    std::fs::write(&list, good + &entry("alice", BOB) + &entry("carol", ALICE)).expect("written");
    assert_eq!(scene.ask(&["check"]).status.code(), Some(64));

    let service = Service::start(&scene.config, &[]);
    for why in [
        "influencer 2 (\"alice\"): id = \"alice\": influencer 1 (\"alice\") has the same id",
        &format!(
            "influencer 3 (\"carol\"): address = \"{ALICE}\": influencer 1 (\"alice\") has the same address"
        ),
    ] {
        let told = service.process.log_line(why);
        assert!(told.contains(" WARN ") && told.contains(list.to_str().expect("text")), "{told}");
    }
    service.wait_ready();
    scene.play(&[ALICE, BOB], "ETH");
    let signals = service.wait_lines("signals", 1);
    assert_eq!(signals[0]["influencerId"], "alice");
    assert_eq!(service.stop().status.code(), Some(0));
}

/// Each influencer begins where its entry says, else where `[listeners]` says. A bad entry keeps nobody from being followed, and who
/// does not fit is named.
#[test]
fn everybody_begins_where_the_list_says() {
    let entry = |id: &str, address: &str, start: &str| {
        format!("[[influencer]]\nid = {id:?}\naddress = {address:?}\nstart = {start:?}\npriority = 1\n")
    };
    let mut scene = Scene::of_list("[streams]\ntwap = false");
    let entries = entry("alice", ALICE, &(BEGAN + 1_500).to_string())
        + &entry("bob", BOB, "now")
        + &format!("[[influencer]]\nid = \"carol\"\naddress = {CAROL:?}\n");
    std::fs::write(scene.list(), entries + &entry("bad id", ALICE, "now")).expect("written");
    for _ in 0..3 {
        scene.play(&[ALICE, BOB, CAROL], "ETH");
    }
    let service = Service::start(&scene.config, &["--start", &BEGAN.to_string()]);
    service.process.log_line("influencer 4 (\"bad id\"): id = \"bad id\"");
    let signals = service.wait_lines("signals", 5);
    scene.play(&[BOB], "ETH");
    let signals = [signals, service.wait_lines("signals", 6)].concat();
    let times = |id: &str| {
        let mut times: Vec<u64> = signals
            .iter()
            .filter(|signal| signal["influencerId"] == id)
            .map(|signal| signal["timestamp"].as_u64().expect("a time"))
            .collect();
        times.sort_unstable();
        times.dedup();
        times
    };
    service.stop_well();
    assert_eq!(times("alice"), [BEGAN + 2_000, BEGAN + 3_000], "from its own start");
    assert_eq!(times("bob"), [BEGAN + 4_000], "what was before is baseline");
    assert_eq!(times("carol"), [BEGAN + 1_000, BEGAN + 2_000, BEGAN + 3_000], "from the common start");
}
