//! Nobody listens, and the venue's history forgets part of what happened meanwhile: that is lost, and declared with its bounds, in-band and
//! before anything that came after it; `verify` reports exactly it, and completeness never claims it.

use hyperliquid_client::sim::SimConfig;
use serde_json::Value;

use super::support::document::documents;
use super::support::eventually;
use super::support::expected::Row;
use super::support::judge::{self, Allowed};
use super::support::legs::{Legs, Setting};
use super::support::process::run;
use super::support::proxy::Cut;
use super::support::service::lines;

/// Rows of an account that its history keeps; a snapshot shows 30.
const KEPT: usize = 300;
const MEANWHILE: usize = 500;

fn ms(value: &Value) -> i64 {
    value.as_i64().expect("milliseconds")
}

#[test]
fn what_history_has_forgotten_is_declared_with_its_bounds() {
    let mut sim = SimConfig::manual();
    (sim.venue.retention, sim.venue.index_lag) = (KEPT, Default::default());
    let setting = Setting { extra: "[streams]\ntwap = false".to_owned(), ..Setting::default() };
    let mut legs = Legs::new(2, &sim, &setting);
    // From before anybody listened: no signals, but the account's history has begun.
    legs.play(20);
    let baseline = legs.chains.rows().len();
    let service = legs.start();
    legs.wait_both();
    legs.play(20);
    service.wait_lines("signals", legs.chains.rows().len() - baseline);

    for leg in [&legs.a, &legs.b] {
        leg.proxy.shut();
        leg.proxy.cut(Cut::Reset);
    }
    eventually("nobody listens", || (service.status()["listeners"]["connected"] == 0).then_some(()));
    let before = legs.chains.rows().len();
    legs.play(MEANWHILE);
    let users = legs.users.len();
    let first_kept = before + (MEANWHILE - KEPT) * users;
    [&legs.a, &legs.b].iter().for_each(|leg| leg.proxy.heal());
    legs.wait_both();
    service.wait_lines("signals", before - baseline + KEPT * users);
    legs.play(20);
    let lost = baseline + first_kept - before;
    service.wait_lines("signals", legs.chains.rows().len() - lost);
    // Venue time passes: what is certified is behind it by a margin.
    legs.play(200);
    service.wait_lines("signals", legs.chains.rows().len() - lost);
    eventually("what is lost is unfillable", || {
        let gaps = service.lines("gaps");
        let given_up = |gap: &&Value| gap["kind"] == "chain" && gap["state"] == "unfillable";
        (gaps.iter().filter(given_up).count() == users).then_some(())
    });
    let complete = eventually("it is counted", || {
        let total = service.status()["completeness"]["total"]["sinceStart"].clone();
        (total["missing"].as_u64() >= Some(users as u64)).then_some(total)
    });
    assert!(complete["percent"].as_f64().expect("a number") < 100.0, "{complete}");
    service.stop_well();

    let all = legs.chains.rows();
    let kept: Vec<_> = all[baseline..before].iter().chain(&all[first_kept..]).cloned().collect();
    let stored = judge::stored(&legs.data());
    let expected = documents(&kept, &legs.users);
    let allowed = Allowed { origins: &["live", "snapshot", "backfill"], gaps: None, late: false };
    judge::judge(&stored, &expected, &allowed);
    let gaps = lines(&legs.data(), "gaps");
    for user in &legs.users {
        let time = |rows: &[Row], at_end: bool| {
            let mut times = rows.iter().filter(|row| row.user == *user).map(|row| ms(&row.fill["time"]));
            if at_end { times.next_back() } else { times.next() }
        };
        let bounds = (time(&all[..before], true), time(&all[first_kept..], false));
        let chain = |gap: &&Value| gap["influencerId"] == user.as_str() && gap["kind"] == "chain";
        let told = gaps.iter().rfind(chain).expect("a chain gap");
        assert_eq!((Some(ms(&told["fromTime"])), Some(ms(&told["toTime"]))), bounds, "{told}");
        let carries = stored.iter().filter(|signal| signal["gapId"] == told["gapId"]);
        let times: Vec<Option<i64>> = carries.map(|signal| signal["timestamp"].as_i64()).collect();
        assert_eq!(times, [bounds.1], "the first one after what is lost says so, and no other");
    }
    let config = legs.config.to_str().expect("UTF-8");
    let verify = run(&["verify", "--config", config]);
    let said = String::from_utf8_lossy(&verify.stdout).into_owned();
    assert!(verify.status.success() && said.contains(&format!("chain breaks {users} of")), "{said}");
    assert_eq!(said.matches("; declared by gap").count(), users, "{said}");
    assert_eq!(run(&["verify", "--strict", "--config", config]).status.code(), Some(1));
}
