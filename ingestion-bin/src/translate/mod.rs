//! The one place with two vocabularies: the venue's messages on one side, our rows, fills and signals on the other.
//!
//! **Invariant:** nothing outside this folder names both `hyperliquid_client::wire` and `signal_domain`.

mod fill;
mod history;
mod identity;
mod order;
mod repair;
mod state;
#[cfg(test)]
mod tests;

pub use fill::{TranslateError, account, fill};
pub use history::{HistoryRowError, history_row};
pub use identity::{Identifier, Interest, exact};
pub use order::{market, order_key};
pub use repair::{Repaired, repaired};
pub use state::{dex_shown, position_key};
