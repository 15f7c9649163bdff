//! Being asked to end: whatever was begun ends well. An output that nobody reads fills up and stays full, which must not keep a stop from
//! making everything durable.

mod support;

use std::process::{Command, Stdio};

use support::document::documents;
use support::play::Play;
use support::process::{Process, ingestion};
use support::scene::Scene;
use support::{eventually, expected, fixture, judge};

#[test]
fn a_full_pipe_does_not_hold_up_a_stop() {
    let rows = expected::in_time(expected::rows(&fixture()));
    let users = expected::users_with_perps(&rows, 10);
    let count: usize = documents(&rows, &users).values().map(Vec::len).sum();
    let mut play = Play::of(&fixture(), &users, &["--speed", "max"], "");
    let mut command = ingestion();
    command.args(["run", "--config"]).arg(&play.config).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut service = command.spawn().expect("the binary starts");
    play.venue.finished();
    let lines = || support::service::lines(&play.data(), "signals").len();
    eventually("every signal on disk", || (lines() >= count).then_some(()));
    assert!(judge::concatenated(&play.data(), "signals").len() > 1 << 16, "more than a pipe holds");
    let asked = Command::new("sh")
        .args(["-c", "kill -TERM \"$0\"", &service.id().to_string()])
        .status()
        .expect("kill runs");
    assert!(asked.success());
    let ended = eventually("the end", || service.try_wait().expect("a child"));
    assert_eq!(ended.code(), Some(0));
    assert_eq!(lines(), count);
}

/// As a supervisor does that changed its mind.
#[test]
fn a_service_asked_to_end_while_it_begins_ends_well() {
    let scene = Scene::new(
        1_000,
        |_| "static = [{ address = \"0x0000000000000000000000000000000a11ce0001\" }]".to_owned(),
        "",
    );
    let mut command = ingestion();
    command.arg("run").arg("--config").arg(&scene.config);
    let mut service = Process::start(command);
    service.log_line("not ready");
    service.terminate();
    let status = service.wait();
    let said = service.errors();
    assert_eq!(status.code(), Some(0), "{said}");
    assert!(said.lines().last().is_some_and(|line| line.starts_with("stopped: ")), "{said}");
}
