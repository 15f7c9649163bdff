//! An output that nobody reads fills up and stays full: it must not keep a stop from making everything durable.

mod support;

use std::process::{Command, Stdio};

use support::document::documents;
use support::play::Play;
use support::process::ingestion;
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
