//! The same over TLS.

use hyperliquid_client::sim::{SimConfig, SimTls};

use super::support::eventually;
use super::support::legs::{Legs, Setting};
use super::support::proxy::{Cut, Flow, Way, Weather};
use super::support::service::Service;

fn secured(expired: bool) -> SimConfig {
    SimConfig { tls: Some(SimTls { expired, ..SimTls::default() }), ..SimConfig::manual() }
}

fn failures(service: &Service, reason: &str) -> f64 {
    service.metric(&format!("ingestion_connect_failures_total{{reason=\"{reason}\"}}"))
}

/// A flipped bit is no bad frame here but the end of the connection; then the next one's handshake is never answered.
#[test]
fn what_is_spoiled_or_hangs_costs_one_listener_its_connection_only() {
    let sim = secured(false);
    let mut legs = Legs::new(2, &sim, &Setting::default());
    let service = legs.start();
    legs.play(10);
    legs.caught_up(&service);

    legs.a.proxy.set(&Weather::both(Way::flow(Flow::Stopped)));
    legs.a.proxy.set_living(&Weather::down(Way { flips: 0.01, ..Way::default() }));
    eventually("a spoiled record ends the connection", || {
        legs.play(1);
        let ends = ["io", "protocol"]
            .map(|cause| service.metric(&format!("ingestion_connection_ends_total{{cause=\"{cause}\"}}")));
        (ends.iter().sum::<f64>() >= 1.0).then_some(())
    });
    assert!(legs.a.proxy.spoiled() > 0);
    eventually("the handshake is given up", || (failures(&service, "dial") >= 1.0).then_some(()));
    legs.play(10);
    legs.caught_up(&service);
    legs.a.proxy.heal();
    legs.a.proxy.cut(Cut::Reset);
    legs.wait_both();
    legs.play(10);
    legs.caught_up(&service);
    service.stop_well();
    legs.judge_seamless();
}

/// The other listener is none the worse, and there is no way around the certificate.
#[test]
fn an_expired_certificate_is_refused() {
    let users = vec![format!("0x{:040x}", 0xa11c_e001_u64)];
    let mut legs = Legs::of(users, [&secured(false), &secured(true)], &Setting::default());
    let service = Service::start(&legs.config, &[]);
    let line = service.process.log_line("certificate expired");
    assert!(line.contains("plain text is no alternative"), "{line}");
    eventually("the listener with the right one", || {
        let status = service.status();
        (legs.subscribed(&legs.a) && status["accounts"][0]["based"] == true).then_some(())
    });
    legs.play(10);
    legs.caught_up(&service);
    assert!(failures(&service, "dial") >= 1.0);
    let status = service.status();
    assert_eq!(status["accounts"][0]["coverage"], "single", "it shows: {status}");
    service.stop_well();
    assert_eq!(legs.b.venue.status().connections_total, 0);
    legs.judge_seamless();
}
