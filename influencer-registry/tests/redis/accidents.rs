//! A Redis that is emptied, down, hung, and back: nobody is unsubscribed, and it is said why.

use influencer_registry::{ListEditor, ListProblem, RedisEditor};
use test_services::Redis;

use super::stage::{Followed, LIST, NEVER, cli, entry, kept, list, put, server, tell};

type Spoil = fn(&Redis);

#[test]
fn a_list_that_is_emptied_unsubscribes_nobody_before_it_is_confirmed() {
    let Some(redis) = server("a_list_that_is_emptied_unsubscribes_nobody_before_it_is_confirmed") else {
        return;
    };
    let fill = |redis: &Redis| {
        put(redis, "whale", 1);
        put(redis, "shrimp", 2);
    };
    fill(&redis);
    let mut followed = Followed::of(&redis);
    let spoils: [(&str, Spoil); 3] = [
        ("the list is empty but 2 are live", |redis| drop(cli(redis, &["FLUSHALL"]))),
        ("the list is empty but 2 are live", |redis| drop(cli(redis, &["HDEL", LIST, "whale", "shrimp"]))),
        ("operation against a key holding the wrong kind of value", |redis| {
            cli(redis, &["DEL", LIST]);
            cli(redis, &["SET", LIST, "x"]);
        }),
    ];
    for (why, spoil) in spoils {
        spoil(&redis);
        tell(&redis);
        followed.wait(why, |followed| followed.problem().to_lowercase().contains(why));
        assert_eq!(followed.ids(), ["shrimp", "whale"]);
        cli(&redis, &["DEL", LIST]);
        fill(&redis);
        followed.wait_ids(&["shrimp", "whale"]);
    }
    assert_eq!(followed.removed(), 0);
    // Meant: what is confirmed is this emptiness, not the next.
    let mut editor = RedisEditor::open(list(&redis.url())).expect("it answers");
    assert!(editor.confirm_empty().is_err(), "two are on it");
    editor.remove("whale").expect("it is there");
    editor.remove("shrimp").expect("it is there");
    editor.save().expect("saved");
    followed.wait_problem("influencers confirm-empty");
    editor.confirm_empty().expect("it is empty");
    editor.save().expect("saved");
    followed.wait_ids(&[]);
    assert_eq!(followed.removed(), 2);
    put(&redis, "whale", 1);
    followed.wait_ids(&["whale"]);
    cli(&redis, &["DEL", LIST]);
    tell(&redis);
    followed.wait_problem("the list is empty but 1 are live");
    assert_eq!(followed.ids(), ["whale"]);
}

#[test]
fn a_start_without_its_redis_goes_on_from_the_last_good_list() {
    let Some(redis) = server("a_start_without_its_redis_goes_on_from_the_last_good_list") else { return };
    redis.kill().expect("killed");
    let last_good = kept(&[("shrimp", 2), ("whale", 1)]);
    let mut followed = Followed::start(list(&redis.url()), NEVER, Some(last_good.clone()));
    let mut nobody = Followed::start(list(&redis.url()), NEVER, None);
    for followed in [&followed, &nobody] {
        let place = format!("redis://127.0.0.1:{} test:influencers: ", redis.port());
        assert_eq!(followed.problem(), format!("{place}Connection refused"));
    }
    assert_eq!((followed.source.live(), nobody.ids().len()), (&last_good.set, 0));
    // Back, and it has forgotten everything: who is followed stays.
    redis.restart().expect("back");
    followed.wait_problem("the list is empty but 2 are live");
    nobody.wait_ids(&[]);
    put(&redis, "dolphin", 3);
    nobody.wait_ids(&["dolphin"]);
    followed.wait_ids(&["dolphin"]);
}

/// Down for several tries, changed while nobody could be told, and back.
#[test]
fn a_redis_that_comes_back_is_compared_at_once() {
    let name = "a_redis_that_comes_back_is_compared_at_once";
    let Some(redis) =
        test_services::or_skip(name, Redis::start_with(&["--appendonly", "yes", "--appendfsync", "always"]))
    else {
        return;
    };
    put(&redis, "whale", 1);
    let mut followed = Followed::of(&redis);
    for n in 2..4 {
        redis.kill().expect("killed");
        followed.wait_problem("Connection refused");
        assert_eq!(followed.ids().len(), n - 1);
        redis.restart().expect("back");
        // No notice: the new connection is what tells.
        cli(&redis, &["HSET", LIST, &format!("whale-{n}"), &entry(u32::try_from(n).expect("small"))]);
        followed.wait("back", |followed| followed.problem().is_empty());
        tell(&redis);
        followed.wait("the change", |followed| followed.ids().len() == n);
    }
    assert_eq!(followed.removed(), 0);
}

#[test]
fn a_redis_that_hangs_is_told_and_stalls_nobody() {
    let Some(redis) = server("a_redis_that_hangs_is_told_and_stalls_nobody") else { return };
    put(&redis, "whale", 1);
    let mut followed = Followed::of(&redis);
    redis.freeze().expect("frozen");
    followed.wait_problem("no answer");
    assert!(matches!(followed.source.problem(), Some(ListProblem::Unreachable { .. })));
    // A start meets it hanging, too, and an editor is told.
    let late = Followed::start(list(&redis.url()), NEVER, Some(kept(&[("shrimp", 2)])));
    assert!(late.problem().contains("no answer") && late.ids() == ["shrimp"], "{}", late.problem());
    let told = RedisEditor::open(list(&redis.url())).expect_err("it hangs").to_string();
    assert!(told.contains("no answer"), "{told}");
    redis.thaw().expect("it goes on");
    followed.wait_ids(&["whale"]);
    put(&redis, "shrimp", 2);
    followed.wait_ids(&["shrimp", "whale"]);
    assert_eq!(followed.removed(), 0);
}
