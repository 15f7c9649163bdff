//! Faults at random for hours, on everything at once: both listeners, history, the broker, the Redis of the list and of the shared state,
//! the service itself. Fills flow all the time. At the end every signal is in the topic, in order, nothing is undeclared, and memory did
//! not rise.
//!
//! `INGESTION_SOAK_MINUTES` is how long, 5 unless it is set; `INGESTION_SOAK_SEED` draws the faults (`cargo xtask soak`). The first part of
//! the time the service is not killed, and its memory is watched; then everything is cut one after the other and comes back in another
//! order, three times; then the service may die too. After that it is waited for what is still to come.
#![cfg(all(feature = "kafka", feature = "redis"))]
#![allow(
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test fails by a panic and says what it saw; the schedule's pace is real time"
)]

mod end;
mod faults;
mod flow;
mod schedule;
mod slope;
#[path = "../support/mod.rs"]
mod support;
mod swizzle;
mod world;

use std::time::{Duration, Instant};

use schedule::Schedule;
use slope::Memory;
use support::number;
use support::random::Random;
use test_services::{KafkaSetup, Redis, kcat, or_skip};
use world::World;

const NAME: &str = "soak";
/// Of the time, in hundredths: without kills of the service.
const ONE_PROCESS: u32 = 60;
/// Rounds in which everything is cut one after the other, between the two parts.
const SWIZZLES: usize = 3;
/// Fills at most, so that what is judged at the end fits into memory; and a second.
const FILLS: u64 = 400_000;
const A_SECOND: u64 = 200;

#[test]
fn faults_at_random_lose_nothing_and_memory_does_not_rise() {
    let Some(kafka) = or_skip(NAME, KafkaSetup::one().start()) else { return };
    let Some(redis) = or_skip(NAME, Redis::start()) else { return };
    if or_skip(NAME, kcat(&["-V"])).is_none() {
        return;
    }
    let (minutes, seed) =
        (number("INGESTION_SOAK_MINUTES").unwrap_or(5_u64), number("INGESTION_SOAK_SEED").unwrap_or(1));
    let time = Duration::from_secs(60 * minutes.max(1));
    let a_second = (FILLS / time.as_secs()).clamp(1, A_SECOND);
    println!("{minutes} minutes, {a_second} fills a second, INGESTION_SOAK_SEED={seed}");
    let mut world = World::new(kafka, redis);
    world.start();
    let flow = flow::Flow::start(&world.legs, a_second);
    let (began, mut schedule) = (Instant::now(), Schedule::new(seed));

    let mut memory = Memory::default();
    let stretch = time * ONE_PROCESS / 100;
    while began.elapsed() < stretch {
        schedule.step(&mut world, false);
        memory.look(flow.fills(), || world.memory_kib());
    }
    println!("one process: {memory}");
    schedule.calm(&mut world);
    let mut random = Random::new(seed);
    (0..SWIZZLES).for_each(|_| swizzle::round(&mut world, &mut random, &flow));
    while began.elapsed() < time || !schedule.is_whole() {
        schedule.step(&mut world, true);
    }
    schedule.end(&mut world);
    println!("{schedule}");
    let service = end::healed(&mut world);
    let fills = flow.stop();
    end::judge(world, service, fills);
    println!("{} s with the end", began.elapsed().as_secs());
    memory.judge();
}
