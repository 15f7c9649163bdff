//! SIGSTOP while fills flow, until the venue has closed every socket that nobody read, and for longer than a minute, in which all that is
//! counted by the minute is forgotten and every timer is due; then SIGCONT: what happened meanwhile is declared and fetched, and costs
//! neither a signal nor a budget.
//!
//! `INGESTION_STOPPED_S` stops it for longer.

use std::process::Command;
use std::time::{Duration, Instant};

use hyperliquid_client::sim::{SimConfig, SimVenue};

use super::support::document::documents;
use super::support::eventually;
use super::support::judge::{self, Allowed};
use super::support::market::Chains;
use super::support::process::run;
use super::support::service::{Service, configuration};

const ALICE: &str = "0x0000000000000000000000000000000a11ce0001";
const LISTENERS: u64 = 2;
/// More than a snapshot shows.
const MEANWHILE: usize = 200;

#[test]
fn a_service_that_was_stopped_finds_what_it_missed() {
    let mut sim = SimConfig::manual();
    sim.queue_frames = 64;
    let venue = SimVenue::start(sim).expect("the venue starts");
    let directory = tempfile::tempdir().expect("a directory");
    let influencers = format!("static = [{{ address = {ALICE:?} }}]");
    // A stream without rows is certified by two reads 30 s apart: not waited for here.
    let config = configuration(directory.path(), &venue, &influencers, "[streams]\ntwap = false");
    let service = Service::start(&config, &[]);
    service.wait_ready();
    let mut chains = Chains::new(1_790_000_000_000, 250);
    // The venue's queue is short on purpose: no more at a time than it holds.
    let mut play = |count: usize| {
        for _ in 0..count {
            venue.play(&chains.block(&[ALICE], "ETH"));
        }
        chains.rows().len()
    };
    service.wait_lines("signals", play(20));

    let stopped_s = std::env::var("INGESTION_STOPPED_S");
    let stopped_s = stopped_s.map_or(75, |seconds| seconds.parse().expect("a number"));
    let until = Instant::now() + Duration::from_secs(stopped_s);
    signal(&service, "STOP");
    let before = service.lines("signals").len();
    play(MEANWHILE / 2);
    let padding = format!("{{\"channel\":\"padding\",\"data\":\"{}\"}}", "x".repeat(256 << 10));
    eventually("both sockets are closed by the venue", || {
        venue.inject(None, padding.as_bytes());
        (venue.status().slow_closed >= LISTENERS).then_some(())
    });
    play(MEANWHILE / 2);
    // How long it is stopped is the fault itself.
    while let Some(left) = until.checked_duration_since(Instant::now()) {
        std::thread::park_timeout(left);
    }
    assert_eq!(service.lines("signals").len(), before, "it stands still");
    let (connected, asked) = (venue.status().connections_total, venue.status().info_requests);
    signal(&service, "CONT");

    service.wait_lines("signals", play(20));
    eventually("what it missed is declared", || {
        let gaps = service.lines("gaps");
        gaps.iter().any(|gap| gap["kind"] == "outage" && gap["state"] == "opened").then_some(())
    });
    eventually("ready again", || (service.get("/ready").0 == 200).then_some(()));
    let status = venue.status();
    assert_eq!((status.info_over_budget, status.refused_by_limits), (0, 0), "{status:?}");
    assert!(status.connections_total <= connected + 2 * LISTENERS, "no burst of connections: {status:?}");
    assert!(status.info_requests - asked <= 40, "no burst of questions: {asked} before, {status:?}");

    let data = service.data.clone();
    service.stop_well();
    let expected = documents(chains.rows(), &[ALICE.to_owned()]);
    let allowed = Allowed { origins: &["live", "snapshot", "backfill"], gaps: None, late: true };
    judge::judge(&judge::stored(&data), &expected, &allowed);
    let verify = run(&["verify", "--config", config.to_str().expect("UTF-8")]);
    assert!(verify.status.success(), "{}", String::from_utf8_lossy(&verify.stdout));
}

fn signal(service: &Service, name: &str) {
    let id = service.process.id().to_string();
    let status = Command::new("sh").args(["-c", "kill -\"$0\" \"$1\"", name, &id]).status();
    assert!(status.is_ok_and(|status| status.success()), "kill -{name}");
}
