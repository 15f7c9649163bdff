//! The venue's messages as borrowed types. Text stays in the frame's buffer; nothing here is owned or parsed twice.
//!
//! Units: `time`, `timestamp` are the venue's milliseconds since 1970 (block time); sizes are base-asset units; prices are
//! quote units for one base unit. Unknown fields never reach these types; the decoder counts them as drift.

mod address;
mod fill;
mod number;
mod order;
mod state;
mod subscription;
mod trade;
mod user_event;

pub use address::{Address, AddressError};
pub use fill::{Fill, Liquidation, Side, TwapFill, is_known_dir};
pub use number::{Number, NumberError};
pub use order::{Order, OrderUpdate};
pub use state::{AccountState, CumFunding, DexState, Leverage, MarginSummary, Position, PositionEntry};
pub use subscription::{Subscription, SubscriptionEcho};
pub use trade::Trade;
pub use user_event::{Funding, LiquidationEvent, NonUserCancel, TwapHistoryRow, TwapState, TwapStatus};
