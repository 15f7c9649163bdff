//! A hash that changes, told and untold, seldom and all the time, small and large.

use std::time::{Duration, Instant};

use super::stage::{CHANGED, Followed, LIST, NEVER, address, cli, entry, list, put, readings, server, tell};

/// Nothing but the notice can tell: it is not compared again within the test.
#[test]
fn a_change_that_is_told_is_taken() {
    let Some(redis) = server("a_change_that_is_told_is_taken") else { return };
    let mut followed = Followed::of(&redis);
    assert_eq!((followed.ids().len(), followed.problem()), (0, String::new()), "no hash, nobody");
    put(&redis, "whale", 1);
    followed.wait_ids(&["whale"]);
    cli(&redis, &["HSET", LIST, "whale", &entry(1).replace('}', ",\"priority\":7,\"later\":[1]}")]);
    put(&redis, "shrimp", 2);
    followed.wait("settings", |followed| {
        followed.source.live().get("whale").is_some_and(|whale| whale.priority() == 7)
            && followed.source.live().len() == 2
    });
    let changed = followed.changes().flat_map(|changes| &changes.changed).count();
    assert_eq!((changed, followed.removed()), (1, 0));
    cli(&redis, &["HDEL", LIST, "whale"]);
    tell(&redis);
    followed.wait_ids(&["shrimp"]);
    assert_eq!(followed.removed(), 1);
}

#[test]
fn a_change_that_nobody_told_is_found_by_comparing() {
    let Some(redis) = server("a_change_that_nobody_told_is_found_by_comparing") else { return };
    let mut followed = Followed::start(list(&redis.url()), Duration::from_secs(1), None);
    cli(&redis, &["HSET", LIST, "whale", &entry(1)]);
    followed.wait_ids(&["whale"]);
}

/// The notice is lost with its connection; the new one compares at once.
#[test]
fn a_notice_that_is_lost_with_its_connection_loses_no_change() {
    let Some(redis) = server("a_notice_that_is_lost_with_its_connection_loses_no_change") else { return };
    let mut followed = Followed::of(&redis);
    for n in 1..=5 {
        cli(&redis, &["CLIENT", "KILL", "TYPE", "pubsub"]);
        put(&redis, "whale", n);
        followed.wait(&format!("version {n}"), |followed| {
            let whale = followed.source.live().get("whale");
            whale.is_some_and(|whale| whale.address().as_str() == address(n)) && followed.problem().is_empty()
        });
    }
}

#[test]
fn garbage_is_refused_by_name_and_the_rest_is_followed() {
    let Some(redis) = server("garbage_is_refused_by_name_and_the_rest_is_followed") else { return };
    let mut followed = Followed::of(&redis);
    put(&redis, "whale", 0xabc);
    put(&redis, "shrimp", 2);
    followed.wait_ids(&["shrimp", "whale"]);
    let upper = entry(0xabc).replace("abc", "ABC");
    let mistyped = "{\"address\":\"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD\"}";
    let spoiled = [
        ("shrimp", "{\"address\":\"0x12\"}", "(its last good version stays live)"),
        ("text", "whale", "entry = \"whale\""),
        ("bytes", "\u{fffd}\u{1}", "(\"bytes\"): entry = "),
        ("nobody", "{}", "address = nothing: missing"),
        ("again", upper.as_str(), "has the same address"),
        ("mistyped", mistyped, "checksum"),
        ("no id at all", &entry(7), "id = \"no id at all\""),
        (
            "streams",
            "{\"address\":\"0x0000000000000000000000000000000000000009\",\"maxStreams\":0}",
            "maxStreams = 0",
        ),
    ];
    for (id, value, _) in spoiled {
        cli(&redis, &["HSET", LIST, id, value]);
    }
    put(&redis, "dolphin", 3);
    followed.wait("the good ones", |followed| followed.ids() == ["dolphin", "shrimp", "whale"]);
    let refused: Vec<String> = followed.source.refused().iter().map(ToString::to_string).collect();
    assert_eq!(refused.len(), spoiled.len(), "{refused:#?}");
    for (id, _, why) in spoiled {
        let named = refused.iter().find(|line| line.contains(&format!("({id:?})")));
        assert!(named.is_some_and(|line| line.contains(why)), "{id}: {why} in {refused:#?}");
    }
    assert_eq!(followed.removed(), 0);
}

/// One goes on and off the list as fast as it can be told: few readings, and in the end it is as the hash says.
#[test]
fn a_list_that_never_rests_is_read_a_few_times_a_second() {
    const GATHERED: Duration = Duration::from_millis(250);
    let Some(redis) = server("a_list_that_never_rests_is_read_a_few_times_a_second") else { return };
    put(&redis, "whale", 1);
    let mut followed = Followed::of(&redis);
    let (before, began) = (readings(&redis), Instant::now());
    for n in 0..200 {
        if n % 2 == 0 {
            put(&redis, "flapping", 2);
        } else {
            cli(&redis, &["HDEL", LIST, "flapping"]);
            tell(&redis);
        }
        followed.reloads.extend(followed.source.poll());
    }
    // More notices in one moment than are kept for a reader.
    cli(&redis, &["EVAL", "for i = 1, 1000 do redis.call('PUBLISH', KEYS[1], i) end", "1", CHANGED]);
    put(&redis, "last", 3);
    followed.wait_ids(&["last", "whale"]);
    let (readings, took) = (readings(&redis) - before, began.elapsed());
    let allowed = 2 + took.as_millis() / GATHERED.as_millis();
    assert!(u128::from(readings) <= allowed, "{readings} readings in {took:?}");
    assert!(
        followed.changes().all(|changes| changes.removed.iter().all(|gone| gone.id().as_str() == "flapping"))
    );
}

#[test]
fn a_hundred_thousand_entries_are_read_and_compared() {
    let Some(redis) = server("a_hundred_thousand_entries_are_read_and_compared") else { return };
    let fill = "for i = 1, 100000 do redis.call('HSET', KEYS[1], 'i' .. i, string.format('{\"address\":\"0x%040x\"}', i)) end";
    cli(&redis, &["EVAL", fill, "1", LIST]);
    let mut followed = Followed::start(list(&redis.url()), NEVER, None);
    assert_eq!((followed.source.live().len(), followed.problem()), (100_000, String::new()));
    cli(&redis, &["HDEL", LIST, "i77"]);
    put(&redis, "new", 100_001);
    followed.wait("the change", |followed| followed.source.live().get("new").is_some());
    assert_eq!((followed.source.live().len(), followed.removed()), (100_000, 1));
}
