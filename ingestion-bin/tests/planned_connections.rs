//! More accounts than one address may follow, over several local addresses, at a venue that counts and refuses.

mod support;

use hyperliquid_client::sim::SimLimits;
use serde_json::Value;
use support::document::documents;
use support::eventually;
use support::judge::{self, Allowed};
use support::scene::Scene;
use support::service::Service;

/// The venue lets each address follow two; the service is told so.
const USERS: u32 = 2;

fn account(number: usize) -> String {
    format!("0x{:040x}", 0xa11c_e000 + number)
}

/// `count` accounts on the list, the first one most important.
fn scene(count: usize) -> Scene {
    let scene = Scene::of_list("");
    scene.venue.set_limits(SimLimits { users: USERS, ..SimLimits::generous() });
    (1..=count).for_each(|number| add(&scene, number));
    scene
}

/// The later it is added, the less important it is.
fn add(scene: &Scene, number: usize) {
    let (id, mut list) = (account(number), std::fs::read_to_string(scene.list()).unwrap_or_default());
    list += &format!("[[influencer]]\nid = {id:?}\naddress = {id:?}\npriority = {}\n", 100 - number);
    // Never half a list: the service may look at any moment.
    let new = scene.list().with_extension("new");
    std::fs::write(&new, list).expect("written");
    std::fs::rename(new, scene.list()).expect("renamed");
}

/// Three addresses are ours.
fn settings() -> [String; 4] {
    [
        "--set".to_owned(),
        "venue.endpoint.0.egress=[\"127.0.0.2-127.0.0.4\"]".to_owned(),
        "--set".to_owned(),
        format!("venue.endpoint.0.limits.users={USERS}"),
    ]
}

fn coverage(status: &Value) -> Vec<(String, &str)> {
    let accounts = status["accounts"].as_array().expect("accounts");
    accounts
        .iter()
        .map(|account| {
            (
                account["influencerId"].as_str().expect("an id").to_owned(),
                account["coverage"].as_str().expect("text"),
            )
        })
        .collect()
}

#[test]
fn more_accounts_than_one_address_may_follow_are_all_served() {
    let mut scene = scene(5);
    let settings = settings();
    let settings: Vec<&str> = settings.iter().map(String::as_str).collect();

    // `check` wants room on the disk for all bounds together; the defaults want more than a small machine has.
    let bounds = ["journal", "signals", "gaps", "positions", "dead_letters"]
        .map(|part| format!("{part}.max_bytes=268435456"));
    let small: Vec<&str> = bounds.iter().flat_map(|bound| ["--set", bound.as_str()]).collect();
    let check = scene.ask(&[&settings[..], &small[..], &["check"]].concat());
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert_eq!(check.status.code(), Some(0), "{said}");
    assert!(said.contains("follows    5 accounts, 2 listeners each, 30 subscriptions"), "{said}");
    assert!(said.contains("address    sim@127.0.0.4: "), "{said}");

    let service = Service::start(&scene.config, &settings);
    service.wait_ready();
    eventually("two listeners for each", || {
        let status = service.status();
        coverage(&status).iter().all(|(_, coverage)| *coverage == "full").then_some(())
    });
    let accounts: Vec<String> = (1..=6).map(account).collect();
    let users: Vec<&str> = accounts.iter().map(String::as_str).collect();
    for _ in 0..20 {
        scene.play(&users[..5], "ETH");
    }
    service.wait_lines("signals", 100);
    assert_eq!(scene.venue.status().refused_by_limits, 0, "the venue never refused anything");

    // A sixth is added while they trade: it finds its place, and no socket of the others is touched.
    let opened = scene.venue.status().connections_total;
    add(&scene, 6);
    eventually("the sixth has two listeners", || {
        let status = service.status();
        let covered = coverage(&status);
        (covered.len() == 6 && covered.iter().all(|(_, coverage)| *coverage == "full")).then_some(())
    });
    let status = service.status();
    let used: Vec<u64> = status["limits"]
        .as_array()
        .expect("limits")
        .iter()
        .map(|limit| limit["users"]["used"].as_u64().expect("a number"))
        .collect();
    assert_eq!(used, [2, 2, 2]);
    let opened_for_it = scene.venue.status().connections_total - opened;
    assert!(opened_for_it <= 4, "{opened_for_it} connections opened for one account");
    eventually("the sixth's baseline", || {
        let status = service.status();
        let accounts = status["accounts"].as_array().expect("accounts").clone();
        accounts.iter().all(|account| account["based"] == true).then_some(())
    });
    for _ in 0..20 {
        scene.play(&users, "ETH");
    }
    service.wait_lines("signals", 220);

    // There is no room for a seventh: it is named, with what would help, and the others stay.
    add(&scene, 7);
    service.process.log_line("one more egress address would do");
    eventually("the seventh is blind and says why", || {
        let status = service.status();
        let accounts = status["accounts"].as_array().expect("accounts").clone();
        let seventh = accounts.into_iter().find(|seen| seen["influencerId"] == account(7).as_str())?;
        (seventh["refused"] == "not asked for: the venue allows too few users").then_some(())
    });
    assert_eq!(coverage(&service.status()).iter().filter(|(_, coverage)| *coverage == "full").count(), 6);
    assert_eq!(scene.venue.status().refused_by_limits, 0);
    service.stop_well();
    let expected = documents(scene.chains.rows(), &accounts);
    let allowed = Allowed { origins: &["live", "snapshot", "backfill"], gaps: None, late: false };
    judge::judge(&judge::stored(&scene.data()), &expected, &allowed);
}

/// Fault row 16 for sockets: one address, ten connections of five accounts; then the venue allows six.
#[test]
fn where_the_venue_allows_fewer_connections_second_listeners_are_given_up_and_nobody_is_left_out() {
    const LEFT: u32 = 6;
    let mut scene = Scene::of_list("");
    scene.venue.set_limits(SimLimits::generous());
    (1..=5).for_each(|number| add(&scene, number));
    let accounts: Vec<String> = (1..=5).map(account).collect();
    let users: Vec<&str> = accounts.iter().map(String::as_str).collect();
    let service = Service::start(&scene.config, &["--set", "listeners.allocation=dedicated"]);
    service.wait_ready();
    let full = |status: &Value| coverage(status).iter().filter(|(_, coverage)| *coverage == "full").count();
    eventually("two listeners for each", || (full(&service.status()) == 5).then_some(()));
    (0..5).for_each(|_| scene.play(&users, "ETH"));
    service.wait_lines("signals", 25);

    scene.venue.set_limits(SimLimits { connections: LEFT, ..SimLimits::generous() });
    scene.venue.close_sockets(1012);
    eventually("one listener for each at least", || {
        let open = scene.venue.status().connections;
        let covered = coverage(&service.status()).iter().all(|(_, coverage)| *coverage != "blind");
        (open == LEFT as usize && covered).then_some(())
    });
    (0..5).for_each(|_| scene.play(&users, "ETH"));
    service.wait_lines("signals", 50);
    // The venue says so by refusing alone, and it may mean this minute's new connections: the plan waits for longer than that.
    let learned = eventually("it is learned", || {
        let status = service.status();
        let limit = &status["limits"][0];
        limit.get("learned").map(|learned| (learned[0].clone(), limit["connections"].clone()))
    });
    assert_eq!(
        (&learned.0["limit"], &learned.0["allowed"], &learned.1["max"]),
        (&"connections".into(), &LEFT.into(), &LEFT.into())
    );
    eventually("the most important has two listeners, everybody else one", || {
        let status = service.status();
        let coverage = coverage(&status);
        let is_single = |seen: &(String, &str)| seen.1 == "single";
        let first = coverage.iter().find(|seen| seen.0 == account(1)).is_some_and(|seen| seen.1 == "full");
        (first && coverage.iter().filter(|seen| is_single(seen)).count() == 4).then_some(())
    });
    let refused = scene.venue.status().refused_connections;
    (0..5).for_each(|_| scene.play(&users, "ETH"));
    service.wait_lines("signals", 75);
    assert_eq!(scene.venue.status().refused_connections, refused, "nothing is asked for that is refused");
    service.stop_well();
    let expected = documents(scene.chains.rows(), &accounts);
    let allowed = Allowed { origins: &["live", "snapshot", "backfill"], gaps: None, late: false };
    judge::judge(&judge::stored(&scene.data()), &expected, &allowed);
}
