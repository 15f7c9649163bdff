//! `[telemetry]`, `[admin]`, `[shutdown]`, and the sections whose parts this build does not have.

use std::net::SocketAddr;
use std::time::Duration;

use super::reader::Section;
use super::secret::SecretSource;

const NO_OTLP: &str = "this build does not export OTLP yet";

/// Logs.
#[derive(Clone, Debug)]
pub struct Telemetry {
    /// How log lines look.
    pub log: LogFormat,
    /// Level or filter (`info`, `warn,messaging=debug`).
    pub level: String,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// The admin HTTP server.
#[derive(Clone, Debug)]
pub struct Admin {
    /// Where it listens; `None`: not at all.
    pub listen: Option<SocketAddr>,
    /// The token that reads need when it is not on loopback.
    pub token_from: Option<SecretSource>,
}

/// How long a stop may take.
#[derive(Clone, Copy, Debug)]
pub struct Shutdown {
    /// Until it is cut off.
    pub grace: Duration,
}

pub(super) fn telemetry(root: &Section<'_>) -> Telemetry {
    let section = root.section("telemetry");
    let telemetry = Telemetry {
        log: section.choice(
            "log",
            LogFormat::Pretty,
            &[("pretty", LogFormat::Pretty), ("json", LogFormat::Json)],
        ),
        level: section.parsed("level", "info", level).unwrap_or_default(),
    };
    section.not_built("service_name", "ingestion", NO_OTLP);
    section.not_built("otlp_endpoint", "", NO_OTLP);
    section.not_built("sampling", 0.01, NO_OTLP);
    section.done();
    telemetry
}

/// One level, or levels by crate. A single word that is no level would be read as a crate's name and log nothing at all.
fn level(text: &str) -> Result<String, &'static str> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_level = |text: &str| LEVELS.iter().any(|level| text.eq_ignore_ascii_case(level));
    let fits = |part: &str| part.rsplit_once('=').map_or(is_level(part), |(_, level)| is_level(level));
    if text.split(',').all(|part| fits(part.trim())) {
        Ok(text.to_owned())
    } else {
        Err("wants off, error, warn, info, debug or trace, or such by crate (warn,ingestion_bin=debug)")
    }
}

pub(super) fn admin(root: &Section<'_>) -> Admin {
    let section = root.section("admin");
    let text = section.text("listen", "127.0.0.1:9464");
    let listen = if text.is_empty() {
        None
    } else {
        section.parsed("listen", "127.0.0.1:9464", |text| {
            text.parse::<SocketAddr>().map_err(|_| "wants ADDRESS:PORT, or \"\" for none")
        })
    };
    let token_from = section.secret("token_from");
    if listen.is_some_and(|address| !address.ip().is_loopback()) && token_from.is_none() {
        section.complain(
            "listen",
            &format!("{text:?}"),
            "is not on loopback, so admin.token_from is required",
        );
    }
    section.done();
    Admin { listen, token_from }
}

pub(super) fn shutdown(root: &Section<'_>) -> Shutdown {
    let section = root.section("shutdown");
    let shutdown = Shutdown { grace: section.millis("grace_ms", 20_000, 100..=600_000) };
    section.done();
    shutdown
}

/// Sections of parts that this build does not have: they may be there, at their defaults (`docs/adr/0005`).
pub(super) fn not_built_in(root: &Section<'_>) {
    let alerts = root.section("alerts");
    alerts.not_built("webhook_from", "", "this build does not send alerts yet");
    alerts.done();
}
