//! The I/O half against the simulated venue, over TLS and with a token: every row arrives, once, byte for byte; history agrees.
#![cfg(feature = "sim")]

mod io_support;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::rc::Rc;
use std::time::Duration;

use hyperliquid_client::auth::{Auth, SecretRef};
use hyperliquid_client::decode::{Decoded, Frame};
use hyperliquid_client::info::InfoRequest;
use hyperliquid_client::io::{
    ConnectError, Control, DialError, Dns, Egress, Endpoint, EndpointConfig, Handler, HistoryOf,
    HistoryReader, HistoryRows, InfoClient, InfoError, Listener, ListenerConfig, ListenerEvent, Received,
    Refused, VenueConnector, connect,
};
use hyperliquid_client::limits::VenueLimits;
use hyperliquid_client::pager::PagerEnd;
use hyperliquid_client::session::SessionConfig;
use hyperliquid_client::sim::{
    MarketConfig, SimConfig, SimHandle, SimSource, SimTls, SimVenue, Speed, Stream, TruthRow,
};
use hyperliquid_client::weight::{Lane, WeightBudget};
use hyperliquid_client::wire::{Address, Subscription};
use io_support::*;
use tokio::sync::Notify;

/// The rows of each account and stream, as the venue wrote them.
type Rows = BTreeMap<(String, bool), Vec<String>>;

#[derive(Default)]
struct Collector {
    rows: Rows,
    count: usize,
    other: Vec<String>,
    arrived: Rc<Notify>,
}

impl Handler for Collector {
    #[expect(clippy::wildcard_enum_match_arm, reason = "rows are what this test is about")]
    fn on_frame(&mut self, message: &Decoded<'_>, _: &[u8], received: Received) {
        assert_eq!(received.unix_ns, 7, "stamped by the clock given in");
        let (key, rows): (_, Vec<&[u8]>) = match &message.frame {
            Frame::Fills(fills) if !fills.is_snapshot => {
                let rows = fills.rows.iter().map(|row| row.as_ref().expect("a sound fill").raw);
                ((fills.user.to_string(), false), rows.collect())
            }
            Frame::TwapFills(slices) if !slices.is_snapshot => {
                let rows = slices.rows.iter().map(|row| row.as_ref().expect("a sound slice").fill.raw);
                ((slices.user.to_string(), true), rows.collect())
            }
            _ => return,
        };
        self.count += rows.len();
        let text = |raw: &[u8]| String::from_utf8(raw.to_vec()).expect("json");
        self.rows.entry(key).or_default().extend(rows.into_iter().map(text));
        self.arrived.notify_one();
    }

    fn on_refused(&mut self, refused: &Refused<'_>, _: Received) {
        self.other.push(format!("{refused:?}"));
    }

    fn on_event(&mut self, event: &ListenerEvent<'_>) {
        if !matches!(event, ListenerEvent::Connected { .. } | ListenerEvent::Session(_)) {
            self.other.push(format!("{event:?}"));
        }
    }
}

fn venue() -> (SimHandle, tempfile::NamedTempFile) {
    let market = MarketConfig { seed: 3, blocks: Some(300), ..MarketConfig::default() };
    let mut config = SimConfig::new(SimSource::Synthetic(market));
    config.speed = Speed::Max;
    config.venue.index_lag = (Duration::ZERO, Duration::ZERO);
    config.tls = Some(SimTls::default());
    config.require_token = Some(TOKEN.to_owned());
    config.wait_subscriptions = 6;
    let venue = SimVenue::start(config).expect("started");
    let mut ca_file = tempfile::NamedTempFile::new().expect("a temporary file");
    ca_file.write_all(venue.ca_pem().expect("tls").as_bytes()).expect("written");
    (venue, ca_file)
}

fn endpoint_of(venue: &SimHandle, ca_file: Option<&tempfile::NamedTempFile>, token: &str) -> Endpoint {
    let secret = SecretRef::new("env:TOKEN", token).expect("a secret");
    endpoint(EndpointConfig {
        auth: Auth::Query { name: "token".into(), secret },
        ca_file: ca_file.map(|file| file.path().to_owned()),
        ..config(venue.ws_url())
    })
}

#[tokio::test]
async fn every_row_arrives_once_as_it_was_written_and_history_holds_the_same() {
    let (venue, ca_file) = venue();
    let endpoint = endpoint_of(&venue, Some(&ca_file), TOKEN);
    let users: Vec<Address> =
        venue.accounts().iter().map(|user| Address::parse(user).expect("an account")).collect();
    let control = Control::new(SessionConfig::default());
    for user in &users {
        control.subscribe(Subscription::UserTwapSliceFills { user: *user });
    }
    for user in &users {
        control.subscribe(Subscription::UserFills { user: *user });
    }
    let collector = Rc::new(RefCell::new(Collector::default()));
    let arrived = Rc::clone(&collector.borrow().arrived);
    let dialer = endpoint.dialer(Dns::system()).expect("roots");
    let connector = VenueConnector::new(endpoint.clone(), dialer.clone(), clock());
    let egress = Egress::new(&VenueLimits::default());
    let listener =
        Listener::new(connector, control.clone(), egress, Rc::clone(&collector), ListenerConfig::default());

    let venue = Rc::new(venue);
    let until_all_arrived = async {
        while !venue.wait_finished(Duration::ZERO) || collector.borrow().count < sent(&venue).len() {
            // The venue's end makes no frame: it is looked at now and then.
            let _ = tokio::time::timeout(Duration::from_millis(20), arrived.notified()).await;
        }
        control.stop();
    };
    let both = async { tokio::join!(listener.run(), until_all_arrived) };
    if tokio::time::timeout(Duration::from_secs(20), both).await.is_err() {
        let (count, phase) = (collector.borrow().count, venue.phase());
        panic!("{count} rows of {} arrived, {phase:?}: {:?}", sent(&venue).len(), collector.borrow().other);
    }

    let mut expected = Rows::new();
    for row in sent(&venue) {
        expected
            .entry((row.user.to_string(), row.stream == Stream::Twap))
            .or_default()
            .push(row.text.to_string());
    }
    let mut collected = collector.take();
    collected.rows.retain(|_, rows| !rows.is_empty());
    assert_eq!(collected.rows, expected);
    let [connecting, ended] = &collected.other[..] else { panic!("{:?}", collected.other) };
    assert!(connecting == "Connecting" && ended.contains("Stopped"), "{connecting} {ended}");

    let weight = Rc::new(RefCell::new(WeightBudget::new(1200, 0).expect("enough")));
    let mut reader = HistoryReader::new(InfoClient::new(endpoint, dialer, clock()), weight);
    let user = users[0];
    let mut rows = Vec::new();
    let end = reader
        .walk(HistoryOf::Fills, user, 0, 5, Lane::Priority, |page| {
            let HistoryRows::Fills(fills) = &page.rows else { panic!("fills were asked for") };
            for at in page.report.fresh {
                let raw = fills.rows[at].as_ref().expect("a sound fill").raw;
                rows.push(String::from_utf8(raw.to_vec()).expect("json"));
            }
        })
        .await
        .expect("walked");
    assert_eq!(end, PagerEnd::Complete);
    let of_user = |row: &TruthRow| row.stream == Stream::Fills && *row.user == *user.to_string();
    let held: Vec<String> =
        venue.truth(0).iter().filter(|row| of_user(row)).map(|row| row.text.to_string()).collect();
    assert_eq!(rows, held);
}

/// What the venue sent to the followers of its accounts, snapshots aside.
fn sent(venue: &SimHandle) -> Vec<TruthRow> {
    let followed = |row: &TruthRow| venue.accounts().iter().any(|user| **user == *row.user);
    venue.truth(0).into_iter().filter(|row| row.live && followed(row)).collect()
}

#[tokio::test]
async fn a_wrong_token_and_an_unknown_authority_are_told_apart_and_show_nothing() {
    let (venue, ca_file) = venue();
    let wrong = endpoint_of(&venue, Some(&ca_file), "hunter2 wrong");
    let dialer = wrong.dialer(Dns::system()).expect("roots");
    let error = connect(&wrong, &dialer, &clock()).await.map(drop).expect_err("refused");
    assert!(matches!(error, ConnectError::Unauthorised { .. }), "{error:?}");
    assert_no_token(&everything_shown(&error));
    let error =
        InfoClient::new(wrong, dialer, clock()).ask(&InfoRequest::PerpDexs).await.expect_err("refused");
    assert!(matches!(error, InfoError::Unauthorised { .. }), "{error:?}");
    assert_no_token(&everything_shown(&error));

    let untrusting = endpoint_of(&venue, None, TOKEN);
    let dialer = untrusting.dialer(Dns::system()).expect("roots");
    let error = connect(&untrusting, &dialer, &clock()).await.map(drop).expect_err("refused");
    assert!(matches!(error, ConnectError::Dial(DialError::Tls { .. })), "{error:?}");
    assert_no_token(&everything_shown(&error));
}
