//! Every connection is cut at once, and the venue lets only half of them come back this minute.

use std::path::Path;

use hyperliquid_client::sim::SimLimits;
use serde_json::Value;

use crate::support::document::documents;
use crate::support::eventually;
use crate::support::judge::{self, Allowed};
use crate::support::scene::Scene;
use crate::support::service::Service;

const ACCOUNTS: usize = 5;

/// Two connections for each at the start, and half of these again, within one minute.
const A_MINUTE: u32 = 15;

fn accounts() -> Vec<String> {
    (1..=ACCOUNTS).map(|number| format!("0x{:040x}", 0xa11c_e000 + number)).collect()
}

fn coverage(service: &Service) -> Vec<String> {
    let status = service.status();
    let accounts = status.get("accounts").and_then(Value::as_array).expect("accounts").clone();
    let of = |account: &Value| account.get("coverage").and_then(Value::as_str).map(str::to_owned);
    accounts.iter().filter_map(of).collect()
}

#[test]
fn after_a_storm_everybody_is_heard_before_anybody_twice() {
    let accounts = accounts();
    let entries: Vec<String> =
        accounts.iter().map(|account| format!("{{ address = \"{account}\" }}")).collect();
    let list = |_: &Path| format!("static = [{}]", entries.join(", "));
    let mut scene = Scene::new(20, list, "[listeners]\nallocation = \"dedicated\"\n");
    let limits = SimLimits { new_connections_per_minute: A_MINUTE, ..SimLimits::generous() };
    scene.venue.set_limits(limits);
    let limit = format!("venue.endpoint.0.limits.new_connections_per_minute={A_MINUTE}");
    let service = Service::start(&scene.config, &["--set", &limit]);
    service.wait_ready();
    let all_are = |wanted: &str| {
        let covered = coverage(&service);
        (covered.len() == ACCOUNTS && covered.iter().all(|coverage| coverage == wanted)).then_some(())
    };
    eventually("two listeners for each", || all_are("full"));
    let users: Vec<&str> = accounts.iter().map(String::as_str).collect();
    scene.play(&users, "ETH");
    scene.caught_up(&service);
    assert_eq!(scene.venue.status().connections_total, 10);

    scene.venue.close_sockets(1006);
    scene.play(&users, "ETH");
    // The places of the first ten are taken for a minute: if anybody had two now, somebody would have none for the rest of it.
    eventually("one listener for each", || all_are("single"));
    assert_eq!(scene.venue.status().connections_total, 15, "each place brought somebody back");
    scene.play(&users, "ETH");
    scene.caught_up(&service);
    let status = scene.venue.status();
    assert_eq!((status.refused_connections, status.refused_by_limits), (0, 0));
    service.stop();
    let expected = documents(scene.chains.rows(), &accounts);
    let allowed = Allowed { origins: &["live", "snapshot", "backfill"], gaps: None, late: true };
    judge::judge(&judge::stored(&scene.data()), &expected, &allowed);
}
