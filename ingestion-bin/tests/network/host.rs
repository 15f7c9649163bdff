//! Our own host on a bad day: file descriptors run out, the CPU is taken away, the wall clock jumps. What is connected stays, nothing is
//! lost, and nobody sees a gap.

use std::net::TcpStream;
use std::process::{Command, Stdio};

use hyperliquid_client::sim::SimConfig;

use super::support::clock::Clock;
use super::support::eventually;
use super::support::legs::{Legs, Setting};
use super::support::process::ingestion;
use super::support::proxy::Cut;
use super::support::service::Service;

#[test]
fn without_file_descriptors_what_is_connected_stays() {
    const FILES: usize = 64;
    let mut legs = Legs::new(2, &SimConfig::manual(), &Setting::default());
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {FILES} && exec \"$0\" \"$@\"")]).arg(ingestion().get_program());
    command.stdin(Stdio::null());
    let service = Service::start_as(command, &legs.config, &[]);
    service.wait_ready();
    legs.wait_both();
    legs.play(10);
    legs.caught_up(&service);

    // Callers that say nothing take what is left, and what a listener gives back when it is cut.
    let mut callers: Vec<TcpStream> = Vec::new();
    eventually("a listener finds no descriptor", || {
        callers.extend((0..8).filter_map(|_| TcpStream::connect(service.admin).ok()));
        if open_files(&service) >= FILES && legs.subscribed(&legs.a) {
            legs.a.proxy.cut(Cut::Reset);
        }
        let log = service.process.log();
        let refused = |line: &str| line.contains("listener=") && line.contains("Too many open files");
        log.lines().any(refused).then_some(())
    });
    legs.play(20);
    legs.caught_up(&service);
    drop(callers);
    eventually("its failure is counted", || {
        (service.metric("ingestion_connect_failures_total{reason=\"dial\"}") >= 1.0).then_some(())
    });
    legs.wait_both();
    legs.play(10);
    legs.caught_up(&service);
    service.stop_well();
    legs.judge_seamless();
}

fn open_files(service: &Service) -> usize {
    let files =
        std::fs::read_dir(format!("/proc/{}/fd", service.process.id())).expect("the process is there");
    files.count()
}

/// A tenth of a CPU, as a quota gives it: it runs 10 ms and stands still 90.
#[test]
fn with_a_tenth_of_a_cpu_no_listener_is_taken_for_dead() {
    let listeners = "ping_interval_ms = 500\npong_timeout_ms = 3000".to_owned();
    let setting = Setting { listeners, ..Setting::default() };
    let mut legs = Legs::new(2, &SimConfig::manual(), &setting);
    let service = legs.start();
    legs.play(10);
    legs.caught_up(&service);
    let connections = [&legs.a, &legs.b].map(|leg| leg.proxy.accepted());
    let quota = format!(
        "while kill -CONT {0} 2>/dev/null; do sleep 0.01; kill -STOP {0}; sleep 0.09; done",
        service.process.id()
    );
    let mut quota = Command::new("sh").args(["-c", &quota]).spawn().expect("a shell");
    for _ in 0..20 {
        legs.play(20);
        legs.caught_up(&service);
    }
    // Longer than a ping and its patience together.
    let asked = [&legs.a, &legs.b].map(|leg| leg.proxy.asked());
    eventually("pings go on", || {
        let now = [&legs.a, &legs.b].map(|leg| leg.proxy.asked());
        now.iter().zip(asked).all(|(now, before)| *now >= before + 10).then_some(())
    });
    quota.kill().expect("the shell is there");
    quota.wait().expect("it ends");
    let go_on = Command::new("sh").args(["-c", &format!("kill -CONT {}", service.process.id())]).status();
    assert!(go_on.is_ok_and(|status| status.success()));
    assert_eq!([&legs.a, &legs.b].map(|leg| leg.proxy.accepted()), connections, "the connections stay");
    service.stop_well();
    legs.judge_seamless();
}

/// The wall clock is set forward and back by an hour under the running service, and lies in the past at a restart.
#[test]
fn the_wall_clock_decides_nothing() {
    const HOUR: i64 = 3_600;
    let mut legs = Legs::new(2, &SimConfig::manual(), &Setting::default());
    let Some(clock) = Clock::build(legs.directory.path()) else { return };
    let service = Service::start_as(clock.command(), &legs.config, &[]);
    service.wait_ready();
    legs.wait_both();
    let mut steps = 0.0;
    for (offset, is_step) in [(0, false), (HOUR, true), (-HOUR, true), (0, true), (2, true)] {
        clock.set(offset);
        legs.play(10);
        let signals = legs.caught_up(&service);
        let last = signals.last().expect("signals");
        let shown = last["receivedAt"].as_i64().expect("a time") / 1_000 - now();
        assert!((shown - offset).abs() < 600, "the clock is {offset} s off, and receivedAt {shown} s");
        eventually("how far it is ahead of the venue is shown", || {
            legs.play(2);
            let ahead = service.metric("ingestion_wall_clock_ahead_seconds") as i64;
            let venue_time = service.status()["venueTime"].as_i64().map_or(0, |ms| ms / 1_000);
            ((ahead + venue_time - now() - offset).abs() < 600).then_some(())
        });
        steps += f64::from(u8::from(is_step));
        eventually("that it was set is counted", || {
            (service.metric("ingestion_wall_clock_steps_total") >= steps).then_some(())
        });
    }
    assert!(service.process.log().contains("the wall clock was set"), "{}", service.process.log());
    let connections = [&legs.a, &legs.b].map(|leg| leg.proxy.accepted());
    assert_eq!(connections, [1, 1], "no timer saw it");
    service.stop_well();

    clock.set(-HOUR);
    let service = Service::start_as(clock.command(), &legs.config, &[]);
    service.wait_ready();
    legs.wait_both();
    legs.play(10);
    legs.caught_up(&service);
    service.stop_well();
    legs.judge_seamless();
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    i64::try_from(since.as_secs()).expect("small")
}
