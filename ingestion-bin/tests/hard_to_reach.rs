//! A venue that cannot be reached for a while: its name is lost, leads nowhere or leads elsewhere too; it refuses the handshake.

#![allow(
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "only tests: a panic is a failure, deadlines are real time"
)]

mod support;

use std::path::Path;
use std::process::Command;

use support::document::documents;
use support::eventually;
use support::judge::{self, Allowed};
use support::process::ingestion;
use support::scene::Scene;
use support::service::Service;

const USER: &str = "0x00000000000000000000000000000000a11ce001";

/// One account is followed.
fn scene(extra: &str) -> Scene {
    Scene::new(1_000, |_| format!("static = [{{ address = {USER:?} }}]"), extra)
}

/// Waits until the account has both its listeners on connections of which the venue opened at least `connections`.
fn covered(scene: &Scene, service: &Service, connections: u64) {
    eventually(
        &format!("both listeners, {connections} connections; stderr:\n{}", service.process.log()),
        || {
            let account = service.status()["accounts"][0].clone();
            let seen = scene.venue.status();
            let there = seen.connections == 2 && seen.connections_total >= connections;
            (there && account["coverage"] == "full" && account["based"] == true).then_some(())
        },
    );
}

/// Everything played is a signal, in order, and nothing may be missing.
fn judge(scene: &Scene) {
    let expected = documents(scene.chains.rows(), &[USER.to_owned()]);
    let allowed = Allowed { origins: &["live", "snapshot", "backfill"], gaps: None, late: false };
    judge::judge(&judge::stored(&scene.data()), &expected, &allowed);
}

/// The binary in a world of its own where names are looked up in `hosts` alone; nothing where the system has no such worlds.
fn with_hosts(hosts: &Path, resolv: &Path) -> Option<Command> {
    const SCRIPT: &str =
        "mount --bind \"$0\" /etc/hosts && mount --bind \"$1\" /etc/resolv.conf && shift && exec \"$@\"";
    let command = |program: &std::ffi::OsStr| {
        let mut command = Command::new("unshare");
        command.args(["-Urm", "sh", "-c", SCRIPT]).arg(hosts).arg(resolv).arg(program);
        command
    };
    let works = command("true".as_ref()).output().is_ok_and(|output| output.status.success());
    works.then(|| command(ingestion().get_program()))
}

#[test]
fn a_name_that_is_lost_or_leads_nowhere_costs_no_connection_for_good() {
    let mut scene = scene("");
    let directory = tempfile::tempdir().expect("a temporary directory");
    let (hosts, resolv) = (directory.path().join("hosts"), directory.path().join("resolv.conf"));
    // Written in place: what is mounted is this file. Nobody answers at the only name server.
    let leads = |to: &str| std::fs::write(&hosts, to).expect("written");
    leads("127.0.0.1 venue.test localhost\n");
    std::fs::write(&resolv, "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n").expect("written");
    let Some(command) = with_hosts(&hosts, &resolv) else {
        println!(
            "SKIPPED: no mount namespace here; dns.rs and io_handshake.rs try the same with a resolver of their own"
        );
        return;
    };
    let port = scene.venue.addr().port();
    let urls = [
        format!("venue.endpoint.0.ws_url=ws://venue.test:{port}/ws"),
        format!("venue.endpoint.0.info_url=http://venue.test:{port}/info"),
    ];
    let service = Service::start_as(command, &scene.config, &["--set", &urls[0], "--set", &urls[1]]);
    covered(&scene, &service, 2);
    scene.play_many(USER, 5);
    service.wait_lines("signals", 5);

    // Live connections ask for no name; new ones go where the last ones went.
    leads("127.0.0.1 localhost\n");
    scene.play_many(USER, 5);
    service.wait_lines("signals", 10);
    assert_eq!(scene.venue.status().connections_total, 2, "nothing was touched");
    for (to, connections) in [("127.0.0.1 localhost\n", 4), ("127.0.0.9 venue.test\n", 6)] {
        leads(to);
        scene.venue.close_sockets(1006);
        covered(&scene, &service, connections);
        scene.play_many(USER, 5);
        scene.caught_up(&service);
    }
    let end = service.stop();
    assert!(end.log.contains("name not resolved, using what worked before"), "{}", end.log);
    assert_eq!(end.status.code(), Some(0), "{}", end.log);
    judge(&scene);
}

#[test]
fn a_refused_handshake_is_named_counted_and_tried_again() {
    let mut scene = scene("[listeners.backoff]\ninitial_ms = 20\nmax_ms = 200\n");
    let refused = "ingestion_connect_failures_total{reason=\"refused\"}";
    scene.venue.add_fault("handshake=429".parse().expect("a fault"));
    let began = std::time::Instant::now();
    let service = Service::start(&scene.config, &[]);
    eventually("four refusals, and a service that is not ready", || {
        let (code, reasons) = service.get("/ready");
        (service.metric(refused) >= 4.0 && code == 503 && reasons.contains("status 429")).then_some(())
    });
    scene.venue.clear_faults();
    covered(&scene, &service, 2);
    scene.play_many(USER, 5);
    service.wait_lines("signals", 5);

    // Again, for connections that were cut.
    let before = service.metric(refused);
    scene.venue.add_fault("handshake=503".parse().expect("a fault"));
    scene.venue.close_sockets(1006);
    eventually("refusals of both listeners", || (service.metric(refused) >= before + 4.0).then_some(()));
    scene.venue.clear_faults();
    covered(&scene, &service, 4);
    scene.play_many(USER, 5);
    scene.caught_up(&service);
    let attempts = scene.venue.fault_counts()["handshake"] + scene.venue.status().connections_total;
    service.stop_well();
    let minutes = began.elapsed().as_secs() / 60 + 1;
    assert!(
        attempts <= 30 * minutes,
        "{attempts} attempts in {minutes} minutes are more than the venue allows"
    );
    judge(&scene);
}
