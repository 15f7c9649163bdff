//! Long runs of the drills on the release binary; the tests run a short form of each.

use crate::step::{Failure, Step, number};

/// `kills [--count N] [--seed S]`: N random SIGKILLs with both listeners in trouble and the venue's limits lifted, then N/5 inside its info
/// budget.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let (count, seed) = counted("kills", "--count", 100, arguments)?;
    seeded(drill("kills", "killed_").env("INGESTION_KILLS", &count.to_string()), "INGESTION_KILL_SEED", seed)
}

/// `drill [--rounds N] [--seed S]`: both listeners ill in turn, N rounds of every illness of each, then N of recorded fills where there are
/// any, then one listener that drops frames.
pub(crate) fn listeners(arguments: &[String]) -> Result<(), Failure> {
    let (rounds, seed) = counted("drill", "--rounds", 5, arguments)?;
    seeded(
        drill("network", "drill_").env("INGESTION_DRILL", &rounds.to_string()),
        "INGESTION_DRILL_SEED",
        seed,
    )
}

/// `latency [--turns N]`: from the socket to the signal file, the other listener healthy and in a reconnect storm, in turns.
pub(crate) fn latency(arguments: &[String]) -> Result<(), Failure> {
    let (turns, seed) = counted("latency", "--turns", 5, arguments)?;
    if seed.is_some() {
        return Err(Failure::Usage("latency takes --turns N".to_owned()));
    }
    drill("network", "latency_").env("INGESTION_LATENCY", &turns.max(2).to_string()).run()
}

/// `cost [--fills N] [--rate N]`: the whole chain with a real Kafka beside the textbook one: N fills at full speed, three turns each; then
/// 20 s at N fills a second.
pub(crate) fn cost(arguments: &[String]) -> Result<(), Failure> {
    let (mut fills, mut rate) = (500_000, 5_000);
    for pair in arguments.chunks(2) {
        match pair {
            [name, value] if name == "--fills" => fills = number(name, value)?.max(1),
            [name, value] if name == "--rate" => rate = number(name, value)?.max(1),
            _ => {
                let given = pair.join(" ");
                return Err(Failure::Usage(format!("cost takes --fills N and --rate N, not {given}")));
            }
        }
    }
    let drill = drill("cost", "both_chains_").env("INGESTION_COST_FILLS", &fills.to_string());
    drill.env("INGESTION_COST_RATE", &rate.to_string()).run()
}

/// `NAME N` and `--seed S`.
fn counted(chore: &str, name: &str, usual: u64, arguments: &[String]) -> Result<(u64, Option<u64>), Failure> {
    let (mut count, mut seed) = (usual, None);
    for pair in arguments.chunks(2) {
        match pair {
            [given, value] if given == name => count = number(name, value)?,
            [given, value] if given == "--seed" => seed = Some(number(given, value)?),
            _ => {
                return Err(Failure::Usage(format!(
                    "{chore} takes {name} N and --seed S, not {}",
                    pair.join(" ")
                )));
            }
        }
    }
    Ok((count, seed))
}

fn seeded(drill: Step, name: &str, seed: Option<u64>) -> Result<(), Failure> {
    match seed {
        Some(seed) => drill.env(name, &seed.to_string()).run(),
        None => drill.run(),
    }
}

/// `restart [--events N]`: builds a journal of N events, and measures restarts on it.
pub(crate) fn restart(arguments: &[String]) -> Result<(), Failure> {
    let events = events("restart", arguments)?;
    drill("kills", "a_restart_").env("INGESTION_RESTART_EVENTS", &events.to_string()).run()
}

/// `lookups [--events N]`: builds a journal of N events, and looks some of them up.
pub(crate) fn lookups(arguments: &[String]) -> Result<(), Failure> {
    let events = events("lookups", arguments)?;
    drill("raw_lookups", "").env("INGESTION_RAW_EVENTS", &events.to_string()).run()
}

fn events(chore: &str, arguments: &[String]) -> Result<u64, Failure> {
    match arguments {
        [] => Ok(1_000_000),
        [name, value] if name == "--events" => number(name, value),
        _ => Err(Failure::Usage(format!("{chore} takes --events N, not {}", arguments.join(" ")))),
    }
}

/// `week [--days N]`: so many days of a typical load, at high speed.
pub(crate) fn week(arguments: &[String]) -> Result<(), Failure> {
    let days = match arguments {
        [] => 7,
        [name, value] if name == "--days" => number(name, value)?.max(1),
        _ => return Err(Failure::Usage(format!("week takes --days N, not {}", arguments.join(" ")))),
    };
    drill("week", "a_week_").env("INGESTION_WEEK_DAYS", &days.to_string()).run()
}

/// `soak [--hours H | --minutes M] [--seed S]`: faults at random on everything, with a real Kafka and a real Redis; a day unless it is said.
pub(crate) fn soak(arguments: &[String]) -> Result<(), Failure> {
    let (mut minutes, mut seed) = (24 * 60, None);
    for pair in arguments.chunks(2) {
        match pair {
            [name, value] if name == "--hours" => minutes = number(name, value)?.saturating_mul(60),
            [name, value] if name == "--minutes" => minutes = number(name, value)?,
            [name, value] if name == "--seed" => seed = Some(number(name, value)?),
            _ => {
                let said = pair.join(" ");
                return Err(Failure::Usage(format!(
                    "soak takes --hours H or --minutes M, and --seed S, not {said}"
                )));
            }
        }
    }
    // With TLS, as the other tests with Kafka are built.
    let soak = Step::cargo(
        "test --release -p ingestion-bin --features kafka-tls --test soak -- --nocapture --test-threads 1 faults_",
    );
    seeded(soak.env("INGESTION_SOAK_MINUTES", &minutes.max(1).to_string()), "INGESTION_SOAK_SEED", seed)
}

fn drill(file: &str, tests: &str) -> Step {
    Step::cargo(&format!(
        "test --release -p ingestion-bin --test {file} -- --nocapture --test-threads 1 {tests}"
    ))
}
