//! The one place with two vocabularies: the venue's messages on one side, our rows, fills and signals on the other.
//!
//! **Invariant:** nothing outside this folder names both `hyperliquid_client::wire` and `signal_domain`.

mod fill;
mod identity;
#[cfg(test)]
mod tests;

pub use fill::{TranslateError, account, fill, position_key};
pub use identity::{Identifier, Interest};
