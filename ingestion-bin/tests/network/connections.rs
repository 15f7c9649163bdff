//! One listener's connection breaks in every way a network has; the other one carries on, and nobody sees a difference.

use std::time::Duration;

use hyperliquid_client::sim::SimConfig;

use super::support::eventually;
use super::support::legs::{Legs, Setting};
use super::support::market::Chains;
use super::support::proxy::{Cut, Flow, Proxy, Way, Weather};
use super::support::scene::BEGAN;
use super::support::service::Service;

const ENDED: &str = "ingestion_connection_ends_total";

const OPENED: &str = "ingestion_connections_total{listener=\"a\"}";

/// One way to lose a connection.
struct Loss {
    what: &'static str,
    strike: fn(&Proxy),
    /// As what it must be counted, one of these.
    causes: &'static [&'static str],
    /// Nothing happens until it is noticed: nobody but the pings can tell.
    silent: bool,
}

/// Frames that no server may send: reserved bits, an opcode nobody knows, a mask, a control frame in pieces or too long, the middle of a
/// message that never began.
const BROKEN: [&[u8]; 6] = [
    &[0xf1, 0x00],
    &[0x83, 0x00],
    &[0x81, 0x80, 1, 2, 3, 4],
    &[0x09, 0x00],
    &[0x89, 0x7e, 0x00, 0x80],
    &[0x80, 0x01, b'x'],
];

const LOSSES: [Loss; 14] = [
    Loss { what: "RST", strike: |proxy| proxy.cut(Cut::Reset), causes: &["io"], silent: false },
    Loss { what: "FIN", strike: |proxy| proxy.cut(Cut::Fin), causes: &["eof"], silent: false },
    Loss { what: "half a close", strike: |proxy| proxy.cut(Cut::HalfClose), causes: &["eof"], silent: false },
    Loss { what: "the middle of a frame", strike: ends_soon, causes: &["eof", "io"], silent: false },
    broken("reserved bits", |proxy| proxy.slip_in(BROKEN[0])),
    broken("an unknown opcode", |proxy| proxy.slip_in(BROKEN[1])),
    broken("a mask", |proxy| proxy.slip_in(BROKEN[2])),
    broken("a ping in pieces", |proxy| proxy.slip_in(BROKEN[3])),
    broken("a long ping", |proxy| proxy.slip_in(BROKEN[4])),
    broken("a middle without a beginning", |proxy| proxy.slip_in(BROKEN[5])),
    Loss { what: "half-open", strike: |proxy| lose(proxy, true, true), causes: &["stale"], silent: true },
    Loss { what: "nothing in", strike: |proxy| lose(proxy, false, true), causes: &["stale"], silent: true },
    Loss { what: "nothing out", strike: stuck, causes: &["stale"], silent: true },
    Loss { what: "a byte a second", strike: trickles, causes: &["stale"], silent: true },
];

const fn broken(what: &'static str, strike: fn(&Proxy)) -> Loss {
    Loss { what, strike, causes: &["protocol", "message"], silent: true }
}

fn lose(proxy: &Proxy, up: bool, down: bool) {
    let way = |lost| Way::flow(if lost { Flow::Lost } else { Flow::Open });
    proxy.set_living(&Weather { up: way(up), down: way(down) });
}

fn stuck(proxy: &Proxy) {
    proxy.set_living(&Weather { up: Way::flow(Flow::Stopped), ..Weather::default() });
}

fn trickles(proxy: &Proxy) {
    proxy.set_living(&Weather::down(Way { rate: Some(1), ..Way::default() }));
}

fn ends_soon(proxy: &Proxy) {
    // Counted from the connection's first byte; far below what it has carried already.
    proxy.set_living(&Weather::down(Way { ends_after: Some(1), ..Way::default() }));
}

fn ended(service: &Service, causes: &[&str]) -> f64 {
    causes.iter().map(|cause| service.metric(&format!("{ENDED}{{cause=\"{cause}\"}}"))).sum()
}

#[test]
fn whatever_happens_to_one_connection_the_other_carries_on() {
    // Losses follow each other closely here: without a low end the waits between them would grow to 20 s.
    let listeners = "ping_interval_ms = 500\npong_timeout_ms = 2500\n\
                     backoff = { initial_ms = 100, max_ms = 500, jitter = 0.5 }";
    let setting = Setting { listeners: listeners.to_owned(), ..Setting::default() };
    let mut legs = Legs::new(2, &SimConfig::manual(), &setting);
    let service = legs.start();
    legs.play(10);
    legs.caught_up(&service);
    for loss in &LOSSES {
        let (before, opened) = (ended(&service, loss.causes), service.metric(OPENED));
        (loss.strike)(&legs.a.proxy);
        let noticed = || (ended(&service, loss.causes) > before).then_some(());
        if loss.silent {
            eventually(loss.what, noticed);
        }
        legs.play(5);
        legs.caught_up(&service);
        eventually(loss.what, noticed);
        eventually("the listener again", || {
            (service.metric(OPENED) > opened && legs.subscribed(&legs.a)).then_some(())
        });
    }

    // The other listener's turn: whoever is left carries on.
    legs.b.proxy.cut(Cut::Reset);
    legs.play(5);
    legs.caught_up(&service);
    legs.wait_both();
    late(&mut legs, &service);
    service.stop_well();
    legs.judge_seamless();
}

/// One listener five seconds late: the other one's copies go out at once, the late ones are duplicates. A minute late, it is made anew
/// before they come.
fn late(legs: &mut Legs, service: &Service) {
    const LATE: Duration = Duration::from_secs(5);
    const VERY_LATE: Duration = Duration::from_secs(60);
    let duplicates = || {
        let status = service.status();
        let accounts = status["accounts"].as_array().expect("accounts").clone();
        accounts.iter().map(|account| account["duplicates"].as_u64().expect("a number")).sum::<u64>()
    };
    let everybody = legs.chains.rows().len() as u64;
    eventually("the second copies so far", || (duplicates() >= everybody / 2).then_some(()));
    let known = duplicates();
    let new = played_while_late(legs, service, LATE);
    eventually("the late copies", || (duplicates() >= known + new).then_some(()));
    let opened = service.metric(OPENED);
    played_while_late(legs, service, VERY_LATE);
    eventually("the listener again", || (service.metric(OPENED) > opened).then_some(()));
    legs.wait_both();
}

/// Plays while the first listener is late: everything comes from the other one. How much there was.
fn played_while_late(legs: &mut Legs, service: &Service, late: Duration) -> u64 {
    legs.a.proxy.set_living(&Weather::down(Way::late(late, late)));
    let from = legs.chains.rows().len();
    legs.play(20);
    for signal in legs.caught_up(service).iter().skip(from) {
        assert_eq!(signal["metadata"]["listener"], "b", "from the one in time: {signal}");
    }
    (legs.chains.rows().len() - from) as u64
}

/// Messages in pieces of a byte, or doubled, are messages all the same.
#[test]
fn odd_frames_are_frames() {
    let mut legs = Legs::new(2, &SimConfig::manual(), &Setting::default());
    // A state that is 5 s ahead of the fills, as one may be of a burst that still is on its way, would open a `silent` gap.
    legs.chains = Chains::new(BEGAN, 50);
    let service = legs.start();
    for leg in [&legs.a, &legs.b] {
        for fault in ["fragment=0.4", "dup=0.4"] {
            leg.venue.add_fault(fault.parse().expect("a fault"));
        }
    }
    legs.play(50);
    legs.caught_up(&service);
    for leg in [&legs.a, &legs.b] {
        let counts = leg.venue.fault_counts();
        assert!(["fragment", "dup"].iter().all(|fault| counts[fault] > 0), "{counts:?}");
        assert_eq!(leg.proxy.accepted(), 1, "the connections stay");
    }
    service.stop_well();
    legs.judge_seamless();
}
