//! Nothing is certified that should not be: history that lags by up to 90 s row by row, pages of 50 rows where 2,000 are usual,
//! listeners that go mute together, our clock months away from the venue's. A lively market whose time runs sixty times faster
//! than ours.

use std::collections::BTreeSet;
use std::time::Duration;

use hyperliquid_client::sim::{Market, MarketConfig, SimLimits, SimSource, Speed, Stream};
use serde_json::Value;

use crate::scene::{BEGAN, Scene};
use crate::support::eventually;
use crate::support::inside::fast;

/// Venue time that must be certified, ms.
const LONG: i64 = 400_000;

#[test]
fn nothing_is_certified_that_history_may_still_lack() {
    let user = Market::followed().first().expect("the market has accounts").1.to_string();
    let scene = Scene::of(
        &user,
        // A minute of ours is an hour of the venue's.
        &[("venue.endpoint.0.limits.info_weight_per_minute", "1000000")],
        |sim| {
            sim.venue.limits = SimLimits::generous();
            sim.source = SimSource::Synthetic(MarketConfig { start_ms: BEGAN, ..MarketConfig::default() });
            sim.speed = Speed::Times(60.0);
            sim.wait_subscriptions = 2;
            // Of our time: 90 s of the venue's, inside the margin of 120 s.
            sim.venue.index_lag = (Duration::from_millis(100), Duration::from_millis(1_500));
            sim.venue.page_cap = 50;
            let mute = format!("mute={user}@2s..3s");
            sim.faults = ["dup=0.05", &mute].map(|fault| fault.parse().expect("a fault")).to_vec();
        },
        fast,
    );
    let until = i64::try_from(BEGAN).expect("small") + LONG;
    eventually("certified for long", || {
        let worker = scene.service.status().worker();
        (worker.completeness.total.certified_to >= Some(until)).then_some(())
    });
    let stopped = scene.stop();
    let of_user = |row: &hyperliquid_client::sim::TruthRow| *row.user == *user && row.stream == Stream::Fills;
    let events: BTreeSet<(i64, String)> = stopped
        .venue
        .truth(0)
        .iter()
        .filter(|row| row.live && of_user(row))
        .map(|row| {
            let fill: Value = serde_json::from_str(&row.text).expect("JSON");
            let (time, side) = (i64::try_from(row.time).expect("ms"), fill["side"].as_str().expect("text"));
            (time, format!("fill:{time}:{}:{side}", row.tid))
        })
        .collect();
    let (certificates, covered) = stopped.judge_certified(&events);
    assert!(certificates > 3 && covered > 100, "{certificates} certificates over {covered} fills");
    let faults = stopped.venue.fault_counts();
    assert!(["dup", "mute"].iter().all(|fault| faults[fault] > 0), "{faults:?}");
}
