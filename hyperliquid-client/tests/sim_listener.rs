//! The client half and the simulated venue together, over TLS and with a token: a listener that is cut off comes back,
//! everything it hears is true, and history gives the rest.
#![cfg(feature = "sim")]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "test code: a panic is a failed test")]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use hyperliquid_client::auth::{Auth, SecretRef};
use hyperliquid_client::decode::{Decoded, Decoder, Frame};
use hyperliquid_client::info::InfoRequest;
use hyperliquid_client::io::Control;
use hyperliquid_client::io::{
    Dns, Egress, Endpoint, EndpointConfig, Handler, InfoClient, Listener, ListenerConfig, ListenerEvent,
    Received, Refused, VenueConnector, WallClock,
};
use hyperliquid_client::limits::VenueLimits;
use hyperliquid_client::session::SessionConfig;
use hyperliquid_client::sim::{
    MarketConfig, SimConfig, SimHandle, SimPhase, SimSource, SimTls, SimVenue, Speed, Stream,
};
use hyperliquid_client::wire::{Address, Subscription};

const TOKEN: &str = "a token nobody else has";

/// Hears one connection; cuts it off twice, and stops it when the play is over.
struct Ears {
    venue: Rc<SimHandle>,
    control: Control,
    heard: BTreeSet<(String, u64)>,
    frames: u64,
    refused: u64,
}

impl Handler for Ears {
    fn on_frame(&mut self, message: &Decoded<'_>, _: &[u8], _: Received) {
        if let Frame::Fills(frame) = &message.frame {
            let user = frame.user.to_string();
            self.heard.extend(frame.rows.iter().map(|row| (user.clone(), row.as_ref().unwrap().tid)));
            self.frames += 1;
            if self.frames == 50 || self.frames == 150 {
                self.venue.close_sockets(if self.frames == 50 { 1006 } else { 1001 });
            }
        }
        if self.venue.phase() == SimPhase::Finished {
            self.control.stop();
        }
    }

    fn on_refused(&mut self, _: &Refused<'_>, _: Received) {
        self.refused += 1;
    }

    fn on_event(&mut self, _: &ListenerEvent<'_>) {}
}

#[tokio::test]
async fn a_listener_survives_being_cut_off_and_history_has_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let ca_file = dir.path().join("ca.pem");
    let market = MarketConfig { seed: 4, blocks: Some(200), ..MarketConfig::default() };
    let mut config = SimConfig::new(SimSource::Synthetic(market));
    config.speed = Speed::Times(20.0);
    config.wait_subscriptions = 6;
    config.venue.index_lag = (Duration::ZERO, Duration::ZERO);
    config.tls = Some(SimTls { ca_pem_path: Some(ca_file.clone()), ..SimTls::default() });
    config.require_token = Some(TOKEN.to_owned());
    let venue = Rc::new(SimVenue::start(config).unwrap());

    let endpoint = Endpoint::new(EndpointConfig {
        ca_file: Some(ca_file),
        auth: Auth::Query { name: "token".into(), secret: SecretRef::new("env:TOKEN", TOKEN).unwrap() },
        ..EndpointConfig::new("sim", venue.ws_url())
    })
    .unwrap();
    let dialer = endpoint.dialer(Dns::system()).unwrap();
    let clock = WallClock::new(|| 7);
    let users: Vec<Address> = venue.accounts().iter().map(|user| Address::parse(user).unwrap()).collect();
    let control = Control::new(SessionConfig::default());
    for &user in &users {
        control.subscribe(Subscription::UserFills { user });
        control.subscribe(Subscription::AllDexsClearinghouseState { user });
    }
    let ears = Ears {
        venue: venue.clone(),
        control: control.clone(),
        heard: BTreeSet::new(),
        frames: 0,
        refused: 0,
    };
    let ears = Rc::new(RefCell::new(ears));
    let connector = VenueConnector::new(endpoint.clone(), dialer.clone(), clock.clone());
    let egress = Egress::new(&VenueLimits::default());
    let run = Listener::new(connector, control, egress, ears.clone(), ListenerConfig::default()).run();
    let local = tokio::task::LocalSet::new();
    let run = local.run_until(run);
    tokio::time::timeout(Duration::from_secs(60), run).await.expect("the play takes 2 s");

    let status = venue.status();
    assert!(status.connections_total >= 3 && status.refused_by_limits == 0, "{status:?}");
    let truth: BTreeSet<(String, u64)> = venue
        .truth(0)
        .iter()
        .filter(|row| row.stream == Stream::Fills && venue.accounts().iter().any(|user| **user == *row.user))
        .map(|row| (row.user.to_string(), row.tid))
        .collect();
    {
        let ears = ears.borrow();
        assert!(ears.refused == 0 && ears.heard.len() > 200, "{}", ears.heard.len());
        assert!(ears.heard.is_subset(&truth), "nothing was heard that did not happen");
    }

    let mut info = InfoClient::new(endpoint, dialer, clock);
    let mut decoder = Decoder::new();
    let mut history = BTreeSet::new();
    for &user in &users {
        let answer =
            info.ask(&InfoRequest::UserFillsByTime { user, start_ms: 0, end_ms: None }).await.unwrap();
        let page = decoder.fills_page(&answer.body).unwrap();
        history.extend(page.rows.iter().map(|row| (user.to_string(), row.as_ref().unwrap().tid)));
    }
    assert_eq!(history, truth);
}
