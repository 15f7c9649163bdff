//! Requests and answers of the info API (HTTP POST, JSON). Bodies in, typed values out; sending them is `io`'s or `post`'s business.
//!
//! Pages of fills are decoded by [`Decoder::fills_page`](crate::decode::Decoder::fills_page) and
//! [`twap_fills_page`](crate::decode::Decoder::twap_fills_page), rows in the order given: `userFills` and `userTwapSliceFills`
//! newest first, the `…ByTime` twins oldest first.

mod answer;
mod request;

pub use answer::{
    AnswerError, Meta, PerpAsset, PerpDex, RoleOwner, SpotMeta, SpotPair, SpotToken, SubAccount, UserRole,
    account_state, meta, perp_dexs, spot_meta, sub_accounts, user_role,
};
pub use request::InfoRequest;
