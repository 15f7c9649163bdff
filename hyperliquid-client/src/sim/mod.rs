//! A simulated venue: Hyperliquid's WebSocket and info protocol over a real socket, with its limits, its texts, its
//! habits, and faults on demand. For tests, demos, benches and load; nothing here is used by the client half, so it is a
//! second, independent statement of the protocol.
//!
//! - [`Market`] is a seeded synthetic market, [`Replay`] a recorded fills file; both give [`Block`]s.
//! - The venue itself is a state machine without socket or clock (`venue/`): history and positions, subscriptions,
//!   limits per address, info answers, faults. Time is an argument: since the venue started; venue time comes with blocks.
//! - [`SimVenue::start`] puts it on a loopback port, on a thread and runtime of its own; [`SimHandle`] holds the truth
//!   (every row published, in order), takes blocks, frames and faults, and stops it.
//!
//! ```
//! use std::time::Duration;
//! use hyperliquid_client::sim::{SimConfig, SimVenue};
//!
//! let mut config = SimConfig::synthetic(7, 1_790_000_000_000);
//! config.faults.push("drop=0.05".parse()?);
//! let venue = SimVenue::start(config)?;
//! assert!(venue.ws_url().starts_with("ws://127.0.0.1:"));
//! assert!(venue.wait_playing(Duration::from_secs(10)));
//! assert!(venue.truth(0).len() > 100, "accounts have a history from the start");
//! venue.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Not simulated: order books, candles, `aggregateByTime: true`, funding, transfers, orders that rest.
//! Limits count per peer IP: on loopback, a client bound to `127.0.0.2` has its own.

mod book;
mod config;
mod fault;
mod fill;
mod handle;
mod limits;
mod market;
mod print;
mod replay;
mod rng;
mod server;
mod state;
mod venue;

pub use self::config::{SimConfig, SimSource, SimTls, Speed, VenueConfig};
pub use self::fault::{FaultSpec, FaultSpecError};
pub use self::fill::{Block, BlockFill, Liquidation, Side, Stream, VenueFill, ZERO_HASH};
pub use self::handle::{SimError, SimHandle, SimVenue};
pub use self::limits::SimLimits;
pub use self::market::{Market, MarketConfig};
pub use self::replay::{Replay, ReplayError, TwapRows};
pub use self::server::{SimPhase, SimTlsError};
pub use self::venue::{TruthRow, VenueStatus};
