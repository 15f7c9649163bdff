//! The service: the account machine, the composition of the libraries, and the command line.
//!
//! Read `docs/architecture.md` first. From the heart outwards:
//! - [`account`]: one followed account as a state machine, without I/O or clock;
//! - [`translate`]: the venue's words and ours, the only place that knows both;
//! - [`record`], [`state`], [`render`]: what the journal holds, what it adds up to, what lines it makes;
//! - [`runtime`]: threads, sockets and timers around them; `shared`: what another machine needs to go on;
//! - [`completeness`]: events published of those in the venue's history, as a number;
//! - [`audit`]: whether a log of signals keeps its promises;
//! - [`letters`]: dead letters on their way back;
//! - [`config`], [`cli`]: the person's side.

pub mod account;
pub mod audit;
pub mod cli;
pub mod completeness;
pub mod config;
pub mod letters;
pub mod record;
pub mod render;
pub mod runtime;
#[cfg(feature = "redis")]
pub mod shared;
pub mod state;
pub mod translate;
