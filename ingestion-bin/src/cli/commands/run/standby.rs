//! Waiting for the lease of the shared state, before there is a service.

#[cfg(feature = "redis")]
use tracing::{info, warn};

use super::super::super::exit::Failure;
use super::super::super::followed::List;
use super::front::Front;
use crate::config::Config;
use crate::runtime::Tenancy;
#[cfg(feature = "redis")]
use crate::{
    config::SharedState,
    runtime::clock,
    shared::{Place, Waiting, take},
};

/// The claim of this process to write the shared state; nothing where none is shared.
#[cfg(feature = "redis")]
pub(super) type Claim = Option<crate::shared::Claim>;

/// Nothing is shared by a build without Redis.
#[cfg(not(feature = "redis"))]
pub(super) type Claim = Option<std::convert::Infallible>;

/// The claim that the configuration asks for.
#[cfg(feature = "redis")]
pub(super) fn claim(config: &Config) -> Result<Claim, Failure> {
    let SharedState::Redis(shared) = &config.state else { return Ok(None) };
    let address =
        shared.server.address().map_err(|problem| Failure::from(problem.of("state", &config.places)))?;
    Ok(Some(crate::shared::Claim::new(Place::new(address, shared.prefix.as_str()), shared.lease)))
}

#[cfg(not(feature = "redis"))]
#[expect(clippy::unnecessary_wraps, reason = "the same call in every build")]
pub(super) fn claim(_: &Config) -> Result<Claim, Failure> {
    Ok(None)
}

/// Waits until this instance is the one that writes the shared state; nothing where none is shared.
#[cfg(feature = "redis")]
pub(super) async fn tenancy(
    claim: &mut Claim,
    config: &Config,
    list: &mut List,
    front: &Front,
) -> Result<Option<Tenancy>, Failure> {
    let Some(claim) = claim else { return Ok(None) };
    let place = claim.place().to_string();
    // Who stood here before left something to go on from.
    let knows = config.data_dir.join("journal").is_dir();
    let tell = |waiting: &Waiting| {
        let why = match waiting {
            Waiting::For { holder } => {
                info!(holder, place, "stands by: another instance has the lease");
                format!("stands by for {holder}")
            }
            Waiting::Forgotten => {
                warn!(place, "the Redis has forgotten the lease: stands by for who had it");
                "stands by: the Redis has forgotten the lease".to_owned()
            }
            Waiting::Redis { why } => {
                warn!(place, why, "waits for the Redis of the shared state");
                format!("waits for {place}: {why}")
            }
            Waiting::List => {
                warn!("waits for the list of influencers, which is out of reach");
                "waits for the list of influencers".to_owned()
            }
        };
        front.waits(&why);
    };
    let is_listed = || {
        // It may have changed since it was read.
        if let Some(reload) = list.poll(clock::now()) {
            list.set = list.with_extra(&reload.set);
        }
        list.out_of_reach().is_none() || !list.set.is_empty()
    };
    let tenancy = take(claim, is_listed, knows, tell).await;
    let tenancy = tenancy.map_err(|error| Failure::world("shared state", error))?;
    let (epoch, granted, known) = (tenancy.epoch(), tenancy.is_granted(), tenancy.states().len());
    info!(place, epoch, granted, known, "this instance writes");
    Ok(Some(tenancy))
}

#[cfg(not(feature = "redis"))]
#[expect(clippy::unused_async, reason = "the same call in every build")]
pub(super) async fn tenancy(
    _: &mut Claim,
    _: &Config,
    _: &mut List,
    _: &Front,
) -> Result<Option<Tenancy>, Failure> {
    Ok(None)
}
