//! The list of influencers in a real Redis, followed by the real service: changed by `redis-cli` and by `ingestion influencers`, lost, hung,
//! and back; and nothing of a login anywhere.

#![cfg(feature = "redis")]

mod support;

use serde_json::Value;
use support::eventually;
use support::scene::Scene;
use support::service::Service;
use test_services::{Redis, RedisSetup, or_skip};

const ALICE: &str = "0x0000000000000000000000000000000a11ce0001";
const BOB: &str = "0x0000000000000000000000000000000a11ce0002";

const LIST: &str = "ingestion:influencers";
const CHANGED: &str = "ingestion:influencers:changed";

/// Compared within a test only where a notice asks for it.
fn of_redis(settings: &str) -> Scene {
    Scene::new(1_000, |_| format!("source = \"redis\"\nrefresh_s = 3600\n{settings}"), "")
}

fn cli(redis: &Redis, words: &[&str]) -> String {
    redis.cli(words).unwrap_or_else(|failed| panic!("{words:?}: {failed}"))
}

/// As a person does it by hand.
fn put(redis: &Redis, id: &str, value: &str) {
    cli(redis, &["HSET", LIST, id, value]);
    cli(redis, &["PUBLISH", CHANGED, "x"]);
}

fn entry(address: &str) -> String {
    format!("{{\"address\":{address:?}}}")
}

/// Why the list keeps the service from being ready; empty when it does not.
fn stale(service: &Service) -> String {
    let status = service.status();
    let reasons = status.get("reasons").and_then(Value::as_array).expect("an array");
    let held = reasons.iter().find(|held| held.get("name").is_some_and(|name| name == "influencers"));
    held.and_then(|held| held.get("reason")?.as_str()).unwrap_or_default().to_owned()
}

fn wait_stale(service: &Service, why: &str) {
    eventually(why, || {
        let told = stale(service);
        (told.starts_with("config stale: redis://127.0.0.1:") && told.contains(why)).then_some(())
    });
    assert_eq!((service.get("/ready").0, service.metric("ingestion_influencer_list_stale")), (503, 1.0));
}

#[test]
fn a_list_in_redis_is_followed_and_edited() {
    let Some(redis) = or_skip("a_list_in_redis_is_followed_and_edited", Redis::start()) else { return };
    let mut scene = of_redis(&format!("redis_url = {:?}", redis.url()));
    let service = Service::start(&scene.config, &[]);
    put(&redis, "alice", &entry(ALICE));
    service.process.log_line("following influencer=alice");
    eventually("both listeners listen", || {
        (scene.venue.status().user_fills_subscriptions == 2).then_some(())
    });
    service.wait_ready();
    scene.play(&[ALICE], "ETH");
    assert_eq!(service.wait_lines("signals", 1)[0]["influencerId"], "alice");

    // The same words as for a file, and the same refusals.
    scene.says(&["influencers", "add", "bob", BOB], &format!("bob is followed: {BOB}"));
    service.process.log_line("following influencer=bob");
    scene.says(&["influencers", "set", "bob", "priority=7"], "bob: priority=7");
    let listed = scene.lines(&["--json", "influencers", "list"]);
    assert_eq!((listed.len(), &listed[1]["priority"]), (2, &7.into()), "{listed:?}");
    scene.fails(&["influencers", "set", "bob", "maxStreams=0"], 2, "maxStreams = 0: allowed is 1 to 1000");
    scene.fails(&["influencers", "add", "carol", BOB], 1, "has the same address");
    scene.fails(&["influencers", "remove", "carol"], 1, "no influencer \"carol\" is on the list");
    let check = scene.ask(&["check"]);
    assert!(String::from_utf8_lossy(&check.stdout).contains("2 accounts, 2 listeners each"), "{check:?}");

    put(&redis, "garbage", "x");
    let told = service.process.log_line("(\"garbage\"): entry = \"x\": an influencer is a table of fields");
    assert!(told.contains(" WARN ") && told.contains(LIST), "{told}");
    scene.says(&["influencers", "remove", "garbage"], "garbage is removed, 2 left");

    cli(&redis, &["FLUSHALL"]);
    cli(&redis, &["PUBLISH", CHANGED, "x"]);
    wait_stale(&service, "the list is empty but 2 are live");
    scene.play(&[ALICE, BOB], "ETH");
    service.wait_lines("signals", 3);
    scene.says(&["influencers", "confirm-empty"], "the empty list is confirmed");
    service.process.log_line("no longer followed influencer=alice");
    service.stop_well();
}

#[test]
fn a_service_goes_on_without_its_redis() {
    let name = "a_service_goes_on_without_its_redis";
    let Some(redis) = or_skip(name, Redis::start()) else { return };
    let mut scene = of_redis(&format!("redis_url = {:?}", redis.url()));
    let refused = "Connection refused";
    redis.kill().expect("killed");
    // Nothing was kept: nobody is followed, and it is waited for.
    scene.fails(&["influencers", "list"], 1, refused);
    scene.fails(&["influencers", "add", "alice", ALICE], 1, refused);
    let check = scene.ask(&["check"]);
    let planned = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(planned.contains(refused) && planned.contains("nothing was kept of it"), "{planned}");
    assert_eq!(check.status.code(), Some(1));
    let service = Service::start(&scene.config, &[]);
    wait_stale(&service, refused);
    redis.restart().expect("back");
    put(&redis, "alice", &entry(ALICE));
    service.process.log_line("following influencer=alice");
    service.wait_ready();
    assert_eq!(
        (stale(&service), service.status()["influencers"]["stale"].clone()),
        (String::new(), Value::Null)
    );
    service.stop_well();

    // The next start has a copy.
    redis.kill().expect("killed");
    let planned = String::from_utf8_lossy(&scene.ask(&["check"]).stdout).into_owned();
    assert!(
        planned.contains("planned with the last good one") && planned.contains("1 accounts"),
        "{planned}"
    );
    let service = Service::start(&scene.config, &[]);
    let told = service.process.log_line("the list of influencers is not taken, the last good one stays");
    assert!(told.contains(" WARN ") && told.contains(refused), "{told}");
    wait_stale(&service, refused);
    scene.play(&[ALICE], "ETH");
    service.wait_lines("signals", 1);
    assert!(service.printed_status(&[]).contains("stale, the last good one is followed: redis://"));
    redis.restart().expect("back");
    put(&redis, "alice", &entry(ALICE));
    service.wait_ready();

    // It hangs: everything else goes on.
    redis.freeze().expect("frozen");
    wait_stale(&service, "no answer");
    scene.play(&[ALICE], "ETH");
    service.wait_lines("signals", 2);
    redis.thaw().expect("it goes on");
    service.wait_ready();
    service.stop_well();
}

/// A secret in the configuration's file of secrets, in the URL, right and wrong: nothing of it is in anything the service or a command writes.
#[test]
fn nothing_of_a_login_is_shown() {
    const SECRET: &str = "hunter2-planted";
    let setup = RedisSetup::new().tls().user("root-planted", SECRET);
    let Some(redis) = or_skip("nothing_of_a_login_is_shown", setup.start()) else { return };
    let place = redis.tls_url().expect("TLS").replace("rediss://", "");
    let scene = of_redis(&format!(
        "redis_url_from = \"file:url\"\nredis_ca_file = {:?}",
        redis.ca_file().expect("TLS")
    ));
    let url = scene.directory.path().join("url");
    let relative = format!("influencers.redis_url_from=file:{}", url.display());
    let write = |password: &str| {
        std::fs::write(&url, format!("rediss://root-planted:{password}@{place}\n")).expect("written");
    };
    let mut shown = String::new();
    let mut asked = |arguments: &[&str]| {
        let output = scene.ask(&[&["--set", relative.as_str()], arguments].concat());
        let told =
            [output.stdout, output.stderr].map(|told| String::from_utf8_lossy(&told).into_owned()).concat();
        shown.push_str(&told);
        told
    };
    let commands: [&[&str]; 3] = [&["check"], &["--json", "check"], &["influencers", "list"]];
    write(&format!("{SECRET}-wrong"));
    for command in commands {
        let told = asked(command);
        assert!(told.contains("the login is refused: WRONGPASS"), "{command:?}: {told}");
    }
    let service = Service::start(&scene.config, &["--set", &relative, "--set", "telemetry.level=debug"]);
    let told = service.process.log_line("the list of influencers is not taken");
    assert!(told.contains("the login is refused: WRONGPASS"), "{told}");
    let mut seen = service.status().to_string() + &service.printed_status(&["--set", &relative]);
    seen += &service.get("/metrics").1;
    assert!(seen.contains("WRONGPASS"), "{seen}");
    seen += &service.stop().log;

    write(SECRET);
    asked(&["influencers", "add", "alice", ALICE]);
    let service = Service::start(&scene.config, &["--set", &relative, "--set", "telemetry.level=debug"]);
    service.process.log_line("following influencer=alice");
    service.wait_ready();
    seen += &(service.status().to_string() + &service.get("/").1);
    seen += &service.stop().log;
    for command in commands {
        let told = asked(command);
        assert!(!told.contains("refused"), "{command:?}: {told}");
    }
    std::fs::write(&url, format!("reddis://root-planted:{SECRET}@{place}\n")).expect("written");
    let told = asked(&["check"]);
    assert!(told.contains("influencers.redis_url_from: wants a URL that begins with redis://"), "{told}");
    let seen = seen + &shown;
    assert!(!seen.contains(SECRET) && !seen.contains("root-planted"), "{seen}");
    let kept = std::fs::read_to_string(scene.data().join("influencers.last-good.json")).expect("kept");
    assert!(kept.contains(ALICE) && !kept.contains("planted"), "{kept}");
}
