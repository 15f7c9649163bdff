//! The text of a fault: what is understood, and what is refused with which words.

use super::*;

const ADDR: &str = "0x00000000000000000000000000000000000000Aa";

#[test]
fn every_documented_form_is_understood() {
    let mute = format!("mute={ADDR}@10s..40s#1/2");
    for text in [
        "drop=0.05",
        "drop=1@10s..20s",
        "dup=0.02",
        "corrupt=0.01",
        "truncate=0.1",
        "fragment=0.1",
        "split=1",
        "delay=0..3000@0.03",
        &mute,
        "mute=*@5s",
        "wrong-state=*@5s..9s",
        "outage@60s..90s",
        "outage=60s..90s",
        "handshake=403@1s..2s",
        "handshake=hang",
        "close=every:30s",
        "close=1001@5s",
        "close=1006@every:1m",
        "malformed@5s",
        "truncated@5s",
        "bad-utf8@5s",
        "deep@5s",
        "unknown-channel@5s",
        "unfollowed@every:500ms",
        "huge=64MiB@5s",
        "ping-flood@5s",
        "ping-flood=10@5s",
        "unknown-field@5s",
        "unknown-dir@5s",
        "mismatch@5s",
        "other-tid@5s",
        "bad-fill=missing_field@5s",
        "bad-fill=no_time",
        "bad-fill=wrong_type",
        "bad-fill=null",
        "bad-fill=nan",
        "bad-fill=infinity",
        "bad-fill=text",
        "bad-fill=forty-digits",
        "no-ack@5s",
        "no-ack=3",
        "too-many-users=5@20s",
        "limit=messages_per_minute:9@1s",
        "info-lag=90s",
        "info-429=0.1",
        "info-500=0.1",
        "info-short=0.04",
        "info-empty=0.04",
        "info-half=0.1",
        "info-stale=60s@0.1",
        "info-slow=10..20@0.5",
        "page-cap=500",
        "twap-page-cap=500",
        "retention=400",
    ] {
        let spec: FaultSpec = text.parse().unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(spec.to_string(), *text);
        assert!(text.starts_with(spec.kind.name()), "{text}");
    }
    let spec: FaultSpec = mute.parse().unwrap();
    assert_eq!(spec.kind, Kind::Mute(Some(ADDR.to_ascii_lowercase())));
    assert_eq!(spec.when, When::Window(Duration::from_secs(10)..Duration::from_secs(40)));
    assert_eq!(spec.conns, Some((1, 2)));
    let spec: FaultSpec = "delay=0..3000@0.03".parse().unwrap();
    assert_eq!(spec.kind, Kind::Frame(FrameFault::Delay(0..3000), 0.03));
}

#[test]
fn what_is_not_understood_is_named() {
    for (text, part) in [
        ("", "no fault called"),
        ("drip=0.1", "no fault called `drip`"),
        ("drop", "needs a value"),
        ("drop=2", "probability"),
        ("drop=x", "probability"),
        ("drop=0.1@every:3s", "lasts"),
        ("delay=5@0.1", "range"),
        ("delay=9..5@0.1", "ends before"),
        ("delay=1..5", "needs a probability"),
        ("mute=0x12", "not an address"),
        ("outage", "needs its end"),
        ("outage@9s..3s", "ends before"),
        ("close=5", "close code"),
        ("close=every:0", "shorter"),
        ("huge=64GiB", "size"),
        ("huge=999MiB", "size"),
        ("malformed=3", "takes no value"),
        ("malformed@1s..2s", "moment"),
        ("bad-fill=odd", "no kind"),
        ("limit=user:3", "no limit called"),
        ("page-cap=0", "one row"),
        ("info-lag=90y", "not a time"),
        ("info-lag=99999999h", "longer than a year"),
        ("drop=0.1#2/2", "K below N"),
        ("handshake=200", "400 to 599"),
    ] {
        let error = text.parse::<FaultSpec>().unwrap_err();
        assert_eq!(error.spec, text);
        assert!(error.to_string().contains(part), "{error}");
    }
}
