//! The signals on disk against the expected documents, field by field, read as any consumer would: none of our crates is used here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::{Value, json};

use super::document::Documents;

/// Influencer, market, source event id.
pub type Event = (String, String, String);

/// The files of a stream, one after the other in name order.
pub fn concatenated(data: &Path, stream: &str) -> Vec<u8> {
    let mut files: Vec<_> = std::fs::read_dir(data.join(stream))
        .expect("the stream has a directory")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "ndjson"))
        .collect();
    files.sort();
    files.iter().flat_map(|path| std::fs::read(path).expect("readable")).collect()
}

/// How many files a stream has.
pub fn files(data: &Path, stream: &str) -> usize {
    let entries = std::fs::read_dir(data.join(stream)).expect("the stream has a directory");
    entries.filter(|entry| entry.as_ref().is_ok_and(|entry| entry.path().extension().is_some())).count()
}

/// The signals in the files.
pub fn stored(data: &Path) -> Vec<Value> {
    let bytes = concatenated(data, "signals");
    assert!(bytes.is_empty() || bytes.ends_with(b"\n"), "the last line is whole");
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| serde_json::from_slice(line).expect("a line is JSON")).collect()
}

/// What the run allows besides the events themselves.
pub struct Allowed<'a> {
    /// `origin`s that may occur.
    pub origins: &'a [&'a str],
    /// Exactly these carry a `gapId`; `None`: not judged.
    pub gaps: Option<&'a BTreeSet<Event>>,
    /// Whether events may come after newer ones of their market, when they say `late`.
    pub late: bool,
}

/// Panics unless `signals` are exactly the expected ones: each once, in chain order per influencer and market, every field as it
/// must be, `seq` without holes inside an epoch.
pub fn judge(signals: &[Value], expected: &Documents, allowed: &Allowed<'_>) {
    judge_beside(signals, expected, allowed, |_| false);
}

/// The same where some signals are of what never happened: they are numbered like the others, and the rest must be right without them.
pub fn judge_beside(
    signals: &[Value],
    expected: &Documents,
    allowed: &Allowed<'_>,
    is_phantom: impl Fn(&Value) -> bool,
) {
    let mut ids = BTreeSet::new();
    let mut streams: BTreeMap<(String, String), Vec<&Value>> = BTreeMap::new();
    for signal in signals {
        let text = |key: &str| signal[key].as_str().unwrap_or_else(|| panic!("{key} in {signal}")).to_owned();
        assert!(is_phantom(signal) || ids.insert(text("signalId")), "twice in the files: {signal}");
        streams.entry((text("influencerId"), text("market"))).or_default().push(signal);
    }
    for signals in streams.values_mut() {
        judge_numbering(signals);
        signals.retain(|signal| !is_phantom(signal));
    }
    streams.retain(|_, signals| !signals.is_empty());
    for key in streams.keys() {
        assert!(expected.contains_key(key), "nothing was expected of {key:?}");
    }
    for (key, wanted) in expected {
        let found = streams.get(key).map(Vec::as_slice).unwrap_or_default();
        let event = |signal: &Value| signal["sourceEventId"].as_str().unwrap_or_default().to_owned();
        // In the order of the chain, the late ones where they belong: the others must be in order by themselves.
        let mut found = found.to_vec();
        if allowed.late {
            let place: BTreeMap<String, usize> = wanted.iter().map(event).zip(0..).collect();
            let (late, in_time): (Vec<&Value>, Vec<&Value>) =
                found.iter().partition(|signal| signal["late"] == json!(true));
            let places: Vec<_> = in_time.iter().map(|signal| place.get(&event(signal))).collect();
            assert!(places.is_sorted(), "{key:?}: those that are not late are out of order");
            found = [in_time, late].concat();
            found.sort_by_key(|signal| place.get(&event(signal)));
        }
        let found_events: Vec<String> = found.iter().map(|signal| event(signal)).collect();
        let wanted_events: Vec<String> = wanted.iter().map(event).collect();
        assert_eq!(found_events, wanted_events, "events of {key:?} in their order");
        for (at, (found, wanted)) in found.iter().zip(wanted).enumerate() {
            judge_one(found, wanted, allowed);
            if found.get("more").is_some() && !allowed.late {
                assert!(at + 1 < found_events.len(), "nothing comes after {found}, which says more");
            }
        }
    }
}

fn judge_one(found: &Value, wanted: &Value, allowed: &Allowed<'_>) {
    let mut rest = found.as_object().expect("an object").clone();
    let metadata = rest.get_mut("metadata").and_then(Value::as_object_mut).expect("metadata");
    let listener = metadata.remove("listener").expect("a listener");
    assert!(["a", "b", "info"].contains(&listener.as_str().expect("text")), "{found}");
    for own in ["receivedAt", "epoch", "seq"] {
        let value = rest.remove(own).unwrap_or_else(|| panic!("no {own} in {found}"));
        assert!(value.as_u64().is_some_and(|value| value > 0), "{own} of {found}");
    }
    let origin = rest.remove("origin").expect("an origin");
    assert!(allowed.origins.contains(&origin.as_str().expect("text")), "origin of {found}");
    assert!(rest.remove("more").is_none_or(|more| more == json!(true)), "{found}");
    if let Some(context) = rest.remove("context") {
        judge_context(&context, found);
    }
    let gap = rest.remove("gapId");
    assert!(rest.remove("late").is_none_or(|late| allowed.late && late == json!(true)), "{found}");
    if let Some(gaps) = allowed.gaps {
        let text = |key: &str| wanted[key].as_str().expect("text").to_owned();
        let event = (text("influencerId"), text("market"), text("sourceEventId"));
        assert_eq!(gap.is_some(), gaps.contains(&event), "gapId of {found}");
    }
    assert_eq!(Value::Object(rest), *wanted, "fields of {found}");
}

/// What the venue showed of the account: by whom and when depends on the run, so only its form and its age, at most 120 s, are judged.
fn judge_context(context: &Value, found: &Value) {
    let fields = context.as_object().expect("an object");
    for (key, value) in fields.iter().filter(|(key, _)| *key != "asOf") {
        let known = ["accountValue", "leverage", "marginMode", "entryPrice"].contains(&key.as_str());
        assert!(known && value.is_string(), "{key} in the context of {found}");
    }
    let (at, of) = (context["asOf"].as_i64().expect("a time"), found["timestamp"].as_i64().expect("a time"));
    assert!((of - at).abs() <= 120_000, "the age of the context of {found}");
}

fn judge_numbering(found: &[&Value]) {
    let (mut epoch, mut seq) = (0, 0);
    for signal in found {
        let now = (signal["epoch"].as_u64().expect("a number"), signal["seq"].as_u64().expect("a number"));
        assert!(now.0 >= epoch, "an older epoch after {epoch}: {signal}");
        let wanted = if now.0 > epoch { 1 } else { seq + 1 };
        assert_eq!(now.1, wanted, "seq in {signal}");
        (epoch, seq) = now;
    }
}
