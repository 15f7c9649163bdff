//! The service inside the test, at the two venues of [`Legs`], where a test sets what no configuration does: the storages, or the pauses of
//! the account machines.

use std::time::Duration;

use ingestion_bin::account::Settings;
use ingestion_bin::config::{Config, Sources};
use ingestion_bin::runtime::{Followed, Service, Storages, events, machine_settings};
use observability::Telemetry;

use super::eventually;
use super::legs::Legs;
use super::service::series_of;

/// Reads follow one another thirty times faster than they would.
pub fn fast(settings: &Settings) -> Settings {
    let second = Duration::from_secs(1);
    Settings {
        first_sweep: second,
        sweep_interval: 3 * second,
        recheck: second,
        twin_hold: 20 * second,
        ..settings.clone()
    }
}

pub struct Inside {
    pub service: Service,
    telemetry: Telemetry,
}

impl Inside {
    /// Both listeners are subscribed and every account has its baseline.
    pub fn start(legs: &Legs, storages: Storages, settings: impl FnOnce(&Settings) -> Settings) -> Self {
        let text = std::fs::read_to_string(&legs.config).expect("the configuration is read");
        let sources = Sources { file: Some((legs.config.clone(), text)), ..Sources::default() };
        let config = Config::load(&sources).expect("it is right");
        let telemetry = Telemetry::new(&events::catalogue()).expect("the catalogue is right");
        let follow =
            legs.users.iter().map(|user| Followed::by_address(user.parse().expect("an address"))).collect();
        let settings = settings(&machine_settings(&config));
        let service = Service::start_with(&config, settings, storages, follow, (&telemetry, None))
            .expect("the service starts");
        eventually("baselines", || {
            let worker = service.status().worker();
            let based =
                worker.accounts.len() == legs.users.len() && worker.accounts.iter().all(|one| one.based);
            (based && worker.listeners_connected == 2).then_some(())
        });
        legs.wait_both();
        Self { service, telemetry }
    }

    /// The same on files, with [`fast`] reads of history.
    pub fn start_fast(legs: &Legs) -> Self {
        Self::start(legs, Storages::on_disk(&legs.data()), fast)
    }

    /// One series of `/metrics`, 0 when it is not there yet.
    pub fn metric(&self, series: &str) -> f64 {
        series_of(&self.telemetry.metrics().render(), series)
    }

    /// Lets venue time go on by more than history may lag, and waits until everything before that is certified.
    pub fn certify(&self, legs: &mut Legs) {
        let until = i64::try_from(legs.chains.now()).expect("milliseconds");
        legs.chains.skip(130_000);
        eventually(&format!("certified to {until}"), || {
            legs.play(1);
            let accounts = self.service.status().worker().accounts;
            accounts.iter().all(|account| account.certified_to >= Some(until)).then_some(())
        });
    }

    /// Everything accepted is on disk.
    pub fn stop_well(self) {
        let stopped = self.service.stop(Duration::from_secs(20));
        assert!(stopped.clean && stopped.left.is_empty(), "{stopped:?}");
    }
}
