//! Beginning as the writer of a shared state: what others left there is taken into the journal first, so that everything known here
//! comes of the journal's records, as always.

#[cfg(feature = "redis")]
pub use crate::shared::Tenancy;

#[cfg(feature = "redis")]
use super::core::Outbox;
#[cfg(feature = "redis")]
use crate::{
    record::{Body, Stamp},
    runtime::clock,
    state::State,
};

/// Without Redis nobody is one.
#[cfg(not(feature = "redis"))]
#[derive(Clone, Copy, Debug)]
pub enum Tenancy {}

/// The epoch it begins with, above every one on record. Where the lease was granted with one that is high enough, it is that one: the Redis
/// knows it already, and nobody can get between.
#[cfg(feature = "redis")]
pub(super) fn epoch(tenancy: Option<&Tenancy>, recorded: u64, started_at_ms: u64) -> u64 {
    match tenancy {
        Some(tenancy) if tenancy.is_granted() => tenancy.epoch().max(recorded.saturating_add(1)),
        Some(tenancy) => tenancy.epoch().max(recorded.saturating_add(1)).max(started_at_ms),
        None => recorded.saturating_add(1).max(started_at_ms),
    }
}

#[cfg(not(feature = "redis"))]
pub(super) fn epoch(_: Option<&Tenancy>, recorded: u64, started_at_ms: u64) -> u64 {
    recorded.saturating_add(1).max(started_at_ms)
}

/// Of every account of which another one knows more, that is what is known here from now on. Who wrote with the higher epoch knows more.
#[cfg(feature = "redis")]
pub(super) fn adopt(tenancy: &Tenancy, state: &mut State, outbox: &mut Outbox, network: &str) {
    for adopted in tenancy.states() {
        let known = state.accounts.get(&adopted.account).map(|known| known.ledger.epoch());
        if known >= Some(adopted.epoch) {
            continue;
        }
        tracing::info!(influencer = adopted.influencer, epoch = adopted.epoch, here = ?known, "goes on from the shared state");
        let (account, influencer, epoch) = (adopted.account, adopted.influencer.as_str(), adopted.epoch);
        let stamp = Stamp { account, influencer, network, at_ms: clock::wall_ms(), epoch };
        outbox.put(&Body::Adopted { stamp, state: &adopted.state.share() });
        state.accounts.insert(account, adopted.state.clone());
    }
}

#[cfg(not(feature = "redis"))]
pub(super) fn adopt(tenancy: &Tenancy, _: &mut crate::state::State, _: &mut super::core::Outbox, _: &str) {
    match *tenancy {}
}
