//! The configuration in the words of the parts that carry it out.

use hyperliquid_client::backoff::BackoffConfig;
use hyperliquid_client::session::SessionConfig;
use messaging::journal::JournalConfig;

use super::core::PrimaryConfig;
use crate::account::Settings;
use crate::config::{self, Config};

/// The settings of the account machines; where each begins is the account's own.
#[must_use]
pub fn machine(config: &Config) -> Settings {
    Settings {
        hold: config.listeners.hold,
        repair_hold: config.listeners.repair_hold,
        sweep_interval: config.listeners.sweep_interval,
        twap: config.streams.twap,
        ..Settings::default()
    }
}

pub(crate) fn session(config: &Config) -> SessionConfig {
    SessionConfig {
        ping_interval: config.listeners.ping_interval,
        pong_timeout: config.listeners.pong_timeout,
        stale_after: config.listeners.stale_after,
        replace_after: config.listeners.replace_socket,
        ..SessionConfig::default()
    }
}

pub(super) fn primary(config: &Config) -> PrimaryConfig {
    PrimaryConfig {
        failover_lag: config.listeners.failover_lag,
        probe_interval: config.listeners.probe_interval,
        rotate: config.listeners.rotate_primary,
    }
}

pub(super) fn journal(config: &Config) -> JournalConfig {
    let journal = &config.storage.journal;
    JournalConfig {
        fsync: match journal.fsync {
            config::Fsync::Batch => messaging::journal::Fsync::Batch,
            config::Fsync::Always => messaging::journal::Fsync::Always,
        },
        fsync_interval: journal.fsync_interval,
        segment_bytes: journal.segment_bytes,
        queue_batches: journal.queue_batches,
        max_bytes: journal.max_bytes,
        retention: Some(config.storage.raw_retention),
        ..JournalConfig::default()
    }
}

pub(super) fn backoff(config: &Config) -> BackoffConfig {
    let backoff = &config.listeners.backoff;
    BackoffConfig {
        initial: backoff.initial,
        max: backoff.max,
        jitter: backoff.jitter,
        ..BackoffConfig::default()
    }
}
