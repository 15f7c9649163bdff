//! A list in a real Redis: followed through everything that can happen to it, and edited by several at once.

#![cfg(feature = "redis")]
#![expect(clippy::disallowed_methods, reason = "readings of another process are counted against real time")]

mod accidents;
mod edits;
mod failover;
mod followed;
mod logins;
mod stage;
