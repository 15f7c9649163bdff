//! A week of a typical load through the real binary: 20 fills a second of venue time, as fast as the service takes them, all streams into
//! files with small bounds. Every directory stays inside its bound, memory is flat, nothing is missing, and nothing unread is deleted:
//! neither for room nor for age.
//!
//! A short form of about 100,000 fills unless `INGESTION_WEEK_DAYS` says how many days (`cargo xtask week`: 7, 12,096,000 fills).

#![allow(
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "only tests: a panic is a failure, the rate is told"
)]

mod bounds;
mod left;
#[path = "../support/mod.rs"]
mod support;
mod threads;
mod week;

use support::clock::Clock;
use support::number;
use support::service::Service;
use test_services::until;
use week::{LONG, Week, sink};

/// Seconds; the least that `raw.retention_s` takes.
const RETENTION_S: i64 = 60;
/// A start, and two checkpoints behind it: fewer segments the journal never has once there were more.
const SEGMENTS_KEPT: usize = 3;
const MOMENTS: usize = 10;

/// Fills of the whole run.
fn fills() -> usize {
    number("INGESTION_WEEK_DAYS").map_or(100_000, |days: usize| days * 86_400 * week::A_SECOND)
}

#[test]
fn a_week_stays_inside_its_bounds() {
    let total = fills();
    let mut week = Week::new(total, RETENTION_S);
    let clock = Clock::build(week.scene.directory.path());
    // The journal looks at the clock when it is opened: the next process may be a day later.
    let start = |week: &mut Week, later_s: i64, settings: &[&str]| {
        if let Some(clock) = &clock {
            clock.set(later_s);
        }
        week.start(clock.as_ref().map_or_else(support::process::ingestion, Clock::command), settings)
    };
    let is_aged = clock.is_some();

    let service = start(&mut week, 0, &[]);
    week.play_until(&service, "some segments", |week, _| week.segments().len() > SEGMENTS_KEPT);
    week.moment(&service, &[]);
    service.stop_well();

    let paused = ["--set", "signals.sink=paused"];
    let service = start(&mut week, 2 * RETENTION_S, &paused);
    let at = what_is_read_goes(&mut week, &service, is_aged);
    service.stop_well();
    let service = start(&mut week, 4 * RETENTION_S, &paused);
    what_is_unread_stays(&mut week, &service, at);
    service.stop_well();

    let service = start(&mut week, 4 * RETENTION_S, &[]);
    what_was_unread_is_delivered(&mut week, &service, is_aged);
    memory_is_flat(&mut week, &service, total);

    let each = threads::seconds(service.process.id());
    println!(
        "seconds of the service's threads: {each:?}; of the venue's: {:?}",
        threads::seconds(std::process::id())
    );
    service.stop_well();
    week.scene.verifies(&[], 0, &[]);
    left::judge(&week);
    println!("{week}");
}

/// The signals are switched off, and what is on the disk is too old: what every sink has read goes. Up to where the signals are.
fn what_is_read_goes(week: &mut Week, service: &Service, is_aged: bool) -> u64 {
    let at = sink(&service.status(), "signals")["delivered"].as_u64().expect("a position");
    let waits = |week: &Week| week.held_from(at).iter().filter(|first| **first > at).count();
    week.play_until(service, "segments wait", |week, _| waits(week) > SEGMENTS_KEPT);
    if is_aged {
        week.play_until(service, "what is read is deleted", |week, _| week.held_from(at)[1] > at);
        assert!(week.peak("journal") < week.bounds.journal() / 4 * 3, "room was not what it was short of");
    }
    unread(week, service);
    at
}

/// What nobody read but the signals will is too old by now: none of it goes.
fn what_is_unread_stays(week: &mut Week, service: &Service, at: u64) {
    let (files, held) = (left::lines(week), week.held_from(at));
    week.play_until(service, "more segments wait", |week, _| week.held_from(at).len() > held.len());
    let now = week.held_from(at);
    assert!(held.iter().all(|first| now.contains(first)), "{held:?} and now {now:?}");
    unread(week, service);
    assert_eq!(left::lines(week), files, "nothing is written while it is switched off");
    println!(
        "{} fills waited in {} segments, the journal had at most {} bytes",
        week.unread,
        now.len(),
        week.peak("journal")
    );
}

/// What the signals did not get waits, and says so.
fn unread(week: &mut Week, service: &Service) {
    week.moment(service, &["signals"]);
    week.unread += week.run.fills;
    let (status, made) = (service.status(), week.run.fills as u64);
    let waits = sink(&status, "signals");
    assert!(waits["paused"] == true && waits["lag"].as_u64() >= Some(made), "{made} fills and {waits}");
}

/// Switched on again it gets everything, and then all of that is old enough to go.
fn what_was_unread_is_delivered(week: &mut Week, service: &Service, is_aged: bool) {
    week.moment(service, &[]);
    let lines = || sink(&service.status(), "signals")["lines"].as_u64();
    assert_eq!(lines(), Some(week.unread as u64), "all that waited, once");
    week.scene.verifies(&[], 0, &[]);
    if is_aged {
        week.play_until(service, "the old ones go by age", |week, _| {
            week.segments().len() <= SEGMENTS_KEPT + 1
        });
        assert!(week.size("journal") < week.bounds.journal() / 2, "room was not what it was short of");
    }
}

/// The rest of the week in one process.
fn memory_is_flat(week: &mut Week, service: &Service, total: usize) {
    let mut resident = Vec::new();
    let rest = total.saturating_sub(week.played) / MOMENTS;
    for _ in 0..MOMENTS {
        week.play(service, rest);
        week.moment(service, &[]);
        resident.push(service.memory_kib("VmRSS"));
        println!("{week}, {} KiB", resident[resident.len() - 1]);
    }
    let (quarter, end) = (resident[MOMENTS / 4], resident[MOMENTS - 1]);
    println!("memory at a quarter {quarter} KiB, at the end {end} KiB");
    assert!(end < quarter + quarter / 4 + 16 * 1_024, "{quarter} KiB at a quarter, then {end} KiB");
    let written = week.run.fills + week.unread;
    let there = until(LONG, || {
        (sink(&service.status(), "signals")["lines"].as_u64() == Some(written as u64)).then_some(())
    });
    assert!(there.is_some(), "{written} signals: {}", service.status()["sinks"]);
}
