//! Waiting for the lease of the shared state, before there is a service.

#[cfg(feature = "redis")]
use std::sync::Arc;

use super::super::super::exit::Failure;
use super::super::super::followed::List;
use super::front::Front;
use crate::config::Config;
use crate::runtime::Tenancy;

/// Waits until this instance is the one that writes the shared state; nothing where none is shared.
#[cfg(feature = "redis")]
pub(super) async fn tenancy(
    config: &Config,
    list: &mut List,
    front: &Front,
) -> Result<Option<Tenancy>, Failure> {
    use crate::config::SharedState;
    use crate::runtime::clock;
    use crate::shared::{Place, Waiting, take};
    use tracing::{info, warn};

    let SharedState::Redis(shared) = &config.state else { return Ok(None) };
    let address =
        shared.server.address().map_err(|problem| Failure::from(problem.of("state", &config.places)))?;
    let place = Arc::new(Place::new(address, shared.prefix.as_str()));
    // Who stood here before left something to go on from.
    let knows = config.data_dir.join("journal").is_dir();
    let tell = |waiting: &Waiting| match waiting {
        Waiting::For { holder } => {
            info!(holder, place = %place, "stands by: another instance has the lease");
            front.waits(&format!("stands by for {holder}"));
        }
        Waiting::Redis { why } => {
            let place = place.to_string();
            warn!(place, why, "waits for the Redis of the shared state");
            front.waits(&format!("waits for {place}: {why}"));
        }
    };
    let influencers = || {
        // It may have changed since it was read.
        if let Some(reload) = list.poll(clock::now()) {
            list.set = list.with_extra(&reload.set);
        }
        list.set.iter().map(|influencer| influencer.id().as_str().to_owned()).collect()
    };
    let tenancy = take(Arc::clone(&place), shared.lease, influencers, knows, tell).await;
    let tenancy = tenancy.map_err(|error| Failure::world("shared state", error))?;
    info!(place = %place, epoch = tenancy.epoch(), known = tenancy.states().len(), "this instance writes");
    Ok(Some(tenancy))
}

/// Nothing is shared by a build without Redis.
#[cfg(not(feature = "redis"))]
#[expect(clippy::unused_async, reason = "the same call in every build")]
pub(super) async fn tenancy(_: &Config, _: &mut List, _: &Front) -> Result<Option<Tenancy>, Failure> {
    Ok(None)
}
