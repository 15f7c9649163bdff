//! Who may log in and who may not: TLS, users, and what is said of each that is wrong, in one line and without a secret.

use influencer_registry::{ListEditor, RedisAddress, RedisEditor, RedisList};
use test_services::{RedisSetup, or_skip};

use super::stage::{Followed, LIST, NEVER, address, cli, put};

const SECRET: &str = "hunter2-planted";

/// What a service needs, and what an editor needs beside it: as `docs/configuration.md` says.
const READER: [&str; 6] = ["+ping", "+get", "+hlen", "+hgetall", "+subscribe", "+hello"];
const EDITOR: [&str; 7] = ["+eval", "+hget", "+hset", "+hdel", "+set", "+publish", "+time"];

#[test]
fn a_user_over_tls_follows_and_edits_with_nothing_but_what_is_needed() {
    let name = "a_user_over_tls_follows_and_edits_with_nothing_but_what_is_needed";
    let Some(redis) = or_skip(name, RedisSetup::new().tls().user("root", "root").start()) else { return };
    for (user, rights) in [("reader", READER.to_vec()), ("editor", [&READER[..], &EDITOR].concat())] {
        let keys = ["~test:influencers", "~test:influencers:*", "&test:influencers:changed"];
        let password = format!(">{SECRET}");
        let words = ["ACL", "SETUSER", user, "on", password.as_str(), "resetchannels"];
        cli(&redis, &[&words[..], &keys, &rights].concat());
    }
    let place = redis.tls_url().expect("TLS").replace("rediss://", "");
    let list = |user: &str| {
        let url = format!("rediss://{user}:{SECRET}@{place}");
        RedisList::new(RedisAddress::new(&url, redis.ca_file()).expect("a URL"), "test")
    };
    let mut followed = Followed::start(list("reader"), NEVER, None);
    assert_eq!(followed.problem(), "");
    let mut editor = RedisEditor::open(list("editor")).expect("it may");
    editor.add("whale", &address(1), 1).expect("right");
    editor.save().expect("saved");
    followed.wait_ids(&["whale"]);
    put(&redis, "shrimp", 2);
    followed.wait_ids(&["shrimp", "whale"]);
    // A reader may not edit.
    let mut editor = RedisEditor::open(list("reader")).expect("it may read");
    editor.remove("whale").expect("it is there");
    let told = editor.save().expect_err("it may not").to_string();
    assert!(told.contains("no permissions") && !told.contains('\n') && !told.contains(SECRET), "{told}");
    assert_eq!(cli(&redis, &["HLEN", LIST]), "2");
    // Nor does one follow who may not hear of changes.
    cli(&redis, &["ACL", "SETUSER", "reader", "-subscribe"]);
    let deaf = Followed::start(list("reader"), NEVER, None);
    assert!(deaf.problem().contains("no permissions"), "{}", deaf.problem());
}

#[test]
fn what_is_wrong_with_a_login_is_one_line_without_a_secret() {
    let name = "what_is_wrong_with_a_login_is_one_line_without_a_secret";
    let Some(redis) = or_skip(name, RedisSetup::new().tls().user("me", "right").start()) else { return };
    let other = or_skip(name, RedisSetup::new().tls().start()).expect("there was one");
    let (plain, tls) = (redis.port(), redis.tls_url().expect("TLS").replace("rediss://", ""));
    let mine = redis.ca_file();
    for (url, ca_file, why) in [
        (
            format!("rediss://me:{SECRET}@{tls}"),
            mine,
            "the login is refused: WRONGPASS invalid username-password pair or user is disabled.",
        ),
        (
            format!("redis://:{SECRET}@127.0.0.1:{plain}"),
            None,
            "the login is refused: WRONGPASS invalid username-password pair or user is disabled.",
        ),
        (format!("redis://127.0.0.1:{plain}"), None, "the login is refused: NOAUTH "),
        (
            format!("rediss://me:{SECRET}@{tls}"),
            other.ca_file(),
            "its certificate is of no authority that is trusted: is it the right CA file?",
        ),
        (
            format!("rediss://me:{SECRET}@{tls}"),
            None,
            "its certificate is of no authority that is trusted: is it the right CA file?",
        ),
        (format!("redis://me:{SECRET}@127.0.0.1:1"), None, "Connection refused"),
        (
            format!(
                "redis-sentinel://me:{SECRET}@127.0.0.1:1?sentinelServiceName=x&sentinelPassword={SECRET}"
            ),
            None,
            "Failed to connect to all sentinel nodes.",
        ),
    ] {
        let list = RedisList::new(RedisAddress::new(&url, ca_file).expect("a URL"), "test");
        let place = format!("{list}: ");
        let followed = Followed::start(list.clone(), NEVER, None);
        let told = followed.problem();
        assert!(told.strip_prefix(&place).is_some_and(|told| told.starts_with(why)), "{why:?}: {told:?}");
        let edited = RedisEditor::open(list).expect_err("it cannot").to_string();
        let shown = format!("{told} {edited} {:?} {:?}", followed.source, followed.reloads);
        assert!(!shown.contains(SECRET) && told.lines().count() == 1 && edited == told, "{shown}");
    }
}
