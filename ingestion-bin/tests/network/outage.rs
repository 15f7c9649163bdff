//! Nobody listens for longer than a snapshot reaches back: history brings the rest, inside its budget and before anything newer, however
//! its own network is.

use hyperliquid_client::sim::SimConfig;

use super::support::eventually;
use super::support::judge::Allowed;
use super::support::legs::{Legs, Setting};
use super::support::proxy::{Cut, Flow, Way, Weather};
use super::support::service::Service;

/// A snapshot shows 30.
const MEANWHILE: usize = 200;

fn asked(service: &Service, outcome: &str) -> f64 {
    service.metric(&format!("ingestion_info_requests_total{{outcome=\"{outcome}\"}}"))
}

#[test]
fn an_outage_longer_than_a_snapshot_is_repaired_by_history() {
    let setting = Setting {
        // As long as it takes: that newer fills wait is what is tried here, not for how long at most.
        listeners: "repair_hold_ms = 60000".to_owned(),
        // A stream without rows is certified by two reads 30 s apart: not waited for here.
        extra: "[streams]\ntwap = false".to_owned(),
        ..Setting::default()
    };
    let mut legs = Legs::new(2, &SimConfig::manual(), &setting);
    let service = legs.start();
    legs.play(20);
    legs.caught_up(&service);

    for leg in [&legs.a, &legs.b] {
        leg.proxy.shut();
        leg.proxy.cut(Cut::Reset);
    }
    eventually("nobody listens", || (service.status()["listeners"]["connected"] == 0).then_some(()));
    eventually("it says so", || (service.get("/ready").0 == 503).then_some(()));
    let before = legs.chains.rows().len();
    legs.play(MEANWHILE);

    // History breaks off in the middle of its answers, then says nothing at all.
    let bodies_end = Weather::down(Way { ends_after: Some(4_000), ..Way::default() });
    legs.info.cut(Cut::Reset);
    legs.info.set(&bodies_end);
    [&legs.a, &legs.b].iter().for_each(|leg| leg.proxy.heal());
    legs.wait_both();
    let meanwhile = legs.chains.rows().len();
    legs.play(20);
    eventually("half answers", || (asked(&service, "broken") >= 2.0).then_some(()));
    legs.info.set(&Weather::both(Way::flow(Flow::Stopped)));
    let before_silence = asked(&service, "timeout");
    eventually("no answer", || (asked(&service, "timeout") > before_silence).then_some(()));
    let waiting = service.lines("signals").len();
    assert!(waiting < meanwhile, "newer fills wait for what lies before them: {waiting} signals");
    legs.info.heal();

    let signals = legs.caught_up(&service);
    let old = |signal: &&serde_json::Value| {
        let time = signal["timestamp"].as_i64();
        legs.chains.rows()[before..meanwhile].iter().any(|row| row.fill["time"].as_i64() == time)
    };
    let backfilled = signals.iter().filter(old).filter(|signal| signal["origin"] == "backfill").count();
    assert!(backfilled >= 2 * (MEANWHILE - 30), "what no snapshot reached came from history: {backfilled}");
    // Venue time passes: what is certified is behind it by a margin.
    legs.play(200);
    eventually("the outage is repaired", || {
        let gaps = service.lines("gaps");
        let of =
            |state: &str| gaps.iter().filter(|gap| gap["kind"] == "outage" && gap["state"] == state).count();
        (of("opened") >= 2 && of("repaired") == of("opened")).then_some(())
    });
    for leg in [&legs.a, &legs.b] {
        let status = leg.venue.status();
        assert_eq!((status.info_over_budget, status.refused_by_limits), (0, 0), "{status:?}");
    }
    service.stop_well();
    legs.judge(&Allowed { origins: &["live", "snapshot", "backfill"], gaps: None, late: false });
}
