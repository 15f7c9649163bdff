//! Real servers, installed for the tests and started for a person. What the machine lacks is one line.

use std::fmt::Display;

use test_services::{install, standing};

use crate::step::{Failure, number};

const USAGE: &str = "usage: cargo xtask services up|down [--kafka-port N] [--redis-port N]";

/// What was asked for.
#[derive(Debug, Eq, PartialEq)]
enum Asked {
    Up { kafka: u16, redis: u16 },
    Down,
}

/// Starts Kafka and Redis on known ports, or takes them down.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    match Asked::read(arguments)? {
        Asked::Up { kafka, redis } => {
            install::packages(&tell).map_err(failed)?;
            install::kafka_jars(&tell).map_err(failed)?;
            standing::up(kafka, redis, &tell).map_err(failed)?;
            tell(&format!("Kafka  127.0.0.1:{kafka}"));
            tell(&format!("Redis  redis://127.0.0.1:{redis}"));
            tell(
                "logs and data are in target/services/running; cargo xtask services down ends them and deletes it",
            );
        }
        Asked::Down => standing::down(&tell).map_err(failed)?,
    }
    Ok(())
}

/// For the test command: what librdkafka is built with must be there; a server that cannot be had costs its tests, each of which says so.
pub(crate) fn install() -> Result<(), Failure> {
    tell("==> what the tests build with and run against: C++ tools, Apache Kafka, Redis, kcat");
    install::build_packages(&tell).map_err(failed)?;
    if let Err(missing) = install::packages(&tell) {
        tell(&format!("    {missing}"));
    }
    if let Err(missing) = install::kafka_jars(&tell) {
        tell(&format!("    {missing}"));
    }
    Ok(())
}

impl Asked {
    fn read(arguments: &[String]) -> Result<Self, Failure> {
        let usage = || Failure::Usage(USAGE.to_owned());
        let (what, options) = arguments.split_first().ok_or_else(usage)?;
        let (mut kafka, mut redis) = (9092, 6379);
        for pair in options.chunks(2) {
            match pair {
                [name, value] if name == "--kafka-port" => kafka = port(name, value)?,
                [name, value] if name == "--redis-port" => redis = port(name, value)?,
                _ => return Err(usage()),
            }
        }
        match what.as_str() {
            "up" => Ok(Self::Up { kafka, redis }),
            "down" if options.is_empty() => Ok(Self::Down),
            _ => Err(usage()),
        }
    }
}

fn port(name: &str, value: &str) -> Result<u16, Failure> {
    let port = u16::try_from(number(name, value)?).ok().filter(|port| *port > 0);
    port.ok_or_else(|| Failure::Usage(format!("{name} {value}: wants 1 to 65535")))
}

fn failed(error: impl Display) -> Failure {
    Failure::Failed(error.to_string())
}

fn tell(line: &str) {
    println!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Asked, Failure> {
        Asked::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn ports_are_the_usual_ones_unless_given() {
        assert_eq!(read("up").unwrap(), Asked::Up { kafka: 9092, redis: 6379 });
        let given = read("up --redis-port 7001 --kafka-port 7002").unwrap();
        assert_eq!(given, Asked::Up { kafka: 7002, redis: 7001 });
        assert_eq!(read("down").unwrap(), Asked::Down);
        for line in [
            "",
            "sideways",
            "up --kafka-port",
            "up --kafka-port 0",
            "up --kafka-port 70000",
            "down --redis-port 1",
        ] {
            assert!(matches!(read(line), Err(Failure::Usage(_))), "{line}");
        }
    }
}
