//! Chores of this repository: `cargo xtask help`.
//!
//! Each chore is a list of steps; a step is one command, shown before it runs; the first that fails ends the chore.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a chore talks to the person who typed it")]

mod drills;
mod fuzz;
mod seeds;
mod services;
mod step;
mod test;

use std::process::ExitCode;

use step::Failure;

const HELP: &str = "\
cargo xtask test           format, lints, docs, features, all tests: what CI runs; installs what they need
cargo xtask services up|down [--kafka-port N] [--redis-port N]
                           starts one Kafka broker and Redis on 127.0.0.1, ports 9092 and 6379; they stay
                           until taken down
cargo xtask fuzz TARGET [--seconds N]
                           fuzzes journal, decoder, record or state; needs a C++ compiler
cargo xtask kills [--count N] [--seed S]
                           kills the service N times while fills flow and both listeners are in
                           trouble, and judges what is left
cargo xtask drill [--rounds N] [--seed S]
                           makes both listeners ill in turn at 1,000 fills a second, recorded ones
                           too where INGESTION_TEST_DATA names their folder; judged: not one gap
cargo xtask latency [--turns N]
                           measures socket to signal file on a healthy listener, the other one
                           healthy and in a reconnect storm
cargo xtask cost [--fills N] [--rate N]
                           the whole chain with a real Kafka beside the same chain written the textbook
                           way, in turns: CPU of a fill and signals a second at full speed, then
                           socket to broker acknowledgement at N fills a second (5,000)
cargo xtask seeds [--from N] [--count N] [--profile NAME]
                           plays N schedules of the account machine, of all faults or of a named profile;
                           those that fail are printed, and kept in ingestion-bin/src/account/tests/open.txt
cargo xtask restart [--events N]
                           measures restarts on a journal of N events
cargo xtask lookups [--events N]
                           looks raw events up among N (1,000,000), and tells what each question reads
cargo xtask egress [--fills N]
                           300 accounts over 30 and over 60 addresses, N fills (1,500) in each account's
                           key window, memory told; then one address is allowed fewer users
cargo xtask week [--days N]
                           7 days of 20 fills a second, as fast as they are taken, into files with small
                           bounds: disk, memory, what is read and what is not
cargo xtask soak [--hours H | --minutes M] [--seed S]
                           24 hours of faults at random on listeners, history, Kafka, Redis and the service;
                           judged: every signal in its topic, and the slope of memory
cargo xtask own-pace       plays recorded segment s3 at its own pace (81 s), judged on disk;
                           INGESTION_TEST_DATA names the folder of recorded data
cargo xtask help           this text";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match arguments.first().map(String::as_str) {
        Some("test") => test::run(),
        Some("fuzz") => fuzz::run(arguments.get(1..).unwrap_or_default()),
        Some("kills") => drills::run(arguments.get(1..).unwrap_or_default()),
        Some("drill") => drills::listeners(arguments.get(1..).unwrap_or_default()),
        Some("latency") => drills::latency(arguments.get(1..).unwrap_or_default()),
        Some("cost") => drills::cost(arguments.get(1..).unwrap_or_default()),
        Some("seeds") => seeds::run(arguments.get(1..).unwrap_or_default()),
        Some("restart") => drills::restart(arguments.get(1..).unwrap_or_default()),
        Some("lookups") => drills::lookups(arguments.get(1..).unwrap_or_default()),
        Some("week") => drills::week(arguments.get(1..).unwrap_or_default()),
        Some("soak") => drills::soak(arguments.get(1..).unwrap_or_default()),
        Some("services") => services::run(arguments.get(1..).unwrap_or_default()),
        Some("egress") => egress(arguments.get(1..).unwrap_or_default()),
        Some("own-pace") => own_pace(),
        None | Some("help" | "--help") => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Some(other) => {
            eprintln!("no chore {other:?}\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            match failure {
                Failure::Usage(_) => ExitCode::from(2),
                Failure::Failed(_) => ExitCode::FAILURE,
            }
        }
    }
}

/// The tests of many addresses, in the profile of all tests, with key windows filled.
fn egress(arguments: &[String]) -> Result<(), Failure> {
    let fills = match arguments {
        [] => "1500",
        [name, fills] if name == "--fills" && (1..=100_000).contains(&fills.parse().unwrap_or(0)) => fills,
        _ => {
            return Err(Failure::Usage(format!(
                "egress takes --fills N, 1 to 100000, not {}",
                arguments.join(" ")
            )));
        }
    };
    step::Step::cargo(
        "test -p ingestion-bin --test many_addresses -- --nocapture --test-threads 1 three_hundred",
    )
    .env("INGESTION_WINDOW_FILLS", fills)
    .run()
}

/// One test on the release binary, with its pace given; without recorded data it would show nothing.
fn own_pace() -> Result<(), Failure> {
    if !std::env::vars_os().any(|(name, _)| name == "INGESTION_TEST_DATA") {
        return Err(Failure::Failed("INGESTION_TEST_DATA is not set".to_owned()));
    }
    step::Step::cargo(
        "test --release -p ingestion-bin --test replayed_fills -- --exact recorded_segment_s3 --nocapture",
    )
    .env("INGESTION_TEST_OWN_PACE", "1")
    .run()
}
