//! Exactly-once in memory: fill keys, a bounded window, and the sequencer that orders one market's fills.
//!
//! Three parts in memory, each usable alone, none of which knows a venue message, a signal or a clock:
//! - [`key`]: a fill's identity as 128 bits ([`FillKey`]) and its content as 64 ([`Digest`]). Both are persisted, so
//!   both are the same on every machine and in every version of this crate.
//! - [`Window`]: which keys were seen, bounded by the venue's time, with a hard cap that answers instead of
//!   forgetting.
//! - [`Sequencer`] and [`Chain`]: the rows of one market of one account in the order in which they happened, although
//!   they come from several frames, listeners and two streams.
//!
//! And with the feature `redis` `store`: what was processed last, where another machine finds it.
//!
//! ```
//! use dedup::key::{Identity, KeyParts};
//! use dedup::{Chain, Digest, FillKey, Kind, Link, Next, Row, Sequencer, Slot, Window, Entry};
//!
//! let key = |time_ms, tid| {
//!     FillKey::of(&KeyParts { account: &[0xaa; 20], coin: "ETH", time_ms, side: b'B', identity: Identity::Trade { tid } })
//! };
//! let mut seen: Window<Digest> = Window::new(10_000);
//! let mut held = Sequencer::new();
//! let mut chain = Chain::default();
//! chain.advance(1_000, Some(Link { before: 0_i64, after: 5 }));
//!
//! // Two listeners deliver the same fill of 7 -> 9, and a faster path already brought the one after it.
//! for (time_ms, tid, before, after) in [(1_002, 3, 7, 9), (1_001, 2, 5, 7), (1_002, 3, 7, 9)] {
//!     if let Entry::New(_) = seen.insert_or_get(key(time_ms, tid), time_ms, || Digest(0)) {
//!         let row = Row { key: key(time_ms, tid), lane: 0, time: time_ms, link: Some(Link { before, after }), item: tid };
//!         held.place(time_ms, 0, vec![Slot::New(row)], Kind::Live);
//!     }
//! }
//! let mut out = Vec::new();
//! while let Next::Release { index, late } = held.next(&chain, true) {
//!     let row = held.take(index).expect("the index was just given");
//!     if !late { chain.advance(row.time, row.link); }
//!     out.push(row.item);
//! }
//! assert_eq!(out, [2, 3]);
//! ```
#![warn(missing_docs)]

pub mod key;

mod chain;
mod merge;
mod ring;
mod sequencer;
#[cfg(feature = "redis")]
pub mod store;
mod window;

pub use chain::{Chain, Head, Link, Position, WALK_MAX};
pub use key::{Digest, FillKey};
pub use sequencer::{Kind, Next, Row, Sequencer, Slot, Unlinked};
pub use window::{Entry, Window};
