//! Edits of a list in a Redis: the same words as for a file, nothing lost that others write.

use std::thread;

use influencer_registry::{EditError, FileEditor, ListEditor, RedisEditor};
use serde_json::{Value, json};

use super::stage::{Followed, LIST, VERSION, address, cli, list, put, server};

#[test]
fn an_edit_leaves_everything_else_as_it_was_and_is_told() {
    let Some(redis) = server("an_edit_leaves_everything_else_as_it_was_and_is_told") else { return };
    let before =
        json!({ "address": address(1), "max_streams": 2, "future": { "x": [1] }, "backoff": { "y": 1 } });
    cli(&redis, &["HSET", LIST, "a", &before.to_string()]);
    cli(&redis, &["HSET", LIST, "garbage", "{"]);
    let mut followed = Followed::of(&redis);
    let mut editor = RedisEditor::open(list(&redis.url())).expect("it answers");
    assert_eq!((editor.list().expect("a list").0.len(), editor.list().expect("a list").1.len()), (1, 1));
    editor.set("a", &["maxStreams=3", "backoff.maxMs=5000", "label=Big = one", "priority=7"]).expect("right");
    editor.add("b", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", 7).expect("right");
    assert_eq!(cli(&redis, &["HLEN", LIST]), "2", "nothing is written yet");
    editor.save().expect("saved");
    followed.wait("both", |followed| followed.ids() == ["a", "b"]);
    let stored = |id: &str| serde_json::from_str::<Value>(&cli(&redis, &["HGET", LIST, id])).expect("JSON");
    let after = json!({
        "address": address(1), "max_streams": 3, "future": { "x": [1] }, "backoff": { "y": 1, "maxMs": 5000 },
        "label": "Big = one", "priority": 7,
    });
    assert_eq!(stored("a"), after);
    let added = json!({ "address": "0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", "addedAt": 7 });
    assert_eq!(stored("b"), added);
    editor.set(&address(1), &["maxStreams=2", "backoff.max_ms=", "label=", "priority="]).expect("right");
    assert_eq!(editor.remove("0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED").expect("b"), 2);
    assert_eq!(editor.remove("garbage").expect("also what is refused"), 1);
    editor.save().expect("saved");
    followed.wait_ids(&["a"]);
    assert_eq!((stored("a"), followed.source.refused().len()), (before, 0));
    let version: u64 = cli(&redis, &["GET", VERSION]).parse().expect("a number");
    // A clock that stood still or went back does not hold the version up.
    let ahead = version + 1_000_000_000;
    cli(&redis, &["SET", VERSION, &ahead.to_string()]);
    let mut editor = RedisEditor::open(list(&redis.url())).expect("it answers");
    editor.set("a", &["priority=1"]).expect("right");
    editor.save().expect("saved");
    assert_eq!(cli(&redis, &["GET", VERSION]), (ahead + 1).to_string());
    // What is no version holds nothing up, either.
    for spoiled in ["x", "nan", "inf", "-1e400", "99999999999999999999"] {
        cli(&redis, &["SET", VERSION, spoiled]);
        let mut editor = RedisEditor::open(list(&redis.url())).expect("it answers");
        editor.set("a", &["priority=1"]).expect("right");
        editor.save().expect("saved");
        let now: u64 = cli(&redis, &["GET", VERSION]).parse().unwrap_or_else(|_| panic!("{spoiled}"));
        assert!(now >= version && now < ahead, "{spoiled}: {now}");
    }
}

/// What is refused is refused in the same words as in a file.
#[test]
fn wrong_edits_are_told_as_for_a_file() {
    let Some(redis) = server("wrong_edits_are_told_as_for_a_file") else { return };
    put(&redis, "a", 1);
    put(&redis, "b", 2);
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("list.toml");
    let entry = |id: &str, n| format!("[[influencer]]\nid = {id:?}\naddress = {:?}\n", address(n));
    std::fs::write(&path, entry("a", 1) + &entry("b", 2)).expect("written");
    let told = |editor: &mut dyn ListEditor| {
        [
            editor.add("a", &address(9), 0),
            editor.add("c", &address(2), 0),
            editor.add("c", "0x1", 0),
            editor.add("c d", &address(9), 0),
            editor.set("a", &["priority=1", "maxStreams=0"]),
            editor
                .set("b", &["priority=high", "prio=1", "backoff=1", "id=b", "enabled", "backoff.jitter=nan"]),
            editor.set("nobody", &["priority=1"]),
            editor.remove("nobody").map(drop),
            editor.confirm_empty(),
        ]
        .map(|result| {
            let error = result.expect_err("it is wrong");
            (error.is_asked_wrongly(), error.to_string())
        })
    };
    let in_file = told(&mut FileEditor::open(&path).expect("a list"));
    let mut editor = RedisEditor::open(list(&redis.url())).expect("it answers");
    assert_eq!(told(&mut editor), in_file);
    let version = cli(&redis, &["HGETALL", LIST]);
    editor.save().expect("nothing to save");
    assert_eq!(cli(&redis, &["HGETALL", LIST]), version);
}

#[test]
fn of_editors_at_once_none_loses_the_change_of_another() {
    let Some(redis) = server("of_editors_at_once_none_loses_the_change_of_another") else { return };
    for n in 0..4 {
        put(&redis, &format!("old{n}"), 100 + n);
    }
    thread::scope(|scope| {
        for n in 0..8 {
            let url = redis.url();
            scope.spawn(move || {
                loop {
                    let mut editor = RedisEditor::open(list(&url)).expect("it answers");
                    editor.add(&format!("new{n}"), &address(n), 1).expect("right");
                    editor
                        .set(&format!("old{}", n % 4), &[&format!("backoff.maxMs={}", 1_000 + n)])
                        .expect("right");
                    match editor.save() {
                        Err(EditError::ChangedMeanwhile { .. }) => {}
                        saved => return saved.expect("saved"),
                    }
                }
            });
        }
    });
    let (set, refused) = RedisEditor::open(list(&redis.url())).expect("it answers").list().expect("a list");
    assert_eq!((set.len(), refused.len()), (12, 0));
    assert!(
        set.iter()
            .filter(|one| one.id().as_str().starts_with("old"))
            .all(|one| one.backoff().max_ms().is_some())
    );
}

/// Whoever writes with `redis-cli` raises no version: what was read of that entry is compared, too.
#[test]
fn an_entry_that_was_written_by_hand_meanwhile_is_not_overwritten() {
    let Some(redis) = server("an_entry_that_was_written_by_hand_meanwhile_is_not_overwritten") else {
        return;
    };
    put(&redis, "a", 1);
    put(&redis, "b", 2);
    let mut editor = RedisEditor::open(list(&redis.url())).expect("it answers");
    put(&redis, "a", 3);
    editor.set("a", &["priority=1"]).expect("right");
    let told = editor.save().expect_err("changed");
    assert!(matches!(&told, EditError::ChangedMeanwhile { .. }), "{told}");
    // Another entry than the one that is edited is left as it is now.
    let mut editor = RedisEditor::open(list(&redis.url())).expect("it answers");
    put(&redis, "a", 4);
    editor.set("b", &["priority=1"]).expect("right");
    editor.save().expect("saved");
    assert!(cli(&redis, &["HGET", LIST, "a"]).contains(&address(4)));
}
