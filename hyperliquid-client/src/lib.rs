//! Hyperliquid's WebSocket and info API: a protocol half without I/O or clock, an I/O half, a simulated venue.
//!
//! The protocol half is everything but `io` and `sim`. It is plain state machines and pure
//! functions: bytes and `now` go in, values come out. It opens no socket, reads no clock and builds without tokio.
//!
//! # The two halves
//!
//! | module | what it is |
//! |---|---|
//! | [`wire`] | the venue's messages as borrowed types; numbers keep the venue's text beside their exact value |
//! | [`decode`] | frames and info pages into those types; one bad row costs that row only |
//! | [`session`] | one connection as a state machine: subscriptions, acknowledgements, heartbeat, staleness |
//! | [`info`] | requests and answers of the info API, their weight |
//! | [`plan`] | which account over which connections, before the first one opens |
//! | [`limits`], [`weight`], [`backoff`], [`pager`] | what the venue allows, and how to live within it |
//! | [`auth`] | tokens that never show themselves |
//! | `io` (feature `io`) | sockets, TLS, the info client over HTTP |
//! | `sim` (feature `sim`) | a venue for tests and demos, same protocol, with faults on request |
//!
//! # Features
//!
//! `io` is on by default; without it there is no tokio, no TLS and no HTTP in the graph. `sim` needs `io` and is for tests and demos.
//!
//! # Following an account
//!
//! `examples/follow.rs` prints an account's fills as they come: an `io::Endpoint`, an `io::Listener` that keeps its connection alive,
//! an `io::Control` that says what is subscribed, and an `io::Handler` that is given every frame. `examples/sim_venue.rs` starts a
//! venue to try it on. `examples/decode.rs` needs no socket at all.
//!
//! # A fill out of a frame
//!
//! ```
//! use hyperliquid_client::decode::{Decoder, Frame};
//!
//! let frame = br#"{"channel":"userFills","data":{"user":"0x00000000000000000000000000000000000000aa","fills":[
//!   {"coin":"ETH","px":"2400.5","sz":"0.5","side":"B","time":1790000000123,"startPosition":"-1.25",
//!    "dir":"Close Short","closedPnl":"3.1","hash":"0x5c","oid":560000000001,"crossed":true,"fee":"0.54",
//!    "tid":512345678901234,"feeToken":"USDC","twapId":null},
//!   {"coin":"ETH","px":"NaN","sz":"0.5","side":"B"}]}}"#;
//!
//! let mut decoder = Decoder::new();
//! let decoded = decoder.decode(frame)?;
//! let Frame::Fills(fills) = &decoded.frame else { panic!("not fills") };
//! assert_eq!(fills.rows.len(), 2);
//!
//! let fill = fills.rows[0].as_ref().expect("the first row is sound");
//! assert_eq!(fill.px.text, "2400.5");
//! assert_eq!(fill.raw.first(), Some(&b'{')); // the venue's own bytes of this fill
//!
//! let refusal = fills.rows[1].as_ref().expect_err("its price is no number");
//! assert_eq!(refusal.reason.code(), "not_a_number"); // and it cost its neighbour nothing
//! # Ok::<(), hyperliquid_client::decode::FrameError>(())
//! ```

pub mod auth;
pub mod backoff;
pub mod decode;
pub mod info;
pub mod limits;
pub mod pager;
pub mod plan;
pub mod session;
pub mod weight;
pub mod wire;

#[cfg(feature = "io")]
pub mod io;
#[cfg(feature = "sim")]
pub mod sim;
