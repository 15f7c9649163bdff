//! Fills, positions and signals as values: exact decimals, ids and the versioned wire schema.
//!
//! A *fill* is what the venue says happened: an account bought or sold some size, from a position it names. A *signal* is
//! what that did to the position: opened, closed, increased, decreased or flipped it. This crate holds both as plain
//! values, the rule that turns one into the other, the ids everything is known by, and the JSON that leaves the service
//! ([`wire::v1`], with JSON Schema files beside it).
//!
//! **Absent here:** clocks, sockets, files, async, configuration, and any venue message. The same fill with the same
//! emission facts always gives the same signal, byte for byte; replays and audits rest on that.
//!
//! Units: venue time is milliseconds since 1970 as the venue wrote it; receive time in raw events and dead letters is
//! nanoseconds since 1970; sizes are base-asset units, prices are quote per base. No number is ever rounded, except
//! positions, by the one rule of [`normalise_position`].
//!
//! ```
//! use signal_domain::{Action, Account, Emission, Fill, InfluencerId, Market, Network, Number, Origin, Side, Signal, Size};
//! use signal_domain::wire::v1::SignalV1;
//!
//! let account: Account = "0x00000000000000000000000000000000000000aa".parse()?;
//! let fill = Fill {
//!     start_position: Some(Number::parse("-1.25")?),
//!     oid: Some(560_000_000_001),
//!     ..Fill::new(
//!         Market::from_coin("ETH")?,
//!         Side::Buy,
//!         Number::parse("2400.50")?,
//!         Size::parse("0.5")?,
//!         1_790_000_000_123,
//!         512_345_678_901_234,
//!     )
//! };
//! let emission = Emission::new(InfluencerId::parse("whale-1")?, account, Network::Mainnet, Origin::Live);
//! let signal = Signal::from_fill(fill, Emission { epoch: 1, seq: 42, ..emission })?.expect("the position changed");
//!
//! assert_eq!(signal.action(), Action::Decrease);
//! assert_eq!(signal.size().to_string(), "0.75");
//!
//! let mut line = Vec::new();
//! SignalV1::from(&signal).encode(&mut line);
//! assert!(line.starts_with(br#"{"signalId":""#));
//! assert_eq!(SignalV1::decode(&line)?.signal_id, signal.signal_id());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod account;
mod cause;
mod decimal;
mod dir;
mod fill;
pub mod ids;
mod influencer;
mod market;
mod names;
mod number;
mod position;
mod reason;
mod refusal;
mod signal;
pub mod wire;

pub use account::{Account, AccountError, PARTITIONS};
pub use cause::Cause;
pub use decimal::{Decimal, DecimalError, DecimalText};
pub use dir::Dir;
pub use fill::{Fill, FillError, Liquidation, Side};
pub use influencer::{InfluencerId, InfluencerIdError};
pub use market::{Market, MarketError, MarketKind};
pub use names::{
    Coverage, Disposition, Encoding, EventType, GapKind, GapState, Network, Origin, Stage, StateReason,
    StateSource, UnknownName,
};
pub use number::{Number, Size};
pub use position::{Action, PositionSide, Transition, normalise_position};
pub use reason::Reason;
pub use refusal::{Refusal, RefusedPayload};
pub use signal::{CONTEXT_MAX_AGE_MS, Context, Emission, Signal};
pub use uuid::Uuid;
