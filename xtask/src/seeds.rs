//! Any number of schedules of the account machine, on a release build; the tests play the first 10,000.

use crate::step::{Failure, Step, number};

const USAGE: &str = "usage: cargo xtask seeds [--from N] [--count N] [--profile NAME]";

/// What was asked for: seeds `from..from + count` of one plan.
#[derive(Debug, Eq, PartialEq)]
struct Asked {
    from: u64,
    count: u64,
    profile: String,
}

/// Plays them. Those that fail are printed, appended to the list of open seeds beside the test, and end the chore.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let asked = Asked::read(arguments)?;
    let seeds = format!("{}..{}", asked.from, asked.from.saturating_add(asked.count));
    Step::cargo("test --release -p ingestion-bin --lib account::tests::seeds::every_seed_keeps_every_promise -- --exact --nocapture")
        .env("INGESTION_SEEDS", &seeds)
        .env("INGESTION_SEEDS_PLAN", &asked.profile)
        .env("INGESTION_SEEDS_KEEP", "1")
        .run()
}

impl Asked {
    fn read(arguments: &[String]) -> Result<Self, Failure> {
        let mut asked = Self { from: 10_000, count: 10_000, profile: "all".to_owned() };
        for pair in arguments.chunks(2) {
            match pair {
                [name, value] if name == "--from" => asked.from = number(name, value)?,
                [name, value] if name == "--count" => asked.count = number(name, value)?,
                [name, value] if name == "--profile" => asked.profile.clone_from(value),
                _ => return Err(Failure::Usage(USAGE.to_owned())),
            }
        }
        Ok(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Asked, Failure> {
        Asked::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn seeds_are_counted_from_anywhere() {
        let asked = read("--count 5 --from 70 --profile lagging").unwrap();
        assert_eq!(asked, Asked { from: 70, count: 5, profile: "lagging".to_owned() });
        for line in ["--from", "--from x", "--seeds 5", "7"] {
            assert!(matches!(read(line), Err(Failure::Usage(_))), "{line}");
        }
    }
}
