//! A topic that takes no record of such a size, until it does.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use test_services::{kafka_tool, kcat, or_skip, shared_kafka, until};

use crate::support::fixture;
use crate::support::play::{Play, stopped};
use crate::support::service::Service;
use crate::support::topics::{LONG, REJECTED, Stage, Stored, counted, delivered, signals, stored};

const NAME: &str = "redriven";

/// The largest record that the topic of the signals takes; `None` where there is no tool to say so.
fn limit(brokers: &str, bytes: usize) -> Option<String> {
    let (entity, limit) = (format!("{NAME}.signals"), format!("max.message.bytes={bytes}"));
    let words = ["--bootstrap-server", brokers, "--alter", "--entity-type", "topics"];
    let words = [&words[..], &["--entity-name", &entity, "--add-config", &limit]].concat();
    or_skip("dead_letters_redriven", kafka_tool("kafka.admin.ConfigCommand", &words))
}

/// What `redrive --json` says of each letter, and its exit code.
fn redrive(play: &Play, arguments: &[&str]) -> (Option<i32>, Vec<Value>) {
    let (code, said, errors) = play.ask(&[&["--json", "dead-letters", "redrive"], arguments].concat());
    let said = String::from_utf8(said).expect("text");
    let outcomes = said.lines().map(|line| serde_json::from_str(line).expect("JSON"));
    let outcomes: Vec<Value> = outcomes.collect();
    assert!(code == Some(0) || !outcomes.is_empty(), "{errors}");
    (code, outcomes)
}

fn ended(outcomes: &[Value], how: &str) -> usize {
    outcomes.iter().filter(|outcome| outcome["outcome"] == how).count()
}

/// What `list --kafka` prints below its head.
fn listed(play: &Play) -> Vec<String> {
    let (code, said, errors) = play.ask(&["dead-letters", "list", "--kafka", "--reason", "rejected_by_sink"]);
    assert_eq!(code, Some(0), "{errors}");
    String::from_utf8(said).expect("text").lines().skip(1).map(str::to_owned).collect()
}

#[test]
fn what_a_topic_refused_is_sent_again_once_with_the_same_bytes() {
    let Some(brokers) = or_skip("dead_letters_redriven", shared_kafka()) else { return };
    if or_skip("dead_letters_redriven", kcat(&["-V"])).is_none() {
        return;
    }
    let Stage { play, count, .. } = Stage::set(&brokers, &fixture(), None, NAME, "compression = \"none\"\n");
    if limit(&brokers, 1060).is_none() {
        return;
    }
    let service = Service::start(&play.config, &[]);
    delivered(&service, count);
    let refused = counted(&service, REJECTED);
    assert!(refused > 0 && refused < count, "{refused} of {count} are refused");
    let topic = format!("{NAME}.signals");
    let letters = until(LONG, || Some(listed(&play)).filter(|letters| letters.len() >= refused));
    let letters = letters.expect("a letter for each");
    assert_eq!(letters.len(), refused);
    for letter in &letters {
        assert!(letter.contains("rejected_by_sink     publish    0x"), "{letter}");
        assert!(letter.contains("  -  ") && letter.contains(&topic), "{letter}");
    }

    // The topic is as it was: the first of each key is refused again, and none of its key goes in front of it.
    let (code, outcomes) = redrive(&play, &["--kafka"]);
    let (again, held) = (ended(&outcomes, "refused"), ended(&outcomes, "held"));
    assert_eq!((code, again + held), (Some(1), refused), "{outcomes:?}");
    assert!(again > 0 && held > 0, "{again} refused again, {held} held");
    assert_eq!(stored(&brokers, &topic).len(), count - refused);

    limit(&brokers, 100_000).expect("there was the tool before");
    let (code, ready) = redrive(&play, &["--kafka", "--dry-run"]);
    assert_eq!((code, ended(&ready, "would send")), (Some(0), refused));
    assert_eq!(stored(&brokers, &topic).len(), count - refused, "a rehearsal sends nothing");
    show(&play, &["list", "--kafka"]);
    show(&play, &["redrive", "--kafka", "--dry-run"]);
    let sent = all_sent(&play);
    assert_eq!(sent.len(), refused);
    assert_eq!(sent.keys().collect::<Vec<_>>(), ids(&ready).iter().collect::<Vec<_>>());
    what_is_there(&play, &brokers, &topic, count);
    in_order(&brokers, &topic, &sent);

    // Once.
    assert_eq!(redrive(&play, &["--kafka"]), (Some(0), Vec::new()));
    assert_eq!(stored(&brokers, &topic).len(), count);
    assert!(listed(&play).iter().all(|letter| !letter.contains("  -  ")), "each says when it went");
    let audited = |repeats: usize| {
        let (code, report) = play.verify(&["--kafka"]);
        let figures = ["refused", "redriven", "repeats", "duplicates", "orderBreaks", "lost"];
        let found = figures.map(|figure| report[figure].as_u64().expect("a number"));
        assert_eq!(found, [refused as u64, refused as u64, repeats as u64, 0, 0, 0], "{report}");
        assert_eq!(code, Some(0), "{report}");
    };
    audited(0);
    let one = sent.keys().next().expect("there is one");
    let said = show(&play, &["redrive", "--kafka", "--again", "--id", one]);
    assert!(said.starts_with(&format!("sent        {one}, position ")), "{said}");
    assert_eq!(signals(&brokers, &topic).1, 1, "a repeat");
    audited(1);
    stopped(service);
    println!(
        "{count} signals, {refused} refused and redriven ({again} refused again and {held} held before)"
    );
    without_a_journal(&play, &brokers, one);
}

/// What a person sees, which ends well; the beginning and the end of it are printed.
fn show(play: &Play, arguments: &[&str]) -> String {
    let (code, said, errors) = play.ask(&[&["dead-letters"], arguments].concat());
    assert_eq!(code, Some(0), "{errors}");
    let said = String::from_utf8(said).expect("text");
    let lines: Vec<&str> = said.lines().collect();
    println!("$ ingestion dead-letters {}", arguments.join(" "));
    lines.iter().take(3).chain(lines.last().filter(|_| lines.len() > 3)).for_each(|line| println!("{line}"));
    said
}

/// Redrives until everything went: the new limit takes a moment. Each letter with its outcome.
fn all_sent(play: &Play) -> BTreeMap<String, Value> {
    let mut sent = BTreeMap::new();
    let done = until(LONG, || {
        let (code, outcomes) = redrive(play, &["--kafka"]);
        for outcome in outcomes.into_iter().filter(|outcome| outcome["outcome"] == "sent") {
            let id = outcome["id"].as_str().expect("text").to_owned();
            assert!(sent.insert(id, outcome).is_none(), "nothing goes twice");
        }
        (code == Some(0)).then_some(())
    });
    done.expect("the topic takes them");
    sent
}

fn ids(outcomes: &[Value]) -> BTreeSet<String> {
    outcomes.iter().map(|outcome| outcome["id"].as_str().expect("text").to_owned()).collect()
}

/// Every signal, once, as `replay` has it, and with the time that its record has.
fn what_is_there(play: &Play, brokers: &str, topic: &str, count: usize) {
    let (found, repeats) = signals(brokers, topic);
    assert_eq!((found.len(), repeats), (count, 0));
    let lines = |arguments: &[&str]| {
        let (code, said, errors) = play.ask(arguments);
        assert_eq!(code, Some(0), "{errors}");
        let lines = said.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines.map(<[u8]>::to_vec).collect::<Vec<_>>()
    };
    let mut replayed = lines(&["replay"]);
    let mut values: Vec<Vec<u8>> = stored(brokers, topic).into_iter().map(|one| one.value).collect();
    replayed.sort_unstable();
    values.sort_unstable();
    assert!(replayed == values, "the topic holds what `replay` gives");

    let made: BTreeMap<String, u64> = lines(&["raw"])
        .iter()
        .filter_map(|line| {
            let event: Value = serde_json::from_slice(line).expect("JSON");
            Some((event["signalId"].as_str()?.to_owned(), event["ingestedAt"].as_u64()?))
        })
        .collect();
    let times = kcat(&["-b", brokers, "-C", "-t", topic, "-e", "-q", "-o", "beginning", "-f", "%T %s\\n"]);
    for line in times.expect("kcat was there before").lines() {
        let (time, signal) = line.split_once(' ').expect("two parts");
        let signal: Value = serde_json::from_str(signal).expect("JSON");
        assert_eq!(time.parse(), Ok(made[signal["signalId"].as_str().expect("text")]), "{line}");
    }
}

/// What was sent of a key came in the order of the journal.
fn in_order(brokers: &str, topic: &str, sent: &BTreeMap<String, Value>) {
    let mut by_position: Vec<&Value> = sent.values().collect();
    by_position.sort_by_key(|outcome| outcome["position"].as_u64());
    let mut newest = BTreeMap::new();
    for outcome in by_position {
        let (partition, offset) = (outcome["partition"].as_u64(), outcome["offset"].as_u64());
        assert!(newest.insert(partition, offset) < Some(offset), "{outcome}");
    }
    // Inside the partitions they are where it is said.
    let stored = stored(brokers, topic);
    for (partition, offset) in newest {
        let last = stored.iter().filter(|one| u64::try_from(one.partition).ok() == partition).count() as u64;
        assert_eq!(offset, Some(last - 1), "the newest of partition {partition:?}");
    }
}

/// Without a journal the letter's own payload is sent, if it is whole.
fn without_a_journal(play: &Play, brokers: &str, id: &str) {
    let (data, topic) = (play.data(), format!("{NAME}.signals"));
    std::fs::rename(data.join("journal"), data.join("journal.away")).expect("renamed");
    let before = stored(brokers, &topic).len();
    let (code, outcomes) = redrive(play, &["--kafka", "--again", "--id", id]);
    assert_eq!((code, ended(&outcomes, "sent")), (Some(0), 1), "{outcomes:?}");
    assert_eq!(stored(brokers, &topic).len(), before + 1);
    // As bytes and keys it is what it was.
    assert_eq!(signals(brokers, &topic).1, 2, "a repeat more");
    let values: BTreeSet<Vec<u8>> = stored(brokers, &topic).into_iter().map(|one| one.value).collect();
    assert_eq!(values.len(), before - 1, "no other content");

    // A part of it is not sent for the whole.
    let letters = stored(brokers, &format!("{NAME}.dead_letters"));
    let mut letter = letters.iter().map(Stored::json).find(|letter| letter["id"] == *id);
    let letter = letter.as_mut().expect("its letter");
    let part: String = letter["payload"].as_str().expect("text").chars().take(100).collect();
    letter["payload"] = part.into();
    std::fs::create_dir(data.join("dead_letters")).expect("made");
    let file = data.join("dead_letters/00000000000000000001.ndjson");
    std::fs::write(file, format!("{letter}\n")).expect("written");
    let (code, outcomes) = redrive(play, &["--again"]);
    assert_eq!((code, ended(&outcomes, "skipped")), (Some(1), 1), "{outcomes:?}");
    let why = outcomes[0]["why"].as_str().expect("text");
    assert!(why.contains("the journal no longer has position"), "{why}");
    assert_eq!(stored(brokers, &topic).len(), before + 1);
}
