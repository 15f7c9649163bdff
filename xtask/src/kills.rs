//! Long runs of the kill drill on the release binary; the tests run a short form of each.

use crate::step::{Failure, Step};

/// `kills [--count N] [--seed S]`: N random SIGKILLs with the venue's limits lifted, then N/5 inside its info budget.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let (mut count, mut seed) = (100, None);
    for pair in arguments.chunks(2) {
        match pair {
            [name, value] if name == "--count" => count = number(name, value)?,
            [name, value] if name == "--seed" => seed = Some(number(name, value)?),
            _ => {
                return Err(Failure::Usage(format!(
                    "kills takes --count N and --seed S, not {}",
                    pair.join(" ")
                )));
            }
        }
    }
    let drill = drill("killed_").env("INGESTION_KILLS", &count.to_string());
    match seed {
        Some(seed) => drill.env("INGESTION_KILL_SEED", &seed.to_string()).run(),
        None => drill.run(),
    }
}

/// `restart [--events N]`: builds a journal of N events, and measures restarts on it.
pub(crate) fn restart(arguments: &[String]) -> Result<(), Failure> {
    let events = match arguments {
        [] => 1_000_000,
        [name, value] if name == "--events" => number(name, value)?,
        _ => return Err(Failure::Usage(format!("restart takes --events N, not {}", arguments.join(" ")))),
    };
    drill("a_restart_").env("INGESTION_RESTART_EVENTS", &events.to_string()).run()
}

fn drill(tests: &str) -> Step {
    Step::cargo(&format!(
        "test --release -p ingestion-bin --test kills -- --nocapture --test-threads 1 {tests}"
    ))
}

fn number(name: &str, value: &str) -> Result<u64, Failure> {
    value.parse().map_err(|_| Failure::Usage(format!("{name} {value}: wants a whole number")))
}
