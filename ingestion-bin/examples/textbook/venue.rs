//! What the venue sends, typed.

use serde::Deserialize;
use serde_json::value::RawValue;

#[derive(Deserialize)]
pub(crate) struct Envelope<'a> {
    pub(crate) channel: String,
    #[serde(borrow)]
    pub(crate) data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UserFills {
    #[serde(default)]
    pub(crate) is_snapshot: bool,
    pub(crate) user: String,
    pub(crate) fills: Vec<Fill>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Fill {
    pub(crate) coin: String,
    pub(crate) px: String,
    pub(crate) sz: String,
    pub(crate) side: String,
    pub(crate) time: u64,
    pub(crate) start_position: String,
    pub(crate) dir: String,
    pub(crate) closed_pnl: String,
    pub(crate) hash: String,
    pub(crate) oid: u64,
    pub(crate) crossed: bool,
    pub(crate) fee: String,
    pub(crate) tid: u64,
    pub(crate) fee_token: String,
}
