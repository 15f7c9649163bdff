//! A signal: what one fill did to one position, with the facts of its emission.
//!
//! A signal is a pure function of the fill and these facts, so the journal alone re-creates every signal byte for byte.
//! It is no wire type: [`crate::wire::v1::SignalV1`] is what leaves the service.

use std::sync::Arc;

use uuid::Uuid;

use crate::{
    Account, Action, Cause, Decimal, Fill, FillError, InfluencerId, Market, Network, Origin, PositionSide,
    Transition, ids,
};

/// How far an account state may be from the fill it is context of, in ms of venue time.
pub const CONTEXT_MAX_AGE_MS: u64 = 120_000;

/// A change of a followed position.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Signal {
    id: Uuid,
    source_event_id: Box<str>,
    transition: Transition,
    action: Action,
    cause: Cause,
    fill: Fill,
    emission: Emission,
}

/// What is known about a signal besides its fill.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Emission {
    /// Whose signal.
    pub influencer: InfluencerId,
    /// The influencer's account.
    pub account: Account,
    /// Which network.
    pub network: Network,
    /// How the fill reached us.
    pub origin: Origin,
    /// When it did, ms since 1970, by our wall clock. A label.
    pub received_at_ms: u64,
    /// The writer's epoch.
    pub epoch: u64,
    /// 1, 2, 3… per influencer and market inside an epoch, in emission order.
    pub seq: u64,
    /// Another signal of this influencer and market follows at once, out of the same batch.
    pub more: bool,
    /// The gap in which events before this one may be missing.
    pub gap_id: Option<Uuid>,
    /// Newer signals of this market went out before.
    pub late: bool,
    /// How often this event's signal was corrected before: 0 for the first one, n for its n-th correction. Part of the id.
    pub revision: u32,
    /// The wrong signal that this one replaces: of the same event when it is a correction, else of another event.
    pub supersedes: Option<Uuid>,
    /// The last account state known when the fill was taken.
    pub context: Option<Context>,
    /// Which listener brought the fill first.
    pub listener: Option<Arc<str>>,
}

/// An account state, as context of a signal. Decimals as the venue had them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Context {
    /// The account's equity, USD.
    pub account_value: Option<Decimal>,
    /// The position's leverage.
    pub leverage: Option<Decimal>,
    /// `cross` or `isolated`; an open set.
    pub margin_mode: Option<Box<str>>,
    /// The position's average entry price.
    pub entry_price: Option<Decimal>,
    /// Venue time of the state, ms since 1970.
    pub as_of: u64,
}

impl Emission {
    /// The facts that are always known; epoch, seq and receive time are 0, the rest is absent.
    pub const fn new(influencer: InfluencerId, account: Account, network: Network, origin: Origin) -> Self {
        Self {
            influencer,
            account,
            network,
            origin,
            received_at_ms: 0,
            epoch: 0,
            seq: 0,
            more: false,
            gap_id: None,
            late: false,
            revision: 0,
            supersedes: None,
            context: None,
            listener: None,
        }
    }
}

impl Signal {
    /// The signal of a fill, or `None` when the position is the same after rounding (disposition `no_change`).
    ///
    /// A context further than [`CONTEXT_MAX_AGE_MS`] from the fill is left out: it would describe another position.
    ///
    /// # Errors
    /// [`FillError`] when the fill lacks a start position (or, with `tid` 0, an `oid`), or leads out of range.
    pub fn from_fill(fill: Fill, mut emission: Emission) -> Result<Option<Self>, FillError> {
        let transition = fill.transition()?;
        let source_event_id = fill.source_event_id()?;
        let Some(action) = transition.action() else {
            return Ok(None);
        };
        emission.context =
            emission.context.filter(|context| context.as_of.abs_diff(fill.time) <= CONTEXT_MAX_AGE_MS);
        let id =
            ids::signal_id(&emission.influencer, &fill.market, &source_event_id, action, emission.revision);
        let cause = Cause::of(&fill, emission.account);
        Ok(Some(Self {
            id,
            source_event_id: source_event_id.into(),
            transition,
            action,
            cause,
            fill,
            emission,
        }))
    }

    /// The signal's id: see [`ids`].
    pub const fn signal_id(&self) -> Uuid {
        self.id
    }

    /// The id of the fill: see [`Fill::source_event_id`].
    pub fn source_event_id(&self) -> &str {
        &self.source_event_id
    }

    /// Where.
    pub const fn market(&self) -> &Market {
        &self.fill.market
    }

    /// What happened.
    pub const fn action(&self) -> Action {
        self.action
    }

    /// The side after.
    pub const fn side(&self) -> PositionSide {
        self.transition.side()
    }

    /// The size after, unsigned.
    pub fn size(&self) -> Decimal {
        self.transition.after().abs()
    }

    /// The signed size of the fill.
    pub const fn delta_size(&self) -> Decimal {
        self.transition.delta()
    }

    /// The fill's price.
    pub const fn price(&self) -> Decimal {
        self.fill.px.value()
    }

    /// The fill's venue time, ms since 1970.
    pub const fn timestamp(&self) -> u64 {
        self.fill.time
    }

    /// Why, as a label.
    pub const fn cause(&self) -> Cause {
        self.cause
    }

    /// The position before and after.
    pub const fn transition(&self) -> &Transition {
        &self.transition
    }

    /// The fill it was made of.
    pub const fn fill(&self) -> &Fill {
        &self.fill
    }

    /// The facts it was emitted with.
    pub const fn emission(&self) -> &Emission {
        &self.emission
    }
}

#[cfg(test)]
mod tests;
