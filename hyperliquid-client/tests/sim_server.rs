//! The simulated venue over real sockets: what a client sees on the wire.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code: a panic is a failed test")]

mod sim_client;

use std::time::Duration;

use hyperliquid_client::sim::{
    Block, BlockFill, Market, MarketConfig, SimConfig, SimError, SimHandle, SimLimits, SimPhase, SimTls,
    SimVenue, Speed, Stream,
};
use serde_json::{Value, json};
use sim_client::{Client, Got, http, info, post, raw, tls};

const USER: &str = "0x00000000000000000000000000000000000000aa";

fn start(config: SimConfig) -> SimHandle {
    SimVenue::start(config).unwrap()
}

fn manual(faults: &[&str]) -> SimHandle {
    let mut config = SimConfig::manual();
    config.venue.snapshot_before_ack = 0.0;
    config.faults = faults.iter().map(|text| text.parse().unwrap()).collect();
    start(config)
}

/// A block with one buy of `USER`.
fn block(tid: u64) -> Block {
    let time = 1_790_000_000_000 + tid;
    let fill = json!({"coin":"ETH","px":"2400.5","sz":"1.0","side":"B","time":time,
        "startPosition":format!("{}.0", tid - 1),"dir":"Open Long","closedPnl":"0.0","hash":"0x1","oid":7,
        "crossed":true,"fee":"0.1","tid":tid,"feeToken":"USDC","twapId":null});
    let fill = serde_json::from_value(fill).unwrap();
    let row = BlockFill { user: USER.into(), stream: Stream::Fills, twap_id: None, fill };
    Block { time, fills: vec![row], marks: Vec::new() }
}

/// A client whose `userFills` of `USER` is acknowledged and snapshotted.
fn follower(venue: &SimHandle) -> Client {
    let mut client = Client::connect(venue.addr());
    client.subscribe("userFills", USER);
    assert_eq!(client.json()["channel"], "subscriptionResponse");
    assert_eq!(client.json()["data"]["isSnapshot"], true);
    client
}

#[test]
fn every_row_of_a_market_reaches_its_follower_in_order() {
    let market = MarketConfig { seed: 3, blocks: Some(300), ..MarketConfig::default() };
    let mut config = SimConfig::new(hyperliquid_client::sim::SimSource::Synthetic(market));
    config.speed = Speed::Max;
    config.wait_subscriptions = 6;
    let venue = start(config);
    let users = venue.accounts().to_vec();
    assert!(users.len() >= 3);
    let mut client = Client::connect(venue.addr());
    for user in &users {
        client.subscribe("userTwapSliceFills", user);
        client.on("subscriptionResponse");
    }
    assert_eq!(venue.phase(), SimPhase::Waiting, "it waits for the userFills subscriptions");
    for user in &users {
        client.subscribe("userFills", user);
    }
    let mut got: Vec<Vec<String>> = vec![Vec::new(); users.len() * 2];
    let expected = || -> Vec<Vec<String>> {
        let truth = venue.truth(0);
        let of = |user: &str, stream| {
            let rows = truth.iter().filter(move |row| row.live && &*row.user == user && row.stream == stream);
            rows.map(|row| serde_json::from_str::<Value>(&row.text).unwrap().to_string()).collect()
        };
        users.iter().flat_map(|user| [of(user, Stream::Fills), of(user, Stream::Twap)]).collect()
    };
    assert!(venue.wait_finished(Duration::from_secs(60)));
    let expected = expected();
    let total: usize = expected.iter().map(Vec::len).sum();
    while got.iter().map(Vec::len).sum::<usize>() < total {
        let frame = client.json();
        let data = &frame["data"];
        if data["isSnapshot"] == true || data["user"].is_null() {
            continue;
        }
        let at = users.iter().position(|user| data["user"] == **user).unwrap();
        let (at, key) =
            if frame["channel"] == "userFills" { (2 * at, "fills") } else { (2 * at + 1, "twapSliceFills") };
        got[at].extend(data[key].as_array().unwrap().iter().map(Value::to_string));
    }
    assert_eq!(got, expected);
    assert!(total > 300, "{total}");
    client.send(r#"{"method":"ping"}"#);
    assert_eq!(client.json(), json!({"channel":"pong"}), "it keeps serving after the end");
    venue.stop().unwrap();
}

#[test]
fn the_demo_is_lively_within_its_first_seconds() {
    let venue = start(SimConfig::synthetic(1, 1_790_000_000_000));
    let mut client = Client::connect(venue.addr());
    for user in venue.accounts() {
        client.subscribe("userFills", user);
    }
    let mut live = 0;
    while live < 20 {
        let frame = client.json();
        if frame["channel"] == "userFills" && frame["data"]["isSnapshot"].is_null() {
            live += frame["data"]["fills"].as_array().unwrap().len();
        }
    }
    let played = venue.status().blocks - u64::from(MarketConfig::default().history_blocks);
    assert!(played < 60, "20 fills took {played} blocks of 200 ms");
    assert_eq!(venue.accounts().len(), Market::followed().len());
}

#[test]
fn nonsense_is_on_the_wire_as_ordered() {
    let venue = manual(&[]);
    let mut client = follower(&venue);
    venue.add_fault("bad-utf8".parse().unwrap());
    let Got::Text(text, 1) = client.next() else { panic!() };
    assert!(String::from_utf8(text).is_err());
    venue.add_fault("huge=2MiB".parse().unwrap());
    let Got::Text(text, 1) = client.next() else { panic!() };
    assert_eq!(text.len(), 2 << 20);
    venue.add_fault("ping-flood=5".parse().unwrap());
    for _ in 0..5 {
        assert_eq!(client.next(), Got::Ping(b"flood".to_vec()));
    }
    venue.add_fault("fragment=1".parse().unwrap());
    venue.play(&block(1));
    let Got::Text(text, frames) = client.next() else { panic!() };
    assert_eq!(frames, text.len());
    assert_eq!(serde_json::from_slice::<Value>(&text).unwrap()["data"]["fills"][0]["tid"], 1);
    assert_eq!(venue.inject(Some(USER), b"Websocket connection established."), 1);
    assert_eq!(client.next(), Got::Text(b"Websocket connection established.".to_vec(), 1));
    let counts = venue.fault_counts();
    assert!(counts.len() == 4 && counts.values().all(|count| *count == 1), "{counts:?}");
}

#[test]
fn sockets_end_as_told() {
    let venue = manual(&[]);
    let mut client = follower(&venue);
    venue.close_sockets(1012);
    assert_eq!(client.next(), Got::Close(1012, String::new()));
    let mut client = follower(&venue);
    venue.close_sockets(1006);
    assert_eq!(client.next(), Got::Eof);
    let mut client = follower(&venue);
    client.frame(0x9, b"are you there");
    assert_eq!(client.next(), Got::Pong(b"are you there".to_vec()));
    client.frame(0x8, &1000_u16.to_be_bytes());
    assert_eq!(client.next(), Got::Close(1000, String::new()));
    assert_eq!(client.next(), Got::Eof);
}

#[test]
fn a_client_that_does_not_read_is_closed_and_the_others_are_not_harmed() {
    let mut config = SimConfig::manual();
    config.queue_frames = 16;
    let venue = start(config);
    let mut slow = Client::connect(venue.addr());
    slow.subscribe("userFills", USER);
    slow.on("userFills");
    let mut tid = 0;
    while venue.status().slow_closed == 0 {
        // 256 KiB at a time, until the kernel's buffers are full too.
        venue.inject(Some(USER), &vec![b' '; 256 << 10]);
        tid += 1;
        assert!(tid < 10_000, "an unread socket took more than 2 GiB");
    }
    let mut good = Client::connect(venue.addr());
    good.subscribe("userFills", USER);
    assert_eq!(good.on("userFills")["data"]["isSnapshot"], true);
    venue.play(&block(1));
    assert_eq!(good.on("userFills")["data"]["fills"][0]["tid"], 1);
}

#[test]
fn limits_and_faults_of_the_handshake() {
    let venue = manual(&[]);
    venue.set_limits(SimLimits { connections: 1, ..SimLimits::default() });
    let first = Client::connect(venue.addr());
    assert_eq!(Client::try_connect(venue.addr()).err(), Some(Some(429)));
    drop(first);
    venue.set_limits(SimLimits::generous());
    venue.add_fault("handshake=403".parse().unwrap());
    assert_eq!(Client::try_connect(venue.addr()).err(), Some(Some(403)));
    venue.clear_faults();
    venue.add_fault("outage=0..1h".parse().unwrap());
    assert_eq!(Client::try_connect(venue.addr()).err(), Some(None));
    assert_eq!(info(venue.addr(), r#"{"type":"meta"}"#), None);
    venue.clear_faults();
    Client::connect(venue.addr());
}

#[test]
fn info_over_http() {
    let venue = manual(&[]);
    venue.play_history(&block(1));
    let rows = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap();
    let ask = format!(r#"{{"type":"userFillsByTime","user":"{USER}","startTime":0}}"#);
    let (status, head, body) = info(venue.addr(), &ask).unwrap();
    assert_eq!((status, &rows(&body)[0]["tid"]), (200, &json!(1)));
    assert!(head.contains("content-type: application/json"));
    assert_eq!(info(venue.addr(), "nonsense").unwrap().0, 422);
    assert_eq!(http(raw(venue.addr()), &post("/other", "", "{}")).unwrap().0, 404);
    let untyped = post("/info", "", &ask).replace("Content-Type: application/json\r\n", "");
    assert_eq!(http(raw(venue.addr()), &untyped).unwrap().0, 415);
    assert_eq!(http(raw(venue.addr()), &post("/info", "", &"x".repeat(70_000))).unwrap().0, 413);
    let get = "GET /info HTTP/1.1\r\nHost: venue\r\nConnection: close\r\n\r\n";
    assert_eq!(http(raw(venue.addr()), get).unwrap().0, 405);
    venue.set_limits(SimLimits { info_weight_per_minute: 21, ..SimLimits::default() });
    let (status, head, _) = info(venue.addr(), &ask).unwrap();
    assert!(status == 429 && head.contains("retry-after: "), "{status} {head}");
    venue.set_limits(SimLimits::default());
    venue.add_fault("info-half=1".parse().unwrap());
    let (status, head, body) = info(venue.addr(), &ask).unwrap();
    assert!(status == 200 && head.contains("transfer-encoding: chunked"), "{head}");
    assert!(!body.ends_with(b"0\r\n\r\n"), "the last chunk never comes");
}

#[test]
fn tokens_are_required_everywhere_and_accepted_in_header_and_query() {
    let mut config = SimConfig::manual();
    config.require_token = Some("s3cret".to_owned());
    let venue = start(config);
    let addr = venue.addr();
    for (path, header) in [
        ("/ws", ""),
        ("/ws?token=wrong", ""),
        ("/ws?token=s3cre", ""),
        ("/ws", "Authorization: Bearer wrong\r\n"),
        ("/ws", "Authorization: s3cret\r\n"),
    ] {
        assert_eq!(Client::with_header(addr, path, header).err(), Some(Some(401)), "{path} {header}");
    }
    assert_eq!(info(addr, r#"{"type":"meta"}"#).unwrap().0, 401);
    assert!(Client::with_header(addr, "/ws?a=b&token=s3cret", "").is_ok());
    assert!(Client::with_header(addr, "/ws?token=s%33cre%74", "").is_ok(), "escaped");
    assert!(Client::with_header(addr, "/ws", "Authorization: Bearer s3cret\r\n").is_ok());
    let request = post("/info", "Authorization: Bearer s3cret\r\n", r#"{"type":"meta"}"#);
    assert_eq!(http(raw(addr), &request).unwrap().0, 200);
}

#[test]
fn tls_is_trusted_by_its_authority_and_for_its_names_only() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    let mut config = SimConfig::manual();
    config.tls = Some(SimTls { ca_pem_path: Some(path.clone()), ..SimTls::default() });
    let venue = start(config);
    assert!(venue.ws_url().starts_with("wss://") && venue.info_url().starts_with("https://"));
    let ca = std::fs::read_to_string(path).unwrap();
    assert_eq!(venue.ca_pem(), Some(&*ca));
    for name in ["localhost", "127.0.0.1"] {
        let stream = tls(venue.addr(), &ca, name).unwrap();
        let mut client = Client::upgrade(stream, "/ws", "").unwrap();
        client.send(r#"{"method":"ping"}"#);
        assert_eq!(client.json(), json!({"channel":"pong"}));
    }
    let stream = tls(venue.addr(), &ca, "localhost").unwrap();
    assert_eq!(http(stream, &post("/info", "", r#"{"type":"meta"}"#)).unwrap().0, 200);
    assert!(tls(venue.addr(), &ca, "other.example").is_err(), "wrong name");
    let mut config = SimConfig::manual();
    config.tls = Some(SimTls::default());
    let other = start(config);
    assert!(tls(venue.addr(), other.ca_pem().unwrap(), "localhost").is_err(), "unknown authority");
}

#[test]
fn bad_configurations_do_not_start() {
    let taken = manual(&[]);
    let mut config = SimConfig::manual();
    config.listen = taken.addr();
    assert!(matches!(SimVenue::start(config), Err(SimError::Bind { .. })));
    let mut config = SimConfig::manual();
    config.speed = Speed::Times(0.0);
    assert_eq!(SimVenue::start(config).unwrap_err().to_string(), "speed 0 is not positive");
    let mut config = SimConfig::manual();
    config.require_token = Some(String::new());
    assert!(matches!(SimVenue::start(config), Err(SimError::EmptyToken)));
    let mut config = SimConfig::manual();
    config.tls = Some(SimTls { ca_pem_path: Some("/nowhere/at/all/ca.pem".into()), ..SimTls::default() });
    assert!(matches!(SimVenue::start(config), Err(SimError::CaPem { .. })));
}

#[test]
fn a_greeting_comes_first() {
    let mut config = SimConfig::manual();
    config.venue.greeting = Some("Websocket connection established.".to_owned());
    let venue = start(config);
    let mut client = Client::connect(venue.addr());
    assert_eq!(client.next(), Got::Text(b"Websocket connection established.".to_vec(), 1));
    client.send(r#"{"method":"ping"}"#);
    assert_eq!(client.json(), json!({"channel":"pong"}));
}

#[test]
fn a_broken_handshake_leaves_nothing_behind() {
    let venue = manual(&[]);
    let request = "GET /ws HTTP/1.1\r\nHost: venue\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
    let mut stream = raw(venue.addr());
    std::io::Write::write_all(&mut stream, request.as_bytes()).unwrap();
    let mut answer = [0; 12];
    std::io::Read::read_exact(&mut stream, &mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 400");
    assert_eq!(venue.status().connections, 0);
}

#[test]
fn a_paused_play_waits() {
    let market = MarketConfig { blocks: Some(50), history_blocks: 0, ..MarketConfig::default() };
    let mut config = SimConfig::new(hyperliquid_client::sim::SimSource::Synthetic(market));
    config.speed = Speed::Max;
    config.wait_subscriptions = 1;
    let venue = start(config);
    venue.pause();
    let mut client = Client::connect(venue.addr());
    client.subscribe("userFills", USER);
    client.on("userFills");
    assert!(venue.wait_playing(Duration::from_secs(20)));
    assert_eq!((venue.status().blocks, venue.phase()), (0, SimPhase::Playing));
    venue.resume();
    assert!(venue.wait_finished(Duration::from_secs(20)));
    assert_eq!(venue.status().blocks, 50);
}
