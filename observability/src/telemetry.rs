//! What the parts of a service are handed: its metrics and its readiness.

use crate::{
    admin,
    event::GENERAL,
    health::Readiness,
    log,
    metrics::{BadCatalogue, Definition, Family, Gauge, Registry},
};

static READY: Definition<Gauge, 0> =
    Definition::gauge("ingestion_ready", "1 while every part works, as /ready says, else 0.", []);

/// Metrics and readiness of one process. Clones share them.
#[derive(Clone, Debug)]
pub struct Telemetry {
    metrics: Registry,
    readiness: Readiness,
}

impl Telemetry {
    /// Telemetry of the service's own `catalogue` and of this crate's ([`Telemetry::catalogue`]).
    ///
    /// # Errors
    /// [`BadCatalogue`] when a family breaks the rules of naming, or is declared twice.
    pub fn new(catalogue: &[Family]) -> Result<Self, BadCatalogue> {
        let metrics = Registry::new(&Self::catalogue(catalogue))?;
        let readiness = Readiness::shown_in(metrics.get(&READY, []));
        Ok(Self { metrics, readiness })
    }

    /// The service's families and those every [`Telemetry`] adds; [`crate::metrics::markdown`] of it documents
    /// all of `/metrics`.
    #[must_use]
    pub fn catalogue(catalogue: &[Family]) -> Vec<Family> {
        let ours = GENERAL.iter().chain(log::FAMILIES).chain(admin::FAMILIES);
        catalogue.iter().copied().chain([READY.family()]).chain(ours.copied()).collect()
    }

    /// The metrics.
    #[must_use]
    pub fn metrics(&self) -> &Registry {
        &self.metrics
    }

    /// The latches of the parts.
    #[must_use]
    pub fn readiness(&self) -> &Readiness {
        &self.readiness
    }
}
