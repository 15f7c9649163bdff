//! The test command: everything a change must pass, on a clean checkout, with what the machine has.

use crate::services;
use crate::step::{Failure, Step};

/// Crates that others take alone: each is checked alone, so that features of one cannot hide what another lacks.
const LEAVES: [&str; 6] =
    ["signal-domain", "dedup", "hyperliquid-client", "influencer-registry", "messaging", "observability"];

/// Crates that must not be in the protocol half's graph.
const NOT_IN_PROTOCOL_HALF: [&str; 4] = ["tokio", "hyper", "rustls", "fastwebsockets"];

/// Everything but an OpenSSL built from its source, which takes longer than all the rest: the system's does.
const ALL: &str = "--features ingestion-bin/kafka-tls";

pub(crate) fn run() -> Result<(), Failure> {
    tools()?;
    services::install()?;
    Step::cargo("fmt --all --check").run()?;
    Step::cargo(&format!("clippy --workspace --all-targets {ALL} -- -D warnings")).run()?;
    Step::cargo(&format!("doc --workspace --no-deps {ALL}")).env("RUSTDOCFLAGS", "-D warnings").run()?;
    for leaf in LEAVES {
        Step::cargo(&format!("check --quiet -p {leaf}")).run()?;
    }
    protocol_half()?;
    Step::cargo("clippy --quiet -p ingestion-bin --no-default-features -- -D warnings").run()?;
    // What the demo is: no C++ compiler, no server.
    Step::cargo("test -p ingestion-bin --no-default-features --test first_fill --test wrong_config").run()?;
    Step::cargo("test -p ingestion-bin --no-default-features --lib config").run()?;
    Step::cargo(&format!("test --workspace {ALL}")).run()
}

/// What cannot come with cargo, said in one line.
fn tools() -> Result<(), Failure> {
    for (component, works) in [
        ("rustfmt", Step::cargo("fmt --version").works()),
        ("clippy", Step::cargo("clippy --version").works()),
    ] {
        if !works {
            return Err(Failure::Failed(format!(
                "missing: {component}. Type: rustup component add {component}"
            )));
        }
    }
    Ok(())
}

/// The protocol half does no I/O: it builds without a runtime, a socket or TLS.
fn protocol_half() -> Result<(), Failure> {
    Step::cargo("check --quiet -p hyperliquid-client --no-default-features").run()?;
    let tree =
        Step::cargo("tree -p hyperliquid-client --no-default-features -e normal --prefix none").output()?;
    for name in NOT_IN_PROTOCOL_HALF {
        if tree.lines().any(|line| line.split(' ').next() == Some(name)) {
            return Err(Failure::Failed(format!("hyperliquid-client without features depends on {name}")));
        }
    }
    Ok(())
}
