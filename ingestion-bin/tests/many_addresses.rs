//! Hundreds of accounts over tens of public addresses, and accounts through proxies, at a venue that counts the users of every address
//! and refuses: everybody is covered and nothing is refused; then one address is allowed fewer.
//!
//! Every account's key window is filled: with as many fills as are read of a history ahead of time, or with
//! `INGESTION_WINDOW_FILLS=N` (`cargo xtask egress --fills N`). All of it inside [`MEMORY_MIB`].

#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "only tests: a panic is a failure, what memory is used is told"
)]

mod support;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Mutex, PoisonError};

use hyperliquid_client::sim::{SimConfig, SimLimits, SimTls};
use serde_json::Value;
use support::document::documents;
use support::egress_proxy::{LOGIN, Proxy, Speaks};
use support::judge::{self, Allowed};
use support::scene::Scene;
use support::service::Service;
use support::{eventually, number};

/// What the venue allows every address, and what the service is told by default.
const USERS: u32 = 10;

/// The process' memory at most, MiB.
const MEMORY_MIB: u64 = 150;

/// A full key window: before there are more new fills its account's history is read.
const WINDOW_FILLS: u64 = 1_500;

static ALONE: Mutex<()> = Mutex::new(());

fn account(number: usize) -> String {
    format!("0x{:040x}", 0xa11c_e000 + number)
}

/// `count` accounts on the list, the first one most important.
fn list(scene: &Scene, count: usize) -> Vec<String> {
    let accounts: Vec<String> = (1..=count).map(account).collect();
    let entry = |(place, id): (usize, &String)| {
        format!("[[influencer]]\nid = {id:?}\naddress = {id:?}\npriority = {}\n", count - place)
    };
    let entries: String = accounts.iter().enumerate().map(entry).collect();
    std::fs::write(scene.list(), entries).expect("written");
    accounts
}

/// By coverage, who has it.
fn who(status: &Value, coverage: &str) -> BTreeSet<String> {
    let accounts = status["accounts"].as_array().expect("accounts").iter();
    let has = accounts.filter(|account| account["coverage"] == coverage);
    has.map(|account| account["influencerId"].as_str().expect("an id").to_owned()).collect()
}

fn wait_full(service: &Service, count: usize) {
    eventually(&format!("two listeners and a baseline for each of {count}"), || {
        let status = service.status();
        let based = |account: &Value| account["based"] == true;
        let all_based = status["accounts"].as_array().expect("accounts").iter().all(based);
        (all_based && who(&status, "full").len() == count).then_some(())
    });
}

/// What `check --json` says.
fn check(scene: &Scene, settings: &[&str]) -> Value {
    let output = scene.ask(&[settings, &["--json", "check"]].concat());
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// One address is allowed half as many from now on, and its connections end: the least important accounts of all are left out and
/// named, everybody else has two listeners.
fn lower_the_limit(scene: &Scene, service: &Service, accounts: &[String], address: IpAddr) {
    let lower = USERS / 2;
    scene.venue.set_limits_of(address, SimLimits { users: lower, ..SimLimits::default() });
    scene.venue.close_sockets_of(address, 1006);
    let (kept, left_out) = accounts.split_at(accounts.len() - lower as usize);
    let kept: BTreeSet<String> = kept.iter().cloned().collect();
    eventually("the important are served and the others named", || {
        let status = service.status();
        let named = |account: &&Value| {
            account["refused"].as_str().is_some_and(|why| why.starts_with("not asked for"))
        };
        let named: BTreeSet<&str> = status["accounts"]
            .as_array()
            .expect("accounts")
            .iter()
            .filter(named)
            .map(|account| account["influencerId"].as_str().expect("an id"))
            .collect();
        let all_named = left_out.iter().all(|account| named.contains(account.as_str()));
        (who(&status, "full") == kept && all_named).then_some(())
    });
    let status = service.status();
    let learned: Vec<&Value> = status["limits"]
        .as_array()
        .expect("limits")
        .iter()
        .filter(|limit| limit.get("learned").is_some())
        .collect();
    let [limit] = learned.as_slice() else { panic!("{learned:?}") };
    let learned = &limit["learned"][0];
    assert_eq!(
        (limit["users"]["max"].as_u64(), learned["limit"].as_str(), learned["said"].as_str()),
        (
            Some(lower.into()),
            Some("users"),
            Some(format!("Cannot track more than {lower} total users.").as_str())
        )
    );
    let refused = learned["refused"].as_str().expect("an id");
    let log = service.process.log();
    let told =
        log.lines().any(|line| line.contains("the venue allows fewer users") && line.contains(refused));
    assert!(told && accounts.iter().any(|account| account == refused), "{refused}: {log}");
}

/// Signals of everybody are on disk, once and in order.
fn judge_signals(scene: &Scene, accounts: &[String]) {
    let expected = documents(scene.chains.rows(), accounts);
    let allowed = Allowed { origins: &["live", "snapshot", "backfill"], gaps: None, late: false };
    judge::judge(&judge::stored(&scene.data()), &expected, &allowed);
}

/// Fills every account's key window, inside a venue time in which history can certify none of it away, and tells what that costs.
fn fill_windows(scene: &mut Scene, service: &Service, accounts: &[String], played: u64) {
    let fills = number("INGESTION_WINDOW_FILLS").unwrap_or(WINDOW_FILLS);
    let users: Vec<&str> = accounts.iter().map(String::as_str).collect();
    let before = service.memory_kib("VmRSS");
    scene.chains.fills_only(100_000 / fills);
    for block in 1..=fills {
        scene.play(&users, "ETH");
        if block % 5 == 0 || block == fills {
            service.wait_count("signals", (played + block) * users.len() as u64);
        }
    }
    let (now, most) = (service.memory_kib("VmRSS"), service.memory_kib("VmHWM"));
    let each = now.saturating_sub(before) * 1024 / (fills * users.len() as u64);
    println!(
        "{fills} fills in each window: {} MiB resident, at most {}; {each} bytes a key over {} MiB before",
        now >> 10,
        most >> 10,
        before >> 10
    );
    assert!(fills > WINDOW_FILLS || most >> 10 < MEMORY_MIB, "{} MiB of {MEMORY_MIB}", most >> 10);
}

/// Three hundred accounts over so many addresses.
fn three_hundred(addresses: u8, each_at_two: bool) {
    // What is measured is not what a second one beside it makes of it.
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut sim = SimConfig::manual();
    // Beyond the service's own paces only what is tried here is in the way.
    sim.venue.limits = SimLimits { users: USERS, ..SimLimits::default() };
    let mut scene = Scene::of_list_at(sim, "");
    let accounts = list(&scene, 300);
    let last = Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 0, 0, 2)) + u32::from(addresses) - 1);
    let egress = format!("venue.endpoint.0.egress=[\"127.0.0.2-{last}\"]");
    let settings = ["--set", &egress];

    let plan = check(&scene, &settings);
    assert_eq!((&plan["uncovered"], &plan["fewerListeners"]), (&Value::from([""; 0]), &Value::from([""; 0])));
    let shared = plan["oneAddress"].as_array().expect("an array").len();
    assert_eq!(shared, if each_at_two { 0 } else { 300 });

    let service = Service::start(&scene.config, &settings);
    wait_full(&service, 300);
    let status = service.status();
    for limit in status["limits"].as_array().expect("limits") {
        assert_eq!(limit["users"]["used"], USERS, "{limit}");
    }
    let users: Vec<&str> = accounts.iter().map(String::as_str).collect();
    (0..3).for_each(|_| scene.play(&users, "ETH"));
    service.wait_count("signals", 900);
    judge_signals(&scene, &accounts);
    let seen = scene.venue.status();
    assert_eq!((seen.refused_by_limits, seen.refused_connections, seen.users), (0, 0, 300));
    let memory = service.memory_kib("VmHWM") >> 10;
    println!("300 accounts on {addresses} addresses: at most {memory} MiB resident");
    assert!(memory < MEMORY_MIB, "{memory} MiB of {MEMORY_MIB}");
    fill_windows(&mut scene, &service, &accounts, 3);
    if !each_at_two {
        lower_the_limit(&scene, &service, &accounts, Ipv4Addr::new(127, 0, 0, 5).into());
    }
    assert_eq!(service.stop().status.code(), Some(0));
    if each_at_two {
        restart_with_full_windows(&scene, &settings);
    }
}

/// What a start reads of the journal is no more than what ran before.
fn restart_with_full_windows(scene: &Scene, settings: &[&str]) {
    let service = Service::start(&scene.config, settings);
    wait_full(&service, 300);
    let most = service.memory_kib("VmHWM") >> 10;
    println!("started again with full windows: at most {most} MiB resident");
    assert!(most < MEMORY_MIB, "{most} MiB of {MEMORY_MIB}");
    assert_eq!(service.stop().status.code(), Some(0));
}

#[test]
fn three_hundred_accounts_on_thirty_addresses_and_then_one_is_allowed_fewer() {
    three_hundred(30, false);
}

#[test]
fn three_hundred_accounts_on_sixty_addresses_have_their_listeners_apart() {
    three_hundred(60, true);
}

/// Over TLS, by a name that nobody here can resolve.
#[test]
fn accounts_through_a_connect_and_a_socks5_proxy_and_then_one_is_allowed_fewer() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let ca = directory.path().join("ca.pem");
    let tls =
        SimTls { ca_pem_path: Some(ca.clone()), names: vec!["venue.test".to_owned()], ..SimTls::default() };
    let sim = SimConfig { tls: Some(tls), ..SimConfig::manual() };
    let mut scene = Scene::of_list_at(sim, "");
    let exits = [1, 2].map(|last| IpAddr::from([127, 0, 9, last]));
    let proxies =
        [Proxy::start(Speaks::Connect, exits[0], LOGIN), Proxy::start(Speaks::Socks5, exits[1], LOGIN)];
    let accounts = list(&scene, 20);
    let secret = directory.path().join("proxy");
    std::fs::write(&secret, proxies[1].url(LOGIN)).expect("written");
    let port = scene.venue.addr().port();
    let settings = [
        format!("venue.endpoint.0.egress=[{:?}, \"file:{}\"]", proxies[0].url(LOGIN), secret.display()),
        format!("venue.endpoint.0.ws_url=wss://venue.test:{port}/ws"),
        format!("venue.endpoint.0.info_url=https://venue.test:{port}/info"),
        format!("venue.endpoint.0.ca_file={}", ca.display()),
    ];
    let settings: Vec<&str> = settings.iter().flat_map(|setting| ["--set", setting]).collect();
    let said = scene.ask(&[&settings[..], &["check"]].concat());
    let said = [said.stdout, said.stderr].concat();
    let told = String::from_utf8_lossy(&said).into_owned();
    assert!(
        told.contains(&format!(
            "address    sim@{}: 10 of 10 users",
            proxies[0].url(None).replace("//", "//me@")
        )),
        "{told}"
    );

    let service = Service::start(&scene.config, &settings);
    wait_full(&service, 20);
    let users: Vec<&str> = accounts.iter().map(String::as_str).collect();
    (0..3).for_each(|_| scene.play(&users, "ETH"));
    service.wait_count("signals", 60);
    judge_signals(&scene, &accounts);
    let seen = scene.venue.status();
    assert_eq!((seen.refused_by_limits, seen.refused_connections, seen.users), (0, 0, 20));
    for proxy in &proxies {
        let asked = proxy.asked();
        // Two connections for the listeners, one at least for history.
        assert!(
            asked.len() >= 3 && asked.iter().all(|asked| *asked == format!("venue.test:{port}")),
            "{asked:?}"
        );
    }
    lower_the_limit(&scene, &service, &accounts, exits[1]);
    let shown = [told, service.status().to_string(), service.get("/metrics").1, service.printed_status(&[])];
    let end = service.stop();
    assert_eq!(end.status.code(), Some(0));
    for shown in shown.iter().chain([&end.log]) {
        assert!(!shown.contains("hunter2"), "the password shows: {shown}");
    }
}
